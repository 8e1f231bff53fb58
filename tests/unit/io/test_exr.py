"""OpenEXR files: what is written is read back, where it lies in the picture included."""

import numpy as np
import pytest

from konterfei.errors import OutputError, UnreadableMediaError
from konterfei.io.exr import Exr, read_exr, write_exr


def picture(**more):
    rng = np.random.default_rng(3)
    channels = {
        "R": rng.normal(size=(5, 7)).astype(np.float16),
        "face0_st.G": rng.normal(size=(5, 7)).astype(np.float32),
    }
    return Exr(channels, **more)


def test_all_comes_back(tmp_path):
    primaries = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
    made = picture(left=3, top=2, width=20, height=12, attributes={"konterfei": '{"ä": 1}'}, primaries=primaries)
    write_exr(tmp_path / "a.exr", made)
    read = read_exr(tmp_path / "a.exr")
    assert set(read.channels) == set(made.channels)
    for name, values in made.channels.items():
        assert read.channels[name].dtype == values.dtype and (read.channels[name] == values).all()
    assert (read.left, read.top, read.width, read.height) == (3, 2, 20, 12)
    assert read.attributes["konterfei"] == '{"ä": 1}'
    assert read.primaries == pytest.approx(primaries, abs=1e-6)
    whole = read.over_picture("R")
    assert whole.shape == (12, 20) and (whole[2:7, 3:10] == made.channels["R"]).all()
    assert np.count_nonzero(whole) == np.count_nonzero(made.channels["R"])


def test_a_window_that_reaches_over_the_picture_is_cut():
    whole = picture(left=-2, top=-1, width=4, height=3).over_picture("R")
    assert whole.shape == (3, 4) and (whole == picture().channels["R"][1:4, 2:6]).all()


def test_what_is_no_picture_is_refused(tmp_path):
    with pytest.raises(UnreadableMediaError, match="no file"):
        read_exr(tmp_path / "none.exr")
    (tmp_path / "text.exr").write_text("no picture")
    with pytest.raises(UnreadableMediaError, match="cannot be read"):
        read_exr(tmp_path / "text.exr")
    with pytest.raises(OutputError):
        (tmp_path / "file").touch()
        write_exr(tmp_path / "file" / "a.exr", picture())
    with pytest.raises(ValueError, match="one shape"):
        write_exr(tmp_path / "a.exr", Exr({"R": np.zeros((2, 2), np.float16), "G": np.zeros((3, 2), np.float16)}))
    assert not (tmp_path / "a.exr").exists()
