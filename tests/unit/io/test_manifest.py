from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from konterfei.errors import DamagedFileError
from konterfei.io.manifest import Manifest, input_record


@dataclass(frozen=True)
class Config:
    video: Path
    fps: Fraction
    size: int


def made(tmp_path, **changes):
    settings = {"face_type": "whole", "size": 256, "smoothing": 0.5, **changes}
    return Manifest(stage="extract", inputs={"video": input_record(tmp_path / "a.mp4")}, settings=settings)


@pytest.fixture
def clip(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"abc")
    return tmp_path / "a.mp4"


def test_saved_is_loaded(tmp_path, clip):
    manifest = made(tmp_path, config=Config(clip, Fraction(1, 3), np.int64(3)), tags=("a", "b"))
    manifest.complete = True
    assert manifest.save(tmp_path / "faces") == tmp_path / "faces" / "manifest.json"
    back = Manifest.load(tmp_path / "faces")
    assert back == manifest and back.differs_from(manifest) == []
    assert back.settings["config"] == {"video": str(clip), "fps": "1/3", "size": 3}
    assert Manifest.load(tmp_path / "nothing") is None


def test_beside_a_video(tmp_path):
    Manifest(stage="merge").save(tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4.manifest.json").exists()
    assert Manifest.load(tmp_path / "out.mp4").stage == "merge"


def test_changes_are_said_in_words(tmp_path, clip):
    old = made(tmp_path, mask="hull")
    new = made(tmp_path, size=192, every_nth=2)
    assert new.differs_from(old) == [
        "every_nth is 2, was not set",
        "mask is not set, was hull",
        "size is 192, was 256",
    ]
    clip.write_bytes(b"abd")
    assert made(tmp_path, mask="hull").differs_from(old) == [f"the content of video ({clip}) has changed"]


def test_a_moved_input_is_the_same_and_another_one_is_named(tmp_path, clip):
    old = made(tmp_path)
    (tmp_path / "b.mp4").write_bytes(b"abc")
    new = made(tmp_path)
    new.inputs["video"] = input_record(tmp_path / "b.mp4")
    assert new.differs_from(old) == []
    (tmp_path / "b.mp4").write_bytes(b"xyz")
    new.inputs["video"] = input_record(tmp_path / "b.mp4")
    assert new.differs_from(old) == [f"video is {tmp_path / 'b.mp4'}, was {clip}"]
    new.inputs = {"extra": {"path": "c", "sha256": "0"}}
    assert new.differs_from(old) == ["extra is new (c)", "video is no longer given"]


def test_hashes_are_not_made_twice_for_an_unchanged_file(tmp_path, clip):
    first = input_record(clip)
    assert input_record(clip, {**first, "sha256": "remembered"})["sha256"] == "remembered"
    os.utime(clip, ns=(1, 1))
    assert input_record(clip, {**first, "sha256": "remembered"})["sha256"] == first["sha256"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99, "stage": "x"}', '{"format": 1, "what": 2}'])
def test_damaged_manifests_are_errors(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DamagedFileError, match=r"manifest\.json"):
        Manifest.load(tmp_path)


def test_of_another_stage_nothing_but_that_is_told():
    one = Manifest(stage="faceset export", inputs={}, settings={"bare": False}, versions={})
    other = Manifest(stage="extract", inputs={}, settings={"size": 256}, versions={})
    assert one.differs_from(other) == ["it is what 'konterfei extract' made"]
