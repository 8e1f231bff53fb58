"""What was made, from what, how: the slip that lies beside every output of a stage.

A stage that is run again reads it to know whether its output is whole, partial or stale, and says what changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

from konterfei.errors import DamagedFileError
from konterfei.io.atomic import sha256, write_json
from konterfei.io.sequence import is_sequence, list_images, sequence_sha256

FORMAT = 1
"""Version of the file's layout; another one is refused."""


def input_record(path: Path | str, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a manifest notes about an input: path, sha256, size, and the time of its last change.

    Of a folder or pattern of pictures: their number, the sum of their sizes, a hash of names, sizes and times in place
    of the time, and the hash of `sequence_sha256`.

    Args:
        path: a file, or a folder or pattern of pictures.
        known: an earlier record; its hash is taken over when path, size and time are unchanged (hashing a long video
            takes seconds).
    """
    path = Path(path)
    record: dict[str, Any] = {"path": str(path.absolute())}
    if is_sequence(path):
        found = [(file.name, file.stat()) for file in list_images(path)]
        stamps = "".join(f"{name} {status.st_size} {status.st_mtime_ns}\n" for name, status in found)
        record |= {"size": sum(status.st_size for _, status in found), "files": len(found)}
        record |= {"stamps": hashlib.sha256(stamps.encode()).hexdigest()}
    else:
        status = path.stat()
        record |= {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
    if known and all(known.get(name) == value for name, value in record.items()) and known.get("sha256"):
        return {**record, "sha256": known["sha256"]}
    return {**record, "sha256": sequence_sha256(path) if is_sequence(path) else sha256(path)}


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: paths and fractions as text, tuples as lists, dataclasses as objects."""
    if isinstance(value, Path | Fraction):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=str)
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, str):
        return str(value)  # members of a StrEnum too
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()  # numpy scalars
    return value


@dataclass(kw_only=True)
class Manifest:
    """What a stage made.

    Attributes:
        stage: name of the stage, "extract".
        inputs: name to `input_record`; what makes the output stale when its content changes.
        settings: name to value; what makes the output stale when it changes.
        versions: name to version, "konterfei", "torch", weights; noted, not compared.
        output: what there is now: file names, hashes.
        results: figures for a person: counts, minutes, scores.
        complete: whether the stage came to its end.
    """

    stage: str
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    output: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    complete: bool = False

    def __post_init__(self) -> None:
        for name in ("inputs", "settings", "versions", "output", "results"):
            setattr(self, name, plain(getattr(self, name)))

    @staticmethod
    def file_for(place: Path | str) -> Path:
        """Where the manifest of `place` lies: inside a folder, beside a file (`<video>.manifest.json`)."""
        place = Path(place)
        return (
            place.with_name(f"{place.name}.manifest.json")
            if place.suffix and not place.is_dir()
            else place / "manifest.json"
        )

    @classmethod
    def load(cls, place: Path | str) -> Manifest | None:
        """The manifest of a folder or file; None when there is none.

        Raises:
            DamagedFileError: it cannot be read, or is of another version.
        """
        path = cls.file_for(place)
        try:
            data = json.loads(path.read_text("utf-8"))
            if not isinstance(data, dict) or data.pop("format") != FORMAT:
                raise DamagedFileError(
                    f"'{path}' was written by another version of konterfei. Use that version, or another output folder."
                )
            return cls(**data)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise DamagedFileError(
                f"'{path}' cannot be read ({error}). Delete it to make the output anew, or choose another output."
            ) from error

    @classmethod
    def load_begun(cls, folder: Path) -> tuple[Manifest | None, bool]:
        """The manifest of a folder, and whether anything else lies in it.

        A manifest alone, of work that was refused before it made anything, counts as none: it may be given otherwise.

        Raises:
            DamagedFileError: as `load`.
        """
        found, own = cls.load(folder), cls.file_for(folder)
        holds = folder.is_dir() and any(each != own for each in folder.iterdir())
        return (found if holds or (found is not None and found.complete) else None), holds

    def save(self, place: Path | str) -> Path:
        """Write it for a folder or file, atomically. Gives the path. Raises OutputError."""
        path = self.file_for(place)
        write_json(path, {"format": FORMAT, **plain(asdict(self))})
        return path

    def differs_from(self, other: Manifest) -> list[str]:
        """What is different here from `other` (the earlier one), in words; empty when the work is the same.

        Stage, inputs (by content: a moved file is the same) and settings count; versions and results do not.
        """
        changes = []
        if self.stage != other.stage:
            changes.append(f"the stage is {self.stage}, was {other.stage}")
        for name in sorted({*self.inputs, *other.inputs}):
            now, was = self.inputs.get(name), other.inputs.get(name)
            if was is None and now is not None:
                changes.append(f"{name} is new ({now.get('path')})")
            elif now is None:
                changes.append(f"{name} is no longer given")
            elif was is not None and now.get("sha256") != was.get("sha256"):
                if now.get("path") == was.get("path"):
                    changes.append(f"the content of {name} ({now.get('path')}) has changed")
                else:
                    changes.append(f"{name} is {now.get('path')}, was {was.get('path')}")
        for name in sorted({*self.settings, *other.settings}):
            if name not in other.settings:
                changes.append(f"{name} is {_word(self.settings[name])}, was not set")
            elif name not in self.settings:
                changes.append(f"{name} is not set, was {_word(other.settings[name])}")
            elif self.settings[name] != other.settings[name]:
                changes.append(f"{name} is {_word(self.settings[name])}, was {_word(other.settings[name])}")
        return changes


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
