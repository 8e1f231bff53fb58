"""Every architecture of DeepFaceLab's notation is built, runs, and names its layers as the weight files do."""

from itertools import combinations

import pytest
import torch

from konterfei.models import MODELS
from konterfei.models.base import Batch
from konterfei.nets.autoencoders import Dims
from konterfei.training.losses import measure
from konterfei.training.objectives import Objectives
from original_layout import decoder_shapes, encoder_shapes, inter_shapes, parameter_shapes

OPTIONS = {"u": "unit", "d": "double", "t": "deep", "c": "cosine"}
LETTERS = ["".join(chosen) for count in range(5) for chosen in combinations("udtc", count)]
SIZES = [(64, 8, 4, 4, 2), (96, 6, 2, 4, 2), (160, 5, 4, 2, 6)]
"""resolution, ae, encoder, decoder, mask"""


def dims_of(letters, size=SIZES[0], **changes):
    resolution, ae, encoder, decoder, mask = size
    options = {name: letter in letters for letter, name in OPTIONS.items()}
    return Dims(resolution=resolution, ae=ae, encoder=encoder, decoder=decoder, mask=mask, **options, **changes)


def expected_shapes(kind, dims):
    """State of the whole model by the weight files' tables (dfl-spec C.1, C.2, C.3)."""
    if kind == "df":
        parts = {"inter": inter_shapes(dims, dims.ae)}
        parts |= {f"decoder_{who}": decoder_shapes(dims, dims.ae) for who in ("src", "dst")}
    else:
        parts = {f"inter_{which}": inter_shapes(dims, 2 * dims.ae) for which in ("AB", "B")}
        parts["decoder"] = decoder_shapes(dims, 4 * dims.ae)
    parts["encoder"] = encoder_shapes(dims)
    return {f"{part}.{name}": shape for part, shapes in parts.items() for name, shape in parameter_shapes(shapes)}


def check(kind, dims):
    torch.manual_seed(0)
    model = MODELS.load(kind)(dims)
    side = dims.resolution
    with torch.no_grad():
        images = torch.rand(4, 3, side, side)
        again = model.reconstruct(images)
        drawn, own_mask = model.swap(images)
    for pictures, masks in ((again.image, again.mask), (drawn.image, drawn.mask), (drawn.image, own_mask)):
        assert pictures.shape == (4, 3, side, side)
        assert masks.shape == (4, 1, side, side)
        for values in (pictures, masks):
            assert 0 < values.min() <= values.max() < 1
            assert values.flatten(1).std(dim=1).min() > 0
    return model


@pytest.mark.parametrize("letters", LETTERS)
@pytest.mark.parametrize("kind", ["df", "liae"])
def test_all_sixteen_combinations(kind, letters):
    dims = dims_of(letters)
    model = check(kind, dims)
    state = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert state == expected_shapes(kind, dims)


@pytest.mark.parametrize("size", SIZES[1:])
@pytest.mark.parametrize("letters", ["", "ud", "t", "udtc"])
def test_other_sizes(letters, size):
    check("df", dims_of(letters, size))
    check("liae", dims_of(letters, size))


@pytest.mark.parametrize("letters", ["", "u", "c"])
def test_sixteens_suffice_without_d_and_t(letters):
    """dfl-spec 7.2: multiples of 16, of 32 with d; t needs 32 as well."""
    check("df", dims_of(letters, (80, 8, 4, 4, 2)))


@pytest.mark.parametrize("letters", LETTERS)
def test_every_combination_can_learn(letters):
    """Every layer has a gradient, and a small step against it lowers the loss."""
    torch.manual_seed(1)
    model = MODELS.load("df")(dims_of(letters))
    images = torch.rand(2, 3, 8, 8).repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)
    batch = Batch(images, images, torch.ones(2, 1, 64, 64))
    terms = measure(model, batch, Objectives())
    before = terms.src + terms.dst
    before.backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())
    with torch.no_grad():
        length = torch.sqrt(sum(p.grad.square().sum() for p in model.parameters()))
        for p in model.parameters():
            p -= 0.02 * p.grad / length
        terms = measure(model, batch, Objectives())
        after = terms.src + terms.dst
    assert (before - after).item() == pytest.approx(0.02 * length.item(), rel=0.5)
