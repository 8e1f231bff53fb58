"""Which sizes there are: what a network cannot be is refused, everything else is taken as it is given."""

import pytest
import torch

from konterfei.models import MODELS
from konterfei.nets.dims import Dims

WIDTHS = {"ae": 32, "encoder": 16, "decoder": 16, "mask": 16}


@pytest.mark.parametrize("resolution", [64, 80, 96, 144, 640])
def test_multiples_of_16_without_d_and_t(resolution):
    assert Dims(resolution=resolution, **WIDTHS).resolution == resolution


@pytest.mark.parametrize("option", ["double", "deep"])
@pytest.mark.parametrize("resolution", [80, 144, 16, 0, -32, 100, 639])
def test_what_does_not_come_out_even_is_refused(resolution, option):
    """The original's prompt lets t pass with multiples of 16 and then crashes (dfl-spec 7.2)."""
    with pytest.raises(ValueError, match="multiple of 32"):
        Dims(resolution=resolution, **WIDTHS, **{option: True})


@pytest.mark.parametrize("name", ["ae", "encoder", "decoder", "mask"])
@pytest.mark.parametrize("width", [0, -2])
def test_a_width_of_nothing_is_refused(name, width):
    with pytest.raises(ValueError, match="widths of at least 1"):
        Dims(resolution=64, **{**WIDTHS, name: width})


@pytest.mark.parametrize(
    ("kind", "options", "changes"),
    [
        ("df", {"double": True, "unit": True}, {"resolution": 640}),
        ("liae", {"double": True, "deep": True}, {"resolution": 640}),
        ("df", {}, {"resolution": 80, "encoder": 17, "decoder": 15, "mask": 3, "ae": 33}),
        ("liae", {}, {"ae": 1024, "encoder": 256, "decoder": 256, "mask": 256}),
        ("amp", {"double": True, "unit": True, "deep": True}, {"resolution": 640, "inter": 2048}),
    ],
)
def test_the_ends_of_the_original_ranges_and_beyond_can_be_built(kind, options, changes):
    dims = Dims(**{"resolution": 64, **WIDTHS, **options, **changes})
    with torch.device("meta"):
        model = MODELS.load(kind)(dims)
        drawn, mask = model.swap(torch.rand(1, 3, dims.resolution, dims.resolution))
    assert drawn.image.shape == (1, 3, dims.resolution, dims.resolution)
    assert mask.shape == (1, 1, dims.resolution, dims.resolution)
