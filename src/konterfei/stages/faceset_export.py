"""faceset export: a faceset as another program reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

from konterfei.errors import ConfigError, OutputError
from konterfei.exchange import FACE_WRITERS, WriteSettings, Written
from konterfei.io.atomic import ensure_writable, make_folder
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest
from konterfei.reporting import Reporter

_SHOWN, _LISTED = 3, 20


@dataclass(frozen=True, kw_only=True)
class FacesetExportConfig:
    """Write a faceset for another program. Pictures are not encoded anew; masks and polygons go with them.

    Each picture also carries konterfei's own record, which other programs pass over: what comes back through konterfei
    import faces is then known as well as before. --bare leaves it out.
    """

    faces: Path
    """Folder of the faceset."""
    output: Path
    """Folder to write to; made when missing. The same command on it goes on where it was stopped. A faceset that has
    changed since goes to another folder."""
    format: Annotated[str, FACE_WRITERS] = "dfl"
    """For which program."""
    names: Literal["kept", "source"] = "kept"
    """Names of files: kept (as they came from that program, otherwise those of their frames) or source (always of their
    frames, as DeepFaceLab's extraction gives them)."""
    bare: bool = False
    """Leave konterfei's own record out of the pictures: who the face is as numbers, its track, the exact time."""


@dataclass(frozen=True, kw_only=True)
class FacesetExportResult:
    """What was written.

    Attributes:
        output: folder.
        num_faces: written.
        left_out: crop -> what of it was not written, or not as it was, and why.
    """

    output: Path
    num_faces: int
    left_out: Mapping[str, str]

    def summary(self) -> list[str]:
        """Where the faces are, and what was not written as it was."""
        told = [f"{name}: {why}" for name, why in list(self.left_out.items())[:_LISTED]]
        more = len(self.left_out) - len(told)
        return [
            f"{self.num_faces} faces in {self.output}",
            *told,
            *([f"... and {more} more, listed in manifest.json"] if more else []),
        ]


def faceset_export(config: FacesetExportConfig, reporter: Reporter) -> FacesetExportResult:
    """Write the faceset in `config.faces` for another program.

    Raises:
        FacesetError: there is no faceset.
        OutputError: the folder cannot be written, or holds something else.
        Cancelled: a person asked to stop; the same command goes on.
    """
    if config.faces.absolute() == config.output.absolute():
        raise ConfigError(f"--output is the faceset itself, '{config.faces}'. Choose another folder.")
    faceset = Faceset.open(config.faces, reporter=reporter)
    manifest = Manifest(
        stage="faceset export",
        inputs={"faces": {"path": str(config.faces.absolute()), "sha256": faceset.content_hash()}},
        settings={"format": config.format, "names": config.names, "bare": config.bare},
        versions={"konterfei": version("konterfei")},
    )
    before, holds_files = Manifest.load_begun(config.output)
    if before is None and holds_files:
        raise OutputError(f"'{config.output}' is not empty, and no export of konterfei's. Choose another folder.")
    if before is not None and (changes := manifest.differs_from(before)):
        raise OutputError(
            f"'{config.output}' was written otherwise: {'; '.join(changes)}. Choose another folder, or remove this one."
        )
    if before is not None and before.complete:
        reporter.note(f"Nothing to do: {config.output} is complete.")
        return FacesetExportResult(output=config.output, **before.results)
    ensure_writable(config.output, sum((faceset.folder / name).stat().st_size for name in faceset.names()))
    make_folder(config.output)
    manifest.save(config.output)
    settings = WriteSettings(names=config.names, bare=config.bare)
    written: Written = FACE_WRITERS.load(config.format)(faceset, config.output, settings, reporter)
    manifest.results = {"num_faces": written.num_faces, "left_out": dict(written.left_out)}
    manifest.complete = True
    manifest.save(config.output)
    _tell(written, config.output, reporter)
    return FacesetExportResult(output=config.output, **manifest.results)


def _tell(written: Written, output: Path, reporter: Reporter) -> None:
    if written.left_out:
        few = "; ".join(f"{name}: {why}" for name, why in list(written.left_out.items())[:_SHOWN])
        count = len(written.left_out)
        more = f"; and {count - _SHOWN} more, listed in manifest.json" if count > _SHOWN else ""
        reporter.warn(f"{count} crops were not written as they were: {few}{more}.")
    reporter.note(f"{written.num_faces} faces in {output}.")
