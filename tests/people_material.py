"""People as directions in space, and facesets of them: who is who is known."""

import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np

from drawn_faces import SIZE, landmarks, picture
from konterfei.curation.sightings import Sightings
from konterfei.geometry import Crop, Face, FaceType
from konterfei.io.faceset import FaceRecord, Faceset, FacesetHeader

DIMS = 64


def looks(who, seed, likeness=0.85):
    """How person `who` looks this once: another `seed`, another moment. [DIMS] unit length

    Two looks of one person resemble each other by `likeness` squared; two people hardly.
    """
    one = np.random.default_rng([7, who]).normal(size=DIMS)
    noise = np.random.default_rng([8, who, seed]).normal(size=DIMS)
    one, noise = one / np.linalg.norm(one), noise / np.linalg.norm(noise)
    vector = likeness * one + np.sqrt(1 - likeness**2) * noise
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def halfway(one, other, share):
    """Somebody who resembles person `one` by `share`."""
    vector = share * looks(one, 0, 1.0) + np.sqrt(1 - share**2) * looks(other, 0, 1.0)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def seen(faces, folders=("/clips/a", "/clips/b", "/clips/c")):
    """Sightings out of rows (clip, who, frame, track or -1[, vector]); a face is named after its row's content."""
    rows = [(*face, looks(face[1], face[0] * 1000 + face[2])) if len(face) == 4 else face for face in faces]
    return Sightings(
        folders=[Path(folder) for folder in folders],
        digests=[f"{clip:02d}{who:04d}{frame:06d}{track + 1:04d}" for clip, who, frame, track, _ in rows],
        clips=np.array([row[0] for row in rows], np.int64),
        names=[f"{frame:06d}_{who}.jpg" for _, who, frame, _, _ in rows],
        sources=[f"{Path(folders[clip]).name}.mp4" for clip, *_ in rows],
        frames=[row[2] for row in rows],
        seconds=np.array([row[2] / 25 for row in rows]),
        tracks=np.array([row[3] for row in rows], np.int64),
        numbers=np.full(len(rows), -1, np.int64),
        qualities=np.ones(len(rows)),
        vectors=np.array([row[4] for row in rows], np.float32),
    )


def whose(digest):
    """The person in a face of `seen`."""
    return int(digest[2:6])


def clip(folder: Path, people, frames=4, *, with_embedding=True, size=SIZE) -> Path:
    """A faceset of one video with `people` (number -> colour of the skin) in every frame, a track each."""
    name, seed = f"{folder.name}.mp4", zlib.crc32(f"{folder.parent.name}/{folder.name}".encode())
    with Faceset.create(folder, FacesetHeader(face_type=FaceType.WHOLE, size=size, source=name)) as made:
        for index in range(frames):
            points = landmarks(index, frames)
            crop = Crop.fit(points, FaceType.WHOLE, size)
            for track, (who, skin) in enumerate(people.items()):
                face = Face(
                    box=np.array([*points.min(0), *points.max(0)]),
                    landmarks=points,
                    embedding=looks(who, seed + index) if with_embedding else None,
                    track=track,
                    person=track,
                )
                record = FaceRecord(
                    source=name,
                    frame_index=index,
                    pts=Fraction(index, 25),
                    face=face,
                    face_type=FaceType.WHOLE,
                    size=size,
                    crop_from_frame=crop.crop_from_frame.matrix,
                    frame_size=(320, 240),
                )
                made.add(crop.cut(picture(points, skin)), record)
    return folder
