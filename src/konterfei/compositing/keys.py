"""Settings that change over the frames of a plate, and from face to face: what a `merge.toml` says.

    [settings]                # for the whole plate; what is not named here comes from the command line
    color = "rct"

    [[keys]]                  # at this frame these controls have these values; between two keys they are interpolated
    frame = 120
    feather = 0.05
    [[keys]]
    frame = 180
    feather = 0.12
    ease = "smooth"           # the way here from the key before: linear (when not said), smooth or hold

    [[shots]]                 # other settings from one frame up to another, which is not part of it
    from = 300
    to = 420
    mask = "hull"
    [[shots.keys]]            # keys of this shot; nothing is interpolated over its borders
    frame = 310
    erode = 0.1

    [[faces]]                 # one face: by its track, by its person, or person = "others" for all that are not named
    track = 3
    model = "models/anna"     # what it is swapped with; see stages/_merge_cast.py
    [faces.settings]
    sharpen = 0.5

Each of these is a layer. A control has the value of the highest layer that names it: face, shot, plate, command line.
Within a layer keys count for more than settings. Before its first key and after its last one, a control stays as it is
there. Names and switches do not change between keys, they jump at them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from konterfei.compositing.keys_file import read
from konterfei.compositing.layers import OTHERS, FaceEntry, Layer, Value, controls
from konterfei.compositing.settings import MergeSettings
from konterfei.errors import ConfigError, UsageError

Who = tuple[int | None, int | None]
"""Track and person of a face; None = not known."""


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The settings of every frame and face. `Keys()` has none of its own.

    Attributes:
        plate: for all frames.
        shots: for some; no two have a frame in common.
        faces: for some faces; no two name the same.
        path: where they were read; None = nowhere.
    """

    plate: Layer = field(default_factory=Layer)
    shots: tuple[Layer, ...] = ()
    faces: tuple[FaceEntry, ...] = ()
    path: Path | None = None

    @classmethod
    def load(cls, path: Path | str, fps: Fraction | None = None) -> Keys:
        """What a file says.

        Args:
            path: TOML file, as above.
            fps: of the plate, for frames that are written as timecodes.

        Raises:
            ConfigError, UnknownNameError: it is missing, no TOML, or says what makes no sense; names file, line and
                remedy.
        """
        plate, shots, faces = read(Path(path), fps)
        return cls(plate=plate, shots=shots, faces=faces, path=Path(path))

    def at(self, frame: int, base: MergeSettings, track: int | None = None, person: int | None = None) -> MergeSettings:
        """The settings at a frame; of one face there, when its track or person is given.

        Equal settings are one object, as long as somebody holds it: `is` tells whether anything changed.

        Args:
            frame: index, from 0.
            base: what the file does not say.
            track, person: of the face; None = what holds for any face.

        Raises:
            ConfigError, UnknownNameError: values that make no sense together, with the frame.
        """
        values: dict[str, Value] = dict(self.plate.values(frame))
        for shot in self.shots:
            values.update(shot.values(frame))
        for entry in self.entries((track, person)):
            values.update(entry.layer.values(frame))
        try:
            return changed(base, values)
        except UsageError as error:
            raise ConfigError(f"{self.path}, settings of frame {frame}: {error}") from error

    def entries(self, who: Who) -> list[FaceEntry]:
        """What is said of a face, the more special last: others, its person, its track."""
        track, person = who
        by_track = [entry for entry in self.faces if entry.track is not None and entry.track == track]
        by_person = [e for e in self.faces if e.track is None and person is not None and e.person == person]
        if by_track or by_person or who == (None, None):
            return [*by_person, *by_track]
        return [entry for entry in self.faces if entry.person == OTHERS]

    def fingerprint(
        self, frames: Iterable[int], base: MergeSettings, faces_at: Callable[[int], Iterable[Who]] | None = None
    ) -> str:
        """A hash of what is said of some frames: of values, so that no other text of the file changes it.

        Args:
            frames: whose settings.
            base: see `at`.
            faces_at: frame -> its faces, where they are known: then only their settings count. Otherwise those of
                every face that the file names.
        """
        digest, before = hashlib.sha256(), None
        for frame in frames:
            now = tuple(self._told(frame, base, faces_at))
            if now != before:
                plain = [[*told, _pure_values(settings)] for *told, settings in now]
                digest.update(f"{frame} {json.dumps(plain)}\n".encode())
            before = now
        return digest.hexdigest()

    def _told(
        self, frame: int, base: MergeSettings, faces_at: Callable[[int], Iterable[Who]] | None
    ) -> Iterator[tuple[Any, ...]]:
        """What counts for the fingerprint of one frame."""
        general = self.at(frame, base)
        yield "all", general
        if faces_at is not None:
            for who in faces_at(frame):
                yield "face", *(part for entry in self.entries(who) for part in entry.role), self.at(frame, base, *who)
            return
        for entry in sorted(self.faces, key=lambda entry: entry.who):
            own = changed(general, entry.layer.values(frame))
            if own is not general or any(part is not None for part in entry.role):
                yield entry.who, *entry.role, own

    def variants(self, base: MergeSettings) -> Iterator[MergeSettings]:
        """`base`, and `base` with each of the values that are named anywhere: what may come up in some frame."""
        yield base
        for layer in self._layers():
            for name, value in layer.settings.items():
                yield changed(base, {name: value})
            for name, keys in layer.keys.items():
                yield from (changed(base, {name: key.value}) for key in keys)

    def _layers(self) -> Iterator[Layer]:
        yield from (self.plate, *self.shots, *(entry.layer for entry in self.faces))

    def largest(self, control: str, base: MergeSettings) -> float:
        """The largest value that a number has in any frame and face; not less than that of `base`."""
        values = [float(getattr(base, control))]
        for layer in self._layers():
            given = [layer.settings.get(control), *(key.value for key in layer.keys.get(control, ()))]
            values += [float(value) for value in given if isinstance(value, int | float)]
        return max(values)

    def describe(self) -> list[str]:
        """What they say, as lines for a person."""
        lines = [f"  {line}" for line in _told_of(self.plate)]
        lines = ["all frames:", *lines] if lines else []
        for shot in self.shots:
            lines += [f"frames {shot.start} to {shot.stop}, without the last:", *(f"  {x}" for x in _told_of(shot))]
        for entry in self.faces:
            with_what = f"swapped with '{entry.model}'" if entry.model else "swapped"
            with_what = "left as it is" if entry.swap is False else with_what
            lines += [f"{entry.who}: {with_what}", *(f"  {line}" for line in _told_of(entry.layer))]
        return lines or ["Nothing is set: every frame is merged as the command line says."]


_KNOWN: WeakValueDictionary[tuple[Any, ...], MergeSettings] = WeakValueDictionary()


def changed(base: MergeSettings, values: Mapping[str, Value]) -> MergeSettings:
    """The settings `base` with other values: the one object of these settings (see `Keys.at`)."""
    plain = tuple(values.get(name, getattr(base, name)) for name in controls())
    identity = tuple((type(value), value) for value in plain)  # 1 and True are equal
    known = _KNOWN.get(identity)
    if known is None:
        known = _KNOWN[identity] = MergeSettings(**dict(zip(controls(), plain, strict=True)))
    return known


def _pure_values(settings: MergeSettings) -> list[Any]:
    return [[name, getattr(settings, name)] for name in controls()]


def _told_of(layer: Layer) -> list[str]:
    lines = [f"{name} = {json.dumps(value)}" for name, value in layer.settings.items() if name not in layer.keys]
    for name, keys in layer.keys.items():
        steps = ", ".join(
            f"{json.dumps(key.value)} at {key.frame}{f' ({key.ease})' if key.ease != 'linear' else ''}" for key in keys
        )
        lines.append(f"{name} = {steps}")
    return lines
