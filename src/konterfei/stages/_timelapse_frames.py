"""The frames of a timelapse: a part of each preview, with bands above and below for its words."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.errors import ConfigError
from konterfei.io.preview_file import MASKED, SWAP, PreviewLayout
from konterfei.provenance.label import draw_label, label_region, wording

Array = NDArray[Any]

HOLD_S = 1.0
"""Seconds that the last preview stays."""
_NARROWEST = 480  # px: a narrower film is enlarged, so that its words have room
_BAND = 36  # px, at least, above the faces
_SPACE = 8  # px between a label and the faces
_GREY = 32


def film_label(style: str) -> str | None:
    """The words of the visible label; None for none."""
    return f"{wording(style)} (PREVIEW)" if wording(style) else None


class Film:
    """Cuts what is wanted out of previews that are all laid out alike, and sets it into frames.

    Args:
        layout: of the previews; None = they do not say.
        only: "plain", "masked", "swap"; None = everything.
        row: one row of faces, from 1; None = all.
        label: style of the visible label; it never covers a face.

    Raises:
        ConfigError: there is no such row, or it takes a layout.
    """

    def __init__(self, layout: PreviewLayout | None, only: str | None, row: int | None, label: str) -> None:
        if layout is None and (only or row):
            raise ConfigError(
                "The previews of this run do not say where their columns are: they were made by an earlier version. "
                "Leave --only and --row out, or train on with this one."
            )
        if layout is not None and row is not None and row > layout.rows:
            raise ConfigError(f"--row is {row}; the previews have {layout.rows} rows of faces.")
        self._layout, self._only, self._label = layout, only, label
        count = layout.rows if layout else 0
        self._rows = range(count) if row is None else range(row - 1, row)
        self._is_whole = only is None and row is None

    def frame(self, preview: Array, told: str) -> Array:
        """One frame: the faces, `told` above them on the left, the label. Its sides are even. [H, W, 3] uint8"""
        faces = preview if self._is_whole else self._cut(preview)
        scale = math.ceil(_NARROWEST / faces.shape[1])
        if scale > 1:
            faces = cv2.resize(faces, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        height, width = faces.shape[:2]
        above, below = self._bands(width, height)
        frame = np.full((above + height + below, width + width % 2, 3), _GREY, np.uint8)
        frame[above : above + height, :width] = faces
        size = 0.6 if width < 900 else 0.8
        at = (16, above // 2 + round(10 * size))
        cv2.putText(frame, told, at, cv2.FONT_HERSHEY_SIMPLEX, size, (235, 235, 235), 1, cv2.LINE_AA)
        return draw_label(frame, self._label, film_label(self._label))

    def _cut(self, preview: Array) -> Array:
        layout = self._layout
        assert layout is not None
        if self._only == "swap":
            faces = [layout.face(preview, SWAP, row) for row in self._rows]
            across = min(3, len(faces))
            faces += [np.full_like(faces[0], _GREY)] * (-len(faces) % across)
            lines = [np.hstack(faces[i : i + across]) for i in range(0, len(faces), across)]
            return np.vstack(lines)
        wanted = [
            left
            for name, left in layout.columns
            if self._only is None or (self._only == "masked") == name.endswith(MASKED)
        ]
        columns = slice(min(wanted), max(wanted) + layout.cell)
        top = layout.top + self._rows[0] * layout.cell
        bottom = layout.top + (self._rows[-1] + 1) * layout.cell
        return np.vstack([preview[: layout.top, columns], preview[top:bottom, columns]])

    def _bands(self, width: int, height: int) -> tuple[int, int]:
        """Heights of the bands above and below the faces, such that the label lies in one of them; the sum is even."""
        above, below = _BAND, 0
        width += width % 2
        for _ in range(20):  # a higher frame has a larger label, which wants a higher band: this settles
            total = above + height + below
            region = label_region(width, total, self._label, film_label(self._label))
            if region is None:
                break
            rows = region[0]
            if rows.start < total / 2:
                wanted = (max(above, rows.stop + _SPACE), below)
            else:
                wanted = (above, max(below, total - rows.start + _SPACE))
            if wanted == (above, below):
                break
            above, below = wanted
        return above, below + (above + height + below) % 2
