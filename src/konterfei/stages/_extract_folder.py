"""The folder that extract fills: what it is made from, whether it may be replaced, and how.

A forced extraction works in a folder within the folder, `.new`, so that the old faces stay until the new ones are all
there. Then the old go and the new take their place: a list of those that go is written first, and whoever finds it
goes on with it, so a kill in between costs nothing. Until it is over there is no header, and no other stage takes half
of the one and half of the other for a faceset.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from konterfei.errors import DamagedFileError, FacesetError, OutputError
from konterfei.io.atomic import make_folder, output_error, sync, write_json
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_files import HEADER_NAME, REPLACEMENT_NAME, writer_lock
from konterfei.io.faceset_order import ORDER_NAME, SHEET_NAME
from konterfei.io.manifest import Manifest, input_record
from konterfei.io.video import open_frames
from konterfei.stages._extract_corrections import STORED_NAME
from konterfei.stages._extract_inputs import KEY, Input, is_alone, known_inputs

JOURNALS = "analysis*.jsonl"
"""Names of the journals: one of one film, one for each of several inputs."""
PEOPLE = ("person", "like")
"""Inputs that are pictures of a person."""
_OF_ONE_FILM = ("fps", "hdr_crops")
"""Settings that are noted where an extraction has but one film."""
_LEAVING = "leaving.json"
"""Names of the old crops that no new one takes the place of. Where it lies in the replacement, all of that is whole."""
_OF_OLD_CROPS = (ORDER_NAME, SHEET_NAME)
"""What was made of the old crops and is not true of the new ones."""


def new_manifest(
    inputs: Sequence[Input], pictures: Mapping[str, Path], settings: Mapping[str, Any], before: Manifest | None
) -> Manifest:
    """What an extraction is made from, and how.

    Args:
        inputs: films and loose pictures.
        pictures: reference pictures of people: "person", "like".
        settings: name to plain value.
        before: the manifest in the folder; hashes of unchanged files are taken over from it, and what it knows of the
            output is kept.

    Raises:
        UnreadableMediaError: an input is missing or none.
    """
    known = known_inputs(before)
    noted = {}
    for one in inputs:
        if one.plate is not None:
            open_frames(one.path).close()  # refuses what it cannot read, in words
        key = "video" if is_alone(inputs) else KEY + one.name
        noted[key] = one.record(known.get(KEY + one.name))
    for name, picture in pictures.items():
        noted[name] = input_record(picture, before.inputs.get(name) if before else None)
    versions = {"konterfei": version("konterfei")}
    output = dict(before.output) if before is not None else {}
    return Manifest(stage="extract", inputs=noted, settings=dict(settings), versions=versions, output=output)


def growth(before: Manifest, manifest: Manifest, journals: Mapping[str, set[str]]) -> list[str] | None:
    """Names of the inputs that `manifest` has more than `before`, or more pictures of; None where more is different.

    Args:
        before: of what lies in the folder.
        manifest: of what is wanted.
        journals: of each input of loose pictures: those looked at before that are not there now, as they were.
    """
    old, new = known_inputs(before), known_inputs(manifest)
    mine, theirs = (
        Manifest(
            stage="extract",
            settings={name: value for name, value in one.settings.items() if name not in _OF_ONE_FILM},
            inputs={key: record for key, record in one.inputs.items() if key in PEOPLE},
        )
        for one in (manifest, before)
    )
    rates = [one.settings["fps"] for one in (manifest, before) if "fps" in one.settings]
    if mine.differs_from(theirs) or len(set(rates)) > 1 or set(old) - set(new):
        return None
    more = []
    for key, record in new.items():
        name = key.removeprefix(KEY)
        if key not in old:
            more.append(name)
        elif record["sha256"] != old[key]["sha256"]:
            if "pictures" not in record or "pictures" not in old[key] or journals.get(name):
                return None
            more.append(name)
    return more


def has_crops(folder: Path) -> bool:
    """Whether an extraction got so far that there are crops."""
    return (folder / HEADER_NAME).exists()


def refuse_other(folder: Path, before: Manifest | None, manifest: Manifest) -> None:
    """Raise OutputError where the folder holds crops of another extraction, or of something else."""
    changes = [] if before is None else manifest.differs_from(before)
    if before is None and has_crops(folder):
        changes = ["it was not made by extract"]
    if changes and has_crops(folder):
        raise OutputError(
            f"'{folder}' holds other faces: {'; '.join(changes)}. Choose another folder, or --force to replace them."
        )


def begin_replacement(folder: Path, manifest: Manifest, journals: Sequence[str]) -> None:
    """Make REPLACEMENT_NAME ready for the new crops of `folder`, whose old ones stay as they are.

    What a stopped attempt at the same has left in it is gone on with. The old journals are taken over: their own
    headers say what they are good for.

    Args:
        folder: a faceset.
        manifest: of the extraction that is wanted.
        journals: names of its journals.

    Raises:
        FacesetError: another process is at the same.
        OutputError: no permission, no space.
    """
    place = make_folder(folder / REPLACEMENT_NAME)
    try:
        before = Manifest.load(place)
    except DamagedFileError:
        before = None
    if has_crops(place) and (before is None or manifest.differs_from(before)):
        with writer_lock(place):
            _remove(place, [*_crops(place), HEADER_NAME])
    for name in journals:
        old, new = folder / name, place / name
        if old.exists() and not new.exists():
            try:
                shutil.copyfile(old, new)  # one that is cut off by a kill is a shorter journal
            except OSError as error:
                raise output_error(new, error) from error


def replace_crops(folder: Path) -> None:
    """Put what `begin_replacement` began, and is whole now, in the place of the old crops.

    Raises:
        FacesetError: another process is adding faces.
        OutputError: no permission, no space.
    """
    place = folder / REPLACEMENT_NAME
    coming = {path.name for path in (*place.glob("*.jpg"), *place.glob(JOURNALS))}
    there = {*_crops(folder), *(path.name for path in folder.glob(JOURNALS))}
    write_json(place / _LEAVING, sorted({*(there - coming), *_OF_OLD_CROPS}))
    finish_replacing(folder)


def finish_replacing(folder: Path) -> None:
    """Go on with a `replace_crops` that was killed; does nothing where none was.

    Raises:
        FacesetError, OutputError: as there.
    """
    place = folder / REPLACEMENT_NAME
    if not (place / _LEAVING).exists():
        return
    with writer_lock(folder):
        try:
            if (place / HEADER_NAME).exists():  # else all of it has come already
                (folder / HEADER_NAME).unlink(missing_ok=True)
            _remove(folder, json.loads((place / _LEAVING).read_text("utf-8")))
            crops = sorted(path.name for path in place.glob("*.jpg"))
            journals = sorted(path.name for path in place.glob(JOURNALS))
            for name in (*crops, *journals, Manifest.file_for(folder).name, HEADER_NAME):  # the header comes last
                if name == HEADER_NAME:
                    with suppress(OSError):  # some network disks cannot sync folders
                        sync(folder)
                with suppress(FileNotFoundError):  # it came before the kill
                    os.replace(place / name, folder / name)  # noqa: PTH105  (tests replace os.replace)
        except OSError as error:
            raise output_error(folder, error) from error
        shutil.rmtree(place, ignore_errors=True)


def drop_replacement(folder: Path) -> None:
    """Take away what a forced extraction that was given up has left."""
    shutil.rmtree(folder / REPLACEMENT_NAME, ignore_errors=True)


def _crops(folder: Path) -> list[str]:
    """Names of the faceset's crops; pictures of a person's own that lie there are none."""
    try:
        with Faceset.open(folder, allow_empty=True) as faceset:
            return [*faceset.names(), *faceset.duplicates]
    except FacesetError:  # of another version, or damaged: what an extraction has named is its own
        return [path.name for path in folder.glob("[0-9]*_[0-9]*.jpg")]


def forget(folder: Path) -> None:
    """Leaves nothing of an extraction that found nothing; the folder goes too, when nothing else is in it."""
    journals = [path.name for path in folder.glob(JOURNALS)]
    _remove(folder, [*journals, Manifest.file_for(folder).name, STORED_NAME])
    if not any(folder.iterdir()):
        folder.rmdir()


def _remove(folder: Path, names: list[str]) -> None:
    try:
        for name in names:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
