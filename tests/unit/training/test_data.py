"""What a step sees follows from (seed, step) alone; every face gets its turn; masks stay with their pictures."""

import errno
import json
import os
import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest

from drawn_faces import ANNA, faceset
from konterfei.errors import Cancelled, FacesetError, OutputError
from konterfei.geometry import Crop, FaceType
from konterfei.io.face_labels import FaceLabels, Polygon, encode_mask
from konterfei.io.faceset import Faceset
from konterfei.reporting import Recorder
from konterfei.training import data, face_store
from konterfei.training.augment import AugmentSettings
from konterfei.training.data import Sampler, TrainingFaces, batches, load_faces
from konterfei.training.objectives import Objectives

STILL = AugmentSettings(rotation_deg=0, scale=0, shift=0, flip=0, warp=0)


@pytest.fixture
def sampler(make_faces):
    return Sampler(
        src=make_faces(7, 48), dst=make_faces(5, 48, seed=1), resolution=32, batch=3, seed=11, augment=AugmentSettings()
    )


def equal(a, b):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("warped", "target", "mask"))


def who(batch):
    """Which faces of `make_faces` were dealt, by their level in the blue channel: src, dst."""
    levels = batch.target[:, 16, 16, 2].astype(int)
    half = len(levels) // 2
    return (levels[:half] // 7).tolist(), ((levels[half:] - 1) // 7).tolist()


def test_a_batch_has_both_people_in_equal_numbers(sampler):
    batch = sampler.batch_at(0)
    assert batch.warped.shape == batch.target.shape == (6, 32, 32, 3)
    assert batch.mask.shape == (6, 32, 32)
    assert {a.dtype for a in (batch.warped, batch.target, batch.mask)} == {np.dtype(np.uint8)}


def test_samples_follow_from_seed_and_step_alone(sampler):
    wanted = {step: sampler.batch_at(step) for step in range(12)}
    fresh = replace(sampler)
    for step in (11, 3, 0, 7):  # any order, as after a resume
        assert equal(fresh.batch_at(step), wanted[step])
    assert not equal(wanted[0], wanted[1])
    assert not equal(replace(sampler, seed=12).batch_at(0), wanted[0])


def test_samples_do_not_touch_the_global_chance(sampler):
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    sampler.batch_at(0)
    assert np.array_equal(before, np.random.get_state()[1])


def test_faces_are_dealt_from_a_pack_without_replacement(make_faces):
    still = Sampler(src=make_faces(7, 32), dst=make_faces(5, 32, seed=1), resolution=32, batch=3, seed=1, augment=STILL)
    src, dst = [], []
    for step in range(35):
        a, b = who(still.batch_at(step))
        src += a
        dst += b
    packs = {"src": [src[i : i + 7] for i in range(0, 105, 7)], "dst": [dst[i : i + 5] for i in range(0, 105, 5)]}
    assert all(sorted(pack) == list(range(7)) for pack in packs["src"])
    assert all(sorted(pack) == list(range(5)) for pack in packs["dst"])
    assert len({tuple(pack) for pack in packs["src"]}) > 10  # shuffled anew


def test_one_face_is_enough(make_faces):
    lonely = Sampler(src=make_faces(1, 32), dst=make_faces(1, 32), resolution=32, batch=4, seed=1, augment=STILL)
    assert lonely.batch_at(3).target.shape == (8, 32, 32, 3)


def test_without_augmentation_a_sample_is_the_face(make_faces):
    faces = make_faces(3, 32)
    batch = Sampler(src=faces, dst=faces, resolution=32, batch=3, seed=1, augment=STILL).batch_at(0)
    order = who(batch)[0]
    np.testing.assert_array_equal(batch.target[:3], faces.pixels[order, ..., :3])
    np.testing.assert_array_equal(batch.mask[:3], faces.pixels[order, ..., 3])
    np.testing.assert_array_equal(batch.warped, batch.target)


def test_masks_travel_with_their_pictures(sampler, make_faces):
    """Where the mask says face, the picture shows face: a face as bright as its mask comes out so after placement."""
    pixels = sampler.src.pixels.copy()
    pixels[..., :3] = pixels[..., 3:]
    ours = replace(sampler, src=TrainingFaces(pixels), objectives=Objectives(flip_src=True))
    moved = 0
    for step in range(6):
        batch = ours.batch_at(step)
        np.testing.assert_array_equal(batch.target[:3, ..., 0], batch.mask[:3])
        moved += int((batch.mask[:3] != cv2.resize(pixels[0, ..., 3], (32, 32))).any())
    assert moved == 6


def test_only_who_may_is_mirrored(make_faces):
    """src keeps its sides (a parting, a mole), dst may be mirrored."""
    side = 32
    ramp = np.zeros((1, side, side, 4), np.uint8)
    ramp[..., :3] = (np.arange(side) * 8)[None, None, :, None]
    faces = TrainingFaces(ramp)
    still = Sampler(src=faces, dst=faces, resolution=side, batch=8, seed=1, augment=replace(STILL, flip=0.4))
    rows = np.concatenate([still.batch_at(step).target[:, 16, :, 0] for step in range(8)]).astype(int)
    rises = (rows[:, -1] > rows[:, 0]).reshape(8, 2, 8)
    assert rises[:, 0].all()
    assert 0.2 < 1 - rises[:, 1].mean() < 0.6
    turned = replace(still, objectives=Objectives(flip_src=True, flip_dst=False))
    both = turned.batch_at(0).target[:, 16, :, 0].astype(int)
    assert (both[8:, -1] > both[8:, 0]).all()
    assert not (both[:8, -1] > both[:8, 0]).all()


def test_the_warped_face_differs_and_the_straight_share_does_not(sampler):
    def straight_share(straight):
        ours = replace(sampler, augment=AugmentSettings(straight=straight))
        rows = [(b.warped == b.target).all(axis=(1, 2, 3)) for b in map(ours.batch_at, range(20))]
        return np.mean(rows)

    assert straight_share(0.0) == 0
    assert straight_share(1.0) == 1
    assert 0.15 < straight_share(1 / 3) < 0.55


def test_faces_kept_larger_are_shown_at_the_size_of_the_network(make_faces):
    faces = make_faces(2, 48)
    assert faces.straight(1, 32).shape == (32, 32, 3)
    large = Sampler(src=faces, dst=faces, resolution=32, batch=1, seed=1, augment=STILL).batch_at(0).target[0]
    index = who_is(large)
    small = cv2.resize(faces.pixels[index, ..., :3], (32, 32), interpolation=cv2.INTER_AREA)
    assert np.abs(large.astype(int) - small).max() <= 6


def who_is(image):
    return int(image[16, 16, 2]) // 7


# --- the thread


def test_batches_come_in_order_from_any_step(sampler):
    source = batches(sampler, 4)
    for step in range(4, 9):
        assert equal(next(source), sampler.batch_at(step))
    source.close()
    assert not [t for t in threading.enumerate() if t.name == "konterfei-samples"]


def test_an_error_of_the_thread_is_raised_where_it_is_waited_for(sampler, monkeypatch):
    def fail(self, step):
        raise OSError("the disk is gone")

    monkeypatch.setattr(Sampler, "batch_at", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches(sampler, 0))


# --- reading


def test_faces_are_cut_to_the_type_of_the_model(tmp_path):
    opened = Faceset.open(faceset(tmp_path / "anna", ANNA, 4))
    faces = load_faces(opened, FaceType.FULL, 64, 1 << 30, Recorder(), "src")
    assert faces.pixels.shape == (4, 96, 96, 4)
    for pixels in faces.pixels:
        mask = pixels[..., 3] > 128
        assert 0.2 < mask.mean() < 0.7
        skin = np.abs(pixels[..., :3].astype(int) - ANNA).max(axis=-1) < 40
        assert skin[mask].mean() > 0.6  # the rest is eyes and mouth
        assert skin[~mask].mean() < 0.1


def test_a_faceset_that_does_not_fit_into_memory_is_thinned_evenly(tmp_path):
    opened = Faceset.open(faceset(tmp_path / "anna", ANNA, 9))
    reporter = Recorder()
    faces = load_faces(opened, FaceType.FULL, 64, 3 * 96 * 96 * 4, reporter, "src")
    assert len(faces) == 3
    assert "src: 9 faces do not fit into memory at 64 px, nor on the disk; every 3.0th is used." in reporter.notes
    whole = load_faces(opened, FaceType.FULL, 64, 1 << 30, reporter, "src")
    np.testing.assert_array_equal(faces.pixels, whole.pixels[[0, 4, 8]])


def test_a_faceset_that_does_not_fit_into_memory_is_kept_in_a_file(tmp_path, monkeypatch):
    opened = Faceset.open(faceset(tmp_path / "anna", ANNA, 9))
    small, store, reporter = 3 * 96 * 96 * 4, tmp_path / "run" / "faces", Recorder()

    def load(memory=small, **changes):
        told = {"with_parts": True, "without": ("000003_0.jpg",), "store": store, **changes}
        return load_faces(opened, FaceType.FULL, 64, memory, reporter, "src", **told)

    whole, filed = load(1 << 30), load()
    assert isinstance(filed.pixels, np.memmap) and len(filed) == 8
    assert any(
        note.startswith("src: 8 faces do not fit into memory at 64 px; they are kept in") for note in reporter.notes
    )
    for name in ("pixels", "parts", "yaws"):
        np.testing.assert_array_equal(getattr(filed, name), getattr(whole, name))
    samplers = [
        Sampler(src=f, dst=f, resolution=64, batch=2, seed=1, augment=AugmentSettings()) for f in (whole, filed)
    ]
    np.testing.assert_array_equal(*(s.batch_at(5).warped for s in samplers))
    # the second time it is there
    read = []
    monkeypatch.setattr(Faceset, "image", lambda self, name, real=Faceset.image: read.append(name) or real(self, name))
    np.testing.assert_array_equal(load().pixels, whole.pixels)
    assert read == []
    # unless something is different, or it is torn
    assert len(load(without=())) == 9 and len(read) == 9
    (store / "src.faces").write_bytes(b"torn")
    assert len(load(without=())) == 9 and len(read) == 18
    # no room on the disk
    monkeypatch.setattr(face_store, "ROOM", 1 << 60)
    assert len(load(with_parts=False)) == 3


def test_a_file_of_faces_that_was_not_finished_is_not_used(tmp_path):
    opened, store, stopped = Faceset.open(faceset(tmp_path / "anna", ANNA, 9)), tmp_path / "faces", Recorder()
    stopped.stop = True
    with pytest.raises(Cancelled):
        load_faces(opened, FaceType.FULL, 64, 1, stopped, "src", store=store)
    assert list(store.iterdir()) == []


def test_what_is_in_memory_counts_and_what_is_in_a_file_does_not(tmp_path):
    opened = Faceset.open(faceset(tmp_path / "anna", ANNA, 4))
    kept = load_faces(opened, FaceType.FULL, 64, 1 << 30, Recorder(), "src", with_parts=True)
    assert kept.bytes_in_memory == 4 * 96 * 96 * 5
    filed = load_faces(opened, FaceType.FULL, 64, 1, Recorder(), "src", with_parts=True, store=tmp_path / "faces")
    assert filed.bytes_in_memory == 0


def test_a_face_that_cannot_be_read_is_left_out_of_the_file_too(tmp_path):
    folder = faceset(tmp_path / "anna", ANNA, 9)
    opened, store, reporter = Faceset.open(folder), tmp_path / "faces", Recorder()
    names = opened.names()
    (folder / names[2]).write_bytes(b"no picture")
    (folder / names[5]).unlink()

    def load(memory=1):
        return load_faces(opened, FaceType.FULL, 64, memory, reporter, "src", with_parts=True, store=store)

    filed, warned = load(), list(reporter.warnings)
    assert len(filed) == 7 and len(warned) == 2 and all("A face of src is not used" in line for line in warned)
    again = load()
    assert (
        f"2 faces of src are not used: they could not be read when '{store / 'src.faces'}' was made."
        in (reporter.warnings[-1])
    )
    whole = load(1 << 30)
    for name in ("pixels", "parts", "yaws"):
        np.testing.assert_array_equal(getattr(filed, name), getattr(whole, name))
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
    for crop in folder.glob("*.jpg"):
        crop.unlink()
    (store / "src.json").unlink()
    with pytest.raises(FacesetError, match="holds no face"):
        load()
    assert list(store.iterdir()) == [], "that no face could be read is not remembered"


def filled(room):
    room.pixels[:] = 7
    return []


def test_other_faces_take_the_place_of_those_in_the_file(tmp_path, monkeypatch):
    path, needed = tmp_path / "src.faces", face_store.bytes_of(3, 64, False)
    face_store.on_disk(path, 3, 64, False, {"key": 1}, filled)
    free = face_store.ROOM + needed // 2
    monkeypatch.setattr(face_store, "free_space", lambda _: free)
    assert face_store.fits_on_disk(path, 3, 64, False, {"key": 1})
    assert face_store.fits_on_disk(path, 3, 64, False, {"key": 2}), "in place of the old ones"
    assert not face_store.fits_on_disk(path, 6, 64, False, {"key": 2})
    free = face_store.ROOM - needed
    assert face_store.fits_on_disk(path, 3, 64, False, {"key": 1}), "they are there"
    assert not face_store.fits_on_disk(path, 3, 64, False, {"key": 2}), "of the same size, but others"

    def beside(room):
        assert not path.exists() and not path.with_suffix(".json").exists()
        return filled(room)

    room, lost, is_old = face_store.on_disk(path, 3, 64, False, {"key": 2}, beside)
    assert room.pixels.min() == 7 and lost == [] and not is_old
    assert json.loads(path.with_suffix(".json").read_text())["key"] == {"key": 2}


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot reserve room")
def test_a_disk_that_is_full_is_noticed_before_anything_is_written(tmp_path, monkeypatch):
    path = tmp_path / "src.faces"

    def refuse(number):
        def fallocate(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "posix_fallocate", fallocate)

    refuse(errno.ENOSPC)
    with pytest.raises(OutputError, match="no space is left"):
        face_store.on_disk(path, 3, 64, False, {}, lambda room: pytest.fail("filled"))
    assert list(tmp_path.iterdir()) == []
    refuse(errno.EOPNOTSUPP)
    assert face_store.on_disk(path, 3, 64, False, {}, filled)[0].pixels.min() == 7
    monkeypatch.undo()
    other = tmp_path / "dst.faces"
    face_store.on_disk(other, 3, 64, False, {}, lambda room: [])  # nothing is written into it
    assert other.stat().st_blocks * 512 >= face_store.bytes_of(3, 64, False)


def test_reading_can_be_stopped_and_needs_a_face(tmp_path):
    folder = faceset(tmp_path / "anna", ANNA, 2)
    reporter = Recorder()
    reporter.stop = True
    with pytest.raises(Cancelled):
        load_faces(Faceset.open(folder), FaceType.FULL, 64, 1 << 30, reporter, "src")
    for crop in folder.glob("*.jpg"):
        crop.unlink()
    with pytest.raises(FacesetError, match="holds no face"):
        load_faces(Faceset.open(folder, allow_empty=True), FaceType.FULL, 64, 1 << 30, Recorder(), "src")


def test_memory_for_faces_is_a_share_of_the_machine():
    assert 1 << 26 < data.memory_for_faces() < 1 << 44


# --- masks of their own


def labelled_faces(folder, labels):
    """A faceset whose crops 1 and 2 carry `labels`."""
    faceset(folder, ANNA, 4)
    with Faceset.open(folder) as made:
        for name in ("000001_0.jpg", "000002_0.jpg"):
            made.relabel(name, labels)
    return Faceset.open(folder)


def loaded(faces, reporter=None, face_type=FaceType.WHOLE, **more):
    return load_faces(faces, face_type, 64, 1 << 30, reporter or Recorder(), "src", **more)


SQUARE = np.array([[20, 30], [70, 30], [70, 80], [20, 80]], np.float32)


@pytest.mark.parametrize("face_type", [FaceType.WHOLE, FaceType.FULL, FaceType.HEAD])
@pytest.mark.parametrize("kind", ["outline", "mask"])
def test_a_label_takes_the_place_of_the_hull(tmp_path, kind, face_type):
    """It lies on the same skin in whatever face type the model has, and other faces are as without it."""
    drawn = FaceLabels(polygons=(Polygon(SQUARE),))
    labels = drawn if kind == "outline" else FaceLabels(mask_file=encode_mask(drawn.mask(48, 96)))
    faces, reporter = labelled_faces(tmp_path / "anna", labels), Recorder()
    plain = loaded(Faceset.open(faceset(tmp_path / "plain", ANNA, 4)), face_type=face_type)
    made = loaded(faces, reporter, face_type)
    for i in (0, 3):
        assert np.array_equal(made.pixels[i], plain.pixels[i])
    record = faces.records()[1]
    landmarks = record.crop.crop_from_frame @ record.face.landmarks
    crop = Crop.fit(landmarks, face_type, 96)
    y, x = np.mgrid[:96, :96]
    places = crop.crop_from_frame.inverse() @ np.stack([x, y], -1).astype(float)
    rim = 2 if kind == "outline" else 4  # a mask of half the crop's side has softer edges
    inside = ((places > SQUARE[0] + rim) & (places < SQUARE[2] - rim)).all(-1)
    outside = ((places < SQUARE[0] - rim) | (places > SQUARE[2] + rim)).any(-1)
    mask = made.pixels[1, ..., 3]
    assert mask[inside].min() > 240 and mask[outside].max() < 15
    assert np.array_equal(made.pixels[1, ..., :3], plain.pixels[1, ..., :3])
    assert reporter.notes == ["src: 2 of 4 faces are learned with a mask of their own."]


def test_an_outline_wins_over_a_mask_and_a_hole_is_cut_out(tmp_path):
    hole = Polygon(SQUARE * 0.2 + 40, include=False)
    everything = encode_mask(np.full((32, 32), 255, np.uint8))
    faces = labelled_faces(tmp_path / "anna", FaceLabels(polygons=(Polygon(SQUARE), hole), mask_file=everything))
    mask = loaded(faces).pixels[1, ..., 3]
    assert mask[5, 5] == 0 and mask[35, 25] == 255 and mask[50, 50] == 0
    only_hole = labelled_faces(tmp_path / "b", FaceLabels(polygons=(hole,)))  # says nothing of where the face is
    plain = loaded(Faceset.open(faceset(tmp_path / "plain", ANNA, 4)))
    assert np.array_equal(loaded(only_hole).pixels, plain.pixels)


def test_eyes_and_mouth_keep_to_the_mask(tmp_path):
    below = np.array([[0, 60], [95, 60], [95, 95], [0, 95]], np.float32)
    faces = labelled_faces(tmp_path / "anna", FaceLabels(polygons=(Polygon(below),)))
    made = loaded(faces, with_parts=True)
    assert made.parts[0, :56].any() and not made.parts[1, :56].any() and made.parts[1].any()


def test_a_mask_that_cannot_be_read_is_told_and_the_hull_serves(tmp_path):
    faces, reporter = labelled_faces(tmp_path / "anna", FaceLabels(mask_file=b"broken")), Recorder()
    plain = loaded(Faceset.open(faceset(tmp_path / "plain", ANNA, 4)))
    assert np.array_equal(loaded(faces, reporter).pixels, plain.pixels)
    assert any("2 masks cannot be used" in line and "000001_0.jpg" in line for line in reporter.warnings)
