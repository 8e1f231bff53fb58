"""From facesets to batches: faces kept in memory, drawn, placed and warped by a thread of their own.

Which samples a step sees, and how they are bent, follows from (seed, step) alone: a run that was interrupted goes on
with the very batches that it would have had.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.errors import FacesetError
from konterfei.geometry import Crop, FaceType
from konterfei.geometry.landmarks import hull_mask
from konterfei.io.faceset import Faceset
from konterfei.reporting import Reporter, check
from konterfei.training.augment import AugmentSettings, draw_placement, draw_warp, place, place_warped

Array = NDArray[Any]

OVERSAMPLING = 1.5
"""Faces are kept at so many times the network's resolution, so that placing them does not blur them."""


@dataclass(frozen=True)
class TrainingFaces:
    """All faces of one person, ready to sample.

    Attributes:
        pixels: RGB and the hull mask as fourth channel. [N, S, S, 4] uint8
    """

    pixels: Array

    def __len__(self) -> int:
        return len(self.pixels)

    def straight(self, index: int, side: int) -> Array:
        """A face as the merger would show it to the network. -> [side, side, 3] uint8"""
        return cv2.resize(self.pixels[index, ..., :3], (side, side), interpolation=cv2.INTER_AREA)


def load_faces(
    faceset: Faceset, face_type: FaceType, resolution: int, memory: int, reporter: Reporter, name: str
) -> TrainingFaces:
    """Read a faceset into memory, cut to the model's face type (dfl-spec 2.6).

    Args:
        faceset: where the faces are.
        face_type: of the model.
        resolution: of the model, px.
        memory: bytes that the pixels may take; a larger faceset is thinned out evenly.
        reporter: is told of progress and of thinning.
        name: "src" or "dst", for messages.

    Raises:
        FacesetError: no face is left.
    """
    side = int(resolution * OVERSAMPLING)
    records = faceset.records()
    most = max(1, memory // (side * side * 4))
    if len(records) > most:
        chosen = np.linspace(0, len(records) - 1, most).round().astype(int)
        reporter.note(
            f"{name}: {len(records)} faces do not fit into memory at {resolution} px; every "
            f"{len(records) / most:.1f}th is used."
        )
        records = [records[i] for i in chosen]
    if not records:
        raise FacesetError(f"'{faceset.folder}' holds no face that can be read. Extract it again.")
    pixels = np.empty((len(records), side, side, 4), np.uint8)
    reporter.start(f"reading {name} faces", len(records), "faces")
    for i, record in enumerate(records):
        check(reporter)
        landmarks = record.crop.crop_from_frame @ record.face.landmarks
        crop = Crop.fit(landmarks, face_type, side)
        pixels[i, ..., :3] = crop.cut(faceset.image(record.name))
        pixels[i, ..., 3] = hull_mask(crop.crop_from_frame @ landmarks, (side, side)) * 255
        reporter.advance(i + 1)
    reporter.finish()
    return TrainingFaces(pixels)


@dataclass(frozen=True)
class RawBatch:
    """Samples of both people, src first: warped and target [2B, R, R, 3] uint8, mask [2B, R, R] uint8."""

    warped: Array
    target: Array
    mask: Array


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Makes the batch of any step.

    Attributes:
        src, dst: the faces.
        resolution: side of the samples, px.
        batch: samples per person.
        seed: of all chance.
        augment: how far samples are moved and bent.
        flip_src, flip_dst: whether each person may be mirrored.
    """

    src: TrainingFaces
    dst: TrainingFaces
    resolution: int
    batch: int
    seed: int
    augment: AugmentSettings
    flip_src: bool = False
    flip_dst: bool = True

    def batch_at(self, step: int) -> RawBatch:
        """The samples of a step. The same arguments give the same pixels."""
        count, side = 2 * self.batch, self.resolution
        warped, target = np.empty((count, side, side, 3), np.uint8), np.empty((count, side, side, 3), np.uint8)
        mask = np.empty((count, side, side), np.uint8)
        people = ((self.src, self.flip_src), (self.dst, self.flip_dst))
        for person, (faces, flips) in enumerate(people):
            for k in range(self.batch):
                row = person * self.batch + k
                index = self._index(person, len(faces), step * self.batch + k)
                rng = np.random.RandomState(_seed(self.seed, 2, step, row))
                placement = draw_placement(rng, side, self.augment, flips)
                straight = place(faces.pixels[index], placement, side)
                target[row], mask[row] = straight[..., :3], straight[..., 3]
                if self.augment.warp and rng.random_sample() >= self.augment.straight:
                    bent = place_warped(faces.pixels[index], placement, draw_warp(rng, side, self.augment.warp))
                    warped[row] = bent[..., :3]
                else:
                    warped[row] = target[row]
        return RawBatch(warped, target, mask)

    def _index(self, person: int, count: int, position: int) -> int:
        """Faces are dealt from a shuffled pack; an empty pack is shuffled anew (dfl-spec 7.10.1)."""
        epoch, place_in_pack = divmod(position, count)
        key = (person, epoch)
        if self._packs.get(person, (None, None))[0] != key:
            order = np.random.RandomState(_seed(self.seed, person, epoch)).permutation(count)
            self._packs[person] = (key, order)
        return int(self._packs[person][1][place_in_pack])

    @property
    def _packs(self) -> dict[int, tuple[Any, Any]]:
        return self.__dict__.setdefault("_pack_cache", {})


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def batches(sampler: Sampler, first_step: int, ahead: int = 4) -> Generator[RawBatch, None, None]:
    """Batches of `first_step` and on, made by a thread that stays `ahead` of the consumer. Close it when done."""
    ready: queue.Queue[RawBatch | BaseException] = queue.Queue(maxsize=ahead)
    is_over = threading.Event()

    def put(item: RawBatch | BaseException) -> None:
        while not is_over.is_set():
            try:
                ready.put(item, timeout=0.2)
                return
            except queue.Full:
                continue

    def work() -> None:
        step = first_step
        try:
            while not is_over.is_set():
                put(sampler.batch_at(step))
                step += 1
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=work, name="konterfei-samples", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        is_over.set()
        thread.join(timeout=5)


def memory_for_faces() -> int:
    """Bytes that the faces of one person may take: an eighth of the machine's memory, 2 GiB where that is unknown."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8
    except (ValueError, OSError, AttributeError):
        return 2 << 30
