"""Which faces of a film are one face over time, for faces that another program found frame by frame."""

from __future__ import annotations

from collections.abc import Mapping

from konterfei.io.face_record import FaceRecord
from konterfei.tracking.finder import Found, FrameFaces
from konterfei.tracking.link import link


def tracks_of(records: Mapping[str, FaceRecord]) -> dict[str, int]:
    """Number of the track of each face, by place; faces that have one keep it.

    Faces are followed by where they are: who they are is not known yet, nor where scenes are cut. A face that is
    somewhere else in the next frame, or in none, begins a track.

    Args:
        records: of one film, by place.
    """
    tracked = {place: record.face.track for place, record in records.items() if record.face.track is not None}
    loose = {place: record for place, record in records.items() if place not in tracked}
    by_frame: dict[int, list[tuple[str, Found]]] = {}
    for place, record in loose.items():
        found = Found(points=record.face.landmarks, iris=None, score=1.0, presence=1.0, embedding=None)
        by_frame.setdefault(record.frame_index, []).append((place, found))
    if not by_frame:
        return dict(tracked)
    first, last = min(by_frame), max(by_frame)
    frames = [FrameFaces(faces=[found for _, found in by_frame.get(index, [])]) for index in range(first, last + 1)]
    numbers: dict[int, int] = {}
    for number, track in enumerate(link(frames, ()), max(tracked.values(), default=-1) + 1):
        numbers |= {id(found): number for found in track.faces}
    return {**tracked, **{place: numbers[id(found)] for here in by_frame.values() for place, found in here}}
