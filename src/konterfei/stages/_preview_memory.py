"""What a preview keeps, so that looking again costs little: decoded frames, and faces as the models drew them."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from konterfei.compositing import Segmenter
from konterfei.enhancers import Enhancer
from konterfei.io.faceset import FaceRecord
from konterfei.io.video import Frame, open_frames
from konterfei.occluders import Occluder
from konterfei.stages._merge_cast import Cast
from konterfei.stages._merge_roles import FaceSwapper

Array = NDArray[Any]

FRAME_BYTES: Final = 1 << 30
"""Memory for decoded frames: 170 of 1080p, 40 of 4K (8 bits)."""
NEAR: Final = 24
"""Frames further on that are sooner reached by decoding on than by seeking."""
FACES: Final = 256
"""Drawn faces that are kept of each model: about 0.25 GB at 224 px."""


class FrameMemory:
    """Frames of a plate, in any order.

    Args:
        video: the plate, a video or pictures.
        fps: of pictures.
        deep: with 16 bits.
        deinterlace: make whole pictures of fields.
    """

    def __init__(self, video: Path, fps: Fraction, deep: bool, deinterlace: bool = False) -> None:
        self._video, self._fps, self._deep, self._deinterlace = video, fps, deep, deinterlace
        self._frames: OrderedDict[int, Frame | None] = OrderedDict()
        self._reader: Any = None
        self._next = 0

    def frames(self, wanted: range) -> Iterator[Frame]:
        """The frames of these indices that there are, in order."""
        missing = [index for index in wanted if index not in self._frames]
        for run in _runs(missing):
            self._frames |= dict.fromkeys(run)  # what is not decoded now is lost, or after the end
            self._read(run)
        found = []
        for index in wanted:
            self._frames.move_to_end(index)
            if (frame := self._frames[index]) is not None:
                found.append(frame)
        size = max((frame.image.nbytes for frame in found), default=1)
        while len(self._frames) > max(len(wanted), FRAME_BYTES // size):
            self._frames.popitem(last=False)
        yield from found

    def _read(self, run: range) -> None:
        """Decode some frames, going on from where the last ones ended if that is near: to seek is to decode more."""
        if self._reader is None or not self._next <= run.start <= self._next + NEAR:
            self.close()
            self._reader = open_frames(
                self._video, run.start, deep=self._deep, fps=self._fps, deinterlace=self._deinterlace
            )
            self._next = run.start
        while self._next < run.stop:
            frame = next(self._reader, None)
            if frame is None:
                self.close()
                return
            self._frames[frame.index] = frame
            self._next = frame.index + 1

    def close(self) -> None:
        """Let go of the file."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


class Remembering:
    """A model that draws each face once. What it is asked for besides drawing is the model's own.

    Args:
        swapper: that model.
    """

    def __init__(self, swapper: FaceSwapper) -> None:
        self._swapper = swapper
        self._drawn: OrderedDict[bytes, tuple[Array, Array, Array]] = OrderedDict()
        self.resolution, self.face_type, self.info = swapper.resolution, swapper.face_type, swapper.info

    def draw(self, images: Array) -> tuple[Array, Array, Array]:
        """See `_merge_stream.FaceSwapper`. The model is always given as many faces as `images` has: it draws a face
        the same whatever stands beside it, but not in batches of other sizes.
        """
        names = [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]
        missing = [i for i, name in enumerate(names) if name not in self._drawn and name not in names[:i]]
        if missing:
            full = missing + missing[-1:] * (len(images) - len(missing))
            drawn, masks, plate_masks = self._swapper.draw(images[full])
            for row, i in enumerate(missing):
                self._drawn[names[i]] = drawn[row], masks[row], plate_masks[row]
        known = [self._drawn[name] for name in names]
        for name in names:
            self._drawn.move_to_end(name)
        while len(self._drawn) > max(FACES, len(images)):
            self._drawn.popitem(last=False)
        drawn, masks, plate_masks = (np.stack(part) for part in zip(*known, strict=True))
        return drawn, masks, plate_masks

    def redraw(self, images: Array) -> Array:
        """See `_merge_stream.FaceSwapper`. Nothing of it is kept."""
        return self._swapper.redraw(images)


class RememberingSegmenter:
    """A segmenter that looks at each picture once."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._masks: OrderedDict[bytes, Array] = OrderedDict()

    def __call__(self, image: Array) -> Array:
        """See `compositing.Segmenter`."""
        name = hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        if name not in self._masks:
            self._masks[name] = self._segmenter(image)
        self._masks.move_to_end(name)
        while len(self._masks) > 2 * FACES:
            self._masks.popitem(last=False)
        return self._masks[name]


class RememberingCast:
    """A cast whose models look at each face once.

    Args:
        cast: whose models.
        before: what its models have drawn is kept, where they are in the new cast, too.
    """

    def __init__(self, cast: Cast, before: RememberingCast | None = None) -> None:
        self.cast = cast
        self._models: dict[int, Remembering] = {} if before is None else before._models
        self.segmenter: Segmenter | None
        if before is not None and cast.segmenter is before.cast.segmenter:
            self.segmenter = before.segmenter
        else:
            self.segmenter = None if cast.segmenter is None else RememberingSegmenter(cast.segmenter)

    def swapper_for(self, record: FaceRecord) -> FaceSwapper | None:
        """See `_merge_stream.Cast`."""
        swapper = self.cast.swapper_for(record)
        if swapper is None:
            return None
        return self._models.setdefault(id(swapper), Remembering(swapper))

    def occluder(self, name: str) -> Occluder:
        """See `_merge_stream.Cast`."""
        return self.cast.occluder(name)

    def enhancer(self, name: str) -> Enhancer:
        """See `_merge_stream.Cast`."""
        return self.cast.enhancer(name)


def _runs(indices: Iterable[int]) -> list[range]:
    """Ascending indices as ranges without gaps."""
    runs: list[range] = []
    for index in indices:
        if runs and runs[-1].stop == index:
            runs[-1] = range(runs[-1].start, index + 1)
        else:
            runs.append(range(index, index + 1))
    return runs
