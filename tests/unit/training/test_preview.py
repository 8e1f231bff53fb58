"""The preview's columns: who is drawn as whom, plain and masked."""

import numpy as np
import pytest
import torch

from konterfei.io.preview_file import COLUMNS, MASKED
from konterfei.models.base import Images, SwapModel
from konterfei.nets.autoencoders import Dims
from konterfei.training.preview import layout_for, preview_grid

SIDE = 64


class Marker(SwapModel):
    """Draws src red, dst green, the swap blue; masks are the left half, in a swap the upper half, dst's all of it."""

    def __init__(self, resolution=SIDE):
        super().__init__(Dims(resolution=resolution, ae=8, encoder=4, decoder=4, mask=2))

    def reconstruct(self, images):
        half, side = len(images) // 2, self.dims.resolution
        drawn = torch.zeros(2 * half, 3, side, side)
        drawn[:half, 0], drawn[half:, 1] = 1.0, 1.0
        mask = torch.zeros(2 * half, 1, side, side)
        mask[..., : side // 2] = 1
        return Images(drawn, mask)

    def swap(self, images, morph=1.0):
        side = self.dims.resolution
        drawn, mask = torch.zeros(len(images), 3, side, side), torch.zeros(len(images), 1, side, side)
        drawn[:, 2], mask[:, :, : side // 2] = 1.0, 1.0
        return Images(drawn, mask), torch.ones(len(images), 1, side, side)


@pytest.fixture
def drawn(make_faces):
    src, dst = make_faces(9, SIDE * 3 // 2, seed=1), make_faces(3, SIDE * 3 // 2, seed=5)
    return preview_grid(Marker(), src, dst, torch.device("cpu"), "fp32"), src, dst


def test_columns_stand_in_the_fields_order(drawn):
    preview, _, _ = drawn
    names = [name for name, _ in preview.layout.columns]
    assert names == [*COLUMNS, *(name + MASKED for name in COLUMNS)]
    assert names[:5] == ["src", "src-src", "dst", "dst-dst", "src-dst"]
    assert [left for _, left in preview.layout.columns] == sorted(left for _, left in preview.layout.columns)
    assert preview.image.shape == (24 + 6 * 128, 10 * 128 + 12, 3)
    colors = {"src-src": (255, 0, 0), "dst-dst": (0, 255, 0), "src-dst": (0, 0, 255)}
    for name, color in colors.items():
        for row in range(preview.layout.rows):
            assert (preview.layout.face(preview.image, name, row) == color).all()


def test_faces_are_those_of_their_person_spread_over_the_faceset(drawn):
    preview, src, dst = drawn
    for name, faces in (("src", src), ("dst", dst)):
        wanted = np.linspace(0, len(faces) - 1, 8).round().astype(int)[1:-1]
        for row, index in enumerate(wanted):
            shown = preview.layout.face(preview.image, name, row).mean(axis=(0, 1))
            np.testing.assert_allclose(shown, faces.straight(int(index), SIDE).mean(axis=(0, 1)), atol=1)


def test_masked_columns_are_black_outside_the_masks(drawn):
    preview, _, _ = drawn
    for name, color in (("src-src", 0), ("dst-dst", 1)):
        face = preview.layout.face(preview.image, name + MASKED, 2)
        assert (face[:, :60, color] == 255).all() and (face[:, 68:] == 0).all()
    swap = preview.layout.face(preview.image, "src-dst" + MASKED, 2)
    assert (swap[:60, :, 2] == 255).all() and (swap[68:] == 0).all()
    for name in ("src", "dst"):  # a disk of radius 0.35
        face = preview.layout.face(preview.image, name + MASKED, 0)
        plain = preview.layout.face(preview.image, name, 0)
        assert (face[:16] == 0).all() and (face[:, :16] == 0).all()
        np.testing.assert_array_equal(face[54:74, 54:74], plain[54:74, 54:74])


@pytest.mark.parametrize(("resolution", "cell", "rows"), [(64, 128, 6), (128, 128, 6), (192, 192, 4), (512, 256, 3)])
def test_a_preview_fits_onto_a_screen(resolution, cell, rows):
    layout = layout_for(resolution)
    assert (layout.cell, layout.rows) == (cell, rows)
    assert layout.top + layout.rows * layout.cell <= 830
