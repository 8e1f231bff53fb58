"""What goes out beside the result of a merge, made in the same pass: videos for review, a package for compositors.

Each extra is made part by part like the result, so that a kill costs one part of it at most, and appears complete and
signed before the result does. What shows a swapped face carries the result's label.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from numpy.typing import NDArray

from konterfei.errors import ConfigError, OutputError
from konterfei.io.atomic import make_folder, replace_folder, sha256
from konterfei.io.sequence import is_sequence, list_images
from konterfei.io.video import VideoInfo
from konterfei.provenance.credentials import Claim
from konterfei.registry import Entry, Registry
from konterfei.reporting import Reporter
from konterfei.stages._merge_output import Drawn, Job, PartWriter
from konterfei.turnover import PackagePart, PackageSettings, assemble, folder_sha256
from konterfei.turnover.package import PREVIEW, SUMS

EXTRAS: Final = Registry(
    "extra",
    {
        "mask": Entry("konterfei.stages._merge_review:Mask", "video of the masks, white = swapped"),
        "side-by-side": Entry("konterfei.stages._merge_review:SideBySide", "video of plate and result"),
        "wipe": Entry("konterfei.stages._merge_review:Wipe", "video with a line between plate and result"),
        "turnover": Entry("konterfei.stages._merge_extras:Turnover", "folder for compositors: OpenEXR layers, maps"),
    },
)
"""Every extra by name; each is made with `(output, name, options)` and is an `Extra`."""


class Extra(Protocol):
    """One thing beside the result. Goes to other processes.

    Attributes:
        name: in EXTRAS.
        place: the file or folder that it becomes.
        part_suffix: of its parts' names.
    """

    name: str
    place: Path
    part_suffix: str

    def fingerprint(self, job: Job) -> str:
        """Of what its parts depend on and the result's do not."""
        ...

    def part(self, path: Path, job: Job) -> PartWriter:
        """The writer of a part."""
        ...

    def digest(self, path: Path) -> str:
        """The hash of a finished part. Raises OSError when it is not there."""
        ...

    def content(self) -> str | None:
        """The hash of what is at its place; None = nothing whole."""
        ...

    def bytes_needed(self, info: VideoInfo, frames: int) -> int:
        """Disk that it will take about."""
        ...

    def deliver(self, job: Job, claim: Claim, parts: Sequence[Path], reporter: Reporter) -> None:
        """Make it of its parts; it appears complete and signed."""
        ...


def asked_for(names: str | None, output: Path, wipe: float | None) -> tuple[Extra, ...]:
    """The extras that a person names, each once, in the table's order.

    Args:
        names: of EXTRAS, with commas between them.
        output: place of the result; extras lie beside it.
        wipe: where the line of a wipe stands, None = it moves.

    Raises:
        UnknownNameError: there is no such extra.
        ConfigError: a wipe is set, but not asked for.
    """
    chosen = {name.strip() for name in (names or "").split(",") if name.strip()}
    for name in sorted(chosen):
        EXTRAS[name]
    if wipe is not None and "wipe" not in chosen:
        raise ConfigError("--wipe says where the line of the extra 'wipe' stands; ask for that with --extras wipe.")
    return tuple(EXTRAS.load(name)(output, name, wipe) for name in EXTRAS if name in chosen)


@dataclass(frozen=True)
class Beside:
    """The extras of a merge. Goes to other processes.

    Attributes:
        extras: wanted.
        job: what their writers need to know; may be None only where there are none.
    """

    extras: tuple[Extra, ...] = ()
    job: Job | None = None

    def hashes(self, result_part: Path) -> dict[str, str]:
        """What a part's record holds of its extras: name -> fingerprint and hash. Raises OSError when one is gone."""
        return {e.name: f"{e.fingerprint(self._job)}:{e.digest(part_path(result_part, e))}" for e in self.extras}

    def writer(self, result_part: Path, result: PartWriter) -> PartWriter:
        """The writer of a part of the result, with those of its extras."""
        if not self.extras:
            return result
        return _Together(result, [e.part(part_path(result_part, e), self._job) for e in self.extras])

    def deliver(self, claim: Claim, parts: Sequence[Path], reporter: Reporter) -> dict[str, str]:
        """Make all extras of their parts.

        Args:
            claim: what the credentials say.
            parts: of the result, in order; those of the extras lie beside them.
            reporter: told the progress.

        Returns:
            name -> fingerprint and hash
        """
        for extra in self.extras:
            told = replace(claim, settings={**claim.settings, "extra": extra.name})
            extra.deliver(self._job, told, [part_path(part, extra) for part in parts], reporter)
        return {extra.name: f"{extra.fingerprint(self._job)}:{extra.content()}" for extra in self.extras}

    def refuse_foreign(self, before: Mapping[str, str]) -> None:
        """Raise OutputError where something lies that no merge made, or that was changed since.

        Args:
            before: what `deliver` gave for those that the merge before made.
        """
        for extra in self.extras:
            place, content = extra.place, extra.content()
            is_free = not place.exists() or (place.is_dir() and not any(place.iterdir()))
            if not is_free and (content is None or not before.get(extra.name, "").endswith(f":{content}")):
                raise OutputError(
                    f"'{place}' is there already and was not made by this merge, or was changed since. Choose another "
                    "output, or --force to replace it."
                )

    def are_as(self, before: Mapping[str, str]) -> bool:
        """Whether all of them lie there as the merge before made them, and as they are wanted now."""
        return all(before.get(e.name) == f"{e.fingerprint(self._job)}:{e.content()}" for e in self.extras)

    @property
    def _job(self) -> Job:
        assert self.job is not None, "extras need a job"
        return self.job


def part_path(result_part: Path, extra: Extra) -> Path:
    """Where the part of an extra lies that belongs to this part of the result."""
    return result_part.with_name(f"{result_part.name.split('.')[0]}.{extra.name}{extra.part_suffix}")


class _Together:
    """Writes a part of the result and those of its extras.

    Args:
        result: writer of the result's part.
        extras: writers of the others.
    """

    def __init__(self, result: PartWriter, extras: Sequence[PartWriter]) -> None:
        self._writers = [result, *extras]
        self._stack = ExitStack()
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for writer in self._writers:
                stack.enter_context(writer)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
        self.notes = [line for writer in self._writers for line in writer.notes]

    def write(self, drawn: Drawn) -> None:
        """Add a frame to all of them."""
        for writer in self._writers:
            writer.write(drawn)


@dataclass(frozen=True)
class Turnover:
    """The package for compositors; see `konterfei.turnover`."""

    output: Path
    name: str
    wipe: float | None = None
    part_suffix = ""

    @property
    def place(self) -> Path:
        """A folder beside the result."""
        return beside(self.output, f".{self.name}")

    def fingerprint(self, job: Job) -> str:
        """What its files say about themselves."""
        told = json.dumps(_package(job).marking, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    def part(self, path: Path, job: Job) -> PartWriter:
        """The writer of a part."""
        return _TurnoverPart(path, job)

    def digest(self, path: Path) -> str:
        """Of all files."""
        return folder_sha256(path)

    def content(self) -> str | None:
        """Of the signed picture, which vouches for the others; None where one of those is missing."""
        if not all((self.place / name).is_file() for name in (PREVIEW, SUMS)):
            return None
        listed = (line.partition("  ")[2] for line in (self.place / SUMS).read_text("utf-8").splitlines())
        return sha256(self.place / PREVIEW) if all((self.place / name).is_file() for name in listed) else None

    def bytes_needed(self, info: VideoInfo, frames: int) -> int:
        """Measured in 1080p: 3.5 MB for a frame with a face 400 px wide, 9.6 MB with one of 770 px."""
        return 3 * info.width * info.height * frames

    def deliver(self, job: Job, claim: Claim, parts: Sequence[Path], reporter: Reporter) -> None:
        """Put the parts together, sign, let the folder appear."""
        whole = parts[0].parent / f"whole.{self.name}"
        make_folder(whole.parent)
        assemble(parts, whole, _package(job), claim, job.identity)
        replace_folder(whole, self.place)


class _TurnoverPart:
    def __init__(self, folder: Path, job: Job) -> None:
        self._folder, self._job = folder, job
        self._number = frame_numbers(job.plate)
        self._part: PackagePart | None = None
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        self._part = PackagePart(self._folder, _package(self._job))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._part is not None:
            self._part.close()

    def write(self, drawn: Drawn) -> None:
        assert self._part is not None, "use it as a context manager"
        bare = drawn.image if drawn.bare is None else drawn.bare
        number = self._number(drawn.index)
        self._part.add(number, drawn.index, drawn.pts, plate_of(drawn), drawn.image, bare, drawn.layers)


def frame_numbers(plate: Path) -> Callable[[int], int]:
    """Frame index -> its number in compositing programs: that in a picture's name; of a movie, counted from 1."""
    if is_sequence(plate):
        found = [re.findall(r"\d+", file.stem) for file in list_images(plate)]
        numbers = [int(digits[-1]) for digits in found if digits]
        if len(set(numbers)) == len(found):
            return numbers.__getitem__
    return lambda index: index + 1


def _package(job: Job) -> PackageSettings:
    return PackageSettings(info=job.info, claim=job.claim)


def plate_of(drawn: Drawn) -> NDArray[Any]:
    """The frame as it came."""
    assert drawn.plate is not None, "extras need the plate"
    return drawn.plate


def beside(output: Path, ending: str) -> Path:
    """A name beside the result's: that of a video without its suffix, that of a folder as it is."""
    return output.with_name(f"{output.stem if output.suffix and not output.is_dir() else output.name}{ending}")
