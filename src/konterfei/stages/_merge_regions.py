"""Which regions of a plate's frame a merge looks at, so that RGB is made of these only.

A whole frame is taken where somebody needs it: extras and pictures show it, DeepFaceLab's merger works on it, a plate
that is made worse is looked at all around the face, and a face that turns out to reach further than its crop promised
asks for it afterwards (`wholly_covered`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from konterfei.compositing import MergeSettings
from konterfei.geometry import Crop, Face, Region
from konterfei.io.video import Frame
from konterfei.occluders import surroundings

_AROUND = 0.04
"""Of the crop's side, on each side. Nothing is pasted beyond the crop."""
_MARGIN = 16
"""Pixels more, for kernels that work on the picture."""
_REACH = 8
"""Pixels that a cubic kernel reaches when chroma is made of RGB."""


def narrowed(frame: Frame, faces: Iterable[tuple[Face, Crop, MergeSettings]], always: Sequence[Region] | None) -> Frame:
    """`frame`, of which only what is looked at will be made.

    Args:
        frame: of the plate.
        faces: each face, the crop of it that a model is shown, and its settings.
        always: regions besides (the label's); None = the whole frame is wanted.
    """
    if always is None:
        return frame
    width, height = frame.size
    regions = [_widened(region, _MARGIN, width, height) for region in always]
    for face, crop, settings in faces:
        if settings.dfl is not None or settings.is_square or settings.needs_segmenter or settings.worsens_plate:
            return frame
        size = crop.size
        grown = size * (0.5 * max(settings.face_scale, 1.0) + _AROUND)
        corners = np.array([[size / 2 + x * grown, size / 2 + y * grown] for x in (-1, 1) for y in (-1, 1)])
        places = crop.frame_from_crop @ corners
        low, high = np.floor(places.min(axis=0)) - _MARGIN, np.ceil(places.max(axis=0)) + _MARGIN
        left, right = (int(np.clip(value, 0, width)) for value in (low[0], high[0]))
        top, bottom = (int(np.clip(value, 0, height)) for value in (low[1], high[1]))
        if left < right and top < bottom:
            regions.append((slice(top, bottom), slice(left, right)))
        if settings.occluders:
            regions.append(surroundings(face, crop).bounds((height, width), _MARGIN))
    return frame.within(_outermost(regions))


def wholly_covered(frame: Frame, touched: Iterable[Region | None]) -> bool:
    """Whether the frame's picture holds all of these regions, and as much around them as kernels of chroma reach."""
    if frame.regions is None:
        return True
    width, height = frame.size
    wanted = [_widened(region, _REACH, width, height) for region in touched if region is not None]
    return all(any(_holds(held, region) for held in frame.regions) for region in wanted)


def _outermost(regions: Sequence[Region]) -> list[Region]:
    """The regions without those that lie within another one."""
    kept: list[Region] = []
    for region in sorted(regions, key=_area, reverse=True):
        if not any(_holds(other, region) for other in kept):
            kept.append(region)
    return kept


def _area(region: Region) -> int:
    rows, columns = region
    return (rows.stop - rows.start) * (columns.stop - columns.start)


def _holds(outer: Region, inner: Region) -> bool:
    return all(o.start <= i.start and i.stop <= o.stop for o, i in zip(outer, inner, strict=True))


def _widened(region: Region, margin: int, width: int, height: int) -> Region:
    rows, columns = region
    return (
        slice(max(rows.start - margin, 0), min(rows.stop + margin, height)),
        slice(max(columns.start - margin, 0), min(columns.stop + margin, width)),
    )
