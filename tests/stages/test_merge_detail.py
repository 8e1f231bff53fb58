"""Sharpness, grain and super resolution on the way through a whole merge."""

import dataclasses

import numpy as np
import pytest
from merge_material import FRAMES, Painter, config_for, make_consent, make_faces, make_plate, picture

from konterfei.io.images import read_image
from konterfei.reporting import Silent
from konterfei.stages.merge import merge

FEW = "10:16"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detail")
    make_faces(folder / "faces", make_plate(folder / "plate.mp4"))
    make_consent(folder / "consent.toml")
    return folder


@pytest.fixture
def config(place):
    return config_for(place, place / "plate.mp4", place / "faces")


def merged(config, place, name, **changes):
    place = place / f"{len(list(place.iterdir()))}"
    place.mkdir()
    config = dataclasses.replace(config, output=place / name, range=FEW, label="none", **changes)
    assert merge(config, Silent(), Painter()).swapped == 6
    return np.stack([read_image(path) for path in sorted(config.output.glob("*.png"))]).astype(int)


@pytest.mark.parametrize("changes", [{"enhancer": "unsharp"}, {"enhancer": "span"}])
def test_an_enhancer_changes_the_face_and_nothing_else(place, config, changes):
    plain, enhanced = merged(config, place, "plain"), merged(config, place, "enhanced", **changes)
    apart = np.abs(enhanced - plain).max(axis=(0, 3))
    assert apart.max() > 5
    assert apart[:10].max() == apart[-10:].max() == apart[:, -30:].max() == 0
    assert np.array_equal(plain, merged(config, place, "none", **changes, enhance=0.0))


def test_processes_draw_alike_with_an_enhancer(place, config):
    one = merged(config, place, "one", enhancer="span", threads=1)
    more = merged(config, place, "more", enhancer="span", threads=1, processes=2, part_frames=3)
    assert np.array_equal(one, more)


def test_sharpness_and_grain_can_be_switched_off(place, config):
    both, neither = merged(config, place, "both"), merged(config, place, "neither", detail=0.0, grain=0.0)
    assert not np.array_equal(both, neither)
    assert np.array_equal(both, merged(config, place, "again"))
    by_hand = merged(config, place, "hand", sharpen=1.0, grain=0.0)
    assert np.array_equal(by_hand, merged(config, place, "hand_off", sharpen=1.0, detail=0.0, grain=0.0))
    assert picture(0).shape == both.shape[1:] and FRAMES > 16
