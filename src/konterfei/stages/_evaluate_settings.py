"""What an evaluation is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from konterfei.detectors import DETECTORS
from konterfei.landmarkers import LANDMARKERS
from konterfei.recognizers import RECOGNIZERS
from konterfei.stages._settings import allow, report_beside


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """Measure a swap: identity, expression, steadiness; draw the report picture."""

    video: Path
    """The merged video, or the folder or pattern of the merged pictures."""
    faces: Path
    """Faceset of the video that received the face (dst)."""
    src: Path
    """Faceset of the person whose face was used (src)."""
    plate: Path | None = None
    """The video, or the folder or pattern of pictures, that received the face, unchanged; pictures have the frame rate
    that their faces were extracted with. Default: the one that the dst faceset names."""
    output: Path | None = None
    """Picture to write, .png or .jpg; the figures go beside it as .json. Default: NAME.report.jpg beside NAME.mp4."""
    every_nth: int | None = None
    """Measures three neighbouring frames out of every n; 1 to 3 = all. Default: as many as about 240 frames take."""
    detector: Annotated[str, DETECTORS] = "yunet"
    """Says whether the result shows a face at all."""
    landmarker: Annotated[str, LANDMARKERS] = "mesh478"
    """Finds the points of the faces, in plate and result alike."""
    recognizer: Annotated[str, RECOGNIZERS] = "mobilefacenet"
    """Tells people apart; the one that the facesets were made with."""
    threads: int = 0
    """Threads of each network; 0 = one per core. The networks take turns; videos are decoded on two more threads."""

    def __post_init__(self) -> None:
        allow("--every-nth", self.every_nth, self.every_nth is None or self.every_nth >= 1, "1 or more")
        allow("--threads", self.threads, self.threads >= 0, "0 or more")
        is_picture = self.picture.suffix.lower() in (".png", ".jpg", ".jpeg")
        allow("--output", f"'{self.output}'", is_picture, "a picture, .png or .jpg")
        for table, name in ((DETECTORS, self.detector), (LANDMARKERS, self.landmarker), (RECOGNIZERS, self.recognizer)):
            table[name]  # raises with the nearest names

    @property
    def picture(self) -> Path:
        """Where the report picture goes."""
        return self.output or report_beside(self.video)

    @property
    def report(self) -> Path:
        """Where the figures go."""
        return self.picture.with_suffix(".json")
