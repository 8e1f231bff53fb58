"""The order of a faceset's crops as data: `order.json` beside them. Files are never renamed for it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from konterfei.errors import FacesetError
from konterfei.io.atomic import write_json

ORDER_NAME = "order.json"
SHEET_NAME = "order.png"
"""The picture of the order; no JPEG, which in a faceset would be a crop."""
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class FacesetOrder:
    """Crops in the order that a person asked for.

    Attributes:
        by: name of the sorter.
        names: file names, first to last.
        values: what each was ordered by, as long as `names`; None where there is no such figure.
        about: what the values are, for people.
    """

    by: str
    names: tuple[str, ...]
    values: tuple[float | None, ...]
    about: str = ""

    def __post_init__(self) -> None:
        if len(self.names) != len(self.values) or len(set(self.names)) != len(self.names):
            raise ValueError("an order needs one value for each name, and each name once")

    def over(self, present: Iterable[str]) -> Self:
        """The order of the crops that are there: names that are gone are left out, new ones come last."""
        there = list(present)
        known, values = set(self.names), dict(zip(self.names, self.values, strict=True))
        here = set(there)
        names = [name for name in self.names if name in here]
        names += [name for name in there if name not in known]
        return type(self)(
            by=self.by, names=tuple(names), values=tuple(values.get(name) for name in names), about=self.about
        )

    def save(self, folder: Path) -> None:
        """Write it beside the crops. Raises OutputError."""
        values = [None if value is None or not math.isfinite(value) else float(value) for value in self.values]
        write_json(
            folder / ORDER_NAME,
            {"version": _VERSION, "by": self.by, "about": self.about, "names": list(self.names), "values": values},
        )

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """The order kept in `folder`, None where none is. Raises FacesetError when its file is damaged."""
        path = folder / ORDER_NAME
        try:
            data = json.loads(path.read_text("utf-8"))
            if data["version"] != _VERSION:
                raise ValueError(f"version {data['version']}; this konterfei reads {_VERSION}")
            values = tuple(None if value is None else float(value) for value in data["values"])
            return cls(by=str(data["by"]), names=tuple(map(str, data["names"])), values=values, about=data["about"])
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FacesetError(f"Cannot read '{path}': {error.strerror}. Check its permissions.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise FacesetError(f"'{path}' is damaged ({error}). Delete it and sort again.") from error
