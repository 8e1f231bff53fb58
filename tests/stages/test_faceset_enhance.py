"""enhance: sharper crops of the same faces, at the same place."""

import cv2
import numpy as np
import pytest
from labelled_material import labelled

from konterfei.errors import Cancelled, ConfigError, UnknownNameError
from konterfei.imaging import sharpness
from konterfei.io.faceset import Faceset
from konterfei.reporting import Recorder
from konterfei.stages.faceset_enhance import FacesetEnhanceConfig, faceset_enhance


def enhance(folder, output, reporter=None, **settings):
    settings = {"enhancer": "unsharp", **settings}
    return faceset_enhance(FacesetEnhanceConfig(faceset=folder, output=output, **settings), reporter or Recorder())


@pytest.fixture
def faces(tmp_path):
    return labelled(tmp_path / "anna", count=4)


def shift(image, other):
    """How far one picture lies from the other, px."""
    grey = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).astype(np.float32) for each in (image, other)]
    return np.hypot(*cv2.phaseCorrelate(*grey)[0])


@pytest.mark.parametrize("size", [None, 192, 64])
def test_crops_get_sharper_and_stay_where_they_are(faces, tmp_path, size):
    made = enhance(faces, tmp_path / "sharp", size=size)
    assert made.num_faces == 4 and made.sharpness_before > 0
    if size == 192:  # at the old size there is no room for finer edges
        assert made.sharpness_after > made.sharpness_before
    old, new = Faceset.open(faces), Faceset.open(tmp_path / "sharp")
    side = size or 96
    assert new.header.size == side
    for before, after in zip(old.records(), new.records(), strict=True):
        image = new.image(after.name)
        assert after.sharpness == pytest.approx(sharpness(image), rel=0.3)  # measured before the JPEG
        assert after.face == before.face and after.crop.corners() == pytest.approx(before.crop.corners(), abs=1e-4)
        plain = old.image(before.name)
        step = side / 96
        matrix = np.array([[1 / step, 0, 0], [0, 1 / step, 0]])
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        wanted = cv2.warpAffine(plain, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        assert shift(image, wanted) < 0.15
    assert new.labels("000001_0.jpg").polygons[0].points == pytest.approx(
        old.labels("000001_0.jpg").polygons[0].points * side / 96
    )


def test_half_of_it_is_halfway(faces, tmp_path):
    enhance(faces, tmp_path / "all")
    enhance(faces, tmp_path / "half", strength=0.5)
    folders = (faces, tmp_path / "half", tmp_path / "all")
    old, half, whole = (Faceset.open(folder).image("000000_0.jpg").astype(int) for folder in folders)
    assert np.abs(half - (old + whole) / 2).mean() < 1.5
    assert np.abs(whole - old).mean() > np.abs(half - old).mean() > 0


def test_stopped_and_given_again(faces, tmp_path):
    class Stops(Recorder):
        def advance(self, done, **figures):
            self.stop = done == 2

    with pytest.raises(Cancelled):
        enhance(faces, tmp_path / "sharp", Stops())
    assert len(Faceset.open(tmp_path / "sharp")) == 2
    assert enhance(faces, tmp_path / "sharp").num_faces == 4
    assert enhance(faces, tmp_path / "sharp").was_done


def test_what_makes_no_sense_is_refused(faces, tmp_path):
    with pytest.raises(ConfigError, match="--strength"):
        enhance(faces, tmp_path / "x", strength=0)
    with pytest.raises(ConfigError, match="unsharp"):
        enhance(faces, tmp_path / "x", enhancer="none")
    with pytest.raises(UnknownNameError, match="span"):
        enhance(faces, tmp_path / "x", enhancer="spam")
    with pytest.raises(ConfigError, match="itself"):
        enhance(faces, faces)
