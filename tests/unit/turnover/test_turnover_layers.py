"""The layers give the merged frame back: laid over the plate, blended anew, and from the crop through its map."""

from dataclasses import replace

import numpy as np
import pytest
from turnover_material import (
    HEIGHT,
    WIDTH,
    built_up,
    drawn_by_model,
    face_at,
    from_map,
    merged_frame,
    over,
    plate_of,
    rgb,
)

from konterfei.imaging import to_float
from konterfei.imaging.transfer import TRANSFERS
from konterfei.io.exr import read_exr, write_exr
from konterfei.merge_modes import MERGE_MODES
from konterfei.turnover import crop_exr, face_names, frame_exr

BT709 = TRANSFERS["bt709"]


def through_a_file(exr, folder):
    write_exr(folder / "a.exr", exr)
    return read_exr(folder / "a.exr")


@pytest.mark.parametrize("mode", ["overlay", "multiband"])
@pytest.mark.parametrize("label", ["corner", "caption", "none"])
@pytest.mark.parametrize("name", ["bt709", "srgb", "pq", "hlg"])
def test_the_change_over_the_plate_is_the_merged_frame_to_the_bit(tmp_path, name, label, mode):
    transfer = TRANSFERS[name]
    plate, merged, bare, layers = merged_frame(mode=mode, label=label)
    read = through_a_file(frame_exr(plate, merged, layers, transfer, label, bare=bare), tmp_path)
    rebuilt = np.rint(over(read, plate, transfer) * 255)
    assert (rebuilt == merged).all() and (merged != plate).any()


def test_sixteen_bits_come_back_within_a_half_floats_rounding():
    plate, merged, _, layers = merged_frame(kind=np.uint16, mode="multiband")
    rebuilt = over(frame_exr(plate, merged, layers, BT709, "corner"), plate, BT709)
    away = np.abs(rebuilt - merged / 65535)
    assert away.max() < 2**-11 and away.mean() < 2**-14


def test_two_faces_that_overlap_are_exact_too():
    plate, merged, _, layers = merged_frame([face_at(140), face_at(190, scale=0.5, track=3)])
    exr = frame_exr(plate, merged, layers, BT709, "corner")
    assert {name.split("_")[0] for name in exr.channels if name.startswith("face")} == {"face0", "face3"}
    assert (np.rint(over(exr, plate, BT709) * 255) == merged).all()


def test_the_rectangle_is_that_of_the_change():
    plate, merged, _, layers = merged_frame(label="none")
    exr = frame_exr(plate, merged, layers, BT709)
    assert (exr.width, exr.height) == (WIDTH, HEIGHT)
    height, width = exr.channels["A"].shape
    changed = np.argwhere((merged != plate).any(axis=2))
    assert exr.top <= changed.min(axis=0)[0] and exr.left <= changed.min(axis=0)[1]
    assert exr.top + height > changed.max(axis=0)[0] and exr.left + width > changed.max(axis=0)[1]
    assert height * width < 0.5 * WIDTH * HEIGHT
    outside = exr.over_picture("A") == 0
    assert (rgb(exr)[outside] == 0).all() and outside[0, 0]


def test_what_changed_without_a_face_is_in_it_too():
    plate = plate_of()
    bare = np.where(np.arange(WIDTH)[None, :, None] > 100, plate // 2, plate)
    exr = frame_exr(plate, bare, [], BT709)
    assert (np.rint(over(exr, plate, BT709) * 255) == bare).all()
    assert (np.rint(built_up(exr, plate, BT709, ()) * 255) == bare).all()


def test_a_frame_without_a_change_is_one_empty_pixel():
    plate = plate_of()
    exr = frame_exr(plate, plate, [], BT709)
    assert exr.channels["A"].shape == (1, 1) and all(values.max() == 0 for values in exr.channels.values())


@pytest.mark.parametrize("mode", ["overlay", "multiband"])
@pytest.mark.parametrize("name", ["bt709", "pq"])
@pytest.mark.parametrize("size", [64, 256])  # the larger shrinks on its way into the frame
@pytest.mark.parametrize("face_scale", [1.0, 1.1])
def test_faces_through_masks_and_the_rest_are_the_merged_frame(size, face_scale, name, mode):
    matched = {} if mode == "multiband" else {"detail": 0.0, "grain": 0.0}  # what matches the plate is in "rest"
    plate, merged, bare, layers = merged_frame(size=size, face_scale=face_scale, mode=mode, **matched)
    exr = frame_exr(plate, merged, layers, TRANSFERS[name], "corner", bare=bare)
    rebuilt = np.rint(built_up(exr, plate, TRANSFERS[name]) * 255)
    assert (rebuilt == bare).all() and (bare != merged).any()
    if mode == "overlay":  # mixed on the plate's values, nothing else is needed
        mask = exr.over_picture("face0_mask.A")[..., None]
        values = TRANSFERS[name].encode(rgb(exr, "face0_swap"))
        away = np.abs(np.rint(255 * (to_float(plate) + (values - to_float(plate)) * mask)) - bare)
        assert away.max() <= 1 and (away > 0).mean() < 5e-3


@pytest.mark.parametrize("mode", [name for name in MERGE_MODES if name != "raw-predict"])
def test_whatever_the_mode_both_ways_give_the_frame_back(mode):
    plate, merged, bare, layers = merged_frame(mode=mode, sharpen=0.5, plate_denoise=5.0)
    exr = frame_exr(plate, merged, layers, BT709, "corner", bare=bare)
    assert (np.rint(over(exr, plate, BT709) * 255) == merged).all()
    assert (np.rint(built_up(exr, plate, BT709, face_names(layers)) * 255) == bare).all()


def test_of_faces_that_overlap_the_rest_is_exact_too():
    plate, merged, bare, layers = merged_frame([face_at(140), face_at(190, scale=0.5, track=3)])
    exr = frame_exr(plate, merged, layers, BT709, "corner", bare=bare)
    assert (np.rint(built_up(exr, plate, BT709, face_names(layers)) * 255) == bare).all()


def _within(exr, values):
    height, width = exr.channels["A"].shape
    return values[exr.top : exr.top + height, exr.left : exr.left + width]


@pytest.mark.parametrize("size", [64, 96, 128])
@pytest.mark.parametrize("face_scale", [0.9, 1.0])
def test_the_crop_through_its_map_lies_in_the_frame_as_the_merge_laid_it(size, face_scale):
    plate, merged, bare, layers = merged_frame(label="none", size=size, face_scale=face_scale)
    frame, crop = frame_exr(plate, merged, layers, BT709), crop_exr(layers[0], (WIDTH, HEIGHT), BT709)
    mask = frame.over_picture("face0_mask.A")
    u, v = frame.over_picture("face0_st.R"), frame.over_picture("face0_st.G")
    values = from_map(BT709.encode(rgb(crop)), u, v)  # the merge interpolates values, not light
    laid = BT709.encode(rgb(frame, "face0_swap"))
    inside = mask > 0
    assert np.abs(values - laid)[inside].max() < 0.02 and np.abs(values - laid)[inside].mean() < 0.0015
    painted = {f"face0_swap.{letter}": _within(frame, BT709.decode(values)[..., n]) for n, letter in enumerate("RGB")}
    frame = replace(frame, channels={**frame.channels, **painted})
    away = np.abs(np.rint(built_up(frame, plate, BT709) * 255) - bare)
    assert away.max() <= 2 and away[inside].mean() < 0.1
    shifted = from_map(BT709.encode(rgb(crop)), u + 0.5 / size, v)  # half a pixel off is seen: the test can fail
    assert np.abs(shifted - laid)[inside].mean() > 5 * np.abs(values - laid)[inside].mean()


def test_the_frame_through_the_crops_map_is_what_the_model_was_shown():
    plate, _, _, layers = merged_frame(label="none", size=96)
    crop = crop_exr(layers[0], (WIDTH, HEIGHT), BT709)
    shown = from_map(to_float(plate), crop.channels["st.R"], crop.channels["st.G"])
    assert np.abs(shown - to_float(layers[0].swapped.aligned))[2:-2, 2:-2].mean() < 0.004


def test_the_crop_holds_the_face_as_pasted_and_as_drawn():
    plate, _, _, layers = merged_frame(color="rct")
    crop = crop_exr(layers[0], (WIDTH, HEIGHT), BT709)
    assert np.abs(BT709.encode(rgb(crop)) - layers[0].image).max() < 1e-3
    assert np.abs(BT709.encode(rgb(crop, "drawn")) - drawn_by_model(plate, face_at()).image).max() < 1e-3
    assert np.abs(rgb(crop) - rgb(crop, "drawn")).max() > 0.02
    assert crop.channels["R"].dtype == np.float16 and crop.channels["st.R"].dtype == np.float32


def test_the_label_layer_puts_the_label_back():
    """Over a rebuilt frame without a label, it looks as the merge's own does."""
    plate, merged, bare, layers = merged_frame(label="corner")
    exr = frame_exr(plate, merged, layers, BT709, "corner", bare=bare)
    rest = 1 - exr.over_picture("label.A").astype(np.float64)[..., None]
    labelled = BT709.encode(rgb(exr, "label") + rest * BT709.light(bare))
    away = np.abs(labelled - merged / 255)[rest[..., 0] < 1]
    assert away.max() < 0.12 and away.mean() < 0.015  # the soft edges of letters are brighter or darker by a little
    assert not any(name.startswith("label") for name in frame_exr(plate, bare, layers, BT709, "none").channels)


def test_names_follow_tracks():
    def names(*tracks):
        faces = [face_at(100 + 20 * place, scale=0.3, track=track) for place, track in enumerate(tracks)]
        layers = merged_frame(faces)[3]
        return {layer.face.track: name for layer, name in zip(layers, face_names(layers), strict=True)}, face_names(
            layers
        )

    assert names(2, 0)[0] == {2: "face2", 0: "face0"}
    assert sorted(names(1, 1)[1]) == ["face0", "face1"]
    assert sorted(names(None, None, 0)[1]) == ["face0", "face1", "face2"] and names(None, 0)[0][0] == "face0"
    assert face_names([]) == []
