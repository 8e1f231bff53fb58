"""The state of a training, to disk and back: all that is needed to go on as if nothing had happened."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from konterfei.errors import CheckpointMismatchError, StoreError
from konterfei.io.backups import make_backup
from konterfei.io.run import Checkpoint, Run
from konterfei.io.run_files import Tensors
from konterfei.reporting import Reporter
from konterfei.training.lesson import Lesson
from konterfei.training.plan import Plan, Progress


def save(run: Run, lesson: Lesson, progress: Progress, usable_steps: int) -> None:
    """Write the full state, and the smoothed weights for use."""
    tensors = {key: array for learner in lesson.learners for key, array in learner.tensors().items()}
    run.save_checkpoint(Checkpoint(progress.step, tensors, {"progress": asdict(progress)}))
    run.save_snapshot(progress.step, *snapshot_of(lesson, progress, usable_steps))


def snapshot_of(lesson: Lesson, progress: Progress, usable_steps: int) -> tuple[Tensors, dict[str, Any]]:
    """The smoothed weights as they stand, and what a snapshot tells of them."""
    flat = lesson.learner.flat
    weights = {name: view.detach().cpu().numpy() for name, view in flat.by_name(flat.ema).items()}
    return weights, {
        "steps": progress.steps_in_all,
        "minutes": round(progress.trained_s / 60, 2),
        "is_preview": progress.steps_in_all < usable_steps,
        "loss": round(progress.loss, 5),
    }


def restore(run: Run, lesson: Lesson, plan: Plan, reporter: Reporter) -> Progress | None:
    """Load the newest whole checkpoint, and turn to the objectives of its phase; None when the run has none.

    A judge that the checkpoint does not know, or knows otherwise, begins anew.

    Raises:
        CheckpointMismatchError: it is of another model.
    """
    run.passed_over.clear()
    checkpoint = run.newest_checkpoint()
    if run.passed_over:
        damaged = "; ".join(f"{name}: {reason}" for name, reason in run.passed_over.items())
        used = f"Checkpoint {checkpoint.step} is used instead." if checkpoint else "There is no other."
        reporter.warn(f"Checkpoints of '{run.folder}' are damaged ({damaged}). {used}")
    if checkpoint is None:
        return _salvage(run, lesson, reporter) if run.passed_over or run.is_only_imported else None
    try:
        progress = Progress(**checkpoint.state["progress"])
    except (KeyError, TypeError) as error:
        raise CheckpointMismatchError(
            f"Checkpoint {checkpoint.step} of '{run.folder}' was made by another version of konterfei ({error}). "
            "Go on with that version, or train in another folder."
        ) from error
    lesson.turn_to(plan.now(progress))
    try:
        lesson.learner.load(checkpoint.tensors)
    except CheckpointMismatchError as error:
        raise CheckpointMismatchError(
            f"Checkpoint {checkpoint.step} of '{run.folder}': {error}. It was made by another version or model; "
            "train in another folder."
        ) from error
    for judge in lesson.learners[1:]:
        try:
            judge.load(checkpoint.tensors)
        except CheckpointMismatchError:
            judge.begin_anew()
            reporter.note(f"The {judge.name.replace('_', ' ')} discriminator begins anew at step {checkpoint.step}.")
    return progress


def set_aside(run: Run, step: int, reporter: Reporter) -> None:
    """Keep the newest state as a backup, where there is one, and remove those from `step` on, so that the run goes on
    from what is older.
    """
    backup = make_backup(run, "fell-apart") if run.checkpoint_paths() and run.snapshot_paths() else None
    run.forget(step)
    if backup is not None:
        reporter.note(f"What led there is kept as the backup '{backup.path.name}'; an older state is gone back to.")


def _salvage(run: Run, lesson: Lesson, reporter: Reporter) -> Progress | None:
    """Go on from the newest snapshot's weights with a fresh optimiser: they were imported, or every checkpoint is
    damaged. None without a snapshot.
    """
    flat = lesson.learner.flat
    try:
        snapshot = run.newest_snapshot()
        own = flat.by_name(flat.weights)
        if {name: tuple(array.shape) for name, array in snapshot.tensors.items()} != {
            name: tuple(view.shape) for name, view in own.items()
        }:
            raise StoreError(f"'{snapshot.path}' is of another model.")
    except StoreError as error:
        if run.is_only_imported:
            raise  # nobody who imported weights wants to begin without them
        reporter.warn(f"Training begins anew: no snapshot can be used either ({error})")
        return None
    lesson.learner.begin_anew()
    with torch.no_grad():
        for name, view in own.items():
            view.copy_(torch.from_numpy(np.array(snapshot.tensors[name])))
        flat.ema.copy_(flat.weights)
        flat.send()
    step, steps = int(snapshot.info["step"]), int(snapshot.info["steps"])
    progress = Progress(step=step, earlier=steps - step, trained_s=60.0 * snapshot.info["minutes"], first=-1.0)
    if run.is_only_imported:
        reporter.note(f"Training goes on from the imported weights ({steps} steps); the optimiser begins anew.")
    else:
        reporter.warn(f"Training goes on from the snapshot of step {step}; the optimiser begins anew.")
    return progress
