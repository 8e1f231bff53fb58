"""Each control of the merge does what it says, and nothing where no mask is."""

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest

from konterfei.color_transfers import COLOR_TRANSFERS
from konterfei.compositing import (
    MergeSettings,
    Swapped,
    merge_frame,
    merge_layers,
    motion_of,
    prepare,
    segment,
    untouched,
)
from konterfei.errors import ConfigError
from konterfei.geometry import smooth_hull_mask
from konterfei.maskers import MASKERS
from konterfei.merge_modes import MERGE_MODES
from konterfei.occluders import OCCLUDERS

PLAIN = MergeSettings(color="none", mode="overlay")
SIZE = 96


def inside(face_at, shape, scale=0.6):
    return smooth_hull_mask(face_at(scale=scale).landmarks, shape[:2]) > 0


@pytest.fixture
def grainy(frame):
    """The plate, with grain."""
    noise = np.random.default_rng(5).normal(0, 12, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def textured(face_at, swap):
    """textured(frame): a drawn face with fine stripes up and down, whose masks are known apart, in motion."""

    def make(frame):
        stripes = 0.5 + 0.2 * (np.arange(SIZE) % 4 < 2)[None, :, None] + np.zeros((SIZE, SIZE, 3))
        item = swap(frame, face_at(), change=lambda image: stripes.astype(np.float32))
        y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
        small = (np.hypot(x, y) < 0.3).astype(np.float32)
        left, right = (x < 0.1).astype(np.float32), (x > -0.1).astype(np.float32)
        return replace(item, plate_mask=small, seg_mask=left, seg_plate_mask=right, motion=(12.0, 0.0))

    return make


CHANGES = {
    "mode": "seamless",
    "mask": "learned",
    "color": "mkl",
    "erode": 0.05,
    "feather": 0.2,
    "face_scale": 1.2,
    "sharpen": 1.0,
    "motion_blur": 1.0,
    "plate_denoise": 5.0,
    "plate_resolution": 0.2,
    "palette": 1.0,
    "dfl_exact": "defaults",
}
MORE = {
    "sharpen_mode": ("box", {"sharpen": 1.0}),
    "match_upto": (0.5, {"mode": "hist-match"}),
    "match_masked": (False, {"mode": "hist-match"}),
}
OVER_TIME = {"color_smoothing"}


@pytest.mark.parametrize("name", sorted({*CHANGES, *MORE}))
def test_every_control_changes_the_picture(name, grainy, face_at, textured):
    value, others = MORE.get(name) or (CHANGES[name], {})
    before = MergeSettings(**others)
    pictures = [
        merge_frame(grainy, [face_at()], [textured(grainy)], s) for s in (before, replace(before, **{name: value}))
    ]
    assert (pictures[0] != pictures[1]).any()


def test_no_control_of_one_frame_goes_untested():
    own = {f.name for f in fields(MergeSettings)} - OVER_TIME
    assert {*CHANGES, *MORE} >= own & set(MODES_AND_FILTERS)


MODES_AND_FILTERS = (
    "mode", "mask", "color", "erode", "feather", "face_scale", "sharpen", "sharpen_mode", "motion_blur", "match_upto",
    "match_masked", "plate_denoise", "plate_resolution", "palette", "dfl_exact",
)  # fmt: skip


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("mode", sorted(set(MERGE_MODES) - {"raw-predict"}))
@pytest.mark.parametrize("x,y", [(320, 240), (0, 240), (640, 470)])
def test_pixels_that_no_mask_covers_are_bit_identical_whatever_is_asked(grainy, face_at, textured, kind, mode, x, y):
    plate = grainy if kind == np.uint8 else grainy.astype(np.uint16) * 257 + 3
    settings = MergeSettings(
        mode=mode, mask="hull", face_scale=1.1, sharpen=2.0, motion_blur=1.5, plate_denoise=3.5, plate_resolution=0.3,
        palette=0.7, feather=0.1,
    )  # fmt: skip
    face = face_at(x, y)
    crop, item = None, textured(grainy)
    from konterfei.compositing import cut_face

    crop, aligned = cut_face(plate, face, item.crop.face_type, SIZE)
    item = replace(item, crop=crop, aligned=aligned)
    merged = merge_layers(plate, [face], [item], settings)
    assert merged.image.dtype == kind and merged.image.shape == plate.shape
    allowed = np.zeros(plate.shape[:2], bool)
    (layer,) = merged.layers
    if MERGE_MODES.load(mode).cover == "mask":
        allowed[layer.region] = layer.alpha > 0
    elif MERGE_MODES.load(mode).cover == "crop":
        allowed[layer.region] = True
    changed = (merged.image != plate).any(axis=2)
    assert not changed[~allowed].any()
    assert changed.any() == (mode != "original")


@pytest.mark.parametrize("mode", sorted(MERGE_MODES))
@pytest.mark.parametrize("color", sorted(COLOR_TRANSFERS))
def test_black_white_and_grey_faces_give_numbers(frame, face_at, swap, mode, color):
    for value in (0.0, 0.5, 1.0):
        item = swap(frame, face_at(), size=64, change=lambda image, value=value: image * 0 + value)
        with np.errstate(all="raise"):
            merged = merge_layers(frame, [face_at()], [item], MergeSettings(mode=mode, color=color))
        assert all(np.isfinite(layer.image).all() and np.isfinite(layer.alpha).all() for layer in merged.layers)


def test_each_masker_masks_in_the_picture(frame, face_at, textured):
    """What is changed is where the mask is, in the frame."""
    face, item = face_at(), textured(frame)
    fronts = {name: np.zeros((256, 256), np.float32) for name in OCCLUDERS}
    fronts["hands"][140:170, 100:140] = fronts["unknown"][100:120, 120:140] = 1
    item = replace(item, fronts=fronts)
    areas = {}
    for name in MASKERS:
        settings = replace(PLAIN, mask=name, feather=0.0)
        layer = merge_layers(frame, [face], [item], settings).layers[0]
        areas[name] = float(layer.alpha.sum())
    assert areas["full"] > areas["learned_drawn"] > areas["learned_plate"] > areas["xseg"] > 0
    assert areas["learned_sum"] == pytest.approx(areas["learned_drawn"], rel=0.01)  # the one holds the other
    assert areas["learned"] == pytest.approx(areas["learned_plate"], rel=0.01)
    assert areas["learned_hull"] > areas["visible"] > areas["visible_known"] > 0
    assert areas["learned_xseg"] < min(areas["xseg_drawn"], areas["xseg_plate"], areas["learned"])


def test_a_mask_without_its_segmenter_says_what_to_do(frame, face_at, swap):
    with pytest.raises(ConfigError, match="--segmenter"):
        merge_frame(frame, [face_at()], [swap(frame, face_at())], MergeSettings(mask="xseg"))


def test_a_segmenter_sees_both_faces_at_its_own_size(frame, face_at, swap):
    seen = []

    def segmenter(image):
        seen.append(image)
        return np.full(image.shape[:2], 0.25 * len(seen), np.float32)

    item = segment(frame, swap(frame, face_at(), change=lambda image: image * 0), segmenter)
    drawn, plate = seen
    assert drawn.shape == plate.shape == (256, 256, 3) and drawn.dtype == plate.dtype == np.float32
    assert drawn.max() == 0 and plate.mean() > 0.3
    assert (item.seg_mask.mean(), item.seg_plate_mask.mean()) == (0.25, 0.5)


@pytest.fixture
def speckled(swap, face_at):
    """speckled(frame): a drawn face of noise."""
    noise = np.random.default_rng(7).random((SIZE, SIZE, 3)).astype(np.float32)
    return lambda frame: swap(frame, face_at(), change=lambda image: 0.3 + 0.4 * noise)


def test_negative_sharpen_blurs(frame, face_at, speckled):
    face, item = face_at(), speckled(frame)
    area = inside(face_at, frame.shape)
    spread = {s: merge_frame(frame, [face], [item], replace(PLAIN, sharpen=s))[area].std() for s in (-2.0, 0.0, 1.0)}
    assert spread[-2.0] < 0.7 * spread[0.0] < 0.7 * spread[1.0]


def test_motion_blur_blurs_along_the_motion_only(frame, face_at, textured):
    """Stripes that stand upright stay when the face moves up and down, and melt when it moves sideways."""
    face, item = face_at(roll=0.0), textured(frame)
    from konterfei.compositing import cut_face

    crop, aligned = cut_face(frame, face, item.crop.face_type, SIZE)
    item = replace(item, crop=crop, aligned=aligned)
    area, settings = inside(face_at, frame.shape, 0.5), replace(PLAIN, motion_blur=1.0)

    def spread(motion):
        return merge_frame(frame, [face], [replace(item, motion=motion)], settings)[area].std()

    still, sideways, upwards, unknown = spread((0.0, 0.0)), spread((14.0, 0.0)), spread((0.0, 14.0)), spread(None)
    assert sideways < 0.4 * still
    assert upwards == pytest.approx(still, rel=0.05) and unknown == still


def test_motion_is_half_of_the_way_between_the_neighbours(face_at):
    here, before, after = face_at(300, 200), face_at(290, 204), face_at(316, 200)
    assert motion_of(here, before, after) == pytest.approx((13, -2), abs=1e-2)
    assert motion_of(here, None, after) == pytest.approx((8, 0), abs=1e-2)
    assert motion_of(here, None, None) == pytest.approx((0, 0), abs=1e-6)


@pytest.mark.parametrize("worse", [{"plate_denoise": 10.0}, {"plate_resolution": 0.15}])
def test_the_plate_under_the_soft_edge_gets_worse(grainy, face_at, textured, worse):
    face, item = face_at(), textured(grainy)
    settings = replace(PLAIN, mask="hull", feather=0.3)
    layer = merge_layers(grainy, [face], [item], settings).layers[0]
    soft = (layer.alpha > 0.1) & (layer.alpha < 0.4)
    plain, changed = (
        merge_frame(grainy, [face], [item], s)[layer.region].astype(np.float32)
        for s in (settings, replace(settings, **worse))
    )
    grain = [np.abs(cv2.Laplacian(image, cv2.CV_32F))[soft].mean() for image in (plain, changed)]
    assert grain[1] < 0.8 * grain[0]


def test_a_palette_leaves_few_colours(grainy, face_at, speckled):
    face, item = face_at(), speckled(grainy)
    area = inside(face_at, grainy.shape, 0.5)
    colors = [
        len(np.unique(merge_frame(grainy, [face], [item], replace(PLAIN, palette=p))[area], axis=0)) for p in (0.0, 1.0)
    ]
    assert colors[1] <= 256 < colors[0]


def test_seamless_takes_the_plates_light(frame, face_at, swap):
    """A face that is too dark everywhere: cloned, its edge has the plate's light."""
    face, item = face_at(), swap(frame, face_at(), change=lambda image: image * 0.6)
    ring = inside(face_at, frame.shape, 0.95) & ~inside(face_at, frame.shape, 0.8)
    gap = {
        mode: np.abs(merge_frame(frame, [face], [item], replace(PLAIN, mode=mode)).astype(float) - frame)[ring].mean()
        for mode in ("overlay", "seamless")
    }
    assert gap["seamless"] < 0.3 * gap["overlay"]


def test_modes_with_hist_match_take_the_plates_histogram(frame, face_at, swap):
    face, item = face_at(), swap(frame, face_at(), change=lambda image: image**2)
    area = inside(face_at, frame.shape, 0.7)
    for mode in ("hist-match", "seamless-hist-match"):
        merged = merge_frame(frame, [face], [item], replace(PLAIN, mode=mode, match_upto=1.0))
        assert merged[area].mean(axis=0) == pytest.approx(frame[area].mean(axis=0), abs=6)


def test_raw_rgb_is_the_drawn_square_and_its_layer_has_the_mask(frame, face_at, textured):
    face, item = face_at(), textured(frame)
    settings = MergeSettings(mode="raw-rgb", sharpen=2.0, feather=0.2, erode=0.1)
    (layer,) = merge_layers(frame, [face], [item], settings).layers
    assert np.array_equal(layer.image, item.image)  # colours and filters are left out
    hard = prepare(face, item, MergeSettings(feather=0.0)).alpha
    assert np.array_equal(prepare(face, item, settings).alpha, hard)  # and so are erosion and feather
    merged = merge_frame(frame, [face], [item], settings)
    changed = (merged != frame).any(axis=2)
    square = np.zeros(frame.shape[:2], np.uint8)
    cv2.fillConvexPoly(square, np.rint(item.crop.corners()).astype(np.int32), 1)
    assert changed.sum() > 0.85 * square.sum() and not changed[cv2.dilate(square, np.ones((3, 3))) == 0].any()
    even = replace(item, image=np.full_like(item.image, 0.9))
    lit = merge_frame(frame, [face], [even], settings)
    assert (lit.min(axis=(0, 1)) >= frame.min(axis=(0, 1))).all()  # no dark rim


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_raw_predict_is_the_drawn_picture_itself(frame, face_at, textured, kind):
    plate = frame if kind == np.uint8 else frame.astype(np.uint16) * 257
    item, settings = textured(frame), MergeSettings(mode="raw-predict")
    merged = merge_frame(plate, [face_at()], [item], settings)
    assert (merged.shape, merged.dtype) == ((SIZE, SIZE, 3), kind)
    assert merged / np.iinfo(kind).max == pytest.approx(item.image, abs=0.003)
    assert untouched(plate, settings, SIZE).shape == (SIZE, SIZE, 3) and untouched(plate, PLAIN, SIZE) is plate
    with pytest.raises(ConfigError, match="2 faces in one frame"):
        merge_frame(plate, [face_at(), face_at(100)], [item, item], settings)


def test_original_is_the_plate_with_a_mask_beside_it(frame, face_at, textured):
    merged = merge_layers(frame, [face_at()], [textured(frame)], MergeSettings(mode="original"))
    assert np.array_equal(merged.image, frame) and merged.layers[0].alpha.max() == 1


def test_settings_for_whole_frames_are_not_for_one_face(frame, face_at, textured):
    item: Swapped = replace(textured(frame), settings=MergeSettings(dfl_exact="defaults"))
    with pytest.raises(ConfigError, match="whole frames"):
        merge_frame(frame, [face_at()], [item], MergeSettings())


def test_a_larger_face_is_lit_by_the_plate_around_it(frame, face_at, swap):
    """With a face scale the plate under the face is another part of the frame than the model was shown."""
    plate = frame.copy()
    plate[:, :250] = plate[:, :250] // 3  # darkness that only the larger face reaches
    face, item = face_at(), swap(plate, face_at())
    narrow, wide = (
        merge_layers(plate, [face], [item], replace(PLAIN, mode="seamless", mask="full", feather=0.1, face_scale=s))
        for s in (1.0, 1.5)
    )
    assert narrow.layers[0].image.mean() - wide.layers[0].image.mean() > 0.01
