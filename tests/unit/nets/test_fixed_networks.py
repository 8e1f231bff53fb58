"""Networks that others trained, in torch: the runtime's numbers, gradients of the formula, and nothing that learns."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from konterfei.nets.mobilefacenet import MobileFaceNet, _FixedPReLU
from konterfei.nets.mobilenet import MobileNet
from konterfei.weights import weights_path
from konterfei.weights.session import open_session


@pytest.fixture(scope="module")
def network():
    return MobileFaceNet(weights_path("mobilefacenet"))


def pictures(count=3):
    """Noise of several grains. [N, 3, 112, 112] in [0, 1]"""
    chance = torch.Generator().manual_seed(1)
    grains = [torch.rand(1, 3, side, side, generator=chance) for side in (7, 28, 112)[:count]]
    return torch.cat([torch.nn.functional.interpolate(g, size=(112, 112)) for g in grains])


def test_it_gives_the_runtimes_numbers(network):
    images = pictures()
    seen = network(images)
    faces = ((images * 255 - 127.5) / 128).permute(0, 2, 3, 1).contiguous().numpy()
    session = open_session("mobilefacenet", 1)
    wanted = np.concatenate([session.run(None, {"x": face[None]})[0] for face in faces])
    wanted = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
    assert seen.shape == (3, 192)
    np.testing.assert_allclose(seen.numpy(), wanted, rtol=0, atol=1e-5)
    assert (wanted[0] @ wanted[1:].T).max() < 0.9  # else any picture would do


def test_gradients_are_those_of_torchs_own_prelu():
    x = torch.randn(2, 5, 4, 4, generator=torch.Generator().manual_seed(2)).requires_grad_()
    slopes, out = torch.tensor([0.0, 0.25, -0.5, 1.0, 2.0]), torch.arange(160.0).view(2, 5, 4, 4)
    (ours,) = torch.autograd.grad(_FixedPReLU.apply(x, slopes), x, out)
    (theirs,) = torch.autograd.grad(torch.prelu(x, slopes), x, out)
    torch.testing.assert_close(ours, theirs)


def test_a_step_along_the_gradient_is_worth_what_it_promises(network):
    x, goal = pictures(2).requires_grad_(), network(pictures(3)[2:])[0]
    likeness = (network(x) @ goal).sum()
    (slope,) = torch.autograd.grad(likeness, x)
    step = 0.01 * slope / slope.norm()
    gained = (network(x + step) @ goal).sum() - likeness
    assert gained.item() == pytest.approx(0.01 * slope.norm().item(), rel=0.1)


def test_features_of_pictures_are_told_at_four_sizes():
    found = MobileNet(load_file(weights_path("mobilenet")))(pictures())
    assert [tuple(x.shape) for x in found] == [(3, 16, 56, 56), (3, 24, 28, 28), (3, 32, 14, 14), (3, 96, 7, 7)]


def test_nothing_of_them_learns(network):
    for one in (network, MobileNet(load_file(weights_path("mobilenet")))):
        assert list(one.parameters()) == []
        assert not any(buffer.requires_grad for buffer in one.buffers())
