"""From tracks to faces: calm landmarks, and everything else that is known of a person in a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import Face
from konterfei.tracking.link import Track
from konterfei.tracking.smoothing import smooth

TrackedFace = tuple[Face, NDArray[np.float32]]
"""A face with smoothed landmarks, and its landmarks as they were found. [68, 2]"""


def faces_by_frame(
    people: Mapping[int, Sequence[Track]], indices: Sequence[int], smoothing: float
) -> Mapping[int, list[TrackedFace]]:
    """Frame index -> the faces there (of one person more than one only where a screen or mirror shows them twice).

    Args:
        people: number of each person -> their tracks. Tracks are numbered on over all of them, in this order.
        indices: frame index of each position that the tracks count in.
        smoothing: strength; see `smoothing.smooth`.
    """
    faces: dict[int, list[TrackedFace]] = {}
    tracks = [(person, track) for person, own in people.items() for track in own]
    for number, (person, track) in enumerate(tracks):
        for position, item in enumerate(_faces_of(track, number, person, smoothing), start=track.start):
            faces.setdefault(indices[position], []).append(item)
    return faces


def _faces_of(track: Track, number: int, person: int, smoothing: float) -> list[TrackedFace]:
    irises = [found.iris for found in track.faces if found.iris is not None]
    has_iris = len(irises) == len(track)
    points = np.stack([found.points for found in track.faces])
    calm = smooth(np.concatenate([points, np.stack(irises)], axis=1) if has_iris else points, smoothing)
    known = np.array([n for n, found in enumerate(track.faces) if found.embedding is not None])
    faces = []
    for n, found in enumerate(track.faces):
        nearest = int(known[np.abs(known - n).argmin()]) if len(known) else n
        face = Face(
            box=np.concatenate([calm[n, :68].min(axis=0), calm[n, :68].max(axis=0)]),
            landmarks=calm[n, :68],
            score=found.score,
            embedding=track.faces[nearest].embedding,
            iris=calm[n, 68:] if has_iris else None,
            presence=found.presence,
            track=number,
            person=person,
        )
        faces.append((face, found.points))
    return faces
