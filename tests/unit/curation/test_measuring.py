"""Measuring a faceset: every crop once, new ones only, damaged ones left out, stopped and gone on with."""

import cv2
import numpy as np
import pytest

import drawn_faces
from konterfei.curation import measuring
from konterfei.curation.measuring import measure, measure_crop
from konterfei.errors import Cancelled
from konterfei.geometry import hull_mask
from konterfei.io.face_measures import MEASURES_NAME, PARTS, ROW
from konterfei.io.faceset import Faceset
from konterfei.reporting import Recorder
from sorting_material import drawn, points


@pytest.fixture
def folder(tmp_path):
    return drawn_faces.faceset(tmp_path / "anna", count=12)


@pytest.fixture
def looked(monkeypatch):
    """Counts crops that are looked at."""
    seen = []
    original = measuring.measure_crop

    def counted(image, where, parts):
        seen.append(image)
        return original(image, where, parts)

    monkeypatch.setattr(measuring, "measure_crop", counted)
    return seen


def test_rows_are_the_faceset_s(folder):
    faceset = Faceset.open(folder)
    faces = measure(faceset, Recorder())
    assert list(faces.names) == faceset.names()
    assert faces.frames.tolist() == list(range(12))
    assert faces.embeddings.shape == (12, 3)
    name = faces.names[5]
    assert faces.thumb[5] == pytest.approx(cv2.resize(faceset.image(name), (24, 24), interpolation=cv2.INTER_AREA))
    box = faceset.records()[5].face.box
    assert faces.area[5] == pytest.approx((box[2] - box[0]) * (box[3] - box[1]))


def test_only_new_crops_are_measured(folder, looked):
    first = measure(Faceset.open(folder), Recorder())
    assert len(looked) == 12
    names = Faceset.open(folder).names()
    (folder / names[3]).rename(folder / "renamed.jpg")
    (folder / names[4]).unlink()
    reporter = Recorder()
    again = measure(Faceset.open(folder), reporter)
    assert len(looked) == 12 and not reporter.tasks
    assert "renamed.jpg" in again.names and len(again) == 11
    assert again.sharpness[again.names.index("renamed.jpg")] == first.sharpness[3]


def test_a_lost_cache_costs_time_only(folder, looked):
    first = measure(Faceset.open(folder), Recorder())
    (folder / MEASURES_NAME).write_bytes(b"rubbish")
    again = measure(Faceset.open(folder), Recorder())
    assert len(looked) == 24
    assert np.array_equal(first.histograms, again.histograms)


def test_stopped_it_goes_on(folder, looked, monkeypatch):
    monkeypatch.setattr(measuring, "_AT_ONCE", 5)
    reporter = Recorder()
    reporter.stop = True
    with pytest.raises(Cancelled):
        measure(Faceset.open(folder), reporter)
    assert len(looked) == 5
    assert len(measure(Faceset.open(folder), Recorder())) == 12
    assert len(looked) == 12


def test_damaged_pictures_are_left_out_and_named(folder):
    faceset = Faceset.open(folder)
    name = faceset.names()[2]
    data = bytearray((folder / name).read_bytes())
    data[-40] ^= 0xFF
    (folder / name).write_bytes(data)
    reporter = Recorder()
    faces = measure(faceset, reporter)
    assert name not in faces.names and len(faces) == 11
    assert any(name in line for line in reporter.warnings)


def test_processes_find_the_same(folder, monkeypatch):
    alone = measure(Faceset.open(folder), Recorder())
    (folder / MEASURES_NAME).unlink()
    monkeypatch.setattr(measuring, "_FEW", 1)
    monkeypatch.setattr(measuring, "_AT_ONCE", 3)
    together = measure(Faceset.open(folder), Recorder(), processes=2)
    for name in ROW.names:
        assert np.array_equal(getattr(alone, name), getattr(together, name), equal_nan=True), name


def test_a_part_is_measured_alone_and_the_other_when_it_is_asked_for(folder, monkeypatch):
    whole = measure(Faceset.open(folder), Recorder())
    (folder / MEASURES_NAME).unlink()
    asked = []
    monkeypatch.setattr(
        measuring,
        "measure_crop",
        lambda image, points, parts: asked.append(parts) or measure_crop(image, points, parts),
    )
    ours = measure(Faceset.open(folder), Recorder(), parts=("ours",))
    assert set(asked) == {("ours",)}
    assert np.isnan(ours.blur).all() and not ours.histograms.any()
    asked.clear()
    both = measure(Faceset.open(folder), Recorder())
    assert asked == [("dfl",)] * len(both)
    for name in ROW.names:
        assert np.array_equal(getattr(whole, name), getattr(both, name), equal_nan=True), name
        if name in PARTS["ours"].names:
            assert np.array_equal(getattr(whole, name), getattr(ours, name), equal_nan=True), name


def test_exposure_is_of_the_face_alone():
    image, hull = drawn(), hull_mask(points(), (256, 256)) > 0
    row = measure_crop(image, points())[0]
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    assert row["exposure"] == pytest.approx(grey[hull].mean() / 255, rel=1e-5)
    assert row["contrast"] == pytest.approx(grey[hull].std() / 255, rel=1e-5)
    assert row["bright"] == 0
    burnt = np.clip(image.astype(int) + 60, 0, 255).astype(np.uint8)
    assert measure_crop(burnt, points())[0]["bright"] == pytest.approx((burnt.max(axis=2)[hull] >= 250).mean())
    dark = (image * 0.02).astype(np.uint8)
    assert measure_crop(dark, points())[0]["dark"] > 0.9


def test_landmarks_that_fall_together_give_no_figures():
    row = measure_crop(drawn(), np.full((68, 2), 100, np.float32))[0]
    assert np.isnan(row["sharpness"]) and np.isnan(row["occlusion"])


def test_fingerprints_of_near_duplicates_are_near():
    def bits(one, other):
        return int(np.unpackbits(one["fingerprint"] ^ other["fingerprint"]).sum())

    face = measure_crop(drawn(), points())[0]
    noisy = np.clip(drawn() + np.random.default_rng(2).normal(0, 6, (256, 256, 3)), 0, 255).astype(np.uint8)
    assert bits(face, measure_crop(noisy, points())[0]) <= 12
    assert bits(face, measure_crop(drawn(mouth=1.5, seed=9, side_light=0.4), points(1.5))[0]) > 12
