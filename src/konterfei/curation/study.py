"""What a faceset is like, all together; and what a shot asks of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from konterfei.curation.duplicates import DOUBLE_LIMIT, Group, duplicates
from konterfei.curation.duplicates import TOLERANCES as DOUBLE_TOLERANCES
from konterfei.curation.lacking import TOLERANCES, Gap, Nearest, gaps, nearest
from konterfei.curation.light import LIGHTS
from konterfei.curation.limits import Strictness
from konterfei.curation.poses import PoseMap, pose_map, way_of
from konterfei.curation.shapes import EXPRESSIONS
from konterfei.curation.suspicion import Suspicion, suspicions, wrong_rows
from konterfei.curation.traits import Traits
from konterfei.curation.verdict import Criterion, against_a_shot, of_a_set

Array = NDArray[Any]

AXES: Final = {**EXPRESSIONS, **LIGHTS, "sharpness": "sharpness", "height": "height of the face in its frame"}
"""Every axis of which the coverage is drawn, and what it is called."""
_BARS: Final = 20
_MOUTH_IS_OPEN: Final = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """A faceset, judged.

    Attributes:
        traits: its faces.
        found: suspicions by reason.
        wrong, poor: rows that a reason speaks against; a wrong one is not poor too.
        groups: faces that show the same.
        poses: the map of the faces that are not wrong.
        criteria: what the verdict hangs on.
    """

    traits: Traits
    found: Mapping[str, Suspicion]
    wrong: frozenset[int]
    poor: frozenset[int]
    groups: list[Group]
    poses: PoseMap
    criteria: list[Criterion]

    @property
    def num_doubles(self) -> int:
        """Faces that show the same as a better one."""
        return sum(len(group.rows) - 1 for group in self.groups)

    def sound(self) -> Array:
        """Rows of the faces that are not wrong; all of them where all are. [M] int64"""
        rows = np.array([row for row in range(len(self.traits)) if row not in self.wrong], np.int64)
        return rows if len(rows) else np.arange(len(self.traits))


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """A shot and what its source has for it.

    Attributes:
        shot: the shot's faces.
        near: how near the source comes to each of them; its rows are the source's.
        gaps: stretches that lack something, the longest first.
        poses: the shot's map.
        criteria: what the verdict hangs on.
    """

    shot: Traits
    near: Nearest
    gaps: list[Gap]
    poses: PoseMap
    criteria: list[Criterion]

    @property
    def covered(self) -> float:
        """Share of the shot's faces that lack nothing."""
        lacking = self.near.lacking()
        return float((lacking < 0).mean()) if len(lacking) else 1.0


def study(traits: Traits, strictness: Strictness = Strictness.USUAL, *, with_shot: bool = False) -> Study:
    """The faceset, judged by itself.

    Args:
        traits: its faces, one or more.
        strictness: how readily a face is called bad.
        with_shot: leave to the comparison with a shot what it says more exactly
    """
    found = suspicions(traits, strictness)
    wrong = frozenset(wrong_rows(found))
    poor = frozenset(row for suspicion in found.values() for row in suspicion.rows) - wrong
    groups = groups_of(traits)
    rows = np.array([row for row in range(len(traits)) if row not in wrong], np.int64)
    rows = rows if len(rows) else np.arange(len(traits))
    poses = pose_map(traits.pitch[rows], traits.yaw[rows], traits.sharpness[rows])
    poses.best[poses.best >= 0] = rows[poses.best[poses.best >= 0]]
    doubles = {row for group in groups for row in group.rows[1:]}
    low, high = np.quantile(traits.yaw[rows], [0.01, 0.99])
    criteria = of_a_set(
        people=len(np.unique(traits.persons)),
        distinct=len(traits) - len(doubles | wrong),
        wrong=len(wrong) / len(traits),
        poor=len(poor) / len(traits),
        enlargement=float(np.median(traits.enlargements)),
        yaw_span=float(high - low),
        mouth_open=float((traits.axes["mouth_open"][rows] > _MOUTH_IS_OPEN).mean()),
        with_shot=with_shot,
    )
    return Study(traits=traits, found=found, wrong=wrong, poor=poor, groups=groups, poses=poses, criteria=criteria)


def groups_of(traits: Traits) -> list[Group]:
    """Faces that show the same: near in pose, expression and gaze, of one person, and alike in their pictures."""
    corners = traits.shapes[:, [48, 54]].reshape(-1, 4).T
    named = dict(zip(("mouth_left_x", "mouth_left_y", "mouth_right_x", "mouth_right_y"), corners, strict=True))
    named |= {**traits.axes, "yaw": traits.yaw, "pitch": traits.pitch}
    named |= {"gaze_x": traits.gaze[:, 0], "gaze_y": traits.gaze[:, 1]}
    places = [np.nan_to_num(named[axis]) / most for axis, most in DOUBLE_TOLERANCES.items()]
    places.append(traits.persons * 10.0)
    return duplicates(np.stack(places, axis=1), traits.fingerprints, traits.sharpness, DOUBLE_LIMIT)


def compare(source: Study, shot: Traits) -> Comparison:
    """What `shot` asks and `source` lacks; wrong faces of the source count for nothing."""
    rows = source.sound()
    theirs = {name: values[rows] for name, values in source.traits.compared().items()}
    near = nearest(_filled(shot.compared()), _filled(theirs))
    near = Nearest(distance=near.distance, row={kind: rows[found] for kind, found in near.row.items()})
    needed = float(np.quantile(shot.heights, 0.9))
    sharp = source.traits.sharpness[rows]
    sharp = sharp[np.isfinite(sharp)]
    ratio = float("nan")
    if len(sharp) and np.isfinite(shot.sharpness).any():
        better = float(np.median(sharp[sharp >= np.median(sharp)]))
        ratio = better / max(float(np.nanmedian(shot.sharpness)), 1e-9)
    lacking = near.lacking()
    return Comparison(
        shot=shot,
        near=near,
        gaps=gaps(near, shot.strands, shot.seconds),
        poses=pose_map(shot.pitch, shot.yaw, shot.sharpness),
        criteria=against_a_shot(
            covered=float((lacking < 0).mean()),
            height=float(np.median(source.traits.heights[rows])) / max(needed, 1e-9),
            sharpness=ratio,
        ),
    )


def told(gap: Gap, source: Traits, shot: Traits) -> str:
    """A stretch in a sentence: what the shot's face does there and how far the source is from it."""
    count = f"{len(gap.rows)} {'frame' if len(gap.rows) == 1 else 'frames'}"
    pitch, yaw = float(shot.pitch[gap.worst]), float(shot.yaw[gap.worst])
    here, there = shot.compared(), source.compared()

    def change(axis: str) -> float:
        return float(here[axis][gap.worst] - there[axis][gap.nearest])

    if gap.kind == "pose":
        away = max(abs(change("yaw")), abs(change("pitch")))
        mouth = " with the mouth open" if shot.axes["mouth_open"][gap.worst] > _MOUTH_IS_OPEN else ""
        return f"looks {way_of(pitch, yaw)}{mouth}: {count}; the nearest in src is {away:.0f} degrees away"
    if gap.kind == "expression":
        doing = _doing(change)
    else:
        side, height = change("light_side"), change("light_height")
        left_right, up_down = "right" if side > 0 else "left", "above" if height > 0 else "below"
        doing = f"lit more from {'the ' + left_right if abs(side) >= abs(height) else up_down}"
    return f"looks {way_of(pitch, yaw)}, {doing} than any face of src that looks there: {count}"


def bars(values: Array, others: Array | None = None) -> tuple[list[float], list[int], list[int] | None]:
    """Edges and counts of an axis, over both sets' values; their outermost hundredth counts in the outermost bars."""
    known = [v[np.isfinite(v)] for v in (values, *(() if others is None else (others,)))]
    both = np.concatenate(known)
    if not len(both):
        return [0.0, 1.0], [0], None if others is None else [0]
    low, high = (float(limit) for limit in np.quantile(both, [0.005, 0.995]))
    high = high if high > low else low + max(abs(low) * 1e-3, 1e-6)
    edges = np.linspace(low, high, _BARS + 1)
    counts = [np.histogram(np.clip(v, low, high), edges)[0].tolist() for v in known]
    return edges.tolist(), counts[0], counts[1] if others is not None else None


def values_of(traits: Traits, axis: str) -> Array:
    """The values of one of `AXES`. [N]"""
    return {"sharpness": traits.sharpness, "height": traits.heights}.get(axis, traits.axes.get(axis))  # type: ignore[return-value]


def _doing(change: Any) -> str:
    """What the shot's face does that src's nearest does not."""
    words = {
        "mouth_open": ("with the mouth wider open", "with the mouth less open"),
        "mouth_width": ("with a wider mouth", "with a narrower mouth"),
        "eyes_open": ("with the eyes wider open", "with the eyes less open"),
    }
    sizes = {axis: change(axis) / TOLERANCES["expression"][axis] for axis in words}
    axis = max(sizes, key=lambda name: abs(sizes[name]))
    return words[axis][0 if sizes[axis] > 0 else 1]


def _filled(axes: dict[str, Array]) -> dict[str, Array]:
    """Unknown light as the set's median: nothing is said to lack because it was not measured."""
    filled = {}
    for name, values in axes.items():
        known = np.isfinite(values)
        middle = float(np.median(values[known])) if known.any() else 0.0
        filled[name] = np.where(known, values, middle)
    return filled
