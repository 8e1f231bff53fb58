"""What an extraction looks at: films, and loose pictures; and the name that each has in the records."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image

from konterfei.errors import ConfigError, UnreadableMediaError
from konterfei.io.atomic import sha256
from konterfei.io.images import READABLE
from konterfei.io.manifest import Manifest, input_record
from konterfei.io.sequence import SEAL_SUFFIX, USUAL_FPS, is_pattern
from konterfei.stages._extract_plate import Plate
from konterfei.stages._extract_settings import ExtractConfig, plate_of

PICTURES = (*READABLE, ".heic", ".heif", ".avif", ".gif")
"""Suffixes of loose pictures. Those that Pillow cannot read here are listed as unreadable, with what to do."""
JOURNAL_NAME = "analysis.jsonl"
"""Of an extraction of one film."""
KEY = "input "
"""Begins the name of each of several inputs in a manifest; the one film of an extraction is "video" there."""
_PHOTOGRAPH = (271, 272, 36867)
"""EXIF tags that a camera writes: make, model, when it was taken."""


@dataclass(frozen=True, kw_only=True)
class Input:
    """One of the things that are looked at.

    Attributes:
        name: what the records call it: its file name, and with several of one name a folder before it.
        path: the film, or the folder of loose pictures.
        plate: how it is read as a film; None = loose pictures.
        pictures: the loose pictures, by name.
    """

    name: str
    path: Path
    plate: Plate | None = None
    pictures: tuple[Path, ...] = ()

    @property
    def journal_name(self) -> str:
        """File of its journal in a faceset of several inputs."""
        mark = hashlib.sha256(self.name.encode()).hexdigest()[:8]
        return f"analysis.{re.sub(r'[^A-Za-z0-9_.-]', '_', self.name)}.{mark}.jsonl"

    def record(self, known: Mapping[str, Any] | None) -> dict[str, Any]:
        """What the manifest notes; `known` is an earlier one, whose hash holds where nothing has changed."""
        if self.plate is not None:
            return input_record(self.path, known)
        found = [(file.name, file.stat()) for file in self.pictures]
        stamps = "".join(f"{name} {status.st_size} {status.st_mtime_ns}\n" for name, status in found)
        record: dict[str, Any] = {
            "path": str(self.path.absolute()),
            "size": sum(status.st_size for _, status in found),
            "pictures": len(found),
            "stamps": hashlib.sha256(stamps.encode()).hexdigest(),
        }
        if known and all(known.get(name) == value for name, value in record.items()) and known.get("sha256"):
            return {**record, "sha256": known["sha256"]}
        listing = "".join(f"{file.name} {sha256(file)}\n" for file in self.pictures)
        return {**record, "sha256": hashlib.sha256(listing.encode()).hexdigest()}


def inputs_of(config: ExtractConfig, before: Manifest | None) -> list[Input]:
    """The inputs in the order given; loose pictures of one folder are one.

    Args:
        config: the extraction.
        before: the manifest in the folder; inputs that it knows keep their names and kinds.

    Raises:
        UnreadableMediaError: one is missing or nothing that can be read.
        ConfigError: one is given twice.
    """
    found: list[Input] = []
    loose: dict[Path, list[Path]] = {}
    for path in config.videos:
        if path.is_file() and path.suffix.lower() in PICTURES and not is_pattern(path):
            if path.parent not in loose:
                found.append(Input(name="", path=path.parent))
            loose.setdefault(path.parent, []).append(path)
        elif path.is_dir() and _is_loose(config, path, before):
            found.append(Input(name="", path=path, pictures=list_pictures(path)))
        else:
            found.append(Input(name="", path=path, plate=plate_of(config, path)))
    found = [one if one.plate or one.pictures else _loose(one, loose[one.path]) for one in found]
    places = [one.path.resolve() for one in found]
    if twice := next((place for place in places if places.count(place) > 1), None):
        raise ConfigError(f"'{twice}' is given twice, or a folder and single pictures of it. Name it once.")
    return _named(found, before)


def is_alone(inputs: Sequence[Input]) -> bool:
    """Whether there is one film and nothing else: its faceset names it as its source, and merge can use it."""
    return len(inputs) == 1 and inputs[0].plate is not None


def list_pictures(folder: Path) -> tuple[Path, ...]:
    """The pictures of a folder, by name. Raises UnreadableMediaError where there are none."""
    found = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in PICTURES and not file.name.startswith(".") and file.is_file()
        if not file.name.endswith(SEAL_SUFFIX)
    ]
    if not found:
        raise UnreadableMediaError(f"'{folder}' holds no pictures ({', '.join(PICTURES)}). Name a folder of images.")
    return tuple(sorted(found, key=lambda file: file.name))


def _loose(one: Input, pictures: Sequence[Path]) -> Input:
    return Input(name="", path=one.path, pictures=tuple(sorted({*pictures}, key=lambda file: file.name)))


def _named(inputs: Sequence[Input], before: Manifest | None) -> list[Input]:
    """The inputs with names that tell them apart; those in `before` keep theirs."""
    known = {record["path"]: key.removeprefix(KEY) for key, record in known_inputs(before).items()}
    names: dict[str, Path] = {
        known.get(str(one.path.absolute()), ""): one.path for one in inputs if str(one.path.absolute()) in known
    }
    named = []
    for one in inputs:
        place = one.path.absolute()
        name = known.get(str(place), "")
        parts = place.parts
        count = 1
        while not name:
            tried = "/".join(parts[-count:])
            name = tried if tried not in names or count >= len(parts) else ""
            count += 1
        names[name] = one.path
        named.append(Input(name=name, path=one.path, plate=one.plate, pictures=one.pictures))
    return named


def known_inputs(before: Manifest | None) -> dict[str, dict[str, Any]]:
    """The inputs that a manifest names, by key; the film of an extraction that has but one under its own name too."""
    if before is None:
        return {}
    films = {key: record for key, record in before.inputs.items() if key.startswith(KEY)}
    if only := before.inputs.get("video"):
        films[KEY + Path(only["path"]).name] = only
    return films


def _is_loose(config: ExtractConfig, folder: Path, before: Manifest | None) -> bool:
    """Whether the pictures of a folder are photographs, each for itself."""
    if config.pictures != "auto":
        return config.pictures == "loose"
    for record in known_inputs(before).values():
        if record["path"] == str(folder.absolute()):
            return "pictures" in record
    return not is_film(list_pictures(folder), config.fps != USUAL_FPS)


def is_film(pictures: Iterable[Path], fps_given: bool) -> bool:
    """Whether pictures look like the frames of one film: numbered alike, of one size, and not taken by a camera.

    Args:
        pictures: at least one.
        fps_given: somebody has said how many are shown in a second, so they are frames if they can be.
    """
    pictures = list(pictures)
    forms = {re.sub(r"\d+(?=\D*$)", "#", file.name, count=1) for file in pictures}
    if len(forms) > 1 or "#" not in forms.pop():
        return False
    sizes = [_size(file) for file in pictures]
    known = [size for size in sizes if size is not None]  # what Pillow cannot read (OpenEXR) is no photograph
    if any(one != other for one, other in pairwise(known)):
        return False
    return fps_given or not any(_is_photograph(file) for file in pictures[:3])


def _size(file: Path) -> tuple[int, int] | None:
    with suppress(OSError, ValueError, SyntaxError, Image.DecompressionBombError), Image.open(file) as picture:
        return picture.size
    return None


def _is_photograph(file: Path) -> bool:
    with suppress(OSError, ValueError, SyntaxError, Image.DecompressionBombError), Image.open(file) as picture:
        exif = picture.getexif()
        return any(tag in exif or tag in exif.get_ifd(0x8769) for tag in _PHOTOGRAPH)
    return False
