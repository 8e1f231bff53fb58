from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from video_fixtures import picture

from konterfei.errors import OutputError, UnreadableMediaError
from konterfei.io.images import read_image, write_image


@pytest.mark.parametrize(("name", "worst"), [("a.png", 0), ("a.tif", 0), ("a.jpg", 8), ("a.webp", 25)])
def test_what_is_written_is_read(tmp_path, name, worst):
    image = picture(3)
    write_image(tmp_path / name, image)
    back = read_image(tmp_path / name)
    assert back.dtype == np.uint8 and back.shape == image.shape
    assert np.abs(back.astype(int) - image).max() <= worst


def test_jpeg_keeps_colour_at_full_resolution(tmp_path):
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, ::2] = (255, 0, 0)  # one-pixel stripes: 4:2:0 would smear them to one colour
    image[:, 1::2] = (0, 0, 255)
    write_image(tmp_path / "a.jpg", image, quality=98)
    back = read_image(tmp_path / "a.jpg").astype(int)
    assert (back[:, ::2, 0] - back[:, 1::2, 0]).min() > 150


def test_deep_pictures(tmp_path):
    image = np.arange(64 * 48 * 3, dtype=np.uint16).reshape(64, 48, 3) * 7
    write_image(tmp_path / "a.png", image)
    assert np.array_equal(read_image(tmp_path / "a.png", deep=True), image)
    write_image(tmp_path / "b.png", picture(1))
    assert np.array_equal(read_image(tmp_path / "b.png", deep=True), picture(1).astype(np.uint16) * 257)
    with pytest.raises(OutputError, match="8 bits"):
        write_image(tmp_path / "a.jpg", image)
    grey = np.full((8, 8), 40_000, np.uint16)
    write_image(tmp_path / "grey.png", grey)
    assert read_image(tmp_path / "grey.png")[0, 0].tolist() == [40_000 >> 8] * 3


def test_exif_orientation_alpha_palette_and_cmyk(tmp_path):
    image = Image.fromarray(picture(0))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn 90 degrees clockwise to show
    image.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    back = read_image(tmp_path / "turned.jpg")
    assert back.shape == (96, 64, 3)
    assert np.abs(back.astype(int) - np.rot90(picture(0), -1)).mean() < 3
    image.convert("RGBA").save(tmp_path / "alpha.png")
    image.quantize(256).save(tmp_path / "palette.png")
    image.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    for name, worst in (("alpha.png", 0.1), ("palette.png", 12), ("cmyk.jpg", 12)):
        assert np.abs(read_image(tmp_path / name).astype(int) - picture(0)).mean() <= worst, name


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_bad_pictures_are_named(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    with pytest.raises(UnreadableMediaError, match="no file"):
        read_image(path)
    path.write_bytes(b"")
    with pytest.raises(UnreadableMediaError, match="empty"):
        read_image(path)
    path.write_bytes(b"this is no picture" * 20)
    with pytest.raises(UnreadableMediaError, match="cannot be read as a picture"):
        read_image(path)
    write_image(path, picture(0))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableMediaError, match=path.name):
        read_image(path)


def test_unknown_suffix(tmp_path):
    with pytest.raises(OutputError, match="gif"):
        write_image(tmp_path / "a.gif", picture(0))
