"""The first pass of extract: every face of every frame, into a journal, block by block."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import numpy as np
from numpy.typing import NDArray

from konterfei.detectors import DETECTORS, Detector
from konterfei.detectors.second_opinion import SecondOpinion
from konterfei.io.video import Frame
from konterfei.landmarkers import LANDMARKERS, Landmarker
from konterfei.landmarkers.averaged import Averaged
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter
from konterfei.stages._extract_plate import Plate, ahead, images_of
from konterfei.stages._extract_settings import Looking, threshold_of
from konterfei.tracking.finder import FLOOR_SCORE, Finder, FinderSettings, FinderState
from konterfei.tracking.journal import Analysis, Journal

SECOND = ("centerface", "yunet")
"""Detector that gives a second opinion; the other one where it is the first already."""
BLOCK = 64
"""Frames from one line of the journal to the next: what a kill can cost, about 2 s of video."""


SEGMENT = 2048
"""Frames from one new start to the next, about 80 s of video: what one of several processes takes at a time. At a new
start nothing is known of the frames before but the last few, however many processes there are."""
WARM = 8
"""Those few: whoever the detector sees in them is followed across."""


@dataclass(frozen=True)
class Segments:
    """Where the finder starts anew in a film."""

    first: int
    """Index of its first wanted frame."""
    step: int
    """From one wanted frame to the next."""
    frames: int = SEGMENT
    """Wanted frames of each segment."""

    def begin(self, index: int) -> int:
        """Where the segment of that frame begins."""
        span = self.frames * self.step
        return self.first + max(index - self.first, 0) // span * span

    def end(self, index: int) -> int:
        """Where the segment of that frame ends: index of the first one of the next."""
        return self.begin(index) + self.frames * self.step

    def is_begun(self, analysis: Analysis) -> bool:
        """Whether frames of the segment to go on with were analysed already."""
        return bool(analysis.indices) and analysis.indices[-1] >= self.begin(analysis.next_index)


def analyse_span(
    plate: Plate,
    config: Looking,
    segments: Segments,
    journal: Journal,
    reporter: Reporter,
    begin: int = 0,
    stop: int | None = None,
) -> int:
    """Finds every face of every wanted frame from where the journal ends, or from `begin`, up to `stop`.

    Args:
        plate: the film.
        config: how.
        segments: of the film.
        journal: is added to.
        reporter: is told how far it is.
        begin: where a segment begins.
        stop: where one ends; None = the film's end.

    Returns:
        frames that could not be decoded.
    """
    analysis = journal.analysis
    next_index = max(analysis.next_index, begin, plate.wanted.start)
    end = segments.end(next_index) if segments.is_begun(analysis) else segments.begin(next_index)
    start = max(min(next_index, end - WARM * segments.step), plate.wanted.start)
    finder, state = finder_of(config), analysis.state
    reader = plate.open(start, stop, swift=not (config.thorough or config.passes == 2))
    tail: list[NDArray[np.uint8]] = []  # the last frames of a segment
    num_before = 0
    with closing(ahead(reader)) as frames:
        wanted = _Peeking(frame for frame in frames if frame.index in plate.wanted)
        while first := wanted.peek():
            if first.index >= end:
                state = finder.find(tail, FinderState())[1] if tail else FinderState()
                end, tail = segments.end(first.index), []
            if first.index < next_index:
                num_before += 1
                tail += [frame.image for frame in wanted.take(1) if frame.index >= end - WARM * segments.step]
                continue
            indices: list[int] = []
            pts: list[Fraction] = []
            block = images_of(wanted.take(BLOCK, end), indices, pts, reporter)
            found, state = finder.find(_keeping(block, indices, tail, end - WARM * segments.step), state)
            journal.add(indices, pts, found, state, indices[-1] + 1)
    lost_before = len(range(start, next_index, segments.step)) - num_before  # they count in the segment before
    return max(reader.lost - lost_before, 0)


class _Peeking:
    """Frames, of which the next one can be looked at before it is taken."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames
        self._next: Frame | None = None

    def peek(self) -> Frame | None:
        """The next frame, None at the end."""
        if self._next is None:
            self._next = next(self._frames, None)
        return self._next

    def take(self, most: int, end: int = sys.maxsize) -> Iterator[Frame]:
        """The next frames: so many, or up to the index `end`."""
        for _ in range(most):
            frame = self.peek()
            if frame is None or frame.index >= end:
                return
            self._next = None
            yield frame


def _keeping(
    images: Iterator[NDArray[np.uint8]], indices: list[int], tail: list[NDArray[np.uint8]], first: int
) -> Iterator[NDArray[np.uint8]]:
    """The images; those of frames from `first` on are kept in `tail`."""
    for image in images:
        if indices[-1] >= first:
            tail.append(image)
        yield image


def finder_of(config: Looking) -> Finder:
    """The networks that find faces, as the settings ask for them."""
    detector = detector_of(config)
    landmarker = LANDMARKERS.load(config.landmarker)(threads=config.threads)
    settings = FinderSettings(
        threshold=threshold_of(config),
        detect_every=1 if config.thorough else config.detect_every,
        smallest=float(config.smallest),
        turned=config.attitudes == "any",
    )
    return Finder(
        detector,
        cast(Landmarker, Averaged(landmarker)) if config.thorough or config.passes == 2 else landmarker,
        RECOGNIZERS.load(config.recognizer)(threads=config.threads),
        settings,
    )


def detector_of(config: Looking) -> Detector:
    """The detector; with --thorough two, of which the second is asked where the first sees nobody."""
    threshold = threshold_of(config)
    first: Detector = DETECTORS.load(config.detector)(threads=config.threads, threshold=min(FLOOR_SCORE, threshold))
    if not config.thorough:
        return first
    other = DETECTORS.load(SECOND[config.detector == SECOND[0]])
    second = other(threads=config.threads, threshold=min(FLOOR_SCORE, other.usual_threshold))
    return cast(Detector, SecondOpinion(first, second, threshold))
