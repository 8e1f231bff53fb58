import cv2
import numpy as np
import pytest

from konterfei.imaging import lab_to_rgb, resize, rgb_to_lab, to_float, to_kind, to_uint8


def test_every_8_bit_value_survives_the_round_trip():
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(to_uint8(to_float(values)), values)
    assert np.array_equal(to_uint8(to_kind(values, np.uint16)), values)


def test_every_16_bit_value_survives_the_round_trip():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    assert np.array_equal(to_kind(to_float(values), np.uint16), values)


def test_conversion_rounds_and_cuts_off():
    assert to_uint8(np.array([[-0.5, 0.0, 0.499 / 255, 0.501 / 255, 1.0, 7.0]], np.float32)).tolist() == [
        [0, 0, 0, 1, 255, 255]
    ]


def test_other_kinds_are_refused():
    with pytest.raises(ValueError, match="int32"):
        to_float(np.zeros((2, 2), np.int32))


@pytest.mark.parametrize(
    ("rgb", "lab"),
    # CIE Lab (D65) of the sRGB primaries, from the standard's matrices (Lindbloom's calculator gives the same)
    [
        ((1, 1, 1), (100, 0, 0)),
        ((1, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 1, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 1), (32.30, 79.19, -107.86)),
    ],
)
def test_lab_of_the_primaries(rgb, lab):
    assert rgb_to_lab(np.array([[rgb]], np.float32))[0, 0] == pytest.approx(lab, abs=0.2)


def test_lab_round_trip():
    image = np.random.default_rng(0).random((20, 20, 3)).astype(np.float32)
    assert np.allclose(lab_to_rgb(rgb_to_lab(image)), image, atol=3e-3)


def test_resize_keeps_kind_range_and_trailing_axis():
    image = np.random.default_rng(0).random((40, 60, 1)).astype(np.float32).round()
    for width, height in [(30, 20), (120, 80), (60, 40)]:
        resized = resize(image, width, height)
        assert resized.shape == (height, width, 1)
        assert 0 <= resized.min() <= resized.max() <= 1
    assert np.array_equal(resize(image, 30, 20)[..., 0], cv2.resize(image, (30, 20), interpolation=cv2.INTER_AREA))
