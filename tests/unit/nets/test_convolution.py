"""Our convolution is PyTorch's: the same numbers, gradients and parameters, whatever way they are computed."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch.nn import functional as F

from konterfei.models.base import Batch
from konterfei.models.df import DF
from konterfei.models.liae import LIAE
from konterfei.nets import convolution
from konterfei.nets.convolution import Conv2d, PatchProduct
from konterfei.nets.dims import Dims
from konterfei.training.losses import measure
from konterfei.training.objectives import Objectives

LAYERS = [
    pytest.param((3, 5, 3, 1, 1, (4, 6)), id="3x3"),
    pytest.param((4, 3, 5, 2, 2, (8, 8)), id="5x5-stride-2"),
    pytest.param((2, 3, 5, 2, 2, (7, 5)), id="5x5-stride-2-odd"),
    pytest.param((2, 6, 1, 1, 0, (3, 3)), id="1x1"),
    pytest.param((3, 4, 3, 2, 0, (9, 8)), id="no-padding"),
]
"""Channels in and out, kernel, stride, padding, map. The last but one leaves pixels that no patch sees."""


@pytest.fixture(autouse=True)
def one_thread():
    """These maps are too small to share, and on a busy machine two threads wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def material(layer, dtype, channels_last=True):
    i, o, k, stride, padding, side = layer
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, i, *side, generator=generator, dtype=torch.float64)
    weight, bias = (torch.randn(*s, generator=generator, dtype=torch.float64) for s in ((o, i, k, k), (o,)))
    order = torch.channels_last if channels_last else torch.contiguous_format
    x, weight = x.to(dtype, memory_format=order), weight.to(dtype, memory_format=order)
    return [t.requires_grad_() for t in (x, weight, bias.to(dtype))], stride, padding


def as_map(rows, x, weight, stride, padding):
    side = [(n + 2 * padding - weight.shape[2]) // stride + 1 for n in x.shape[2:]]
    return rows.view(x.shape[0], *side, -1).permute(0, 3, 1, 2)


@pytest.mark.parametrize("layer", LAYERS)
def test_gradients_are_those_of_the_function(layer):
    tensors, stride, padding = material(layer, torch.float64)
    assert torch.autograd.gradcheck(lambda *t: PatchProduct.apply(*t, stride, padding), tensors)


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("layer", LAYERS)
def test_numbers_are_those_of_pytorch(layer, channels_last):
    (x, weight, bias), stride, padding = material(layer, torch.float64, channels_last)
    ours = as_map(PatchProduct.apply(x, weight, bias, stride, padding), x, weight, stride, padding)
    theirs = F.conv2d(x, weight, bias, stride, padding)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    seen = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for a, b in pairwise([torch.autograd.grad(y, [x, weight, bias], seen) for y in (ours, theirs)]):
        for own, wanted in zip(a, b, strict=True):
            torch.testing.assert_close(own, wanted, rtol=1e-12, atol=1e-12)


def test_a_gradient_that_nobody_wants_is_not_made(monkeypatch):
    """Pictures, into the first layer."""
    (x, weight, bias), stride, padding = material(LAYERS[0].values[0], torch.float64)
    made = []
    spread = convolution._spread
    monkeypatch.setattr(convolution, "_spread", lambda *a: made.append(a) or spread(*a))
    PatchProduct.apply(x.detach(), weight, bias, stride, padding).sum().backward()
    assert x.grad is None and weight.grad is not None and not made
    PatchProduct.apply(x, weight, bias, stride, padding).sum().backward()
    assert x.grad is not None and made


def relative(a, b):
    return ((a.double() - b.double()).norm() / b.double().norm()).item()


def test_bfloat16_is_as_near_to_the_truth_as_pytorch(monkeypatch):
    """Relative error of the norm against float64: rounding the result alone is 1.7e-3, one more rounding 2.4e-3."""
    monkeypatch.setattr(convolution, "WEIGHTS_PER_PIXEL", 0)
    layer = Conv2d(64, 96, 3, padding=1).to(memory_format=torch.channels_last)
    x = torch.randn(4, 64, 8, 8).to(torch.bfloat16, memory_format=torch.channels_last).requires_grad_()
    with torch.no_grad():
        layer.weight.copy_(layer.weight.bfloat16())
        layer.bias.copy_(layer.bias.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        ours = layer(x)
    assert ours.dtype == torch.bfloat16 and "Permute" in type(ours.grad_fn).__name__  # made by products
    seen = torch.randn(ours.shape).bfloat16()
    inputs = [x, layer.weight, layer.bias]
    exact_inputs = [t.detach().double().requires_grad_() for t in inputs]
    exact = F.conv2d(*exact_inputs, padding=1)
    assert relative(ours, exact) < 2.2e-3
    got = torch.autograd.grad(ours, inputs, seen)
    wanted = torch.autograd.grad(exact, exact_inputs, seen.double())
    assert [g.dtype for g in got] == [torch.bfloat16, torch.float32, torch.float32]
    for own, true, limit in zip(got, wanted, (3e-3, 2.2e-3, 2.5e-3), strict=True):
        assert relative(own, true) < limit


def test_products_are_for_training_in_bfloat16_of_many_weights_on_small_maps():
    def is_product(side, dtype=torch.bfloat16, grad=True, channels=128, batch=1):
        layer = Conv2d(channels, channels, 3, padding=1).to(dtype)
        with torch.set_grad_enabled(grad):
            y = layer(torch.ones(batch, channels, side, side, dtype=dtype))
        return y.grad_fn is not None and "Permute" in type(y.grad_fn).__name__

    assert is_product(8)  # 147456 weights, 64 pixels
    assert not is_product(9)
    assert not is_product(8, torch.float32)
    assert not is_product(8, grad=False)
    assert not is_product(8, channels=96)
    assert not is_product(8, batch=2)


DIMS = Dims(resolution=64, ae=8, encoder=4, decoder=4, mask=2)


@pytest.mark.parametrize("letters", ["", "ud", "udt"])
@pytest.mark.parametrize("kind", [DF, LIAE])
def test_whole_networks_learn_the_same_with_products_and_without(kind, letters, monkeypatch):
    """Losses and all gradients in float32, where products are otherwise not used, on maps of every size."""
    dims = replace(DIMS, unit="u" in letters, double="d" in letters, deep="t" in letters)
    torch.manual_seed(0)
    model = kind(dims).to(memory_format=torch.channels_last)
    side = dims.resolution
    batch = Batch(torch.rand(4, 3, side, side), torch.rand(4, 3, side, side), torch.ones(4, 1, side, side))
    results, made = [], []
    apply = PatchProduct.apply
    monkeypatch.setattr(PatchProduct, "apply", lambda *a: made.append(a[0].shape) or apply(*a))
    for formats in ((), (torch.float32,)):
        monkeypatch.setattr(convolution, "PAYS", formats)
        monkeypatch.setattr(convolution, "SMALL_MAP", 1 << 20)
        monkeypatch.setattr(convolution, "WEIGHTS_PER_PIXEL", 0)
        model.zero_grad(set_to_none=True)
        terms = measure(model, batch, Objectives())
        (terms.src + terms.dst).backward()
        results.append((terms, [p.grad.clone() for p in model.parameters()]))
    assert len(made) > 15
    (one, plain), (two, products) = results
    for person in ("src", "dst"):
        assert getattr(two, person).item() == pytest.approx(getattr(one, person).item(), rel=1e-5)
    for a, b in zip(products, plain, strict=True):
        assert relative(a, b) < 1e-4


def test_the_layer_has_pytorchs_parameters():
    assert {n: p.shape for n, p in Conv2d(3, 4, 5).state_dict().items()} == {
        n: p.shape for n, p in torch.nn.Conv2d(3, 4, 5).state_dict().items()
    }
