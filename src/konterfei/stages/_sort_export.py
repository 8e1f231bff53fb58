"""A folder with the crops of a faceset under numbered names, for file managers: links, no second set of pictures."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Final

from konterfei.errors import ConfigError
from konterfei.io.atomic import make_folder, output_error, replace_folder, translated, write_json
from konterfei.io.faceset import Faceset
from konterfei.reporting import Reporter, check

_LIST: Final = "exported-order.json"
"""Beside the links: what they are of. A folder with anything else in it is not touched."""
_TELL: Final = 200


def refuse_foreign(place: Path, faceset: Path) -> None:
    """Raise ConfigError where `place` is anything else than a folder that is empty, missing, or exported before."""
    if place.resolve() == faceset.resolve() or faceset.resolve().is_relative_to(place.resolve()):
        raise ConfigError(f"--export-order is '{place}', where the faceset itself lies. Choose another folder.")
    if not place.exists():
        return
    if not place.is_dir():
        raise ConfigError(f"--export-order is '{place}', which is a file. Choose another folder.")
    there = {entry.name for entry in place.iterdir()}
    exported = _list_of(place, "files")
    if strange := sorted(there - set(exported) - {_LIST}):
        raise ConfigError(
            f"--export-order is '{place}', which holds other things, such as '{strange[0]}'. Choose an empty folder."
        )
    if gone := [name for name in exported if name not in there and (faceset / name.partition("_")[2]).exists()]:
        raise ConfigError(
            f"{len(gone)} crops were deleted in '{place}' and are still in the faceset. Set them aside first: "
            f"konterfei trash {quote(str(faceset))} --not-in {quote(str(place))}; or remove that folder to keep them."
        )


def export(place: Path, faceset: Faceset, names: Sequence[str], by: str, reporter: Reporter) -> str:
    """Link every crop as 00000_NAME, 00001_NAME...; what was exported there before goes. All of it appears at once.

    Args:
        place: the folder for the links; `refuse_foreign` has nothing against it.
        faceset: whose crops.
        names: of them, in order.
        by: what they are ordered by.
        reporter: is told the progress.

    Returns:
        "linked" or "copied"

    Raises:
        OutputError: it cannot be written.
        Cancelled: asked to stop; nothing has changed.
    """
    digests = faceset.digests()
    digits = max(5, len(str(len(names))))
    numbered = {f"{number:0{digits}d}_{name}": name for number, name in enumerate(names)}
    make_folder(place.parent)
    new = place.with_name(f".{place.name}.konterfei-tmp-{uuid.uuid4().hex[:8]}")
    how = "linked"
    reporter.start("numbering files", len(names), "files")
    try:
        with translated(place, new):
            new.mkdir()
            faces = [digests[name] for name in names if name in digests]
            about = {"by": by, "faceset": str(faceset.folder.absolute()), "files": list(numbered), "faces": faces}
            write_json(new / _LIST, about)
            for done, (number, name) in enumerate(numbered.items()):
                with suppress(FileNotFoundError):  # a person deleted it meanwhile
                    how = _put(faceset.folder / name, new / number, how)
                if done % _TELL == 0:
                    reporter.advance(done)
                    check(reporter)
            replace_folder(new, place)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    reporter.finish()
    return how


def _put(crop: Path, link: Path, how: str) -> str:
    if how == "linked":
        try:
            os.link(crop, link)
            return how
        except FileNotFoundError:
            raise
        except OSError:  # another disk, or one that knows no hard links
            pass
    try:
        shutil.copy2(crop, link)
    except FileNotFoundError:
        raise
    except OSError as error:  # it names the crop that is read, whichever of the two failed
        raise output_error(link, error) from error
    return "copied"


def exported_faces(place: Path) -> set[str]:
    """Digests (`Faceset.digests`) of the crops that were exported to `place`; empty where that is not known."""
    return set(_list_of(place, "faces"))


def _list_of(place: Path, key: str) -> list[str]:
    try:
        return [str(name) for name in json.loads((place / _LIST).read_text("utf-8"))[key]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
