"""The walk over the plate and the results made from it, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from konterfei.detectors import DETECTORS
from konterfei.errors import ConfigError, NoFacesError
from konterfei.geometry import Face
from konterfei.io.faceset import Faceset
from konterfei.io.sequence import USUAL_FPS, frame_rate
from konterfei.io.video import Frame, is_sequence, open_frames, read_ahead
from konterfei.landmarkers import LANDMARKERS
from konterfei.metrics.observation import Eyes, Observer, crop_size
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter, check
from konterfei.stages._evaluate_frames import chosen_frames, span_of
from konterfei.stages._evaluate_settings import EvaluateConfig

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_DRIFT = Fraction(1, 2)
"""Seconds that a frame of the result may be shown away from the plate's; more, and it is another video."""


def _pairs(
    plate: Path, read: Mapping[str, Any], result: Path, span: tuple[int, int], reporter: Reporter
) -> Iterator[tuple[Frame, NDArray[np.uint8]]]:
    """Frames of the plate, read as its faces were (`read`: settings of the faceset), with those of the result."""
    fps, whole = frame_rate(read.get("fps") or USUAL_FPS), read.get("deinterlace") == "bwdif"
    theirs, ours = open_frames(plate, span[0], span[1] + 1, fps=fps, deinterlace=whole), open_frames(result)
    size = (theirs.info.width, theirs.info.height)
    if size != (ours.info.width, ours.info.height):
        raise ConfigError(
            f"'{result}' has {ours.info.width}x{ours.info.height} pixels, the plate '{plate}' has {size[0]}x{size[1]}: "
            "it was not made from it. Give the right video with --plate."
        )
    ahead: tuple[Any, Any] = read_ahead(theirs, 4), read_ahead(ours, 4)
    with closing(ahead[0]) as frames, closing(ahead[1]) as others:
        begins: tuple[Fraction, Fraction] | None = None
        for frame, other in _in_step(frames, others):
            if other is None:
                reporter.warn(f"'{result}' ends at frame {frame.index}, before the plate; the rest is not measured.")
                return
            begins = begins or (frame.pts, other.pts)
            drift = abs((frame.pts - begins[0]) - (other.pts - begins[1]))
            if drift > MOST_DRIFT and not is_sequence(result):
                raise ConfigError(
                    f"'{result}' is not in step with the plate '{plate}': at frame {frame.index} they are "
                    f"{float(drift):.2f} s apart. Give the video that it was made from with --plate."
                )
            yield frame, other.image


def _in_step(frames: Iterator[Frame], others: Iterator[Frame]) -> Iterator[tuple[Frame, Frame | None]]:
    """The n-th frame of the plate that can be decoded with frame n of the result: so the merge wrote them.

    Frames of the result that cannot be decoded are passed over; None when it has ended.
    """
    other = next(others, None)
    for count, frame in enumerate(frames):
        while other is not None and other.index < count:
            other = next(others, None)
        if other is None or other.index == count:
            yield frame, other


def observe(config: EvaluateConfig, plate: Path, dst: Faceset, reporter: Reporter) -> Observer:
    start, stop = span_of(config.video)
    there = [i for i in dst.frame_indices() if i >= start and (stop is None or i < stop)]
    frames = chosen_frames(there, config.every_nth)
    if not frames:
        raise NoFacesError(f"The faceset '{dst.folder}' has no face of '{dst.header.source_name}' in these frames.")
    faces: dict[int, Face] = {}
    for index in frames:
        faces[index] = max((record.face for record in dst.faces_at(index)), key=lambda face: face.size)
    eyes = Eyes(
        DETECTORS.load(config.detector)(threads=config.threads),
        LANDMARKERS.load(config.landmarker)(threads=config.threads),
        RECOGNIZERS.load(config.recognizer)(threads=config.threads),
    )
    observer = Observer(eyes, crop_size(list(faces.values())))
    reporter.start("looking at plate and result", len(frames))
    done = 0
    for frame, image in _pairs(plate, dst.header.settings, config.video, (start, frames[-1]), reporter):
        check(reporter)
        if frame.index in faces:
            observer.add(frame.index, frame.image, [image], faces[frame.index])
            done += 1
            reporter.advance(done)
    reporter.finish()
    if not len(observer):
        raise NoFacesError(
            f"None of {done} frames of '{plate}' shows a face clearly enough to be measured (the landmarker "
            f"'{config.landmarker}' is sure of none). Check that faceset and plate belong together."
        )
    return observer
