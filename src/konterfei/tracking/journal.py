"""Journal of an analysis: one line per block of frames, appended and flushed, so that a kill costs one block.

A line is JSON with the checksum of its own text in front. A line that was being written when the power went is cut
short; it is dropped when the journal is opened again, and its block is done anew. Numbers are kept exactly: what is
computed from a resumed journal equals what is computed from an uninterrupted one.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from konterfei.errors import OutputError
from konterfei.io.atomic import output_error
from konterfei.io.locks import exclusive
from konterfei.tracking.finder import FinderState, Found, FrameFaces, state_from_json, state_to_json


@dataclass(frozen=True)
class Redone:
    """One frame that was looked at again."""

    faces: FrameFaces
    how: Mapping[str, Any]
    """The settings of that look; plain JSON values."""


@dataclass
class Analysis:
    """What is known of a video so far."""

    indices: list[int] = field(default_factory=list)
    """Index of each analysed frame; frames that could not be decoded leave gaps."""
    pts: list[Fraction] = field(default_factory=list)
    """When each is shown, in seconds."""
    frames: list[FrameFaces] = field(default_factory=list)
    """What was found in each."""
    state: FinderState = field(default_factory=FinderState)
    """Of the finder after the last of them."""
    next_index: int = 0
    """Frame to go on with."""
    is_whole: bool = False
    """Whether the end of the video was reached."""
    lost: int = 0
    """Frames that could not be decoded; known when whole."""
    names: list[str] = field(default_factory=list)
    """Of loose pictures: hash and file name of each, "<SHA-256> <name>", in the place of a frame's index in a film."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Of loose pictures: those that cannot be read, named in the same way, and why."""
    redone: dict[int, Redone] = field(default_factory=dict)
    """Frames that were looked at again: index -> what was found then, which counts."""


class Journal:
    """An analysis on disk, held by one process at a time. A context manager.

    Args:
        path: the file; made when missing.
        about: what the analysis is of and with what settings; plain JSON values. A journal about something else is
            begun anew: the caller has asked beforehand whether it may.

    Raises:
        OutputError: it cannot be read or written, or another process is at it.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path, self.about = path, dict(about)
        self.analysis = Analysis()
        busy = OutputError(f"Another extraction is at work in '{path.parent}'. Wait for it or choose another folder.")
        self._file: IO[bytes] = exclusive(path, busy)
        try:
            lines, size = _read(path)
            if not lines or lines[0].get("about") != dict(about):
                lines, size = [], 0
            for line in lines[1:]:
                _take(self.analysis, line)
            if self._file.tell() != size:
                self._file.truncate(size)
            if not lines:
                self._append({"about": dict(about)})
        except OSError as error:
            self._file.close()
            raise output_error(path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(
        self, indices: list[int], pts: list[Fraction], frames: list[FrameFaces], state: FinderState, next_index: int
    ) -> None:
        """Keep one block. It is on the disk when this returns."""
        self._keep(
            {
                "indices": indices,
                "pts": [str(time) for time in pts],
                "frames": [_frame_to_json(frame) for frame in frames],
                "state": state_to_json(state),
                "next": next_index,
            }
        )

    def add_pictures(self, names: list[str], frames: list[FrameFaces], unreadable: Mapping[str, str]) -> None:
        """Keep one block of loose pictures, each for itself. It is on the disk when this returns.

        Args:
            names: of those that were read, "<SHA-256> <name>".
            frames: what was found in each.
            unreadable: those that could not be read -> why.
        """
        first = len(self.analysis.names)
        self._keep(
            {
                "indices": list(range(first, first + len(names))),
                "pts": ["0"] * len(names),
                "frames": [_frame_to_json(frame) for frame in frames],
                "state": state_to_json(FinderState()),
                "next": first + len(names),
                "names": names,
                "unreadable": dict(unreadable),
            }
        )

    def redo(self, frames: Mapping[int, FrameFaces], how: Mapping[str, Any]) -> None:
        """Keep what was found in frames (index -> faces) that were looked at again, and how that was done."""
        self._keep({"redo": [[index, _frame_to_json(frame)] for index, frame in frames.items()], "how": dict(how)})

    def take_over(self, path: Path) -> None:
        """Keep the blocks of another journal, which follow on this one's.

        Raises:
            OutputError: it cannot be read, or this one not written.
        """
        try:
            lines, _ = _read(path)
        except OSError as error:
            raise output_error(path, error) from error
        for line in lines[1:]:
            if not line.get("end"):
                self._keep(line)

    def finish(self, lost: int) -> None:
        """The end of the video was reached; `lost` frames could not be decoded."""
        self._keep({"end": True, "lost": lost})

    def _keep(self, line: dict[str, Any]) -> None:
        _take(self.analysis, line)
        try:
            self._append(line)
        except OSError as error:
            raise output_error(self.path, error) from error

    def _append(self, line: dict[str, Any]) -> None:
        text = json.dumps(line, separators=(",", ":"), allow_nan=False).encode()
        self._file.write(b"%08x %s\n" % (zlib.crc32(text), text))
        self._file.flush()
        os.fsync(self._file.fileno())


def peek(path: Path) -> Analysis | None:
    """What a journal holds, whatever it is about; None where there is none. Nothing is changed or held."""
    lines, _ = _read(path)
    if not lines:
        return None
    analysis = Analysis()
    for line in lines[1:]:
        _take(analysis, line)
    return analysis


def _read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Whole lines from the start up to the first damaged one, and where that begins."""
    lines: list[dict[str, Any]] = []
    size = 0
    if not path.exists():
        return lines, size
    with path.open("rb") as file:
        for raw in file:
            checksum, _, text = raw.rstrip(b"\n").partition(b" ")
            if not raw.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text):
                break
            lines.append(json.loads(text))
            size += len(raw)
    return lines, size


def _take(analysis: Analysis, line: dict[str, Any]) -> None:
    """Adds one line to what is known."""
    if line.get("end"):
        analysis.is_whole, analysis.lost = True, int(line["lost"])
        return
    if "redo" in line:
        for index, frame in line["redo"]:
            analysis.redone[int(index)] = Redone(_frame_from_json(frame), line["how"])
        return
    analysis.indices += line["indices"]
    analysis.pts += [Fraction(time) for time in line["pts"]]
    analysis.frames += [_frame_from_json(frame) for frame in line["frames"]]
    analysis.state = state_from_json(line["state"])
    analysis.next_index = int(line["next"])
    analysis.names += line.get("names", [])
    analysis.unreadable |= line.get("unreadable", {})


def _frame_to_json(frame: FrameFaces) -> dict[str, Any]:
    faces = [
        {
            "points": _pack(face.points),
            "iris": None if face.iris is None else _pack(face.iris),
            "score": face.score,
            "presence": face.presence,
            "embedding": None if face.embedding is None else _pack(face.embedding),
        }
        for face in frame.faces
    ]
    return {"change": frame.change, "best": frame.best_score, "faces": faces}


def _frame_from_json(data: dict[str, Any]) -> FrameFaces:
    faces = [
        Found(
            _unpack(face["points"]).reshape(68, 2),
            None if face["iris"] is None else _unpack(face["iris"]).reshape(2, 2),
            face["score"],
            face["presence"],
            None if face["embedding"] is None else _unpack(face["embedding"]),
        )
        for face in data["faces"]
    ]
    return FrameFaces(faces, data["change"], data["best"])


def _pack(array: NDArray[np.float32]) -> str:
    return base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()


def _unpack(text: str) -> NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32)
