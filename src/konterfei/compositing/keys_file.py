"""The text of a `merge.toml`: read into layers, with errors that name file, line and remedy."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NoReturn

from konterfei.compositing.layers import EASES, OTHERS, FaceEntry, Key, Layer, Value, controls
from konterfei.compositing.settings import MergeSettings
from konterfei.errors import ConfigError, UnknownNameError, UsageError

_TABLES: Final = ("settings", "keys", "shots", "faces")
_WORDS: Final[Mapping[type, str]] = {
    float: "a number, such as 0.05",
    int: "a whole number",
    bool: "true or false",
    str: 'a name in double quotes, such as "rct"',
}
_FACE_FIELDS: Final[Mapping[str, type]] = {
    "track": int,
    "swap": bool,
    "model": str,
    "snapshot": str,
    "morph": float,
    "consent": str,
    "use": str,
}

_USUAL: Final = MergeSettings()

Parts = tuple[Layer, tuple[Layer, ...], tuple[FaceEntry, ...]]
"""The layers of the plate, of its shots (by their first frame) and of faces."""
Place = tuple[str | int, ...]
"""Where in the file something stands: ("keys", 2) is the third [[keys]]."""


def read(path: Path, fps: Fraction | None = None) -> Parts:
    """What the file says; see `Keys.load` for arguments and errors."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"'{path}': there is no such file. Begin one with: konterfei keys {path} --new") from None
    except UnicodeDecodeError:
        raise ConfigError(f"'{path}' is not UTF-8 text. Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"'{path}' cannot be read: {error.strerror}.") from error
    return parse(text, path, fps)


def parse(text: str, path: Path, fps: Fraction | None = None) -> Parts:
    """What a text says. `path` is for messages, and models lie relative to its folder; for the rest see `read`."""
    return _File(text, path, fps).parts()


class _File:
    def __init__(self, text: str, path: Path, fps: Fraction | None) -> None:
        self._path, self._fps = path, fps
        self._lines = _lines_of(text)
        try:
            self._tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = re.match(r"(.*) \(at line (\d+), column (\d+)\)$", str(error))
            where, what = (f", line {found[2]}", f"{found[1]}, at letter {found[3]}") if found else ("", str(error))
            raise ConfigError(
                f"'{path}'{where}: {what}. Names stand in double quotes, numbers have a point, and each key begins "
                "with [[keys]]."
            ) from error

    def parts(self) -> Parts:
        self._refuse_unknown((), self._tables, _TABLES, "table")
        plate = self._layer((), self._tables)
        shots = sorted(
            (self._shot(place, table) for place, table in self._entries((), self._tables, "shots")),
            key=lambda shot: shot[1].start,
        )
        for (_, one), (place, other) in pairwise(shots):
            if one.stop is None or one.stop > other.start:
                self._fail(
                    place, "from", f"this shot begins at frame {other.start}, inside another that goes from "
                    f"{one.start} to {one.stop}. Let one end where the next begins; 'to' is not part of a shot."
                )  # fmt: skip
        faces = [self._face(place, table) for place, table in self._entries((), self._tables, "faces")]
        named = set()
        for number, entry in enumerate(faces):
            if entry.who in named:
                name = "person" if entry.track is None else "track"
                self._fail(("faces", number), name, f"{entry.who} has an entry already. Put both into one.")
            named.add(entry.who)
        return plate, tuple(shot for _, shot in shots), tuple(faces)

    def _shot(self, place: Place, table: Mapping[str, Any]) -> tuple[Place, Layer]:
        for name in ("from", "to"):
            if name not in table:
                self._fail(place, name, f"a shot has no '{name}'. Add a line: {name} = 300")
        start, stop = self._frame(place, "from", table["from"]), self._frame(place, "to", table["to"])
        if stop <= start:
            self._fail(place, "to", f"the shot goes from {start} to {stop}; its end has to lie after its start.")
        own = {name: value for name, value in table.items() if name not in ("from", "to", "keys")}
        values = self._values(place, own, ("from", "to", "keys"))
        return place, Layer(settings=values, keys=self._keys_of(place, table, start, stop), start=start, stop=stop)

    def _face(self, place: Place, table: Mapping[str, Any]) -> FaceEntry:
        known = [*_FACE_FIELDS, "person", "settings", "keys"]
        self._refuse_unknown(place, table, known, "field of a face", controls())
        if ("track" in table) == ("person" in table):
            self._fail(place, "person", 'a face is named by one of: track = 3, person = 1, person = "others".')
        given = {name: self._typed(place, name, table[name], kind) for name, kind in _FACE_FIELDS.items()
                 if name in table}  # fmt: skip
        if "person" in table:
            given["person"] = self._person(place, table["person"])
        for name in ("model", "consent"):
            if name in given:
                given[name] = (self._path.parent / str(given[name])).absolute()
        if "model" in given and "consent" not in given:
            self._fail(
                place, "model", "a face with a model of its own needs the consent of the person it was trained on. "
                'Add a line: consent = "anna.toml" (the same record as on the command line, where it is the same '
                "person)."
            )  # fmt: skip
        for name in ("snapshot", "consent", "use"):
            if name in given and "model" not in given:
                self._fail(place, name, f"'{name}' belongs to a model. Add a line: model = \"models/anna\"")
        if given.get("swap") is False and len(given) > 2:
            self._fail(place, "swap", "a face that is not swapped takes no other fields. Remove them, or swap = false.")
        if not 0 <= given.get("morph", 1.0) <= 1:
            self._fail(place, "morph", f"morph is {given['morph']:g}; it goes from 0 (dst) to 1 (src).")
        return FaceEntry(layer=self._layer(place, table), **given)

    def _person(self, place: Place, value: Any) -> int | str:
        if value == OTHERS:
            return OTHERS
        if isinstance(value, str) and value.isdecimal():
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        self._fail(place, "person", f'person is {value!r}; it is a number of the faceset, or "{OTHERS}".')

    # --- what plate, shots and faces have in common

    def _layer(self, place: Place, table: Mapping[str, Any]) -> Layer:
        settings = table.get("settings", {})
        if not isinstance(settings, dict):
            self._fail(place, "settings", "'settings' is a table: write [settings] on a line of its own.")
        values = self._values((*place, "settings"), settings, ())
        return Layer(settings=values, keys=self._keys_of(place, table))

    def _keys_of(
        self, place: Place, table: Mapping[str, Any], start: int = 0, stop: int | None = None
    ) -> dict[str, tuple[Key, ...]]:
        keys: dict[str, dict[int, Key]] = {}
        for entry, key in self._entries(place, table, "keys"):
            if "frame" not in key:
                self._fail(entry, "frame", "a key has no frame. Add a line: frame = 120")
            frame = self._frame(entry, "frame", key["frame"])
            if frame < start or (stop is not None and frame >= stop):
                self._fail(
                    entry, "frame", f"a key of the shot from {start} to {stop} stands at frame {frame}, outside of it. "
                    "Move it, or write it as [[keys]] of the whole plate."
                )  # fmt: skip
            ease = key.get("ease", "linear")
            if ease not in EASES:
                self._fail(entry, "ease", str(UnknownNameError("ease", str(ease), EASES)))
            given = {name: value for name, value in key.items() if name not in ("frame", "ease")}
            for name, value in self._values(entry, given, ("frame", "ease")).items():
                if frame in keys.setdefault(name, {}):
                    self._fail(entry, name, f"{name} has a key at frame {frame} already. Remove one of them.")
                keys[name][frame] = Key(frame, value, ease)
            if not given:
                self._fail(entry, "frame", f"the key at frame {frame} says nothing. Add a line such as: feather = 0.1")
        return {name: tuple(by_frame[frame] for frame in sorted(by_frame)) for name, by_frame in keys.items()}

    def _values(self, place: Place, given: Mapping[str, Any], other: Iterable[str]) -> dict[str, Value]:
        """Control -> value, each of them known to make sense."""
        values: dict[str, Value] = {}
        for written, value in given.items():
            name = written.replace("-", "_")
            if name not in controls():
                self._unknown(place, written, [*controls(), *other], "control")
            values[name] = self._typed(place, written, value, controls()[name])
            if values[name] == "" and getattr(_USUAL, name) is None:
                values[name] = None  # TOML has no word for nothing
            try:
                alone: dict[str, Any] = {name: values[name]}
                is_square = MergeSettings(**alone).is_square
            except UsageError as error:
                self._fail(place, written, str(error).replace("--" + name.replace("_", "-"), name))
            if is_square and place != ("settings",):
                self._fail(
                    place, written, f"{name} = {value!r} makes pictures of another size than the plate's: all or none. "
                    "Write it below [settings]."
                )  # fmt: skip
        return values

    def _typed(self, place: Place, name: str, value: Any, kind: type) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if kind is float and is_number:
            return float(value) + 0.0  # no minus before a zero
        if kind is int and isinstance(value, int) and is_number and value >= 0:
            return value
        if kind in (bool, str) and isinstance(value, kind):
            return value
        self._fail(place, name, f"{name} is {value!r}; it should be {_WORDS[kind]}.")

    def _frame(self, place: Place, name: str, value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        found = re.fullmatch(r"(\d+):(\d\d):(\d\d):(\d\d)", value) if isinstance(value, str) else None
        if found is None:
            self._fail(
                place, name, f"'{name}' is {value!r}; it is a frame, counted from 0, or a timecode without dropped "
                'frames in double quotes, "00:00:05:10".'
            )  # fmt: skip
        if self._fps is None:
            self._fail(place, name, f"'{name}' is a timecode, and the rate of the plate is not known. Write a frame.")
        hours, minutes, seconds, frames = map(int, found.groups())
        rate = round(self._fps)  # timecodes count 30 frames a second at 29.97, too
        if minutes > 59 or seconds > 59 or frames >= rate:
            self._fail(place, name, f"'{value}' is no timecode at {rate} frames per second.")
        return ((hours * 60 + minutes) * 60 + seconds) * rate + frames

    # --- what is wrong, and where

    def _entries(self, place: Place, table: Mapping[str, Any], name: str) -> list[tuple[Place, dict[str, Any]]]:
        entries = table.get(name, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            header = ".".join([*(part for part in place if isinstance(part, str)), name])
            self._fail(place, name, f"'{name}' is a list: write [[{header}]], with two brackets, before each of them.")
        return [((*place, name, number), entry) for number, entry in enumerate(entries)]

    def _refuse_unknown(
        self, place: Place, table: Iterable[str], known: Iterable[str], kind: str, settings: Iterable[str] = ()
    ) -> None:
        for name in table:
            if name not in known:
                if name.replace("-", "_") in settings or (not place and name.replace("-", "_") in controls()):
                    header = "[settings]" if not place else f"[{place[0]}.settings]"
                    self._fail(place, name, f"'{name}' is a control: it stands below a line {header}.")
                self._unknown(place, name, known, kind)

    def _unknown(self, place: Place, name: str, known: Iterable[str], kind: str) -> NoReturn:
        raise UnknownNameAtError(self._where(place, name), kind, name, known)

    def _fail(self, place: Place, name: str, message: str) -> NoReturn:
        raise ConfigError(f"{self._where(place, name)}: {message}")

    def _where(self, place: Place, name: str) -> str:
        line = self._lines.get((*place, name)) or self._lines.get(place)
        return f"'{self._path}', line {line}" if line else f"'{self._path}'"


class UnknownNameAtError(UnknownNameError):
    """A name that means nothing, with the place where it stands."""

    def __init__(self, where: str, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(kind, name, known)
        self.args = (f"{where}: {self.args[0]}",)


def _lines_of(text: str) -> dict[Place, int]:
    """Line of each table and of each of its names, as far as they are written on lines of their own."""
    lines: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    place: Place = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*(\[\[?)\s*([\w.\-]+)\s*\]", line):
            place = ()
            *parents, last = header[2].split(".")
            for part in parents:
                place = (*place, part)
                place = (*place, counts[place] - 1) if place in counts else place
            place = (*place, last)
            if header[1] == "[[":
                counts[place] = counts.get(place, 0) + 1
                place = (*place, counts[place] - 1)
            lines.setdefault(place, number)
        elif name := re.match(r"\s*([\w\-]+)\s*=", line):
            lines.setdefault((*place, name[1]), number)
    return lines
