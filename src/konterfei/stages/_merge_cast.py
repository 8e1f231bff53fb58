"""Who is drawn by which model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from konterfei.compositing import Segmenter
from konterfei.io.faceset import FaceRecord
from konterfei.reporting import Reporter
from konterfei.stages._merge_checks import open_segmenter, open_swapper
from konterfei.stages._merge_stream import FaceSwapper


class Cast:
    """One model for every face of the faceset.

    Args:
        swapper: that model.
        segmenter: tells what of a face is covered; None = there is none.
    """

    def __init__(self, swapper: FaceSwapper, segmenter: Segmenter | None = None) -> None:
        self.swapper, self.segmenter = swapper, segmenter

    def swapper_for(self, record: FaceRecord) -> FaceSwapper | None:
        """The model that draws this face; None = it stays as it is."""
        return self.swapper


@dataclass(frozen=True)
class CastOpener:
    """Opens the models of a merge, in whatever process calls it.

    Attributes:
        model, device, threads, morph, snapshot: as in `_merge_checks.open_swapper`.
        segmenter: run or folder of an XSeg model; None = none.
        swapper: a model to use instead.
    """

    model: Path
    device: str = "auto"
    threads: int = 0
    morph: float = 1.0
    snapshot: str = "newest"
    segmenter: Path | None = None
    swapper: FaceSwapper | None = None

    def __call__(self, reporter: Reporter) -> Cast:
        """The models, ready to draw."""
        swapper = self.swapper or open_swapper(
            self.model, self.device, self.threads, reporter, self.morph, self.snapshot
        )
        return Cast(swapper, None if self.segmenter is None else open_segmenter(self.segmenter, self.device, reporter))
