"""Metrics against changes whose size is known."""

import warnings
from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from metric_series import (
    FRAMES,
    PEOPLE,
    SIZE,
    breathing,
    disk,
    looking_aside,
    plate,
    pumping,
    rolled,
    tinted,
    towards_dst,
    unit,
    witnessed_towards_dst,
)

from konterfei.imaging import delta_e_2000, rgb_to_lab
from konterfei.metrics import METRICS, People, Series
from konterfei.metrics.color_flicker import quick_part
from konterfei.metrics.gaze import directions
from konterfei.metrics.motion import motions
from konterfei.metrics.outside import FIGURES
from konterfei.metrics.pasted import pasted
from konterfei.metrics.pose import poses
from konterfei.metrics.seam import rim


def measure(name, theirs, ours, people=PEOPLE):
    return METRICS.load(name)(theirs, ours, people)


def grey(size=SIZE, frames=FRAMES):
    """The same series on even grey skin."""
    crops = np.full((frames, size, size, 3), (150, 130, 120), np.uint8)
    masks = np.repeat(disk(size / 3, size)[None], frames, axis=0)
    return replace(plate(frames), crops=crops, masks=masks)


# --- the second recognizer


def test_the_second_opinion_is_that_of_the_witness_alone():
    fooled = towards_dst(plate(), 0.0)
    measured = measure("second_opinion", plate(), witnessed_towards_dst(fooled, 1.0))
    assert measure("identity", plate(), fooled).value == pytest.approx(1)
    assert measured.parts["to_dst"] == pytest.approx(1, abs=1e-6)
    assert measured.value == pytest.approx(float(PEOPLE.witness_src @ PEOPLE.witness_dst), abs=1e-6)


def test_without_a_witness_there_is_no_second_opinion():
    silent = replace(plate(), witness=None)
    nobody = People(src=unit(1), dst=unit(2))
    for series, people in ((silent, nobody), (plate(), nobody), (silent, PEOPLE)):
        measured = measure("second_opinion", series, series, people)
        assert np.isnan(measured.value)
        assert np.isnan(measured.per_frame).all()
        assert all(np.isnan(part) for part in measured.parts.values())


# --- steadiness


def likenesses(values):
    """Embeddings with these cosines to src, and none of dst."""
    aside = np.cross(np.eye(3), [0, 0, 1])[0]
    rows = [value * np.array([0, 0, 1]) + np.sqrt(1 - value**2) * aside for value in values]
    return np.array(rows, np.float32), People(src=np.float32([0, 0, 1]), dst=np.float32([0, 0, 1]))


def test_steadiness_is_the_spread_beyond_the_plates():
    time = np.arange(FRAMES)
    theirs, people = likenesses(0.9 + 0.05 * np.sin(time))
    ours, _ = likenesses(0.6 + 0.15 * np.sin(time))
    measured = measure("steadiness", replace(plate(), embeddings=theirs), replace(plate(), embeddings=ours), people)
    assert measured.value == pytest.approx(0.1 * np.sin(time).std(), abs=1e-5)
    assert measured.parts["plate"] == pytest.approx(0.05 * np.sin(time).std(), abs=1e-5)


def test_jumps_are_counted_and_found():
    values = np.full(FRAMES, 0.7)
    values[20:] = 0.4
    values[30] = 0.6
    embeddings, people = likenesses(values)
    still, _ = likenesses(np.full(FRAMES, 0.9))
    theirs = replace(plate(), embeddings=still)
    measured = measure("steadiness", theirs, replace(plate(), embeddings=embeddings), people)
    assert measured.parts["num_jumps"] == 3
    assert set(np.argsort(-np.nan_to_num(measured.per_frame))[:3]) == {20, 30, 31}
    apart = replace(theirs, indices=np.arange(FRAMES) * 5)
    assert measure("steadiness", apart, replace(apart, embeddings=embeddings), people).parts["num_jumps"] == 0


# --- pose and gaze


def test_a_head_rolled_by_known_degrees():
    measured = measure("pose", plate(), rolled(plate(), 9.0))
    assert measured.parts["roll"] == pytest.approx(9, abs=0.1)
    assert measured.parts["yaw"] == pytest.approx(0, abs=0.3)
    assert measured.value == pytest.approx(3, abs=0.2)
    assert measured.parts["constant"] == pytest.approx(measured.value, abs=0.2)


def test_roll_does_not_wrap_around():
    upside_down = rolled(plate(), 178.0)
    assert np.abs(poses(upside_down.landmarks)[:, 2]).min() > 170
    assert measure("pose", upside_down, rolled(plate(), 183.0)).parts["roll"] == pytest.approx(5, abs=0.1)


def test_landmarks_that_fall_together_have_no_pose():
    landmarks = plate().landmarks.copy()
    landmarks[5] = 100.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = measure("pose", plate(), replace(plate(), landmarks=landmarks))
        looking = measure("gaze", plate(), replace(plate(), landmarks=landmarks))
    assert np.flatnonzero(np.isnan(found.per_frame)).tolist() == [5]
    assert np.isnan(looking.per_frame[5])


def frontal(frames=3):
    """A head that does not move, eyes straight ahead."""
    series = plate(frames)
    still = np.repeat(plate(6).landmarks[5:], frames, axis=0)  # eyes open
    eyes = [still[:, pair].mean(axis=1) for pair in ([36, 39], [42, 45])]
    return replace(series, landmarks=still, irises=np.stack(eyes, axis=1))


def turned_eyes(series, degrees):
    """Irises that have turned sideways by so much, on a sphere of 11.1 mm in eyes 30 mm wide."""
    widths = np.linalg.norm(series.landmarks[:, [39, 45]] - series.landmarks[:, [36, 42]], axis=-1)
    yaw = np.deg2rad(poses(series.landmarks)[:, 1:2])
    aside = np.sin(np.deg2rad(degrees)) * 11.1 / 30 * widths / np.cos(yaw)
    along = (series.landmarks[:, [39, 45]] - series.landmarks[:, [36, 42]]) / widths[..., None]
    return replace(series, irises=(series.irises + aside[..., None] * along).astype(np.float32))


@pytest.mark.parametrize("degrees", [1.0, -10.0, 35.0])
def test_eyes_turned_by_known_degrees(degrees):
    measured = measure("gaze", frontal(), turned_eyes(frontal(), degrees))
    assert measured.value == pytest.approx(abs(degrees), rel=1e-3)
    assert measured.parts["constant"] == pytest.approx(abs(degrees), rel=1e-3)
    assert measured.parts["seen_share"] == 1


def test_gaze_does_not_change_with_place_size_and_roll():
    before = directions(plate().landmarks, plate().irises)
    other = rolled(looking_aside(plate(), 0.0), 25.0)
    after = directions(other.landmarks * 0.4 + 7, other.irises * 0.4 + 7)
    known = np.isfinite(before)
    assert known.any()
    np.testing.assert_allclose(after[known], before[known], atol=0.01)


def test_a_squint_is_of_one_eye():
    irises = plate().irises.copy()
    irises[:, 0, 0] += 4
    measured = measure("gaze", plate(), replace(plate(), irises=irises))
    assert measured.parts["right_eye"] > 3
    assert measured.parts["left_eye"] == 0
    assert measured.value == pytest.approx(measured.parts["right_eye"] / 2)


def test_shut_eyes_look_nowhere():
    blinks = np.arange(FRAMES) % 13 < 2
    measured = measure("gaze", plate(), looking_aside(plate(), 1.0))
    np.testing.assert_array_equal(np.isnan(measured.per_frame), blinks)
    assert measured.parts["seen_share"] == pytest.approx(1 - blinks.mean())


def test_irises_that_are_not_known_cannot_be_compared():
    blind = replace(plate(), irises=None)
    assert np.isnan(measure("gaze", plate(), blind).value)
    assert measure("gaze", plate(), blind).parts["seen_share"] == 0


# --- colours


def test_quick_changes_of_noise_keep_their_size_and_slow_ones_vanish():
    random = np.random.default_rng(1).normal(size=(20000, 3))
    after_each_other = np.arange(20000) > 0
    assert np.nanstd(quick_part(random, after_each_other)) == pytest.approx(1, abs=0.02)
    ramp = np.linspace(0, 50, 30)[:, None] * np.ones(3)
    assert np.nanmax(np.abs(quick_part(ramp, np.arange(30) > 0))) == pytest.approx(0, abs=1e-9)


def test_a_pulse_of_known_lightness():
    """Grey that alternates by +-d in L: the mean of the neighbours is 2 d away, the filter's gain sqrt(1.5)."""
    level = np.where(np.arange(FRAMES) % 2, 130, 120).astype(np.uint8)
    crops = np.repeat(level, SIZE * SIZE * 3).reshape(FRAMES, SIZE, SIZE, 3)
    lights = rgb_to_lab(np.float32([[[130 / 255] * 3, [120 / 255] * 3]]))[0, :, 0]
    measured = measure("color_flicker", grey(), replace(grey(), crops=crops))
    assert measured.value == pytest.approx(float(lights[0] - lights[1]) / np.sqrt(1.5), rel=1e-3)
    assert measured.parts["plate"] == 0


def test_colour_flicker_needs_both_neighbours():
    pairs = np.sort(np.concatenate([np.arange(0, 100, 5), np.arange(1, 100, 5)]))
    series = replace(plate(), indices=pairs)
    assert np.isnan(measure("color_flicker", series, pumping(series, 5)).value)


# --- what was pasted


@pytest.mark.parametrize(("size", "amount"), [(64, 15), (64, 60), (200, 15), (200, 60)])
def test_what_was_pasted_is_found_where_it_is(size, amount):
    theirs = grey(size, 1)
    ours = tinted(theirs, amount, (size // 4,))
    found = pasted(theirs.crops[0], ours.crops[0], theirs.masks[0]) >= 0.5
    known = disk(size // 4, size) > 0
    assert (found & known).sum() / (found | known).sum() > 0.9


def test_noise_is_not_pasted_and_does_not_hide_what_is():
    random = np.random.default_rng(4)
    theirs = grey(128, 1)
    noisy = np.clip(theirs.crops[0] + random.normal(0, 6, (128, 128, 3)), 0, 255).astype(np.uint8)
    assert pasted(theirs.crops[0], noisy, theirs.masks[0]).max() < 0.5
    ours = tinted(replace(theirs, crops=noisy[None]), 50, (32,)).crops[0]
    found = pasted(theirs.crops[0], ours, theirs.masks[0]) >= 0.5
    known = disk(32, 128) > 0
    assert (found & known).sum() / (found | known).sum() > 0.85


def test_a_known_step_of_colour_across_the_seam():
    theirs = grey(200, 4)
    ours = tinted(theirs, 30, (50,))
    inside, outside = (rgb_to_lab(np.float32([[color]]) / 255)[0, 0] for color in ((180, 115, 105), (150, 130, 120)))
    measured = measure("seam", theirs, ours)
    assert measured.parts["plate"] == 0
    assert measured.value == pytest.approx(float(delta_e_2000(inside, outside)), rel=0.05)
    assert measured.parts["tone_lab"] == pytest.approx(float(np.linalg.norm(inside - outside)), rel=0.05)


def test_points_lie_at_right_angles_on_both_sides():
    inner, outer = rim(disk(30, 100), 5.0)
    assert len(inner) > 100
    for points, radius in ((inner, 25), (outer, 35)):
        assert np.abs(np.linalg.norm(points - 50, axis=1) - radius).max() < 1.5
    inner, outer = rim(np.ones((40, 40), np.float32), 5.0)
    assert len(inner) == len(outer) == 0


def test_a_seam_along_an_edge_of_the_plate_counts_little():
    """Half of the face's rim runs along dark hair; there the same change of colour is hardly weighed."""
    theirs = grey(200, 2)
    crops = theirs.crops.copy()
    y, x = np.mgrid[:200, :200]
    crops[:, (np.hypot(x - 100, y - 100) > 50) & (y < 100)] = 20
    haired = replace(theirs, crops=crops)
    plain, behind = (measure("seam", series, tinted(series, 30, (50,))) for series in (theirs, haired))
    assert behind.value == pytest.approx(plain.value, rel=0.15)


def test_a_mask_that_breathes_has_a_known_iou():
    measured = measure("mask_stability", grey(192), breathing(replace(grey(192)), 0))
    assert measured.value == pytest.approx(0, abs=0.005)
    ours = tinted(grey(192), 40, (40, 60))
    measured = measure("mask_stability", grey(192), ours)
    assert measured.value == pytest.approx(1 - (40 / 60) ** 2, abs=0.05)
    assert measured.parts["area_ratio"] == pytest.approx((40**2 + 60**2) / 2 / 64**2, abs=0.06)


def test_a_mask_that_moves_with_the_face_is_stable():
    """A patch that drifts by 1.5 px a frame, and a tint that drifts with it or stays."""
    random = np.random.default_rng(6)
    texture = cv2.GaussianBlur(random.integers(90, 170, (300, 300, 3)).astype(np.uint8), (0, 0), 2)
    moves = [np.float32([[1, 0, -50 + 1.5 * t], [0, 1, -50]]) for t in range(16)]
    crops = np.stack([cv2.warpAffine(texture, move, (192, 192)) for move in moves])
    theirs = replace(grey(192, 16), crops=crops)
    follows, stays = (
        [np.float32([[1, 0, step * t], [0, 1, 0]]) for t in range(16)] for step in (1.5, 0)
    )  # fmt: skip
    values = []
    for path in (follows, stays):
        tint = np.stack([cv2.warpAffine(disk(45, 192), move, (192, 192)) for move in path])[..., None]
        ours = replace(theirs, crops=np.clip(crops + 60 * tint, 0, 255).astype(np.uint8))
        values.append(measure("mask_stability", theirs, ours).value)
    assert values[0] < 0.02
    assert values[1] > 2 * values[0]


def test_a_pasted_face_that_vanishes_in_one_frame():
    ours = tinted(grey(128), 40, (40,)).crops.copy()
    ours[10] = grey(128).crops[10]
    measured = measure("mask_stability", grey(128), replace(grey(128), crops=ours))
    assert measured.per_frame[[10, 11]] == pytest.approx(1, abs=1e-3)
    assert measured.per_frame[[9, 12]] == pytest.approx(0, abs=1e-3)
    assert np.isnan(measured.per_frame[0])


def test_motion_is_that_of_the_plate():
    shifts = [motion.back[20:44, 20:44].mean(axis=(0, 1)) for _, motion in motions(plate(6))]
    assert np.mean(shifts, axis=0) == pytest.approx([0.4, -0.3], abs=0.15)


def test_the_background_is_measured_by_its_worst_place_too():
    figures = dict(zip(FIGURES, plate().outside.T.copy(), strict=True))
    figures["changed"][:] = 0.5
    figures["worst_tile"][7] = 12.0
    figures["psnr"][:] = 41.0
    ours = replace(plate(), outside=np.stack([figures[name] for name in FIGURES], axis=1))
    measured = measure("background", plate(), ours)
    assert measured.value == pytest.approx(0.5)
    assert measured.parts["worst_tile_de00"] == 12
    assert measured.parts["psnr_db"] == pytest.approx(41)
    assert np.argmax(measured.faults["background changed"].amount) == 7
    assert np.isnan(measure("background", plate(), replace(plate(), outside=None)).value)


# --- odd input


@pytest.mark.parametrize("name", sorted(METRICS))
@pytest.mark.parametrize("case", ["grey", "tiny", "black and white", "one face only", "two frames"])
def test_odd_pictures_are_measured_without_a_word(name, case):
    theirs = ours = grey()
    if case == "tiny":
        cut = {"crops": grey().crops[:, :8, :8], "masks": np.ones((FRAMES, 8, 8), np.float32)}
        theirs, ours = replace(theirs, **cut), replace(theirs, **cut | {"crops": 255 - cut["crops"]})
    elif case == "black and white":
        ours = replace(theirs, crops=np.where(np.arange(FRAMES)[:, None, None, None] % 2, 255, 0 * theirs.crops))
        ours = replace(ours, crops=ours.crops.astype(np.uint8))
    elif case == "one face only":
        seen = {n: getattr(theirs, n).copy() for n in ("landmarks", "embeddings", "irises", "witness")}
        for values in seen.values():
            values[1:] = np.nan
        ours = replace(theirs, **seen)
    elif case == "two frames":
        theirs = Series(**{f.name: getattr(theirs, f.name)[:2] for f in fields(Series)})
        ours = tinted(theirs, 30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measured = measure(name, theirs, ours)
        rows = measured.of_rows
        some = rows(np.array([0, 0, 1])) if rows is not None else 0.0
    assert isinstance(measured.value, float)
    assert isinstance(some, float)
    assert measured.per_frame.shape == (len(theirs),)
    assert not np.isinf(measured.per_frame).any()
    assert all(isinstance(part, float) and not np.isinf(part) for part in measured.parts.values())


@pytest.mark.parametrize("name", sorted(METRICS))
def test_the_figure_of_all_rows_is_the_figure(name):
    measured = measure(name, plate(), pumping(towards_dst(looking_aside(rolled(plate(), 3.0), 2.0), 0.3), 5))
    every = np.arange(FRAMES)
    value = measured.of_rows(every) if measured.of_rows is not None else np.nanmean(measured.per_frame)
    assert value == pytest.approx(measured.value, rel=1e-9)
