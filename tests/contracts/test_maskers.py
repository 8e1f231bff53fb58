from dataclasses import fields, replace

import numpy as np
import pytest

from konterfei.geometry import HEAD_68, Crop, Face, FaceType
from konterfei.maskers import MASKERS, Masks

S = 96


@pytest.fixture
def face():
    landmarks = HEAD_68[:, :2] * 1.5 + [320, 240]
    return Face(box=[200, 130, 440, 370], landmarks=landmarks)


@pytest.fixture
def crop(face):
    return Crop.fit(face.landmarks, FaceType.WHOLE, S)


@pytest.fixture
def masks():
    """Masks that differ: disks with soft edges, each with its own middle; those of what lies in front are beside the
    middle of the crop, on the face.
    """
    y, x = np.mgrid[:S, :S] - S / 2
    shifts = {"drawn": (0, 0, 30), "plate": (9, 0, 30), "seg_drawn": (0, 9, 30), "seg_plate": (-9, -9, 30)}
    shifts |= {"hands": (-10, 10, 8), "unknown": (14, -2, 6), "labels": (3, 6, 25)}
    return Masks(
        **{k: np.clip(r - np.hypot(x - dx, y - dy), 0, 1).astype(np.float32) for k, (dx, dy, r) in shifts.items()}
    )


@pytest.fixture(params=sorted(MASKERS))
def masker(request):
    return MASKERS.load(request.param)


def test_shape_kind_and_range(masker, face, crop, masks):
    mask = masker(face, crop, masks)
    assert (mask.shape, mask.dtype) == ((S, S), np.float32)
    assert 0 <= mask.min() <= mask.max() <= 1
    assert mask[S // 2, S // 2] == 1


def test_pure(masker, face, crop, masks):
    before = {field.name: getattr(masks, field.name).copy() for field in fields(masks)}
    first = masker(face, crop, masks)
    first[:] = 0
    assert masker(face, crop, masks).max() == 1
    assert all(np.array_equal(getattr(masks, name), value) for name, value in before.items())


def test_follows_the_face_not_the_frame(masker, face, crop, masks):
    """The same face elsewhere in the frame has the same mask."""
    moved = face.with_(landmarks=face.landmarks + np.float32([100, -60]))
    there = masker(moved, Crop.fit(moved.landmarks, FaceType.WHOLE, S), masks)
    assert np.abs(there - masker(face, crop, masks)).max() < 0.1


@pytest.mark.parametrize("kind", [field.name for field in fields(Masks)])
def test_needs_what_it_says_and_nothing_else(masker, face, crop, masks, kind):
    without = replace(masks, **{kind: None})
    if kind in masker.needs:
        with pytest.raises(ValueError, match=f"needs the mask '{kind}'"):
            masker(face, crop, without)
        emptied = masker(face, crop, replace(masks, **{kind: np.zeros((S, S), np.float32)}))
        assert not np.array_equal(emptied, masker(face, crop, masks))  # and it counts
    else:
        assert np.array_equal(masker(face, crop, without), masker(face, crop, masks))
    assert masker.needs_segmenter == any(name.startswith("seg_") for name in masker.needs)


def test_hull_stays_on_the_face(face, crop):
    mask = MASKERS.load("hull")(face, crop, Masks())
    assert mask[[0, -1]].max() == 0 and mask[:, [0, -1]].max() == 0
    inside = np.rint(crop.crop_from_frame @ face.landmarks[[30, 33, 39, 42, 62]]).astype(int)
    assert (mask[inside[:, 1], inside[:, 0]] == 1).all()


def test_the_mask_modes_of_deepfacelab_are_what_their_names_say(face, crop, masks):
    """dfl-spec 8.3, mask modes 0 to 9, in order."""
    prd, dst, seg_prd, seg_dst = masks.drawn, masks.plate, masks.seg_drawn, masks.seg_plate
    hull = MASKERS.load("hull")(face, crop, masks)
    expected = {
        "full": np.ones((S, S)),
        "labels": masks.labels,
        "hull": hull,
        "learned_drawn": prd,
        "learned_plate": dst,
        "learned": prd * dst,
        "learned_sum": np.clip(prd + dst, 0, 1),
        "xseg_drawn": seg_prd,
        "xseg_plate": seg_dst,
        "xseg": seg_prd * seg_dst,
        "learned_xseg": prd * dst * seg_prd * seg_dst,
        "learned_hull": prd * dst * hull,
        "visible": prd * dst * hull * (1 - masks.hands),
        "visible_known": prd * dst * hull * (1 - masks.hands) * (1 - masks.unknown),
    }
    assert set(expected) == set(MASKERS)
    for name, mask in expected.items():
        assert MASKERS.load(name)(face, crop, masks) == pytest.approx(mask, abs=1e-6), name
