"""Who is drawn by which model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from konterfei.io.faceset import FaceRecord
from konterfei.reporting import Reporter
from konterfei.stages._merge_checks import open_swapper
from konterfei.stages._merge_stream import FaceSwapper


class Cast:
    """One model for every face of the faceset.

    Args:
        swapper: that model.
    """

    def __init__(self, swapper: FaceSwapper) -> None:
        self.swapper = swapper

    def swapper_for(self, record: FaceRecord) -> FaceSwapper | None:
        """The model that draws this face; None = it stays as it is."""
        return self.swapper


@dataclass(frozen=True)
class CastOpener:
    """Opens the models of a merge, in whatever process calls it.

    Attributes:
        model, device, threads, morph, snapshot: as in `_merge_checks.open_swapper`.
        swapper: a model to use instead.
    """

    model: Path
    device: str = "auto"
    threads: int = 0
    morph: float = 1.0
    snapshot: str = "newest"
    swapper: FaceSwapper | None = None

    def __call__(self, reporter: Reporter) -> Cast:
        """The models, ready to draw."""
        if self.swapper is not None:
            return Cast(self.swapper)
        return Cast(open_swapper(self.model, self.device, self.threads, reporter, self.morph, self.snapshot))
