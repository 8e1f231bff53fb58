"""Plates of a picture that has surroundings, and of eyes that are not seen."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("openpeople")

from konterfei.performers import anatomy
from konterfei.performers.cast import Pictures
from konterfei.performers.eyes import HiddenEyeError, make_eyeball
from konterfei.performers.measuring import measured
from konterfei.performers.plates import make_plates

SIDE = 96


@pytest.fixture(scope="module")
def source():
    """A performer before a chequered wall."""
    found = measured("P002")
    portrait = found.pictures.portrait.copy()
    squares = (np.indices(portrait.shape[:2]) // 128).sum(axis=0) % 2
    wall = (np.abs(portrait.astype(int) - portrait[8, 8]).max(axis=2) < 24)[..., None]
    portrait = np.where(wall, np.where(squares[..., None] > 0, [250, 40, 40], [40, 40, 250]), portrait).astype(np.uint8)
    return replace(found, pictures=Pictures(portrait=portrait, expressions=found.pictures.expressions))


def test_surroundings_stay_where_nobody_is_cut_out(source):
    plates = make_plates(source, "shocked", SIDE, is_cut_out=False)
    assert plates.alpha.min() == 1.0
    corner = plates.colour[4:12, 4:12].mean(axis=(0, 1))
    assert corner.max() - corner.min() > 0.5  # the wall's red or blue


@pytest.mark.parametrize("eye", [0, 1])
def test_an_eye_behind_its_lids_is_told_as_hidden(source, eye):
    mesh = source.portrait.copy()
    mesh[list(anatomy.UPPER_LID[eye])] = mesh[list(anatomy.LOWER_LID[eye])]
    with pytest.raises(HiddenEyeError):
        make_eyeball(source.pictures.portrait, mesh, eye, np.eye(2, 3))
