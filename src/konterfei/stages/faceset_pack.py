"""faceset pack: a whole faceset as one file, to keep it, copy it or send it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from konterfei.errors import ConfigError, OutputError
from konterfei.io.atomic import size_text
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_pack import SUFFIX, is_packed_as, pack
from konterfei.reporting import Reporter
from konterfei.stages._faceset_tools import megabytes_to


@dataclass(frozen=True, kw_only=True)
class FacesetPackConfig:
    """Put a whole faceset into one file: crops with records and labels, order, trash, and what it was made with.

    The file is a zip archive without compression; the same faceset gives the same bytes. konterfei faceset unpack
    makes a folder of it again.
    """

    faceset: Path
    """Folder of the faceset. It stays as it is."""
    output: Path
    """The file, for example anna.faceset. It takes as much disk as the folder."""
    force: bool = False
    """Writes over a file that is there."""

    def __post_init__(self) -> None:
        if self.faceset.absolute() in self.output.absolute().parents:
            raise ConfigError(f"--output '{self.output}' lies in the faceset itself. Choose a place outside of it.")


@dataclass(frozen=True, kw_only=True)
class FacesetPackResult:
    """What was packed."""

    file: Path
    num_files: int
    num_bytes: int
    was_done: bool

    def summary(self) -> list[str]:
        """One line."""
        if self.was_done:
            return [f"Nothing to do: {self.file} is this faceset as it is. --force makes it anew."]
        return [f"{self.file}: {self.num_files} files, {size_text(self.num_bytes)}."]


def faceset_pack(config: FacesetPackConfig, reporter: Reporter) -> FacesetPackResult:
    """One file of the faceset, whole or not at all.

    Raises:
        FacesetError: no faceset.
        OutputError: another file is there, no space, no permission.
        Cancelled: a person asked to stop; nothing is left behind.
    """
    faceset = Faceset.open(config.faceset, reporter=reporter, allow_empty=True)
    target = config.output if config.output.suffix else config.output.with_name(config.output.name + SUFFIX)
    if target.exists() and not config.force:
        if not is_packed_as(faceset.folder, target, megabytes_to(reporter, "comparing")):
            raise OutputError(f"'{target}' is there already. Choose another name, or --force to write over it.")
        return FacesetPackResult(file=target, num_files=0, num_bytes=target.stat().st_size, was_done=True)
    num_files = pack(faceset.folder, target, megabytes_to(reporter, "packing"))
    reporter.finish()
    return FacesetPackResult(file=target, num_files=num_files, num_bytes=target.stat().st_size, was_done=False)
