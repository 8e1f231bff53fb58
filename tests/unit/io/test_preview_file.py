"""Preview pictures carry their layout, and stay ordinary pictures."""

import numpy as np

from konterfei.io.images import read_image, write_image
from konterfei.io.preview_file import PreviewLayout, read_layout, write_preview

LAYOUT = PreviewLayout((("src", 0), ("src-dst", 40)), cell=32, top=8, rows=2)


def picture():
    image = np.zeros((8 + 64, 72, 3), np.uint8)
    image[8:40, 40:72] = (250, 10, 10)
    image[40:, 40:72] = (10, 10, 250)
    return image


def test_a_layout_comes_back_and_finds_the_faces(tmp_path):
    path = tmp_path / "preview.jpg"
    write_preview(path, picture(), LAYOUT)
    layout = read_layout(path)
    assert layout == LAYOUT
    faces = [layout.face(read_image(path), "src-dst", row).mean(axis=(0, 1)) for row in range(2)]
    np.testing.assert_allclose(faces, [(250, 10, 10), (10, 10, 250)], atol=6)


def test_the_pixels_do_not_depend_on_it(tmp_path):
    write_preview(tmp_path / "with.jpg", picture(), LAYOUT)
    write_preview(tmp_path / "without.jpg", picture(), None)
    np.testing.assert_array_equal(read_image(tmp_path / "with.jpg"), read_image(tmp_path / "without.jpg"))


def test_pictures_without_one_or_with_a_broken_one_have_none(tmp_path):
    path = tmp_path / "a.jpg"
    write_image(path, picture())
    assert read_layout(path) is None
    write_preview(path, picture(), LAYOUT)
    path.write_bytes(path.read_bytes().replace(b'"cell"', b'"sell"'))
    assert read_layout(path) is None
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8\xff\xfe")
    assert read_layout(tmp_path / "b.jpg") is None
