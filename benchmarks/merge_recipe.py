"""Merging as DeepFaceLab's merger does it, written from its specification (dfl-spec 8.4, overlay with rct, no erosion).

A frame is read from a PNG, worked on as a whole in float32, and written as two PNGs, picture and mask. What the network
draws is given. Nothing of konterfei is imported here: what is made faster there must not make this faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One face: crop_from_frame at 224 and at four times that, hull mask of the landmarks, what the network drew."""

    matrix: np.ndarray
    fine_matrix: np.ndarray
    landmarks: np.ndarray
    image: np.ndarray
    mask: np.ndarray
    plate_mask: np.ndarray


def rct(target, source, target_mask, source_mask):
    """Reinhard's transfer in Lab with the masks of dfl-spec 8.5."""
    source = cv2.cvtColor(source.astype(np.float32), cv2.COLOR_BGR2LAB)
    target = cv2.cvtColor(target.astype(np.float32), cv2.COLOR_BGR2LAB)
    source_counted, target_counted = source.copy(), target.copy()
    source_counted[source_mask[..., 0] < 0.5] = [0, 0, 0]
    target_counted[target_mask[..., 0] < 0.5] = [0, 0, 0]
    moved = target.copy()
    for channel in range(3):
        mean, std = target_counted[..., channel].mean(), target_counted[..., channel].std()
        wanted_mean, wanted_std = source_counted[..., channel].mean(), source_counted[..., channel].std()
        moved[..., channel] = (target[..., channel] - mean) * wanted_std / std + wanted_mean
    moved[..., 0] = np.clip(moved[..., 0], 0, 100)
    moved[..., 1:] = np.clip(moved[..., 1:], -127, 127)
    return cv2.cvtColor(moved, cv2.COLOR_LAB2BGR)


def merge(frame: np.ndarray, shown: Shown) -> np.ndarray:
    """Picture and mask of a frame. [H, W, 3] uint8 BGR -> [H, W, 4] uint8"""
    image = frame.astype(np.float32) / 255.0
    height, width = image.shape[:2]
    side = shown.image.shape[0]
    fine = 4 * side
    face = np.clip(cv2.warpAffine(image, shown.matrix, (side, side), flags=cv2.INTER_CUBIC), 0, 1)
    hull = np.zeros((height, width, 1), np.float32)
    cv2.fillConvexPoly(hull, cv2.convexHull(np.rint(shown.landmarks).astype(np.int32)), (1,))
    np.clip(cv2.warpAffine(hull, shown.matrix, (side, side), flags=cv2.INTER_CUBIC), 0, 1)
    drawn = np.clip(shown.image, 0, 1)
    mask = np.clip(shown.mask, 0, 1) * np.clip(shown.plate_mask, 0, 1)
    mask[mask < 1 / 255] = 0
    mask = cv2.resize(mask, (fine, fine), interpolation=cv2.INTER_CUBIC)
    mask = np.pad(mask, side)
    mask[: 2 * side] = mask[-2 * side :] = 0
    mask[:, : 2 * side] = mask[:, -2 * side :] = 0
    mask = np.clip(mask[side:-side, side:-side], 0, 1)
    over = cv2.warpAffine(
        mask, shown.fine_matrix, (width, height), np.zeros((height, width), np.float32),
        flags=cv2.WARP_INVERSE_MAP | cv2.INTER_CUBIC,
    )  # fmt: skip
    over = np.clip(over, 0, 1)[..., None]
    over[over < 1 / 255] = 0
    small = cv2.resize(mask, (side, side), interpolation=cv2.INTER_CUBIC)[..., None]
    area = small.copy()
    area[area > 0] = 1
    where = np.argwhere(over >= 0.1)
    if where.size == 0 or ((where.max(axis=0) - where.min(axis=0))[:2] < 4).any():
        return np.concatenate([frame, np.zeros((height, width, 1), np.uint8)], axis=2)
    drawn = np.clip(rct(drawn, face, area, area), 0, 1)
    out = cv2.warpAffine(
        drawn, shown.matrix, (width, height), np.zeros(image.shape, np.float32),
        flags=cv2.WARP_INVERSE_MAP | cv2.INTER_CUBIC,
    )  # fmt: skip
    out = np.clip(out, 0, 1)
    out = image * (1 - over) + out * over
    return (np.concatenate([out, over], axis=2) * 255).astype(np.uint8)


def merge_files(picture: Path, shown: Shown, output: Path, mask: Path) -> None:
    """The same from a PNG to two."""
    merged = merge(cv2.imread(str(picture)), shown)
    cv2.imwrite(str(output), merged[..., :3])
    cv2.imwrite(str(mask), merged[..., 3:])
