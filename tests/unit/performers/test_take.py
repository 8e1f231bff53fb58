"""What a take shows under every setting, and whether what is said to be true of it agrees with its pixels."""

import dataclasses
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from konterfei.performers.camera import Camera
from konterfei.performers.config import PerformerConfig
from konterfei.performers.light import GAMMA
from konterfei.performers.motion import STYLES, WIDER, YAW_LIMIT, Motion
from konterfei.performers.scenery import scene
from konterfei.performers.shots import FARTHER
from konterfei.performers.table import CAMERAS, LIGHTS, PERFORMERS, PROPS
from konterfei.performers.take import MAX_SUB_FRAMES, MIN_SUB_FRAMES, Take, from_linear, linear

from .conftest import SIZE

pytestmark = pytest.mark.usefixtures("people")


@lru_cache(maxsize=40)
def take(**changes):
    return Take(PerformerConfig(**{"person": "P006", "output": Path("a.mp4"), "size": SIZE, "seed": 3, **changes}))


def luma(picture):
    return picture.astype(np.float32).mean(axis=-1)


def error(measure, image, shot):
    """Mean distance of what the landmarker finds from the truth, in distances of the outer eye corners."""
    points = shot.landmarks
    seen = measure(image, points)
    return np.linalg.norm(seen.points - points, axis=1).mean() / np.linalg.norm(points[45] - points[36])


def test_without_settings_a_frame_is_what_it_always_was():
    """The composition written out as it was before performers had any of these settings."""
    time_s, index = 0.96, 24
    frame, _ = take().frame(index, time_s)
    look, pose = PERFORMERS.load("P006").look, Motion(3).at(time_s)
    drawing = take()._artists[0].draw(pose)
    behind = scene(look.scene, round(SIZE * 1.1))
    at = (np.array(pose.sway) * 0.35 - 0.05) * SIZE
    matrix, how = np.array([[1, 0, at[0]], [0, 1, at[1]]]), {"borderMode": cv2.BORDER_REPLICATE}
    spill = cv2.warpAffine(cv2.GaussianBlur(behind, (0, 0), 0.06 * SIZE), matrix, (SIZE, SIZE), **how)
    picture = cv2.warpAffine(behind, matrix, (SIZE, SIZE), **how)
    rim = 1.0 - cv2.GaussianBlur(drawing.alpha, (0, 0), 0.012 * SIZE)
    front = drawing.colour * np.asarray(look.key, np.float32)
    front += (0.55 * rim)[..., None] * spill * (1.0 - front)
    picture += drawing.alpha[..., None] * (front - picture)
    assert np.array_equal(frame, Camera(SIZE, 3, look).expose(picture, index, time_s))


def test_without_settings_the_colours_are_those_of_the_first_version():
    """Means of a frame in four by four fields, written down before there were settings; another CPU may round."""
    frame, _ = take(size=64).frame(3, 0.96)
    fields = frame.reshape(4, 16, 4, 16, 3).mean(axis=(1, 3)).reshape(16, 3)
    assert np.abs(fields - np.array(FIRST)).max() < 1.0


FIRST = (
    (14.9, 16.0, 22.4),
    (36.1, 29.3, 26.9),
    (46.8, 36.5, 29.1),
    (72.0, 54.8, 40.3),
    (19.5, 19.2, 25.5),
    (110.5, 75.4, 55.8),
    (98.6, 64.5, 44.8),
    (143.8, 104.6, 67.8),
    (25.1, 22.1, 24.4),
    (92.4, 59.8, 44.1),
    (105.9, 67.8, 46.8),
    (59.4, 44.8, 34.5),
    (102.7, 92.2, 85.8),
    (133.2, 99.7, 80.4),
    (124.0, 90.2, 69.8),
    (105.0, 94.1, 87.3),
)  # fmt: skip


EVERYTHING = {
    "light": "passing", "occluder": "hand", "camera": "handheld", "shutter": 0.2, "background": "moving",
    "partner": "P005", "crossing": True, "style": "lively", "wide": True,
}  # fmt: skip


def test_a_frame_depends_on_its_time_and_the_settings_alone():
    one, other = (Take(PerformerConfig(person="P006", output=Path("a.mp4"), size=64, **EVERYTHING)) for _ in "ab")
    forwards = [one.frame(k, 1.0 + k / 25)[0] for k in range(2)]
    backwards = [other.frame(k, 1.0 + k / 25)[0] for k in (1, 0)][::-1]
    assert np.array_equal(forwards, backwards)
    again = Take(PerformerConfig(person="P006", output=Path("a.mp4"), size=64, seed=2, **EVERYTHING))
    assert np.abs(again.frame(0, 1.0)[0].astype(int) - forwards[0]).mean() > 2


@pytest.mark.parametrize("light", sorted(set(LIGHTS) - {"still"}))
def test_the_landmarker_finds_the_true_points_in_every_light(light, measure):
    lit, still = take(light=light), take()
    brightness = []
    for index, time_s in enumerate((0.6, 1.6, 2.6)):
        image, (shot,) = lit.frame(index, time_s)
        plain, (own,) = still.frame(index, time_s)
        assert error(measure, image, shot) < 0.045
        assert np.array_equal(shot.mesh, own.mesh), "light moves nobody"
        brightness.append(image.mean() / plain.mean())
        assert shot.light == LIGHTS.load(light)(3, time_s) != own.light
    assert max(brightness) > 1.1 * min(brightness) or light == "side"
    assert min(brightness) > 0.3


def test_exposure_falls_to_a_third_of_the_light_as_the_truth_says():
    darkest = take(light="dimming").instant(2.5)
    assert darkest.light.exposure == pytest.approx(1 / 3)
    plain = take().instant(2.5)
    ratio = (darkest.picture**GAMMA).sum() / (plain.picture**GAMMA).sum()
    assert ratio == pytest.approx(1 / 3, rel=0.01)


def test_a_lamp_from_the_side_lights_the_cheek_that_faces_it():
    instant = take(light="side").instant(0.2)
    points = instant.drawings[0].points
    picture, side = luma(cv2.GaussianBlur(instant.picture, (0, 0), 2.0)), np.sign(instant.light.toward[0])

    def cheek(point):
        x, y = np.round(points[point]).astype(int)
        return float(picture[y, x])

    left, right = cheek(116), cheek(345)
    assert (right - left) * side > 0.1


@pytest.mark.parametrize("camera", sorted(set(CAMERAS) - {"still"}))
def test_points_go_where_the_camera_takes_them(camera, measure):
    moved, still = take(camera=camera), take()
    shifts = []
    for index, time_s in enumerate((0.4, 1.9, 3.4)):
        image, (shot,) = moved.frame(index, time_s)
        _, (own,) = still.frame(index, time_s)
        matrix = shot.view.matrix(SIZE)
        assert np.allclose(shot.mesh, own.mesh @ matrix[:, :2].T + matrix[:, 2], atol=0.02)
        assert error(measure, image, shot) < 0.035
        assert shot.head[2] == pytest.approx(own.head[2] + shot.view.roll)
        assert shot.head[3] == pytest.approx(own.head[3] * shot.view.scale)
        shifts.append(np.abs(shot.mesh - own.mesh).max())
    assert max(shifts) > 0.02 * SIZE


def test_the_background_follows_the_camera_by_less_than_the_performer():
    view = CAMERAS.load("pan")(3, 0.4)
    corner = np.array([0.1 * SIZE, 0.1 * SIZE, 1.0])
    near, far = view.matrix(SIZE) @ corner - corner[:2], view.matrix(SIZE, FARTHER) @ corner - corner[:2]
    assert np.allclose(far, FARTHER * near) and np.abs(near).max() > 2
    rolled = CAMERAS.load("roll")(3, 0.9)
    assert np.allclose(*(m[:, :2] / np.sqrt(np.linalg.det(m[:, :2])) for m in (
        rolled.matrix(SIZE), rolled.matrix(SIZE, FARTHER))))  # fmt: skip


@pytest.mark.parametrize("prop", sorted(set(PROPS) - {"none"}))
def test_the_occluders_mask_is_where_the_picture_changes(prop):
    covered, bare = take(occluder=prop), take()
    areas = []
    for time_s in (0.0, 1.6, 2.7):
        one, other = covered.instant(time_s), bare.instant(time_s)
        change = np.abs(one.picture - other.picture).max(axis=-1)
        mask = one.covers[0]
        areas.append(float(mask.mean()))
        assert other.covers[0].max() == 0
        if areas[-1] < 0.001:
            continue
        solid = mask > 0.55
        assert (change[solid] > 0.02).mean() > 0.8, "what is covered looks different"
        shade = cv2.dilate(mask, np.ones((3, 3), np.uint8), iterations=SIZE // 16) < 0.01
        assert change[shade].max() < 0.02, "beyond it and its shadow nothing changes"
    assert max(areas) > 0.005
    assert prop in ("hair", "glasses") or areas[0] == 0, "it is not there from the beginning"


def test_covered_landmarks_are_told_from_visible_ones():
    _, (shot,) = take(occluder="hand").frame(0, 1.6)
    _, (bare,) = take().frame(0, 1.6)
    assert bare.visible.all()
    assert not shot.visible[48:68].all() and shot.visible[17:27].all(), "over the mouth, not over the brows"
    _, (drinks,) = take(occluder="cup").frame(0, 2.4)
    assert not drinks.visible[[8, 57]].any() and drinks.visible[36:48].all()


def test_what_comes_before_two_faces_is_the_same():
    host, guest = take(occluder="hand"), take(person="P005", set_of="P006", occluder="hand")
    one, other = host.instant(1.6), guest.instant(1.6)
    assert np.array_equal(one.covers[0], other.covers[0])
    solid = cv2.erode(one.covers[0], np.ones((3, 3), np.uint8)) > 0.99
    assert np.abs(one.picture - other.picture)[solid].max() < 0.01


def test_a_blurred_frame_is_the_mean_of_its_sub_frames_in_linear_light():
    blurred = take(shutter=0.8, camera="handheld", style="lively")
    time_s = 1.0
    times = blurred.sub_frames(time_s)
    assert MIN_SUB_FRAMES <= len(times) <= MAX_SUB_FRAMES and len(times) % 2 == 1
    assert times[len(times) // 2] == pytest.approx(time_s) and times[-1] - times[0] < 0.8 / 25
    parts = [blurred.instant(t).picture for t in times]
    mean = np.mean([p.astype(np.float64) ** GAMMA for p in parts], axis=0) ** (1 / GAMMA)
    averaged = from_linear(sum(linear(p) for p in parts) / len(parts))
    assert np.abs(averaged - mean).max() < 1e-4
    frame, (shot,) = blurred.frame(7, time_s)
    sharp, (middle,) = take(camera="handheld", style="lively").frame(7, time_s)
    assert np.array_equal(frame, blurred._camera.expose(averaged, 7, time_s))
    assert np.allclose(shot.mesh, middle.mesh)
    assert not np.array_equal(frame, sharp)
    assert take().sub_frames(time_s) == [time_s]


def test_nothing_jumps_between_sub_frames():
    for changes in ({"camera": "pan"}, {"partner": "P005", "crossing": True}, {"style": "lively", "wide": True}):
        blurred = take(shutter=1.0, **changes)
        for time_s in (0.9, 1.4):
            tracks = np.stack([[d.points for d in blurred.instant(t).drawings] for t in blurred.sub_frames(time_s)])
            assert np.linalg.norm(np.diff(tracks, axis=0), axis=-1).max() < 2.0


def test_the_background_moves_and_the_performer_does_not_care():
    alive, still = take(background="moving"), take()
    before = None
    for time_s in (0.4, 1.4):
        one, other = alive.instant(time_s), still.instant(time_s)
        alpha = other.drawings[0].alpha
        change = np.abs(one.picture - other.picture).max(axis=-1)
        assert change[cv2.erode(alpha, np.ones((9, 9), np.uint8)) > 0.99].max() < 0.01
        assert change[alpha < 0.01].mean() > 0.01
        assert before is None or np.abs(before - change)[alpha < 0.01].mean() > 0.004, "and it moves"
        before = change


def test_both_of_two_are_where_the_truth_says(measure):
    two = take(partner="P005")
    image, shots = two.frame(0, 1.2)
    assert [s.visible.all() for s in shots] == [True, True]
    assert all(error(measure, image, shot) < limit for shot, limit in zip(shots, (0.05, 0.06), strict=True))
    assert shots[0].landmarks[:, 0].max() < shots[1].landmarks[:, 0].min()
    assert shots[0].pose == Motion(3).at(1.2) and shots[1].pose != shots[0].pose


def test_who_crosses_covers_the_other_for_a_while():
    crossing = take(partner="P005", crossing=True)
    shares = [crossing.frame(0, t)[1][0].visible.mean() for t in (0.2, 1.5, 3.0, 5.8)]
    assert shares[0] == shares[3] == 1 and shares[2] < 0.2
    _, shots = crossing.frame(0, 3.0)
    assert shots[1].visible.all()
    assert (shots[0].cover.sum() > 0) and (shots[1].cover.sum() == 0)


@pytest.mark.parametrize("style", STYLES)
def test_styles_differ_in_what_they_do(style):
    poses = [Motion(3, style).at(k / 25) for k in range(300)]
    jaw = np.array([p.jaw for p in poses])
    turn = np.abs(np.diff([p.yaw for p in poses])).mean()
    usual = np.abs(np.diff([p.yaw for p in [Motion(3).at(k / 25) for k in range(300)]])).mean()
    assert {"talk": turn == usual, "still": turn < 0.3 * usual, "lively": turn > 1.2 * usual,
            "expressions": turn < 1.5 * usual}[style]  # fmt: skip
    assert (jaw.max() == 0) == (style == "still")


def test_expressions_come_one_by_one():
    names = ("jaw", "wide", "pucker", "smile", "surprise", "frown", "blink")
    motion = Motion(3, "expressions")
    weights = np.array([[getattr(motion.at(k / 25), n) for n in names] for k in range(300)])
    assert (weights.max(axis=0) > 0.85).all() and weights.max() <= 1.0
    assert ((weights > 0).sum(axis=1) <= 1).all()
    assert {(p.gaze[0] > 0.3, p.gaze[1] > 0.2) for p in (motion.at(k / 25) for k in range(300))} >= {
        (True, False), (False, True)}  # fmt: skip


def test_a_wide_performance_turns_farther_and_the_landmarker_follows(measure):
    wide, usual = Motion(3, wide=True), Motion(3)
    times = np.arange(0, 12, 0.2)
    turns = np.array([wide.at(t).yaw for t in times])
    assert np.allclose(turns, WIDER["yaw"] * np.array([usual.at(t).yaw for t in times]))
    assert np.abs(turns).max() > 1.2 * YAW_LIMIT
    at = float(times[np.abs(turns).argmax()])
    image, (shot,) = take(wide=True).frame(0, at)
    assert error(measure, image, shot) < 0.06


def test_the_guest_stands_in_the_hosts_light():
    host, guest = (take(light="passing", **c).instant(1.0) for c in ({}, {"person": "P005", "set_of": "P006"}))
    assert host.light == guest.light and host.view == guest.view
    empty = (host.drawings[0].alpha == 0) & (guest.drawings[0].alpha == 0)
    assert np.abs(host.picture - guest.picture)[empty].max() < 1e-6
    assert all(dataclasses.astuple(a) == dataclasses.astuple(b) for a, b in zip(host.poses, guest.poses, strict=True))
