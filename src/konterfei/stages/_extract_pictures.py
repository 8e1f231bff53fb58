"""Loose pictures: each is looked at for itself, by the same means as the first frame of a film."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from konterfei.errors import UnreadableMediaError
from konterfei.io.atomic import sha256
from konterfei.io.images import read_image
from konterfei.reporting import Reporter, check
from konterfei.stages._extract_analysis import finder_of
from konterfei.stages._extract_inputs import Input
from konterfei.stages._extract_settings import ExtractConfig
from konterfei.tracking.finder import FrameFaces
from konterfei.tracking.journal import Journal

BLOCK = 16
"""Pictures from one line of the journal to the next."""
LEAST_SIDE = 16
"""Pictures with a shorter side show no face, and detectors do not take them."""


def analyse_pictures(given: Input, config: ExtractConfig, journal: Journal, reporter: Reporter) -> dict[str, Path]:
    """Finds the faces of every picture that the journal does not know.

    Returns:
        The pictures that there are now, by "<SHA-256> <name>"; those that cannot be read among them.
    """
    there = {f"{sha256(file)} {file.name}": file for file in given.pictures}
    known = {*journal.analysis.names, *journal.analysis.unreadable}
    due = [(name, file) for name, file in there.items() if name not in known]
    if known and due:
        reporter.note(f"Going on with {len(due)} pictures of {given.path}: {len(known)} were looked at before.")
    if due:
        finder = finder_of(config)
        reporter.start("finding faces", len(there))
        done = len(there) - len(due)
        for start in range(0, len(due), BLOCK):
            names: list[str] = []
            frames: list[FrameFaces] = []
            unreadable: dict[str, str] = {}
            for name, file in due[start : start + BLOCK]:
                check(reporter)
                try:
                    image = read_picture(file)
                except UnreadableMediaError as error:
                    unreadable[name] = str(error)
                else:
                    names.append(name)
                    frames.append(finder.look(image))
                done += 1
                reporter.advance(done)
            journal.add_pictures(names, frames, unreadable)
        reporter.finish()
    for name in there:
        if name in journal.analysis.unreadable:
            reporter.warn(f"Left out: {journal.analysis.unreadable[name]}")
    return there


def read_picture(file: Path) -> NDArray[np.uint8]:
    """A loose picture, upright. [H, W, 3] uint8

    Raises:
        UnreadableMediaError: it cannot be read, or is too small to show a face.
    """
    try:
        image = read_image(file)
    except UnreadableMediaError as error:
        if file.suffix.lower() in (".heic", ".heif") and file.stat().st_size:
            raise UnreadableMediaError(
                f"'{file}' is HEIC, which is not read here. Export it as JPEG or PNG."
            ) from error
        raise
    if min(image.shape[:2]) < LEAST_SIDE:
        raise UnreadableMediaError(f"'{file}' is {image.shape[1]} x {image.shape[0]}: too small to show a face.")
    return np.asarray(image, np.uint8)
