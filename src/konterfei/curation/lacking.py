"""What a shot asks for and its source lacks: poses, expressions and light of its frames that no src face is near.

The space: every face is a point whose coordinates are divided by their *tolerance*, the difference that a model is
trusted to bridge. Distance is the largest difference of any coordinate, so "within 1" reads: within the tolerance in
everything at once. Three such spaces are asked: pose; pose with expression; pose with light. (All in one would ask
for each expression in each light in each pose, which no source has and no model needs.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Array = NDArray[Any]

TOLERANCES: Final = {
    "pose": {"yaw": 12.0, "pitch": 12.0},
    "expression": {"mouth_open": 0.12, "mouth_width": 0.15, "eyes_open": 0.35},
    "light": {"light_side": 0.35, "light_height": 0.35},
}
"""Kind -> axis -> how far a src face may be away and still serve. Degrees; distances of the eyes, from the person's
own usual; eyes_open as a share of the person's usual opening; light as `curation.light` says."""

KINDS: Final = tuple(TOLERANCES)


@dataclass(frozen=True, kw_only=True, eq=False)
class Nearest:
    """For each frame of a shot, how near the source comes.

    Attributes:
        distance: kind -> to the nearest src face in the space of that kind (with pose, where it is not pose itself),
            in tolerances. [N]
        row: kind -> which src face that is. [N] int64
    """

    distance: dict[str, Array]
    row: dict[str, Array]

    def lacking(self) -> Array:
        """For each frame the first kind that is lacking, as an index into `KINDS`; -1 where nothing is. [N] int64"""
        worst = np.full(len(self.distance["pose"]), -1, np.int64)
        for index in range(len(KINDS) - 1, -1, -1):
            worst[self.distance[KINDS[index]] > 1.0] = index
        return worst

    def covered(self, kind: str) -> float:
        """Share of the frames whose nearest src face is within the tolerances of the kind."""
        return float((self.distance[kind] <= 1.0).mean()) if len(self.distance[kind]) else 1.0


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A stretch of the shot whose frames lack one thing.

    Attributes:
        kind: pose, expression or light.
        rows: of the shot's faces that lack it, ascending in time.
        worst: row of the one that is farthest from the source.
        nearest: row of the src face nearest to that one.
        distance: between the two, in tolerances.
    """

    kind: str
    rows: tuple[int, ...]
    worst: int
    nearest: int
    distance: float


def nearest(shot: dict[str, Array], source: dict[str, Array]) -> Nearest:
    """How near the source comes to each of the shot's faces.

    Args:
        shot, source: axis -> [N], [M]; all axes of `TOLERANCES`. M > 0
    """
    distance: dict[str, Array] = {}
    row: dict[str, Array] = {}
    for kind in KINDS:
        axes = {**TOLERANCES["pose"], **TOLERANCES[kind]}
        tree = cKDTree(_places(source, axes))
        found, rows = tree.query(_places(shot, axes), p=np.inf)
        distance[kind], row[kind] = np.asarray(found, np.float64), np.asarray(rows, np.int64)
    return Nearest(distance=distance, row=row)


def gaps(found: Nearest, strands: Array, seconds: Array, pause: float = 0.5) -> list[Gap]:
    """The lacking frames, gathered to stretches of time: the one with most frames first.

    Args:
        found: of `nearest`.
        strands: whose and from where each of the shot's faces is: stretches do not go over from one to another. [N]
        seconds: when it is shown. [N]
        pause: seconds without a lacking frame after which a new stretch begins
    """
    lacking = found.lacking()
    made = []
    for index, kind in enumerate(KINDS):
        for strand in np.unique(strands):
            rows = np.flatnonzero((lacking == index) & (strands == strand))
            rows = rows[np.argsort(seconds[rows], kind="stable")]
            if not len(rows):
                continue
            for part in np.split(rows, np.flatnonzero(np.diff(seconds[rows]) > pause) + 1):
                worst = int(part[np.argmax(found.distance[kind][part])])
                made.append(
                    Gap(
                        kind=kind,
                        rows=tuple(int(n) for n in part),
                        worst=worst,
                        nearest=int(found.row[kind][worst]),
                        distance=float(found.distance[kind][worst]),
                    )
                )
    return sorted(made, key=lambda gap: (-len(gap.rows), KINDS.index(gap.kind), gap.rows))


def _places(axes: dict[str, Array], tolerances: dict[str, float]) -> Array:
    return np.stack([np.asarray(axes[name], np.float64) / most for name, most in tolerances.items()], axis=1)
