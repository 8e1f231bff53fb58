import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konterfei.compositing import STEADY_REACH, Swapped, smooth_along, steady_face
from konterfei.geometry import Crop, FaceType, Similarity

SIZE = 64
NOISE = 0.003


def picture(shift=0.0, mouth=0.0):
    """A soft face `shift` px to the right of the middle; `mouth` is 0 to 1 open. [S, S, 3] float32"""
    big = np.full((4 * SIZE, 4 * SIZE, 3), (0.75, 0.6, 0.5), np.float32)
    for x in (20, 44):
        cv2.ellipse(big, (round(4 * (x + shift)), 4 * 26), (20, 10), 0, 0, 360, (0.2, 0.15, 0.1), -1)
    size = (34, round(6 + 24 * mouth))
    cv2.ellipse(big, (round(4 * (32 + shift)), 4 * 46), size, 0, 0, 360, (0.4, 0.15, 0.15), -1)
    return cv2.GaussianBlur(cv2.resize(big, (SIZE, SIZE), interpolation=cv2.INTER_AREA), (0, 0), 1.0)


def face(plate, drawn, mask=None, size=SIZE, **more):
    mask = np.full((size, size), 0.9, np.float32) if mask is None else mask
    crop = Crop(FaceType.FULL, size, Similarity.identity())
    aligned = np.round(255 * plate).astype(np.uint8)
    return Swapped(crop=crop, aligned=aligned, image=drawn.astype(np.float32), mask=mask, plate_mask=mask, **more)


def steadied(faces, strength=1.0):
    """Each by those around it, as a merge does."""
    reach = range(-STEADY_REACH, STEADY_REACH + 1)
    return [
        steady_face(one, {k: faces[n + k] for k in reach if k and 0 <= n + k < len(faces)}, strength)
        for n, one in enumerate(faces)
    ]


def drawn_as(picture):
    """What the model makes of it: another person's colours."""
    return picture * np.float32([0.9, 1.0, 1.1])


def shimmering(pictures, noise=NOISE, seed=0):
    """The drawn faces, each with noise of its own, as coarse as a network's."""
    rng = np.random.default_rng(seed)
    faces = []
    for shown in pictures:
        coarse = cv2.resize(rng.normal(0, 1, (SIZE // 4, SIZE // 4, 3)).astype(np.float32), (SIZE, SIZE))
        faces.append(face(shown, drawn_as(shown) + noise * coarse / coarse.std()))
    return faces


def restlessness(faces, pictures):
    """Mean distance from what would be drawn without noise, away from the ends of the clip and the rim."""
    inner = slice(8, -8)
    off = [np.abs(f.image - drawn_as(p))[inner, inner].mean() for f, p in zip(faces, pictures, strict=True)]
    return float(np.mean(off[STEADY_REACH:-STEADY_REACH]))


@pytest.mark.parametrize("speed", [0.0, 1.0, 2.5])
def test_a_face_that_shimmers_gets_calm_standing_and_moving(speed):
    pictures = [picture(shift=speed * (n - 7)) for n in range(15)]
    faces = shimmering(pictures)
    assert restlessness(steadied(faces), pictures) < 0.68 * restlessness(faces, pictures)  # sqrt(1 / 3) is the least


def test_without_the_flow_a_moving_face_would_not():
    """What the test above shows is not that anything goes: faces whose plates do not tell the motion stay as drawn."""
    pictures = [picture(shift=2.5 * (n - 7)) for n in range(15)]
    blind = [face(np.full_like(p, 0.5), f.image) for p, f in zip(pictures, shimmering(pictures), strict=True)]
    assert restlessness(steadied(blind), pictures) > 0.68 * restlessness(blind, pictures)


def test_masks_get_calm_as_well():
    rng = np.random.default_rng(1)
    plate = picture()
    masks = [np.float32(0.9) + rng.normal(0, 0.02, (SIZE, SIZE)).astype(np.float32) for _ in range(9)]
    segments = [cv2.resize(mask, (2 * SIZE, 2 * SIZE)) for mask in masks]
    faces = [face(plate, plate, m, seg_mask=s, seg_plate_mask=s) for m, s in zip(masks, segments, strict=True)]
    calm = steadied(faces)[4]
    for name in ("mask", "plate_mask", "seg_mask", "seg_plate_mask"):
        before, after = getattr(faces[4], name), getattr(calm, name)
        assert after.shape == before.shape and after.dtype == np.float32
        assert np.abs(after - 0.9).mean() < 0.75 * np.abs(before - 0.9).mean()


def mouth_of(faces):
    """How dark the middle of the mouth is, frame by frame."""
    return np.array([f.image[50:54, 28:36].mean() for f in faces])


def test_a_mouth_that_snaps_open_is_neither_late_nor_dulled():
    pictures = [picture(mouth=float(n >= 8)) for n in range(16)]
    faces = [face(p, drawn_as(p)) for p in pictures]
    before, after = mouth_of(faces), mouth_of(steadied(faces))
    swing = abs(before[8] - before[7])
    assert swing > 0.1
    assert np.abs(after - before).max() < 0.025 * swing


def test_a_blink_of_one_frame_stays():
    pictures = [picture(mouth=float(n == 8)) for n in range(16)]
    faces = [face(p, drawn_as(p)) for p in pictures]
    before, after = mouth_of(faces), mouth_of(steadied(faces))
    assert abs(after[8] - after[7]) > 0.98 * abs(before[8] - before[7])


def test_speech_keeps_its_swing():
    """Five openings a second at 25 frames a second, as fast as people speak."""
    pictures = [picture(mouth=0.5 - 0.5 * np.cos(2 * np.pi * n / 5)) for n in range(30)]
    faces = [face(p, drawn_as(p)) for p in pictures]
    before, after = mouth_of(faces)[3:-3], mouth_of(steadied(faces))[3:-3]
    assert after.std() > 0.97 * before.std()
    lags = [np.corrcoef(after[5 + k : len(after) - 5 + k], before[5:-5])[0, 1] for k in range(-2, 3)]
    assert int(np.argmax(lags)) == 2  # 0 frames


def test_a_hand_that_comes_in_does_not_smear():
    pictures = [picture() for _ in range(13)]
    masks = []
    for n, shown in enumerate(pictures):
        mask = np.full((SIZE, SIZE), 0.9, np.float32)
        if n >= 6:
            edge = 6 * (n - 5)
            shown[:, :edge], mask[:, :edge] = (0.3, 0.5, 0.3), 0.0
        masks.append(mask)
    faces = [face(p, drawn_as(p), m) for p, m in zip(pictures, masks, strict=True)]
    for before, after in zip(faces, steadied(faces), strict=True):
        assert np.abs(after.mask - before.mask).max() < 0.04
        assert np.abs(after.image - before.image).max() < 0.02


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**16), st.floats(0.5, 3.0))
def test_nothing_changes_by_much_more_than_shimmer_amounts_to(seed, strength):
    """Whatever stands around: frames of strangers, another scene."""
    rng = np.random.default_rng(seed)
    own = face(picture(), drawn_as(picture()))
    wild = {
        k: face(rng.random((SIZE, SIZE, 3)), rng.random((SIZE, SIZE, 3)), rng.random((SIZE, SIZE)).astype(np.float32))
        for k in (-3, -2, -1, 1, 2, 3)
    }
    calm = steady_face(own, wild, strength)
    assert np.abs(calm.image - own.image).mean() < 0.005 * strength
    assert np.abs(calm.mask - own.mask).mean() < 0.1 * strength


def test_what_rises_evenly_stays_as_it_is():
    plate = picture()
    faces = [face(plate, drawn_as(plate) * (0.5 + 0.03 * n + 0.001 * n * n)) for n in range(9)]
    for before, after in zip(faces[3:6], steadied(faces)[3:6], strict=True):
        assert np.allclose(after.image, before.image, atol=1e-3)


def test_the_ends_of_a_track_need_frames_on_both_sides():
    faces = shimmering([picture()] * 9)
    assert steady_face(faces[0], {1: faces[1], 2: faces[2], 3: faces[3]}) is faces[0]
    one = steady_face(faces[1], {-1: faces[0], 1: faces[2]})
    assert np.array_equal(one.image, steady_face(faces[1], {-1: faces[0], 1: faces[2], 2: faces[3]}).image)
    assert not np.array_equal(one.image, faces[1].image)


def test_strength_0_and_faces_of_another_size_leave_all_as_it_is():
    faces = shimmering([picture()] * 7)
    around = {k: faces[3 + k] for k in (-3, -2, -1, 1, 2, 3)}
    assert steady_face(faces[3], around, 0.0) is faces[3]
    half = np.full((SIZE // 2, SIZE // 2, 3), 0.5, np.float32)
    assert steady_face(faces[3], {**around, 1: face(half, half, size=SIZE // 2)}) is faces[3]


def test_the_same_whatever_the_threads_and_whoever_was_there_before():
    faces = shimmering([picture(shift=n - 3.0) for n in range(7)])
    around = {k: faces[3 + k] for k in (-3, -2, -1, 1, 2, 3)}
    threads, results = cv2.getNumThreads(), []
    try:
        for count in (1, 2, 4):
            cv2.setNumThreads(count)
            results += [steady_face(faces[3], around) for _ in range(2)]
    finally:
        cv2.setNumThreads(threads)
    assert all(np.array_equal(one.image, results[0].image) for one in results)


@pytest.mark.parametrize("size", [16, 48, 256])
def test_models_of_every_size(size):
    rng = np.random.default_rng(2)
    plate = cv2.resize(picture(), (size, size))
    faces = [face(plate, np.clip(plate + rng.normal(0, 0.002, plate.shape), 0, 1), size=size) for _ in range(7)]
    calm = steadied(faces)[3]
    assert calm.image.shape == (size, size, 3) and calm.image.dtype == np.float32
    assert np.abs(calm.image - plate).mean() < np.abs(faces[3].image - plate).mean()


def test_a_figure_along_a_track_keeps_to_it_and_is_not_late():
    times, tracks = np.arange(40) / 25, [0] * 20 + [1] * 20
    values = np.where(np.arange(40) < 20, 1.0, 3.0)
    assert np.allclose(smooth_along(values, times, tracks, 0.2), values)  # the cut is not crossed
    ramp = smooth_along(np.linspace(0, 1, 40), times, [None] * 40, 0.1)
    assert np.abs(ramp - np.linspace(0, 1, 40))[8:-8].max() < 1e-9
    noise = np.random.default_rng(0).normal(0, 1, (40, 2))
    assert smooth_along(noise, times, [7] * 40, 0.1).std() < 0.6 * noise.std()
    assert np.array_equal(smooth_along(noise, times, [7] * 40, 0.0), noise)
