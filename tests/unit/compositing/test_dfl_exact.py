"""DeepFaceLab's merger: its numbers (dfl-spec, appendix A.8) and its quirks one by one, beside what is done without."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from konterfei.compositing import DflSettings, MergeSettings, Swapped, cut_face, merge_frame, merge_layers
from konterfei.compositing.dfl_colors import histogram, matched_along, rct, transfer
from konterfei.compositing.dfl_exact import (
    DflFace,
    blur_sharpen,
    eroded_and_blurred,
    linear_motion_blur,
    merge_exactly,
)
from konterfei.compositing.dfl_settings import TRANSFERS
from konterfei.errors import ConfigError
from konterfei.geometry import Crop, FaceType

R = 64


@pytest.fixture
def pair():
    """The pictures of appendix A.8, BGR."""
    draw = np.random.RandomState(42)
    image = draw.rand(16, 16, 3).astype(np.float32)
    return image, (draw.rand(16, 16, 3) * (0.5, 0.8, 0.3) + (0.1, 0.05, 0.4)).astype(np.float32)


@pytest.fixture
def drawn(face_at):
    """drawn(frame, x, y): a face that a model drew, redder than the plate, on a disk; all four masks known."""

    def make(frame, x=320.0, y=240.0, value=None):
        face = face_at(x, y)
        aligned = Crop.fit(face.landmarks, FaceType.WHOLE, R).cut(frame, "cubic", "zero")
        image = aligned / np.float32(np.iinfo(frame.dtype).max) * np.float32([1.0, 0.6, 0.5])
        if value is not None:
            image = np.full_like(image, value)
        row, column = np.mgrid[:R, :R] / R - 0.5
        disk = (np.hypot(column, row) < 0.35).astype(np.float32)
        left, right = (column < 0.1).astype(np.float32), (column > -0.1).astype(np.float32)
        seg = [cv2.resize(mask, (256, 256), interpolation=cv2.INTER_NEAREST) for mask in (left, right)]
        return DflFace(
            landmarks=face.landmarks, face_type=FaceType.WHOLE, image=image.astype(np.float32), mask=disk,
            plate_mask=(np.hypot(column, row - 0.1) < 0.35).astype(np.float32), seg_mask=seg[0], seg_plate_mask=seg[1],
            motion=(20.0, 0.0),
        )  # fmt: skip

    return make


PLAIN = DflSettings(color_transfer_mode="none", mask_mode=2)


def merged(frame, face, settings, **more):
    return merge_exactly(frame, [face], settings, **more)[0]


# Appendix A.8: pixel [8, 8] of each filter.


def test_filters_match_the_conformance_vectors(pair):
    image = pair[0]
    assert linear_motion_blur(image, 5, 30)[8, 8] == pytest.approx([0.8085668, 0.5286191, 0.3477308], abs=1e-6)
    assert blur_sharpen(image, "box", 3, 20)[8, 8] == pytest.approx([7.2195644, -8.4240090, -1.1200969], abs=1e-5)
    assert blur_sharpen(image, "gaussian", 3, 20)[8, 8] == pytest.approx([3.5415077, -3.6077720, 0.0259938], abs=1e-5)
    assert blur_sharpen(image, "none", 3, -15)[8, 8] == pytest.approx([0.6226262, 0.5000076, 0.4781618], abs=1e-6)
    assert np.array_equal(blur_sharpen(image, "none", 3, 20), image)


@pytest.mark.parametrize(
    ("name", "pixel", "mean"),
    [
        ("rct", (0.3048485, 0.7471897, 0.6651405), (0.3670768, 0.4286942, 0.5502830)),
        ("lct", (0.2841843, 0.7801623, 0.6231321), (0.3651446, 0.4286337, 0.5503114)),
        ("mkl", (0.2835120, 0.7821434, 0.6214333), (0.3651446, 0.4286336, 0.5503115)),
    ],
)
def test_colour_transfers_match_the_conformance_vectors(name, pixel, mean, pair):
    result = transfer(name, *pair, np.ones((16, 16), np.float32), seed=0)
    assert result[0, 0] == pytest.approx(pixel, abs=1e-5) and result.mean((0, 1)) == pytest.approx(mean, abs=1e-5)


def test_the_histogram_matches_the_conformance_vector(pair):
    assert histogram(*pair, 238)[0, 0] == pytest.approx([0.3104508, 0.7460467, 0.6123173], abs=1e-6)


@pytest.mark.parametrize("name", TRANSFERS)
def test_colour_transfers_give_numbers_and_the_same_ones_again(name, pair):
    area = np.zeros((16, 16), np.float32)
    area[2:12, 3:14] = 1
    first = transfer(name, *pair, area, seed=1)
    assert first.shape == (16, 16, 3) and np.isfinite(first).all()
    assert np.array_equal(transfer(name, *pair, area, seed=1), first)
    if name.endswith("-m"):
        assert (first[area == 0] == 0).all() and first[area == 1].max() > 0
    flat = np.full((16, 16, 3), 0.5, np.float32)
    assert np.isfinite(transfer(name, flat, flat, area, seed=1)).all()


@pytest.mark.parametrize("name", ["idt", "sot-m", "mix-m"])
def test_random_directions_come_from_the_seed(name, pair):
    area = np.ones((16, 16), np.float32)
    assert not np.array_equal(transfer(name, *pair, area, seed=1), transfer(name, *pair, area, seed=2))


# Quirks.


def test_rct_counts_what_the_mask_leaves_out_as_black(pair):
    """dfl-spec 8.5: without it, the brightness of the face would not depend on how small its mask is."""
    image, reference = pair
    area = np.zeros((16, 16), np.float32)
    area[:8] = 1
    quirk, honest = rct(image, reference, area), rct(image[:8], reference[:8], np.ones((8, 16), np.float32))
    labs = [cv2.cvtColor(x, cv2.COLOR_BGR2LAB) for x in (image, reference)]
    own, wanted = (np.where(area[..., None] > 0, lab, 0).reshape(-1, 3) for lab in labs)
    expected = (labs[0] - own.mean(0)) * wanted.std(0) / own.std(0) + wanted.mean(0)
    expected[..., 0] = expected[..., 0].clip(0, 100)
    off = np.abs(cv2.cvtColor(quirk, cv2.COLOR_BGR2LAB)[..., 0] - expected[..., 0])
    assert np.median(off) < 0.15 and off.max() < 2  # OpenCV interpolates; what is out of gamut is cut off
    assert np.abs(quirk[:8] - honest).mean() > 0.01


def test_idt_sends_the_lowest_values_to_nought():
    values = np.linspace(0.4, 0.6, 1000)
    matched = matched_along(values, values)
    assert (matched[:4] == 0).all()  # the lowest of 256 bins holds the lowest 1/256 of them
    assert matched[4:] == pytest.approx(values[4:], abs=0.2 / 256)


def test_the_mask_is_cut_half_a_kernel_inside_the_crop():
    full = np.ones((4 * R, 4 * R), np.float32)
    assert eroded_and_blurred(full, R, 0, 0).min() == 1  # by nothing without blur
    soft = eroded_and_blurred(full, R, 0, 40)
    assert soft[2 * R, 20] == pytest.approx(0.5, abs=0.05)  # the edge lies 20 px inside
    assert soft[2 * R, 0] < 0.01 and soft[2 * R, 2 * R] == pytest.approx(1)


@pytest.mark.parametrize("diameter", [40, -40])
def test_erosion_is_a_diameter_in_quarters_of_a_pixel(diameter):
    band = np.zeros((4 * R, 4 * R), np.float32)
    band[:, R : 3 * R] = 1
    moved = eroded_and_blurred(band, R, diameter, 0)
    assert moved[2 * R].sum() == pytest.approx(2 * R - diameter, abs=1)  # half of it on each side


def test_results_are_cut_off_not_rounded(frame, drawn):
    """0.4999 * 255 is 127.47; 0.5019 * 255 is 127.98, which rounds to 128."""
    raw = replace(PLAIN, mode="raw-predict")
    assert (merged(frame, drawn(frame, value=0.5019), raw) == 127).all()
    assert (merged(frame.astype(np.uint16) * 257, drawn(frame, value=0.5), raw) == 32767).all()


def test_a_positive_face_scale_makes_the_face_smaller(frame, drawn, face_at):
    """In konterfei, more than 1 is larger."""
    face = drawn(frame, value=0.0)
    areas = {s: (merged(frame, face, replace(PLAIN, output_face_scale=s)) == 0).all(axis=2).sum() for s in (0, 25)}
    assert areas[25] / areas[0] == pytest.approx(1 / 1.25**2, rel=0.05)
    crop, aligned = cut_face(frame, face_at(), FaceType.WHOLE, R)
    item = Swapped(crop=crop, aligned=aligned, image=face.image, mask=face.mask)
    ours = {
        s: (merge_frame(frame, [face_at()], [item], MergeSettings(
            mode="overlay", color="none", mask="learned", feather=0.0, face_scale=s)) == 0).all(axis=2).sum()
        for s in (1.0, 1.25)
    }  # fmt: skip
    assert ours[1.25] / ours[1.0] == pytest.approx(1.25**2, rel=0.05)


def test_filters_paste_a_larger_face_by_the_matrix_without_its_scale(frame, drawn):
    """What reaches beyond the crop becomes black."""
    larger = replace(PLAIN, mask_mode=0, output_face_scale=-30)
    face = drawn(frame, value=0.6)
    plain, filtered = merged(frame, face, larger), merged(frame, face, replace(larger, blursharpen_amount=-10))
    lost = (filtered == 0).all(axis=2)
    assert lost.sum() > 2000 and not (plain == 0).all(axis=2).any()


def test_masked_histograms_count_white(frame, drawn):
    """Painting both pictures white outside shifts no quantile only where both masks are alike, and they are: what
    differs from matching the whole crop is that the background does not count."""
    plate = frame.copy()
    plate[:100] = 0
    face, settings = drawn(plate), replace(PLAIN, mode="hist-match", hist_match_threshold=255)
    inside, whole = merged(plate, face, settings), merged(plate, face, replace(settings, masked_hist_match=False))
    assert (inside != whole).any()
    low = merged(plate, face, replace(settings, hist_match_threshold=100))
    assert low[240, 320].mean() < inside[240, 320].mean()


@pytest.mark.parametrize(
    "change", [{"image_denoise_power": 200}, {"bicubic_degrade_power": 80}, {"color_degrade_power": 100}]
)
def test_the_whole_frame_is_made_worse(frame, drawn, change, face_at):
    """In konterfei, only what a mask covers."""
    plate = np.clip(frame + np.random.default_rng(0).normal(0, 10, frame.shape), 0, 255).astype(np.uint8)
    face = drawn(plate)
    before, after = merged(plate, face, PLAIN), merged(plate, face, replace(PLAIN, **change))
    assert (before[:60] == plate[:60]).all()
    assert (after[:60] != plate[:60]).any(axis=2).mean() > 0.5


def test_denoising_counts_down_by_tens(frame, drawn):
    """100 is one median and nine parts of one: 90 %, 80 % ..."""
    plate = np.clip(frame + np.random.default_rng(0).normal(0, 10, frame.shape), 0, 255).astype(np.uint8)
    floats = plate.astype(np.float32) / 255
    expected = cv2.medianBlur(floats, 5)
    for share in np.arange(9, 0, -1) / 10:
        expected = expected * (1 - share) + cv2.medianBlur(expected.astype(np.float32), 5) * share
        expected = expected.astype(np.float32)
    result = merged(plate, drawn(plate), replace(PLAIN, image_denoise_power=100))
    assert np.abs(result[:60].astype(int) - (expected[:60] * 255).astype(np.uint8)).max() <= 1


def test_motion_blur_is_as_long_in_the_crop_as_the_motion_in_the_frame(frame, drawn):
    stripes = np.repeat((np.arange(R) % 8 < 4).astype(np.float32), 3).reshape(1, R, 3).repeat(R, axis=0)
    face = replace(drawn(frame), image=stripes)
    spread = {
        (power, motion): merged(frame, replace(face, motion=motion), replace(PLAIN, motion_blur_power=power))[
            200:260, 290:350
        ].std()
        for power, motion in ((0, (8.0, 0.0)), (100, (8.0, 0.0)), (100, (0.0, 8.0)), (5, (8.0, 0.0)), (100, None))
    }
    assert spread[100, (8.0, 0.0)] < 0.5 * spread[0, (8.0, 0.0)]
    assert spread[100, (0.0, 8.0)] > 0.7 * spread[0, (8.0, 0.0)]
    assert spread[5, (8.0, 0.0)] == spread[100, None]  # int(0.4) = 0: no blur, only resampled


# Modes and masks.


def test_mask_modes(frame, drawn):
    areas = [merge_exactly(frame, [drawn(frame)], replace(PLAIN, mask_mode=m))[1][0].sum() for m in range(10)]
    disk, product, both, segments = areas[2], areas[4], areas[5], areas[8]
    assert areas[0] == max(areas) and areas[3] == pytest.approx(disk, rel=0.02)
    assert product < disk < both == pytest.approx(areas[2] + areas[3] - product, rel=0.02)
    assert areas[6] > segments < areas[7] and areas[9] < min(product, segments)
    hull = cv2.fillConvexPoly(
        np.zeros(frame.shape[:2], np.uint8), cv2.convexHull(drawn(frame).landmarks.astype(np.int32)), 1
    )
    assert areas[1] == pytest.approx(hull.sum(), rel=0.15)


def test_a_mask_of_xseg_that_is_not_there_is_refused(frame, drawn):
    """The original takes a constant 0.5 without a word."""
    with pytest.raises(ConfigError, match="--segmenter"):
        merged(frame, replace(drawn(frame), seg_mask=None), replace(PLAIN, mask_mode=6))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("mode", ["original", "overlay", "hist-match", "seamless", "seamless-hist-match", "raw-rgb"])
@pytest.mark.parametrize("x,y", [(320, 240), (0, 240), (640, 470), (-400, 240)])
def test_modes_at_the_edge_and_in_both_depths(frame, drawn, kind, mode, x, y):
    plate = frame if kind == np.uint8 else frame.astype(np.uint16) * 257
    settings = DflSettings(mode=mode, color_transfer_mode="rct", blursharpen_amount=5, sharpen_mode="gaussian")
    image, masks = merge_exactly(plate, [drawn(plate, x, y)], settings)
    assert (image.shape, image.dtype) == (plate.shape, kind)
    assert np.isfinite(masks[0]).all() and 0 <= masks[0].min() <= masks[0].max() <= 1
    outside = masks[0] == 0
    if mode == "original" or x < -300:
        assert np.array_equal(image, plate)
    elif mode != "raw-rgb":
        assert np.array_equal(image[outside], plate[outside])
        assert (image != plate).any()


def test_seamless_takes_the_plates_light(frame, drawn):
    face = drawn(frame)
    face = replace(face, image=face.image * 0.6)
    gap = {
        mode: np.abs(merged(frame, face, replace(PLAIN, mode=mode)).astype(float) - frame)[200:280, 280:360].mean()
        for mode in ("overlay", "seamless")
    }
    assert gap["seamless"] < 0.5 * gap["overlay"]


def test_seamless_transfers_colours_after_cloning(frame, drawn):
    face = drawn(frame)
    cloned = merged(frame, face, replace(PLAIN, mode="seamless"))
    recolored = merged(frame, face, replace(PLAIN, mode="seamless", color_transfer_mode="rct"))
    assert np.abs(cloned.astype(int) - recolored).max() > 3


def test_a_mask_of_less_than_four_pixels_leaves_the_frame(frame, drawn):
    speck = np.zeros((R, R), np.float32)
    speck[32, 32] = 1
    face = replace(drawn(frame, value=0.0), mask=speck)
    eroded = replace(PLAIN, erode_mask_modifier=4)
    assert np.array_equal(merged(frame, face, eroded), frame)
    assert not np.array_equal(merged(frame, face, replace(PLAIN, erode_mask_modifier=-40)), frame)


def test_super_resolution_asks_an_enhancer(frame, drawn):
    face, settings = drawn(frame, value=0.5), replace(PLAIN, super_resolution_power=50, mode="raw-predict")
    with pytest.raises(ConfigError, match="super_resolution_power"):
        merged(frame, face, settings)
    image = merged(frame, face, settings, enhance=lambda small: np.ones((4 * R, 4 * R, 3), np.float32))
    assert image.shape == (4 * R, 4 * R, 3) and (image == 191).all()  # half of 0.5, half of 1


def test_several_faces(frame, drawn):
    """Each is made on the plate as it came; the later one lies on top."""
    one, other = drawn(frame, 260, 240, value=0.2), drawn(frame, 380, 240, value=0.8)
    image, masks = merge_exactly(frame, [one, other], PLAIN)
    for own, value in zip(masks, (51, 204), strict=True):
        alone = (own == 1) & ((masks[0] + masks[1]) == 1)
        assert (np.abs(image[alone].astype(int) - value) <= 1).all()
    both = (masks[0] == 1) & (masks[1] == 1)
    assert both.any() and (np.abs(image[both].astype(int) - 204) <= 1).all()
    with pytest.raises(ConfigError, match="2 faces"):
        merge_exactly(frame, [one, other], replace(PLAIN, mode="raw-predict"))
    assert np.array_equal(merge_exactly(frame, [], PLAIN)[0], frame)


def test_settings_reach_it_through_a_merge(frame, drawn, face_at):
    """--dfl-exact: the same pixels as the function, and layers for those who composite."""
    face = drawn(frame)
    crop, aligned = cut_face(frame, face_at(), FaceType.WHOLE, R, MergeSettings(dfl_exact="defaults"))
    item = Swapped(crop=crop, aligned=aligned, image=face.image, mask=face.mask, plate_mask=face.plate_mask)
    line = "mask_mode=4, erode_mask_modifier=20, blur_mask_modifier=30"
    done = merge_layers(frame, [face_at()], [item], MergeSettings(dfl_exact=line))
    image, masks = merge_exactly(frame, [face], DflSettings.parse(line))
    assert np.array_equal(done.image, image) and (done.image != frame).any()
    (layer,) = done.layers
    assert np.array_equal(layer.alpha, masks[0][layer.region]) and masks[0].sum() == pytest.approx(layer.alpha.sum())


def test_what_the_model_is_shown_ends_in_black(frame, face_at):
    face = face_at(0, 240)
    _, ours = cut_face(frame, face, FaceType.WHOLE, R)
    _, theirs = cut_face(frame, face, FaceType.WHOLE, R, MergeSettings(dfl_exact="defaults"))
    assert theirs[:, :10].max() == 0 < ours[:, :10].min()
