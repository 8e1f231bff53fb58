"""The way of the frames through a merge: decoded, drawn by the model in batches, steadied in colour, composited.

Each step is a generator over the one before, so that only a few frames are held at a time. What a frame becomes does
not depend on where the reading began.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.compositing import (
    Merged,
    MergeSettings,
    Swapped,
    blend_mask,
    close_gaps,
    cut_face,
    enlarge,
    label_mask,
    measure,
    merge_layers,
    motion_of,
    prepare,
    segment,
    smooth_colors,
    smooth_detail,
    steady_face,
    touched,
    uncover,
    untouched,
)
from konterfei.errors import ConfigError, FacesetError, KonterfeiError
from konterfei.geometry import Crop, Region
from konterfei.imaging import SdrLook, to_uint8
from konterfei.io.faceset import FaceRecord
from konterfei.io.video import Frame
from konterfei.stages._merge_clock import Clock
from konterfei.stages._merge_regions import narrowed, wholly_covered
from konterfei.stages._merge_roles import Cast, FaceSwapper, LabelsOf

Array = NDArray[Any]

SWAPPED = "swapped"
NO_FACE = "no face in the faceset"
OUTSIDE = "face outside the frame"
COVERED = "nothing of the face inside the mask"
LEFT = "left as the plate by the mode original"
_NO_PICTURE = np.zeros((0, 0, 3), np.uint8)


@dataclass(kw_only=True)
class Item:
    """A frame on its way.

    Attributes:
        frame: as decoded.
        settings: of the merge, in this frame.
        records: those of its faces that are swapped.
        shown: each one's model, its crop, the plate there, and what of it the model is shown.
        swapped: what it drew; later steadied, prepared, and with calm colours. Each holds the settings of its face.
    """

    frame: Frame
    settings: MergeSettings
    records: list[FaceRecord] = field(default_factory=list)
    shown: list[tuple[FaceSwapper, Crop, Array, Array]] = field(default_factory=list)
    swapped: list[Swapped] = field(default_factory=list)

    def without_frame(self) -> Item:
        """What its neighbours need to know of it: the faces, not the picture, which is large."""
        return replace(self, frame=Frame(self.frame.index, self.frame.pts, _NO_PICTURE))


def draw(
    frames: Iterable[Frame],
    faces_at: Callable[[int], list[FaceRecord]],
    cast: Cast,
    settings_at: Callable[[int, FaceRecord | None], MergeSettings],
    *,
    batch: int,
    reach: int,
    clock: Clock,
    always: Sequence[Region] | None = None,
    look: SdrLook | None = None,
    labels_of: LabelsOf | None = None,
) -> Iterator[Item]:
    """Frames with their faces drawn by their models, `batch` faces at a time, steadied and prepared, in order.

    Batches are filled up to their full size, so that what a face becomes does not depend on those beside it.

    Args:
        frames: in order.
        faces_at: frame index -> faces.
        cast: which model draws which of them.
        settings_at: frame index and face -> settings of the merge; without a face, those of the frame.
        batch: faces that a model is given at once.
        reach: frames on each side that drawn faces are steadied by; 0 = they stay as they are.
        clock: told how long the steps take.
        always: regions of every frame that are looked at besides its faces; None = all of it.
        look: of an HDR plate, how its faces are shown to models; not with `dfl_exact`, which knows none.
        labels_of: what was drawn onto a face's crop; None = nothing was onto any.
    """
    for item in steady_faces(
        _raw(frames, faces_at, cast, settings_at, batch, clock, always, look, labels_of), reach, clock
    ):
        ready = []
        with clock("prepare"):
            for record, face in zip(item.records, item.swapped, strict=True):
                ready.append(_ready(item, record, face, cast, clock))
        yield replace(item, swapped=ready)


def _ready(item: Item, record: FaceRecord, face: Swapped, cast: Cast, clock: Clock) -> Swapped:
    """A steadied face at the size that the frame needs, with its mask, its colours and its detail measured."""
    own, plate, time_s = face.settings or item.settings, item.frame.image, float(item.frame.pts)
    if own.enlarges:
        with clock("enhance"):
            face = enlarge(plate, face, cast.enhancer(own.enhancer), own.enhance)
    return measure(plate, record.face, prepare(record.face, face, own, time_s), own, time_s)


def _raw(
    frames: Iterable[Frame],
    faces_at: Callable[[int], list[FaceRecord]],
    cast: Cast,
    settings_at: Callable[[int, FaceRecord | None], MergeSettings],
    batch: int,
    clock: Clock,
    always: Sequence[Region] | None,
    look: SdrLook | None,
    labels_of: LabelsOf | None,
) -> Iterator[Item]:
    """Frames with their faces as the models drew them."""
    held: list[Item] = []
    faces = 0

    def seen(item: Item, record: FaceRecord, raw: Swapped) -> Swapped:
        raw = replace(raw, settings=settings_at(item.frame.index, record))
        if labels_of is not None and raw.settings is not None and raw.settings.needs_labels:
            raw = replace(raw, label_mask=label_mask(labels_of(record), record.crop, raw.crop))
        return _seen(item, record, raw, faces_at, cast, look)

    for frame in frames:
        item = Item(frame=frame, settings=settings_at(frame.index, None))
        with clock("cut"):
            swappers = [(record, swapper) for record in faces_at(frame.index) if (swapper := cast.swapper_for(record))]
            whose = [(r.face, _crop(frame, r, swapper), settings_at(frame.index, r)) for r, swapper in swappers]
            item.frame = narrowed(frame, whose, always)
            for record, swapper in swappers:
                item.records.append(record)
                item.shown.append((swapper, *_cut(item.frame, record, swapper, item.settings, look)))
        held.append(item)
        faces += len(item.shown)
        if faces >= batch or not faces or len(held) >= 2 * batch:
            yield from _drawn(held, batch, clock, seen, look)
            held, faces = [], 0
    yield from _drawn(held, batch, clock, seen, look)


def _crop(frame: Frame, record: FaceRecord, swapper: FaceSwapper) -> Crop:
    """What the swapper will be shown of a face."""
    width, height = frame.size
    if record.frame_size not in ((width, height), (0, 0)):
        raise FacesetError(
            f"Frame {frame.index} is {width} x {height}, its face '{record.name}' was found in one of "
            f"{record.frame_size[0]} x {record.frame_size[1]}: this faceset belongs to another video."
        )
    try:
        return Crop.fit(record.face.landmarks, swapper.face_type, swapper.resolution)
    except ValueError as error:
        raise FacesetError(
            f"Frame {frame.index} cannot be merged: the landmarks of '{record.name}' are no face ({error}). "
            "Delete that crop to leave the frame as it is, or extract again."
        ) from error


def _cut(
    frame: Frame, record: FaceRecord, swapper: FaceSwapper, settings: MergeSettings, look: SdrLook | None
) -> tuple[Crop, Array, Array]:
    """The crop of a face, its pixels, and these as the model is shown them."""
    crop, aligned = cut_face(frame.image, record.face, swapper.face_type, swapper.resolution, settings)
    if look is None or settings.dfl is not None:
        return crop, aligned, aligned
    return crop, aligned, to_uint8(look.show(crop.cut(frame.image)))


def _seen(
    item: Item,
    record: FaceRecord,
    raw: Swapped,
    faces_at: Callable[[int], list[FaceRecord]],
    cast: Cast,
    look: SdrLook | None,
) -> Swapped:
    """`raw` with what its settings need besides: its motion, the segmenter's masks, what lies in front of it."""
    settings = raw.settings or item.settings
    if settings.needs_motion:
        index, track = item.frame.index, record.face.track
        before, own, after = ([r.face for r in faces_at(index + k) if r.face.track == track] for k in (-1, 0, 1))
        beside = (faces[0] if len(faces) == len(own) == 1 else None for faces in (before, after))
        raw = replace(raw, motion=motion_of(record.face, *beside))
    if settings.needs_segmenter and cast.segmenter is not None:
        raw = segment(item.frame.image, raw, cast.segmenter)
    if settings.occluders:
        occluders = {name: cast.occluder(name) for name in settings.occluders}
        rebuilt, swapper = None, cast.swapper_for(record)
        if swapper is not None and any(occluder.needs_rebuilt for occluder in occluders.values()):
            shown = raw.aligned if look is None else to_uint8(look.show(raw.crop.cut(item.frame.image)))
            rebuilt = swapper.redraw(shown[None])[0]
            rebuilt = rebuilt if look is None else look.back(rebuilt)
        raw = uncover(item.frame.image, record.face, raw, occluders, rebuilt)
    return raw


def _drawn(
    held: list[Item],
    batch: int,
    clock: Clock,
    seen: Callable[[Item, FaceRecord, Swapped], Swapped],
    look: SdrLook | None,
) -> Iterator[Item]:
    with clock("model"):
        results = _in_batches([(swapper, image) for item in held for swapper, _, _, image in item.shown], batch)
    for item in held:
        for record, (_, crop, aligned, shown) in zip(item.records, item.shown, strict=True):
            image, mask, plate_mask = next(results)
            if not (np.isfinite(image).all() and np.isfinite(mask).all() and np.isfinite(plate_mask).all()):
                raise KonterfeiError(
                    f"Frame {item.frame.index} cannot be merged: the model gives values that are no numbers. Its "
                    "training has diverged or its file is damaged; go on with training, or use an earlier run."
                )
            if shown is not aligned and look is not None:
                image = look.back(image)
            raw = Swapped(crop=crop, aligned=aligned, image=image, mask=mask, plate_mask=plate_mask)
            with clock("prepare"):
                item.swapped.append(seen(item, record, raw))
        item.shown = []
        yield item


def _in_batches(shown: list[tuple[FaceSwapper, Array]], batch: int) -> Iterator[tuple[Array, Array, Array]]:
    """What each model drew of the faces that it is shown, in their order."""
    drawn: dict[int, tuple[Array, Array, Array]] = {}
    for swapper in {id(swapper): swapper for swapper, _ in shown}.values():
        theirs = [n for n, (one, _) in enumerate(shown) if one is swapper]
        for start in range(0, len(theirs), batch):
            chosen = theirs[start : start + batch]
            full = [*chosen, *[chosen[-1]] * (batch - len(chosen))]
            images, masks, plate_masks = swapper.draw(np.stack([shown[n][1] for n in full]))
            drawn |= {n: (images[i], masks[i], plate_masks[i]) for i, n in enumerate(chosen)}
    return iter([drawn[n] for n in range(len(shown))])


def steady_faces(items: Iterable[Item], reach: int, clock: Clock) -> Iterator[Item]:
    """The items, their drawn faces without shimmer, `reach` frames later.

    Args:
        items: in order, as drawn.
        reach: frames to look at on each side; 0 = faces stay as they are.
        clock: told how long it takes.
    """
    for item, around in _windows(items, reach):
        with clock("steady"):
            calm = [_calm(item, n, around) for n in range(len(item.records))] if reach else item.swapped
        yield replace(item, swapped=calm)


def _calm(item: Item, number: int, around: list[Item]) -> Swapped:
    """One face, by what was drawn of it in the frames around."""
    face, own = item.swapped[number], item.swapped[number].settings or item.settings
    return steady_face(face, _beside(item, number, around), own.steady if own.dfl is None else 0.0)


def _beside(item: Item, number: int, around: list[Item]) -> dict[int, Swapped]:
    """The only face of its track in each frame around: offset -> face. Where there are two, who is who is not known."""
    found: dict[int, list[Swapped]] = {}
    for one in (item, *around):
        same = (r.face.track == item.records[number].face.track for r in one.records)
        found[one.frame.index - item.frame.index] = [s for s, is_it in zip(one.swapped, same, strict=True) if is_it]
    return {k: faces[0] for k, faces in found.items() if k != 0 and len(faces) == len(found[0]) == 1}


def steady(items: Iterable[Item], reach: int, wanted: range) -> Iterator[Item]:
    """The items, those that are wanted with colours smoothed over time, `reach` frames later.

    Args:
        items: in order, with up to `reach` frames more than wanted on each side.
        reach: frames to look at on each side.
        wanted: indices of frames.
    """
    for item, around in _windows(items, reach):
        yield _steadied(item, around) if item.frame.index in wanted else item


def _windows(items: Iterable[Item], reach: int) -> Iterator[tuple[Item, list[Item]]]:
    """Each item with up to `reach` of those before it, without their frames, and as many after it."""
    behind: deque[Item] = deque(maxlen=reach)
    ahead: deque[Item] = deque()
    for item in items:
        ahead.append(item)
        if len(ahead) > reach:
            now = ahead.popleft()
            yield now, [*behind, *ahead]
            behind.append(now.without_frame())
    while ahead:
        now = ahead.popleft()
        yield now, [*behind, *ahead]
        behind.append(now.without_frame())


def _steadied(item: Item, around: list[Item]) -> Item:
    swapped = []
    for number, record in enumerate(item.records):
        one, beside = item.swapped[number], _beside(item, number, around)
        colors = [s.colors for s in beside.values() if s.colors is not None]
        details = [s.detail for s in beside.values() if s.detail is not None]
        one = close_gaps(one, beside.get(-1), beside.get(1))
        if one.alpha is None and one.fronts:
            one = replace(one, alpha=blend_mask(record.face, one, one.settings or item.settings))
        sigma_s = (one.settings or item.settings).color_smoothing
        if one.colors is not None:
            one = replace(one, colors=smooth_colors(one.colors, colors, sigma_s))
        if one.detail is not None:
            one = replace(one, detail=smooth_detail(one.detail, details, sigma_s))
        swapped.append(one)
    return replace(item, swapped=swapped)


def composite(item: Item, size: tuple[int, int]) -> tuple[Merged, str, int, bool]:
    """The merged frame; why it was swapped or not; how many faces were; whether one reaches over the frame's edge.

    Args:
        item: drawn and steadied.
        size: width and height of the result.

    Raises:
        ConfigError: the frame would have another size.
    """
    done = _composited(item, size[0])
    height, width = done[0].image.shape[:2]
    if (width, height) != size:
        raise ConfigError(
            f"Frame {item.frame.index} would be {width} x {height}, the result is {size[0]} x {size[1]}: raw-predict "
            "makes pictures of the model's size. Use it for a whole merge and with one model."
        )
    return done


def _composited(item: Item, width: int) -> tuple[Merged, str, int, bool]:
    settings, own = item.settings, [s.settings or item.settings for s in item.swapped]
    reached = [touched(s, item.frame.size[::-1], one) for s, one in zip(item.swapped, own, strict=True)]
    if not wholly_covered(item.frame, reached):
        item.frame = item.frame.whole()
    bare = Merged(image=untouched(item.frame.image, settings, width), layers=())
    if all(one.is_original for one in own):
        return bare, LEFT if own else NO_FACE, 0, False
    plate, faces = item.frame.image, [record.face for record in item.records]
    seen = [region is not None and not one.is_original for region, one in zip(reached, own, strict=True)]
    if not any(seen) and not settings.is_square:
        others = [s.alpha for s, one in zip(item.swapped, own, strict=True) if not one.is_original]
        empty = all(alpha is not None and alpha.max() <= 0 for alpha in others)
        return bare, COVERED if empty else OUTSIDE, 0, False
    cut = [bool((f.landmarks < 0).any() or (f.landmarks > np.array(item.frame.size) - 1).any()) for f in faces]
    at_edge = any(is_cut and is_seen for is_cut, is_seen in zip(cut, seen, strict=True))
    merged = merge_layers(plate, faces, item.swapped, settings)
    if settings.dfl is not None and np.array_equal(merged.image, plate):  # it works on whole frames
        return bare, OUTSIDE if at_edge else COVERED, 0, False
    layers = tuple(one for one in merged.layers if not (one.swapped.settings or settings).is_original)
    return replace(merged, layers=layers), SWAPPED, sum(seen), at_edge
