"""The page of an evaluation: the figures of each render, in a table."""

from __future__ import annotations

from collections.abc import Sequence

from konterfei.metrics.evaluation import Evaluated, lines
from konterfei.stages._page import page, paragraph, text


def page_of(evaluated: Sequence[Evaluated]) -> str:
    """The whole file.

    Args:
        evaluated: what was measured; several are shown one after another.
    """
    parts = []
    for one in evaluated:
        told = "".join(f"<li>{text(line)}</li>" for line in lines(one.measurements))
        parts += [f"<h2>{text(one.name)}</h2>", paragraph(f"{one.frames['num_frames']} frames"), f"<ul>{told}</ul>"]
    return page("Evaluation", parts)
