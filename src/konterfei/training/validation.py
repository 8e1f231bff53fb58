"""How good is the swap on frames that were never trained on?

Some faces of each person are held out (`training.held_out`). From time to time the swap of those of dst is measured
with the same metrics as a finished video (`konterfei.metrics`), and the likeness of both people's reconstructions to
the originals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from konterfei.errors import DamagedFileError, FacesetError
from konterfei.geometry import Crop, Face, FaceType
from konterfei.io.faceset import Faceset
from konterfei.metrics import METRICS
from konterfei.metrics.observation import Eyes, Observer, crop_size
from konterfei.metrics.series import People, Series
from konterfei.nets.losses import dssim

Array = NDArray[Any]

_AT_ONCE = 8  # faces of each person that are drawn together
_FEWEST = 3  # faces of dst that figures can be made of
_WINDOW = 11  # px, of SSIM; the usual one (Wang et al. 2004)
_SHARPEST = 1.3  # sharpness by dst's: soft plates are outdone a little by an honest swap
_WORST_DISTANCE = 15.0  # % of eye distance at which a swap scores nothing for its landmarks


class Drawer(Protocol):
    """What is validated: a model with the weights that would be used now."""

    resolution: int
    face_type: FaceType

    def swap(self, images: Array) -> tuple[Array, Array]:
        """Faces of dst drawn as src, and their masks; see `models.swapper.Swapper.swap`."""

    def rebuild(self, src: Array, dst: Array) -> tuple[Array, Array]:
        """Each person drawn as themselves. [N, R, R, 3] uint8 twice -> float32 in [0, 1] twice"""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What a validation found. NaN = not measurable on these frames.

    Attributes:
        seen: share of the swapped faces in which a face is found; the next five are of those.
        identity: cosine of the swapped faces with src.
        leftover: cosine of the swapped faces with dst.
        expression: correlation of eyes, mouth and brows with dst's; 0 where too few faces are found to tell.
        distance: of the landmarks from dst's, % of eye distance.
        sharpness: detail of the swapped face by that of dst's.
        ssim_src, ssim_dst: structural similarity of the reconstructions inside the face, 1 = equal.
        total: one figure to compare snapshots of one run by; see `total_of`.
    """

    identity: float
    leftover: float
    expression: float
    distance: float
    sharpness: float
    ssim_src: float
    ssim_dst: float
    seen: float = 1.0
    total: float = float("nan")

    def to_json(self) -> dict[str, float | None]:
        """Plain JSON values, NaN as null."""
        return {name: round(value, 5) if np.isfinite(value) else None for name, value in asdict(self).items()}

    def text(self) -> str:
        """The figures in a line, for people."""
        if not np.isfinite(self.total):
            return "the drawn faces show nothing that could be measured yet"
        words = (("identity", self.identity), ("left of dst", self.leftover), ("expression", self.expression))
        parts = [f"a face in {100 * self.seen:.0f} %"] if self.seen < 1 else []
        parts += [f"{name} {value:.2f}" for name, value in words if np.isfinite(value)]
        parts += [f"landmarks {self.distance:.1f} % off"] if np.isfinite(self.distance) else []
        return f"score {self.total:.3f} ({', '.join([*parts, f'likeness to dst itself {self.ssim_dst:.2f}'])})"


def total_of(scores: Scores) -> float:
    """The mean of what is to be high: identity less what is left of dst, expression, place of the landmarks (1 = none
    moved, 0 = 15 % of the eye distance), similarity of dst's reconstruction (how well expressions are understood).

    A swapped face in which none is found counts 0 for the first three, and what is below 0 is not made better by it.
    What cannot be measured is left out; where no swapped face is found at all, there is no total (NaN). Detail beyond
    that of dst's own face is no detail but blots, and divides the total.

    It compares snapshots of one run; between pairs of people it means nothing.
    """
    if not scores.seen > 0:
        return float("nan")
    of_seen = (
        scores.identity - max(0.0, scores.leftover),
        scores.expression,
        1.0 - float(np.minimum(1.0, scores.distance / _WORST_DISTANCE)),  # unknown stays unknown
    )
    parts = [*(min(part, part * scores.seen) for part in of_seen), scores.ssim_dst]
    known = [part for part in parts if np.isfinite(part)]
    if not known:
        return float("nan")
    blots = scores.sharpness / _SHARPEST if np.isfinite(scores.sharpness) else 1.0
    return float(np.mean(known) / max(1.0, blots))


class Validator:
    """Measures a model on faces that it never saw.

    Args:
        src, dst: the facesets.
        held_src, held_dst: names of the faces to measure; of dst at least three. Those that were deleted or damaged
            meanwhile do without.
        eyes: the networks that look at the result.

    Raises:
        FacesetError: fewer than three of dst can be read.
    """

    def __init__(
        self, src: Faceset, dst: Faceset, held_src: Sequence[str], held_dst: Sequence[str], eyes: Eyes
    ) -> None:
        self._eyes = eyes
        self._people = People(src=src.identity(), dst=dst.identity())
        self._src = _faces(src, held_src)
        self._dst = _faces(dst, held_dst)
        if len(self._dst) < _FEWEST:
            raise FacesetError(
                f"Of the faces of '{dst.folder}' that were held out, {len(self._dst)} can still be read. "
                f"{_FEWEST} are needed. Put crops back to have the swap measured."
            )

    def score(self, drawer: Drawer) -> Scores:
        """What `drawer` is worth now."""
        plate, result = self._series(drawer)
        measured = {name: METRICS.load(name)(plate, result, self._people) for name in _USED} if plate else {}
        value = {name: measured[name].value if name in measured else float("nan") for name in _USED}
        seen = float(np.isfinite(result.landmarks).all(axis=(1, 2)).mean()) if result else float("nan")
        ssim_src, ssim_dst = self._similarity(drawer)
        scores = Scores(
            identity=value["identity"],
            leftover=measured["identity"].parts["to_dst"] if measured else float("nan"),
            expression=expression_of(plate, result, self._people) if plate and result else float("nan"),
            distance=value["landmark_distance"],
            sharpness=value["sharpness"],
            ssim_src=ssim_src,
            ssim_dst=ssim_dst,
            seen=seen,
        )
        return Scores(**{**asdict(scores), "total": total_of(scores)})

    def _series(self, drawer: Drawer) -> tuple[Series, Series] | tuple[None, None]:
        observer = Observer(self._eyes, crop_size([face for _, face in self._dst]))
        for index, (image, face) in enumerate(self._dst):
            observer.add(index, image, [swapped(image, face, drawer)], face)
        if not len(observer):
            return None, None
        plate, (result,) = observer.series()
        return plate, result

    def _similarity(self, drawer: Drawer) -> tuple[float, float]:
        count = min(len(self._src), len(self._dst))
        if not count:
            return float("nan"), float("nan")
        people = [[faces[i] for i in _spread(len(faces), count)] for faces in (self._src, self._dst)]
        found: tuple[list[float], list[float]] = ([], [])
        for first in range(0, count, _AT_ONCE):
            cuts = [_cut(faces[first : first + _AT_ONCE], drawer) for faces in people]
            rebuilt = drawer.rebuild(*(crops for crops, _ in cuts))
            for values, (crops, masks), drawn in zip(found, cuts, rebuilt, strict=True):
                values += ssim_within(crops, drawn, masks)
        return float(np.mean(found[0])), float(np.mean(found[1]))


_USED = ("identity", "landmark_distance", "sharpness")


def expression_of(plate: Series, result: Series, people: People) -> float:
    """The metric of that name; 0 where the plate's face moves but too few faces of the result are found to tell."""
    measure = METRICS.load("expression")
    found = measure(plate, result, people).value
    if np.isnan(found) and np.isfinite(result.landmarks).any():
        return 0.0 if np.isfinite(measure(plate, plate, people).value) else found
    return found


def _spread(total: int, count: int) -> list[int]:
    return [int(i) for i in np.linspace(0, total - 1, count).round()]


def _faces(faceset: Faceset, names: Sequence[str]) -> list[tuple[Array, Face]]:
    """The crops of these names that can be read, and the face in each, in the crop's pixels."""
    wanted, found = set(names), []
    for record in faceset.records():
        if record.name in wanted:
            try:
                image = faceset.image(record.name)
            except (FacesetError, DamagedFileError):
                continue
            points = record.crop.crop_from_frame @ record.face.landmarks
            box = np.array([*points.min(axis=0), *points.max(axis=0)])
            found.append((image, Face(box=box, landmarks=points)))
    return found


def _cut(faces: Sequence[tuple[Array, Face]], drawer: Drawer) -> tuple[Array, Array]:
    """Crops as the model sees them, [N, R, R, 3] uint8, and their hulls, [N, R, R] float32."""
    from konterfei.geometry.landmarks import hull_mask

    side = drawer.resolution
    crops = [Crop.fit(face.landmarks, drawer.face_type, side) for _, face in faces]
    images = np.stack([crop.cut(image) for crop, (image, _) in zip(crops, faces, strict=True)])
    hulls = [
        hull_mask(c.crop_from_frame @ face.landmarks, (side, side)) for c, (_, face) in zip(crops, faces, strict=True)
    ]
    return images, np.stack(hulls).astype(np.float32)


def ssim_within(truth: Array, drawn: Array, masks: Array) -> list[float]:
    """SSIM of each face, everything outside the hull grey in both.

    [N, R, R, 3] uint8, [N, R, R, 3] float32 in [0, 1], [N, R, R] -> N numbers
    """
    hull = torch.from_numpy(masks).unsqueeze(1)
    a, b = (
        torch.from_numpy(np.ascontiguousarray(x, np.float32)).permute(0, 3, 1, 2) * hull + 0.5 * (1 - hull)
        for x in (truth.astype(np.float32) / 255, drawn)
    )
    return (1 - 2 * dssim(a, b, _WINDOW)).tolist()  # type: ignore[no-any-return]


def swapped(image: Array, face: Face, drawer: Drawer) -> Array:
    """The picture with the face swapped, blended by the model's mask alone. [H, W, 3] uint8 -> same"""
    crop = Crop.fit(face.landmarks, drawer.face_type, drawer.resolution)
    drawn, masks = drawer.swap(crop.cut(image)[None])
    size, matrix = image.shape[1::-1], crop.crop_from_frame.matrix
    flags = cv2.WARP_INVERSE_MAP
    back = cv2.warpAffine(drawn[0], matrix, size, flags=cv2.INTER_CUBIC | flags)
    mask = cv2.warpAffine(masks[0], matrix, size, flags=cv2.INTER_LINEAR | flags)[..., None]
    mixed: Array = (255 * back.clip(0, 1) * mask + image * (1 - mask)).round().astype(np.uint8)
    return mixed
