"""faceset unpack: the folder that was packed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from konterfei.errors import FacesetError
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_pack import unpack
from konterfei.reporting import Reporter
from konterfei.stages._faceset_tools import few, megabytes_to


@dataclass(frozen=True, kw_only=True)
class FacesetUnpackConfig:
    """Make a folder of a packed faceset again.

    What is damaged, or would be written outside of the folder, is listed and left out.
    """

    file: Path
    """The packed faceset."""
    output: Path
    """Folder of the faceset; made when missing. The same command on it goes on where it was stopped."""


@dataclass(frozen=True, kw_only=True)
class FacesetUnpackResult:
    """What is there now."""

    faceset: Path
    num_faces: int
    num_new: int
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Member of the pack -> why it was left out."""

    def summary(self) -> list[str]:
        """What there is, and what was left out."""
        if not self.num_new and not self.skipped:
            return [f"Nothing to do: {self.faceset} holds all {self.num_faces} faces of it."]
        left_out = [f"{len(self.skipped)} entries are left out:", *few(self.skipped)] if self.skipped else []
        return [f"{self.num_faces} faces in {self.faceset}; {self.num_new} files were written.", *left_out]


def faceset_unpack(config: FacesetUnpackConfig, reporter: Reporter) -> FacesetUnpackResult:
    """The folder that was packed.

    Raises:
        FacesetError: there is no such file.
        DamagedFileError: no pack, or one without a sound header.
        OutputError: other files are in the way, no space, no permission.
        Cancelled: a person asked to stop; the same command goes on.
    """
    if not config.file.is_file():
        raise FacesetError(f"There is no file '{config.file}'. Check the path.")
    unpacked = unpack(config.file, config.output, megabytes_to(reporter, "unpacking"))
    reporter.finish()
    if unpacked.skipped:
        reporter.warn(f"{len(unpacked.skipped)} entries of {config.file} are left out, see below.")
    faceset = Faceset.open(config.output, reporter=reporter, allow_empty=True)
    return FacesetUnpackResult(
        faceset=config.output, num_faces=len(faceset), num_new=unpacked.num_new, skipped=unpacked.skipped
    )
