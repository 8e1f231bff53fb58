"""Reconstruction losses of the DeepFaceLab family (dfl-spec 7.7, 7.8).

Windows are applied as products with banded (Toeplitz) matrices: the same numbers as a depth-wise convolution, several
times faster on a CPU, and on tensor cores elsewhere.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

DSSIM_SIGMA = 1.5
"""Standard deviation of the DSSIM window, in pixels, whatever its size (dfl-spec 7.7)."""


def _gaussian(size: int, sigma: float, centre: float) -> Tensor:
    x = torch.arange(size, dtype=torch.float64) - centre
    kernel = torch.exp(-(x**2) / (2 * sigma**2))
    return kernel / kernel.sum()


@lru_cache(maxsize=64)
def _valid_band(side: int, window: int, device: str) -> Tensor:
    """Matrix [side - window + 1, side] that slides the DSSIM window without padding."""
    kernel = _gaussian(window, DSSIM_SIGMA, (window - 1) / 2)
    band = torch.zeros(side - window + 1, side, dtype=torch.float64)
    for i in range(side - window + 1):
        band[i, i : i + window] = kernel
    return band.float().to(device)


@lru_cache(maxsize=64)
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


def dssim_windows(resolution: int) -> tuple[tuple[int, float], ...]:
    """(window, weight) pairs of the reconstruction loss at `resolution` (dfl-spec 7.8.2)."""
    if resolution < 256:
        return ((int(resolution / 11.6), 10.0),)
    return ((int(resolution / 11.6), 5.0), (int(resolution / 23.2), 5.0))


def soft_mask(mask: Tensor) -> Tensor:
    """The blurred mask that reconstruction is restricted to: 2 clip(blur(m), 0, 0.5) (dfl-spec 7.8.2)."""
    sigma = float(max(1, mask.shape[-1] // 32))
    return 2 * gaussian_blur(mask, sigma).clamp(0, 0.5)


def reconstruction(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """DSSIM + MSE inside the blurred face mask, weights of dfl-spec 7.8.2.

    Args:
        predicted: [B, 3, R, R] in [0, 1].
        target: [B, 3, R, R] in [0, 1].
        mask: `soft_mask` of the target's mask, or ones. [B, 1, R, R]

    Returns:
        One loss per sample. [B]
    """
    p, t = predicted * mask, target * mask
    loss = 10 * (p - t).square().mean(dim=(1, 2, 3))
    for window, weight in dssim_windows(target.shape[-1]):
        loss = loss + weight * dssim(p, t, window)
    return loss


def mask_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """10 x mean squared error of masks. [B, 1, R, R] x 2 -> [B] (dfl-spec 7.8.2)."""
    return 10 * (predicted - target).square().mean(dim=(1, 2, 3))
