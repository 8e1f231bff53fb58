"""Layers of settings over the frames of a plate: values, and keys between which numbers are interpolated."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, get_args, get_type_hints

from konterfei.compositing.settings import MergeSettings

Value = float | int | bool | str | None
OTHERS: Final = "others"
"""In the place of a person: everybody whom no other entry names."""

EASES: Final[Mapping[str, Callable[[float], float]]] = {
    "linear": lambda t: t,
    "smooth": lambda t: t * t * (3 - 2 * t),  # the cubic that is level at both ends
    "hold": lambda t: 0.0,
}
"""How a number goes from one key (0) to the next (1): name -> share of the way at each part of the time."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True)
class Key:
    """A control's value at a frame. `ease` is the way there from the key before."""

    frame: int
    value: Value
    ease: str = "linear"


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Values of some controls, over some frames.

    Attributes:
        settings: control -> value.
        keys: control -> its keys, by frame.
        start, stop: frames that it is for; stop is not one of them, None = to the end.
    """

    settings: Mapping[str, Value] = field(default_factory=dict)
    keys: Mapping[str, tuple[Key, ...]] = field(default_factory=dict)
    start: int = 0
    stop: int | None = None

    def values(self, frame: int) -> Mapping[str, Value]:
        """Control -> value at `frame`, of those that this layer names."""
        if frame < self.start or (self.stop is not None and frame >= self.stop):
            return _NOTHING
        return {**self.settings, **{name: value_at(name, keys, frame) for name, keys in self.keys.items()}}


@dataclass(frozen=True, kw_only=True)
class FaceEntry:
    """What one face, or the faces of one person, are swapped with, and how.

    Attributes:
        track: number of its track in the faceset; None = all of `person`.
        person: number in the faceset, or OTHERS; None = only `track` says who it is.
        swap: False = the face is left as it is; None = nothing is said.
        model: folder of the run to draw it with; None = that of the command line.
        snapshot, morph: as on the command line; None = as there.
        consent: record of that model's src person; needed with `model`.
        use: what the result is for, as that record names it; None = as on the command line.
        layer: settings and keys of this face.
    """

    track: int | None = None
    person: int | str | None = None
    swap: bool | None = None
    model: Path | None = None
    snapshot: str | None = None
    morph: float | None = None
    consent: Path | None = None
    use: str | None = None
    layer: Layer = field(default_factory=Layer)

    @property
    def role(self) -> tuple[bool | str | float | None, ...]:
        """What the face is drawn with, in plain values."""
        return self.swap, None if self.model is None else str(self.model), self.snapshot, self.morph

    @property
    def who(self) -> str:
        """In words, as the file has it: "track 3"."""
        if self.track is not None:
            return f"track {self.track}"
        return OTHERS if self.person == OTHERS else f"person {self.person}"


def value_at(control: str, keys: tuple[Key, ...], frame: int) -> Value:
    """The value of a control at a frame.

    Args:
        control: its name.
        keys: at least one, by frame.
        frame: index.
    """
    number = bisect_right(keys, frame, key=lambda key: key.frame)
    if number == 0:
        return keys[0].value
    last = keys[number - 1]
    if number == len(keys) or last.frame == frame or controls()[control] not in (float, int):
        return last.value
    after = keys[number]
    before, then = _number(last.value), _number(after.value)
    share = EASES[after.ease]((frame - last.frame) / (after.frame - last.frame))
    value = min(max(before + (then - before) * share, min(before, then)), max(before, then))
    return value if controls()[control] is float else round(value)


def _number(value: Value) -> float:
    assert isinstance(value, int | float)
    return float(value)


@cache
def controls() -> Mapping[str, type]:
    """What can be keyed: name of each control of `MergeSettings` -> float, int, bool, or str for a name."""
    hints = get_type_hints(MergeSettings)
    kinds = {}
    for item in fields(MergeSettings):
        hint: Any = hints[item.name]
        hint = next((part for part in get_args(hint) if part in (float, int, bool, str)), hint)
        kinds[item.name] = hint if hint in (float, int, bool) else str
    return MappingProxyType(kinds)
