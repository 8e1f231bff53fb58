"""Layers against the original's small operators (dfl-spec A.9, A.12, 7.1)."""

import pytest
import torch

from konterfei.nets.blocks import Downscale, Residual, Upscale, activation, depth_to_space, initialise, pixel_norm


def test_depth_to_space_has_the_original_order():
    """A.9"""
    x = torch.arange(12.0).view(1, 12, 1, 1).expand(1, 12, 2, 3)
    for order in (torch.contiguous_format, torch.channels_last):
        y = depth_to_space(x.contiguous(memory_format=order))
        assert y.shape == (1, 3, 4, 6)
        for c in range(3):
            assert y[0, c, 0::2, 0::2].unique().tolist() == [c]
            assert y[0, c, 0::2, 1::2].unique().tolist() == [3 + c]
            assert y[0, c, 1::2, 0::2].unique().tolist() == [6 + c]
            assert y[0, c, 1::2, 1::2].unique().tolist() == [9 + c]


def test_depth_to_space_keeps_places_apart():
    x = torch.arange(2 * 8 * 3 * 5, dtype=torch.float32).view(2, 8, 3, 5)
    y = depth_to_space(x)
    for dy in (0, 1):
        for dx in (0, 1):
            first = (2 * dy + dx) * 2
            assert torch.equal(y[:, :, dy::2, dx::2], x[:, first : first + 2])


def test_pixel_norm():
    """A.12; the mean is over the features of each sample alone."""
    got = pixel_norm(torch.tensor([[1.0, 2, 3, 4], [10, 20, 30, 40]]))
    wanted = torch.tensor([[0.3651484, 0.7302967, 1.0954452, 1.4605935]] * 2)
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-6)
    assert pixel_norm(torch.zeros(1, 4)).tolist() == [[0, 0, 0, 0]]


def test_activations():
    x = torch.tensor([-2.0, 0.0, 3.0])
    torch.testing.assert_close(activation(x, 0.1, cosine=False), torch.tensor([-0.2, 0.0, 3.0]))
    torch.testing.assert_close(activation(x, 0.1, cosine=True), x * torch.cos(x))


@pytest.mark.parametrize(
    ("layer", "fan_in", "fan_out"),
    [
        pytest.param(torch.nn.Conv2d(16, 32, 3), 144, 288, id="conv"),
        pytest.param(torch.nn.Linear(700, 300), 700, 300, id="dense"),
    ],
)
def test_kernels_start_glorot_uniform_and_biases_at_zero(layer, fan_in, fan_out):
    """A.12: a 3x3 kernel 16 -> 32 has the limit 0.1178511; uniform, so close to it and of std limit / sqrt 3."""
    torch.manual_seed(0)
    torch.nn.init.constant_(layer.bias, 7.0)
    initialise(layer)
    limit = (6 / (fan_in + fan_out)) ** 0.5
    if fan_in == 144:
        assert limit == pytest.approx(0.1178511, abs=1e-7)
    largest = layer.weight.abs().max().item()
    assert 0.99 * limit < largest <= limit
    assert layer.weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.03)
    assert not layer.bias.any()


def test_blocks_halve_keep_and_double():
    x = torch.rand(2, 4, 16, 24)
    assert Downscale(4, 6, cosine=False)(x).shape == (2, 6, 8, 12)
    assert Residual(4, cosine=False)(x).shape == (2, 4, 16, 24)
    assert Upscale(4, 6, cosine=False)(x).shape == (2, 6, 32, 48)


def test_a_residual_of_zero_kernels_is_its_activation():
    block = Residual(3, cosine=False)
    torch.nn.init.zeros_(block.conv2.weight)
    torch.nn.init.zeros_(block.conv2.bias)
    x = torch.tensor([-1.0, 0.5, 2.0]).view(1, 3, 1, 1)
    torch.testing.assert_close(block(x).flatten(), torch.tensor([-0.2, 0.5, 2.0]))
