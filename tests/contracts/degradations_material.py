"""A swap that is right by construction, and known ways to make it worse: what metrics are validated with.

Two performers rendered with one seed do the same in every frame. The src performer's face, laid over the plate by the
exact landmarks of both, is therefore a swap in which identity, expression, gaze and pose are right, and everything
outside the face is the plate's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.detectors import DETECTORS
from konterfei.geometry import ALIGNED, LEFT_EYE, RIGHT_EYE, Face, Similarity, landmarks_box, smooth_hull_mask
from konterfei.imaging import feather, lab_to_rgb, rgb_to_lab, to_float, to_uint8
from konterfei.io.video import open_frames
from konterfei.landmarkers import LANDMARKERS
from konterfei.metrics import People
from konterfei.metrics.observation import Eyes, Observer, crop_size
from konterfei.performers import PerformerConfig, Truth, read_truth, render_performer
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Silent

Array = NDArray[Any]

SRC, DST, SEED = "P007", "P006", 1
"""Two people without a beard, under which no landmarker sees the jaw."""
FINER = 2
"""Frames of the src person for each of the plate: a face can be late by half a frame."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """The plate, the src person who does the same, and what is true about both. F frames.

    Attributes:
        plate: RGB. [F, H, W, 3] uint8
        other: the src person, in the plate's colours; RGB in [0, 1]. [FINER * F, H, W, 3] float32
        points: exact landmarks of the plate. [F, 68, 2]
        other_points: exact landmarks of the src person. [FINER * F, 68, 2]
        iris: of the plate, exact. [F, 2, 2]
        masks: where the swap is laid over the plate, soft. [F, H, W] float32 in [0, 1]
    """

    plate: Array
    other: Array
    points: Array
    other_points: Array
    iris: Array
    masks: Array

    def face(self, index: int) -> Face:
        """The plate's face, as its faceset has it."""
        points = self.points[index]
        return Face(box=landmarks_box(points), landmarks=points, iris=self.iris[index])

    def __len__(self) -> int:
        return len(self.plate)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames, px."""
        return self.plate.shape[2], self.plate.shape[1]

    @property
    def unit(self) -> float:
        """Mean distance of the eyes' centres, px."""
        eyes = self.points[:, RIGHT_EYE].mean(axis=1) - self.points[:, LEFT_EYE].mean(axis=1)
        return float(np.linalg.norm(eyes, axis=-1).mean())


def make_scene(folder: Path, size: int = 208, fps: int = 10, seconds: float = 2.5) -> Scene:
    """Renders both performers into `folder`, or takes what lies there. Raises ConfigError without openpeople.

    The usual 2.5 seconds hold speech, blinks and a glance aside; the eyes are 40 px apart.
    """
    frames: dict[str, Array] = {}
    truths: dict[str, Truth] = {}
    for person in (SRC, DST):
        clip = folder / f"{person}.mp4"
        config = PerformerConfig(
            person=person,
            set_of=DST,
            output=clip,
            seconds=seconds,
            fps=Fraction(fps if person == DST else FINER * fps),
            size=size,
            seed=SEED,
            sound=False,
        )
        render_performer(config, Silent())
        frames[person] = np.stack([frame.image for frame in open_frames(clip)])
        truths[person] = read_truth(clip)
    points = truths[DST].landmarks
    masks = np.stack([feather(smooth_hull_mask(p, (size, size)), 0.05 * size) for p in points])
    return Scene(
        plate=frames[DST],
        other=_in_colours_of(frames[DST], masks, frames[SRC], truths[SRC].landmarks),
        points=points,
        other_points=truths[SRC].landmarks,
        iris=truths[DST].iris,
        masks=masks,
    )


def _in_colours_of(plate: Array, masks: Array, other: Array, other_points: Array) -> Array:
    """`other` with one gain for each channel over the whole clip, so that light that changes in both stays in step."""
    theirs = np.stack([smooth_hull_mask(p, other.shape[1:3]) for p in other_points])
    wanted, given = (
        (to_float(images) * weight[..., None]).sum(axis=(0, 1, 2)) / weight.sum()
        for images, weight in ((plate, masks), (other, theirs))
    )
    return np.clip(to_float(other) * (wanted / given).astype(np.float32), 0, 1)


# --- the swap


def laid(scene: Scene, index: int, source: float | None = None, move: Similarity | None = None) -> Array:
    """The src person where the plate's face is in frame `index`.

    Args:
        source: when the src person is seen, in frames of the plate; default: then.
        move: of the laid picture about the middle of the plate's face.

    Returns:
        [H, W, 3] float32 in [0, 1]
    """
    seen = round(FINER * (index if source is None else source))
    frame_from_other = Similarity.fit(scene.other_points[seen][ALIGNED], scene.points[index][ALIGNED])
    if move is not None:
        middle = scene.points[index][ALIGNED].mean(axis=0)
        frame_from_other = Similarity.of(shift=middle) @ move @ Similarity.of(shift=-middle) @ frame_from_other
    picture = cv2.warpAffine(
        scene.other[seen],
        frame_from_other.matrix,
        scene.size,
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.clip(picture, 0, 1)


def merged(scene: Scene, index: int, face: Array, mask: Array | None = None) -> Array:
    """`face` over the plate where the mask says so. [H, W, 3] uint8; elsewhere the plate itself"""
    mask = scene.masks[index] if mask is None else mask
    under = to_float(scene.plate[index])
    return to_uint8(under + mask[..., None] * (face - under))


def swap(scene: Scene, index: int) -> Array:
    """The true swap. [H, W, 3] uint8"""
    return merged(scene, index, laid(scene, index))


# --- ways to make it worse: (scene, number of the frame, how much) -> [H, W, 3] uint8


def blurred(scene: Scene, index: int, sigma: float) -> Array:
    """The face out of focus by `sigma` px."""
    return merged(scene, index, cv2.GaussianBlur(laid(scene, index), (0, 0), sigma))


def noisy(scene: Scene, index: int, levels: float) -> Array:
    """Noise of `levels` grey levels on the face, the same in every frame relative to it."""
    noise = np.random.default_rng(11).normal(0, levels / 255, scene.other[0].shape).astype(np.float32)
    frame_from_first = Similarity.fit(scene.points[0][ALIGNED], scene.points[index][ALIGNED])
    carried = cv2.warpAffine(noise, frame_from_first.matrix, scene.size, borderMode=cv2.BORDER_REFLECT)
    return merged(scene, index, np.clip(laid(scene, index) + carried, 0, 1))


def sharpened(scene: Scene, index: int, amount: float) -> Array:
    """The face with unsharp masking of `amount`."""
    face = laid(scene, index)
    return merged(scene, index, np.clip(face + amount * (face - cv2.GaussianBlur(face, (0, 0), 1.2)), 0, 1))


def shifted(scene: Scene, index: int, percent: float) -> Array:
    """The face aside and down by `percent` of the eye distance."""
    along = np.array([0.8, 0.6]) * percent / 100 * scene.unit
    return merged(scene, index, laid(scene, index, move=Similarity.of(shift=along)))


def turned(scene: Scene, index: int, degrees: float) -> Array:
    """The face tilted in the image."""
    return merged(scene, index, laid(scene, index, move=Similarity.of(rotation=np.radians(degrees))))


def enlarged(scene: Scene, index: int, percent: float) -> Array:
    """The face larger by `percent`."""
    return merged(scene, index, laid(scene, index, move=Similarity.of(scale=1 + percent / 100)))


def cast(scene: Scene, index: int, units: float) -> Array:
    """The face in other colours: `units` of CIE76 away, a third of it lightness."""
    return merged(scene, index, _recoloured(laid(scene, index), units))


def _recoloured(face: Array, units: float) -> Array:
    return lab_to_rgb(rgb_to_lab(face) + np.float32(units) * np.float32([1 / 3, 2 / 3, 2 / 3]))


def pumping(scene: Scene, index: int, levels: float) -> Array:
    """Brightness of the face that jumps up and down by `levels` grey levels, at random."""
    jump = levels / 255 * np.random.default_rng([12, index]).choice([-1, 1])
    return merged(scene, index, np.clip(laid(scene, index) + np.float32(jump), 0, 1))


def shaking(scene: Scene, index: int, percent: float) -> Array:
    """The face laid a little aside in every frame, as with landmarks that jitter: standard deviation, each axis."""
    aside = np.random.default_rng([13, index]).normal(0, percent / 100 * scene.unit, 2)
    return merged(scene, index, laid(scene, index, move=Similarity.of(shift=aside)))


def late(scene: Scene, index: int, frames: float) -> Array:
    """The face of `frames` frames ago in today's place."""
    return merged(scene, index, laid(scene, index, source=max(0.0, index - frames)))


def shuffled(scene: Scene, index: int, reach: float) -> Array:
    """Each frame shows the face of another one at most about `reach` frames away."""
    order = np.argsort(np.arange(len(scene)) + np.random.default_rng(14).uniform(0, reach, len(scene)), kind="stable")
    return merged(scene, index, laid(scene, index, source=int(order[index])))


def unswapped(scene: Scene, index: int, share: float) -> Array:
    """The plate's own face shows through by `share`; 1 = nothing was swapped."""
    return merged(scene, index, laid(scene, index), (1 - np.float32(share)) * scene.masks[index])


def wavering(scene: Scene, index: int, share: float) -> Array:
    """The plate's own face comes and goes: up to `share` of it every eight frames, slowly."""
    now = share * (0.5 - 0.5 * np.cos(2 * np.pi * index / 8))
    return unswapped(scene, index, now)


def frozen_eyes(scene: Scene, index: int, share: float) -> Array:
    """Eyes that stay as they were for a share of the time."""
    return _frozen(scene, index, share, (RIGHT_EYE, LEFT_EYE), 0.28)


def frozen_mouth(scene: Scene, index: int, share: float) -> Array:
    """A mouth that stays as it was for a share of the time."""
    return _frozen(scene, index, share, (slice(48, 68),), 0.22)


def _frozen(scene: Scene, index: int, share: float, parts: tuple[slice, ...], margin: float) -> Array:
    held = 0 if (index * 7) % len(scene) < share * len(scene) else index  # spread over the clip
    face = laid(scene, index)
    hole = np.zeros(scene.size[::-1], np.uint8)
    for part in parts:
        cv2.fillConvexPoly(hole, cv2.convexHull(np.round(scene.points[index][part]).astype(np.int32)), 1)
    radius = round(margin * scene.unit)
    hole = cv2.dilate(hole, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2))
    soft = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), 0.3 * radius)[..., None]
    return merged(scene, index, face + soft * (laid(scene, index, source=held) - face))


def background(scene: Scene, index: int, percent: float) -> Array:
    """A strip along the left edge, `percent` of the frame wide, lighter by 24 grey levels."""
    right = swap(scene, index).astype(np.int16)
    right[:, : round(percent / 100 * right.shape[1])] += 24
    return np.clip(right, 0, 255).astype(np.uint8)


def rimmed(scene: Scene, index: int, levels: float) -> Array:
    """A bright line along the edge of the mask: the seam shows."""
    hull = smooth_hull_mask(scene.points[index], scene.size[::-1])
    line = hull - cv2.erode(hull, np.ones((5, 5), np.uint8))
    right = swap(scene, index).astype(np.float32) + levels * cv2.GaussianBlur(line, (0, 0), 0.7)[..., None]
    return np.clip(right + 0.5, 0, 255).astype(np.uint8)


def breathing(scene: Scene, index: int, percent: float) -> Array:
    """The mask grows and shrinks by `percent` of its size, two frames each; the face has a slight cast, as swaps do."""
    factor = 1 + percent / 100 * (1 if index // 2 % 2 else -1)
    middle = scene.points[index][ALIGNED].mean(axis=0)
    zoom = Similarity.of(shift=middle) @ Similarity.of(scale=factor) @ Similarity.of(shift=-middle)
    mask = cv2.warpAffine(scene.masks[index], zoom.matrix, scene.size)
    return merged(scene, index, laid(scene, index), np.clip(mask, 0, 1))


def dropped(scene: Scene, index: int) -> Array:
    """Nothing but skin where the face was."""
    face = laid(scene, index)
    colour = (face * scene.masks[index][..., None]).sum(axis=(0, 1)) / scene.masks[index].sum()
    return merged(scene, index, np.broadcast_to(colour, face.shape))


DEGRADATIONS: dict[str, tuple[Callable[[Scene, int, float], Array], tuple[float, float, float], str]] = {
    "blur": (blurred, (0.7, 1.3, 2.5), "px"),
    "noise": (noisy, (4, 8, 16), "grey levels"),
    "sharpen": (sharpened, (0.7, 1.5, 3), "times the detail added"),
    "shift": (shifted, (4, 8, 16), "% of eye distance"),
    "rotation": (turned, (3, 6, 12), "degrees"),
    "scale": (enlarged, (5, 10, 20), "%"),
    "colour cast": (cast, (4, 8, 16), "units of CIE76"),
    "pumping": (pumping, (2, 5, 10), "grey levels"),
    "shake": (shaking, (1, 2.5, 6), "% of eye distance"),
    "delay": (late, (0.5, 1, 2), "frames"),
    "shuffle": (shuffled, (3, 8, 24), "frames"),
    "plate shows through": (unswapped, (0.35, 0.65, 1.0), "share"),
    "likeness comes and goes": (wavering, (0.2, 0.45, 0.8), "share at most"),
    "frozen eyes": (frozen_eyes, (0.35, 0.65, 1.0), "share of the frames"),
    "frozen mouth": (frozen_mouth, (0.35, 0.65, 1.0), "share of the frames"),
    "background": (background, (4, 8, 14), "% of the width"),
    "seam": (rimmed, (12, 24, 48), "grey levels"),
    "breathing mask": (breathing, (4, 8, 16), "%"),
}
"""Name -> what is done, how much in three steps, and the unit of that."""


# --- seen by the networks


@cache
def eyes() -> Eyes:
    """The networks that `konterfei evaluate` looks with, on one thread."""
    return Eyes(
        DETECTORS.load("yunet")(threads=1),
        LANDMARKERS.load("mesh478")(threads=1),
        RECOGNIZERS.load("mobilefacenet")(threads=1),
        RECOGNIZERS.load("faceres")(threads=1),
    )


def observe(scene: Scene, eyes: Eyes) -> tuple[Any, dict[tuple[str, int], Any]]:
    """Plate, the true swap as ("", 0), and every degradation, as the networks see them: the last by (name, step)."""
    results = [("", 0)] + [(name, step) for name in DEGRADATIONS for step in range(3)]
    faces = [scene.face(index) for index in range(len(scene))]
    observer = Observer(eyes, crop_size(faces), len(results))
    for index, face in enumerate(faces):
        images = [
            DEGRADATIONS[name][0](scene, index, DEGRADATIONS[name][1][step]) if name else swap(scene, index)
            for name, step in results
        ]
        observer.add(index, scene.plate[index], images, face)
    plate, seen = observer.series()
    return plate, dict(zip(results, seen, strict=True))


def people(scene: Scene, eyes: Eyes) -> People:
    """Mean embeddings of both, from five frames."""

    def mean(recognizer: Any, images: Array, points: Array) -> Array:
        chosen = np.linspace(0, len(images) - 1, 5).astype(int)
        vectors = [recognizer.embed(images[i], [points[i]])[0] for i in chosen]
        total = np.mean(vectors, axis=0)
        return (total / np.linalg.norm(total)).astype(np.float32)

    both = [(to_uint8(scene.other), scene.other_points), (scene.plate, scene.points)]
    src, dst = (mean(eyes.recognizer, *one) for one in both)
    if eyes.witness is None:
        return People(src=src, dst=dst)
    witness_src, witness_dst = (mean(eyes.witness, *one) for one in both)
    return People(src=src, dst=dst, witness_src=witness_src, witness_dst=witness_dst)
