"""The result of a merge as pictures in a folder.

Pictures travel one by one, so each is signed by itself, as soon as it is drawn; OpenEXR, which cannot carry
credentials, is sealed as a whole at the end. The folder appears when all of them are there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from konterfei.errors import OutputError
from konterfei.io.atomic import make_folder, output_error, replace_folder, write_json
from konterfei.io.exr_frames import write_frame
from konterfei.io.images import encode_image
from konterfei.io.manifest import Manifest
from konterfei.io.sequence import (
    SEAL_SUFFIX,
    folder_of,
    is_pattern,
    is_sequence,
    list_images,
    numbered,
    sequence_sha256,
)
from konterfei.io.video import VideoInfo
from konterfei.provenance.credentials import SEALED_PICTURES, Claim, Material, sign
from konterfei.provenance.seal import metadata, seal, seal_of
from konterfei.reporting import Reporter
from konterfei.stages._merge_encoding import Encoding
from konterfei.stages._merge_job import Drawn, Job, PartWriter
from konterfei.stages._merge_stream import SWAPPED

_TOLD: Final = ".told.json"
"""In a part of sealed pictures: what the seal says of each."""


class PictureOutput:
    """A folder of pictures, each signed by itself.

    Their names: those of the plate's own pictures with `.png`, or the pattern filled with the numbers in these names;
    of a video, the frames' indices.

    Attributes:
        place: the folder.
        part_suffix: "": parts are folders.
        signs_parts: they are, where they can carry credentials.
        takes_regions: no, it shows whole frames.
        is_sealed: one seal in the folder is for all of them.
        holds_16_bits: whether a plate of more than 8 bits keeps them all.
    """

    part_suffix = ""
    takes_regions = False

    def __init__(self, path: Path) -> None:
        folder = folder_of(path)
        self.place = folder if folder.name else folder.absolute()  # the folder that one is in
        self._pattern = path.name if is_pattern(path) else None
        self.suffix = path.suffix.lower() if self._pattern else ".png"
        self.holds_16_bits = self.suffix not in (".jpg", ".jpeg")
        self.is_sealed = self.suffix in SEALED_PICTURES
        self.signs_parts = not self.is_sealed

    def settings(self, encoding: Encoding) -> dict[str, Any]:
        """What the parts depend on, besides what every merge does. Pictures are not encoded as a video is."""
        return {"pictures": self._pattern or "*.png"}

    def bytes_needed(self, plate: Path, info: VideoInfo, encoding: Encoding) -> int:
        """Disk that the result will take about (PNG at level 1 of grainy footage is hardly smaller than raw)."""
        raw = info.width * info.height * info.num_frames * (6 if info.bit_depth > 8 and self.holds_16_bits else 3)
        return raw if self.holds_16_bits else raw // 4

    def content(self) -> str | None:
        """The hash of the pictures there; None = there are none."""
        if not self._pictures() or (self.is_sealed and not seal_of(self.place).is_file()):
            return None
        return sequence_sha256(self.place)

    def refuse_other_files(self) -> None:
        """Raise OutputError where the folder holds anything else, since the result will replace the folder."""
        if self.place.is_dir() and self.place.samefile(Path.cwd()):
            raise OutputError(
                f"Cannot write into '{self.place}': the pictures replace their folder, and you are in it. Name a "
                "folder below it, for example out."
            )
        ours = {file.name for file in self._pictures()} | {Manifest.file_for(self.place).name, seal_of(self.place).name}
        other = sorted(file.name for file in self.place.glob("[!.]*") if file.name not in ours)
        if other:
            raise OutputError(
                f"The folder '{self.place}' holds other files ('{other[0]}'), and the pictures would replace it as a "
                "whole. Choose a folder that is new or empty."
            )

    def _pictures(self) -> list[Path]:
        if not self.place.is_dir() or not any(self.place.glob(f"*{self.suffix}")):
            return []
        return [file for file in list_images(self.place) if file.suffix.lower() == self.suffix]

    def names(self, plate: Path) -> Callable[[int], str]:
        """Frame index -> file name."""
        pattern = self._pattern or "%06d.png"
        if not is_sequence(plate):
            return lambda index: numbered(pattern, index)
        files = list_images(plate)
        if self._pattern is None:
            names = [f"{file.stem}.png" for file in files]
        else:
            found = [re.findall(r"\d+", file.stem) for file in files]
            names = [numbered(pattern, int(digits[-1])) if digits else "" for digits in found]
        if len(set(names)) < len(names) or "" in names:  # no numbers, or a.jpg beside a.png
            return lambda index: numbered(pattern, index)
        return names.__getitem__

    def part(self, path: Path, job: Job) -> PartWriter:
        """The writer of a part."""
        return _PicturePart(path, job, self.names(job.plate), self.suffix, f"{self.place.name}{SEAL_SUFFIX}")

    def deliver(self, job: Job, claim: Claim, parts: Sequence[Path], manifest: Manifest, reporter: Reporter) -> None:
        """Bring the pictures of all parts together, `manifest` among them, and let the folder appear."""
        whole = parts[0].parent / "whole"
        shutil.rmtree(whole, ignore_errors=True)
        make_folder(whole)
        size = 0
        sealed: list[tuple[Path, dict[str, Any]]] = []
        for part in parts:
            told = json.loads((part / _TOLD).read_text()) if self.is_sealed else {}
            for file in list_images(part):
                size += file.stat().st_size
                _link(file, whole / file.name)
                sealed.append((whole / file.name, told.get(file.name, {})))
        if self.is_sealed:
            card = whole / f"{self.place.name}{SEAL_SUFFIX}"
            seal(card, sealed, claim, job.identity, reporter)
            reporter.note(f"{self.suffix} cannot carry credentials: '{card.name}' holds them for all pictures.")
        if job.info.has_audio and job.has_sound:
            reporter.note(f"Pictures have no sound; the plate's stays in '{job.plate}'.")
        manifest.output = {"path": str(self.place.absolute()), "sha256": sequence_sha256(whole), "size": size}
        manifest.complete = True
        manifest.save(whole)
        replace_folder(whole, self.place)


def _link(file: Path, target: Path) -> None:
    """A second name for a file; a copy on disks without such names."""
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)


class _PicturePart:
    """Pictures of one part, each signed before the next is written."""

    def __init__(self, folder: Path, job: Job, name_of: Callable[[int], str], suffix: str, seal_name: str) -> None:
        self._folder, self._job, self._name_of, self._suffix = folder, job, name_of, suffix
        self._plates = list_images(job.plate) if is_sequence(job.plate) else None
        self._seal, self._told = seal_name, dict[str, Any]()
        # What it is made of is named by its hash, not opened again for each picture.
        self._claim = replace(
            job.claim,
            plate=replace(job.claim.plate, path=None),
            sources=tuple(replace(source, path=None) for source in job.claim.sources),
        )
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        shutil.rmtree(self._folder, ignore_errors=True)  # torn by a kill
        make_folder(self._folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._unsigned.unlink()

    @property
    def _unsigned(self) -> Path:
        return self._folder / f".unsigned{self._suffix}"

    def write(self, drawn: Drawn) -> None:
        if self._suffix in SEALED_PICTURES:
            self._write_light(drawn)
            return
        try:
            self._unsigned.write_bytes(encode_image(drawn.image, self._suffix))
        except OSError as error:
            raise output_error(self._unsigned, error) from error
        is_swapped = drawn.reason == SWAPPED
        claim = replace(
            self._claim,
            plate=Material.of(self._plates[drawn.index]) if self._plates else self._claim.plate,
            frame=drawn.index,
            frames_swapped=int(is_swapped),
            frames_not_swapped={} if is_swapped else {drawn.reason: 1},
        )
        sign(self._unsigned, self._folder / self._name_of(drawn.index), claim, self._job.identity)

    def _write_light(self, drawn: Drawn) -> None:
        """One OpenEXR picture, and what its seal will say of it."""
        info, name = self._job.info, self._name_of(drawn.index)
        source = self._plates[drawn.index] if self._plates else None
        is_light = source is not None and source.suffix.lower() == self._suffix and drawn.frame is not None
        write_frame(
            self._folder / name,
            drawn.image,
            info.color,
            depth=info.bit_depth,
            attributes={**metadata(self._seal), "konterfei.frame": str(drawn.index)},
            plate=source if is_light else None,
            before=drawn.frame.image if is_light and drawn.frame is not None else None,
        )
        reason = {} if drawn.reason == SWAPPED else {"reason": drawn.reason}
        self._told[name] = {"frame": drawn.index, **reason}
        write_json(self._folder / _TOLD, self._told)
