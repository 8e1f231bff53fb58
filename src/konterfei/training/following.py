"""What the processes of a training do that do not lead it: what they hear."""

from __future__ import annotations

import json
from collections.abc import Generator

from konterfei.training.data import RawBatch, Sampler, batches
from konterfei.training.lesson import Lesson
from konterfei.training.loop import train_step
from konterfei.training.objectives import Objectives
from konterfei.training.team import Order, Task, Together


def follow(lesson: Lesson, sampler: Sampler, team: Together) -> Order:
    """Do what the first process asks for until it is over; gives back its last words.

    Raises:
        TrainingError: another process is gone, or has other numbers.
    """
    source: Generator[RawBatch, None, None] | None = None
    try:
        while (order := team.hear()).task != Task.END:
            if order.task == Task.STEP:
                assert source is not None
                train_step(lesson, next(source), order.rate, order.step)
            elif order.task == Task.SHARE:
                if source is not None:
                    source.close()
                lesson.turn_to(Objectives(**json.loads(team.tell())))
                team.share(lesson.learners)
                source = batches(sampler.salted(order.salt, lesson.objectives), order.step)
            else:
                team.compare(lesson.learners)
        return order
    finally:
        if source is not None:
            source.close()
