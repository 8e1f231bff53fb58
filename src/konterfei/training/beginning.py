"""What a new run begins with besides chance: the weights of another run, or a base."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from konterfei.errors import CheckpointMismatchError
from konterfei.io.run_files import Tensors
from konterfei.reporting import Reporter
from konterfei.training.lesson import Lesson
from konterfei.training.plan import Progress


@dataclass(frozen=True)
class Start:
    """Weights that a new run begins with.

    Attributes:
        tensors: kind and name -> array, as a checkpoint has them: weights, smoothed weights, and moments if any.
        forgotten: sub-networks that begin anew all the same.
        name: the setting that asked for them, for messages.
        told: what they are, a sentence for people.
    """

    tensors: Tensors
    forgotten: tuple[str, ...]
    name: str
    told: str


BeginsFrom = Callable[[], Start | None]
"""Gives what a run begins with whenever it begins, also when it begins anew; None = with chance alone."""


def by_chance() -> None:
    """See `BeginsFrom`."""


def begin(lesson: Lesson, begins_from: BeginsFrom, reporter: Reporter) -> Progress:
    """A new run.

    Raises:
        CheckpointMismatchError: what it is to begin with has other networks.
    """
    start = begins_from()
    if start is None:
        return Progress()
    try:
        lesson.learner.begin_from(start.tensors, start.forgotten)
    except CheckpointMismatchError as error:
        raise CheckpointMismatchError(
            f"{start.name}: its networks are others ({error}). Give the sizes and architecture that it was trained "
            "with."
        ) from error
    reporter.note(start.told)
    return Progress(first=-1.0)
