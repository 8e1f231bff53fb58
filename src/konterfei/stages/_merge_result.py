"""What a merge gave, and how it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from konterfei.stages._merge_parts import PartRecord
from konterfei.stages._merge_stream import SWAPPED


@dataclass(frozen=True, kw_only=True)
class MergeResult:
    """What a merge gave."""

    video: Path
    frames: int
    """Frames of the result."""
    swapped: int
    """Frames with at least one swapped face."""
    not_swapped: Mapping[str, int] = field(default_factory=dict)
    """Reason -> frames."""
    faces: int = 0
    """Faces swapped, over all frames."""
    at_edge: int = 0
    """Swapped frames with a face that reaches over the frame's edge."""
    lost: int = 0
    """Frames of the plate that could not be decoded."""
    is_preview: bool = False
    """The model was trained too shortly for more than a first look."""
    label: str = "corner"
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Step -> how long it took, all parts together, runs that were killed included."""
    extras: Mapping[str, str] = field(default_factory=dict)
    """What was made beside it: name -> what it depends on, and its hash."""
    cast: Sequence[Mapping[str, Any]] = ()
    """Whom each model drew, see `_merge_cast.CastOpener.told`."""
    was_done: bool = False
    """It was there already."""

    def summary(self) -> list[str]:
        """What was done and what was not, as lines for a person."""
        lines = [f"{self.video}: {self.swapped} of {self.frames} frames swapped ({self.faces} faces)."]
        lines += [f"  {count} frames not swapped: {reason}" for reason, count in self.not_swapped.items()]
        if self.at_edge:
            lines.append(
                f"  {self.at_edge} of the swapped frames have a face that reaches over the edge of the picture"
            )
        if self.lost:
            lines.append(f"  {self.lost} frames of the plate could not be decoded and are missing")
        if self.is_preview:
            lines.append("  A preview: the model was trained only shortly. It is marked as such.")
        if self.extras:
            lines.append(f"  beside it: {', '.join(self.extras)}")
        shown = "no visible label (recorded in the credentials)" if self.label == "none" else f"label: {self.label}"
        return [*lines, f"  {shown}; signed"]

    @classmethod
    def of(cls, video: Path, records: Sequence[PartRecord], *, is_preview: bool, label: str) -> MergeResult:
        """The sum of all parts."""
        counts: Counter[str] = Counter()
        seconds: Counter[str] = Counter()
        for record in records:
            counts.update(record.counts)
            seconds.update(record.seconds)
        swapped = counts.pop(SWAPPED, 0)
        return cls(
            video=video,
            frames=sum(record.frames for record in records),
            swapped=swapped,
            not_swapped=dict(counts),
            faces=sum(record.faces for record in records),
            at_edge=sum(record.at_edge for record in records),
            lost=sum(record.lost for record in records),
            is_preview=is_preview,
            label=label,
            seconds={step: round(value, 3) for step, value in seconds.items()},
        )
