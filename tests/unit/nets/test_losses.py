"""DSSIM, blur and the reconstruction losses against the original's numbers and against plain convolutions."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from konterfei.nets.losses import (
    dssim,
    dssim_windows,
    gaussian_blur,
    mask_loss,
    reconstruction,
    soft_mask,
)


def ramps():
    """a, b, c of A.5. [1, 1, 32, 32] float32"""
    y, x = np.mgrid[0:32, 0:32]
    a = (x + y) / 62
    return [torch.from_numpy(v[None, None].astype(np.float32)) for v in (a, a**2, ((7 * x + 13 * y) % 17) / 16)]


@pytest.mark.parametrize(
    ("window", "to_square", "to_stripes"),
    [(5, 0.1346128, 0.4956850), (8, 0.1295588, 0.4955610), (11, 0.1234922, 0.4955346), (22, 0.1056510, 0.4953341)],
)
def test_dssim_gives_the_original_numbers(window, to_square, to_stripes):
    """A.5; against exact arithmetic, which the original's float32 misses by up to 7e-6."""
    a, b, c = ramps()
    assert dssim(a, b, window).item() == pytest.approx(to_square, abs=1e-5)
    assert dssim(a, c, window).item() == pytest.approx(to_stripes, abs=2e-6)


def convolved_dssim(a, b, window):
    """dfl-spec 7.7 word by word, as depth-wise convolutions in float64."""
    a, b = a.double(), b.double()
    x = torch.arange(window, dtype=torch.float64) - (window - 1) / 2
    kernel = torch.exp(-(x[:, None] ** 2 + x[None] ** 2) / (2 * 1.5**2))
    kernel = (kernel / kernel.sum()).expand(a.shape[1], 1, window, window)

    def mean(z):
        return F.conv2d(z, kernel, groups=z.shape[1])

    mu_a, mu_b = mean(a), mean(b)
    luminance = (2 * mu_a * mu_b + 1e-4) / (mu_a**2 + mu_b**2 + 1e-4)
    contrast = (2 * mean(a * b) - 2 * mu_a * mu_b + 9e-4) / (mean(a * a + b * b) - mu_a**2 - mu_b**2 + 9e-4)
    return ((1 - (luminance * contrast).mean(dim=(2, 3))) / 2).mean(dim=1)


@pytest.mark.parametrize(("height", "width", "window"), [(32, 32, 5), (40, 24, 8), (23, 23, 23), (64, 64, 11)])
def test_dssim_equals_convolutions(height, width, window):
    a, b = torch.rand(2, 3, 3, height, width, generator=torch.Generator().manual_seed(window)).unbind()
    torch.testing.assert_close(dssim(a, b, window).double(), convolved_dssim(a, b, window), rtol=0, atol=2e-6)


def test_dssim_is_zero_for_equals_and_one_value_per_sample():
    a = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    b = a.clone()
    b[1] = 1 - b[1]
    values = dssim(a, b, 5)
    assert values[[0, 2]].abs().max() < 1e-6
    assert 0.4 < values[1] <= 1


@pytest.mark.parametrize(
    ("sigma", "size", "centre"),
    [
        (1, 5, 0.1621028),
        (1.75, 7, 0.0566957),
        (2, 9, 0.0416828),
        (3, 13, 0.0187753),
        (4, 17, 0.0106405),
        (7, 29, 0.0035109),
        (8, 33, 0.0026929),
        (16, 65, 0.00067768),
    ],
)
def test_blur_kernels(sigma, size, centre):
    """A.6"""
    side = size + 4
    point = torch.zeros(1, 1, side, side)
    point[0, 0, side // 2, side // 2] = 1
    kernel = gaussian_blur(point, sigma)[0, 0]
    assert kernel.max().item() == kernel[side // 2, side // 2].item() == pytest.approx(centre, rel=3e-6, abs=6e-8)
    assert (kernel > 0).sum() == size**2
    assert kernel.sum().item() == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(kernel, kernel.T)
    torch.testing.assert_close(kernel, kernel.flip(0), rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("sigma", "middle", "corner", "edge"),
    [
        (1, 0.5161290, 0.0079899, 0.4015158),
        (2, 0.5161294, 0.0143180, 0.3377055),
        (4, 0.5161288, 0.0261696, 0.2800315),
    ],
)
def test_blur_fades_at_the_border(sigma, middle, corner, edge):
    """A.6: zeros outside."""
    a = gaussian_blur(ramps()[0], sigma)[0, 0]
    got = [a[16, 16].item(), a[0, 0].item(), a[31, 5].item()]
    assert got == pytest.approx([middle, corner, edge], abs=1e-6)


def test_blur_keeps_samples_channels_and_sides_apart():
    x = torch.rand(2, 3, 20, 36, generator=torch.Generator().manual_seed(2))
    blurred = gaussian_blur(x, 2)
    assert blurred.shape == x.shape
    torch.testing.assert_close(blurred[1:, 2:], gaussian_blur(x[1:, 2:], 2))
    torch.testing.assert_close(gaussian_blur(x.mT, 2).mT, blurred)


def test_windows_by_resolution():
    """7.8.2"""
    assert dssim_windows(96) == ((8, 10.0),)
    assert dssim_windows(224) == ((19, 10.0),)
    assert dssim_windows(256) == ((22, 5.0), (11, 5.0))


def disc(side, radius):
    y, x = np.mgrid[0:side, 0:side] - (side - 1) / 2
    return torch.from_numpy((np.hypot(x, y) < radius)[None, None].astype(np.float32))


def test_the_soft_mask_is_one_within_and_fades_outside():
    """2 clip(blur, 0, 0.5) is 1 wherever the blurred mask is above a half, so the whole face counts."""
    mask = disc(64, 20)
    soft = soft_mask(mask)
    assert soft[0, 0, 32, 32] == 1
    assert soft[mask > 0].min() > 0.85
    assert 0 < soft[0, 0, 32, 32 + 22] < 1
    assert soft[0, 0, 2, 2] == 0
    assert soft_mask(torch.ones(1, 1, 64, 64))[0, 0, 32, 0] == 1
    assert soft_mask(torch.ones(1, 1, 64, 64))[0, 0, 0, 0] < 1
    sigma = 64 // 32
    torch.testing.assert_close(soft, 2 * gaussian_blur(mask, sigma).clamp(0, 0.5))


def test_what_lies_outside_the_mask_costs_nothing():
    target = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    soft = soft_mask(disc(64, 20)).expand(2, -1, -1, -1)
    noise = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(4))
    outside = torch.where(soft == 0, noise, target)
    assert reconstruction(outside, target, soft).abs().max() < 1e-5
    inside = torch.where(soft == 1, noise, target)
    assert reconstruction(inside, target, soft).min() > 0.5


@pytest.mark.parametrize("side", [64, 256])
def test_reconstruction_is_the_sum_of_the_specification(side):
    generator = torch.Generator().manual_seed(5)
    p, t = torch.rand(2, 2, 3, side, side, generator=generator).unbind()
    mask = soft_mask(disc(side, side / 3)).expand(2, -1, -1, -1)
    squares = 10 * ((p - t) * mask).square().flatten(1).mean(1).double()
    structure = sum(weight * dssim(p * mask, t * mask, window) for window, weight in dssim_windows(side))
    torch.testing.assert_close(reconstruction(p, t, mask).double(), squares + structure, rtol=1e-5, atol=1e-6)


def test_mask_loss_is_ten_times_the_mean_square_per_sample():
    a = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 4, 4)
    torch.testing.assert_close(mask_loss(a, torch.full_like(a, 0.5)), torch.tensor([2.5, 2.5]))
    torch.testing.assert_close(mask_loss(a, torch.zeros_like(a)), torch.tensor([0.0, 10.0]))
