"""Variants of portraits: the same person otherwise, the same variants at every run, lids that are meant shut are."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

pytest.importorskip("openpeople")

from konterfei.geometry import Crop, Face, FaceType, head_pose
from konterfei.io.faceset import FaceRecord, Faceset, FacesetHeader
from konterfei.io.images import encode_image
from konterfei.landmarkers.mesh478 import Mesh478
from konterfei.performers.measuring import measured
from konterfei.performers.motion import Pose
from konterfei.recognizers.mobilefacenet import MobileFaceNet
from konterfei.reporting import Recorder

ROW = {"family": "x", "reason": "", "yaw": 0, "tone": "light", "ita": 40, "age": 30, "age_group": "middle"}
REST = {"glasses": "no", "beard": "no", "hat": "no"}


@pytest.fixture(scope="module")
def picture():
    """The portrait of a fictional person, 480 pixels wide."""
    portrait = cv2.cvtColor(measured("P002").pictures.portrait, cv2.COLOR_RGB2BGR)
    return cv2.resize(portrait, (480, 480), interpolation=cv2.INTER_AREA)[..., ::-1].copy()


@pytest.fixture
def sitters(script):
    return script("sitters")


@pytest.fixture
def module(script):
    return script("vary")


@pytest.fixture
def record(sitters, picture):
    start = measured("P002").portrait[:468, :2] * (480 / 2048)
    found = sitters.look(Mesh478(threads=1), picture, start)
    (vector,) = MobileFaceNet(threads=1).embed(picture, [found.points])
    box = [*found.points.min(axis=0), *found.points.max(axis=0)]
    return FaceRecord(
        source="faces/somebody.png",
        frame_index=0,
        pts=Fraction(0),
        face=Face(box=box, landmarks=found.points, embedding=vector),
        pose=head_pose(found.points, (480, 480)),
        face_type=FaceType.WHOLE,
        size=256,
        crop_from_frame=Crop.fit(found.points, FaceType.WHOLE, 256).crop_from_frame.matrix,
        frame_size=(480, 480),
    )


@pytest.fixture
def sitter(sitters, picture, record):
    return sitters.sit(picture, record, "P007", Mesh478(threads=1))


@pytest.fixture
def studio(module):
    return module.Studio(Mesh478(threads=1), MobileFaceNet(threads=1))


@pytest.fixture
def out(script, module, monkeypatch, tmp_path, picture, record):
    """A folder with one portrait to train on, and its picture."""
    with Faceset.create(tmp_path / "portraits_train.faces", FacesetHeader(face_type=FaceType.WHOLE, size=256)) as made:
        made.add(record.crop.cut(picture), record)
    (tmp_path / "somebody.png").write_bytes(encode_image(picture, ".png"))
    x, y = (round(float(v)) for v in record.face.centre)
    one = script("portraits").Portrait(file="somebody.png", x=x, y=y, use="train", **ROW, **REST)
    monkeypatch.setattr(module, "read_list", lambda: [one])
    return tmp_path


def made(folder):
    faceset = Faceset.open(folder / "variants_train.faces")
    return {record.frame_index: (record, faceset.jpeg(record.name)) for record in faceset.records()}


def test_closed_lids_are_closed_as_the_landmarker_sees_them(sitters, studio, sitter, record):
    rest = studio.judged(sitter, Pose(), record)
    shut = studio.judged(sitter, Pose(blink=1.0), record)
    assert min(sitters.openness(rest[1].points)) > 0.22
    assert max(sitters.openness(shut[1].points)) < 0.6 * min(sitters.openness(rest[1].points))


def test_a_variant_goes_where_it_was_told_and_stays_the_same_person(studio, sitter, record):
    image, seen = studio.judged(sitter, Pose(yaw=0.3, jaw=0.8), record)
    height, width = image.shape[:2]
    assert np.degrees(record.pose[1] - head_pose(seen.points, (width, height)).yaw) == pytest.approx(17, abs=7)
    lips = np.linalg.norm(seen.points[62] - seen.points[66]) / np.linalg.norm(seen.points[36] - seen.points[45])
    assert lips > 0.12  # parted


def test_what_does_not_come_out_is_told(module, studio, sitter, record, monkeypatch):
    assert studio.judged(sitter, Pose(yaw=1.2), record) == "folded over"
    other = record.face.with_(embedding=-record.face.embedding)
    assert studio.judged(sitter, Pose(), FaceRecord(**{**vars(record), "face": other})) == "somebody else"
    monkeypatch.setattr(module, "ASTRAY", 0.001)
    assert studio.judged(sitter, Pose(blink=1.0), record) == "points astray"


def test_lids_drawn_shut_are_shut_in_the_record_whatever_the_landmarker_sees(
    module, sitters, studio, sitter, record, monkeypatch
):
    seen = studio.judged(sitter, Pose(blink=1.0), record)[1].points
    monkeypatch.setattr(module, "SHUT", 0.0)  # so that it is never believed
    told = studio.judged(sitter, Pose(blink=1.0), record)[1].points
    assert max(sitters.openness(told)) < 0.15
    assert np.abs(told - seen)[module.EYES].max() > 0
    np.testing.assert_array_equal(np.delete(told, range(36, 48), 0), np.delete(seen, range(36, 48), 0))


def test_an_open_mouth_is_shut_by_its_jaw(sitters, sitter, record):
    image, _ = sitter.draw(Pose(jaw=0.9))
    found = sitters.look(Mesh478(threads=1), image, record.face.landmarks * (352 / 480))
    there = FaceRecord(**{**vars(record), "face": record.face.with_(landmarks=found.points)})
    again = sitters.sit(image, there, "P007", Mesh478(threads=1))
    assert again.mouth_open and not sitter.mouth_open
    before, after = (again.draw(Pose(jaw=weight))[1] for weight in (0.0, 1.0))
    gaps = [np.abs(points[14, 1] - points[13, 1]) for points in (before, after)]
    assert gaps[1] < 0.2 * gaps[0]


def test_closed_eyes_are_no_sitter(sitters, sitter, record):
    image, meant = sitter.draw(Pose(blink=1.0))
    found = sitters.look(Mesh478(threads=1), image, meant)
    there = FaceRecord(**{**vars(record), "face": record.face.with_(landmarks=found.points)})
    assert sitters.sit(image, there, "P007", Mesh478(threads=1)) is None


def test_variants_are_a_function_of_the_seed_and_carry_the_originals_embedding(module, out, record):
    tally = module.vary(out, out, "train", 2, 1, Recorder())
    assert tally["made"] == 2
    first = made(out)
    assert sorted(first) == [0, 1]
    for told, _ in first.values():
        assert told.source == "variants/somebody.png"
        np.testing.assert_array_equal(told.face.embedding, record.face.embedding)
        assert np.abs(told.face.landmarks - record.face.landmarks).max() > 3
    assert module.vary(out, out, "train", 2, 1, Recorder()) == Counter(there=2)
    (out / "variants_train.faces").rename(out / "before.faces")
    module.vary(out, out, "train", 1, 1, Recorder())
    module.vary(out, out, "train", 2, 1, Recorder())  # went on
    assert {index: jpeg for index, (_, jpeg) in made(out).items()} == {k: jpeg for k, (_, jpeg) in first.items()}
    (out / "variants_train.faces").rename(out / "again.faces")
    module.vary(out, out, "train", 1, 2, Recorder())
    assert made(out)[0][1] != first[0][1]


def test_variants_go_when_their_portrait_has_left_the_list(module, out, monkeypatch):
    module.vary(out, out, "train", 1, 1, Recorder())
    (one,) = module.read_list()
    monkeypatch.setattr(module, "read_list", lambda: [replace(one, use="out", reason="a child")])
    module.vary(out, out, "train", 1, 1, Recorder())
    assert len(Faceset.open(out / "variants_train.faces", allow_empty=True)) == 0


def test_poses_stay_within_what_a_portrait_can_show(module):
    poses = [module.pose_of(np.random.default_rng(n), 0.0, False, n % 2 == 0) for n in range(300)]
    assert all(abs(np.degrees(pose.yaw)) <= 20 and abs(np.degrees(pose.pitch)) <= 10 for pose in poses)
    assert all(pose.blink == 1.0 for pose in poses[::2])
    assert 10 < sum(pose.blink == 1.0 for pose in poses[1::2]) < 50
    for name in ("jaw", "smile", "wide", "pucker", "surprise", "frown"):
        assert sum(getattr(pose, name) > 0 for pose in poses) > 10
    turned = [module.pose_of(np.random.default_rng(n), 0.6, False, False).yaw for n in range(100)]
    assert np.degrees(np.abs(turned).max()) <= 7
