"""The desk of a training: what people see of it, and what they ask of it, while it runs.

The loop tells the desk what happens (`report`, `saved`, `previewed`) and asks it once a step what is wanted (`look`).
Wishes come from the reporter (keys) and from the run's mailbox (other processes); each is answered when it was done.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from konterfei.errors import ConfigError, KonterfeiError
from konterfei.io.atomic import free_space, size_text
from konterfei.io.backups import backups, check_name, make_backup, own_bytes
from konterfei.io.mailbox import Mailbox, Request
from konterfei.io.run import Run
from konterfei.reporting import Course, Reporter
from konterfei.training.commands import COMMANDS, KEYS, MAILBOX
from konterfei.training.objectives import Objectives
from konterfei.training.phases import read_change
from konterfei.training.plan import Plan, Progress
from konterfei.training.validations import Found

if TYPE_CHECKING:
    from konterfei.training.board import Board

LOOK_EVERY_S = 1.0
"""Seconds between two looks for wishes: short for a person, nothing for a disk."""


@dataclass
class _Wish:
    """A request that is not answered yet.

    `post` is None for a key, `phase` for what asks for none; `changes` are None for what asks for none, and once made.
    """

    name: str
    value: str
    post: Request | None
    phase: int | None = None
    changes: dict[str, Any] | None = None


class Desk:
    """Figures to the run, the reporter and TensorBoard; wishes to the loop; backups by the clock.

    Use it as a context manager: it listens from its beginning to its end.

    Args:
        run: that is trained; its right to write is held.
        reporter: shows figures, and hears keys.
        plan: of the run; None = one without phases.
        batch: samples per person and step, for images a second; 0 = not told.
        backup_s: seconds of training between two backups; None = none by themselves.
        has_board: whether event files for TensorBoard are written.
        can_validate: whether faces are held out.
        can_serve: raises ConfigError for objectives that this training cannot turn to.
        memory: says how much memory is taken.
        now: the clock, in seconds.
    """

    def __init__(
        self,
        run: Run,
        reporter: Reporter,
        *,
        plan: Plan | None = None,
        batch: int = 0,
        backup_s: float | None = None,
        has_board: bool = False,
        can_validate: bool = False,
        can_serve: Callable[[Objectives], None] = lambda objectives: None,
        memory: Callable[[], str] = str,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run, self._reporter, self._memory, self._now = run, reporter, memory, now
        self._batch, self._backup_s, self._has_board, self._can_validate = batch, backup_s, has_board, can_validate
        self._plan, self._can_serve = plan or Plan(), can_serve
        self._mailbox = Mailbox(run.folder / MAILBOX)
        self._wishes: list[_Wish] = []
        self._figures: dict[str, float | str] = {}
        self._board: Board | None = None
        self._looked_at = now()
        self._saved_at: float | None = None
        self._next_backup: float | None = None

    def __enter__(self) -> Desk:
        self._mailbox.tidy()
        for request in self._mailbox.requests():  # of a process that is gone, or of this one while it read its faces
            self._mailbox.answer(request, False, "The training was only beginning. Ask again.")
        self._reporter.listen(KEYS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reporter.listen({})
        for wish in self._wishes:
            if error is None:
                self._answer(wish, wish.name == "stop", "The training has ended; everything is saved.")
            else:
                self._answer(wish, False, f"The training has failed: {error or type(error).__name__}")
        for request in self._mailbox.requests():
            self._mailbox.answer(request, False, "The training had ended before it heard of it.")
        if self._board is not None:
            self._board.close()

    # --- what the loop asks

    def look(self, progress: Progress) -> set[str]:
        """What people want the loop to do, until it has told that it was done: see `Command.does`.

        Looks and shows the figures again at most once in `LOOK_EVERY_S`.
        """
        if self._next_backup is None:
            self._next_backup = self._backup_after(progress.trained_s)
        if self._now() - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = self._now()
            while (name := self._reporter.take_wish()) is not None:
                self._hear(_Wish(name, "", None), progress)
            known = {wish.post.key for wish in self._wishes if wish.post}
            for request in self._mailbox.requests():
                if request.key not in known:
                    self._hear(_Wish(request.name, request.value, request), progress)
            self._show(progress)
        return {COMMANDS[wish.name].does for wish in self._wishes}

    def turns(self, progress: Progress) -> bool:
        """Whether a wished-for phase begins, or a wished-for change is made, now; `progress` has it then."""
        if changing := [wish for wish in self._wishes if wish.changes is not None]:
            for wish in changing:
                self._plan.change(progress, wish.changes or {})
                wish.changes = None
            return True
        for wish in self._wishes:
            if wish.phase is not None and wish.phase != progress.phase:
                self._plan.begin(progress, wish.phase)
                return True
        return False

    def _hear(self, wish: _Wish, progress: Progress) -> None:
        if wish.name not in COMMANDS:
            self._answer(wish, False, f"This training knows no command '{wish.name}'; it knows {', '.join(COMMANDS)}.")
            return
        try:
            if wish.name == "backup":
                check_name(wish.value)
            if wish.name == "validate" and not self._can_validate:
                raise ConfigError("No faces are held out in this run (--held-out), so there is nothing to measure.")
            if wish.name == "phase":
                wish.phase = self._plan.number_of(wish.value, progress)
            if wish.name == "set":
                now = self._plan.now(progress)
                wish.changes = read_change(wish.value, now)
                then = replace(now, **{k: v for k, v in wish.changes.items() if k != "rate"})
                if "rate" not in wish.changes and then.in_force() == now.in_force():
                    raise ConfigError(f"'{wish.value}' changes nothing here: it is so, or another setting decides it.")
                self._can_serve(then)
        except KonterfeiError as error:
            self._answer(wish, False, str(error))
            return
        self._wishes.append(wish)

    def _done(self, name: str, text: str) -> None:
        """Answer every wish for the command `name`."""
        for wish in [wish for wish in self._wishes if wish.name == name and wish.changes is None]:
            self._wishes.remove(wish)
            self._answer(wish, True, text)

    def _answer(self, wish: _Wish, done: bool, text: str) -> None:
        if wish.post is not None:
            self._mailbox.answer(wish.post, done, text)
        elif wish.name != "stop":
            self._reporter.note(text)

    # --- what the loop tells

    def report(
        self,
        progress: Progress,
        losses: dict[str, float],
        rate: float,
        part: str,
        speed: float,
        thrift: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Figures since the last report: to metrics.jsonl, to the display, to TensorBoard.

        Args:
            progress: where the run stands.
            losses: mean per sample, by name.
            rate: learning rate of the last step.
            part: of the plan: "rising", "steady", "falling".
            speed: steps a second.
            thrift: how steps are cut to fit into memory; empty where they are not.
        """
        losses = {name: round(value, 4) for name, value in losses.items()}
        told = {**losses, "it/s": round(speed, 2)}
        self._run.log(
            {"step": progress.step, "trained_s": round(progress.trained_s, 1), **told, "rate": rate, **thrift}
        )
        images = {"images/s": round(2 * self._batch * speed)} if self._batch else {}
        shown = {name: Course(value) for name, value in losses.items()}
        memory = self._memory()
        score = {name: value for name, value in self._figures.items() if name == "score"}
        self._figures = {**shown, **score, "it/s": told["it/s"], **images, "rate": f"{rate:.2g} {part}"}
        if len(self._plan.phases) > 1:
            self._figures["phase"] = (
                f"{self._plan.phase(progress).name} ({progress.phase + 1}/{len(self._plan.phases)})"
            )
        self._figures |= {"memory": memory} if memory else {}
        self._figures |= {"at once": thrift["at_once"]} if thrift else {}
        self._show(progress)
        if self._has_board:
            curves = {f"loss/{name}": value for name, value in losses.items()}
            self._board_at(progress.step).figures(progress.step, {**curves, "rate": rate, "speed/it_s": speed})

    def _board_at(self, step: int) -> Board:
        """The board, begun anew where training went back: what it said of the steps from here on does not count."""
        from konterfei.training.board import Board  # its library is only loaded when it is asked for

        if self._board is None or step <= self._board.last_step:
            if self._board is not None:
                self._board.close()
            self._board = Board(self._run.folder / "tensorboard", step)
        return self._board

    def _show(self, progress: Progress) -> None:
        if not self._figures:
            return  # nothing is known yet
        figures = dict(self._figures)
        if self._saved_at is not None:
            figures["saved"] = f"{self._now() - self._saved_at:.0f} s ago"
        if progress.budget[1] is None:
            self._reporter.advance(progress.step, **figures)
        else:
            self._reporter.advance(round(progress.trained_s), step=progress.step, **figures)

    def saved(self, progress: Progress) -> None:
        """A checkpoint and a snapshot of this step were written. Makes the backups that are due or wished for."""
        self._saved_at = self._now()
        for wish in [wish for wish in self._wishes if wish.name == "backup"]:
            self._wishes.remove(wish)
            self._answer(wish, True, self._back_up(wish.value))
        if self._next_backup is not None and progress.trained_s >= self._next_backup:
            self._reporter.note(self._back_up())
            self._next_backup = self._backup_after(progress.trained_s)
        phase = self._plan.phase(progress).name
        self._done("phase", f"'{phase}' began at step {progress.phase_began}; it is saved.")
        self._done("set", f"Changed at step {progress.step}; it is saved, and lasts until the phase ends.")
        self._done("save", f"Checkpoint and snapshot of step {progress.step} are written.")

    def _backup_after(self, trained_s: float) -> float:
        """When the next backup is due: at whole multiples of the time between two, so that a pause changes nothing."""
        return (trained_s // self._backup_s + 1) * self._backup_s if self._backup_s else math.inf

    def _back_up(self, name: str = "") -> str:
        """Make a backup of what was just saved; gives the words for it, with the disk that backups take."""
        backup = make_backup(self._run, name)
        count, taken = len(backups(self._run)), own_bytes(self._run)
        free = free_space(self._run.folder)
        return (
            f"Backup of step {backup.step}: {backup.path} ({count} in all; they take {size_text(taken)} besides the "
            f"run's own files, {size_text(free)} are free)."
        )

    def validated(self, progress: Progress, scores: Found, best: tuple[float, int] | None) -> None:
        """The held-out faces were measured. best: score and step of the weights that are kept as the best."""
        told = {name: value for name, value in scores.to_json().items() if value is not None}
        if np.isfinite(scores.total):
            self._figures["score"] = Course(round(scores.total, 3))
            self._show(progress)
        kept = f"; the best is that of step {best[1]}, {best[0]:.3f}" if best is not None else ""
        self._done("validate", f"Validation of step {progress.step}: {scores.text()}{kept}.")
        if self._has_board and told:
            curves = {f"validation/{name}": value for name, value in told.items()}
            self._board_at(progress.step).figures(progress.step, curves)

    def failed(self, name: str, text: str) -> None:
        """What the command `name` asks for cannot be done."""
        for wish in [wish for wish in self._wishes if wish.name == name]:
            self._wishes.remove(wish)
            self._answer(wish, False, text)

    def previewed(self, progress: Progress, path: Path) -> None:
        """The preview of this step was drawn."""
        self._done("preview", f"Preview of step {progress.step}: {path}")
        if self._board is not None:
            self._board.preview(progress.step, path)
