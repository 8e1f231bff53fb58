"""Where light comes from, read off a drawn face."""

import numpy as np
import pytest

from konterfei.curation.light import light
from konterfei.geometry import Crop, FaceType
from posed_faces import SIZE, Posed, landmarks, picture


def lit(**told):
    points = landmarks()
    crop = Crop.fit(points, FaceType.WHOLE, SIZE)
    return light(crop.cut(picture(points, Posed(**told))), crop.crop_from_frame @ points)


@pytest.mark.parametrize("side", [-0.4, 0.0, 0.2])
def test_light_from_the_side_is_measured_as_it_was_drawn(side):
    assert lit(light=side)[1] == pytest.approx(side, abs=0.05)


def test_brightness_and_warmth_follow_the_skin():
    pale, blue = lit(skin=(200, 200, 200)), lit(skin=(100, 100, 200))
    assert pale[0] > blue[0] and pale[4] == pytest.approx(0, abs=0.02) and blue[4] == pytest.approx(-1, abs=0.03)
    assert lit(light=0.4)[3] > lit()[3] + 0.05


def test_a_face_outside_of_its_crop_tells_nothing():
    image = np.full((SIZE, SIZE, 3), 100, np.uint8)
    assert np.isnan(light(image, landmarks() + 5000)).all()
