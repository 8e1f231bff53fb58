"""Repairing a faceset that is there: which settings hold, which frames are meant, what a person has put right."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from konterfei.errors import ConfigError
from konterfei.io.atomic import write_bytes, write_json
from konterfei.io.manifest import Manifest
from konterfei.reporting import Reporter
from konterfei.stages._extract_corrections import STORED_NAME, Corrections, read_corrections, template
from konterfei.stages._extract_inputs import KEY, Input, is_alone, known_inputs
from konterfei.stages._extract_settings import ExtractConfig, Looking
from konterfei.stages._settings import parse_frames

_KEPT = (
    "person",
    "similarity",
    "max_faces",
    "min_score",
    "area_limit",
    "face_type",
    "size",
    "quality",
    "range",
    "every_nth",
    "every",
    "deinterlace",
    "smoothing",
)
"""Settings that stay as the faceset was made, whatever is looked at again."""


@dataclass(frozen=True)
class Told:
    """The corrections that hold.

    Attributes:
        entries: by the names of the inputs.
        path: the file that they come from, for messages.
        data: that file, if it is not the stored one.
        is_own: whether they are the faceset's own, of which those that do not fit any more are passed over.
    """

    entries: Corrections
    path: Path
    data: bytes | None
    is_own: bool = False

    def store(self, folder: Path) -> None:
        """Keeps them in the faceset: --force does not lose them."""
        if self.data is not None and (self.entries or (folder / STORED_NAME).exists()):
            write_bytes(folder / STORED_NAME, self.data)


def as_made(config: ExtractConfig, before: Manifest | None) -> ExtractConfig:
    """With --redo and --fill-missed the settings that the faceset was made with; else `config` itself.

    Raises:
        ConfigError: a setting is given that the faceset has otherwise, and which says nothing about looking.
    """
    if before is None or not (config.redo or config.fill_missed) or config.force:
        return config
    made: dict[str, Any] = {name: value for name, value in before.settings.items() if name in _KEPT}
    if made.get("person") == "picture":
        made["person"] = before.inputs["person"]["path"]
    if "like" in before.inputs:
        made["like"] = Path(before.inputs["like"]["path"])
    usual: dict[str, Any] = {field.name: field.default for field in fields(ExtractConfig)}
    for name in _KEPT:
        now, was = getattr(config, name), made.get(name, usual[name])
        if now not in (was, usual[name]):
            raise ConfigError(
                f"--{name.replace('_', '-')} is {now}, but the faceset was made with {was}; --redo and --fill-missed "
                "keep that. Leave it out, or make all of it anew with --force."
            )
    if "fps" in before.settings:
        made["fps"] = before.settings["fps"]
    looking = {field.name for field in fields(Looking)} - {"threads"}
    made |= {name: value for name, value in before.settings.items() if name in looking}
    absent: dict[str, Any] = {name: usual[name] for name in (*looking, *_KEPT) if name not in made}
    return replace(config, **absent | made)


def refuse_without(config: ExtractConfig, inputs: Sequence[Input], before: Manifest | None) -> None:
    """Raise ConfigError where --redo names frames of nobody knows which video."""
    films = [one for one in inputs if one.plate is not None]
    if config.redo and len(films) != 1:
        raise ConfigError(
            f"--redo names frames of one video; here are {len(films)}. Extract it into a faceset of its own, or use "
            "--fill-missed, which looks at all of them."
        )


def corrections_for(
    config: ExtractConfig, inputs: Sequence[Input], before: Manifest | None, reporter: Reporter
) -> Told:
    """The corrections given, else those that the faceset holds.

    The faceset's own name their film, so that they are never taken for another one's; where that is not among the
    inputs, they are kept and not used, which the reporter is told.

    Raises:
        ConfigError: they make no sense, or are of a film that is not here.
    """
    stored = config.output / STORED_NAME
    path = config.corrections or stored
    if not path.is_file():
        return Told({}, path, None)
    found = read_corrections(path)
    names = [one.name for one in inputs if one.plate is not None]
    is_own = config.corrections is None
    meant = _only_film(before) if is_own else names[0] if len(names) == 1 else ""
    entries: Corrections = {}
    for name, frames in found.items():
        film = name or meant
        if film not in names:
            if is_own and film:
                reporter.note(f"'{path}' is of {film}, which is not among the inputs; it is kept, and not used.")
                continue
            if names and not name:
                raise ConfigError(f"'{path}' does not say of which video. Add \"video\": one of {', '.join(names)}.")
            raise ConfigError(f"'{path}', video is '{name}'; corrections are of films, here: {', '.join(names)}.")
        entries.setdefault(film, {}).update(frames)
    data = path.read_bytes()
    if "" in found and (len(names) > 1 or not is_own):
        data = json.dumps({**json.loads(data), "video": meant}, ensure_ascii=False).encode()
    return Told(entries, path, None if stored.is_file() and stored.read_bytes() == data else data, is_own)


def _only_film(before: Manifest | None) -> str:
    """Name of the one film of an extraction; empty where it had several."""
    names = [key.removeprefix(KEY) for key, record in known_inputs(before).items() if "pictures" not in record]
    return names[0] if len(names) == 1 else ""


def is_repair(config: ExtractConfig, before: Manifest | None, told: Told) -> bool:
    """Whether something is to be done to a faceset that is complete."""
    output = {} if before is None else before.output
    is_asked = config.corrections_template is not None and "missed" not in output  # older facesets do not tell them
    return bool(config.redo or config.fill_missed or told.data is not None or output.get("amending") or is_asked)


def frames_to_redo(config: ExtractConfig, given: Input, looked_at: Iterable[int], missed: Iterable[int]) -> list[int]:
    """Frames of one film that --redo and --fill-missed mean.

    Raises:
        ConfigError: one that was not looked at.
    """
    wanted = set(missed) if config.fill_missed else set()
    if config.redo:
        asked, known = set(parse_frames("--redo", config.redo)), set(looked_at)
        if strange := sorted(asked - known):
            raise ConfigError(
                f"--redo names frame {strange[0]}, which {given.name} does not have, or which was not looked at "
                "(--range, --every-nth)."
            )
        wanted |= asked
    return sorted(wanted)


def write_template(config: ExtractConfig, inputs: Sequence[Input], manifest: Manifest) -> None:
    """Writes the file that --corrections-template asks for. Raises ConfigError, OutputError."""
    path = config.corrections_template
    if path is None:
        return
    if path.exists():
        raise ConfigError(f"--corrections-template is '{path}', which is there. Choose another name, or remove it.")
    missed: dict[str, str] = manifest.output.get("missed", {})
    alone = is_alone(inputs)
    write_json(path, template({"" if alone else name: parse_frames("missed", text) for name, text in missed.items()}))
