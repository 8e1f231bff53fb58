"""The evaluation with the real networks, on a real face: one clip, encoded anew and spoilt in known ways."""

import cv2
import pytest

from konterfei.io.video import VideoReader, VideoWriter
from konterfei.reporting import Recorder
from konterfei.stages.evaluate import EvaluateConfig, evaluate
from konterfei.stages.extract import ExtractConfig, extract

pytestmark = pytest.mark.media
FRAMES = 8


def copy(source, target, change=lambda image: image, crf=12):
    reader = VideoReader(source, stop=FRAMES)
    size = (reader.info.width, reader.info.height)
    with VideoWriter(target, *size, fps_hint=reader.info.fps, crf=crf, preset="ultrafast") as writer:
        for frame in reader:
            writer.write(change(frame.image), frame.pts)
    return target


def test_a_real_face_against_itself_and_spoilt(media, tmp_path):
    plate = copy(media("lp_d18.mp4"), tmp_path / "plate.mp4")
    extract(ExtractConfig(video=plate, output=tmp_path / "faces", threads=1), Recorder())

    def measured(name, **changes):
        video = copy(plate, tmp_path / name, **changes)
        config = EvaluateConfig(renders=(video,), faces=tmp_path / "faces", src=tmp_path / "faces", threads=1)
        return evaluate(config, Recorder()).measurements

    same = measured("same.mp4", crf=18)
    assert same["identity"].value > 0.9
    assert same["landmark_distance"].value < 1.5
    assert abs(same["jitter"].value) < 0.5
    assert abs(same["flicker"].value) < 1
    spoilt = measured("spoilt.mp4", change=blurred_and_wider)
    assert spoilt["sharpness"].value < 0.5 * same["sharpness"].value
    assert spoilt["landmark_distance"].value > 2 * same["landmark_distance"].value


def blurred_and_wider(image):
    wider = cv2.getRotationMatrix2D((240, 240), 0, 1.06)
    return cv2.GaussianBlur(cv2.warpAffine(image, wider, image.shape[1::-1]), (0, 0), 2.5)
