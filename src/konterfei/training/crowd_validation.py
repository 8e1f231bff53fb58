"""How well does a network of many people know people whom it never saw?

Held-out people are drawn as themselves, which it should be able to; and as one another, which is what it is for.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from konterfei.landmarkers import Landmarker
from konterfei.metrics.sharpness import detail
from konterfei.nets.losses import dssim_windows, reconstruction, soft_mask
from konterfei.recognizers import Recognizer
from konterfei.recognizers.aligned import five_points
from konterfei.training.crowd import CrowdFaces, some_of_each
from konterfei.training.validation import ssim_within

Array = NDArray[Any]

MOST = 64
"""Faces that are measured."""
_AT_ONCE = 16


class Drawer(Protocol):
    """What is validated: a network with the weights that would be used now."""

    resolution: int

    def draw_as(self, images: Array, who: Array) -> tuple[Array, Array]:
        """Everybody drawn as said; see `models.swapper.Drawing.draw_as`."""


@dataclass(frozen=True, kw_only=True)
class CrowdScores:
    """What a validation found on held-out people. NaN = not measurable.

    Attributes:
        error: what the training minimises but for the mask: DSSIM and squared error of people drawn as themselves,
            within the face; fewer is better.
        ssim: structural similarity of the same, 1 = equal.
        sharpness: detail of the same by that of the originals, the median.
        identity: cosine of people drawn as somebody else with that one, the mean.
        leftover: cosine of the same with who they are.
        distance: how far landmarks of the same are from where they were, % of the eye distance, the median.
    """

    error: float
    ssim: float
    sharpness: float
    identity: float
    leftover: float
    distance: float

    @property
    def total(self) -> float:
        """Minus the error."""
        return -self.error

    def to_json(self) -> dict[str, float | None]:
        """See `training.validations.Found`."""
        figures = {**asdict(self), "total": self.total}
        return {name: round(value, 5) if np.isfinite(value) else None for name, value in figures.items()}

    def text(self) -> str:
        """See `training.validations.Found`."""
        return (
            f"error {self.error:.3f} (likeness {self.ssim:.3f}, sharpness {self.sharpness:.2f}; as another: identity "
            f"{self.identity:.2f}, left of their own {self.leftover:.2f}, landmarks {self.distance:.1f} % off)"
        )


class CrowdValidator:
    """Measures a network on people that it never saw.

    Args:
        faces: of two people at least; of more than `MOST`, some (`some_of_each`).
        recognizer: tells who is drawn; the one that `faces.who` comes from.
        landmarker: tells whether they look and speak as before.
    """

    def __init__(self, faces: CrowdFaces, recognizer: Recognizer, landmarker: Landmarker) -> None:
        self._faces = faces.some(some_of_each(faces.people, MOST))
        self._recognizer, self._landmarker = recognizer, landmarker
        self._partner = _partners(self._faces.people)

    def score(self, drawer: Drawer) -> CrowdScores:
        """What the network is worth now."""
        faces, side = self._faces, drawer.resolution
        assert faces.who is not None
        images = np.stack([faces.straight(i, side) for i in range(len(faces))])
        masks = _masks(faces, side)
        others = faces.who[self._partner]
        # as in a pair: one of both has a second that is not their own (`models.many`)
        seconds = np.where(np.arange(len(faces))[:, None] % 2, others, faces.who)
        drawn, own_masks = _drawn(drawer, images, np.stack([faces.who, seconds], axis=1))
        again, new_masks = _drawn(drawer, images, np.stack([others, others], axis=1))
        weight = (own_masks * new_masks)[..., None]  # as a merge has it: neither spills
        swapped = np.round(255 * again * weight + images * (1 - weight)).clip(0, 255).astype(np.uint8)
        scale = side / faces.pixels.shape[1]
        points = (faces.landmarks + 0.5) * scale - 0.5
        seen = [self._recognizer.embed(image, [at])[0] for image, at in zip(swapped, points, strict=True)]
        sharp = [
            detail(np.round(255 * face).clip(0, 255).astype(np.uint8), mask) / max(1e-6, detail(image, mask))
            for face, image, mask in zip(drawn, images, masks, strict=True)
        ]
        return CrowdScores(
            error=_error(images, drawn, masks),
            ssim=float(np.mean(ssim_within(images, drawn, masks))),
            sharpness=float(np.nanmedian(sharp)),
            identity=float(np.mean(np.sum(seen * others, axis=1))),
            leftover=float(np.mean(np.sum(seen * faces.who, axis=1))),
            distance=self._distance(images, swapped, points),
        )

    def _distance(self, images: Array, swapped: Array, points: Array) -> float:
        found = []
        for before, after, at in zip(images, swapped, points, strict=True):
            start = _Start(at)
            here, there = (self._landmarker.landmarks(image, [start])[0].points for image in (before, after))
            eyes = np.linalg.norm(here[36:42].mean(axis=0) - here[42:48].mean(axis=0))
            found.append(100 * np.linalg.norm(there - here, axis=1).mean() / max(float(eyes), 1e-6))
        return float(np.median(found))


class _Start:
    """Where a landmarker begins to look: landmarks that are known."""

    def __init__(self, points: Array) -> None:
        self.box = np.array([*points.min(axis=0), *points.max(axis=0)], np.float32)
        self.points = five_points(points).astype(np.float32)


def _partners(people: Array) -> Array:
    """For each face one of another person, half the round away. [N] -> [N]"""
    count = len(people)
    found = (np.arange(count) + count // 2) % count
    for i in range(count):
        while people[found[i]] == people[i]:
            found[i] = (found[i] + 1) % count
    return found


def _masks(faces: CrowdFaces, side: int) -> Array:
    """[N, side, side] float32 in [0, 1]"""
    masks = [cv2.resize(face[..., 3], (side, side), interpolation=cv2.INTER_AREA) for face in faces.pixels]
    return np.stack(masks) / np.float32(255)


def _drawn(drawer: Drawer, images: Array, who: Array) -> tuple[Array, Array]:
    parts = [
        drawer.draw_as(images[first : first + _AT_ONCE], np.ascontiguousarray(who[first : first + _AT_ONCE]))
        for first in range(0, len(images), _AT_ONCE)
    ]
    pictures, masks = (np.concatenate(column) for column in zip(*parts, strict=True))
    return pictures, masks


def _error(images: Array, drawn: Array, masks: Array) -> float:
    """Mean over faces of what `training.losses` has for the picture within the soft mask."""
    real, ours = (
        torch.from_numpy(np.ascontiguousarray(x, np.float32)).permute(0, 3, 1, 2) for x in (images / 255.0, drawn)
    )
    soft = soft_mask(torch.from_numpy(masks).unsqueeze(1))
    windows = dssim_windows(images.shape[1])
    return float(reconstruction(ours * soft, real * soft, windows).mean())
