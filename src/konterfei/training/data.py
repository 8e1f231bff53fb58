"""From facesets to batches: faces kept in memory, drawn, placed and warped by a thread of their own.

Which samples a step sees, and how they are bent, follows from (seed, step) alone: a run that was interrupted goes on
with the very batches that it would have had.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.color_transfers import COLOR_TRANSFERS
from konterfei.errors import FacesetError, StoreError
from konterfei.geometry import Crop, FaceType
from konterfei.geometry.landmarks import eye_mask, hull_mask, mouth_mask
from konterfei.io.atomic import size_text
from konterfei.io.face_labels import FaceLabels
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.reporting import Reporter, check
from konterfei.training.augment import AugmentSettings
from konterfei.training.dealing import EvenPack, Pack, seed_of
from konterfei.training.face_store import Room, bytes_of, fits_on_disk, in_memory, on_disk
from konterfei.training.objectives import Objectives
from konterfei.training.resources import machine_bytes
from konterfei.training.samples import Look, Sample, draw_sample, exact_sample, recolored
from konterfei.training.wardrobe import Wardrobe, Worn

Array = NDArray[Any]

OVERSAMPLING = 1.5
"""Faces are kept at so many times the network's resolution, so that placing them does not blur them."""


@dataclass(frozen=True)
class TrainingFaces:
    """All faces of one person, ready to sample.

    Attributes:
        pixels: RGB, and as fourth channel the mask: the crop's own label, else the landmarks' hull. [N, S, S, 4] uint8
        parts: eyes and mouth; None where no loss asks for them. [N, S, S] uint8
        yaws: which way the heads look, radians; None where they were not read. [N]
        names: of the crops in their faceset; empty where they are of none.
        who: who each is, in numbers that tell people apart; for models of many people. [N, 192]
        landmarks: in pixels of the faces; None where they were not read. [N, 68, 2] float32
    """

    pixels: Array
    parts: Array | None = None
    yaws: Array | None = None
    names: tuple[str, ...] = ()
    who: Array | None = None
    landmarks: Array | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def bytes_in_memory(self) -> int:
        """What they take there; what lies in a file does not count, the system drops it when it needs the room."""
        arrays = [array for array in (self.pixels, self.parts) if array is not None]
        return sum(array.nbytes for array in arrays if not isinstance(array, np.memmap))

    def look(self, index: int) -> Look:
        """A face as it is kept."""
        return Look(self.pixels[index], None if self.parts is None else self.parts[index])

    def straight(self, index: int, side: int) -> Array:
        """A face as the merger would show it to the network. -> [side, side, 3] uint8"""
        return cv2.resize(self.pixels[index, ..., :3], (side, side), interpolation=cv2.INTER_AREA)


def load_faces(
    faceset: Faceset,
    face_type: FaceType,
    resolution: int,
    memory: int,
    reporter: Reporter,
    name: str,
    with_parts: bool = False,
    without: Collection[str] = (),
    store: Path | None = None,
) -> TrainingFaces:
    """Read a faceset, cut to the model's face type (dfl-spec 2.6), into memory, or into a file where it is too large.

    Args:
        faceset: where the faces are.
        face_type: of the model.
        resolution: of the model, px.
        memory: bytes that the pixels may take in memory.
        reporter: is told of progress, of the file, of thinning.
        name: "src" or "dst", for messages.
        with_parts: whether masks of eyes and mouth are made too.
        without: names of faces that are left out.
        store: folder for the file; a faceset that is too large is thinned out evenly where it is None or its disk full.

    Raises:
        FacesetError: no face is left.
    """
    side = int(resolution * OVERSAMPLING)
    left_out = set(without)
    records = [record for record in faceset.records() if record.name not in left_out]
    most = max(1, memory // bytes_of(1, side, with_parts))
    file = None if store is None else store / f"{name}.faces"
    key: dict[str, Any] = {}
    is_filed = False
    if len(records) > most:
        if file is not None:
            key = _key(faceset, face_type, side, with_parts, left_out)
            is_filed = fits_on_disk(file, len(records), side, with_parts, key)
        said = f"{name}: {len(records)} faces do not fit into memory at {resolution} px"
        if is_filed:
            size = size_text(bytes_of(len(records), side, with_parts))
            reporter.note(f"{said}; they are kept in '{file}' ({size}).")
        else:
            reporter.note(f"{said}, nor on the disk; every {len(records) / most:.1f}th is used.")
            records = [records[i] for i in np.linspace(0, len(records) - 1, most).round().astype(int)]
    if not records:
        raise FacesetError(f"'{faceset.folder}' holds no face that can be read. Extract it again.")

    def fill(room: Room) -> list[str]:
        lost = _fill(room, faceset, records, face_type, reporter, name)
        if len(lost) == len(records):
            raise FacesetError(f"'{faceset.folder}' holds no face that can be read. Extract it again.")
        for reason in list(lost.values())[:5]:
            reporter.warn(f"A face of {name} is not used: {reason}.")
        if len(lost) > 5:
            reporter.warn(f"... and {len(lost) - 5} more of {name}.")
        return list(lost)

    if is_filed and file is not None:
        room, lost, is_old = on_disk(file, len(records), side, with_parts, key, fill)
        if lost and is_old:
            reporter.warn(
                f"{len(lost)} faces of {name} are not used: they could not be read when '{file}' was made. "
                "Delete it to have them read again."
            )
    else:
        room = in_memory(len(records), side, with_parts)
        lost = fill(room)
    is_lost = set(lost)
    records = [record for record in records if record.name not in is_lost]
    count = len(records)
    parts = None if room.parts is None else room.parts[:count]
    yaws, names = np.array([record.pose[1] for record in records]), tuple(record.name for record in records)
    marks = np.empty((count, 68, 2), np.float32)
    for i, record in enumerate(records):
        points = record.crop.crop_from_frame @ record.face.landmarks
        marks[i] = Crop.fit(points, face_type, side).crop_from_frame @ points
    return TrainingFaces(room.pixels[:count], parts, yaws, names, landmarks=marks)


def _key(
    faceset: Faceset, face_type: FaceType, side: int, with_parts: bool, without: Collection[str]
) -> dict[str, Any]:
    """What the pixels follow from."""
    return {
        "version": 1,
        "faceset": faceset.content_hash(),
        "face_type": str(face_type),
        "side": side,
        "parts": with_parts,
        "without": sorted(without),
    }


def _fill(
    room: Room,
    faceset: Faceset,
    records: Sequence[FaceRecord],
    face_type: FaceType,
    reporter: Reporter,
    name: str,
) -> dict[str, str]:
    """Cut the faces of all records into the room, one after the other.

    Returns:
        names of those that somebody deleted or ruined meanwhile, and why; they take no place.
    """
    side = room.pixels.shape[1]
    reporter.start(f"reading {name} faces", len(records), "faces")
    lost: dict[str, str] = {}
    bad_masks: dict[str, str] = {}
    labelled, num_own = faceset.labelled(), 0
    for done, record in enumerate(records):
        check(reporter)
        try:
            image = faceset.image(record.name)
            labels = faceset.labels(record.name) if record.name in labelled else None
        except StoreError as error:
            lost[record.name] = str(error).split(". ")[0]
            continue
        i = done - len(lost)
        landmarks = record.crop.crop_from_frame @ record.face.landmarks
        crop = Crop.fit(landmarks, face_type, side)
        room.pixels[i, ..., :3] = crop.cut(image)
        points = crop.crop_from_frame @ landmarks
        own = None if labels is None else _own_mask(labels, record, crop, bad_masks)
        num_own += own is not None
        room.pixels[i, ..., 3] = hull_mask(points, (side, side)) * 255 if own is None else own
        if room.parts is not None:
            room.parts[i] = _eyes_mouth(points, room.pixels[i, ..., 3])
        reporter.advance(done + 1)
    reporter.finish()
    if num_own:
        reporter.note(f"{name}: {num_own} of {len(records)} faces are learned with a mask of their own.")
    if bad_masks:
        crop_name, why = next(iter(bad_masks.items()))
        reporter.warn(f"{name}: {len(bad_masks)} masks cannot be used, the hull serves. {crop_name}: {why}.")
    return lost


def _own_mask(labels: FaceLabels, record: FaceRecord, crop: Crop, bad: dict[str, str]) -> Array | None:
    """What was labelled as face, in the place of the hull (dfl-spec 7.10.4); None where nothing was. [S, S] uint8

    Args:
        labels: of the record's crop; polygons win over an applied mask.
        record: of the crop that they were drawn on.
        crop: to see them in, from that crop; what that crop does not show is no face.
        bad: a mask that cannot be decoded is noted here.
    """
    try:
        mask = labels.mask(record.size, record.size)
    except ValueError as error:
        bad[record.name] = str(error)
        return None
    return None if mask is None else crop.cut(mask, border="zero")


def _eyes_mouth(points: Array, mask: Array) -> Array:
    """Eyes and mouth within the face, widened and softened (dfl-spec 7.10.4). [S, S] uint8"""
    both = np.clip(eye_mask(points, mask.shape) + mouth_mask(points, mask.shape), 0, 1)
    return (both * (mask > 0) * 255).round().astype(np.uint8)


@dataclass(frozen=True)
class RawBatch:
    """Samples of both people, src first.

    Attributes:
        warped, target: [2B, R, R, 3] uint8
        mask: [2B, R, R] uint8
        parts: eyes and mouth; None where no loss asks for them. [2B, R, R] uint8
        who: see `models.base.Batch`. [2B, 2, 192] float32
    """

    warped: Array
    target: Array
    mask: Array
    parts: Array | None = None
    who: Array | None = None


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Makes the batch of any step.

    Attributes:
        src, dst: the faces.
        resolution: side of the samples, px.
        batch: samples per person.
        seed: of all chance.
        augment: how far samples are moved and bent.
        objectives: who may be mirrored, how faces are dealt and recoloured; those in force.
        part: which part of the batch it makes, from 0, and of how many equal ones.
    """

    src: TrainingFaces
    dst: TrainingFaces
    resolution: int
    batch: int
    seed: int
    augment: AugmentSettings
    objectives: Objectives = field(default_factory=Objectives)
    part: tuple[int, int] = (0, 1)

    @property
    def text(self) -> str:
        """Of how many faces the samples are, in words."""
        return f"{len(self.src)} src and {len(self.dst)} dst faces"

    def named(self, first: float, second: float) -> dict[str, float]:
        """The losses of both halves of the batch by their names."""
        return {"src": first, "dst": second}

    def salted(self, salt: int, objectives: Objectives) -> Self:
        """One that makes other samples for each `salt` (0: the same), for these objectives."""
        return replace(self, seed=self.seed + 1_000_003 * salt, objectives=objectives)

    def batch_at(self, step: int) -> RawBatch:
        """The samples of a step. The same arguments give the same pixels."""
        number, parts_in_all = self.part
        rows = range(self.batch * number // parts_in_all, self.batch * (number + 1) // parts_in_all)
        samples = [self._sample(person, step, k) for person in (0, 1) for k in rows]
        warped, target, mask, parts = zip(*samples, strict=True)
        whole = None if any(part is None for part in parts) else np.stack(parts)
        return RawBatch(np.stack(warped), np.stack(target), np.stack(mask), whole)

    def _sample(self, person: int, step: int, k: int) -> Sample:
        """Sample `k` of a person (0 = src, 1 = dst)."""
        chosen, row, position = self.objectives, person * self.batch + k, step * self.batch + k
        look = (self.src, self.dst)[person].look(self._packs[person].at(position))
        if person == 0 and chosen.color_transfer != "none":
            reference = self.dst.look(self._packs[2].at(position)).pixels[..., :3]
            look = recolored(look, reference, COLOR_TRANSFERS.load(chosen.color_transfer))
        flips = (chosen.flip_src, chosen.flip_dst)[person]
        hsv_power = chosen.hsv_power if person == 0 else 0.0
        augment = self.augment if chosen.random_warp else replace(self.augment, warp=0.0)
        seed = seed_of(self.seed, 2, step, row)
        if chosen.dfl_exact:
            return exact_sample(look, seed, self.resolution, augment, flips, hsv_power)
        rng, seen = np.random.RandomState(seed), None
        if chosen.disguise and rng.random_sample() < chosen.disguise:
            seen = self._wardrobe.disguised(person, self._packs[person].at(position), look.pixels[..., :3], rng)
        return draw_sample(look, rng, self.resolution, augment, flips, hsv_power, seen)

    def unturned(self) -> list[str]:
        """Whose faces all look the same way although they are to be dealt by that: "src", "dst"."""
        packs = {"src": self._packs[0], "dst": self._packs[1]}
        return [name for name, pack in packs.items() if isinstance(pack, EvenPack) and len(pack) == 1]

    @cached_property
    def _wardrobe(self) -> Wardrobe:
        for faces in (self.src, self.dst):
            assert faces.landmarks is not None and faces.yaws is not None
        return Wardrobe([Worn(faces.pixels, faces.landmarks, faces.yaws) for faces in (self.src, self.dst)])  # type: ignore[arg-type]

    @cached_property
    def _packs(self) -> tuple[Pack | EvenPack, Pack | EvenPack, Pack]:
        """Of src, of dst, and of the dst faces whose colours src takes on."""
        src, dst = (self._pack(faces, person) for person, faces in enumerate((self.src, self.dst)))
        return src, dst, Pack(len(self.dst), self.seed, 2)

    def _pack(self, faces: TrainingFaces, person: int) -> Pack | EvenPack:
        if self.objectives.uniform_yaw and faces.yaws is not None:
            return EvenPack(faces.yaws, self.seed, person)
        return Pack(len(faces), self.seed, person)


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
    """Bytes that the faces of one person may take: an eighth of the machine's memory, 2 GiB where that is unknown.

    Of all memory, not of what is free: the same command has to find the same faces when it goes on.
    """
    whole = machine_bytes()
    return 2 << 30 if whole is None else whole // 8
