"""The training loop, one page, read from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from konterfei.errors import CheckpointMismatchError, StoreError, TrainingError, UnknownNameError
from konterfei.io.run import Checkpoint, Run
from konterfei.models.base import Batch, SwapModel
from konterfei.models.devices import autocast
from konterfei.reporting import Reporter
from konterfei.training.data import RawBatch, Sampler, batches
from konterfei.training.desk import Desk
from konterfei.training.optimizers import AdaBelief, Adam, FlatParameters, Optimizer
from konterfei.training.plan import Budget, Progress, Schedule
from konterfei.training.preview import preview_grid

OPTIMIZERS: dict[str, type[Optimizer]] = {"adabelief": AdaBelief, "adam": Adam}
"""Names that presets choose from."""

_EMA_KEEP = 0.999  # half-life of the smoothed weights: 700 steps
_REPORT_EVERY = 20  # steps between two looks at the losses
_COLLAPSE = 2.0  # a report this many times worse than the best one is a run that fell apart
_SETTLING = 200  # steps in which losses may still jump
_MAX_ROLLBACKS = 5
_FIRST_CHECKPOINT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """What the loop needs besides model and samples."""

    schedule: Schedule
    optimizer: str
    budget: Budget
    device: torch.device
    precision: str
    usable_steps: int
    checkpoint_s: float = 120.0
    preview_s: float = 60.0


@dataclass(frozen=True)
class LoopResult:
    """How the loop ended: where it stands, whether a person stopped it, whether there was nothing to do."""

    progress: Progress
    is_stopped: bool
    was_done: bool = False


def train_loop(
    run: Run, model: SwapModel, sampler: Sampler, settings: LoopSettings, reporter: Reporter, desk: Desk | None = None
) -> LoopResult:
    """Train until the budget is used up or a person asks to stop; resume where the run left off.

    `desk` shows the figures and hears wishes; None = a plain one.

    Raises:
        TrainingError: the run falls apart again and again.
        CheckpointMismatchError: the checkpoint is of another model.
        OutputError: the disk is full; the last checkpoint is whole.
    """
    desk = desk or Desk(run, reporter)
    flat = FlatParameters(model)
    if settings.optimizer not in OPTIMIZERS:
        raise UnknownNameError("optimizer", settings.optimizer, OPTIMIZERS)
    optimizer = OPTIMIZERS[settings.optimizer](flat)
    fresh = flat.weights.clone()
    progress = restore(run, flat, optimizer, reporter) or Progress()
    progress.adopt(settings.budget)
    if progress.is_done and run.has_snapshot(progress.step):
        return LoopResult(progress, is_stopped=False, was_done=True)
    is_stopped, next_preview = False, progress.trained_s
    next_save = progress.trained_s + min(_FIRST_CHECKPOINT_S, settings.checkpoint_s)
    _start(model, sampler, settings, progress, reporter)
    while not progress.is_done and not is_stopped:
        salted = replace(sampler, seed=sampler.seed + 1_000_003 * progress.salt)
        losses = [torch.tensor(pair, device=settings.device) for pair in progress.pending]
        with closing(batches(salted, progress.step)) as source:
            started, before, first = time.monotonic(), progress.trained_s, progress.step
            while not progress.is_done and not is_stopped:
                rate = progress.rate_scale * settings.schedule.at(progress.step, progress.total)
                losses.append(train_step(model, optimizer, next(source), rate, progress.step, settings))
                progress.step += 1
                progress.trained_s = before + time.monotonic() - started
                if progress.step % _REPORT_EVERY == 0:
                    src, dst = torch.stack(losses).mean(dim=0).tolist()
                    losses.clear()
                    if _fell_apart(progress, src + dst):
                        _roll_back(run, flat, optimizer, progress, fresh, settings, reporter)
                        break
                    speed = (progress.step - first) / (progress.trained_s - before)
                    progress.estimate(speed, settings.schedule.hold)
                    part = settings.schedule.part_at(progress.step, progress.total)
                    desk.report(progress, {"src": src, "dst": dst}, rate, part, speed)
                asked = desk.look(progress)
                is_stopped = reporter.take_stop() or "stop" in asked
                is_last = is_stopped or progress.is_done
                is_calm = not progress.best or progress.loss <= 1.5 * progress.best
                if is_last or "save" in asked or (progress.trained_s >= next_save and is_calm):
                    progress.pending = torch.stack(losses).tolist() if losses else []
                    if not _is_sound(progress, flat):  # between two reports
                        _roll_back(run, flat, optimizer, progress, fresh, settings, reporter)
                        break
                    if not is_last:
                        save(run, flat, optimizer, progress, settings)
                        desk.saved(progress)
                    next_save = progress.trained_s + settings.checkpoint_s
                if ("preview" in asked or progress.trained_s >= next_preview) and not is_last:
                    draw_preview(run, model, flat, sampler, settings, progress.step, reporter)
                    desk.previewed(progress, run.preview_path())
                    next_preview = progress.trained_s + settings.preview_s
    reporter.finish()
    save(run, flat, optimizer, progress, settings)
    draw_preview(run, model, flat, sampler, settings, progress.step, reporter)
    desk.previewed(progress, run.preview_path())
    desk.saved(progress)  # after the preview: a backup has it, too
    return LoopResult(progress, is_stopped)


def train_step(
    model: SwapModel, optimizer: Optimizer, raw: RawBatch, rate: float, step: int, settings: LoopSettings
) -> torch.Tensor:
    """One optimiser step. Gives back the mean losses of src and dst per sample, [2], without waiting for a GPU."""
    batch = to_batch(raw, settings.device)
    with autocast(settings.device, settings.precision):
        losses = model.losses(batch)
    (losses["src"] + losses["dst"]).backward()
    optimizer.step(rate, step + 1, min(_EMA_KEEP, (1 + step) / (10 + step)))
    return torch.stack([losses["src"], losses["dst"]]).detach() / (batch.warped.shape[0] / 2)


def to_batch(raw: RawBatch, device: torch.device) -> Batch:
    """Samples as the network takes them: float32 in [0, 1], channels first in meaning, last in memory."""

    def image(pixels: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(pixels).to(device, non_blocking=True).permute(0, 3, 1, 2).float() / 255

    mask = torch.from_numpy(raw.mask).to(device, non_blocking=True).unsqueeze(1).float() / 255
    return Batch(image(raw.warped), image(raw.target).contiguous(), mask)


# --- saving and going back


def save(run: Run, flat: FlatParameters, optimizer: Optimizer, progress: Progress, settings: LoopSettings) -> None:
    """Write the full state, and the smoothed weights for use."""
    arrays = {"weights": flat.weights, "ema": flat.ema, **optimizer.state}
    tensors = {
        f"{kind}/{name}": view.detach().cpu().numpy()
        for kind, array in arrays.items()
        for name, view in flat.by_name(array).items()
    }
    run.save_checkpoint(Checkpoint(progress.step, tensors, {"progress": asdict(progress)}))
    weights = {name: view.detach().cpu().numpy() for name, view in flat.by_name(flat.ema).items()}
    info = {
        "steps": progress.step,
        "minutes": round(progress.trained_s / 60, 2),
        "is_preview": progress.step < settings.usable_steps,
        "loss": round(progress.loss, 5),
    }
    run.save_snapshot(progress.step, weights, info)


def restore(run: Run, flat: FlatParameters, optimizer: Optimizer, reporter: Reporter) -> Progress | None:
    """Load the newest whole checkpoint; None when the run has none.

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
        return _salvage(run, flat, reporter) if run.passed_over else None
    arrays = {"weights": flat.weights, "ema": flat.ema, **optimizer.state}
    with torch.no_grad():
        for kind, array in arrays.items():
            for name, view in flat.by_name(array).items():
                tensor = checkpoint.tensors.get(f"{kind}/{name}")
                if tensor is None or tuple(tensor.shape) != tuple(view.shape):
                    there = "missing" if tensor is None else list(tensor.shape)
                    raise CheckpointMismatchError(
                        f"Checkpoint {checkpoint.step} of '{run.folder}': {kind}/{name} is {there}, expected "
                        f"{list(view.shape)}. It was made by another version or model; train in another folder."
                    )
                view.copy_(torch.from_numpy(np.array(tensor)))
    flat.gradients.zero_()
    try:
        return Progress(**checkpoint.state["progress"])
    except (KeyError, TypeError) as error:
        raise CheckpointMismatchError(
            f"Checkpoint {checkpoint.step} of '{run.folder}' was made by another version of konterfei ({error}). "
            "Go on with that version, or train in another folder."
        ) from error


def _salvage(run: Run, flat: FlatParameters, reporter: Reporter) -> Progress | None:
    """Go on from the newest snapshot's smoothed weights, where every checkpoint is damaged; None without one."""
    try:
        snapshot = run.newest_snapshot()
        own = flat.by_name(flat.weights)
        if {name: tuple(array.shape) for name, array in snapshot.tensors.items()} != {
            name: tuple(view.shape) for name, view in own.items()
        }:
            raise StoreError(f"'{snapshot.path}' is of another model.")
    except StoreError as error:
        reporter.warn(f"Training begins anew: no snapshot can be used either ({error})")
        return None
    with torch.no_grad():
        for name, view in own.items():
            view.copy_(torch.from_numpy(np.array(snapshot.tensors[name])))
        flat.ema.copy_(flat.weights)
    progress = Progress(step=int(snapshot.info["steps"]), trained_s=60.0 * snapshot.info["minutes"])
    reporter.warn(f"Training goes on from the snapshot of step {progress.step}; the optimiser begins anew.")
    return progress


def _is_sound(progress: Progress, flat: FlatParameters) -> bool:
    """Whether weights and losses are numbers: what is saved can be gone back to."""
    return bool(torch.isfinite(flat.weights.sum())) and bool(np.isfinite(progress.pending).all())


def _fell_apart(progress: Progress, loss: float) -> bool:
    """Whether the mean loss of a report is not a number, or far worse than it has been. Notes it otherwise."""
    if not math.isfinite(loss):
        return True
    # one report is noisy: it is averaged with those before
    progress.loss = loss if not progress.loss else 0.8 * progress.loss + 0.2 * loss
    if progress.step <= _SETTLING:
        return False
    progress.best = min(progress.best or progress.loss, progress.loss)
    return progress.loss > _COLLAPSE * progress.best


def _roll_back(
    run: Run,
    flat: FlatParameters,
    optimizer: Optimizer,
    progress: Progress,
    fresh: torch.Tensor,
    settings: LoopSettings,
    reporter: Reporter,
) -> None:
    """Back to the last checkpoint (or to the start), with half the learning rate and other batches."""
    broken, salt, scale = progress.step, progress.salt + 1, progress.rate_scale / 2
    if salt > _MAX_ROLLBACKS:
        raise TrainingError(
            f"Training of '{run.folder}' fell apart {salt} times, last at step {broken}. Look at its preview and the "
            "facesets (wrong faces? black pictures?), or choose another preset."
        )
    old = restore(run, flat, optimizer, reporter)
    if old is None:
        with torch.no_grad():
            flat.weights.copy_(fresh)
            flat.ema.copy_(fresh)
            flat.gradients.zero_()
            for array in optimizer.state.values():
                array.zero_()
        old = Progress(total=progress.total, budget=progress.budget)
    trained_s = progress.trained_s
    for name, value in asdict(old).items():
        setattr(progress, name, value)
    progress.salt, progress.rate_scale, progress.trained_s = salt, scale, trained_s
    progress.adopt(settings.budget)  # the checkpoint may be older than the budget
    reporter.warn(
        f"Training fell apart at step {broken} (the loss rose sharply or was no number). It goes on from step "
        f"{progress.step} with {scale:.3g} times the learning rate and other samples."
    )


# --- telling


def _start(model: SwapModel, sampler: Sampler, settings: LoopSettings, progress: Progress, reporter: Reporter) -> None:
    """Say what is trained, and start the bar: it counts what the budget counts, steps or seconds."""
    device = settings.device
    where = f"{device}, {torch.get_num_threads()} threads" if device.type == "cpu" else str(device)
    begun = f"goes on from step {progress.step}" if progress.step else "begins"
    count = sum(p.numel() for p in model.parameters())
    reporter.note(
        f"Training {begun}: {type(model).__name__.lower()}, {model.dims.resolution} px, {count / 1e6:.1f} M "
        f"parameters, {settings.precision} on {where}; {len(sampler.src)} src and {len(sampler.dst)} dst faces."
    )
    minutes = progress.budget[1]
    if minutes is None:
        reporter.start("training", progress.total, "steps")
    else:
        reporter.start("training", round(60 * minutes), "s")


@contextmanager
def smoothed(flat: FlatParameters) -> Iterator[None]:
    """Within it, the model has its smoothed weights."""
    own = flat.weights.clone()
    flat.weights.copy_(flat.ema)
    try:
        yield
    finally:
        flat.weights.copy_(own)


def draw_preview(
    run: Run,
    model: SwapModel,
    flat: FlatParameters,
    sampler: Sampler,
    settings: LoopSettings,
    step: int,
    reporter: Reporter,
) -> None:
    """Write the preview picture of the smoothed weights, and tell of it."""
    model.eval()
    with smoothed(flat):
        grid = preview_grid(model, sampler.src, sampler.dst, settings.device, settings.precision)
    model.train()
    reporter.preview(run.save_preview(step, grid.image, grid.layout))
