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
