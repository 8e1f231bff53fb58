"""What is kept of a merge while it runs: encoded parts of some seconds each, so that a kill costs one part at most.

    out.mp4.parts/
      manifest.json         what is merged from what, with which settings: parts of another merge are not used
      part_000003.mp4       frames 750 to 999, encoded as the whole will be; of pictures, a folder part_000003
      part_000003.json      written after it: its hash, its counts, what the frames after it need to know

A part counts when its record is there and its hash fits, and so do all before it.
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
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from konterfei.compositing import FaceColors
from konterfei.errors import OutputError, UnreadableMediaError
from konterfei.io.atomic import make_folder, remove_leftovers, sha256, write_json
from konterfei.io.locks import exclusive
from konterfei.io.manifest import Manifest
from konterfei.io.sequence import sequence_sha256
from konterfei.io.video import Frame
from konterfei.stages._merge_output import Drawn, PartWriter
from konterfei.stages._merge_stream import SWAPPED, Clock

Colors = list[FaceColors]


@dataclass(kw_only=True)
class PartRecord:
    """One finished part.

    Attributes:
        number: first frame's index over the frames of a part.
        previous: number of the part before it; None for the first. Parts of which every frame was lost do not exist.
        stop: index after its last frame.
        frames: how many it holds.
        lost: frames before and within it that could not be decoded.
        origin: what was subtracted from the times of its frames.
        counts: reason -> frames; see `stages._merge_stream`.
        at_edge: swapped frames with a face that reaches over the frame's edge.
        faces: swapped faces.
        colors: measured on its last frames, for smoothing over the joint.
        seconds: what it took, by step.
        sha256: of the file.
    """

    number: int
    previous: int | None
    stop: int
    frames: int = 0
    lost: int = 0
    origin: Fraction = Fraction(0)
    counts: dict[str, int] = field(default_factory=dict)
    at_edge: int = 0
    faces: int = 0
    colors: deque[Colors] = field(default_factory=deque)
    seconds: dict[str, float] = field(default_factory=dict)
    sha256: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        plain = {name: value for name, value in asdict(self).items() if name not in ("colors", "origin")}
        return {**plain, "origin": str(self.origin), "colors": [[c.to_json() for c in faces] for faces in self.colors]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PartRecord:
        """The record of `to_json`. Raises KeyError, TypeError or ValueError when it is not one."""
        colors = deque([FaceColors.from_json(c) for c in faces] for faces in data["colors"])
        return cls(**{**data, "origin": Fraction(data["origin"]), "colors": colors})


class Parts:
    """The folder of parts of one merge.

    Args:
        folder: where they are kept.
        suffix: of a part; "" where it is a folder of pictures.
    """

    def __init__(self, folder: Path, suffix: str = ".mp4") -> None:
        self.folder, self._suffix = folder, suffix

    def path(self, number: int) -> Path:
        """Video file, or folder of pictures, of a part."""
        return self.folder / f"part_{number:06d}{self._suffix}"

    def record_path(self, number: int) -> Path:
        """Record of a part."""
        return self.folder / f"part_{number:06d}.json"

    def digest(self, number: int) -> str:
        """The hash of a part. Raises OSError or UnreadableMediaError when it is not there."""
        path = self.path(number)
        return sha256(path) if self._suffix else sequence_sha256(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder and keeps other merges out of it; a lock ends with its process, however that ends.

        Raises:
            OutputError: another merge is at work there, or the folder cannot be made.
        """
        busy = OutputError(f"Another merge is writing into '{self.folder}'. Wait for it or choose another output.")
        with exclusive(make_folder(self.folder) / ".lock", busy):
            yield

    def begin(self, manifest: Manifest) -> tuple[list[PartRecord], list[str]]:
        """Take up the work that is there, or start anew.

        Args:
            manifest: of the merge that is wanted.

        Returns:
            the finished parts, in order; and what differs in those that were found and thrown away, in words
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
        return self._finished(), changes

    def is_complete(self, manifest: Manifest) -> bool:
        """Whether all parts of this very merge were made and only the last steps were missing."""
        there = Manifest.load(self.folder) if self.folder.is_dir() else None
        return there is not None and there.complete and not manifest.differs_from(there)

    def _finished(self) -> list[PartRecord]:
        found: list[PartRecord] = []
        for path in sorted(self.folder.glob("part_*.json")):
            try:
                record = PartRecord.from_json(json.loads(path.read_text("utf-8")))
                if record.previous != (found[-1].number if found else None):
                    break
                if self.digest(record.number) != record.sha256:
                    break
            except (OSError, UnreadableMediaError, ValueError, KeyError, TypeError):
                break  # torn by a power cut, or changed by hand: it and all after it are made again
            found.append(record)
        return found

    def remove(self) -> None:
        """Throw everything away: the result is there."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Tally:
    """Keeps the books: which part a frame belongs to, what was swapped, what was lost.

    Args:
        records: parts that are finished already.
        part_frames: indices that a part covers.
        begin: index to go on at.
        reach: frames that smoothing over time looks back at.
        is_trial: the times of the result start at 0.

    Attributes:
        frames, swapped: so far, over all parts.
        origin: what to subtract from times.
        number: of the part in work.
        past: colours measured on the last `reach` frames.
    """

    def __init__(self, records: list[PartRecord], part_frames: int, begin: int, reach: int, *, is_trial: bool) -> None:
        self.frames = sum(record.frames for record in records)
        self.swapped = sum(record.counts.get(SWAPPED, 0) for record in records)
        self.past: deque[Colors] = deque(records[-1].colors if records else (), maxlen=reach)
        self.origin = records[-1].origin if records else Fraction(0)
        self.number = -1
        self._previous = records[-1].number if records else None
        self._expected = records[-1].stop if records else begin
        self._begin, self._part_frames, self._is_trial = begin, part_frames, is_trial
        self._gaps = 0
        self._record: PartRecord | None = None

    def turn(self, frame: Frame, clock: Clock) -> PartRecord | None:
        """To be called with each frame: the part that ended before it, if one did."""
        if self._is_trial and self._previous is None and self._record is None:
            self.origin = frame.pts
        number = frame.index // self._part_frames
        if number == self.number:
            return None
        closed = self._close(clock)
        self.number = number
        self._record = PartRecord(number=number, previous=self._previous, stop=frame.index, origin=self.origin)
        return closed

    def count(self, frame: Frame, reason: str, faces: int, at_edge: bool, colors: Colors) -> None:
        """A frame of the part in work is done."""
        assert self._record is not None
        record, lost = self._record, max(frame.index - self._expected, 0)
        record.lost += lost
        self._gaps += max(frame.index - max(self._expected, self._begin), 0)
        record.stop = self._expected = frame.index + 1
        record.frames += 1
        record.faces += faces
        record.at_edge += at_edge
        record.counts[reason] = record.counts.get(reason, 0) + 1
        self.past.append(colors)
        self.frames += 1
        self.swapped += reason == SWAPPED

    def end(self, clock: Clock, lost_by_reader: int) -> PartRecord | None:
        """The plate is at its end: the last part, if there is one. What the reader lost after its last frame counts."""
        if self._record is not None:
            self._record.lost += max(lost_by_reader - self._gaps, 0)
        return self._close(clock)

    def _close(self, clock: Clock) -> PartRecord | None:
        record, self._record = self._record, None
        if record is not None:
            record.colors, record.seconds = self.past.copy(), clock.take()
            self._previous = record.number
        return record


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
        item.sha256 = self._parts.digest(number)
        write_json(self._parts.record_path(number), item.to_json())
        self.written.append(item)


class _GivenUp(Exception):
    """The stage failed or was stopped."""
