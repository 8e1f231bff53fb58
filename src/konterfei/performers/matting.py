"""Cuts a person out of plain grey, so that any background can stand behind."""

from __future__ import annotations

import cv2
import numpy as np

from konterfei.performers.raster import Float, disc, smooth_step


def push_pull(colour: Float, weight: Float) -> Float:
    """Colour everywhere from where it is known: near pixels count most, far gaps are filled smoothly. [H, W, C]

    The pyramid of Gortler et al. 1996, section 3.6: averages are pushed up to coarser levels, gaps pulled down.

    Args:
        colour: [H, W, C]
        weight: 1 = known, 0 = to be filled. [H, W]
    """
    colours, weights = [colour * weight[..., None]], [weight]
    while min(weights[-1].shape) > 2:
        size = ((weights[-1].shape[1] + 1) // 2, (weights[-1].shape[0] + 1) // 2)
        colours.append(cv2.resize(cv2.GaussianBlur(colours[-1], (0, 0), 1.0), size, interpolation=cv2.INTER_AREA))
        weights.append(cv2.resize(cv2.GaussianBlur(weights[-1], (0, 0), 1.0), size, interpolation=cv2.INTER_AREA))
    filled = colours[-1] / np.maximum(weights[-1], 1e-6)[..., None]
    for known, w in zip(colours[-2::-1], weights[-2::-1], strict=True):
        above = cv2.resize(filled, w.shape[::-1], interpolation=cv2.INTER_LINEAR)
        here = known / np.maximum(w, 1e-6)[..., None]
        trust = np.minimum(1.0, w)[..., None]
        filled = trust * here + (1.0 - trust) * above
    return filled.astype(np.float32)


def cut_out(picture: Float) -> tuple[Float, Float]:
    """The person's own colour, drawn out beyond the outline [H, W, 3], and coverage in [0, 1] [H, W].

    Args:
        picture: one person, head and shoulders, in front of plain grey; RGB in [0, 1]. [H, W, 3]
    """
    grey = _backdrop(picture)
    unit = len(picture) / 2048.0
    difference = np.abs(picture - grey).max(axis=-1)
    inside = _inside(difference)
    inside *= 1.0 - _gaps(difference, inside)
    core = _eroded(inside * (difference > 0.08), 9 * unit)
    foreground = push_pull(picture, core)
    # coverage: how far the pixel's colour has gone from the backdrop's to the person's
    way = foreground - grey
    length = (way * way).sum(axis=-1)
    alpha = ((picture - grey) * way).sum(axis=-1) / np.maximum(length, 1e-4)
    alpha = smooth_step(alpha, 0.20, 0.98)
    # where both have nearly one colour that says nothing: the outline itself decides
    soft = cv2.GaussianBlur(inside, (0, 0), max(0.8, 1.5 * unit))
    alpha = np.where(length > 0.03, alpha, soft)
    near = cv2.GaussianBlur(_dilated(inside, 26 * unit), (0, 0), 6 * unit)
    deep = cv2.GaussianBlur(_eroded(inside, 16 * unit), (0, 0), 4 * unit)
    alpha = np.maximum(alpha * near, deep).astype(np.float32)
    clean = np.clip((picture - (1 - alpha[..., None]) * grey) / np.maximum(alpha[..., None], 0.35), 0, 1)
    trust = smooth_step(alpha, 0.5, 0.98)[..., None] * cv2.GaussianBlur(core, (0, 0), 3 * unit)[..., None]
    trust = np.maximum(trust, 0.6 * smooth_step(alpha, 0.75, 1.0)[..., None])
    return (trust * clean + (1 - trust) * foreground).astype(np.float32), alpha


def _backdrop(picture: Float) -> Float:
    """The grey as it would be without the person: a parabola over the picture. [H, W, 3]"""
    height, width = picture.shape[:2]
    step = max(1, height // 256)
    y, x = np.mgrid[0:height:step, 0:width:step].astype(np.float32)
    x, y = x / width - 0.5, y / height - 0.5
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    thumb = cv2.GaussianBlur(picture, (0, 0), 0.4 * step + 0.3)[::step, ::step]
    sure = ((y < 0.0) & (np.abs(x) > 0.35)) | (y < -0.49)
    for _ in range(4):  # the known part grows to wherever the fitted grey fits
        fit = np.linalg.lstsq(basis[sure], thumb[sure], rcond=None)[0]
        sure = (np.abs(thumb - basis @ fit).max(axis=-1) < 0.04) & ((np.abs(x) > 0.3) | (y < -0.45))
    return cv2.resize((basis @ fit).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)


def _inside(difference: Float) -> Float:
    """1 within the outline, whatever the colour there. [H, W]"""
    unit = len(difference) / 2048.0
    solid = _dilated((difference > 0.10).astype(np.float32), 4 * unit)
    solid = _eroded(solid, 4 * unit)
    # the person reaches the picture's lower edge: everything not connected to the top and the sides is inside
    padded = cv2.copyMakeBorder(solid.astype(np.uint8), 1, 0, 1, 1, cv2.BORDER_CONSTANT, value=0)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(padded)
    person = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    outside = (labels != person).astype(np.uint8)
    cv2.floodFill(outside, None, (0, 0), 2)
    return (outside != 2)[1:, 1:-1].astype(np.float32)


def _gaps(difference: Float, inside: Float) -> Float:
    """1 where the backdrop shows between locks of hair: its colour, near the outline, above the shoulders. [H, W]"""
    unit = len(difference) / 2048.0
    same = _eroded((difference < 0.06).astype(np.float32), 2 * unit)
    same[round(0.6 * len(same)) :] = 0.0
    near_outline = 1.0 - _eroded(inside, 70 * unit)
    return _dilated(same * near_outline, 3 * unit)


def _eroded(mask: Float, radius: float) -> Float:
    return cv2.erode(mask, disc(radius), borderType=cv2.BORDER_REPLICATE)


def _dilated(mask: Float, radius: float) -> Float:
    return cv2.dilate(mask, disc(radius), borderType=cv2.BORDER_REPLICATE)
