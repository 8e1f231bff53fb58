from dataclasses import replace

import cv2
import numpy as np
import pytest

from konterfei.compositing import MergeSettings, Swapped, cut_face, enlarge, merge_frame
from konterfei.compositing.enlarging import averaged
from konterfei.enhancers import ENHANCERS
from konterfei.geometry import Crop, FaceType, Similarity

PLAIN = MergeSettings(color="none", mode="overlay", mask="full", feather=0.0, detail=0.0, grain=0.0)


class Cubic:
    """An enhancer whose answer is known: smooth interpolation."""

    factor = 4

    def enhance(self, image):
        side = 4 * image.shape[0]
        return np.clip(cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC), 0, 1)


class Red(Cubic):
    def enhance(self, image):
        return np.zeros_like(super().enhance(image)) + np.float32([1, 0, 0])


def crop_of(side_in_frame, size=96):
    return Crop(FaceType.WHOLE, size, Similarity.of(size / side_in_frame, 0.2, (-10.0, -5.0)))


@pytest.mark.parametrize(
    ("side", "times"), [(50, 7), (96, 4), (97, 3), (128, 3), (129, 2), (191, 2), (193, 1), (384, 1), (900, 1)]
)
def test_no_larger_than_the_frame_needs(side, times):
    assert averaged(crop_of(side), 4) == times
    left = 384 // times
    assert times >= 4 or left >= min(side, 384)  # as fine as the frame, or as fine as there is
    assert times == 1 or left <= 2 * side


def test_a_face_no_larger_than_the_model_draws_stays_as_it_is(frame, face_at, swap):
    small = swap(frame, face_at(scale=0.2), size=96)
    assert enlarge(frame, small, Red(), 1.0) is small
    large = swap(frame, face_at(), size=96)
    assert enlarge(frame, large, Red(), 0.0) is large
    assert enlarge(frame, large, ENHANCERS.load("none")(), 1.0) is large


@pytest.mark.parametrize("size", [64, 96, 128])
@pytest.mark.parametrize("scale", [0.7, 1.0, 1.6])
def test_everything_stays_in_its_place(face_at, size, scale):
    """A ramp that the model gives back as it was: enlarged, it lies where it lay, to a part of a pixel."""
    y, x = np.mgrid[:480, :640]
    ramp = np.stack([x / 4 + 20, y / 3 + 20, (x + y) / 8 + 30], axis=2)
    plate = np.rint(ramp).astype(np.uint8)
    face = face_at(scale=scale)
    crop = Crop.fit(face.landmarks, FaceType.WHOLE, size)
    exact = crop.cut(ramp.astype(np.float32) / 255)
    item = Swapped(crop=crop, aligned=crop.cut(plate), image=exact, mask=np.ones((size, size), np.float32))
    large = enlarge(plate, item, Cubic(), 1.0)
    assert large.crop.size > size and large.drawn_size == size
    assert large.image.shape == (large.crop.size,) * 2 + (3,) == large.aligned.shape
    assert large.mask.shape == large.image.shape[:2]
    merged = merge_frame(plate, [face], [large], PLAIN)
    assert np.abs(merged.astype(int) - ramp).max() < 1.1  # rounding alone is 0.5 + 0.5


def test_strength_mixes(frame, face_at, swap):
    item = swap(frame, face_at())
    none, half, whole = (enlarge(frame, item, Red(), s) for s in (1e-6, 0.5, 1.0))
    assert whole.image[100, 100] == pytest.approx([1, 0, 0], abs=1e-6)
    assert half.image == pytest.approx(0.5 * none.image + 0.5 * whole.image, abs=1e-3)


def test_masks_and_the_plate_come_along(frame, face_at, swap):
    item = swap(frame, face_at())
    item = replace(item, plate_mask=1 - item.mask)
    large = enlarge(frame, item, Cubic(), 1.0)
    assert large.mask + large.plate_mask == pytest.approx(np.ones_like(large.mask), abs=1e-5)
    again, aligned = cut_face(frame, face_at(), FaceType.WHOLE, large.crop.size)
    assert np.allclose(again.crop_from_frame.matrix, large.crop.crop_from_frame.matrix, atol=1e-3)
    assert np.abs(aligned.astype(int) - large.aligned).max() <= 1
