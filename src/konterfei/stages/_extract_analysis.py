"""The first pass of extract: every face of every frame, into a journal, block by block."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from itertools import chain, islice

from konterfei.detectors import DETECTORS
from konterfei.landmarkers import LANDMARKERS
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter
from konterfei.stages._extract_plate import Plate, ahead, images_of
from konterfei.stages._extract_settings import ExtractConfig, threshold_of
from konterfei.tracking.finder import FLOOR_SCORE, Finder, FinderSettings
from konterfei.tracking.journal import Journal

BLOCK = 64
"""Frames from one line of the journal to the next: what a kill can cost, about 2 s of video."""


def analyse(plate: Plate, config: ExtractConfig, journal: Journal, reporter: Reporter) -> None:
    """Finds every face of every wanted frame of `plate`, from where the journal ends."""
    analysis = journal.analysis
    if analysis.is_whole:
        return
    if analysis.frames:
        reporter.note(f"Going on at frame {analysis.next_index}: {len(analysis.frames)} frames were analysed before.")
    settings = FinderSettings(
        threshold=threshold_of(config), detect_every=config.detect_every, smallest=float(config.smallest)
    )
    finder = Finder(
        DETECTORS.load(config.detector)(threads=config.threads, threshold=min(FLOOR_SCORE, settings.threshold)),
        LANDMARKERS.load(config.landmarker)(threads=config.threads),
        RECOGNIZERS.load(config.recognizer)(threads=config.threads),
        settings,
    )
    reader = plate.open(analysis.next_index, swift=True)
    reporter.start("finding faces", reader.info.num_frames)
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
