"""DSSIM, blur and the reconstruction losses against the original's numbers and against plain convolutions."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from konterfei.nets.losses import (
    blur_outside,
    dssim,
    dssim_windows,
    gaussian_blur,
    judged,
    mask_loss,
    parts_loss,
    reconstruction,
    soft_mask,
    style_loss,
    total_variation,
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
    assert dssim_windows(224, always_two=True) == ((19, 5.0), (9, 5.0))


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
    windows = dssim_windows(64)
    assert reconstruction(outside * soft, target * soft, windows).abs().max() < 1e-5
    inside = torch.where(soft == 1, noise, target)
    assert reconstruction(inside * soft, target * soft, windows).min() > 0.5


@pytest.mark.parametrize("side", [64, 256])
def test_reconstruction_is_the_sum_of_the_specification(side):
    generator = torch.Generator().manual_seed(5)
    p, t = torch.rand(2, 2, 3, side, side, generator=generator).unbind()
    mask = soft_mask(disc(side, side / 3)).expand(2, -1, -1, -1)
    squares = 10 * ((p - t) * mask).square().flatten(1).mean(1).double()
    structure = sum(weight * dssim(p * mask, t * mask, window) for window, weight in dssim_windows(side))
    got = reconstruction(p * mask, t * mask, dssim_windows(side))
    torch.testing.assert_close(got.double(), squares + structure, rtol=1e-5, atol=1e-6)


def test_mask_loss_is_ten_times_the_mean_square_per_sample():
    a = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 4, 4)
    torch.testing.assert_close(mask_loss(a, torch.full_like(a, 0.5)), torch.tensor([2.5, 2.5]))
    torch.testing.assert_close(mask_loss(a, torch.zeros_like(a)), torch.tensor([0.0, 10.0]))


# --- what can be chosen beyond reconstruction


def test_style_and_total_variation_give_the_original_numbers():
    """A.5"""
    a, _, c = ramps()
    assert style_loss(a, c, 4, 100).item() == pytest.approx(0.6639388, abs=2e-6)
    assert style_loss(a, c, 0, 100).item() == pytest.approx(0.9132993, abs=2e-6)
    assert total_variation(c).item() == pytest.approx(472.41016, rel=1e-6)


def test_style_is_a_mean_over_channels_and_blind_to_places():
    a, _, c = ramps()
    both = style_loss(torch.cat([a, a], 1), torch.cat([c, a], 1), 0, 100)
    torch.testing.assert_close(both, style_loss(a, c, 0, 100) / 2)
    assert style_loss(a, a.mT.flip(2), 0, 100).item() == pytest.approx(0, abs=1e-8)


def test_total_variation_by_mistake_counts_channels_and_not_columns():
    """7.7 [Q]: stripes across columns are free, a difference of channels is not."""
    stripes = (torch.arange(8) % 2.0).expand(1, 3, 8, 8)
    assert total_variation(stripes).item() == 3 * 8 * 7
    assert total_variation(stripes, exact=True).item() == 0
    tinted = torch.zeros(1, 3, 8, 8)
    tinted[:, 1] = 1
    assert total_variation(tinted).item() == 0
    assert total_variation(tinted, exact=True).item() == 2 * 64


def test_parts_count_three_hundred_times_and_nothing_else_does():
    p, t = torch.rand(2, 2, 3, 16, 16, generator=torch.Generator().manual_seed(6)).unbind()
    parts = torch.zeros(2, 1, 16, 16)
    parts[0, :, 4:8, 4:8] = 0.5
    got = parts_loss(p, t, parts)
    assert got[0].item() == pytest.approx(300 * 0.5 * (p - t)[0, :, 4:8, 4:8].abs().sum().item() / (3 * 256), rel=1e-5)
    assert got[1] == 0


def test_the_outside_is_blurred_and_the_face_does_not_bleed_into_it():
    mask = disc(128, 40)
    noise = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(7))
    blurred = blur_outside(noise, mask)
    torch.testing.assert_close(blurred * mask, noise * mask)
    assert (blurred * (1 - mask)).std() < 0.8 * (noise * (1 - mask)).std()
    black_face = blur_outside(torch.full_like(noise, 0.5) * (1 - mask), mask)
    near = (gaussian_blur(mask, 1) > 0.01) & (mask == 0)
    torch.testing.assert_close(black_face[near.expand_as(noise)], torch.full((int(near.sum()) * 3,), 0.5))


def test_verdicts_are_cross_entropies_per_sample():
    logits = torch.tensor([0.0, 2.0]).view(2, 1, 1, 1).expand(2, 1, 3, 3)
    torch.testing.assert_close(judged(logits, True), torch.log1p(torch.exp(-torch.tensor([0.0, 2.0]))))
    torch.testing.assert_close(judged(logits, False), torch.log1p(torch.exp(torch.tensor([0.0, 2.0]))))


def test_who_measures_first_leaves_nothing_that_cannot_be_trained_with():
    """Bands are kept: made while somebody only looks, they must do for a training as well."""
    with torch.inference_mode():
        dssim(torch.zeros(1, 3, 37, 37), torch.ones(1, 3, 37, 37), 9)
    faces = torch.full((1, 3, 37, 37), 0.5, requires_grad=True)
    dssim(faces, torch.ones(1, 3, 37, 37), 9).sum().backward()
    assert torch.isfinite(faces.grad).all()
