"""faceset enhance: the same crops, redrawn by an enhancer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.enhancers import ENHANCERS, Enhancer
from konterfei.errors import StoreError
from konterfei.geometry import resized
from konterfei.imaging import sharpness, to_float, to_uint8
from konterfei.io.atomic import ensure_writable
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_files import bytes_for
from konterfei.io.label_moves import moved
from konterfei.io.manifest import Manifest
from konterfei.reporting import Reporter, check
from konterfei.stages._faceset_tools import carry_order, is_done, manifest_of, place_of, refuse_itself
from konterfei.stages._settings import allow


@dataclass(frozen=True, kw_only=True)
class FacesetEnhanceConfig:
    """Redraw the crops of a faceset sharper. Records, outlines, masks and the order follow; the old faceset stays.

    An enhancer makes up what it draws: compare with the old crops before you train with it. For soft or compressed
    material; crops that are sharp gain nothing.
    """

    faceset: Path
    """Folder of the faceset."""
    output: Path
    """Folder of the new one; made when missing. The same command on it goes on where it was stopped."""
    enhancer: Annotated[str, ENHANCERS] = "span"
    """What redraws them."""
    strength: float = 1.0
    """How much of what was redrawn is taken: 0 = nothing, 1 = all of it, 0.5 = half of it over the old crop."""
    size: int | None = None
    """Side of the new crops in pixels, 32 to 2048. Default: as it is. Up to four times that keeps what was redrawn."""
    threads: int = 0
    """Threads of the network; 0 = one per core."""

    def __post_init__(self) -> None:
        refuse_itself(self.faceset, self.output)
        ENHANCERS[self.enhancer]  # raises with the nearest names
        others = ", ".join(name for name in ENHANCERS if name != "none")
        allow("--enhancer", self.enhancer, self.enhancer != "none", others)
        allow("--strength", self.strength, 0 < self.strength <= 1, "more than 0, up to 1")
        allow("--size", self.size, self.size is None or 32 <= self.size <= 2048, "32 to 2048")
        allow("--threads", self.threads, self.threads >= 0, "0 or more")


@dataclass(frozen=True, kw_only=True)
class FacesetEnhanceResult:
    """What was made."""

    faceset: Path
    num_faces: int
    sharpness_before: float
    """Mean over the faces redrawn, at the new size."""
    sharpness_after: float
    was_done: bool

    def summary(self) -> list[str]:
        """One line."""
        if self.was_done:
            return [f"Nothing to do: {self.faceset} holds these {self.num_faces} faces already."]
        change = f"mean sharpness {self.sharpness_before:.3g}, now {self.sharpness_after:.3g}"
        return [f"{self.num_faces} faces in {self.faceset}: {change}."]


def faceset_enhance(config: FacesetEnhanceConfig, reporter: Reporter) -> FacesetEnhanceResult:
    """The enhanced faceset.

    Raises:
        FacesetError: no faceset, or another process is writing into the new one.
        WeightsError: the enhancer's network is missing.
        OutputError: something else is in the way, no space, no permission.
        Cancelled: a person asked to stop; the same command goes on.
    """
    old = Faceset.open(config.faceset, reporter=reporter)
    size = config.size or old.header.size
    settings: dict[str, Any] = {"enhancer": config.enhancer, "strength": config.strength, "size": size}
    manifest = manifest_of("faceset enhance", old, settings, {})
    if is_done(config.output, manifest):
        there = Manifest.load(config.output)
        assert there is not None
        return FacesetEnhanceResult(faceset=config.output, was_done=True, **there.results)
    ensure_writable(config.output, bytes_for(len(old), size))
    enhancer: Enhancer = ENHANCERS.load(config.enhancer)(threads=config.threads)
    names: dict[str, str] = {}
    before, after = [], []
    with Faceset.create(config.output, replace(old.header, size=size)) as new:
        there_already = {place_of(record): record for record in new.records()}
        reporter.start("enhancing", len(old), "faces")
        for number, record in enumerate(old.records(), 1):
            check(reporter)
            crop = resized(record.crop, size)
            wanted = replace(record, name="", size=size, crop_from_frame=crop.crop_from_frame.matrix)
            if (made := there_already.get(place_of(wanted))) is not None:
                names[record.name] = made.name
            else:
                try:
                    plain, image = _enhanced(old.image(record.name), enhancer, size, config.strength)
                    labels = moved(old.labels(record.name), record.crop, crop)
                except (StoreError, ValueError) as error:
                    reporter.warn(f"{record.name} is left out: {error}")
                    continue
                wanted = replace(wanted, sharpness=sharpness(image))
                names[record.name] = new.add(image, wanted, labels)
                before.append(sharpness(plain))
                after.append(wanted.sharpness)
            reporter.advance(number)
        reporter.finish()
        carry_order(old, config.output, names)
        results: dict[str, Any] = {
            "num_faces": len(new),
            "sharpness_before": float(np.mean(before)) if before else 0.0,
            "sharpness_after": float(np.mean(after)) if after else 0.0,
        }
    manifest.results, manifest.complete = results, True
    manifest.save(config.output)
    return FacesetEnhanceResult(faceset=config.output, was_done=False, **results)


def _enhanced(image: NDArray[np.uint8], enhancer: Enhancer, size: int, strength: float) -> tuple[Any, Any]:
    """The crop at `size`, as it was and redrawn. Two [size, size, 3] uint8

    Both cover the same square with the same half pixel: `Crop` puts pixel 0 of any size at the same place, an enhancer
    puts the corners of its pixels there, so its picture is moved by half of the difference.
    """
    factor = enhancer.factor
    redrawn = _at_size(to_float(enhancer.enhance(to_float(image))), size / image.shape[0], factor)
    plain = _at_size(to_float(image), size / image.shape[0], 1)
    mixed = plain + np.float32(strength) * (redrawn - plain)
    return to_uint8(plain), to_uint8(mixed)


def _at_size(image: NDArray[np.float32], scale: float, factor: int) -> NDArray[np.float32]:
    """A picture that is `factor` times a crop, as the crop at `scale`: pixel i shows place i / scale of the crop."""
    size = round(image.shape[0] / factor * scale)
    finer = max(1, int(factor / scale))  # made larger than wanted, then averaged, so that nothing flickers
    step = factor / (scale * finer)  # pixels of the picture for one of the finer ones
    shift = ((0.5 / finer - 0.5) / scale + 0.5) * factor - 0.5
    matrix = np.array([[step, 0.0, shift], [0.0, step, shift]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    fine = cv2.warpAffine(image, matrix, (size * finer,) * 2, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.clip(cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA), 0.0, 1.0)
