"""Films of drawn faces, their facesets, and the manifests that a merge would leave."""

from fractions import Fraction

import numpy as np
from blob_networks import SIZE, draw, face

from konterfei.geometry import Crop, FaceType
from konterfei.io.atomic import sha256
from konterfei.io.faceset import FaceRecord, Faceset, FacesetHeader
from konterfei.io.manifest import Manifest, input_record
from konterfei.io.run import Run
from konterfei.io.sequence import sequence_sha256
from konterfei.io.video import VideoWriter

FRAMES = 14
SRC, DST = (220, 120, 90), (90, 130, 220)


def motion(index):
    return (70 + 1.5 * index, 60 + 3 * np.sin(index)), 40.0, 0.25 + 0.2 * np.sin(index / 1.5)


def write_video(path, color, motion=motion, frames=FRAMES, fps=25, size=SIZE):
    with VideoWriter(path, *size, crf=4, preset="ultrafast", fps_hint=Fraction(fps)) as writer:
        for index in range(frames):
            centre, radius, mouth = motion(index)
            image = draw(centre, radius, color, mouth) if color else np.full((SIZE[1], SIZE[0], 3), 20, np.uint8)
            writer.write(np.resize(image, (size[1], size[0], 3)), Fraction(index, fps))
    return path


def write_faces(folder, video, color, tracks=lambda index: None, **settings):
    header = FacesetHeader(
        face_type=FaceType.WHOLE,
        size=64,
        source=str(video),
        source_sha256=sequence_sha256(video) if video.is_dir() else sha256(video),
        settings={"recognizer": "blob", **settings},
    )
    with Faceset.create(folder, header) as faceset:
        for index in range(FRAMES):
            found = face(*motion(index)[:2], color, motion(index)[2]).with_(track=tracks(index))
            crop = Crop.fit(found.landmarks, FaceType.WHOLE, 64)
            record = FaceRecord(
                source=video.name,
                frame_index=index,
                pts=Fraction(index, 25),
                face=found,
                face_type=FaceType.WHOLE,
                size=64,
                crop_from_frame=crop.crop_from_frame.matrix,
                frame_size=SIZE,
            )
            faceset.add(crop.cut(draw(*motion(index)[:2], color, motion(index)[2])), record)
    return folder


def write_run(folder, src):
    """What is left of a training with the faces in `src`."""
    told = {"faces": str(src), "hash": Faceset.open(src).content_hash()}
    return Run.create(folder, {"model": "df", "src": told}).folder


def write_manifest(video, plate, faces, models, settings=None, **results):
    """What a merge leaves beside its result.

    Args:
        models: name in the manifest -> folder of the run.
    """
    Manifest(
        stage="merge",
        inputs={
            "video": input_record(plate),
            "faces": {"path": str(faces), "sha256": Faceset.open(faces).content_hash()},
            **{name: {"path": str(path), "sha256": "ab" * 32} for name, path in models.items()},
        },
        settings={"range": None, "label": "none", **(settings or {})},
        output={"path": str(video), "sha256": sha256(video), "size": video.stat().st_size},
        results=results,
        complete=True,
    ).save(video)
    return video
