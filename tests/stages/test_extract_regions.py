"""Crops are cut from the pixels that they cover: they are the crops that a whole frame gives."""

import numpy as np
import pytest

import drawn_vision
from drawn_vision import SETTINGS, two_people, write_clip
from konterfei.io.video_native import Native
from konterfei.reporting import Silent
from konterfei.stages import _extract_crops
from konterfei.stages.extract import ExtractConfig, extract


@pytest.fixture(autouse=True)
def _drawn(monkeypatch):
    drawn_vision.install(monkeypatch.setitem)


def crops(clip, folder, **settings):
    extract(ExtractConfig(video=clip, output=folder, **{**SETTINGS, "person": "all", **settings}), Silent())
    return {path.name: path.read_bytes() for path in folder.glob("*.jpg")}


@pytest.mark.parametrize("face_type", ["half", "whole", "head"])
@pytest.mark.parametrize("at", ["amid", "edge"])
def test_they_are_the_same(tmp_path, monkeypatch, face_type, at):
    frames = two_people(6, gone_from=4)
    noise = np.random.default_rng(1).integers(0, 60, (480, 640, 3), dtype=np.uint8)
    wide = [noise.copy() for _ in frames]
    for whole, frame in zip(wide, frames, strict=True):
        top, left = (130, 170) if at == "amid" else (0, 0)
        whole[top : top + 240, left : left + 320] = frame
    if at == "edge":
        wide = [np.ascontiguousarray(whole[40:, 30:]) for whole in wide]
    clip = write_clip(tmp_path / "clip.mp4", wide)
    asked = []
    rgb_within = Native.rgb_within
    monkeypatch.setattr(Native, "rgb_within", lambda *given: asked.append(1) or rgb_within(*given))
    monkeypatch.setattr(_extract_crops, "_WORTHWHILE", 9.0)
    pieces = crops(clip, tmp_path / "pieces", face_type=face_type)
    assert len(asked) == 6, "regions were not asked for"
    monkeypatch.setattr(_extract_crops, "_WORTHWHILE", 0.0)
    assert crops(clip, tmp_path / "whole", face_type=face_type) == pieces
    assert len(asked) == 6 and len(pieces) == 10
