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
from konterfei.training.crowd import CrowdFaces
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
        faces: theirs; of more than `MOST`, some, evenly.
        recognizer: tells who is drawn; the one that `faces.who` comes from.
        landmarker: tells whether they look and speak as before.
    """

    def __init__(self, faces: CrowdFaces, recognizer: Recognizer, landmarker: Landmarker) -> None:
        self._faces = faces.some(_spread(faces.people, MOST))
        self._recognizer, self._landmarker = recognizer, landmarker
        self._partner = _partners(self._faces.people)

    def score(self, drawer: Drawer) -> CrowdScores:
        """What the network is worth now."""
        people = Shown.of(self._faces, drawer.resolution)
        others = people.who[self._partner]
        drawn, own_masks = people.as_themselves(drawer, others)
        swapped = people.as_others(drawer, others, own_masks)
        seen = people.embedded(swapped, self._recognizer)
        return CrowdScores(
            error=float(np.mean(people.errors(drawn))),
            ssim=float(np.mean(people.likenesses(drawn))),
            sharpness=float(np.nanmedian(people.sharpnesses(drawn))),
            identity=float(np.mean(np.sum(seen * others, axis=1))),
            leftover=float(np.mean(np.sum(seen * people.who, axis=1))),
            distance=float(np.median(people.distances(swapped, self._landmarker))),
        )


@dataclass(frozen=True)
class Shown:
    """Held-out people as a network is shown them, and what is measured of each.

    Attributes:
        images: straight and unspoiled. [N, S, S, 3] uint8
        masks: of the faces. [N, S, S] float32 in [0, 1]
        points: landmarks in these images. [N, 68, 2]
        who: numbers that tell each from others. [N, 192]
    """

    images: Array
    masks: Array
    points: Array
    who: Array

    @classmethod
    def of(cls, faces: CrowdFaces, side: int) -> Shown:
        """Faces at a network's resolution."""
        assert faces.who is not None
        masks = [cv2.resize(face[..., 3], (side, side), interpolation=cv2.INTER_AREA) for face in faces.pixels]
        return cls(
            images=np.stack([faces.straight(i, side) for i in range(len(faces))]),
            masks=np.stack(masks) / np.float32(255),
            points=(faces.landmarks + 0.5) * (side / faces.pixels.shape[1]) - 0.5,
            who=faces.who,
        )

    def as_themselves(self, drawer: Drawer, others: Array) -> tuple[Array, Array]:
        """Everybody drawn as who they are; one of both of a pair has a second that is not their own (`models.many`).

        Args:
            drawer: the network.
            others: the seconds of every other one. [N, 192]

        Returns:
            [N, S, S, 3] float32 in [0, 1] and their masks [N, S, S]
        """
        seconds = np.where(np.arange(len(self.who))[:, None] % 2, others, self.who)
        return _drawn(drawer, self.images, np.stack([self.who, seconds], axis=1))

    def as_others(self, drawer: Drawer, others: Array, own_masks: Array) -> Array:
        """Everybody with the face of another pasted in as a merge does it: neither mask spills.

        Args:
            drawer: the network.
            others: who is drawn. [N, 192]
            own_masks: of `as_themselves`.

        Returns:
            [N, S, S, 3] uint8
        """
        drawn, masks = _drawn(drawer, self.images, np.stack([others, others], axis=1))
        return self.pasted(drawn, own_masks * masks)

    def pasted(self, drawn: Array, masks: Array) -> Array:
        """The drawn faces within the pictures. [N, S, S, 3] uint8"""
        weight = masks[..., None]
        return np.round(255 * drawn * weight + self.images * (1 - weight)).clip(0, 255).astype(np.uint8)

    def embedded(self, images: Array, recognizer: Recognizer) -> Array:
        """Who a recognizer takes them for, their faces in `images`. [N, D]"""
        return np.stack([recognizer.embed(image, [at])[0] for image, at in zip(images, self.points, strict=True)])

    def landmarks(self, images: Array, landmarker: Landmarker) -> Array:
        """Landmarks of their faces in `images`. [N, 68, 2]"""
        both = zip(images, self.points, strict=True)
        return np.stack([landmarker.landmarks(image, [_Start(at)])[0].points for image, at in both])

    def errors(self, drawn: Array) -> Array:
        """What `training.losses` has for each picture within the soft mask. [N]"""
        real, ours = (
            torch.from_numpy(np.ascontiguousarray(x, np.float32)).permute(0, 3, 1, 2)
            for x in (self.images / 255.0, drawn)
        )
        soft = soft_mask(torch.from_numpy(self.masks).unsqueeze(1))
        found: Array = reconstruction(ours * soft, real * soft, dssim_windows(self.images.shape[1])).numpy()
        return found

    def likenesses(self, drawn: Array) -> Array:
        """Structural similarity within each face, 1 = equal. [N]"""
        return np.array(ssim_within(self.images, drawn, self.masks))

    def sharpnesses(self, drawn: Array) -> Array:
        """Detail of each drawn face by that of the picture. [N]"""
        return np.array(
            [
                detail(np.round(255 * face).clip(0, 255).astype(np.uint8), mask) / max(1e-6, detail(image, mask))
                for face, image, mask in zip(drawn, self.images, self.masks, strict=True)
            ]
        )

    def distances(self, images: Array, landmarker: Landmarker) -> Array:
        """How far landmarks in `images` are from where they were, % of the eye distance. [N]"""
        here, there = self.landmarks(self.images, landmarker), self.landmarks(images, landmarker)
        eyes = np.linalg.norm(here[:, 36:42].mean(axis=1) - here[:, 42:48].mean(axis=1), axis=1)
        return np.asarray(100 * np.linalg.norm(there - here, axis=2).mean(axis=1) / np.maximum(eyes, 1e-6))


class _Start:
    """Where a landmarker begins to look: landmarks that are known."""

    def __init__(self, points: Array) -> None:
        self.box = np.array([*points.min(axis=0), *points.max(axis=0)], np.float32)
        self.points = five_points(points).astype(np.float32)


def _place_in_person(people: Array) -> Array:
    """0 for the first face of each person, 1 for the second, and so on. [N] -> [N]"""
    counts: dict[int, int] = {}
    places = []
    for person in people.tolist():
        places.append(counts.get(person, 0))
        counts[person] = places[-1] + 1
    return np.array(places)


def _spread(people: Array, most: int) -> Array:
    """So many faces at most: one of each person before a second of one, evenly over whom there is. [N] -> places"""
    places = _place_in_person(people)
    order = np.argsort(places, kind="stable")
    if len(order) <= most:
        return np.sort(order)
    whole, some = order[places[order] < places[order[most - 1]]], order[places[order] == places[order[most - 1]]]
    chosen = some[np.linspace(0, len(some) - 1, most - len(whole)).round().astype(int)]
    return np.sort(np.concatenate([whole, chosen]))


def _partners(people: Array) -> Array:
    """For each face one of another person, half the round away. [N] -> [N]"""
    count = len(people)
    found = (np.arange(count) + count // 2) % count
    for i in range(count):
        while people[found[i]] == people[i]:
            found[i] = (found[i] + 1) % count
    return found


def _drawn(drawer: Drawer, images: Array, who: Array) -> tuple[Array, Array]:
    parts = [
        drawer.draw_as(images[first : first + _AT_ONCE], np.ascontiguousarray(who[first : first + _AT_ONCE]))
        for first in range(0, len(images), _AT_ONCE)
    ]
    pictures, masks = (np.concatenate(column) for column in zip(*parts, strict=True))
    return pictures, masks
