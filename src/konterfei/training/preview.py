"""A picture of what a model can do so far.

A row for each of some faces, in the columns of dfl-spec 7.10.5: src, src as it is given back, dst, dst as it is given
back, dst's face drawn as src; and the same five once more with everything outside the masks black.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from konterfei.io.preview_file import COLUMNS, MASKED, SWAP, Preview, PreviewLayout
from konterfei.models.base import SwapModel
from konterfei.models.devices import autocast
from konterfei.training.data import TrainingFaces

Array = NDArray[Any]

_SMALLEST, _LARGEST = 128, 256  # side of a face in the picture, px
_HEIGHT = 800  # of all rows together, px: a window shows them without scrolling
MOST_ROWS = _HEIGHT // _SMALLEST
"""Faces of each person in the picture, at most."""

_TOP, _GAP = 24, 12  # height of the names, space between plain and masked columns, px


def layout_for(resolution: int) -> PreviewLayout:
    """Where the faces of a model of that resolution go."""
    cell = min(max(resolution, _SMALLEST), _LARGEST)
    count = len(COLUMNS)
    plain = [(name, column * cell) for column, name in enumerate(COLUMNS)]
    masked = [(f"{name}{MASKED}", (count + column) * cell + _GAP) for column, name in enumerate(COLUMNS)]
    return PreviewLayout((*plain, *masked), cell, _TOP, rows=_HEIGHT // cell)


def preview_grid(
    model: SwapModel,
    src: TrainingFaces,
    dst: TrainingFaces,
    device: torch.device,
    precision: str,
    at_once: int = MOST_ROWS,
) -> Preview:
    """Faces of both people, their reconstructions and the swap, plain and masked.

    Args:
        model: what has been learned.
        src, dst: the faces.
        device, precision: where and in which format the model runs.
        at_once: faces of each person that it draws at a time, where memory is short.
    """
    layout, side = layout_for(model.dims.resolution), model.dims.resolution
    count = layout.rows
    src_faces, src_masks = spread_faces(src, count, side)
    dst_faces, dst_masks = spread_faces(dst, count, side)
    who = as_themselves(src, dst, count, device)
    drawn = []
    for i in range(0, count, at_once):
        here = slice(i, i + at_once)
        said = None if who is None else torch.cat([half[here] for half in who.chunk(2)])
        drawn.append(_draw(model, src_faces[here], dst_faces[here], said, device, precision))
    src_again, src_mask, dst_again, dst_mask, swapped, swap_mask = (
        np.concatenate(parts) for parts in zip(*drawn, strict=True)
    )
    images = [src_faces, src_again, dst_faces, dst_again, swapped]
    masks = [src_masks, src_mask, dst_masks, dst_mask, swap_mask]
    images += [np.round(image * mask).astype(np.uint8) for image, mask in zip(images, masks, strict=True)]
    width = layout.columns[-1][1] + layout.cell
    picture = np.full((layout.top + count * layout.cell, width, 3), 32, np.uint8)
    for (name, left), faces in zip(layout.columns, images, strict=True):
        for row in range(count):
            layout.face(picture, name, row)[:] = _scaled(faces[row], layout.cell)
        _write(picture, f"{name} (swap)" if name == SWAP else name, left, layout.cell)
    return Preview(picture, layout)


def _draw(
    model: SwapModel, src: Array, dst: Array, who: Tensor | None, device: torch.device, precision: str
) -> tuple[Array, ...]:
    """src again, dst again and the swap, each with its mask."""
    count = len(src)
    batch = torch.from_numpy(np.concatenate([src, dst])).to(device).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode(), autocast(device, precision):
        again = model.rebuild(batch.contiguous(memory_format=torch.channels_last), who)
        plate = batch[count:].contiguous(memory_format=torch.channels_last)
        if who is None:
            swapped, dst_mask = model.swap(plate)
        else:
            swapped, dst_mask = model.reconstruct_as(plate, who[:count]), again.mask[count:]
    return (
        _pixels(again.image[:count]),
        _values(again.mask[:count]),
        _pixels(again.image[count:]),
        _values(again.mask[count:]),
        _pixels(swapped.image),
        _values(swapped.mask) * _values(dst_mask),  # as a merge has it: neither spills
    )


def spread_faces(faces: TrainingFaces, count: int, side: int) -> tuple[Array, Array]:
    """`count` faces, evenly spread over the faceset: [N, side, side, 3] uint8, and masks [N, side, side, 1] in [0, 1].

    A faceset with fewer faces repeats some.
    """
    chosen = _spread(faces, count)
    masks = [cv2.resize(faces.pixels[i, ..., 3], (side, side), interpolation=cv2.INTER_AREA) for i in chosen]
    return np.stack([faces.straight(int(i), side) for i in chosen]), np.stack(masks)[..., None] / np.float32(255)


def as_themselves(src: TrainingFaces, dst: TrainingFaces, count: int, device: torch.device) -> Tensor | None:
    """Who is in the faces of `spread_faces`, first src's, then dst's, for `SwapModel.reconstruct_as`. [2 N, 2, 192]

    None where it was not told. As in a pair, dst's second is src (`models.many`).
    """
    if src.who is None or dst.who is None:
        return None
    ours, theirs = (faces.who[_spread(faces, count)] for faces in (src, dst))  # type: ignore[index]
    both = np.concatenate([np.stack([ours, ours], axis=1), np.stack([theirs, ours], axis=1)])
    return torch.from_numpy(both).to(device)


def _spread(faces: TrainingFaces, count: int) -> Array:
    return np.linspace(0, len(faces) - 1, count + 2).round().astype(int)[1:-1]


def _pixels(images: Tensor) -> Array:
    return (images.float().clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def _values(masks: Tensor) -> Array:
    return masks.float().clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()


def _scaled(face: Array, side: int) -> Array:
    method = cv2.INTER_CUBIC if face.shape[0] < side else cv2.INTER_AREA
    return face if face.shape[0] == side else cv2.resize(face, (side, side), interpolation=method)


def _write(picture: Array, name: str, left: int, cell: int) -> None:
    """The name of a column above its middle."""
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.42
    (width, _), _ = cv2.getTextSize(name, font, size, 1)
    at = (left + max(0, (cell - width) // 2), _TOP - 8)
    cv2.putText(picture, name, at, font, size, (235, 235, 235), 1, cv2.LINE_AA)
