"""From two videos to one, on the CPU, in the time of a test."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from konterfei.cli import main
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest
from konterfei.io.video import VideoReader
from konterfei.reporting import Recorder
from konterfei.stages.swap import swap

from .conftest import Done, Material

pytestmark = pytest.mark.timeout(1500)


def frames(path: Path) -> list[tuple[object, np.ndarray]]:
    with VideoReader(path) as reader:
        return [(frame.pts, frame.image) for frame in reader]


def sound(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size]


def test_the_result_has_the_plates_frames_times_and_sound(done: Done):
    plate, result = frames(done.config.dst), frames(done.config.output)
    assert [pts for pts, _ in result] == [pts for pts, _ in plate]
    assert [image.shape for _, image in result] == [image.shape for _, image in plate]
    assert sound(done.config.output) == sound(done.config.dst)


def test_every_frame_has_another_face_and_the_same_background(done: Done):
    faces = Faceset.open(done.config.layout.dst_faces)
    pairs = zip(frames(done.config.dst), frames(done.config.output), strict=True)
    for index, ((_, plate), (_, result)) in enumerate(pairs):
        change = np.abs(plate.astype(int) - result).mean(axis=2)
        (record,) = faces.faces_at(index)
        left, top, right, bottom = record.face.box.astype(int)
        assert change[top:bottom, left:right].mean() > 3, index
        assert change[-16:, :16].mean() < 3, index  # a corner far from face and label: the encoder's noise


def test_it_is_marked_untouched_and_says_what_it_is(done: Done, capsys: pytest.CaptureFixture[str]):
    assert main(["verify", str(done.config.output)]) == 0
    said = capsys.readouterr().out
    for word in ("P005.mp4", "P006.mp4", "Performer P006", "synthetic", "PREVIEW"):
        assert word in said


@pytest.mark.parametrize("where", [0.3, 0.6, 0.9])
def test_a_flipped_bit_is_noticed(done: Done, tmp_path: Path, capsys: pytest.CaptureFixture[str], where: float):
    data = bytearray(done.config.output.read_bytes())
    data[int(len(data) * where)] ^= 1
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(data)
    assert main(["verify", str(damaged)]) == 1
    assert "ALTERED" in capsys.readouterr().out


def test_the_plate_itself_is_not_marked(done: Done, capsys: pytest.CaptureFixture[str]):
    assert main(["verify", str(done.config.dst)]) == 1
    capsys.readouterr()


def test_everything_is_where_the_summary_says(done: Done):
    result, layout = done.result, done.config.layout
    told = "\n".join(result.summary())
    for path in (result.video, result.report, result.manifest, result.project):
        assert path.exists()
        assert str(path) in told
    manifest = Manifest.load(result.video)
    assert manifest is not None and manifest.complete
    assert layout.run.is_dir() and len(Faceset.open(layout.src_faces)) == 12
    figures = json.loads(result.report.with_suffix(".json").read_text(encoding="utf-8"))
    assert figures["frames"]["num_frames"] > 0
    assert result.is_preview
    assert not done.told.warnings


def test_no_unsigned_video_is_left_anywhere(done: Done):
    videos = {path for path in done.config.output.parent.rglob("*") if path.suffix in (".mp4", ".mov", ".mkv")}
    assert videos == {done.config.output}


def test_the_same_again_does_nothing(done: Done):
    before = {p: p.stat().st_mtime_ns for p in done.config.output.parent.rglob("*.mp4")}
    faces = {p: p.stat().st_mtime_ns for p in done.config.layout.project.rglob("*_0.jpg")}
    told = Recorder()
    swap(done.config, told)
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert {p: p.stat().st_mtime_ns for p in faces} == faces
    assert not {"finding faces", "cutting crops", "merging"} & set(told.tasks), told.tasks


def test_a_deleted_face_is_left_as_it_is(done: Done, material: Material, tmp_path: Path):
    project = tmp_path / "project"
    shutil.copytree(done.config.layout.project, project)
    config = material.config(tmp_path / "out.mp4", project=project)
    (config.layout.dst_faces / "000003_0.jpg").unlink()
    result = swap(config, Recorder())
    assert "11 of 12 frames swapped" in "\n".join(result.summary())
    plate, mixed = frames(config.dst), frames(config.output)
    below_the_label = np.s_[60:]
    for index, is_left in ((2, False), (3, True), (4, False)):
        change = np.abs(plate[index][1].astype(int) - mixed[index][1])[below_the_label].max()
        assert (change < 30) == is_left, (index, change)
