"""Which ways a faceset's heads look: a map of yaw by pitch, how many faces in each cell, the best of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

YAW_EDGES: Final = (-90.0, -75.0, -60.0, -45.0, -30.0, -20.0, -10.0, 10.0, 20.0, 30.0, 45.0, 60.0, 75.0, 90.0)
"""Degrees; finer where most faces are and a swap is looked at longest."""
PITCH_EDGES: Final = (-60.0, -40.0, -25.0, -15.0, -5.0, 5.0, 15.0, 25.0, 40.0, 60.0)
"""Degrees from `PITCH_AHEAD`, ascending: looking down to looking up."""
PITCH_AHEAD: Final = -8.0
"""Pitch that a record has of a head that looks straight into the camera, degrees: the mean head of the estimate has
another brow and chin than people have. Median of seven people of whom it is known; they differ by 6 either way."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PoseMap:
    """Faces counted by yaw and pitch.

    Attributes:
        yaw_edges, pitch_edges: limits of the cells, degrees, ascending, pitch from `PITCH_AHEAD`. What lies beyond
            counts in the outermost.
        counts: [pitches, yaws] int
        best: row of the best face in each cell, -1 where there is none. [pitches, yaws] int
    """

    yaw_edges: tuple[float, ...]
    pitch_edges: tuple[float, ...]
    counts: Array
    best: Array

    @property
    def filled(self) -> int:
        """Cells with a face."""
        return int((self.counts > 0).sum())

    def spread(self) -> float:
        """How evenly the faces fill the cells that they are in: 1 = evenly, towards 0 = nearly all in one.

        The exponential of the entropy of the shares, by the number of cells that are filled.
        """
        shares = self.counts[self.counts > 0] / max(1, self.counts.sum())
        return float(np.exp(-(shares * np.log(shares)).sum()) / max(1, len(shares)))


def cells(pitch: Array, yaw: Array) -> tuple[Array, Array]:
    """Row (pitch) and column (yaw) of each pose in the map.

    Args:
        pitch, yaw: degrees, as in records. [N]

    Returns:
        two [N] int64
    """
    rows = np.digitize(np.asarray(pitch, np.float64) - PITCH_AHEAD, PITCH_EDGES[1:-1])
    columns = np.digitize(np.asarray(yaw, np.float64), YAW_EDGES[1:-1])
    return rows, columns


def pose_map(pitch: Array, yaw: Array, quality: Array) -> PoseMap:
    """The map of a faceset.

    Args:
        pitch, yaw: degrees; signs as `geometry.pose` says. [N]
        quality: the more, the better an example. [N]
    """
    shape = len(PITCH_EDGES) - 1, len(YAW_EDGES) - 1
    rows, columns = cells(pitch, yaw)
    cell = rows * shape[1] + columns
    counts = np.bincount(cell, minlength=shape[0] * shape[1])
    best = np.full(shape[0] * shape[1], -1, np.int64)
    order = np.argsort(np.nan_to_num(np.asarray(quality, np.float64), nan=-np.inf), kind="stable")
    best[cell[order]] = order  # the last one written is the best
    return PoseMap(yaw_edges=YAW_EDGES, pitch_edges=PITCH_EDGES, counts=counts.reshape(shape), best=best.reshape(shape))


def way_of(pitch: float, yaw: float) -> str:
    """A pose in words: "35 degrees to the left and 20 down", as the picture shows it; "straight ahead" within 10.

    Args:
        pitch, yaw: degrees, as in records
    """
    parts, pitch = [], pitch - PITCH_AHEAD
    if abs(yaw) >= 10:
        parts.append(f"{abs(yaw):.0f} degrees to the {'left' if yaw > 0 else 'right'}")
    if abs(pitch) >= 10:
        parts.append(f"{abs(pitch):.0f} {'' if parts else 'degrees '}{'up' if pitch > 0 else 'down'}")
    return " and ".join(parts) or "straight ahead"
