"""A picture of what a model can do so far."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from konterfei.models.base import SwapModel
from konterfei.models.devices import autocast
from konterfei.training.data import TrainingFaces

Array = NDArray[Any]

_CELL = 128  # side of a face in the picture, px
_ROWS = ("src", "src again", "dst", "dst again", "swap")


def preview_grid(
    model: SwapModel, src: TrainingFaces, dst: TrainingFaces, device: torch.device, precision: str, columns: int = 6
) -> Array:
    """Faces of both people, their reconstructions, and the swap; a column each.

    Returns:
        RGB, rows src / src reconstructed / dst / dst reconstructed / dst drawn as src. [H, W, 3] uint8
    """
    side = model.dims.resolution
    src_faces, dst_faces = (_spread(faces, columns, side) for faces in (src, dst))
    batch = torch.from_numpy(np.concatenate([src_faces, dst_faces])).to(device).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode(), autocast(device, precision):
        again = model.reconstruct(batch.contiguous(memory_format=torch.channels_last)).image
        swapped = model.swap(batch[columns:].contiguous(memory_format=torch.channels_last))[0].image
    rows = (src_faces, _pixels(again[:columns]), dst_faces, _pixels(again[columns:]), _pixels(swapped))
    return np.vstack([_row(faces, name) for faces, name in zip(rows, _ROWS, strict=True)])


def _spread(faces: TrainingFaces, count: int, side: int) -> Array:
    """`count` faces, evenly spread over the faceset."""
    chosen = np.linspace(0, len(faces) - 1, count + 2).round().astype(int)[1:-1]
    return np.stack([faces.straight(int(i), side) for i in chosen])


def _pixels(images: Tensor) -> Array:
    return (images.float().clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def _row(faces: Array, name: str) -> Array:
    cells = [cv2.resize(face, (_CELL, _CELL), interpolation=cv2.INTER_CUBIC) for face in faces]
    row = np.hstack(cells)
    cv2.putText(row, name, (5, _CELL - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(row, name, (5, _CELL - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
    return row
