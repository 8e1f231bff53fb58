"""Who is who over all inputs of an extraction, whom to keep, and which of their faces."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from konterfei.detectors import DETECTORS
from konterfei.errors import NoFacesError
from konterfei.geometry import Crop, FaceType
from konterfei.landmarkers import LANDMARKERS
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter
from konterfei.stages._extract_inputs import Input
from konterfei.stages._extract_settings import ALL, ExtractConfig, threshold_of
from konterfei.tracking.cuts import find_cuts, gaps
from konterfei.tracking.faces import TrackedFace, faces_by_frame
from konterfei.tracking.finder import FrameFaces
from konterfei.tracking.journal import Analysis
from konterfei.tracking.link import Track, link
from konterfei.tracking.people import NEAR_IN_TIME, Person, describe, group, most_like
from konterfei.tracking.reference import embed_picture

APART = 2 * NEAR_IN_TIME
"""Frames put between two inputs, and between loose pictures: nobody moves from the one into the other."""
TESTED = (FaceType.HALF, FaceType.MID_FULL, FaceType.FULL)
"""Face types for which `area_limit` holds."""


@dataclass
class Part:
    """One input with what was found in it.

    Attributes:
        given: the input.
        analysis: from its journal.
        pictures: of loose pictures: those that are there now, by their names in the journal.
        cuts: positions of frames that begin a scene.
        tracks: all of them.
    """

    given: Input
    analysis: Analysis
    pictures: Mapping[str, Path] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    tracks: list[Track] = field(default_factory=list)

    def link(self, step: int) -> None:
        """Makes cuts and tracks; `step` from one frame to the next that is looked at."""
        frames = self.analysis.frames
        if self.given.plate is not None:
            self.cuts = find_cuts([frame.change for frame in frames])
            self.tracks = link(frames, {*self.cuts, *gaps(self.analysis.indices, step)})
            return
        there = [name in self.pictures for name in self.analysis.names]
        kept = [frame if here else FrameFaces() for frame, here in zip(frames, there, strict=True)]
        self.tracks = link(kept, range(len(kept)))

    @property
    def num_there(self) -> int:
        """Frames, or pictures that are still there, that were looked at."""
        if self.given.plate is not None:
            return len(self.analysis.frames)
        return sum(name in self.pictures for name in self.analysis.names)

    def shifted(self, by: int) -> list[Track]:
        """The tracks at the places that they have among all inputs."""
        if self.given.plate is not None:
            return [Track(track.start + by, track.faces) for track in self.tracks] if by else self.tracks
        return [Track(by + track.start * APART, track.faces) for track in self.tracks]

    @property
    def extent(self) -> int:
        """Places that it takes among all inputs."""
        return (len(self.analysis.frames) if self.given.plate is not None else len(self.analysis.names) * APART) + APART


@dataclass(frozen=True)
class Cast:
    """The people of all inputs.

    Attributes:
        people: by number.
        tracks: for each person and each part, the person's tracks in it.
    """

    people: list[Person]
    tracks: list[list[list[Track]]]


def cast_of(parts: Sequence[Part], batches: Sequence[Collection[str]], same_person: float) -> Cast:
    """The people in all parts.

    Args:
        parts: linked.
        batches: names of the inputs, in the order in which they came: those that came later do not change the numbers
            of the people in those before.
        same_person: cosine from which on two embeddings are one person.
    """
    whose: dict[int, tuple[int, Track]] = {}
    of_batch: list[list[Track]] = [[] for _ in batches]
    by = 0
    for number, part in enumerate(parts):
        shifted = part.shifted(by)
        whose |= {id(moved): (number, track) for moved, track in zip(shifted, part.tracks, strict=True)}
        of_batch[next(n for n, names in enumerate(batches) if part.given.name in names)] += shifted
        by += part.extent
    people: list[Person] = []
    for tracks in of_batch:
        people = group(tracks, same_person, people)
    own = []
    for person in people:
        of_part: list[list[Track]] = [[] for _ in parts]
        for moved in person.tracks:
            number, track = whose[id(moved)]
            of_part[number].append(track)
        own.append(of_part)
    return Cast(people, own)


def chosen_of(config: ExtractConfig, cast: Cast, parts: Sequence[Part], reporter: Reporter) -> list[int]:
    """Numbers of the people asked for.

    Raises:
        NoFacesError: there is no such person.
    """
    people, total = cast.people, sum(part.num_there for part in parts)
    where = str(config.video) if len(parts) == 1 else f"these {len(parts)} inputs"
    if config.like is not None:
        return _like(config, cast, where, reporter)
    if config.picture is not None:
        same_person = RECOGNIZERS.load(config.recognizer).same_person
        chosen = [most_like(people, _embedding(config, config.picture), same_person, where)]
    elif config.person == ALL:
        chosen = list(range(len(people)))
    else:
        chosen = list(config.numbers or (0,))
        if chosen[-1] >= len(people):
            raise NoFacesError(
                f"There is no person {chosen[-1]} in {where}. Seen: {describe(people, total)}. "
                "Give one of these numbers with --person, or a picture of the person."
            )
    if len(people) > 1:
        named = f"person {', '.join(map(str, chosen))}"
        who = {None: "the one seen most", ALL: "everybody"}.get(config.person, named)
        reporter.note(
            f"{len(people)} people in {config.video.name if len(parts) == 1 else where}; {who} is taken. "
            f"{describe(people, total, chosen)}. "
            "--person NUMBER or --person PICTURE takes another, --person all takes everybody."
        )
    return chosen


def _embedding(config: ExtractConfig, picture: Path) -> NDArray[np.float32]:
    detector = DETECTORS.load(config.detector)(threads=config.threads)
    landmarker = LANDMARKERS.load(config.landmarker)(threads=config.threads)
    return embed_picture(picture, detector, landmarker, RECOGNIZERS.load(config.recognizer)(threads=config.threads))


def _like(config: ExtractConfig, cast: Cast, where: str, reporter: Reporter) -> list[int]:
    """Takes tracks that do not resemble the picture of --like out of `cast`; gives who is left."""
    assert config.like is not None
    least = config.similarity or RECOGNIZERS.load(config.recognizer).same_person
    wanted = _embedding(config, config.like)
    best, kept, total = -1.0, 0, 0
    for of_part in cast.tracks:
        for number, tracks in enumerate(of_part):
            scored = [(-1.0 if (v := track.embedding()) is None else float(v @ wanted), track) for track in tracks]
            best = max([best, *(score for score, _ in scored)])
            of_part[number] = [track for score, track in scored if score >= least]
            kept, total = kept + len(of_part[number]), total + len(scored)
    if not kept:
        raise NoFacesError(
            f"Nobody in {where} resembles '{config.like}' by {least:.2f}; the nearest of {total} tracks does by "
            f"{best:.2f}. Give a sharper frontal picture, or --similarity {max(best - 0.02, 0.05):.2f}."
        )
    reporter.note(f"{kept} of {total} tracks resemble {config.like.name} by {least:.2f} or more and are taken.")
    return [number for number, of_part in enumerate(cast.tracks) if any(of_part)]


Faces = dict[int, list[TrackedFace]]
"""Frame, or number of a loose picture -> the faces kept there."""


def faces_of(
    config: ExtractConfig, cast: Cast, chosen: Sequence[int], parts: Sequence[Part], number: int
) -> tuple[Faces, int]:
    """The faces of one part that are kept, and how many were left out for what they are."""
    part = parts[number]
    own = {person: cast.tracks[person][number] for person in chosen if person < len(cast.tracks)}
    faces = faces_by_frame(own, part.analysis.indices, config.smoothing)
    if part.given.plate is None:
        faces = {index: [_alone(item) for item in here] for index, here in faces.items()}
    kept = {index: kept_of(config, here) for index, here in faces.items()}
    left_out = sum(map(len, faces.values())) - sum(map(len, kept.values()))
    return {index: here for index, here in kept.items() if here}, left_out


def _alone(item: TrackedFace) -> TrackedFace:
    """A face of a loose picture: it is in no track, so that pictures that come later change no numbers."""
    return item[0].with_(track=None), item[1]


def kept_of(config: ExtractConfig, here: Sequence[TrackedFace]) -> list[TrackedFace]:
    """The faces of one frame that pass the filters, in the order that they came in."""
    good = [item for item in here if item[0].score >= config.min_score and not _is_collapsed(config, item)]
    if config.max_faces and len(good) > config.max_faces:
        largest = sorted(good, key=lambda item: -_area(item[1]))[: config.max_faces]
        good = [item for item in good if any(item is kept for kept in largest)]
    return good


def _is_collapsed(config: ExtractConfig, item: TrackedFace) -> bool:
    """Whether the crop of a face is so much larger than its points' bounds that these are none of a face."""
    if not config.area_limit or FaceType(config.face_type) not in TESTED:
        return False
    crop = Crop.fit(item[0].landmarks, FaceType(config.face_type), 256)
    area = 256**2 / abs(float(np.linalg.det(crop.crop_from_frame.matrix[:, :2])))
    return area > config.area_limit * _area(item[1])


def _area(points: NDArray[np.float32]) -> float:
    return float(np.prod(np.ptp(points, axis=0)))


def usual_side(faces: Sequence[Faces], face_type: FaceType, sides: Sequence[int]) -> int:
    """The side in pixels that crops need for nine of ten faces to lose nothing: the next of `sides`, or the last."""
    found = []
    for of_part in faces:
        for here in of_part.values():
            for face, _ in here:
                crop = Crop.fit(face.landmarks, face_type, 256)
                found.append(256 / abs(float(np.linalg.det(crop.crop_from_frame.matrix[:, :2]))) ** 0.5)
    needed = float(np.quantile(found, 0.9)) if found else 0.0
    return next((side for side in sides if side >= needed), sides[-1])


def nothing_found(config: ExtractConfig, parts: Sequence[Part]) -> NoFacesError:
    """The error of an extraction that found nobody: what was looked at, and what may help."""
    frames = [frame for part in parts for frame in part.analysis.frames]
    scores = [frame.best_score for frame in frames if frame.best_score is not None]
    other = next((name for name in DETECTORS if name != config.detector), config.detector)
    where = str(config.video) if len(parts) == 1 else f"these {len(parts)} inputs"
    return NoFacesError(
        f"No face in {where}: {len(frames)} frames were looked at, {len(scores)} of them by the "
        f"detector {config.detector} with threshold {threshold_of(config):g}; the best score that it saw is "
        f"{max(scores, default=0):.2f}. Try --threshold {max(max(scores, default=0) - 0.05, 0.3):.2f}, "
        f"--detector {other}, or --smallest 12 for small faces; or check that the video shows a person."
    )
