"""A folder with the crops of a faceset under numbered names, for file managers: links, no second set of pictures."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from konterfei.errors import ConfigError
from konterfei.io.atomic import make_folder, replace_folder, translated, write_json
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
    if strange := sorted(there - set(_exported(place)) - {_LIST}):
        raise ConfigError(
            f"--export-order is '{place}', which holds other things, such as '{strange[0]}'. Choose an empty folder."
        )


def export(place: Path, faceset: Path, names: Sequence[str], by: str, reporter: Reporter) -> str:
    """Link every crop as 00000_NAME, 00001_NAME...; what was exported there before goes. All of it appears at once.

    Returns:
        "linked" or "copied"

    Raises:
        OutputError: it cannot be written.
        Cancelled: asked to stop; nothing has changed.
    """
    digits = max(5, len(str(len(names))))
    numbered = {f"{number:0{digits}d}_{name}": name for number, name in enumerate(names)}
    make_folder(place.parent)
    new = place.with_name(f".{place.name}.konterfei-tmp-{uuid.uuid4().hex[:8]}")
    how = "linked"
    reporter.start("numbering files", len(names), "files")
    try:
        with translated(place, new):
            new.mkdir()
            write_json(new / _LIST, {"by": by, "faceset": str(faceset.absolute()), "files": list(numbered)})
            for done, (number, name) in enumerate(numbered.items()):
                with suppress(FileNotFoundError):  # a person deleted it meanwhile
                    how = _put(faceset / name, new / number, how)
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
    shutil.copy2(crop, link)
    return "copied"


def _exported(place: Path) -> list[str]:
    try:
        files = json.loads((place / _LIST).read_text("utf-8"))["files"]
        return [str(name) for name in files]
    except (OSError, ValueError, KeyError, TypeError):
        return []
