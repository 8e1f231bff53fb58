import numpy as np
import pytest

import dfl_reference
from dfl_models import write_model, write_xseg
from konterfei.errors import ConfigError
from konterfei.models.segmenter import load_segmenter
from konterfei.reporting import Silent
from konterfei.stages.import_model import ImportDflModelConfig, import_dfl_model


@pytest.fixture
def image():
    return np.random.default_rng(0).random((256, 256, 3)).astype(np.float32)


def test_a_model_as_deepfacelab_has_it_masks_what_it_masked(tmp_path, image):
    weights = write_xseg(tmp_path / "model")
    sure = dfl_reference.xseg(weights, image[..., ::-1])
    wanted = np.where(sure < 0.1, 0, sure)
    for path in (tmp_path / "model", tmp_path / "model" / "XSeg_256.npy"):
        mask = load_segmenter(path, "cpu")(image)
        assert (mask.shape, mask.dtype) == ((256, 256), np.float32)
        near = np.abs(sure - 0.1) > 1e-3  # what is on the threshold may fall on either side
        assert np.abs(mask - wanted)[near].max() < 1e-3
    assert mask.std() > 0.05  # and there is something to compare


def test_a_run_that_was_imported_masks_the_same(tmp_path, image):
    write_xseg(tmp_path / "model")
    import_dfl_model(ImportDflModelConfig(model_dir=tmp_path / "model", output=tmp_path / "run"), Silent())
    ours, theirs = load_segmenter(tmp_path / "run", "cpu"), load_segmenter(tmp_path / "model", "cpu")
    assert np.abs(ours(image) - theirs(image)).max() < 1e-6
    assert len(ours.sha256) == len(theirs.sha256) == 64


def test_pictures_of_other_sizes_keep_theirs(tmp_path, image):
    write_xseg(tmp_path / "model")
    segmenter = load_segmenter(tmp_path / "model", "cpu")
    small = segmenter(image[::2, ::2])
    assert small.shape == (128, 128) and 0 <= small.min() <= small.max() <= 1
    assert segmenter(np.zeros((64, 64, 3), np.float32)).shape == (64, 64)


def test_what_holds_no_segmenter_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="--segmenter: there is nothing"):
        load_segmenter(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no XSeg model"):
        load_segmenter(tmp_path / "empty")
    write_model(tmp_path / "saehd", "df")
    import_dfl_model(ImportDflModelConfig(model_dir=tmp_path / "saehd", output=tmp_path / "run"), Silent())
    with pytest.raises(ConfigError, match="not of xseg"):
        load_segmenter(tmp_path / "run")
