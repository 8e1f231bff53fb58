"""The first pass of extract: every face of every frame, into a journal, block by block."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from itertools import chain, islice
from typing import cast

from konterfei.detectors import DETECTORS, Detector
from konterfei.detectors.second_opinion import SecondOpinion
from konterfei.landmarkers import LANDMARKERS, Landmarker
from konterfei.landmarkers.averaged import Averaged
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter
from konterfei.stages._extract_plate import Plate, ahead, images_of
from konterfei.stages._extract_settings import ExtractConfig, Looking, threshold_of
from konterfei.tracking.finder import FLOOR_SCORE, Finder, FinderSettings
from konterfei.tracking.journal import Journal

SECOND = ("centerface", "yunet")
"""Detector that gives a second opinion; the other one where it is the first already."""
BLOCK = 64
"""Frames from one line of the journal to the next: what a kill can cost, about 2 s of video."""


def analyse(plate: Plate, config: ExtractConfig, journal: Journal, reporter: Reporter) -> None:
    """Finds every face of every wanted frame of `plate`, from where the journal ends."""
    analysis = journal.analysis
    if analysis.is_whole:
        return
    if analysis.frames:
        reporter.note(f"Going on at frame {analysis.next_index}: {len(analysis.frames)} frames were analysed before.")
    finder = finder_of(config)
    reader = plate.open(analysis.next_index, swift=not (config.thorough or config.passes == 2))
    reporter.start("finding faces", min(reader.info.num_frames, plate.wanted.stop))
    with closing(ahead(reader)) as frames:
        wanted = (frame for frame in frames if frame.index in plate.wanted)
        while first := next(wanted, None):
            indices: list[int] = []
            pts: list[Fraction] = []
            images = images_of(chain([first], islice(wanted, BLOCK - 1)), indices, pts, reporter)
            found, state = finder.find(images, analysis.state)
            journal.add(indices, pts, found, state, indices[-1] + 1)
    journal.finish(reader.lost)
    reporter.finish()


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
