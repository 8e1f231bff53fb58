"""The walk over a plate and the renders made from it, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.detectors import DETECTORS
from konterfei.errors import ConfigError, NoFacesError
from konterfei.geometry import Face
from konterfei.io.sequence import USUAL_FPS, frame_rate
from konterfei.io.video import Frame, is_sequence, open_frames, read_ahead
from konterfei.landmarkers import LANDMARKERS
from konterfei.metrics.observation import Eyes, Observer, crop_size
from konterfei.provenance.label import label_region, wording
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter, check
from konterfei.stages._evaluate_inputs import Render
from konterfei.stages._evaluate_settings import NOBODY, EvaluateConfig

Array = NDArray[Any]
Region = tuple[slice, slice]
Also = Callable[[int, Sequence[NDArray[np.uint8]]], None]
"""Is shown each frame in which somebody is measured: its number; the plate and the renders."""

MOST_DRIFT = Fraction(1, 2)
"""Seconds that a frame of the result may be shown away from the plate's; more, and it is another video."""
MOST_BYTES = 2_000_000_000
"""Of all crops together: with more frames they are cut smaller."""
NO_LABEL = "none"
LEAST_COVERED = 0.02
"""Share of the box around a face's points that a label may cover, before the figures are the label's."""
SMALLEST = 96
"""Side of the smallest crops that can be measured, px."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Watched:
    """One person who is looked at.

    Attributes:
        faces: where, in each frame that is wanted.
        side: of the crops, px.
    """

    faces: Mapping[int, Face]
    side: int


def eyes_for(config: EvaluateConfig) -> Eyes:
    """The networks that look."""
    return Eyes(
        DETECTORS.load(config.detector)(threads=config.threads),
        LANDMARKERS.load(config.landmarker)(threads=config.threads),
        RECOGNIZERS.load(config.recognizer)(threads=config.threads),
        None if config.witness == NOBODY else RECOGNIZERS.load(config.witness)(threads=config.threads),
    )


def watched(people: Sequence[Mapping[int, Face]], num_renders: int) -> tuple[list[Watched], int]:
    """How large the crops of each person are cut, and the bytes that all of them take.

    Args:
        people: face of each person, in each frame that is wanted.
        num_renders: looked at beside the plate.

    Raises:
        ConfigError: they are more than can be held.
    """
    layers = 3 * (1 + num_renders) + 4  # the pictures, and a mask of float32
    sides = [crop_size(list(faces.values())) for faces in people]
    needed = _bytes_of(people, sides, layers)
    if needed > MOST_BYTES:
        scale = sqrt(MOST_BYTES / needed)
        sides = [max(SMALLEST, int(side * scale) // 8 * 8) for side in sides]
        needed = _bytes_of(people, sides, layers)
    if needed > 1.1 * MOST_BYTES:
        count = sum(len(faces) for faces in people)
        raise ConfigError(
            f"{count} faces are more than can be held at once ({needed / 1e9:.1f} GB). Measure fewer: a larger "
            "--every-nth, or leave it out."
        )
    return [Watched(faces=faces, side=side) for faces, side in zip(people, sides, strict=True)], needed


def _bytes_of(people: Sequence[Mapping[int, Face]], sides: Sequence[int], layers: int) -> int:
    return 2 * sum(len(faces) * layers * side * side for faces, side in zip(people, sides, strict=True))  # a copy each


def look(
    renders: Sequence[Render],
    plate: Path,
    people: Sequence[Watched],
    eyes: Eyes,
    reporter: Reporter,
    also: Also | None = None,
) -> list[Observer]:
    """What is seen of each person, in plate and renders.

    Args:
        renders: of one plate.
        plate: unchanged.
        people: whom to look at, and in which frames.
        eyes: the networks.
        reporter: told how it goes on.
        also: is shown the same frames.

    Raises:
        ConfigError: a render is not of this plate, or not in step with it.
        NoFacesError: nobody is seen clearly enough.
    """
    observers = [Observer(eyes, person.side, len(renders)) for person in people]
    frames = sorted({index for person in people for index in person.faces})
    others = _swapped_faces(renders, frames)
    reporter.start("looking at plate and result", sum(len(person.faces) for person in people), "faces")
    done = 0
    regions: list[Region] | None = None
    for frame, images in _in_step(renders, plate, frames, reporter):
        regions = regions or regions_of(labels_of(renders), frame.image.shape[1], frame.image.shape[0])
        for person, observer in zip(people, observers, strict=True):
            check(reporter)
            if (face := person.faces.get(frame.index)) is None:
                continue
            beside = [each for each in others[frame.index] if not _is_same(each, face)]
            observer.add(frame.index, frame.image, images, face, others=beside, ignore=regions)
            done += 1
            reporter.advance(done)
        if also is not None:
            also(frame.index, [frame.image, *images])
    reporter.finish()
    if not any(map(len, observers)):
        raise NoFacesError(
            f"None of {done} frames of '{plate}' shows a face clearly enough to be measured (the landmarker is sure of "
            "none). Check that faceset and plate belong together."
        )
    return observers


def _in_step(
    renders: Sequence[Render], plate: Path, wanted: Sequence[int], reporter: Reporter
) -> Iterator[tuple[Frame, list[Array]]]:
    """The wanted frames of the plate, read as its faces were, with those of all renders; up to the first one's end."""
    settings = renders[0].dst.header.settings
    fps, whole = frame_rate(settings.get("fps") or USUAL_FPS), settings.get("deinterlace") == "bwdif"
    start = min(render.span[0] for render in renders)
    theirs = open_frames(plate, start, wanted[-1] + 1, fps=fps, deinterlace=whole)
    size, needed = (theirs.info.width, theirs.info.height), set(wanted)
    with ExitStack() as stack:
        ours = [_Beside(render, plate, size, stack) for render in renders]
        ahead: Any = read_ahead(theirs, 4)
        for frame in stack.enter_context(closing(ahead)):
            found = [each.at(frame) for each in ours if frame.index >= each.first]
            if ended := next((each for each in ours if each.is_ended), None):
                reporter.warn(
                    f"'{ended.path}' ends at frame {frame.index}, before the plate; the rest is not measured."
                )
                return
            images = [image for image in found if image is not None]
            if frame.index in needed and len(images) == len(ours):
                yield frame, images


class _Beside:
    """The frames of one render: its n-th belongs to the n-th of the plate that can be decoded, so the merge wrote them.

    Frames of the render that cannot be decoded are passed over.

    Args:
        render: which.
        plate: that it was made from.
        size: width and height of the plate.
        stack: closes the reader.

    Attributes:
        path: of the render.
        first: frame of the plate that it begins with.
        is_ended: whether there is no further one.
    """

    def __init__(self, render: Render, plate: Path, size: tuple[int, int], stack: ExitStack) -> None:
        self.path, self.first, self.is_ended = render.path, render.span[0], False
        self._plate, self._count = plate, 0
        self._begins: tuple[Fraction, Fraction] | None = None
        frames = open_frames(render.path)
        own = (frames.info.width, frames.info.height)
        if own != size:
            raise ConfigError(
                f"'{render.path}' has {own[0]}x{own[1]} pixels, the plate '{plate}' has {size[0]}x{size[1]}: "
                "it was not made from it. Give the right video with --plate."
            )
        ahead: Any = read_ahead(frames, 4)
        self._frames: Iterator[Frame] = stack.enter_context(closing(ahead))
        self._next = next(self._frames, None)

    def at(self, frame: Frame) -> Array | None:
        """What the render shows at the next frame of the plate; None where that cannot be decoded, or has ended."""
        while self._next is not None and self._next.index < self._count:
            self._next = next(self._frames, None)
        other, self._count = self._next, self._count + 1
        self.is_ended = other is None
        if other is None or other.index != self._count - 1:
            return None
        self._begins = self._begins or (frame.pts, other.pts)
        drift = abs((frame.pts - self._begins[0]) - (other.pts - self._begins[1]))
        if drift > MOST_DRIFT and not is_sequence(self.path):
            raise ConfigError(
                f"'{self.path}' is not in step with the plate '{self._plate}': at frame {frame.index} they are "
                f"{float(drift):.2f} s apart. Give the video that it was made from with --plate."
            )
        return other.image


def labels_of(renders: Sequence[Render]) -> list[tuple[str, str | None]]:
    """Style and words of the visible labels that the renders have, each once; see `provenance.label.label_region`."""
    found: list[tuple[str, str | None]] = []
    for made in (render.made for render in renders if render.made is not None):
        style = str(made.settings.get("label", NO_LABEL))
        words = f"{wording(style)} (PREVIEW)" if made.results.get("is_preview") and style != NO_LABEL else None
        if style != NO_LABEL and (style, words) not in found:
            found.append((style, words))
    return sorted(found, key=str)


def regions_of(labels: Sequence[tuple[str, str | None]], width: int, height: int) -> list[Region]:
    """Rows and columns that labels cover in a frame of this size."""
    found = (label_region(width, height, style, words) for style, words in labels)
    return [region for region in found if region is not None]


def is_covered(face: Face, regions: Sequence[Region]) -> bool:
    """Whether more of a face than its rim lies below one of the `regions`."""
    low, high = face.landmarks.min(axis=0), face.landmarks.max(axis=0)
    for rows, columns in regions:
        width = min(high[0], columns.stop) - max(low[0], columns.start)
        height = min(high[1], rows.stop) - max(low[1], rows.start)
        if width > 0 and height > 0 and width * height > LEAST_COVERED * np.prod(high - low):
            return True
    return False


def _swapped_faces(renders: Sequence[Render], frames: Sequence[int]) -> dict[int, list[Face]]:
    """Every face that was swapped in one of the renders, in each frame."""
    found: dict[int, list[Face]] = {index: [] for index in frames}
    for render in renders:
        for person in render.swapped:
            for record in person.records:
                there = found.get(record.frame_index)
                if there is not None and not any(_is_same(record.face, face) for face in there):
                    there.append(record.face)
    return found


def _is_same(one: Face, other: Face) -> bool:
    return bool(np.abs(one.centre - other.centre).max() < min(one.size, other.size) / 2)
