"""The list of portraits that the base models learn from or are measured on (portraits.txt, described in README.md)."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from konterfei.io.faceset import FaceRecord

LIST = Path(__file__).resolve().parent / "portraits.txt"
USES = ("train", "held", "out")
LABELS = ("tone", "age_group", "glasses", "beard", "hat")
NEAR = 0.25
"""How far a face may lie from where the list says, in its own sizes, to be the one that is meant."""


@dataclass(frozen=True)
class Portrait:
    """One line of the list: one face of one picture."""

    file: str
    x: int
    """Middle of the face in the picture, pixels from the left."""
    y: int
    """The same from the top."""
    family: str
    """The mosaic that the picture was cut from."""
    use: str
    """train, held (never to be trained on) or out (of no use)."""
    reason: str
    """Why it is out; else empty."""
    yaw: int
    """How far the head is turned, degrees; > 0 with the nose to the image's left."""
    tone: str
    ita: int
    """Individual typology angle of the brighter cheek, degrees: of this light, so noisy."""
    age: int
    """Years, as HSE-FaceRes guesses."""
    age_group: str
    glasses: str
    beard: str
    hat: str

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups it is counted in: 'tone dark', 'yaw 30' (30 to 45 degrees; 45 has no end) and so on."""
        named = (f"{name.removesuffix('_group')} {getattr(self, name)}" for name in LABELS)
        return (f"yaw {min(45, abs(self.yaw) // 15 * 15)}", *named)


def read_list(path: Path = LIST) -> list[Portrait]:
    """All lines, in order. Raises ValueError where a line is not one."""
    whole = {"x", "y", "yaw", "ita", "age"}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    portraits = [Portrait(**{k: int(v) if k in whole else v for k, v in row.items()}) for row in rows]
    if wrong := {one.use for one in portraits} - set(USES):
        raise ValueError(f"'{path}' has the uses {sorted(wrong)}; known are {', '.join(USES)}")
    return portraits


def found(portraits: Sequence[Portrait], records: Sequence[FaceRecord]) -> dict[int, FaceRecord]:
    """Which record of an extraction is which portrait: by the picture's name and where in it the face lies.

    Args:
        portraits: of the list.
        records: of an extraction of the pictures; those of faces that are not in `portraits` are passed over.

    Returns:
        Number of the portrait -> its record. A portrait that nobody found is missing.
    """
    by_file: dict[str, list[FaceRecord]] = {}
    for record in records:
        by_file.setdefault(record.source.rpartition("/")[2], []).append(record)
    matches = {}
    for number, one in enumerate(portraits):
        near = [(_distance(one, record), record) for record in by_file.get(one.file, ())]
        if near and min(near, key=lambda pair: pair[0])[0] < NEAR:
            matches[number] = min(near, key=lambda pair: pair[0])[1]
    return matches


def _distance(portrait: Portrait, record: FaceRecord) -> float:
    away = np.asarray(record.face.centre, np.float64) - (portrait.x, portrait.y)
    return float(np.hypot(*away)) / max(record.face.size, 1.0)
