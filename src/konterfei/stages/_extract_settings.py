"""What an extraction can be told, and which of it each pass depends on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from konterfei.detectors import DETECTORS
from konterfei.errors import ConfigError
from konterfei.geometry import FaceType
from konterfei.io.sequence import USUAL_FPS, frame_rate
from konterfei.io.video import is_sequence
from konterfei.landmarkers import LANDMARKERS
from konterfei.recognizers import RECOGNIZERS
from konterfei.stages._extract_plate import DEINTERLACE, look_of
from konterfei.stages._settings import allow

ALL = "all"
"""In the place of a person: everybody."""


@dataclass(frozen=True, kw_only=True)
class ExtractConfig:
    """Find one person's face in every frame of a video and keep it as a faceset."""

    video: Path
    """Video to look at, or a folder or pattern (shot.%06d.png) of pictures that are its frames, all of one size."""
    output: Path
    """Folder of the faceset; made when missing. The same command on it goes on where it was stopped."""
    face_type: Annotated[str, FaceType] = "whole"
    """How much of the head the crops cover: half, mid_full, full, whole or head."""
    size: int = 256
    """Side of the crops in pixels. More than the face has in the video gains nothing."""
    person: str | None = None
    """Who, when there are several people: a number (0 = most often seen), a picture of that person, several numbers
    (0,2), or all. Several people in one faceset are for a merge that gives each a face of their own. Default: 0."""
    fps: str = USUAL_FPS
    """Frames per second of pictures; 25, 23.976 or 30000/1001. Videos have their own."""
    deinterlace: str | None = None
    """What to do with an interlaced video: bwdif (make whole pictures of its fields) or off (take frames as they are).
    Merge reads the video in the same way."""
    every_nth: int = 1
    """Looks at every n-th frame only. 1 for a video that is to be changed; 2 to 5 for long material to learn from."""
    detector: Annotated[str, DETECTORS] = "yunet"
    """Finds faces. centerface is ten times slower and surer in hard light and of tilted faces."""
    threshold: float | None = None
    """Detector's score from which on something is a face, 0 to 1. Default: the detector's own."""
    detect_every: int = 8
    """Frames from one look of the detector to the next; between, faces are followed. 1 = every frame, slow."""
    landmarker: Annotated[str, LANDMARKERS] = "mesh478"
    """Finds the points of a face."""
    recognizer: Annotated[str, RECOGNIZERS] = "mobilefacenet"
    """Tells people apart."""
    smoothing: float = 1.0
    """Calms landmarks over time: 0 = raw; 1 = removes what is noise; 3 = removes slight expression too."""
    smallest: int = 24
    """Faces less high than this many pixels are left alone."""
    threads: int = 0
    """Threads of each network; 0 = one per core. The networks take turns; the video is decoded on another thread."""
    force: bool = False
    """Replaces what an extraction with other settings left in the folder, once the new faces are all there."""

    def __post_init__(self) -> None:
        allow("--face-type", self.face_type, self.face_type in set(FaceType), ", ".join(FaceType))
        allow("--size", self.size, 32 <= self.size <= 2048, "32 to 2048")
        allow("--every-nth", self.every_nth, self.every_nth >= 1, "1 or more")
        allow("--threshold", self.threshold, self.threshold is None or 0 < self.threshold < 1, "between 0 and 1")
        allow("--detect-every", self.detect_every, 1 <= self.detect_every <= 64, "1 to 64")
        allow("--smoothing", self.smoothing, 0 <= self.smoothing <= 10, "0 to 10")
        allow("--smallest", self.smallest, self.smallest >= 8, "8 or more")
        allow("--threads", self.threads, self.threads >= 0, "0 or more")
        for table, name in ((DETECTORS, self.detector), (LANDMARKERS, self.landmarker), (RECOGNIZERS, self.recognizer)):
            table[name]  # raises with the nearest names
        frame_rate(self.fps)
        known = self.deinterlace is None or self.deinterlace in DEINTERLACE
        allow("--deinterlace", self.deinterlace, known, ", ".join(DEINTERLACE))
        if self.video.absolute() == self.output.absolute():
            raise ConfigError(f"--output is the folder of pictures itself, '{self.video}'. Choose another folder.")
        picture = self.picture
        if picture is not None and not picture.is_file():
            raise ConfigError(f"--person is '{picture}': neither a number, nor all, nor a picture that exists.")

    @property
    def picture(self) -> Path | None:
        """The reference picture, when `person` is one."""
        if self.person is None or self.person == ALL or self.numbers:
            return None
        return Path(self.person)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The people asked for by number; empty where they are asked for otherwise."""
        parts = [part.strip() for part in (self.person or "").split(",")]
        return tuple(sorted(map(int, {*parts}))) if all(map(str.isdecimal, parts)) else ()


def settings_of(config: ExtractConfig) -> dict[str, Any]:
    """All settings that the result depends on."""
    return {
        **finding_of(config),
        "person": "picture" if config.picture else config.person,
        "face_type": config.face_type,
        "size": config.size,
        "smoothing": config.smoothing,
    }


def finding_of(config: ExtractConfig) -> dict[str, Any]:
    """The settings that the first pass depends on."""
    return {
        "detector": config.detector,
        "threshold": threshold_of(config),
        "detect_every": config.detect_every,
        "landmarker": config.landmarker,
        "recognizer": config.recognizer,
        "smallest": config.smallest,
        "every_nth": config.every_nth,
        **({"fps": str(frame_rate(config.fps))} if is_sequence(config.video) else {}),  # the times hang on it
        **({"deinterlace": config.deinterlace} if config.deinterlace else {}),
        **({"hdr_crops": "as SDR"} if look_of(config.video) else {}),
    }


def threshold_of(config: ExtractConfig) -> float:
    """The score that a face must have: the one given, or the detector's own."""
    return config.threshold if config.threshold is not None else DETECTORS.load(config.detector).usual_threshold
