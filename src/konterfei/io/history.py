"""Histories that stay small: which of many files over the steps of a run may go."""

from __future__ import annotations

from pathlib import Path


def to_thin_out(history: list[tuple[int, Path]], keep: int, newest: int = 1) -> list[tuple[int, Path]]:
    """Which entries of a history to remove so that at most `keep` stay, spread evenly.

    Args:
        history: step and path, steps rising.
        keep: at least 2.
        newest: so many at the end always stay, and so does the first.
    """
    left, removed = list(history), []
    while len(left) > max(2, newest + 1, keep):
        dullest = min(range(1, len(left) - newest), key=lambda i: left[i + 1][0] - left[i - 1][0])
        removed.append(left.pop(dullest))
    return removed


def to_outgrow(history: list[tuple[int, Path]], keep: int, newest: int = 2) -> list[tuple[int, Path]]:
    """Which entries of a history to remove so that at most `keep` stay: the newest, and older ones of growing age.

    What is saved every two minutes would else reach back some minutes only, and a mistake that is seen an hour later
    would be in all of them. With two or more places for older ones, the oldest is between a quarter and half of the run
    old; with one, it grows up to half of the run old before a young one takes its place. For a caller that comes after
    each new step.

    Args:
        history: step and path, steps rising.
        keep: at least `newest`.
        newest: so many at the end always stay.
    """
    left, removed = list(history), []
    while len(left) > keep:
        now = left[-1][0]
        ages = [now - step for step, _ in left[: len(left) - newest]]
        removed.append(left.pop(_outgrown(ages, now / 2) if ages else 0))
    return removed


def _outgrown(ages: list[int], limit: float, first: int = 0) -> int:
    """Which of these goes, from `first` on: the oldest, once the next can be in its place; else a younger one.

    Args:
        ages: the oldest first.
        limit: how old the oldest should become.
        first: those before it stay.
    """
    here = ages[first:]
    if len(here) == 1 or (here[0] > limit and (len(here) == 2 or here[1] >= limit / 2)):
        return first
    return len(ages) - 1 if len(here) < 4 else _outgrown(ages, here[1] / 2, first + 2)
