"""What a sample shows beyond its place: eyes and mouth, other colours, and the original's way of making it."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from konterfei.training.augment import AugmentSettings, draw_warp
from konterfei.training.data import Sampler, TrainingFaces
from konterfei.training.objectives import Objectives
from konterfei.training.samples import Look, draw_sample, exact_sample, shift_hsv, stretched

STILL = AugmentSettings(rotation_deg=0, scale=0, shift=0, flip=0, warp=0)


@pytest.fixture
def sampler(make_faces):
    return Sampler(
        src=make_faces(7, 48), dst=make_faces(5, 48, seed=1), resolution=32, batch=3, seed=11, augment=AugmentSettings()
    )


def chosen(sampler, **objectives):
    return replace(sampler, objectives=Objectives(**objectives)).batch_at(4)


def test_parts_travel_with_the_picture_and_come_only_where_they_were_made(sampler):
    assert sampler.batch_at(0).parts is None
    pixels = sampler.src.pixels.copy()
    parts = cv2.GaussianBlur(pixels[0, ..., 3], (9, 9), 0)
    parts = np.repeat((parts // 2)[None], len(pixels), 0)
    pixels[..., :3] = parts[..., None]
    ours = replace(sampler, src=TrainingFaces(pixels, parts), dst=TrainingFaces(pixels, parts))
    batch = ours.batch_at(2)
    assert batch.parts.shape == batch.mask.shape and batch.parts.dtype == np.uint8
    for picture, mask in zip(batch.target[..., 0], batch.parts, strict=True):
        np.testing.assert_array_equal(stretched(picture), mask)
        assert mask.max() == 255  # 7.10.4: divided by its maximum
    assert stretched(np.zeros((4, 4), np.uint8)).max() == 0


def test_without_warp_the_network_sees_what_it_has_to_draw(sampler):
    plain, straight = sampler.batch_at(4), chosen(sampler, random_warp=False)
    np.testing.assert_array_equal(straight.target, plain.target)
    np.testing.assert_array_equal(straight.warped, straight.target)
    assert (plain.warped != plain.target).any()


def test_hsv_varies_what_is_seen_of_src_and_nothing_else(sampler):
    """7.10.4"""
    plain, varied = sampler.batch_at(4), chosen(sampler, hsv_power=0.2)
    np.testing.assert_array_equal(varied.target, plain.target)
    np.testing.assert_array_equal(varied.warped[3:], plain.warped[3:])
    assert (varied.warped[:3] != plain.warped[:3]).any(axis=(1, 2, 3)).all()


def test_hsv_goes_as_far_as_the_power_says():
    image = cv2.cvtColor(np.full((1, 1, 3), (100, 0.5, 0.5), np.float32), cv2.COLOR_HSV2RGB)
    image = (np.repeat(image, 4, 0) * 255).round().astype(np.uint8)
    rng, seen = np.random.RandomState(1), []
    for _ in range(400):
        seen.append(cv2.cvtColor(shift_hsv(image, rng, 0.1).astype(np.float32) / 255, cv2.COLOR_RGB2HSV)[0, 0])
    hue, saturation, value = np.array(seen).T
    assert -18.8 <= (hue - 100).min() < -16 and 16 < (hue - 100).max() <= 18.8  # int(180 x 0.1), and 8 bits
    for figure in (saturation, value):
        assert -0.06 <= (figure - 0.5).min() < -0.045 and 0.045 < (figure - 0.5).max() <= 0.06


@pytest.mark.parametrize("name", ["rct", "lct", "mkl", "idt", "sot"])
def test_src_takes_on_the_colours_of_random_dst_faces(sampler, name):
    """7.10.4: what is seen and what is to be drawn alike; masks and dst stay."""
    dst = sampler.dst.pixels.copy()
    dst[..., :3] = np.clip(dst[..., :3] * 0.4 + [130, 20, 40], 0, 255)
    ours = replace(sampler, dst=replace(sampler.dst, pixels=dst))
    plain, colored = ours.batch_at(4), chosen(ours, color_transfer=name)
    np.testing.assert_array_equal(colored.mask, plain.mask)
    np.testing.assert_array_equal(colored.target[3:], plain.target[3:])
    wanted = dst[..., :3].mean(axis=(0, 1, 2))
    for pictures in ("warped", "target"):
        before, after = (getattr(b, pictures)[:3].mean(axis=(0, 1, 2)) for b in (plain, colored))
        assert np.abs(after - wanted).mean() < 0.6 * np.abs(before - wanted).mean()


def test_references_differ_from_sample_to_sample(sampler):
    dst = sampler.dst.pixels.copy()
    for i, level in enumerate((30, 70, 110, 150, 190)):
        dst[i, ..., :3] = np.clip(dst[i, ..., :3] * 0.1 + level, 0, 255)
    ours = replace(
        sampler, dst=replace(sampler.dst, pixels=dst), objectives=Objectives(color_transfer="rct"), augment=STILL
    )
    levels = [picture.mean() for step in range(10) for picture in ours.batch_at(step).target[:3]]
    assert len({round(level / 20) for level in levels}) == 5


def test_even_yaw_reaches_the_sampler(sampler):
    yaws = np.array([0, 0, 0, 0, 0, 0, 0.8])
    ours = replace(sampler, src=replace(sampler.src, yaws=yaws), augment=STILL, objectives=Objectives(uniform_yaw=True))
    shown = [int(p[16, 16, 2]) // 7 for step in range(20) for p in ours.batch_at(step).target[:3]]
    assert shown.count(6) == 30
    assert ours.unturned() == []
    flat = replace(ours, src=replace(sampler.src, yaws=np.zeros(7)))
    assert flat.unturned() == ["src"]


# --- the original's way


def smooth_face(side=96):
    y, x = np.mgrid[0:side, 0:side] / side
    image = np.stack([127 + 100 * np.sin(5 * x + (3 + c) * y + c) for c in range(3)], -1)
    mask = 255 * (np.hypot(x - 0.5, y - 0.5) < 0.35)
    return Look(np.dstack([image, mask]).astype(np.uint8), (mask // 2).astype(np.uint8))


def test_exactly_a_still_sample_is_the_face():
    sample = exact_sample(smooth_face(64), 5, 64, STILL, False, 0.0)
    np.testing.assert_array_equal(sample.target, smooth_face(64).pixels[..., :3])
    np.testing.assert_array_equal(sample.warped, sample.target)
    np.testing.assert_array_equal(sample.mask, smooth_face(64).pixels[..., 3])


def test_exactly_warps_come_first_with_black_outside_then_the_placement():
    """7.10.3: both from the same seed, each from a source of chance of its own."""
    look, side = smooth_face(64), 64
    sample = exact_sample(look, 5, side, replace(STILL, warp=1.0), False, 0.0)
    x, y = cv2.split(draw_warp(np.random.RandomState(5), side, exact=True))
    wanted = cv2.remap(look.pixels[..., :3], x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)
    np.testing.assert_array_equal(sample.warped, wanted)
    np.testing.assert_array_equal(sample.target, look.pixels[..., :3])
    assert (sample.warped[-1] < sample.target[-1]).mean() > 0.7  # half a pixel beyond the edge it is black


def test_exactly_samples_lie_as_ours_do_up_to_interpolation():
    """The same placement from the same numbers; only masks end at the border there."""
    settings = AugmentSettings(warp=0)
    for seed in range(4):
        ours = draw_sample(smooth_face(), np.random.RandomState(seed), 64, settings, True, 0.0)
        theirs = exact_sample(smooth_face(), seed, 64, settings, True, 0.0)
        inner = (slice(12, -12), slice(12, -12))
        assert np.abs(ours.target[inner].astype(int) - theirs.target[inner]).mean() < 3
        assert (np.abs(ours.mask[inner].astype(int) - theirs.mask[inner]) > 128).mean() < 0.03


def test_exactly_small_samples_are_made_at_64_and_shrunk():
    sample = exact_sample(smooth_face(), 5, 32, AugmentSettings(), True, 0.1)
    assert sample.warped.shape == sample.target.shape == (32, 32, 3)
    assert sample.mask.shape == sample.parts.shape == (32, 32)
    assert sample.parts.max() == 255


def test_exactly_reaches_the_sampler(sampler):
    plain, exact = sampler.batch_at(4), chosen(sampler, dfl_exact=True)
    assert (plain.warped != exact.warped).any()
    again = replace(sampler, objectives=Objectives(dfl_exact=True)).batch_at(4)
    np.testing.assert_array_equal(exact.warped, again.warped)
