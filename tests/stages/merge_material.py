"""A drawn plate, its faceset and a model that paints faces: what tests of merge need. Also run as a program, to be
killed (see test_merge_kill.py)."""

import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from konterfei.geometry import HEAD_68, Crop, Face, FaceType
from konterfei.io.atomic import sha256
from konterfei.io.faceset import FaceRecord, Faceset, FacesetHeader
from konterfei.io.sequence import sequence_sha256
from konterfei.io.video import VideoReader, VideoWriter
from konterfei.provenance.consent import Consent
from konterfei.reporting import Silent
from konterfei.stages.merge import MergeConfig, merge

WIDTH, HEIGHT = 160, 128
FRAMES = 40


class Painter:
    """Stands for a trained model: darkens and tints what it is shown; its mask is a disk."""

    resolution = 64
    face_type = FaceType.WHOLE

    def __init__(self, mask=1.0, slow_s=0.0, is_preview=False, broken_at=None):
        self.info = {
            "model": "painter",
            "steps": 7,
            "preset": "none",
            "snapshot_sha256": "ab" * 32,
            "is_preview": is_preview,
        }
        self.mask, self.slow_s, self.broken_at = mask, slow_s, broken_at
        self.batches = []

    def draw(self, images):
        time.sleep(self.slow_s)
        self.batches.append(len(images))
        drawn = np.clip(images.astype(np.float32) / 255 * np.float32([0.3, 0.6, 1.0]), 0, 1)
        if self.broken_at is not None and sum(self.batches) > self.broken_at:
            drawn[0] = np.nan
        y, x = np.mgrid[:64, :64] / 64 - 0.5
        disk = (np.hypot(x, y) < 0.45).astype(np.float32) * self.mask
        masks = np.repeat(disk[None], len(images), axis=0)
        return drawn, masks, np.ones_like(masks)

    def redraw(self, images):
        return images.astype(np.float32) / 255


def face(index, x=None, track=0):
    """The face of frame `index`: it drifts to the right and nods."""
    roll = 0.1 * np.sin(index / 5)
    cos, sin = np.cos(roll), np.sin(roll)
    points = HEAD_68[:, :2].astype(np.float64) @ np.array([[cos, sin], [-sin, cos]]) * 0.4
    points += [60 + 0.7 * index if x is None else x, 66]
    return Face(box=[*points.min(axis=0), *points.max(axis=0)], landmarks=points, track=track)


def picture(index):
    """The plate's frame `index`. [128, 160, 3] uint8"""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    image = np.stack([60 + x / 4, 70 + y / 4, 80 + (x + y) / 8], axis=2).astype(np.uint8)
    points = face(index).landmarks
    cv2.fillConvexPoly(image, cv2.convexHull(np.rint(points).astype(np.int32)), (205, 160, 140))
    for part in (slice(36, 42), slice(42, 48), slice(60, 68)):
        cv2.fillConvexPoly(image, cv2.convexHull(np.rint(points[part]).astype(np.int32)), (60, 30, 30))
    return image


def times(frames=FRAMES, vfr=False):
    """When frames are shown, seconds."""
    if not vfr:
        return [Fraction(i, 25) for i in range(frames)]
    steps = [Fraction(1, 30), Fraction(1, 15), Fraction(1, 10)]
    return [sum((steps[j % 3] for j in range(i)), Fraction(0)) for i in range(frames)]


def make_plate(path, frames=FRAMES, vfr=False, sound=True, deep=False, size=(WIDTH, HEIGHT)):
    """The plate, with a tone."""
    source = path.with_name(f"{path.stem}_sound.mp4") if sound else None
    if source:
        _tone(source, float(times(frames, vfr)[-1]) + 0.04)
    with VideoWriter(path, *size, crf=6, preset="veryfast", fps_hint=25, time_base=Fraction(1, 15000),
                     audio_from=source) as writer:  # fmt: skip
        for index, pts in enumerate(times(frames, vfr)):
            image = cv2.resize(picture(index), size)
            writer.write(image.astype(np.uint16) * 257 if deep else image, pts)
    return path


def _tone(path, seconds):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        for index in range(int(seconds * 48000 / 1024)):
            wave = 0.3 * np.sin((np.arange(1024) + index * 1024) * 0.06).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, index * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def make_faces(folder, plate, frames=range(FRAMES), vfr=False, more=(), size=(WIDTH, HEIGHT), **header):
    """The plate's faceset; `more` = further faces: (frame, Face)."""
    known = {
        "face_type": FaceType.WHOLE,
        "size": 32,
        "source": str(plate),
        "source_sha256": sequence_sha256(plate) if plate.is_dir() else sha256(plate),
    }
    found = [*((i, face(i)) for i in frames), *more]
    with Faceset.create(folder, FacesetHeader(**{**known, **header})) as faceset:
        for index, one in found:
            crop = Crop.fit(one.landmarks, FaceType.WHOLE, 32)
            record = FaceRecord(
                source=plate.name,
                frame_index=index,
                pts=times(index + 1, vfr)[-1] if vfr else Fraction(index, 25),
                face=one,
                face_type=FaceType.WHOLE,
                size=32,
                crop_from_frame=crop.crop_from_frame.matrix,
                frame_size=size,
            )
            faceset.add(crop.cut(picture(index)), record)
    return folder


def make_consent(path):
    Consent(person="Painter's model", basis="synthetic", scope=("any",)).save(path)
    return path


def config_for(folder, plate, faces, **changes):
    """A quick merge in small parts."""
    given = {
        "video": plate,
        "faces": faces,
        "model": folder / "run",
        "output": folder / "out.mp4",
        "consent": folder / "consent.toml",
        "encoder_preset": "ultrafast",
        "crf": 10,
        "part_frames": 7,
        "batch": 3,
        "label": "none",
    }
    return MergeConfig(**{**given, **changes})


def decode(path):
    """Frames and times of a video. [N, H, W, 3], [N]"""
    with VideoReader(path) as reader:
        frames = list(reader)
    return np.stack([frame.image for frame in frames]), [frame.pts for frame in frames]


def sound_packets(path):
    with av.open(str(path)) as container:
        return [(p.pts, p.dts, bytes(p)) for p in container.demux(audio=0) if p.size]


class Killer(Silent):
    """Kills this process, without a word, some milliseconds after so many frames.

    However slowly the clock's thread comes to it, no more than five further frames are drawn until then.

    Args:
        mark: file that the process numbers of workers are written to.
    """

    def __init__(self, frames, milliseconds, mark=None):
        self.frames, self.milliseconds, self.mark = frames, milliseconds, mark
        self.timer = None

    def advance(self, done, **figures):
        if self.timer is None and done >= self.frames >= 0:
            if self.mark:
                workers = [str(process.pid) for process in multiprocessing.active_children()]
                self.mark.write_text(" ".join(workers))
            self.timer = threading.Timer(self.milliseconds / 1000, os.kill, (os.getpid(), signal.SIGKILL))
            self.timer.start()
        if self.timer is not None and done >= self.frames + 5:
            self.timer.join()


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    base = Path(told["folder"])
    more = told.get("more", {})
    settings = config_for(base, base / "plate.mp4", base / "faces", output=Path(told["output"]), **more)
    mark = base / "workers.txt" if settings.processes > 1 else None
    merge(settings, Killer(told["frames"], told["milliseconds"], mark), Painter(slow_s=0.004))


def left_behind(place):
    known = {"plate.mp4", "plate_sound.mp4", "faces", "consent.toml"}
    return {path.name for path in place.iterdir()} - known
