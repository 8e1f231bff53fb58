"""A performer's head as a mesh: where every point goes for a pose.

Space: pixels of the frame at rest; z in the same unit, away from the camera positive. The rig covers the frame and a
margin around it. Its points are the 468 of the face mesh, then a grid for hair, neck, shoulders and surroundings.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import Delaunay

from konterfei.performers import anatomy
from konterfei.performers.motion import Pose
from konterfei.performers.raster import Float, smooth_step

FULL_FACE, UPPER_FACE, LOWER_FACE = "full", "upper", "lower"

CHANNELS: dict[str, tuple[str, str]] = {
    "smile": ("happy", FULL_FACE),
    "jaw": ("surprised", LOWER_FACE),
    "wide": ("scared", LOWER_FACE),
    "surprise": ("surprised", UPPER_FACE),
    "frown": ("angry", UPPER_FACE),
}
"""Expression of a `Pose` -> source picture and the part of the face that it moves. A performer may name another
picture for "jaw"."""

WIDEST = 0.24
"""Most that "jaw" parts the lips, in eye distances."""


def channels_of(open_mouth: str) -> dict[str, tuple[str, str]]:
    """`CHANNELS` of a performer whose best picture of an open mouth is `open_mouth`."""
    return CHANNELS | {"jaw": (open_mouth, LOWER_FACE)}


@dataclass(frozen=True)
class Rig:
    """A head that can be posed. V points, T triangles."""

    rest: Float
    """Points of the portrait. [V, 3]"""
    opened: Float
    """Points with eyes and mouth open, where every triangle shows its face. [V, 3]"""
    triangles: NDArray[np.int32]
    """[T, 3]"""
    moves: dict[str, Float]
    """Channel -> displacement of every point at full weight. [V, 3]"""
    glances: dict[str, Float]
    """Channel -> displacement of the image-left and the image-right iris at full weight. [2, 3]"""
    closing: Float
    """Displacement that closes the lids of the face at rest. [V, 3]"""
    headness: Float
    """1 = moves with the head, 0 = with the shoulders. [V]"""
    pivot: Float
    """Middle of the head, about which it turns and nods. [3]"""
    neck: Float
    """Point about which it tilts. [2]"""
    eye_distance: float
    """Distance of the outer corners of the eyes, pixels."""

    def shape(self, pose: Pose) -> Float:
        """Points with the expression of `pose`, head still at rest. [V, 3]"""
        points = self.rest.copy()
        for channel, move in self.moves.items():
            weight = getattr(pose, channel)
            if weight > 0:
                points += np.float32(weight) * move
        if pose.blink > 0:
            points += np.float32(pose.blink) * (self._lids_shut(points) + self.closing)
        return points

    def _lids_shut(self, points: Float) -> Float:
        """What the lids still lack to be shut at full blink, because the expression has opened them. [V, 3]"""
        opened = points - self.rest
        out = np.zeros_like(points)
        for upper, lower, fold in zip(anatomy.UPPER_LID, anatomy.LOWER_LID, anatomy.UPPER_FOLD, strict=True):
            top = list(upper[1:-1])
            edge = np.interp(points[top, 0], points[list(lower), 0], opened[list(lower), 1])
            out[top, 1] = edge - opened[top, 1]
            out[list(fold), 1] = 0.42 * out[top, 1]
        return out

    def iris(self, pose: Pose, eye: int, centre: Float, radius: float) -> Float:
        """Where the middle of an iris is with the expression and the gaze of `pose`, head at rest. [3]

        Args:
            pose: what is done.
            eye: 0 = image-left, 1 = image-right.
            centre: at rest. [3]
            radius: of the iris, pixels.
        """
        out = centre + np.array([*pose.gaze, 0.0], np.float32) * np.float32(radius)
        for channel, glance in self.glances.items():
            out = out + np.float32(getattr(pose, channel)) * glance[eye]
        return out.astype(np.float32)

    def place(self, points: Float, pose: Pose, frame_side: int) -> Float:
        """Turns the head and moves it: from `shape` to pixels of the frame (and depth). [V, 3]"""
        return self.transform(points, self.headness, pose, frame_side)

    def transform(self, points: Float, headness: Float, pose: Pose, frame_side: int) -> Float:
        """`place` for any points with their own headness. [N, 3], [N] -> [N, 3]"""
        return move_head(points, headness, pose, frame_side, self.pivot, self.neck, self.eye_distance)


def move_head(
    points: Float, headness: Float, pose: Pose, frame_side: int, pivot: Float, neck: Float, eye_distance: float
) -> Float:
    """Points of a head, or of what is fastened to one, moved from rest to `pose`. [N, 3]

    Args:
        points: pixels of the frame, and depth. [N, 3]
        headness: 1 = moves with the head, 0 = with the shoulders. [N]
        pose: what is done.
        frame_side: pixels.
        pivot: middle of the head, about which it turns and nods. [3]
        neck: point about which it tilts. [2]
        eye_distance: distance of the outer corners of the eyes, pixels.
    """
    turned = (points - pivot) @ _rotation(pose.yaw, pose.pitch).T + pivot
    near = 1.0 - (turned[:, 2:] - points[:, 2:]) / (9.0 * eye_distance)  # a camera about 80 cm away
    flat = pivot[:2] + (turned[:, :2] - pivot[:2]) * near
    c, s = np.cos(pose.roll), np.sin(pose.roll)
    flat = (flat - neck) @ np.array([[c, s], [-s, c]], np.float32) + neck
    flat = flat + np.array(pose.shift, np.float32) * frame_side
    still = points[:, :2] + np.array(pose.sway, np.float32) * frame_side
    h = headness[:, None]
    centre = np.float32((frame_side - 1) / 2)
    out = np.empty_like(points)
    out[:, :2] = (h * flat + (1 - h) * still - centre) * np.float32(pose.zoom) + centre
    out[:, 2] = headness * turned[:, 2] + (1 - headness) * points[:, 2]
    return out


def _rotation(yaw: float, pitch: float) -> Float:
    """Turn, then nod; z points away from the camera, so positive yaw moves the nose to the image's right."""
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    turn = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    return (nod @ turn).astype(np.float32)


def build_rig(
    portrait: Float, expressions: dict[str, Float], channels: dict[str, tuple[str, str]], low: float, high: float
) -> Rig:
    """The rig of one person.

    Args:
        portrait: mesh of the portrait in frame pixels. [478, 3]
        expressions: mesh of each expression's picture in the picture's own pixels, by name; "neutral" among them.
        channels: see `channels_of`.
        low: first pixel, in x and in y, that the rig must cover.
        high: last pixel that it must cover.
    """
    face = portrait[: anatomy.NUM_SKIN].astype(np.float32)
    eye_distance = float(np.linalg.norm(face[263, :2] - face[33, :2]))
    aligned = {name: _align(mesh, portrait) for name, mesh in expressions.items()}
    whole = {c: aligned[e] - aligned["neutral"] for c, (e, _) in channels.items()}
    part = _parts(face, eye_distance)
    moves = {c: whole[c][: len(face)] * part[p][:, None] for c, (_, p) in channels.items()}
    glances = {c: whole[c][[468, 473]] * (p != LOWER_FACE) for c, (_, p) in channels.items()}
    for channel in ("jaw", "wide"):
        moves[channel] -= moves[channel][[1, 4, 5]].mean(axis=0) * part[LOWER_FACE][:, None]  # the nose does not chew
        _drop_jaw(moves[channel], face, eye_distance)
    gap = float(moves["jaw"][14, 1] - moves["jaw"][13, 1])
    moves["jaw"] *= min(1.0, WIDEST * eye_distance / gap)
    for move in moves.values():
        _follow_lips(move, face)
    moves["pucker"] = _pucker(face, eye_distance)

    outer = _outer_points(face, eye_distance, low, high)
    face[:, 2] = _rounded(face, eye_distance)
    pivot_z = float(face[[234, 454], 2].mean()) + 0.1 * eye_distance
    flat = np.concatenate([face[:, :2], outer])
    mesh = Delaunay(flat).simplices
    outer_z = pivot_z + _spread(flat, mesh, len(face), 0.45 * eye_distance) @ (face[:, 2] - pivot_z)
    follow = _spread(flat, mesh, len(face), 0.30 * eye_distance)
    rest = np.concatenate([face, np.column_stack([outer, outer_z])]).astype(np.float32)
    moves = {c: np.concatenate([m, follow @ m]).astype(np.float32) for c, m in moves.items()}

    chin_y = float(face[152, 1])
    headness = np.ones(len(rest), np.float32)
    headness[len(face) :] = smooth_step(outer[:, 1], chin_y + 0.95 * eye_distance, chin_y - 0.35 * eye_distance)
    opened = rest + 0.4 * moves["jaw"] + 0.3 * moves["surprise"]
    return Rig(
        rest=rest,
        opened=opened,
        triangles=_triangulate(opened[:, :2], len(face)),
        moves=moves,
        glances=glances,
        closing=_closing(rest),
        headness=headness,
        pivot=np.array([face[[234, 454], 0].mean(), face[[234, 454], 1].mean(), pivot_z], np.float32),
        neck=np.array([face[152, 0], chin_y + 0.5 * eye_distance], np.float32),
        eye_distance=eye_distance,
    )


def _triangulate(points: Float, num_face: int) -> NDArray[np.int32]:
    """Delaunay triangles without the slivers along the border of the grid. [T, 3]"""
    triangles = Delaunay(points).simplices.astype(np.int32)
    a, b, c = (points[triangles[:, k]].astype(np.float64) for k in range(3))
    double_area = np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    longest = np.maximum.reduce([((p - q) ** 2).sum(axis=1) for p, q in ((a, b), (b, c), (c, a))])
    return triangles[(double_area > 0.02 * longest) | (triangles < num_face).any(axis=1)]


def _rounded(face: Float, eye_distance: float) -> Float:
    """Depth that becomes a plain round head towards the rim, so that a turn keeps the outline of cheek and jaw smooth.

    The measured depth jumps from point to point there, and falls so steeply that the far cheek would fold over. [468]
    """
    x, y = ((face[:, :2] - face[:, :2].mean(axis=0)) / eye_distance).T
    basis = np.stack([np.ones_like(x), y, x * x, y * y], axis=1)
    head = basis @ np.linalg.lstsq(basis, face[:, 2], rcond=None)[0]
    rim = np.ascontiguousarray(face[list(anatomy.OVAL), :2])
    depth_inside = [cv2.pointPolygonTest(rim, (float(px), float(py)), True) / eye_distance for px, py in face[:, :2]]
    inner = smooth_step(np.array(depth_inside, np.float32), 0.0, 0.42)
    return (head + inner * (face[:, 2] - head)).astype(np.float32)


def _align(mesh: Float, onto: Float) -> Float:
    """Moves, turns and scales a mesh in space so that its rigid points fit (Umeyama 1991). [N, 3]"""
    rigid = list(anatomy.RIGID)
    a, b = mesh[rigid].astype(np.float64), onto[rigid].astype(np.float64)
    ma, mb = a.mean(axis=0), b.mean(axis=0)
    u, d, vt = np.linalg.svd((b - mb).T @ (a - ma))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = float((d * sign).sum() / ((a - ma) ** 2).sum())
    return ((mesh - ma) @ rotation.T * scale + mb).astype(np.float32)


def _parts(face: Float, eye_distance: float) -> dict[str, Float]:
    """How much each skin point moves with the upper, the lower and the whole face. [468] in [0, 1]"""
    y = (face[:, 1] - face[1, 1]) / eye_distance
    ears = face[[132, 234, 361, 454], :2]
    from_ears = np.sqrt(((face[:, None, :2] - ears) ** 2).sum(axis=-1).min(axis=1)) / eye_distance
    free = 0.25 + 0.75 * smooth_step(from_ears, 0.05, 0.45)  # near the ears everything is held by the skull
    return {
        FULL_FACE: free.astype(np.float32),
        LOWER_FACE: (free * smooth_step(y, -0.18, 0.12)).astype(np.float32),
        UPPER_FACE: (free * smooth_step(y, -0.10, -0.45)).astype(np.float32),
    }


def _drop_jaw(move: Float, face: Float, eye_distance: float) -> None:
    """Lets lower lip and chin follow the jaw as a whole; measured meshes squeeze the chin, more so under a beard."""
    inner = list(anatomy.LOWER_LIP[0][1:-1])
    for row in anatomy.LOWER_LIP[1:]:
        outer = list(row[1:-1])
        move[outer, 1] += 0.5 * (move[inner, 1] - move[outer, 1])
    rim = list(anatomy.LOWER_LIP[-1])
    lip_y = np.interp(face[:, 0], face[rim, 0], face[rim, 1])
    below = (face[:, 1] - lip_y) / eye_distance
    aside = (face[:, 0] - face[17, 0]) / eye_distance
    chin = smooth_step(below, -0.03, 0.03) * np.exp(-0.5 * (aside / 0.62) ** 2)
    nearby, jaw = np.interp(face[:, 0], face[rim, 0], move[rim, 1]), 0.76 * move[17, 1]
    goal = nearby + smooth_step(below, 0.02, 0.35) * (jaw - nearby)
    chin[list(anatomy.AROUND_LIPS)] = 1.0
    for row in anatomy.LOWER_LIP:
        chin[list(row)] = 0.0
    move[:, 1] += chin * np.maximum(goal - move[:, 1], 0.0) * (below > -0.03)


def _follow_lips(move: Float, face: Float) -> None:
    """Takes the skin next to the lips along, so that moving corners do not run over it."""
    lips = np.array(anatomy.OUTER_LIPS)
    around = np.array(anatomy.AROUND_LIPS)
    nearest = lips[((face[around, None, :2] - face[lips, :2]) ** 2).sum(axis=-1).argmin(axis=1)]
    move[around] += 0.55 * (move[nearest] - move[around])


def _pucker(face: Float, eye_distance: float) -> Float:
    """Draws the corners of the mouth together and the lips forward. [468, 3]"""
    mouth = face[[61, 291]].mean(axis=0)
    offset = face - mouth
    near = np.exp(-0.5 * ((offset[:, 0] / (0.42 * eye_distance)) ** 2 + (offset[:, 1] / (0.30 * eye_distance)) ** 2))
    move = np.zeros_like(face)
    move[:, 0] = -0.34 * offset[:, 0] * near
    move[:, 1] = 0.10 * offset[:, 1] * near
    move[:, 2] = -0.07 * eye_distance * near
    return move


def _outer_points(face: Float, eye_distance: float, low: float, high: float) -> Float:
    """A grid around the face, finer near it. [N, 2]"""
    step = 0.28 * eye_distance
    axis = np.linspace(low, high, int((high - low) / step) + 2, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    middle = face[:, :2].mean(axis=0)
    rim = face[list(anatomy.OVAL), :2]
    rings = [middle + (rim - middle) * scale for scale in (1.07, 1.16)]
    grid = grid[_hull_distance(grid, face) > 0.24 * eye_distance]
    return np.concatenate([*rings, grid]).astype(np.float32)


def _hull_distance(points: Float, face: Float) -> Float:
    """Distance from the face's outline, 0 inside. [N] pixels"""
    rim = np.ascontiguousarray(face[list(anatomy.OVAL), :2])
    return np.array([max(0.0, -cv2.pointPolygonTest(rim, (float(x), float(y)), True)) for x, y in points], np.float32)


def _spread(points: Float, triangles: NDArray[np.int32], num_face: int, reach: float) -> Float:
    """How much each outer point follows each point of the face: smooth, fading to nothing. [V - num_face, num_face]

    The screened Poisson equation on the mesh's edges, with the face as its boundary.

    Args:
        points: [V, 2]; the first `num_face` are the face.
        triangles: [T, 3]
        num_face: number of points that are given.
        reach: distance in pixels over which the influence falls to 1/e.
    """
    edges = np.unique(
        np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1), axis=0
    )
    squared = ((points[edges[:, 0]] - points[edges[:, 1]]) ** 2).sum(axis=1)
    ends = np.concatenate([edges, edges[:, ::-1]])
    count = len(points)
    weight = np.concatenate([1.0 / squared, 1.0 / squared])
    graph = sparse.csr_matrix((weight, (ends[:, 0], ends[:, 1])), shape=(count, count))
    degree = np.asarray((graph > 0).sum(axis=1)).ravel()
    system = (sparse.diags(np.asarray(graph.sum(axis=1)).ravel() + degree / (4.0 * reach**2)) - graph).tocsr()
    known = -system[num_face:, :num_face].toarray()
    return splu(system[num_face:, num_face:].tocsc()).solve(known).astype(np.float32)


def _closing(rest: Float) -> Float:
    """Moves the upper lids down onto the lower ones, which rise a little. [V, 3]"""
    move = np.zeros_like(rest)
    eyes = zip(anatomy.UPPER_LID, anatomy.LOWER_LID, anatomy.UPPER_FOLD, anatomy.LOWER_FOLD, strict=True)
    for upper, lower, fold, under in eyes:
        top, bottom = list(upper[1:-1]), list(lower[1:-1])
        # closed lids meet in a smooth arc: a parabola through the corners, near the lower lid
        left, right = rest[lower[0], :2], rest[lower[-1], :2]
        along = (rest[:, 0] - left[0]) / (right[0] - left[0])
        chord = left[1] + along * (right[1] - left[1])
        sag = float(np.mean((rest[bottom, 1] - chord[bottom]) / (4 * along[bottom] * (1 - along[bottom]))))
        line = chord + 0.80 * sag * 4 * along * (1 - along)
        move[top, 1] = line[top] - rest[top, 1]
        move[bottom, 1] = line[bottom] - rest[bottom, 1]
        move[list(fold), 1] = 0.42 * move[top, 1]
        move[list(under), 1] = 0.45 * move[bottom, 1]
    return move
