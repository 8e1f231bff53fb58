"""What is kept of a merge while it runs: encoded parts of some seconds each, so that a kill costs one part at most.

    out.mp4.parts/
      manifest.json         what is merged from what, with which settings: parts of another merge are not used
      part_000003.mp4       frames 750 to 999, encoded as the whole will be; of pictures, a folder part_000003
      part_000003.mask.mp4  what is made beside the result (`_merge_extras`)
      part_000003.json      written after them: its hash, its counts, the fingerprint of all that its frames depend on

A part counts when its record is there, its hashes fit, and its fingerprint is that of what is wanted. Parts do not
depend on one another, so any of them can be made anew.
"""

from __future__ import annotations

import json
import queue
import shutil
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from konterfei.errors import OutputError, UnreadableMediaError
from konterfei.io.atomic import make_folder, remove_leftovers, sha256, write_json
from konterfei.io.locks import exclusive
from konterfei.io.manifest import Manifest, plain
from konterfei.io.sequence import sequence_sha256
from konterfei.stages._merge_extras import Beside
from konterfei.stages._merge_output import Drawn, PartWriter
from konterfei.stages._merge_stream import SWAPPED


@dataclass(kw_only=True)
class PartRecord:
    """One finished part.

    Attributes:
        number: first frame's index over the frames of a part.
        fingerprint: hash of all that its frames depend on and that may change from part to part.
        told: of that, what a person understands: the settings of its first frame.
        frames: how many it holds; of 0 there is no file.
        lost: frames of it that could not be decoded.
        is_last: the plate ends in it.
        counts: reason -> frames; see `stages._merge_stream`.
        at_edge: swapped frames with a face that reaches over the frame's edge.
        faces: swapped faces.
        seconds: what it took, by step.
        sha256: of the file.
        extras: of what belongs to it beside the file; see `_merge_extras.Beside.hashes`.
    """

    number: int
    fingerprint: str = ""
    told: dict[str, Any] = field(default_factory=dict)
    frames: int = 0
    lost: int = 0
    is_last: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    at_edge: int = 0
    faces: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    sha256: str = ""
    extras: dict[str, str] = field(default_factory=dict)

    def count(self, reason: str, faces: int, at_edge: bool) -> None:
        """A frame of it is done."""
        self.frames += 1
        self.faces += faces
        self.at_edge += at_edge
        self.counts[reason] = self.counts.get(reason, 0) + 1

    @property
    def swapped(self) -> int:
        """Frames with a swapped face."""
        return self.counts.get(SWAPPED, 0)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return plain(asdict(self))  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PartRecord:
        """The record of `to_json`. Raises TypeError or ValueError when it is not one."""
        record = cls(**data)
        if not isinstance(record.number, int) or not isinstance(record.frames, int):
            raise ValueError("a part's record without its numbers")
        return record


class Parts:
    """The folder of parts of one merge.

    Args:
        folder: where they are kept.
        suffix: of a part; "" where it is a folder of pictures.
        beside: what is made beside the result, part by part.
    """

    def __init__(self, folder: Path, suffix: str = ".mp4", beside: Beside | None = None) -> None:
        self.folder, self.suffix, self.beside = folder, suffix, beside or Beside()

    def path(self, number: int) -> Path:
        """Video file, or folder of pictures, of a part."""
        return self.folder / f"part_{number:06d}{self.suffix}"

    def record_path(self, number: int) -> Path:
        """Record of a part."""
        return self.folder / f"part_{number:06d}.json"

    def numbers(self) -> list[int]:
        """Of the parts that have a record."""
        return sorted(int(path.stem.removeprefix("part_")) for path in self.folder.glob("part_??????.json"))

    def digest(self, number: int) -> str:
        """The hash of a part. Raises OSError or UnreadableMediaError when it is not there."""
        path = self.path(number)
        return sha256(path) if self.suffix else sequence_sha256(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder and keeps other merges out of it; a lock ends with its process, however that ends.

        Raises:
            OutputError: another merge is at work there, or the folder cannot be made.
        """
        busy = OutputError(f"Another merge is writing into '{self.folder}'. Wait for it or choose another output.")
        with exclusive(make_folder(self.folder) / ".lock", busy):
            yield

    def begin(self, manifest: Manifest) -> list[str]:
        """Take up the work that is there, or start anew.

        Args:
            manifest: of the merge that is wanted: what all of its parts depend on.

        Returns:
            what differs in parts that were found and thrown away, in words
        """
        there = Manifest.load(self.folder)
        changes = manifest.differs_from(there) if there is not None else []
        if there is None or changes:
            for path in self.folder.glob("part_*"):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
            manifest.save(self.folder)
        remove_leftovers(self.folder)
        return changes

    def is_complete(self, manifest: Manifest) -> bool:
        """Whether all parts of this very merge were made once, and perhaps only the last steps were missing."""
        there = Manifest.load(self.folder) if self.folder.is_dir() else None
        return there is not None and there.complete and not manifest.differs_from(there)

    def record(self, number: int) -> PartRecord | None:
        """The record of a part that is whole; None where there is none."""
        try:
            record = PartRecord.from_json(json.loads(self.record_path(number).read_text("utf-8")))
            if record.number != number or (record.frames and self.digest(number) != record.sha256):
                return None
            if record.frames and self.beside.hashes(self.path(number)).items() - record.extras.items():
                return None
        except (OSError, UnreadableMediaError, ValueError, KeyError, TypeError):
            return None  # torn by a power cut, or changed by hand: it is made again
        return record

    def keep(self, record: PartRecord) -> None:
        """A part is whole: note it."""
        if record.frames:
            record.sha256 = self.digest(record.number)
            record.extras = self.beside.hashes(self.path(record.number))
        write_json(self.record_path(record.number), record.to_json())

    def remove(self) -> None:
        """Throw everything away: the result is there."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Ledger:
    """Keeps the books of one reading: which part a frame belongs to, what was lost.

    Args:
        numbers: of the parts wanted, one after the other.
        part_frames: indices that a part covers.
        wanted: indices of the frames that go into the result.
        begin: index that the reading begins at, perhaps before the first frame wanted.
    """

    def __init__(self, numbers: range, part_frames: int, wanted: range, begin: int) -> None:
        self._part_frames, self._wanted = part_frames, wanted
        self._open = deque(PartRecord(number=number) for number in numbers)
        self._next, self._gaps, self._has_begun = begin, 0, False

    def frames_of(self, number: int) -> range:
        """The indices of a part's frames that are wanted."""
        first = number * self._part_frames
        return range(max(first, self._wanted.start), min(first + self._part_frames, self._wanted.stop))

    def turn(self, index: int) -> list[PartRecord]:
        """To be called with each frame's index, those around the wanted ones too: the parts that end before it."""
        self._gaps += index - self._next
        closed = []
        for record in list(self._open):
            frames = self.frames_of(record.number)
            record.lost += len(range(max(self._next, frames.start), min(index, frames.stop)))
            self._has_begun |= index >= frames.start
            if index >= frames.stop:
                closed.append(self._open.popleft())
            else:
                break
        self._next = index + 1
        return closed

    @property
    def part(self) -> PartRecord:
        """The part that the frame of the last `turn` belongs to, if it is wanted."""
        return self._open[0]

    def end(self, lost_by_reader: int) -> list[PartRecord]:
        """The plate is at its end: the part in which it ends; none when all were closed, or none was reached.

        Args:
            lost_by_reader: frames that were missed in all.
        """
        if not self._open or not self._has_begun:
            return []
        record = self._open.popleft()
        record.lost += max(min(lost_by_reader - self._gaps, self._wanted.stop - self._next), 0)
        record.is_last = True
        return [record]


class PartEncoder:
    """Encodes on a thread of its own, part by part. A context manager; leaving it well means that all is on disk.

    Args:
        parts: where to.
        writer: makes the writer of a part from its path.
        waiting: frames that may wait; bounds memory.

    Attributes:
        written: records of the parts finished so far.
        notes: what the writers of these parts want a person to read, each once.
    """

    def __init__(self, parts: Parts, writer: Callable[[Path], PartWriter], waiting: int = 4) -> None:
        self._parts, self._writer = parts, writer
        self.written: list[PartRecord] = []
        self.notes: list[str] = []
        self._queue: queue.Queue[Any] = queue.Queue(maxsize=waiting)
        self._error: BaseException | None = None
        self._dead = threading.Event()
        self._thread = threading.Thread(target=self._work, name="encode", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._put(None)
        else:
            self._dead.set()  # the part in work is given up
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def write(self, drawn: Drawn, number: int) -> None:
        """Hand over a frame of part `number`; it must not be changed any more."""
        self._put((number, drawn))

    def close_part(self, record: PartRecord) -> None:
        """The part in work is whole; `record` is written once the file is."""
        self._put(record)

    def _put(self, item: Any) -> None:
        while True:
            if self._error is not None:
                raise self._error
            with suppress(queue.Full):
                self._queue.put(item, timeout=0.1)
                return

    def _get(self) -> Any:
        while not self._dead.is_set():
            with suppress(queue.Empty):
                return self._queue.get(timeout=0.1)
        raise _GivenUp

    def _work(self) -> None:
        try:
            while (item := self._get()) is not None:
                if isinstance(item, PartRecord):
                    self._keep(item)  # every frame of it was lost
                else:
                    self._encode_part(*item)
        except _GivenUp:
            pass
        except BaseException as error:  # the next call of the stage raises it
            self._error = error

    def _encode_part(self, number: int, drawn: Drawn) -> None:
        with self._writer(self._parts.path(number)) as writer:
            item: Any = (number, drawn)
            while not isinstance(item, PartRecord):
                writer.write(item[1])
                item = self._get()
        self.notes += [line for line in writer.notes if line not in self.notes]
        self._keep(item)

    def _keep(self, record: PartRecord) -> None:
        self._parts.keep(record)
        self.written.append(record)


class _GivenUp(Exception):
    """The stage failed or was stopped."""
