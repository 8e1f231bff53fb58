"""Who is drawn by which model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from konterfei.enhancers import ENHANCERS, Enhancer
from konterfei.io.faceset import FaceRecord
from konterfei.reporting import Reporter
from konterfei.stages._merge_checks import open_swapper
from konterfei.stages._merge_stream import FaceSwapper


class Cast:
    """One model for every face of the faceset.

    Args:
        swapper: that model.
        threads: of the enhancers; 0 = the runtime's choice.
    """

    def __init__(self, swapper: FaceSwapper, threads: int = 0) -> None:
        self.swapper = swapper
        self._threads = threads
        self._enhancers: dict[str, Enhancer] = {}

    def swapper_for(self, record: FaceRecord) -> FaceSwapper | None:
        """The model that draws this face; None = it stays as it is."""
        return self.swapper

    def enhancer(self, name: str) -> Enhancer:
        """The enhancer of this name, opened once."""
        if name not in self._enhancers:
            self._enhancers[name] = ENHANCERS.load(name)(self._threads)
        return self._enhancers[name]


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
            return Cast(self.swapper, self.threads)
        swapper = open_swapper(self.model, self.device, self.threads, reporter, self.morph, self.snapshot)
        return Cast(swapper, self.threads)
