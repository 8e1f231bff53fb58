"""What an extraction can be told, and which of it each pass depends on."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from konterfei.detectors import DETECTORS
from konterfei.errors import ConfigError
from konterfei.geometry import FaceType
from konterfei.io.sequence import USUAL_FPS, frame_rate
from konterfei.io.video import is_sequence, look
from konterfei.landmarkers import LANDMARKERS
from konterfei.recognizers import RECOGNIZERS
from konterfei.stages._extract_plate import DEINTERLACE, Plate, look_of
from konterfei.stages._settings import allow, parse_frames, parse_range

ALL = "all"
"""In the place of a person: everybody."""
USUAL_QUALITY = 95
"""Of the crops' JPEG."""
SIZES = (128, 256, 384, 512, 768, 1024)
"""Sides that --size 0 chooses from."""


@dataclass(frozen=True, kw_only=True)
class Basics:
    """What goes in, and what comes out."""

    video: Path
    """Video to look at, or a folder or pattern (shot.%06d.png) of pictures: frames of one size, or photographs."""
    more: tuple[Path, ...] = ()
    """Further videos, folders of pictures and pictures, for one faceset of them all. The same command with still more
    adds their faces; what was done before is kept."""
    output: Path
    """Folder of the faceset; made when missing. The same command on it goes on where it was stopped."""
    face_type: Annotated[str, FaceType] = "whole"
    """How much of the head the crops cover: half, mid_full, full, whole or head."""
    size: int = 256
    """Side of the crops in pixels. More than the face has in the video gains nothing. 0 = as the faces have: the next
    of 128, 256, 384, 512, 768 and 1024 above nine tenths of them."""
    quality: int = USUAL_QUALITY
    """Of the crops' JPEG, 1 to 100. 95 cannot be told from the frame; 100 takes twice the space."""
    range: str | None = None
    """Only these frames of each video, START:END without END: 250:500, 12s:30s or 00:01:05-00:01:20."""
    every_nth: int = 1
    """Looks at every n-th frame only. 1 for a video that is to be changed; 2 to 5 for long material to learn from."""
    every: float | None = None
    """The same in seconds from one frame to the next: 0.5 looks at two frames a second."""
    pictures: Literal["auto", "film", "loose"] = "auto"
    """What a folder of pictures is. film = the frames of one, numbered and of one size: faces are followed from one to
    the next. loose = photographs of any size and kind, each for itself. auto = by names, sizes and camera data."""
    fps: str = USUAL_FPS
    """Frames per second of pictures; 25, 23.976 or 30000/1001. Videos have their own."""
    deinterlace: str | None = None
    """What to do with an interlaced video: bwdif (make whole pictures of its fields) or off (take frames as they are).
    Merge reads the video in the same way."""
    processes: int = 1
    """Processes that look for faces at once in a video of more than 2,048 frames; what they find is the same. They
    share the processors, and each takes about 300 MB: worth while from four processors on."""
    smoothing: float = 1.0
    """Calms landmarks over time: 0 = raw; 1 = removes what is noise; 3 = removes slight expression too."""
    debug: Path | None = None
    """Draws what was found: a video (.mp4, .mkv, .mov), or a folder of pictures. Box, points, square of the crop, where
    the head points, track, person, score; and, in red, frames without a face."""
    force: bool = False
    """Replaces what an extraction with other settings left in the folder, once the new faces are all there."""

    @property
    def videos(self) -> tuple[Path, ...]:
        """All inputs, in order."""
        return (self.video, *self.more)


@dataclass(frozen=True, kw_only=True)
class Looking:
    """How faces are found."""

    heading: ClassVar[str] = "How faces are found"

    detector: Annotated[str, DETECTORS] = "yunet"
    """Finds faces. centerface is ten times slower and surer in hard light and of tilted faces."""
    threshold: float | None = None
    """Detector's score from which on something is a face, 0 to 1. Default: the detector's own."""
    detect_every: int = 8
    """Frames from one look of the detector to the next; between, faces are followed. 1 = every frame, slow."""
    attitudes: Literal["any", "upright"] = "any"
    """any = where it matters (a new scene, nobody found) the detector looks at the frame in four turns, so that people
    who lie or hang are found too. upright = it does not: saves time where everybody stands or sits."""
    smallest: int = 24
    """Faces less high than this many pixels are left alone."""
    landmarker: Annotated[str, LANDMARKERS] = "mesh478"
    """Finds the points of a face."""
    passes: int = 1
    """2 = each face is looked at five more times, each time shifted a little, and the points are averaged: 20 to 40 %
    calmer before smoothing, in twice the time. For loose pictures and --every-nth, which smoothing helps little."""
    thorough: bool = False
    """Takes its time: the detector looks at every frame, --passes 2, and a second detector looks where the first sees
    nobody. Several times slower. For hard footage, or for a few frames with --redo."""
    recognizer: Annotated[str, RECOGNIZERS] = "mobilefacenet"
    """Tells people apart."""
    threads: int = 0
    """Threads of the detector, and faces of a frame that are looked at at once; 0 = one per core. The video is decoded
    on another thread."""

    def _check_looking(self) -> None:
        allow("--threshold", self.threshold, self.threshold is None or 0 < self.threshold < 1, "between 0 and 1")
        allow("--detect-every", self.detect_every, 1 <= self.detect_every <= 64, "1 to 64")
        allow("--attitudes", self.attitudes, self.attitudes in ("any", "upright"), "any, upright")
        allow("--smallest", self.smallest, self.smallest >= 8, "8 or more")
        allow("--passes", self.passes, self.passes in (1, 2), "1 or 2")
        allow("--threads", self.threads, self.threads >= 0, "0 or more")
        for table, name in ((DETECTORS, self.detector), (LANDMARKERS, self.landmarker), (RECOGNIZERS, self.recognizer)):
            table[name]  # raises with the nearest names


@dataclass(frozen=True, kw_only=True)
class Choosing:
    """Which of the faces found are kept."""

    heading: ClassVar[str] = "Which faces are kept"

    person: str | None = None
    """Who, when there are several people: a number (0 = most often seen), a picture of that person, several numbers
    (0,2), or all. Several people in one faceset are for a merge that gives each a face of their own, or for konterfei
    people, which tells who is who over several facesets with numbers of its own. Default: 0."""
    like: Path | None = None
    """Keeps every track (a face followed without a gap) that resembles this picture, however people were told apart:
    for when one person was taken for two, or two for one. In the place of --person."""
    similarity: float | None = None
    """How much, with --like: cosine of the embeddings, 0 to 1. Higher keeps fewer. Default: the recognizer's own."""
    max_faces: int = 0
    """Faces kept in each frame, the largest first; 0 = all. Counted among those that --person or --like chose."""
    min_score: float = 0.0
    """Leaves out faces whose last look of the detector gave less, 0 to 1: profiles and blurred ones go first."""
    area_limit: float = 0.0
    """Leaves out faces whose crop covers more than this many times the area of the bounds of their points: points that
    collapsed onto a line. 4 is DeepFaceLab's number; faces from the front have 2 in full crops. As there, only for
    half, mid_full and full crops. 0 = no such test."""

    def _check_choosing(self) -> None:
        allow("--similarity", self.similarity, self.similarity is None or 0 < self.similarity < 1, "between 0 and 1")
        allow("--max-faces", self.max_faces, self.max_faces >= 0, "0 (all) or more")
        allow("--min-score", self.min_score, 0 <= self.min_score < 1, "0 to 1")
        allow("--area-limit", self.area_limit, self.area_limit == 0 or self.area_limit > 1, "0 (none), or above 1")
        if self.similarity is not None and self.like is None:
            raise ConfigError("--similarity goes with --like PICTURE. Add it, or leave --similarity out.")
        if self.like is not None:
            if self.person is not None:
                raise ConfigError("--like and --person both say who. Leave one of them out.")
            if not self.like.is_file():
                raise ConfigError(f"--like is '{self.like}': there is no such picture. Check the path.")
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


@dataclass(frozen=True, kw_only=True)
class Repairing:
    """What is done over in a faceset that is there."""

    heading: ClassVar[str] = "Repairing a faceset that is there"

    redo: str | None = None
    """Looks at these frames again, thoroughly, and replaces their faces; all other crops stay as they are, byte for
    byte. Frames with commas between, ranges without their end: 120,130:140. --detector, --threshold, --landmarker and
    --smallest say how; everything else is as the faceset was made."""
    fill_missed: bool = False
    """The same for every frame in which no face was found."""
    corrections: Path | None = None
    """JSON file of faces put right by hand (docs/corrections.md): points, boxes, or that there is no face. They count
    for more than what is found, are not smoothed, and are kept in the faceset: --force does not lose them."""
    corrections_template: Path | None = None
    """Writes such a file to begin with: the frames without a face, each with nothing said yet."""

    def _check_repairing(self) -> None:
        if self.redo is not None:
            parse_frames("--redo", self.redo)
        if self.corrections is not None and not self.corrections.is_file():
            raise ConfigError(f"--corrections is '{self.corrections}': there is no such file. Check the path.")


@dataclass(frozen=True, kw_only=True)
class ExtractConfig(Choosing, Looking, Repairing, Basics):
    """Find one person's face in every frame of a video and keep it as a faceset."""

    def __post_init__(self) -> None:
        self._check_looking()
        self._check_choosing()
        self._check_repairing()
        allow("--face-type", self.face_type, self.face_type in set(FaceType), ", ".join(FaceType))
        allow("--size", self.size, self.size == 0 or 32 <= self.size <= 2048, "0 (as the faces have) or 32 to 2048")
        allow("--quality", self.quality, 1 <= self.quality <= 100, "1 to 100")
        allow("--every-nth", self.every_nth, self.every_nth >= 1, "1 or more")
        allow("--every", self.every, self.every is None or 0 < self.every <= 86400, "above 0, in seconds")
        allow("--processes", self.processes, self.processes >= 1, "1 or more")
        allow("--smoothing", self.smoothing, 0 <= self.smoothing <= 10, "0 to 10")
        allow("--pictures", self.pictures, self.pictures in ("auto", "film", "loose"), "auto, film, loose")
        parse_range(self.range)
        if self.every is not None and self.every_nth != 1:
            raise ConfigError("--every and --every-nth both say which frames. Leave one of them out.")
        frame_rate(self.fps)
        known = self.deinterlace is None or self.deinterlace in DEINTERLACE
        allow("--deinterlace", self.deinterlace, known, ", ".join(DEINTERLACE))
        if self.output.absolute() in {path.absolute() for path in self.videos}:
            raise ConfigError(f"--output is the folder of pictures itself, '{self.output}'. Choose another folder.")


def plate_of(config: ExtractConfig, path: Path) -> Plate:
    """One input that is read as a film, with the frames that are wanted of it.

    Raises:
        UnreadableMediaError: it cannot be read.
    """
    start, stop, step = 0, None, config.every_nth
    if config.range is not None or config.every is not None:
        fps = look(path, frame_rate(config.fps)).fps
        start, stop = parse_range(config.range, fps)
        if config.every is not None:
            step = max(1, round(Fraction(config.every) * fps))
    first = -(-start // step) * step  # every n-th is counted from the first frame of the video
    wanted = range(first, sys.maxsize if stop is None else stop, step)
    return Plate(path=path, fps=config.fps, deinterlace=config.deinterlace, wanted=wanted)


def settings_of(config: ExtractConfig, plate: Plate | None) -> dict[str, Any]:
    """All settings that the result depends on. Those that are as usual and came later are not named.

    Args:
        config: the extraction.
        plate: its input, where it has but one and that is a film.
    """
    with_step = {} if config.every is None else {"every": config.every, "every_nth": config.every_nth}
    return {
        **(looking_of(config) if plate is None else finding_of(config, plate)),
        **({"every_nth": config.every_nth} if plate is None else {}),
        **with_step,
        **({"range": config.range} if config.range is not None else {}),
        "person": "picture" if config.picture else config.person,
        "face_type": config.face_type,
        "size": config.size,
        "smoothing": config.smoothing,
        **({"quality": config.quality} if config.quality != USUAL_QUALITY else {}),
        **({"similarity": config.similarity} if config.similarity is not None else {}),
        **({"max_faces": config.max_faces} if config.max_faces else {}),
        **({"min_score": config.min_score} if config.min_score else {}),
        **({"area_limit": config.area_limit} if config.area_limit else {}),
        **({"deinterlace": config.deinterlace} if config.deinterlace else {}),
    }


def looking_of(config: Looking) -> dict[str, Any]:
    """How faces are found: what the first pass of any input depends on."""
    return {
        "detector": config.detector,
        "threshold": threshold_of(config),
        "detect_every": 1 if config.thorough else config.detect_every,
        "landmarker": config.landmarker,
        "recognizer": config.recognizer,
        "smallest": config.smallest,
        **({"attitudes": config.attitudes} if config.attitudes != "any" else {}),
        **({"passes": 2} if config.passes == 2 and not config.thorough else {}),
        **({"thorough": True} if config.thorough else {}),
    }


def finding_of(config: ExtractConfig, plate: Plate) -> dict[str, Any]:
    """The settings that the first pass of one film depends on."""
    wanted = plate.wanted
    is_part = wanted.start > 0 or wanted.stop < sys.maxsize
    return {
        **looking_of(config),
        "every_nth": wanted.step,
        **({"range": [wanted.start, wanted.stop]} if is_part else {}),
        **({"fps": str(frame_rate(config.fps))} if is_sequence(plate.path) else {}),  # the times hang on it
        **({"deinterlace": plate.deinterlace} if plate.deinterlace else {}),
        **({"hdr_crops": "as SDR"} if look_of(plate.path) else {}),
    }


def threshold_of(config: Looking) -> float:
    """The score that a face must have: the one given, or the detector's own."""
    return config.threshold if config.threshold is not None else DETECTORS.load(config.detector).usual_threshold
