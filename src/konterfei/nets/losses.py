"""Reconstruction losses of the DeepFaceLab family (dfl-spec 7.7, 7.8).

Windows are applied as products with banded (Toeplitz) matrices: the same numbers as a depth-wise convolution, several
times faster on a CPU, and on tensor cores elsewhere.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

DSSIM_SIGMA = 1.5
"""Standard deviation of the DSSIM window, in pixels, whatever its size (dfl-spec 7.7)."""


def _gaussian(size: int, sigma: float, centre: float) -> Tensor:
    x = torch.arange(size, dtype=torch.float64) - centre
    kernel = torch.exp(-(x**2) / (2 * sigma**2))
    return kernel / kernel.sum()


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # made once, for trainings too, whoever asks first
def _valid_band(side: int, window: int, device: str) -> Tensor:
    """Matrix [side - window + 1, side] that slides the DSSIM window without padding."""
    kernel = _gaussian(window, DSSIM_SIGMA, (window - 1) / 2)
    band = torch.zeros(side - window + 1, side, dtype=torch.float64)
    for i in range(side - window + 1):
        band[i, i : i + window] = kernel
    return band.float().to(device)


@lru_cache(maxsize=64)
@torch.inference_mode(False)
def _same_band(side: int, sigma: float, device: str) -> Tensor:
    """Matrix [side, side] of the zero-padded Gaussian blur of dfl-spec 7.7."""
    size = max(3, int(4 * sigma))
    size += 1 - size % 2
    half = size // 2
    kernel = _gaussian(size, sigma, half)
    band = torch.zeros(side, side, dtype=torch.float64)
    for i in range(side):
        for k in range(size):
            if 0 <= i + k - half < side:
                band[i, i + k - half] = kernel[k]
    return band.float().to(device)


def _slide(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    return rows @ x @ columns.T


def gaussian_blur(x: Tensor, sigma: float) -> Tensor:
    """Blur with zeros outside the image, so masks fade at its border. [B, C, H, W] -> same (dfl-spec 7.7, A.6)."""
    h, w = x.shape[-2:]
    device = str(x.device)
    return _slide(x, _same_band(h, sigma, device), _same_band(w, sigma, device))


def dssim(a: Tensor, b: Tensor, window: int) -> Tensor:
    """Structural dissimilarity (1 - SSIM) / 2 of images in [0, 1]. [B, C, H, W] x 2 -> [B] (dfl-spec 7.7, A.5).

    Args:
        a: one image.
        b: the other.
        window: side of the Gaussian window in pixels; no padding.
    """
    batch, channels, h, w = a.shape
    device = str(a.device)
    rows, columns = _valid_band(h, window, device), _valid_band(w, window, device)
    stack = torch.cat([a, b, a * b, a * a + b * b]).flatten(0, 1)
    mu_a, mu_b, e_ab, e_sq = _slide(stack, rows, columns).view(4, batch * channels, *_out(h, w, window))
    c1, c2 = 0.01**2, 0.03**2
    product, squares = mu_a * mu_b, mu_a.square() + mu_b.square()
    luminance = (2 * product + c1) / (squares + c1)
    contrast = (2 * (e_ab - product) + c2) / (e_sq - squares + c2)
    ssim = (luminance * contrast).mean(dim=(-2, -1)).view(batch, channels)
    return ((1 - ssim) / 2).mean(dim=1)


def _out(h: int, w: int, window: int) -> tuple[int, int]:
    return h - window + 1, w - window + 1


def dssim_windows(resolution: int, always_two: bool = False) -> tuple[tuple[int, float], ...]:
    """(window, weight) pairs of the reconstruction loss at `resolution` (dfl-spec 7.8.2; two always: 7.8.8)."""
    if resolution < 256 and not always_two:
        return ((int(resolution / 11.6), 10.0),)
    return ((int(resolution / 11.6), 5.0), (int(resolution / 23.2), 5.0))


def soft_mask(mask: Tensor) -> Tensor:
    """The blurred mask that reconstruction is restricted to: 2 clip(blur(m), 0, 0.5) (dfl-spec 7.8.2)."""
    sigma = float(max(1, mask.shape[-1] // 32))
    return 2 * gaussian_blur(mask, sigma).clamp(0, 0.5)


def reconstruction(predicted: Tensor, target: Tensor, windows: tuple[tuple[int, float], ...]) -> Tensor:
    """DSSIM + MSE, weights of dfl-spec 7.8.2.

    Args:
        predicted: [B, 3, R, R] in [0, 1], times the `soft_mask` where only the face counts.
        target: likewise.
        windows: of the DSSIM, with their weights.

    Returns:
        One loss per sample. [B]
    """
    loss = 10 * squared_error(predicted, target)
    for window, weight in windows:
        loss = loss + weight * dssim(predicted, target, window)
    return loss


def squared_error(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared difference of each sample. [B, C, H, W] x 2 -> [B]"""
    return (a - b).square().mean(dim=(1, 2, 3))


def mask_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """10 x mean squared error of masks. [B, 1, R, R] x 2 -> [B] (dfl-spec 7.8.2)."""
    return 10 * squared_error(predicted, target)


def parts_loss(predicted: Tensor, target: Tensor, parts: Tensor) -> Tensor:
    """300 x mean absolute error within eyes and mouth. [B, 3, R, R] x 2, mask [B, 1, R, R] -> [B] (dfl-spec 7.8.2)."""
    return 300 * (predicted * parts - target * parts).abs().mean(dim=(1, 2, 3))


def blur_outside(target: Tensor, mask: Tensor) -> Tensor:
    """The picture with what lies outside its mask blurred, without the face bleeding into it (dfl-spec 7.8.1).

    Args:
        target: [B, 3, R, R] in [0, 1].
        mask: 1 = face. [B, 1, R, R]
    """
    sigma = target.shape[-1] / 128
    outside = 1 - mask
    share = 1 - gaussian_blur(mask, sigma)
    share = torch.where(share == 0, torch.ones_like(share), share)
    return target * mask + gaussian_blur(target * outside, sigma) / share * outside


def style_loss(drawn: Tensor, wanted: Tensor, sigma: float, weight: float) -> Tensor:
    """Difference of the channels' means and spreads, each picture blurred before (dfl-spec 7.7, A.5).

    Args:
        drawn: [B, C, H, W].
        wanted: [B, C, H, W].
        sigma: of the blur in pixels; 0 = none.
        weight: of the sum over the channels, divided by their number.

    Returns:
        One loss per sample. [B]
    """
    if sigma > 0:
        drawn, wanted = gaussian_blur(drawn, sigma), gaussian_blur(wanted, sigma)
    loss = torch.zeros(drawn.shape[0], device=drawn.device)
    for measure in (_means, _spreads):
        loss = loss + (measure(drawn) - measure(wanted)).square().sum(dim=1)
    return loss * (weight / drawn.shape[1])


def _means(x: Tensor) -> Tensor:
    return x.mean(dim=(2, 3))


def _spreads(x: Tensor) -> Tensor:
    return (x.var(dim=(2, 3), correction=0) + 1e-5).sqrt()


def total_variation(x: Tensor, exact: bool = False) -> Tensor:
    """Sum of squared differences of neighbouring pixels, down and across. [B, C, H, W] -> [B] (dfl-spec 7.7, A.5).

    Args:
        x: pictures.
        exact: over neighbouring channels and rows, as the original does on a GPU by mistake ([Q] there).
    """
    axes = (1, 2) if exact else (2, 3)
    return sum(x.diff(dim=axis).square().sum(dim=(1, 2, 3)) for axis in axes)  # type: ignore[return-value]


def judged(logits: Tensor, is_real: bool) -> Tensor:
    """Cross entropy of a discriminator's verdict, mean per sample. [B, 1, H, W] -> [B] (dfl-spec 7.8.5, 7.8.6)."""
    labels = torch.full_like(logits, float(is_real), dtype=torch.float32)
    return F.binary_cross_entropy_with_logits(logits.float(), labels, reduction="none").mean(dim=(1, 2, 3))
