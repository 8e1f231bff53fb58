"""Pictures of pictures: the plate beside the result, and one frame with every choice of a control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from konterfei.geometry import Face
from konterfei.imaging import to_float, to_uint8
from konterfei.provenance.label import label_region

Array = NDArray[Any]

TILE: Final = 420
"""Width of one picture of a sheet, px: four stand side by side on a laptop's screen."""
_COLUMNS: Final = 4
_GAP: Final = 8
_TEXT: Final = 26
_BACKGROUND: Final = (24, 24, 24)
_MARK: Final = (255, 210, 60)
_DARK: Final = (0, 0, 0)
_AROUND: Final = 0.75
"""What is shown around the faces on each side, as a fraction of their size: neck and hair say whether a colour fits."""


def side_by_side(plate: Array, result: Array) -> Array:
    """Plate and result, [H, W, 3] of one kind -> [H, 2 W, 3]; another size of the result is fitted to the plate's."""
    if result.shape != plate.shape:
        result = _fitted(result, plate.shape[1], plate.shape[0])
        result = result if plate.dtype == np.uint8 else result.astype(np.uint16) * 257
    return np.concatenate([plate, result], axis=1)


def named(image: Array, faces: Sequence[Face]) -> Array:
    """The frame with a box around every face and its track and person above it. [H, W, 3] of the same kind"""
    picture = Image.fromarray(to_uint8(to_float(image)))
    size = max(picture.height // 40, 12)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size)
    for face in faces:
        left, top, right, bottom = (int(side) for side in np.rint(face.box))
        draw.rectangle((left, top, right, bottom), outline=_MARK, width=max(size // 12, 1))
        told = [f"track {face.track}"] if face.track is not None else []
        told += [f"person {face.person}"] if face.person is not None else []
        place = max(left, 2), max(top - round(1.4 * size), 2)
        draw.text(place, ", ".join(told), _MARK, font, stroke_width=2, stroke_fill=_DARK)
    drawn = np.array(picture)
    return drawn if image.dtype == np.uint8 else drawn.astype(np.uint16) * 257


def sheet(title: str, pictures: Mapping[str, Array], faces: Sequence[Face], label: str, text: str | None) -> Array:
    """A contact sheet, with room for the label in its top right corner.

    Args:
        title: what is shown.
        pictures: words below it -> frame, uint8 or uint16; those of the first one's size are cut around the faces.
        faces: in that frame; none = all of the frame is shown.
        label, text: style and words of the label that will be drawn.

    Returns:
        [H, W, 3] uint8
    """
    first = next(iter(pictures.values()))
    rows, columns = _around(faces, first.shape)
    height = max(round(TILE * (rows.stop - rows.start) / (columns.stop - columns.start)), 1)
    across = min(_COLUMNS, len(pictures))
    lines = -(-len(pictures) // across)
    width = across * (TILE + _GAP) + _GAP
    step = height + _TEXT + 2 * _GAP
    top = head = _TEXT + 2 * _GAP
    for _ in range(3):  # the label's place depends on the height, which depends on it
        region = label_region(width, top + lines * step, label, text)
        top = head if region is None else max(head, region[0].stop + _GAP)
    canvas = np.full((top + lines * step, width, 3), _BACKGROUND, np.uint8)
    words = [((_GAP, _GAP), title)]
    for number, (caption, picture) in enumerate(pictures.items()):
        line, column = divmod(number, across)
        y, x = top + line * step, _GAP + column * (TILE + _GAP)
        part = picture[rows, columns] if picture.shape == first.shape else picture
        canvas[y : y + height, x : x + TILE] = _fitted(part, TILE, height)
        words.append(((x, y + height + _GAP // 2), caption))
    return _written(canvas, words)


def _around(faces: Sequence[Face], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of the frame that show the faces and what is around them."""
    if not faces:
        return slice(0, shape[0]), slice(0, shape[1])
    boxes = np.array([face.box for face in faces])
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    room = _AROUND * max(face.size for face in faces)
    left, top = np.clip(np.floor(low - room), 0, [shape[1] - 2, shape[0] - 2]).astype(int)
    right, bottom = np.clip(np.ceil(high + room), [left + 1, top + 1], [shape[1], shape[0]]).astype(int)
    return slice(int(top), int(bottom)), slice(int(left), int(right))


def _fitted(picture: Array, width: int, height: int) -> Array:
    """The picture as large as fits into the middle of a black one of this size. [height, width, 3] uint8"""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(to_uint8(to_float(picture)), size, interpolation=method)
    fitted = np.zeros((height, width, 3), np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    fitted[top : top + size[1], left : left + size[0]] = scaled
    return fitted


def _written(canvas: Array, words: Sequence[tuple[tuple[int, int], str]]) -> Array:
    picture = Image.fromarray(canvas)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(_TEXT - 6)
    for place, text in words:
        short = text if font.getlength(text) <= TILE else text[: int(len(text) * TILE / font.getlength(text)) - 1] + "…"
        draw.text(place, short, fill=(230, 230, 230), font=font)
    return np.array(picture)
