"""The second pass of extract: cuts the crops that are due, and stores each with its record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import Crop, FaceType, head_pose
from konterfei.imaging import SdrLook, sharpness, to_uint8
from konterfei.io.face_labels import FaceLabels
from konterfei.io.faceset import FaceRecord, Faceset
from konterfei.io.faceset_trash import records
from konterfei.io.images import encode_image
from konterfei.io.video import Frame, read_ahead
from konterfei.reporting import Reporter, check
from konterfei.stages._extract_amend import Amendments, Kept
from konterfei.stages._extract_carry import carried
from konterfei.stages._extract_choice import Part
from konterfei.stages._extract_pictures import read_picture
from konterfei.stages._extract_plate import look_of
from konterfei.stages._extract_settings import USUAL_QUALITY, ExtractConfig
from konterfei.tracking.finder import Finder

_REACH = 8
"""Pixels around a crop that cutting it may look at."""
_WORTHWHILE = 0.4
"""Share of a frame up to which regions of it are made into RGB by themselves."""


@dataclass(frozen=True)
class Shot:
    """A frame of a film, or a loose picture, to cut from."""

    index: int
    pts: Fraction
    image: NDArray[Any]
    """[H, W, 3] uint8; uint16 of HDR."""
    look: SdrLook | None = None
    """How HDR is made an ordinary picture."""


@dataclass
class Cutting:
    """What the crops of one faceset have in common.

    Attributes:
        config: face type, quality and the like.
        size: side of the crops, pixels.
        faceset: where they go.
        reporter: is told how far it is.
    """

    config: ExtractConfig
    size: int
    faceset: Faceset
    reporter: Reporter

    def cut(self, part: Part, faces: Mapping[int, Sequence[Kept]]) -> None:
        """Cuts those of `faces` (frame -> faces) that are not there yet, nor set aside since a stopped extraction."""
        done = {_key(record) for record in self.faceset.records() if _is_of(part, record)}
        aside = {_key(record) for record in records(self.faceset.folder) if _is_of(part, record)} - done
        if count := sum((index, *_own(kept)) in aside for index, here in faces.items() for kept in here):
            self.reporter.note(f"{count} faces of {part.given.name} lie in the trash, and stay there.")
            done |= aside
        due = {
            index: missing
            for index, here in faces.items()
            if (missing := [kept for kept in here if (index, *_own(kept)) not in done])
        }
        shots = self._shots(part, sorted(due), "cutting crops", lambda index: map(self._fit, due[index]))
        crops = ([self._crop(part, shot, kept) for kept in due[shot.index]] for shot in shots)
        for made in read_ahead(crops):  # cut on another thread, while these go to the disk
            for record, crop in made:
                self._store(record, crop)

    def amend(self, amendments: Amendments, frames: Sequence[int], finder: Finder) -> None:
        """Makes the crops of `frames` what is known of them now; those that are right already are not touched."""
        part, num_drawn, num_carried = amendments.part, 0, 0
        there: dict[int, list[FaceRecord]] = {}
        for record in self.faceset.records():
            if _is_of(part, record):
                there.setdefault(record.frame_index, []).append(record)
        for shot in self._shots(part, sorted(frames), "putting faces right"):
            image = shot.image if shot.look is None else to_uint8(shot.look.show(shot.image))
            wanted = [self._crop(part, shot, kept) for kept in amendments.faces(shot.index, image, finder)]
            texts = {record.encode() for record, _ in wanted}
            old = [record for record in there.get(shot.index, ()) if record.encode() not in texts]
            drawn = [(record, self.faceset.labels(record.name)) for record in old]
            labels = carried(drawn, [record for record, _ in wanted])
            if old:
                why = f"frame {shot.index} of {part.given.name} was extracted again"
                self.faceset.set_aside([record.name for record in old], why)
            for place, (record, crop) in enumerate(wanted):
                self._store(record, crop, labels.get(place))
            num_drawn += sum(not one.is_empty for _, one in drawn)
            num_carried += len(labels)
        if num_carried:
            self.reporter.note(f"What was drawn on {num_carried} crops went over to the new ones.")
        if num_drawn > num_carried:
            self.reporter.warn(
                f"{num_drawn - num_carried} crops that were drawn on have no new one of the same face. They lie in the "
                f"trash of '{self.faceset.folder}', with what was drawn."
            )

    def _shots(
        self, part: Part, indices: Sequence[int], told: str, cuts: Callable[[int], Iterable[Crop]] | None = None
    ) -> Iterator[Shot]:
        """The frames or pictures with these indices (ascending).

        Args:
            part: what they are of.
            indices: which.
            told: what is done, in words.
            cuts: crops that will be cut from a frame: a film's frames need hold no other pixels. None = all of them.
        """
        if not indices:
            return
        if part.given.plate is None:
            self.reporter.start(told, len(indices))
            for number, index in enumerate(indices):
                check(self.reporter)
                yield Shot(index, Fraction(0), read_picture(part.pictures[part.analysis.names[index]]))
                self.reporter.advance(number + 1)
            self.reporter.finish()
            return
        plate, look = part.given.plate, look_of(part.given.path)
        self.reporter.start(told, indices[-1] + 1)
        for frame in plate.frames(indices, deep=look is not None, native=True):
            check(self.reporter)
            needed = frame if cuts is None else _within(frame, cuts(frame.index))
            yield Shot(frame.index, frame.pts, needed.image, look)
            self.reporter.advance(frame.index + 1)
        self.reporter.finish()

    def _fit(self, kept: Kept) -> Crop:
        return Crop.fit(kept.face.landmarks, FaceType(self.config.face_type), self.size)

    def _crop(self, part: Part, shot: Shot, kept: Kept) -> tuple[FaceRecord, NDArray[np.uint8]]:
        """One crop with its record; of an HDR plate as an ordinary picture."""
        height, width = shot.image.shape[:2]
        crop = self._fit(kept)
        cut = crop.cut(shot.image)
        if shot.look is not None:
            cut = to_uint8(shot.look.show(cut))
        record = FaceRecord(
            source=source_of(part, shot.index),
            frame_index=shot.index,
            pts=shot.pts,
            face=kept.face,
            raw_landmarks=kept.raw,
            pose=head_pose(kept.face.landmarks, (width, height)),
            sharpness=sharpness(cut),
            face_type=crop.face_type,
            size=crop.size,
            crop_from_frame=crop.crop_from_frame.matrix,
            frame_size=(width, height),
            corrected=kept.is_corrected,
        )
        return record, cut

    def _store(self, record: FaceRecord, crop: NDArray[np.uint8], labels: FaceLabels | None = None) -> None:
        if self.config.quality == USUAL_QUALITY:
            self.faceset.add(crop, record, labels)
        else:
            self.faceset.add_jpeg(encode_image(crop, ".jpg", self.config.quality), record, labels)


def _within(frame: Frame, crops: Iterable[Crop]) -> Frame:
    """The frame with the pixels under these crops, where making them costs less than making all."""
    width, height = frame.size
    regions = [crop.bounds((height, width), _REACH) for crop in crops]
    pixels = [(rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in regions]
    # beside the frame a crop repeats its edge, which has to be there
    return frame.within(regions) if all(pixels) and sum(pixels) < _WORTHWHILE * width * height else frame


def source_of(part: Part, index: int) -> str:
    """What the records call the source of a frame: the film, or the loose picture itself in its folder."""
    if part.given.plate is not None:
        return part.given.name
    return f"{part.given.name}/{part.analysis.names[index].partition(' ')[2]}"


def _is_of(part: Part, record: FaceRecord) -> bool:
    """Whether a record is of this part."""
    if part.given.plate is not None:
        return record.source == part.given.name
    names = part.analysis.names
    return record.frame_index < len(names) and record.source == source_of(part, record.frame_index)


def _own(kept: Kept) -> tuple[int | None, int | None]:
    """What tells a face from others in its frame: the track; of a loose picture the person."""
    return kept.face.track, kept.face.person if kept.face.track is None else None


def _key(record: FaceRecord) -> tuple[int, int | None, int | None]:
    face = record.face
    return record.frame_index, face.track, face.person if face.track is None else None
