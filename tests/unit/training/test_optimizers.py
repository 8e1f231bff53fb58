"""Optimisers over one flat array: the original's numbers, PyTorch's numbers, and no difference from cutting it up."""

import pytest
import torch
from torch import nn

from konterfei.training import optimizers
from konterfei.training.optimizers import AdaBelief, Adam, FlatParameters


class One(nn.Module):
    def __init__(self):
        super().__init__()
        self.p = nn.Parameter(torch.ones(1))


def small_model():
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.Conv2d(5, 2, 1), nn.Flatten(), nn.Linear(8, 4)).to(
        memory_format=torch.channels_last
    )


def loss_of(model, seed):
    x = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return model(x).square().sum()


def test_adabelief_gives_the_original_numbers():
    """A.7: weight 1, rate 5e-5, gradients 0.5, 0.5, -0.2."""
    model = One()
    flat = FlatParameters(model)
    optimizer = AdaBelief(flat)
    weights, means, beliefs = [], [], []
    for count, gradient in enumerate((0.5, 0.5, -0.2), 1):
        model.p.grad.fill_(gradient)
        optimizer.step(5e-5, count, 0.0)
        weights.append(model.p.item())
        means.append(optimizer.state["mean"].item())
        beliefs.append(optimizer.state["belief"].item())
    assert weights == pytest.approx([0.9998243303, 0.9995761661, 0.9994194097], abs=6e-8)
    assert means == pytest.approx([0.05, 0.095, 0.0655], rel=1e-6)
    assert beliefs == pytest.approx([2.025e-4, 3.6632e-4, 4.3645e-4], rel=2e-5)
    assert torch.equal(flat.ema, flat.weights)  # nothing of the old is kept
    assert not flat.gradients.any()


def test_adam_equals_pytorch():
    ours, theirs = small_model(), small_model()
    flat = FlatParameters(ours)
    optimizer = Adam(flat)
    reference = torch.optim.Adam(theirs.parameters(), lr=1e-2, betas=(0.9, 0.99), eps=1e-8)
    for count in range(1, 31):
        loss_of(ours, count).backward()
        optimizer.step(1e-2, count, 0.9)
        reference.zero_grad()
        loss_of(theirs, count).backward()
        reference.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=2e-5, atol=2e-6)


def apart(self, weights, gradients, state, rate, count):
    self._step_by_step(weights, gradients, *state, rate)


@pytest.mark.parametrize("is_fused", [True, False])
def test_adabelief_equals_its_formulas(is_fused, monkeypatch):
    """dfl-spec 7.9 in float64, also where gradients hardly change and their difference to the mean is all rounding."""
    if not is_fused:  # as elsewhere than on a CPU
        monkeypatch.setattr(AdaBelief, "_update", apart)
    generator = torch.Generator().manual_seed(0)
    model = nn.Linear(40, 10)
    flat = FlatParameters(model)
    optimizer = AdaBelief(flat)
    weights = flat.weights.double()
    mean, belief = torch.zeros_like(weights), torch.zeros_like(weights)
    steady = torch.randn(weights.shape, generator=generator)
    for count in range(1, 41):
        gradient = steady + 10.0 ** (-count / 8) * torch.randn(weights.shape, generator=generator)
        flat.gradients.copy_(gradient)
        optimizer.step(1e-3, count, 0.9)
        g = gradient.double()
        mean += 0.1 * (g - mean)
        belief = 0.999 * belief + 0.001 * (g - mean) ** 2
        weights -= 1e-3 * mean / (belief.sqrt() + 1e-6)
    torch.testing.assert_close(optimizer.state["mean"].double(), mean, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(optimizer.state["belief"].double(), belief, rtol=2e-5, atol=0)
    torch.testing.assert_close(flat.weights.double(), weights, rtol=0, atol=2e-5)  # they have moved by 0.8 and more


def test_cutting_the_array_up_changes_no_bit(monkeypatch):
    """At multiples of a vector's length; the rest of a piece is computed number by number, which rounds otherwise."""
    results = {}
    for piece in (1 << 18, 128, 64, 7):
        monkeypatch.setattr(optimizers, "_PIECE", piece)
        model = small_model()
        flat = FlatParameters(model)
        assert flat.weights.numel() > 128
        optimizer = AdaBelief(flat)
        for count in range(1, 6):
            loss_of(model, count).backward()
            optimizer.step(1e-3, count, 0.99)
        results[piece] = [flat.weights, flat.ema, *optimizer.state.values()]
    whole = results[1 << 18]
    assert all(torch.equal(a, b) for piece in (128, 64) for a, b in zip(whole, results[piece], strict=True))
    for a, b in zip(whole, results[7], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_the_model_lives_in_the_flat_array():
    model, untouched = small_model(), small_model()
    flat = FlatParameters(model)
    assert flat.weights.numel() == sum(p.numel() for p in untouched.parameters())
    for (name, p), q in zip(model.named_parameters(), untouched.parameters(), strict=True):
        assert torch.equal(p, q), name
        assert flat.by_name(flat.weights)[name].data_ptr() == p.data_ptr()
    torch.testing.assert_close(loss_of(model, 1), loss_of(untouched, 1))
    loss_of(model, 1).backward()
    loss_of(untouched, 1).backward()
    for name, gradient in flat.by_name(flat.gradients).items():
        torch.testing.assert_close(gradient, dict(untouched.named_parameters())[name].grad, rtol=1e-4, atol=1e-6)
    flat.weights.zero_()
    assert not any(p.any() for p in model.parameters())


def test_smoothed_weights_lag_behind():
    model = One()
    flat = FlatParameters(model)
    optimizer = Adam(flat)
    smooth = 1.0
    for count in range(1, 4):
        model.p.grad.fill_(1.0)
        optimizer.step(0.1, count, 0.75)
        smooth = 0.75 * smooth + 0.25 * model.p.item()
    assert flat.ema.item() == pytest.approx(smooth, rel=1e-6)
    assert model.p.item() == pytest.approx(0.7, abs=1e-5)  # Adam's steps are of the rate's size
