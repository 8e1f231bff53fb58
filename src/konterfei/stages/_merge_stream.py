"""The way of the frames through a merge: decoded, drawn by the model in batches, steadied in colour, composited.

Each step is a generator over the one before, so that only a few frames are held at a time. Batches end with a part:
what a frame becomes does not depend on where the run began.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from konterfei.compositing import (
    FaceColors,
    MergeSettings,
    Swapped,
    cut_face,
    merge_frame,
    prepare,
    smooth_colors,
    touched,
)
from konterfei.errors import FacesetError, KonterfeiError
from konterfei.geometry import Crop, FaceType
from konterfei.io.faceset import FaceRecord
from konterfei.io.video import Frame

Array = NDArray[Any]

SWAPPED = "swapped"
NO_FACE = "no face in the faceset"
OUTSIDE = "face outside the frame"
COVERED = "nothing of the face inside the mask"


class FaceSwapper(Protocol):
    """What a merge needs of a model; `models.swapper.Swapper` is one."""

    resolution: int
    face_type: FaceType
    info: dict[str, Any]

    def swap(self, images: Array) -> tuple[Array, Array]:
        """[N, S, S, 3] uint8 RGB -> [N, S, S, 3] and [N, S, S] float32 in [0, 1]."""


@dataclass(kw_only=True)
class Item:
    """A frame on its way.

    Attributes:
        frame: as decoded.
        records: its faces in the faceset.
        shown: what the model is shown of each.
        swapped: what it drew, prepared.
        colors: as measured, before smoothing.
    """

    frame: Frame
    records: list[FaceRecord]
    shown: list[tuple[Crop, Array]] = field(default_factory=list)
    swapped: list[Swapped] = field(default_factory=list)
    colors: list[FaceColors] = field(default_factory=list)


class Clock:
    """Adds up how long each step takes."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - began

    def take(self) -> dict[str, float]:
        """What was added up since the last call."""
        taken, self.seconds = self.seconds, {}
        return taken

    def waiting(self, items: Iterable[Any], step: str) -> Iterator[Any]:
        """The items, with the time that they take to come."""
        iterator = iter(items)
        while True:
            with self(step):
                item = next(iterator, None)
            if item is None:
                return
            yield item


def draw(
    frames: Iterable[Frame],
    faces_at: Callable[[int], list[FaceRecord]],
    swapper: FaceSwapper,
    settings: MergeSettings,
    *,
    batch: int,
    part: int,
    clock: Clock,
) -> Iterator[Item]:
    """Frames with their faces drawn by the model, `batch` faces at a time, in order.

    Args:
        frames: in order.
        faces_at: frame index -> faces to swap.
        swapper: the model.
        settings: of the merge.
        batch: faces that the model is given at once.
        part: frames in a part; a batch does not reach over its end.
        clock: told how long the steps take.
    """
    held: list[Item] = []
    faces = 0
    for frame in frames:
        if held and held[-1].frame.index // part != frame.index // part:
            yield from _drawn(held, swapper, settings, batch, clock)
            held, faces = [], 0
        item = Item(frame=frame, records=faces_at(frame.index))
        with clock("cut"):
            item.shown = [_cut(frame, record, swapper) for record in item.records]
        held.append(item)
        faces += len(item.shown)
        if faces >= batch or not faces or len(held) >= 2 * batch:
            yield from _drawn(held, swapper, settings, batch, clock)
            held, faces = [], 0
    yield from _drawn(held, swapper, settings, batch, clock)


def _cut(frame: Frame, record: FaceRecord, swapper: FaceSwapper) -> tuple[Crop, Array]:
    height, width = frame.image.shape[:2]
    if record.frame_size != (width, height):
        raise FacesetError(
            f"Frame {frame.index} is {width} x {height}, its face '{record.name}' was found in one of "
            f"{record.frame_size[0]} x {record.frame_size[1]}: this faceset belongs to another video."
        )
    try:
        return cut_face(frame.image, record.face, swapper.face_type, swapper.resolution)
    except ValueError as error:
        raise FacesetError(
            f"Frame {frame.index} cannot be merged: the landmarks of '{record.name}' are no face ({error}). "
            "Delete that crop to leave the frame as it is, or extract again."
        ) from error


def _drawn(held: list[Item], swapper: FaceSwapper, settings: MergeSettings, batch: int, clock: Clock) -> Iterator[Item]:
    shown = [image for item in held for _, image in item.shown]
    drawn: list[tuple[Array, Array]] = []
    for start in range(0, len(shown), batch):
        with clock("model"):
            images, masks = swapper.swap(np.stack(shown[start : start + batch]))
        drawn.extend(zip(images, masks, strict=True))
    results = iter(drawn)
    for item in held:
        with clock("prepare"):
            for record, (crop, aligned) in zip(item.records, item.shown, strict=True):
                image, mask = next(results)
                if not (np.isfinite(image).all() and np.isfinite(mask).all()):
                    raise KonterfeiError(
                        f"Frame {item.frame.index} cannot be merged: the model gives values that are no numbers. Its "
                        "training has diverged or its file is damaged; go on with training, or use an earlier run."
                    )
                raw = Swapped(crop=crop, aligned=aligned, image=image, mask=mask)
                item.swapped.append(prepare(record.face, raw, settings, float(item.frame.pts)))
            item.colors = [s.colors for s in item.swapped if s.colors is not None]
            item.shown = []
        yield item


def steady(items: Iterable[Item], past: Iterable[list[FaceColors]], reach: int, sigma_s: float) -> Iterator[Item]:
    """The items with colours smoothed over time, `reach` frames later.

    Args:
        items: in order.
        past: colours measured on the frames before the first one, oldest first.
        reach: frames to look at on each side.
        sigma_s: see `compositing.smooth_colors`.
    """
    before: deque[list[FaceColors]] = deque(past, maxlen=reach)
    ahead: deque[Item] = deque()
    for item in items:
        ahead.append(item)
        if len(ahead) > reach:
            yield _steadied(ahead, before, sigma_s)
    while ahead:
        yield _steadied(ahead, before, sigma_s)


def _steadied(ahead: deque[Item], before: deque[list[FaceColors]], sigma_s: float) -> Item:
    item = ahead.popleft()
    around = [c for colors in (*before, item.colors, *(other.colors for other in ahead)) for c in colors]
    before.append(item.colors)
    item.swapped = [
        replace(swapped, colors=smooth_colors(colors, around, sigma_s))
        for swapped, colors in zip(item.swapped, item.colors, strict=True)
    ]
    return item


def composite(item: Item, settings: MergeSettings) -> tuple[Array, str, int, bool]:
    """The finished frame; why it was swapped or not; how many faces were; whether one reaches over the frame's edge."""
    image = item.frame.image
    if not item.records:
        return image, NO_FACE, 0, False
    seen = [touched(swapped, image.shape, settings) is not None for swapped in item.swapped]
    if not any(seen):
        empty = all(s.alpha is not None and s.alpha.max() <= 0 for s in item.swapped)
        return image, COVERED if empty else OUTSIDE, 0, False
    faces = [record.face for record in item.records]
    size = [image.shape[1] - 1, image.shape[0] - 1]
    cut = [bool((face.landmarks < 0).any() or (face.landmarks > size).any()) for face in faces]
    at_edge = any(is_cut and is_seen for is_cut, is_seen in zip(cut, seen, strict=True))
    return merge_frame(image, faces, item.swapped, settings), SWAPPED, sum(seen), at_edge
