"""What the tools for whole facesets share: a new faceset made of an old one, and how far a long copy is."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from konterfei.errors import ConfigError, OutputError
from konterfei.io.atomic import make_folder
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_files import HEADER_NAME
from konterfei.io.faceset_order import FacesetOrder
from konterfei.io.faceset_pack import Told
from konterfei.io.manifest import Manifest
from konterfei.reporting import Reporter, check

Place = tuple[str, int, bytes, bytes]


def place_of(record: FaceRecord) -> Place:
    """What tells a face from all others of a faceset, whatever its crop is called or how sharp it is."""
    return (
        record.source,
        record.frame_index,
        record.face.landmarks.tobytes(),
        record.crop_from_frame.astype("<f8").tobytes(),
    )


def manifest_of(stage: str, faceset: Faceset, settings: Mapping[str, Any], inputs: Mapping[str, Any]) -> Manifest:
    """What a faceset made of `faceset` follows from.

    Args:
        stage: "faceset convert".
        faceset: that it is made of.
        settings: name to plain value.
        inputs: further ones, name to `input_record`.
    """
    record = {"path": str(faceset.folder.absolute()), "sha256": faceset.content_hash(), "num_faces": len(faceset)}
    return Manifest(
        stage=stage,
        inputs={"faceset": record, **inputs},
        settings=dict(settings),
        versions={"konterfei": version("konterfei")},
    )


def is_done(output: Path, manifest: Manifest) -> bool:
    """Whether the faceset of this manifest lies in `output` already, whole; begins it where nothing does.

    Raises:
        OutputError: something else is there.
    """
    before = Manifest.load(output)
    if before is not None and (changes := manifest.differs_from(before)):
        raise OutputError(f"'{output}' holds other faces: {'; '.join(changes)}. Choose another folder, or remove it.")
    if before is None and (output / HEADER_NAME).exists():
        raise OutputError(f"'{output}' holds a faceset already. Choose another folder, or remove it.")
    if before is not None and before.complete:
        return True
    make_folder(output)
    manifest.save(output)
    return False


def refuse_itself(faceset: Path, output: Path) -> None:
    """Raise ConfigError where a faceset is to be made in the place of what it is made of, or within it."""
    if output.resolve() == faceset.resolve() or faceset.resolve() in output.resolve().parents:
        raise ConfigError(f"--output '{output}' is the faceset itself, or lies in it. Choose another folder.")


def carry_order(old: Faceset, new: Path, names: Mapping[str, str]) -> None:
    """Give the new faceset the order of the old one, if that has one.

    Args:
        old: the faceset with the order.
        new: folder of the other one.
        names: file name in the old one -> in the new one.
    """
    order = FacesetOrder.load(old.folder)
    if order is None:
        return
    pairs = [(names[name], value) for name, value in zip(order.names, order.values, strict=True) if name in names]
    carried, values = zip(*pairs, strict=True) if pairs else ((), ())
    FacesetOrder(by=order.by, names=tuple(carried), values=tuple(values), about=order.about).save(new)


def megabytes_to(reporter: Reporter, task: str) -> Told:
    """A listener that tells the reporter how far `task` is, in megabytes, and stops where a person asks for it."""
    is_begun = False

    def told(done: int, total: int) -> None:
        nonlocal is_begun
        check(reporter)
        if not is_begun:
            reporter.start(task, total // 1_000_000, "MB")
            is_begun = True
        reporter.advance(done // 1_000_000)

    return told


def few(reasons: Mapping[str, str], most: int = 20) -> list[str]:
    """Names with reasons as lines, the first `most` of them."""
    shown = [f"  {name}: {why}" for name, why in list(reasons.items())[:most]]
    return [*shown, *([f"  ... and {len(reasons) - most} more"] if len(reasons) > most else [])]
