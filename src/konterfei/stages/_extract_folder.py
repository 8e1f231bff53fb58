"""The folder that extract fills: what it is made from, whether it may be replaced, how it is emptied."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from konterfei.errors import FacesetError, OutputError
from konterfei.io.atomic import output_error
from konterfei.io.faceset import HEADER_NAME, Faceset
from konterfei.io.manifest import Manifest, input_record
from konterfei.io.video import open_frames

JOURNAL_NAME = "analysis.jsonl"


def new_manifest(video: Path, picture: Path | None, settings: Mapping[str, Any], before: Manifest | None) -> Manifest:
    """What an extraction is made from, and how.

    Args:
        video: a video, or a folder or pattern of images.
        picture: reference picture of the person, if one was given.
        settings: name to plain value.
        before: the manifest in the folder; hashes of unchanged files are taken over from it.

    Raises:
        UnreadableMediaError: the video is missing or none.
    """
    known = before.inputs if before is not None else {}
    open_frames(video).close()  # refuses what it cannot read, in words
    inputs = {"video": input_record(video, known.get("video"))}
    if picture is not None:
        inputs["person"] = input_record(picture, known.get("person"))
    versions = {"konterfei": version("konterfei")}
    return Manifest(stage="extract", inputs=inputs, settings=dict(settings), versions=versions)


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


def clear(folder: Path) -> None:
    """Takes away the crops that are there. The journal stays: its own header says what it is good for."""
    if not has_crops(folder):
        return
    try:
        with Faceset.open(folder, allow_empty=True) as faceset:
            names = faceset.names()
    except FacesetError:  # of another version, or damaged: what an extraction has named is its own
        names = [path.name for path in folder.glob("[0-9]*_[0-9]*.jpg")]
    _remove(folder, [*names, HEADER_NAME])


def forget(folder: Path) -> None:
    """Leaves nothing of an extraction that found nothing; the folder goes too, when nothing else is in it."""
    _remove(folder, [JOURNAL_NAME, Manifest.file_for(folder).name])
    if not any(folder.iterdir()):
        folder.rmdir()


def _remove(folder: Path, names: list[str]) -> None:
    try:
        for name in names:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
