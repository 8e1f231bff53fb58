"""The folder that a compositor gets: written part by part, put together, marked, signed, and checked.

    frames/frame.000123.exr        the layers of a frame (layers.py)
    crops/face0.000123.exr         a face's crop
    face0.nk, face0.csv, face0.ae.txt   where it lies in each frame (corners.py)
    transforms.json                the same as matrices, landmarks, settings, colour space, marking
    README.txt                     how to use all this
    preview.png                    one merged frame with its label, signed; its credentials hold the hash of the next
    SHA256SUMS                     of all other files, for `sha256sum -c`

OpenEXR cannot carry Content Credentials. So one picture that can carries them for the whole folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from konterfei.compositing import Layer
from konterfei.errors import UnreadableMediaError
from konterfei.imaging import to_uint8
from konterfei.imaging.transfer import transfer_of
from konterfei.io.atomic import make_folder, sha256, write_json, write_text
from konterfei.io.exr import PRIMARIES, write_exr
from konterfei.io.images import write_image
from konterfei.io.video import VideoInfo
from konterfei.provenance.certificate import Identity
from konterfei.provenance.credentials import SOURCE_TYPE, Claim, FaceClaim, sign
from konterfei.provenance.label import wording
from konterfei.provenance.verdict import State, Verification
from konterfei.provenance.verification import verify
from konterfei.reporting import Reporter
from konterfei.turnover.corners import CORNERS, Key, after_effects, nuke, outline, table
from konterfei.turnover.layers import crop_exr, face_names, frame_exr
from konterfei.turnover.readme import readme

Array = NDArray[Any]

FRAMES: Final = "frames"
CROPS: Final = "crops"
SUMS: Final = "SHA256SUMS"
PREVIEW: Final = "preview.png"
TRANSFORMS: Final = "transforms.json"
SUMS_KEY: Final = "turnover_sums_sha256"
"""Setting in the credentials of `preview.png` that holds the hash of `SHA256SUMS`."""
_RECORDS: Final = "records.jsonl"


@dataclass(frozen=True, kw_only=True)
class PackageSettings:
    """What is the same for all frames of a package."""

    info: VideoInfo
    """The plate."""
    claim: Claim
    """What the credentials say."""

    @property
    def marking(self) -> dict[str, Any]:
        """What stands in every file that can hold text: that this is synthetic, and on whose word."""
        claim = self.claim
        models: list[tuple[str, Claim | FaceClaim]] = [("", claim), *((other.who, other) for other in claim.others)]
        return {
            "content": "synthetic: a face was replaced by one that a neural network learned from other footage",
            "digital_source_type": SOURCE_TYPE,
            "tool": "konterfei",
            "models": [
                {
                    "draws": who or ("the other faces" if claim.others else "every face"),
                    "model": told.model,
                    "training_steps": told.steps,
                    "consent_record_sha256": told.consent.sha256,
                }
                for who, told in models
            ],
            "is_preview": claim.is_preview,
            "label": claim.label,
            "label_text": wording(claim.label) if claim.label_text is None else claim.label_text,
            "use": claim.use or "",
            "plate": claim.plate.name,
            "plate_sha256": claim.plate.sha256,
        }

    @property
    def header(self) -> dict[str, str]:
        """The marking as attributes of an OpenEXR header."""
        marking = self.marking
        return {
            "comments": f"{marking['label_text'] or 'AI MODIFIED'}. {marking['content']}.",
            "digitalSourceType": SOURCE_TYPE,
            "konterfei": json.dumps(marking, ensure_ascii=False),
        }


class PackagePart:
    """Writes some frames of a package.

    Args:
        folder: of the part; emptied first.
        settings: of the package.
    """

    def __init__(self, folder: Path, settings: PackageSettings) -> None:
        shutil.rmtree(folder, ignore_errors=True)  # torn by a kill
        self._folder, self._settings = make_folder(folder), settings
        self._transfer = transfer_of(settings.info.color.transfer)
        self._more: dict[str, Any] = {
            "attributes": settings.header,
            "primaries": PRIMARIES.get(settings.info.color.primaries),
        }
        self._records: list[dict[str, Any]] = []
        self._has_face = False

    def add(
        self,
        number: int,
        index: int,
        pts: Fraction,
        plate: Array,
        merged: Array,
        bare: Array,
        layers: Sequence[Layer],
    ) -> None:
        """Write one frame.

        Args:
            number: in its files' names.
            index: in the plate, from 0.
            pts: when it is shown in the result, seconds.
            plate: the frame as it came. RGB [H, W, 3]
            merged: the finished frame with its label. [H, W, 3]
            bare: the same before the label was drawn.
            layers: its faces, the lowest first.
        """
        claim = self._settings.claim
        height, width = plate.shape[:2]
        frame = frame_exr(plate, merged, layers, self._transfer, claim.label, claim.label_text, bare, **self._more)
        name = f"{FRAMES}/frame.{number:06d}.exr"
        write_exr(self._folder / name, frame)
        faces = []
        for face, layer in zip(face_names(layers), layers, strict=True):
            crop = f"{CROPS}/{face}.{number:06d}.exr"
            write_exr(self._folder / crop, crop_exr(layer, (width, height), self._transfer, **self._more))
            faces.append(
                {
                    "name": face,
                    "track": layer.face.track,
                    "file": crop,
                    "size": layer.placed.size,
                    "crop_from_frame": layer.placed.crop_from_frame.matrix.tolist(),
                    "corners": dict(zip(CORNERS, outline(layer.placed, height).tolist(), strict=True)),
                    "landmarks": layer.face.landmarks.astype(np.float64).round(3).tolist(),
                    "region": _plain_region(layer),
                }
            )
        if not (self._folder / PREVIEW).exists() or (faces and not self._has_face):
            write_image(self._folder / PREVIEW, to_uint8(merged))
        self._has_face |= bool(faces)
        seconds = {"pts": str(pts), "seconds": float(pts)}
        self._records.append({"frame": number, "plate_index": index, **seconds, "file": name, "faces": faces})

    def close(self) -> None:
        """All frames of the part were added: write what is known of them."""
        lines = [json.dumps(record, allow_nan=False) for record in self._records]
        write_text(self._folder / _RECORDS, "\n".join(lines) + "\n")


def folder_sha256(folder: Path) -> str:
    """The hash of a folder: of the list of its files, hidden ones too, with their own. Raises OSError if it is none."""
    if not folder.is_dir():
        raise NotADirectoryError(f"'{folder}' is no folder")
    return hashlib.sha256(_listing(folder, _files(folder)).encode()).hexdigest()


def assemble(parts: Sequence[Path], whole: Path, settings: PackageSettings, claim: Claim, identity: Identity) -> None:
    """Put the parts of a package together in the new folder `whole`, and sign it.

    Args:
        parts: folders written by `PackagePart`, in order.
        whole: emptied first; the files of the parts are linked, not copied, where the disk can.
        settings: as the parts were written with.
        claim: with the frames counted; what the credentials say.
        identity: who signs.

    Raises:
        OutputError: it cannot be written.
        ProvenanceError: it could not be signed.
    """
    shutil.rmtree(whole, ignore_errors=True)
    make_folder(whole)
    records: list[dict[str, Any]] = []
    for part in parts:
        for kind in (FRAMES, CROPS):
            for file in sorted((part / kind).glob("*.exr")):
                link(file, make_folder(whole / kind) / file.name)
        records += [json.loads(line) for line in (part / _RECORDS).read_text("utf-8").splitlines()]
    info = settings.info
    write_json(whole / TRANSFORMS, _transforms(settings, records))
    keys = _keys(records)
    for name, told in keys.items():
        write_text(whole / f"{name}.nk", nuke(name, told))
        write_text(whole / f"{name}.csv", table(told, info.width, info.height))
        write_text(whole / f"{name}.ae.txt", after_effects(told, info.width, info.height, info.fps))
    transfer = transfer_of(info.color.transfer)
    write_text(whole / "README.txt", readme(settings.marking, info, transfer, keys))
    write_text(whole / SUMS, _listing(whole, _files(whole)))
    middle = [part for part in parts if (part / CROPS).is_dir()] or list(parts)
    told_claim = replace(claim, settings={**claim.settings, SUMS_KEY: sha256(whole / SUMS)})
    sign(middle[len(middle) // 2] / PREVIEW, whole / PREVIEW, told_claim, identity)


def is_package(folder: Path) -> bool:
    """Whether `folder` looks like a package, whole or damaged."""
    return (folder / SUMS).is_file() or (folder / TRANSFORMS).is_file()


def verify_package(folder: Path, trust: str = "", reporter: Reporter | None = None) -> Verification:
    """The verdict on a package: that on its signed picture, and whether every file is as it was then.

    Args:
        folder: of the package.
        trust: see `provenance.verification.verify`.
        reporter: told the progress.

    Raises:
        UnreadableMediaError: it lacks the signed picture or the list of hashes.
    """
    for name in (PREVIEW, SUMS):
        if not (folder / name).is_file():
            raise UnreadableMediaError(f"'{folder}' has no {name}, without which a package cannot be checked.")
    found = verify(folder / PREVIEW, trust, reporter)
    problems = []
    if found.swap.get("settings", {}).get(SUMS_KEY) != sha256(folder / SUMS):
        problems.append(f"{SUMS} is not the list that {PREVIEW} was signed with")
    listed: dict[str, str] = {}
    for line in (folder / SUMS).read_text("utf-8", errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        listed[name] = digest
    there = {file.relative_to(folder).as_posix(): file for file in _files(folder)}
    problems += [f"{name} is missing" for name in listed if name not in there]
    problems += [f"{name} was changed" for name, f in there.items() if name in listed and sha256(f) != listed[name]]
    problems += [f"{name} was added" for name in there if name not in listed and name not in (PREVIEW, SUMS)]
    state = State.ALTERED if problems and found.untouched else found.state
    return replace(found, path=folder, state=state, problems=(*found.problems, *problems))


def link(file: Path, target: Path) -> None:
    """A second name for a file; a copy on disks without such names."""
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _listing(folder: Path, files: Iterable[Path]) -> str:
    """As `sha256sum` writes it."""
    return "".join(f"{sha256(file)}  {file.relative_to(folder).as_posix()}\n" for file in files)


def _plain_region(layer: Layer) -> list[int]:
    rows, columns = layer.region
    return [columns.start, rows.start, columns.stop, rows.stop]


def _keys(records: Iterable[Mapping[str, Any]]) -> dict[str, list[Key]]:
    """Face name -> where its crop lies, frame by frame."""
    keys: dict[str, list[Key]] = {}
    for record in records:
        for face in record["faces"]:
            corners = np.array([face["corners"][corner] for corner in CORNERS])
            key = Key(record["frame"], record["plate_index"], Fraction(record["pts"]), corners, face["size"])
            keys.setdefault(face["name"], []).append(key)
    return keys


def _transforms(settings: PackageSettings, records: list[dict[str, Any]]) -> dict[str, Any]:
    info, claim = settings.info, settings.claim
    transfer = transfer_of(info.color.transfer)
    return {
        "format": "konterfei turnover",
        "version": 1,
        "marking": settings.marking,
        "plate": {
            "name": claim.plate.name,
            "width": info.width,
            "height": info.height,
            "fps": str(info.fps),
            "color_h273": {
                "primaries": info.color.primaries,
                "transfer": info.color.transfer,
                "matrix": info.color.matrix,
            },
        },
        "light": {"transfer": transfer.name, "about": transfer.about},
        "conventions": {
            "crop_from_frame": "crop = M @ (x, y, 1); px, y down, pixel centres at integers, origin at the top left "
            "pixel's centre",
            "landmarks": "frame px as above, 68-point scheme",
            "corners": "frame px, y up, origin at the frame's bottom left corner, of the crop's picture",
            "region": "left, top, right, bottom of what the face changes, frame px, y down; right and bottom excluded",
            "frame": "number in file names; plate_index counts the plate's frames from 0; seconds of the result",
        },
        "merge_settings": dict(claim.settings),
        "frames": records,
    }
