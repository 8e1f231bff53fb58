from dataclasses import replace

import cv2
import numpy as np
import pytest

from konterfei.compositing import MergeSettings, Swapped, merge_frame, merge_layers, prepare, touched
from konterfei.geometry import Crop, FaceType, smooth_hull_mask
from konterfei.imaging import alpha_blend
from konterfei.merge_modes import MERGE_MODES

PLAIN = MergeSettings(color="none", mode="overlay", detail=0, grain=0)
MASKED = sorted(name for name in MERGE_MODES if MERGE_MODES.load(name).cover == "mask")


def hull_in_frame(face, shape, margin=0):
    mask = smooth_hull_mask(face.landmarks, shape[:2])
    return cv2.dilate(mask, np.ones((2 * margin + 1,) * 2)) > 0 if margin else mask > 0


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("mode", MASKED)
@pytest.mark.parametrize("mask", ["hull", "learned", "learned_hull", "full"])
def test_outside_the_mask_every_pixel_is_bit_identical(frame, face_at, swap, kind, mask, mode):
    face = face_at()
    item = swap(frame, face)
    plate = frame if kind == np.uint8 else (frame.astype(np.uint16) * 257 + 3)
    before = plate.copy()
    merged = merge_frame(plate, [face], [item], MergeSettings(mask=mask, mode=mode))
    assert (plate == before).all()  # the argument is left alone
    assert merged.dtype == kind and merged.shape == plate.shape
    changed = (merged != plate).any(axis=2)
    allowed = np.zeros(frame.shape[:2], np.uint8)
    cv2.fillConvexPoly(allowed, np.rint(item.crop.corners()).astype(np.int32), 1)
    if "hull" in mask:
        allowed &= hull_in_frame(face, frame.shape, margin=3).astype(np.uint8)
    assert not (changed & (allowed == 0)).any()
    assert changed.sum() > 5000  # and the face itself is another


def test_what_the_region_does_not_hold_is_not_touched(frame, face_at, swap):
    face = face_at()
    item = prepare(face, swap(frame, face), PLAIN)
    rows, columns = touched(item, frame.shape, PLAIN)
    changed = (merge_frame(frame, [face], [item], PLAIN) != frame).any(axis=2)
    assert changed[rows, columns].sum() == changed.sum() > 0
    crop_area = np.prod(np.ptp(item.crop.corners(), axis=0))
    assert (rows.stop - rows.start) * (columns.stop - columns.start) < 0.5 * crop_area  # only what is needed


@pytest.mark.parametrize("size", [64, 96, 256, 512])
@pytest.mark.parametrize("scale", [0.3, 1.0, 1.6])
def test_a_face_put_back_unchanged_lies_where_it_was(frame, face_at, swap, size, scale):
    """Cut, scale, mask and paste agree to a small part of a pixel, whether the model's crop is larger or smaller."""
    y, x = np.mgrid[:480, :640]
    ramp = np.stack([x / 4 + 20, y / 3 + 20, (x + y) / 8 + 30], axis=2)  # a step of one level is 3 or 4 pixels
    plate = np.rint(ramp).astype(np.uint8)
    face = face_at(scale=scale)
    crop = Crop.fit(face.landmarks, FaceType.WHOLE, size)
    exact = crop.cut(ramp.astype(np.float32) / 255)
    item = Swapped(crop=crop, aligned=crop.cut(plate), image=exact, mask=np.ones((size, size), np.float32))
    merged = merge_frame(plate, [face], [item], replace(PLAIN, mask="full", feather=0.0))
    assert np.abs(merged.astype(int) - ramp).max() < 1.02  # rounding alone is 0.5 + 0.5
    inside = hull_in_frame(face, plate.shape)
    assert abs((merged.astype(float) - ramp)[inside].mean(axis=0)).max() < 0.06  # 0.2 px


def test_the_mask_is_zero_at_the_rim_of_the_crop(frame, face_at, swap):
    face = face_at()
    for feather in (0.0, 0.04, 0.3):
        settings = MergeSettings(mask="full", feather=feather)
        alpha = prepare(face, swap(frame, face), settings).alpha
        assert alpha.shape == (256, 256)
        assert max(alpha[:4].max(), alpha[-4:].max(), alpha[:, :4].max(), alpha[:, -4:].max()) == 0
        assert alpha[128, 128] == pytest.approx(1.0)


def test_feather_grows_inwards_and_erode_draws_in(frame, face_at, swap):
    face = face_at()

    def alpha(**settings):
        return prepare(face, swap(frame, face), MergeSettings(mask="hull", **settings)).alpha

    hard, soft, drawn = alpha(feather=0.0), alpha(feather=0.1), alpha(feather=0.0, erode=0.05)
    assert (soft <= hard + 1e-6).all() and (drawn <= hard + 1e-6).all()
    assert ((hard > 0.01) & (hard < 0.99)).mean() < 0.03 < ((soft > 0.01) & (soft < 0.99)).mean()
    assert 0.5 * hard.sum() < drawn.sum() < 0.9 * hard.sum()
    ramp = soft[:, 128][: int(np.argmax(soft[:, 128]))]
    assert np.abs(np.diff(ramp)).max() < 0.1  # no step in a ramp of 25 px


def test_brows_eyes_and_mouth_are_the_swapped_ones(frame, face_at, swap):
    """The defaults keep what makes a face recognisable at nearly full strength."""
    face = face_at()
    item = prepare(face, swap(frame, face), MergeSettings())
    points = (item.crop.crop_from_frame @ face.landmarks) * 256 / 96
    alpha = cv2.remap(item.alpha, *points.T.astype(np.float32), cv2.INTER_LINEAR).ravel()
    assert alpha[36:60].min() > 0.97
    assert alpha[17:27].mean() > 0.6


def test_colour_transfer_takes_the_tint_away(frame, face_at, swap):
    face = face_at()
    item = swap(frame, face, change=lambda image: image * np.float32([0.6, 0.8, 1.0]) + np.float32([0, 0, 0.2]))
    inside = hull_in_frame(face_at(scale=0.6), frame.shape)
    plate = frame[inside].mean(axis=0)
    with_rct = merge_frame(frame, [face], [item], MergeSettings())[inside].mean(axis=0)
    without = merge_frame(frame, [face], [item], PLAIN)[inside].mean(axis=0)
    assert np.abs(with_rct - plate).max() < 4
    assert np.abs(without - plate).max() > 40


def test_a_wide_colour_gap_does_not_blow_up_contrast(frame, face_at, swap):
    """A grey face under colourful light stays calm: gains are bounded."""
    face = face_at()
    colourful = frame.astype(np.float32)
    colourful[..., 0] += 40 * np.sin(np.arange(640) / 15)[None]
    plate = np.clip(colourful, 0, 255).astype(np.uint8)
    rng = np.random.default_rng(1)
    greyish = swap(plate, face, change=lambda image: 0.5 + rng.normal(0, 0.004, image.shape).astype(np.float32))
    inside = hull_in_frame(face_at(scale=0.6), frame.shape)
    merged = merge_frame(plate, [face], [greyish], MergeSettings())[inside].astype(float)
    assert merged.std(axis=0).max() < 4  # unbounded, the noise would be as colourful as the plate (25)


def test_prepared_faces_give_the_same_picture(frame, face_at, swap):
    from konterfei.compositing import smooth_colors

    face, item = face_at(), swap(frame, face_at())
    ready = prepare(face, item, MergeSettings())
    ready = replace(ready, colors=smooth_colors(ready.colors, (), 0.0))
    assert (
        merge_frame(frame, [face], [ready], MergeSettings()) == merge_frame(frame, [face], [item], MergeSettings())
    ).all()


@pytest.mark.parametrize("x,y", [(0, 240), (640, 470), (320, -20)])
def test_a_face_across_the_edge_is_swapped_as_far_as_it_is_seen(frame, face_at, swap, x, y):
    face = face_at(x, y)
    merged = merge_frame(frame, [face], [swap(frame, face)], PLAIN)
    assert merged.shape == frame.shape
    changed = (merged != frame).any(axis=2)
    assert changed.any() and not changed[~hull_in_frame(face, frame.shape, margin=3)].any()


def test_a_face_outside_the_frame_changes_nothing(frame, face_at, swap):
    face = face_at(-400, 240)
    item = swap(frame, face)
    assert (merge_frame(frame, [face], [item], PLAIN) == frame).all()
    ready = prepare(face, item, PLAIN)
    assert touched(ready, frame.shape, PLAIN) is None


def test_an_empty_mask_changes_nothing(frame, face_at, swap):
    face = face_at()
    item = swap(frame, face)
    empty = replace(item, mask=np.zeros((96, 96), np.float32))
    assert (merge_frame(frame, [face], [empty], MergeSettings()) == frame).all()


def test_several_faces_and_the_larger_one_on_top(frame, face_at, swap):
    far, near = face_at(230, 240, 0.6), face_at(320, 250, 1.2)
    red = swap(frame, near, change=lambda image: image * 0 + np.float32([1, 0, 0]))
    blue = swap(frame, far, change=lambda image: image * 0 + np.float32([0, 0, 1]))
    merged = merge_frame(frame, [far, near], [blue, red], PLAIN)
    assert (merged == merge_frame(frame, [near, far], [red, blue], PLAIN)).all()
    assert tuple(merged[255, 330]) == (255, 0, 0)
    both = hull_in_frame(face_at(320, 250, 0.9), frame.shape) & hull_in_frame(face_at(230, 240, 0.4), frame.shape)
    assert both.any() and (merged[both] == (255, 0, 0)).all()
    only_far = hull_in_frame(face_at(214, 248, 0.1), frame.shape)
    assert (merged[only_far] == (0, 0, 255)).all()


def test_face_scale_grows_the_pasted_face_about_its_middle(frame, face_at, swap):
    face, item = face_at(), swap(frame, face_at(), change=lambda image: image * 0)
    areas = []
    for scale in (0.8, 1.0, 1.25):
        changed = (merge_frame(frame, [face], [item], replace(PLAIN, face_scale=scale)) != frame).any(axis=2)
        areas.append(changed.sum())
        middle = np.argwhere(changed).mean(axis=0)
    assert areas[0] / areas[1] == pytest.approx(0.64, rel=0.03)
    assert areas[2] / areas[1] == pytest.approx(1.5625, rel=0.03)
    assert np.abs(middle - [240, 320]).max() < 40


def test_sixteen_bits_keep_their_depth(frame, face_at, swap):
    face, item = face_at(), swap(frame, face_at())
    settings = MergeSettings(detail=0, grain=0)  # 8 bits' own rounding is grain
    deep = merge_frame(frame.astype(np.uint16) * 257, [face], [item], settings)
    assert np.abs(deep / 257 - merge_frame(frame, [face], [item], settings)).max() < 1.01
    assert len(np.unique(deep % 257)) > 100  # not eight bits blown up


def test_sharpen_adds_contrast_to_edges(frame, face_at, swap):
    face = face_at()
    stripes = swap(frame, face, change=lambda image: image * 0 + 0.3 + 0.4 * (np.arange(96) // 8 % 2)[None, :, None])
    inside = hull_in_frame(face_at(scale=0.5), frame.shape)
    spread = [merge_frame(frame, [face], [stripes], replace(PLAIN, sharpen=s))[inside].std() for s in (0.0, 1.0)]
    assert spread[1] > 1.1 * spread[0]


def test_faces_and_swapped_have_to_match(frame, face_at, swap):
    with pytest.raises(ValueError, match="1 faces, but 0"):
        merge_frame(frame, [face_at()], [], PLAIN)


@pytest.mark.parametrize("face_type", list(FaceType))
def test_every_face_type_can_be_merged(frame, face_at, swap, face_type):
    face = face_at(scale=0.8)
    item = swap(frame, face, face_type=face_type)
    assert isinstance(item.crop, Crop)
    assert (merge_frame(frame, [face], [item], PLAIN) != frame).any()


def test_multiband_evens_out_light_at_the_edge(frame, face_at, swap):
    """A face that is darker than its surroundings on one side only, which no transfer of colours mends."""
    face = face_at()
    shade = np.linspace(0.7, 1.3, 96, dtype=np.float32)[None, :, None]
    item = swap(frame, face, change=lambda image: image * shade)
    hull = hull_in_frame(face, frame.shape)
    ring = hull & ~cv2.erode(hull.astype(np.uint8), np.ones((13, 13))).astype(bool)
    inside = cv2.erode(hull.astype(np.uint8), np.ones((61, 61))).astype(bool)
    at_edge, within = {}, {}
    for mode in ("overlay", "multiband"):
        change = merge_frame(frame, [face], [item], MergeSettings(mode=mode)).astype(float) - frame
        at_edge[mode], within[mode] = np.abs(change[ring]).mean(), np.abs(change[inside]).mean()
    assert at_edge["multiband"] < 0.7 * at_edge["overlay"]
    assert within["multiband"] == pytest.approx(within["overlay"], rel=0.1)  # the face itself stays the swapped one


def test_layers_rebuild_the_picture(frame, face_at, swap):
    """What other programs composite from the layers is the merged frame."""
    far, near = face_at(230, 240, 0.6), face_at(320, 250, 1.2)
    items = [swap(frame, near), swap(frame, far, change=lambda image: image * 0 + np.float32([0, 0, 1]))]
    merged = merge_layers(frame, [near, far], items, PLAIN)
    assert [layer.face for layer in merged.layers] == [far, near]  # the lowest first
    rebuilt = frame.copy()
    for layer in merged.layers:
        over = layer.placed.project(layer.image, layer.region)
        rebuilt[layer.region] = alpha_blend(rebuilt[layer.region], over, layer.alpha)
    assert (rebuilt == merged.image).all() and (merged.image != frame).any()


def test_a_face_that_is_not_seen_makes_no_layer(frame, face_at, swap):
    gone = face_at(-400, 240)
    assert merge_layers(frame, [gone], [swap(frame, gone)], PLAIN).layers == ()
