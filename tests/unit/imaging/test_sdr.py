"""HDR pictures as networks know pictures: there, back, and what is left alone."""

import numpy as np
import pytest

from konterfei.imaging import sdr_look
from konterfei.imaging.transfer import TRANSFERS

PQ, HLG, WIDE, NARROW = 16, 18, 9, 1


def patches():
    """Ordinary colours of faces and things, some of them bright. [6, 6, 3] float32"""
    return np.random.RandomState(1).uniform(0.02, 0.999, (6, 6, 3)).astype(np.float32)


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("primaries", [WIDE, NARROW])
def test_there_and_back_is_the_identity(transfer, primaries):
    look = sdr_look(transfer, primaries)
    assert np.abs(look.show(look.back(patches())) - patches()).max() < 2e-3
    deep = np.rint(look.back(patches()) * 65535).astype(np.uint16)
    assert np.abs(look.show(deep) - patches()).max() < 4e-3


def test_reference_white_is_white_and_grey_stays_grey():
    look = sdr_look(PQ, WIDE)
    white = TRANSFERS["pq"].encode(np.full((1, 1, 3), 2.03, np.float32))  # 203 cd/m2
    assert 0.95 < look.show(white)[0, 0, 1] < 1.0  # rolled off a little, so that there is room above
    bright = TRANSFERS["pq"].encode(np.full((1, 1, 3), 8.0, np.float32))
    assert look.show(white).max() < look.show(bright).max() <= 1.0
    grey = look.back(np.full((1, 1, 3), 0.5, np.float32))
    assert np.ptp(grey) < 1e-3
    # 50 % of BT.1886 is 0.5 ** 2.4 of white
    assert TRANSFERS["pq"].decode(grey)[0, 0, 0] == pytest.approx(2.03 * 0.5**2.4, rel=1e-3)


def test_ordinary_plates_are_left_alone():
    assert sdr_look(1, 1) is None and sdr_look(2, 2) is None and sdr_look(13, 1) is None
