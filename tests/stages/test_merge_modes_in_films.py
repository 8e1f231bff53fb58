"""Modes, masks and motion as a whole merge has them."""

import dataclasses

import numpy as np
import pytest
from merge_material import FRAMES, Painter, config_for, decode, face, make_consent, make_faces, make_plate

from dfl_models import write_xseg
from konterfei.errors import ConfigError, NoFacesError
from konterfei.io.manifest import Manifest
from konterfei.reporting import Silent
from konterfei.stages.merge import merge

SHOT = 12
BARE = 4


@pytest.fixture
def config(tmp_path):
    """A merge of a plate with a face in every frame but one."""
    plate = make_plate(tmp_path / "plate.mp4", frames=SHOT, sound=False)
    make_faces(tmp_path / "faces", plate, [i for i in range(SHOT) if i != BARE])
    make_consent(tmp_path / "consent.toml")
    return config_for(tmp_path, plate, tmp_path / "faces", crf=0)


def film(config, **changes):
    """Frames, result and settings of a merge with other settings."""
    others = "_".join(f"{name}_{value}" for name, value in changes.items() if isinstance(value, str | float))
    output = config.output.with_name(f"{others.replace(':', '-')}.mp4")
    config = dataclasses.replace(config, output=output, **changes)
    result = merge(config, Silent(), Painter())
    return decode(config.output)[0], result, config


def test_raw_predict_is_a_film_of_the_models_size(config):
    images, result, _ = film(config, mode="raw-predict")
    assert images.shape == (SHOT, 64, 64, 3)
    assert images[BARE].max() < 20 < images[BARE - 1].mean()  # black where there is no face
    assert (result.swapped, result.not_swapped) == (SHOT - 1, {"no face in the faceset": 1})


def test_raw_predict_with_two_faces_in_a_frame_says_what_to_do(config, tmp_path):
    make_faces(tmp_path / "two", config.video, range(SHOT), more=[(3, face(3, x=110, track=1))])
    with pytest.raises(ConfigError, match=r"2 faces in one frame.*raw-rgb"):
        film(config, mode="raw-predict", faces=tmp_path / "two")


def test_original_swaps_nothing_and_says_so(config):
    with pytest.raises(NoFacesError, match="left as the plate"):
        film(config, mode="original")


def test_masks_of_a_segmenter(config, tmp_path):
    """The segmenter's model goes into the manifest; without one nothing begins."""
    with pytest.raises(ConfigError, match="--mask xseg_plate needs a segmenter"):
        dataclasses.replace(config, mask="xseg_plate")
    with pytest.raises(ConfigError, match="This mask_mode needs a segmenter"):
        dataclasses.replace(config, dfl_exact="mask_mode=7")
    write_xseg(tmp_path / "xseg")
    full, _, _ = film(config, mask="full", range="0:3")
    images, _, done = film(config, mask="xseg_plate", segmenter=tmp_path / "xseg", range="0:3", device="cpu")
    assert (images != full).any()
    assert len(Manifest.load(done.output).inputs["segmenter"]["sha256"]) == 64


def test_motion_blur_takes_the_motion_from_the_neighbours(config):
    """The face drifts by 0.7 px a frame; a shutter of two frames blurs that a little, one of none not at all."""
    sharp, blurred = (film(config, mode="overlay", color="none", motion_blur=b, range="6:9")[0] for b in (0.0, 2.0))
    assert np.abs(sharp[1].astype(int) - blurred[1]).max() > 3
    whole = film(config, mode="overlay", color="none", motion_blur=2.0)[0]
    assert np.abs(whole[7].astype(int) - blurred[1]).max() <= 2  # a trial's frames are those of the film


def test_dfl_exact_makes_other_frames_and_leaves_those_without_faces(config):
    ours, theirs = film(config, label="none")[0], film(config, label="none", dfl_exact="mask_mode=2")[0]
    assert (ours[0] != theirs[0]).any()
    assert np.abs(ours[BARE].astype(int) - theirs[BARE]).max() <= 1
    assert FRAMES > SHOT
