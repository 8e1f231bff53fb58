"""keys: begin a file of settings for single frames, shots and faces, or say what it comes to."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, get_type_hints

from konterfei.compositing import Keys, MergeSettings
from konterfei.compositing.keys import Who
from konterfei.errors import ConfigError, OutputError
from konterfei.fields import choices, field_docs
from konterfei.io.atomic import write_text
from konterfei.io.faceset import Faceset
from konterfei.io.sequence import frame_rate
from konterfei.reporting import Reporter
from konterfei.stages._settings import allow

_WIDTH = 100
_BEGINNING = """\
# Settings of a merge that change over the frames of the plate, or from face to face:
#   konterfei merge plate.mp4 ... --keys {name}
#   konterfei keys {name} --frame 150      says what they are in a frame
#
# Frames count from 0; "00:00:05:10" (hours, minutes, seconds, frames) does as well. What stands nowhere here comes from
# the command line. Take the # away from a line to use it.

# --- for the whole plate

[settings]
"""
_REST = """
# --- keys: in this frame the controls have these values; from one key to the next, numbers go over
#     ease says how the way here goes: "linear" (evenly), "smooth" (slow, fast, slow), "hold" (it jumps)

# [[keys]]
# frame = 120
# feather = 0.05

# [[keys]]
# frame = 180
# feather = 0.12
# ease = "smooth"

# --- shots: other settings from one frame up to another, which is not part of the shot; keys of its own, if you like

# [[shots]]
# from = 300
# to = 420
# mask = "hull"
# [[shots.keys]]
# frame = 310
# erode = 0.1

# --- faces: what the faces of a track, of a person (0 = most often seen) or of "others" are swapped with, and how

# [[faces]]
# track = 3
# model = "models/anna"         # beside this file; needs the consent of the person whom it draws
# consent = "anna.toml"
# [faces.settings]
# sharpen = 0.5

# [[faces]]
# person = 1
# swap = false
"""


@dataclass(frozen=True, kw_only=True)
class KeysConfig:
    """Settings of a merge that change over time, or from face to face: begin a file of them, or say what it comes to.

    Without --new or --frame it says all that the file does, or what makes no sense in it.
    """

    file: Path
    """The file, for example merge.toml. Keep it with the shot; give it to konterfei merge with --keys."""
    new: bool = False
    """Begin the file: every control, explained, with its usual value, as a comment."""
    force: bool = False
    """With --new: write over a file that is there."""
    faces: Path | None = None
    """Faceset of the plate: say also which tracks and people it holds, and what each is swapped with."""
    frame: int | None = None
    """Say every setting of this frame."""
    track: int | None = None
    """The settings of the face of this track in the frame."""
    person: int | None = None
    """The settings of the face of this person in the frame."""
    fps: str | None = None
    """Frames per second of the plate, for a file with timecodes."""

    def __post_init__(self) -> None:
        is_toml = self.file.suffix.lower() == ".toml"
        allow("FILE", f"'{self.file}'", is_toml or not self.new, "the name of a .toml file, such as merge.toml")
        allow("--frame", self.frame, self.frame is None or self.frame >= 0, "0 or more")
        if self.frame is None and (self.track is not None or self.person is not None):
            raise ConfigError("--track and --person say which face of a frame is meant. Add --frame, for example 150.")
        if self.fps is not None:
            frame_rate(self.fps)


@dataclass(frozen=True, kw_only=True)
class KeysResult:
    """What a file comes to."""

    lines: list[str]

    def summary(self) -> list[str]:
        """It, as lines for a person."""
        return self.lines


def keys(config: KeysConfig, reporter: Reporter) -> KeysResult:
    """Begin the file, or say what stands in it, or the settings of a frame.

    Raises:
        OutputError: a new file exists already, or cannot be written.
        FacesetError: there is no faceset.
        ConfigError, UnknownNameError: it says what makes no sense; names file, line and remedy.
    """
    if config.new:
        if config.file.exists() and not config.force:
            raise OutputError(f"'{config.file}' exists already. Choose another name, or add --force to write over it.")
        write_text(config.file, template(config.file.name))
        return KeysResult(lines=[f"{config.file}: every control, as a comment. Take the # from those that you want."])
    found = Keys.load(config.file, None if config.fps is None else Fraction(frame_rate(config.fps)))
    if config.frame is None:
        told = [] if config.faces is None else _told_of(Faceset.open(config.faces, reporter=reporter), found)
        return KeysResult(lines=[*found.describe(), *told])
    usual, here = MergeSettings(), found.at(config.frame, MergeSettings(), config.track, config.person)
    names = [item.name for item in fields(MergeSettings)]
    width = max(map(len, names))
    return KeysResult(
        lines=[
            f"{name:<{width}}  {_shown(getattr(here, name))}"
            f"{'' if getattr(here, name) == getattr(usual, name) else '   (from the file)'}"
            for name in names
        ]
    )


def _told_of(faceset: Faceset, keys: Keys) -> list[str]:
    """Each track of a faceset: whose it is, in which frames, what it is swapped with."""
    frames: dict[Who, list[int]] = {}
    for record in faceset.records():
        frames.setdefault((record.face.track, record.face.person), []).append(record.frame_index)
    lines = [f"in '{faceset.folder}':"]
    for (track, person), indices in sorted(frames.items(), key=lambda item: (item[0][1] or 0, item[1][0])):
        who = f"track {track}" + ("" if person is None else f" of person {person}")
        model, is_swapped = "the model of the command line", True
        for entry in keys.entries((track, person)):
            is_swapped = is_swapped if entry.swap is None else entry.swap
            model = model if entry.model is None else f"'{entry.model}'"
        what = f"swapped with {model}" if is_swapped else "left as it is"
        lines.append(f"  {who}, frames {indices[0]} to {indices[-1]} ({len(indices)} faces): {what}")
    return lines


def template(name: str) -> str:
    """The text of a file with every control as a comment. `name` is the file's."""
    docs, hints = field_docs(MergeSettings), get_type_hints(MergeSettings, include_extras=True)
    lines = []
    for item in fields(MergeSettings):
        told = docs[item.name]
        if names := choices(hints[item.name]):
            told += f" One of: {', '.join(names)}."
        usual = "" if item.default is None else item.default  # TOML has no word for nothing
        lines += ["", *(f"# {line}" for line in textwrap.wrap(told, _WIDTH)), f"# {item.name} = {_shown(usual)}"]
    return _BEGINNING.format(name=name) + "\n".join(lines[1:]) + "\n" + _REST


def _shown(value: Any) -> str:
    return json.dumps(float(f"{value:.6g}") if isinstance(value, float) else value)
