"""Frames of a merge, read, drawn, composited and encoded: in runs of parts, by this process or by several.

A run reads some frames more than it makes, on both sides, so that what is smoothed over time is the same wherever a
run begins. So parts can be made in any order, at once, and anew one by one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

import cv2

from konterfei.compositing import STEADY_REACH, Keys, Merged, MergeSettings, reach_frames
from konterfei.compositing.keys import Who
from konterfei.executors import LocalExecutor, Voice
from konterfei.imaging import sdr_look
from konterfei.io.faceset import FaceRecord, Faceset
from konterfei.io.manifest import Manifest, plain
from konterfei.io.video import Frame, read_ahead
from konterfei.provenance.label import draw_label
from konterfei.reporting import Reporter, Silent, check
from konterfei.stages._merge_cast import Cast, CastOpener
from konterfei.stages._merge_clock import Clock
from konterfei.stages._merge_output import Drawn, Job, output_for
from konterfei.stages._merge_parts import Ledger, PartEncoder, PartRecord, Parts
from konterfei.stages._merge_plate import plate_frames, seen_always
from konterfei.stages._merge_roles import labels_in
from konterfei.stages._merge_stream import SWAPPED, Item, composite, draw, steady

_AHEAD: Final = 3
"""Frames that wait between two steps: enough to even out their paces; bounds memory (an 8-bit 4K frame is 25 MB)."""
_RUNS: Final = 4
"""Runs for each process, so that none waits long for the last one to end."""
_MORE: Final = 40
"""Parts to go on with where the plate is longer than its file says."""


@dataclass(frozen=True)
class Reach:
    """Frames on each side that a frame's look depends on.

    Attributes:
        faces: that drawn faces are steadied by.
        colors: that colours, measured on steadied faces, are smoothed over; at least 1, to see where the plate ends.
    """

    faces: int
    colors: int

    @property
    def total(self) -> int:
        """Both, one after the other."""
        return self.faces + self.colors

    @classmethod
    def of(cls, keys: Keys, settings: MergeSettings, fps: Fraction) -> Reach:
        """What the settings of any frame and face ask for."""
        is_ours = any(one.dfl is None for one in keys.variants(settings))
        is_steadied = is_ours and keys.largest("steady", settings) > 0
        colors = reach_frames(keys.largest("color_smoothing", settings), float(fps))
        return cls(STEADY_REACH if is_steadied else 0, max(colors, 1))


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """What the frames of a merge depend on. Goes to other processes.

    Attributes:
        job: what the writers need to know.
        faces: folder of the plate's faceset.
        output: what was asked for.
        settings: of every frame, where nothing else is said.
        keys: what else is said.
        wanted: indices of the frames that go into the result.
        origin: subtracted from the times of frames, in seconds.
        label_text: words of the visible label; None = the style's own.
        part_frames: indices that a part covers.
        batch: faces that a model is given at once.
    """

    job: Job
    faces: Path
    output: Path
    settings: MergeSettings
    keys: Keys
    wanted: range
    origin: Fraction
    label_text: str | None
    part_frames: int
    batch: int

    def settings_at(self, index: int, record: FaceRecord | None = None) -> MergeSettings:
        """The settings of a frame, or of one face in it."""
        track, person = (None, None) if record is None else (record.face.track, record.face.person)
        return self.keys.at(index, self.settings, track, person)

    @property
    def reach(self) -> Reach:
        """Frames on each side that a frame's look depends on."""
        return Reach.of(self.keys, self.settings, self.job.info.fps)

    def numbers(self) -> range:
        """The parts that the plate seems to have; it may have fewer or more, where its file does not count frames."""
        stop = min(self.wanted.stop, max(self.job.info.num_frames, self.wanted.start + 1))
        return range(self.wanted.start // self.part_frames, -(-stop // self.part_frames))

    def frames_of(self, number: int) -> range:
        """The indices of a part's frames that are wanted."""
        first = number * self.part_frames
        return range(max(first, self.wanted.start), min(first + self.part_frames, self.wanted.stop))

    def depends_on(self, number: int) -> range:
        """The indices of the frames that a part's frames depend on."""
        frames = self.frames_of(number)
        return range(max(frames.start - self.reach.total, 0), frames.stop + self.reach.total)

    def fingerprint(self, number: int, faceset: Faceset) -> str:
        """Hash of what a part depends on and others need not: frames, settings, faces."""
        own, around = self.frames_of(number), self.depends_on(number)
        there = max(self.job.info.num_frames, *faceset.frame_indices()[-1:], 0) + 1  # a part may be said to be endless
        around = range(around.start, min(around.stop, there))

        def faces_at(index: int) -> list[Who]:
            return [(record.face.track, record.face.person) for record in faceset.faces_at(index)]

        settings = self.keys.fingerprint(around, self.settings, faces_at)
        told = [own.start, own.stop, str(self.origin), [self.reach.faces, self.reach.colors], settings]
        digest, labelled = hashlib.sha256(json.dumps(told).encode()), faceset.label_digests()
        for index in around:
            for record in faceset.faces_at(index):
                text, block = record.pack()
                digest.update(text.encode() + block)
                if record.name in labelled and self.settings_at(index, record).needs_labels:
                    digest.update(labelled[record.name].encode())
        return digest.hexdigest()

    def told(self, number: int) -> dict[str, Any]:
        """Of a part's fingerprint what a person understands."""
        settings: dict[str, Any] = plain(asdict(self.settings_at(self.frames_of(number).start)))
        return settings


class Progress(Protocol):
    """Where a run says how far it is."""

    def __call__(self, frames: int, swapped: int, /) -> None:
        """So many more frames are done; raises to stop."""


def render(
    rendering: Rendering,
    parts: Parts,
    faceset: Faceset,
    cast: Cast,
    open_cast: CastOpener,
    processes: int,
    reporter: Reporter,
) -> list[PartRecord]:
    """Make the parts that are not there yet.

    Args:
        rendering: what to make.
        parts: where to; begun.
        faceset: of the plate.
        cast: the models, for this process.
        open_cast: opens them in another one.
        processes: how many to use.
        reporter: told the progress; may stop the work.

    Returns:
        the records of all parts, in order

    Raises:
        Cancelled: a person asked to stop; what is finished is kept.
        KonterfeiError: a frame cannot be merged or written.
    """
    there = _whole_parts(rendering, parts, faceset, reporter, rendering.output)
    frames = min(rendering.wanted.stop, rendering.job.info.num_frames) - rendering.wanted.start
    done = sum(record.frames for record in there.values())
    swapped = sum(record.swapped for record in there.values())
    notes: list[str] = []

    def advance(frames: int, more: int) -> None:
        nonlocal done, swapped
        done, swapped = done + frames, swapped + more
        reporter.advance(done, swapped=swapped)

    def progress(frames: int, more: int) -> None:
        check(reporter)
        advance(frames, more)

    reporter.start("merging", frames if frames > 0 else None)
    advance(0, 0)
    numbers = rendering.numbers()
    runs = _missing(numbers, there)
    if processes > 1 and sum(map(len, runs)) > 1:
        cores = max((os.cpu_count() or 1) // processes, 1)
        apart = replace(open_cast, threads=open_cast.threads or cores, known=cast.hashes())
        tasks = [_Task(rendering, parts, run, apart, cores) for run in _split(runs, processes * _RUNS)]
        executor = LocalExecutor(min(processes, len(tasks)))
        for records, said in executor.map(_render_apart, tasks, lambda word: advance(*word), reporter.take_stop):
            there |= {record.number: record for record in records}
            notes += said
        runs = []
    while True:
        for run in runs:
            made = render_run(rendering, parts, faceset, cast, run, progress, notes)
            there |= {record.number: record for record in made}
        last = there.get(numbers[-1])
        if last is None or last.is_last or rendering.frames_of(numbers.stop).start >= rendering.wanted.stop:
            break
        numbers = range(numbers.start, numbers.stop + _MORE)  # more frames than the plate's file announces
        runs = _missing(numbers, there)
    reporter.finish()
    for line in dict.fromkeys(notes):
        reporter.note(line)
    return _in_order(rendering, there)


def render_run(
    rendering: Rendering,
    parts: Parts,
    faceset: Faceset,
    cast: Cast,
    numbers: range,
    progress: Progress,
    notes: list[str],
) -> list[PartRecord]:
    """Make some parts, one after the other, in one reading.

    Args:
        rendering: what to make.
        parts: where to.
        faceset: of the plate.
        cast: the models.
        numbers: of the parts; those beyond the plate's end are left out.
        progress: told of every frame.
        notes: what the writers want a person to read is added.

    Returns:
        the records of the parts
    """
    job, wanted, reach, clock = rendering.job, rendering.wanted, rendering.reach, Clock()
    output = output_for(rendering.output, job.encoding)
    inside = range(rendering.frames_of(numbers[0]).start, rendering.frames_of(numbers[-1]).stop)
    begin = max(inside.start - reach.total, 0)
    ledger = Ledger(numbers, rendering.part_frames, wanted, begin)
    is_deep = job.info.bit_depth > 8 and output.holds_16_bits
    always = seen_always(job, output.takes_regions and not parts.beside.extras)

    def close(records: Sequence[PartRecord]) -> None:
        for record in records:
            record.seconds = clock.take()
            record.fingerprint = rendering.fingerprint(record.number, faceset)
            record.told = rendering.told(record.number)
            encoder.close_part(record)

    def drawn(frames: Iterable[Frame]) -> Iterator[Item]:
        return draw(
            clock.waiting(frames, "wait for decoder"),
            faceset.faces_at,
            cast,
            rendering.settings_at,
            batch=rendering.batch,
            reach=reach.faces,
            clock=clock,
            always=always,
            look=sdr_look(job.info.color.transfer, job.info.color.primaries),
            labels_of=labels_in(faceset),
        )

    with (
        plate_frames(job, range(begin, inside.stop + reach.total), is_deep) as reader,
        PartEncoder(parts, lambda path: parts.beside.writer(path, output.part(path, job))) as encoder,
    ):
        with (
            closing(read_ahead(reader, _AHEAD)) as frames,  # type: ignore[type-var]
            closing(read_ahead(drawn(frames), _AHEAD)) as items,  # type: ignore[type-var]
        ):
            for item in steady(clock.waiting(items, "wait for model"), reach.colors, inside):
                index = item.frame.index
                close(ledger.turn(index))
                if index not in inside:
                    continue
                with clock("composite"):
                    merged, reason, faces, at_edge = composite(item, (job.info.width, job.info.height))
                    plate, bare = _before_label(item, merged) if parts.beside.extras else (None, None)
                    image = draw_label(merged.image, job.claim.label, rendering.label_text)
                with clock("wait for encoder"):
                    pts = item.frame.pts - rendering.origin
                    drawn_frame = Drawn(
                        index, image, pts, item.frame.duration, reason, plate, bare, merged.layers, item.frame
                    )
                    encoder.write(drawn_frame, ledger.part.number)
                ledger.part.count(reason, faces, at_edge)
                progress(1, int(reason == SWAPPED))
        close(ledger.end(reader.lost))
    notes += encoder.notes
    return encoder.written


def _before_label(item: Item, merged: Merged) -> tuple[Any, Any]:
    """The frame as it came and as merged, which the label will not be drawn into."""
    bare = merged.image.copy()
    return (bare if merged.image is item.frame.image else item.frame.image), bare


@dataclass(frozen=True)
class _Task:
    """A run for another process."""

    rendering: Rendering
    parts: Parts
    numbers: range
    open_cast: CastOpener
    cores: int


def _render_apart(task: _Task, voice: Voice) -> tuple[list[PartRecord], list[str]]:
    """A run in a process of its own."""
    cv2.setNumThreads(task.cores)
    said = Silent()  # what is to be said of the inputs was said by the process that began
    notes: list[str] = []

    def progress(frames: int, swapped: int) -> None:
        voice.check()
        voice.say((frames, swapped))

    faceset, cast = Faceset.open(task.rendering.faces, reporter=said), _opened(task.open_cast)
    return render_run(task.rendering, task.parts, faceset, cast, task.numbers, progress, notes), notes


@cache
def _opened(open_cast: CastOpener) -> Cast:
    """Once for all runs of a process."""
    return open_cast(Silent())


def _whole_parts(
    rendering: Rendering, parts: Parts, faceset: Faceset, reporter: Reporter, output: Path
) -> dict[int, PartRecord]:
    """The parts that are there and are what is wanted."""
    there: dict[int, PartRecord] = {}
    changes: list[str] = []
    for number in parts.numbers():
        record = parts.record(number)
        if record is None or not rendering.frames_of(number):
            continue
        if record.fingerprint == rendering.fingerprint(number, faceset):
            there[number] = record
        else:
            now = Manifest(stage="merge", settings=rendering.told(number))
            changes += now.differs_from(Manifest(stage="merge", settings=record.told)) or ["its faces, keys or range"]
    if changes:
        told = "; ".join(dict.fromkeys(changes))
        reporter.note(f"Parts of '{output}' that were made otherwise are made anew: {told}.")
    if there:
        reporter.note(f"Going on: {sum(record.frames for record in there.values())} frames are merged already.")
    return there


def _missing(numbers: range, there: Mapping[int, PartRecord]) -> list[range]:
    """Runs of parts that are not there."""
    runs: list[range] = []
    for number in numbers:
        if number in there:
            continue
        if runs and runs[-1].stop == number:
            runs[-1] = range(runs[-1].start, number + 1)
        else:
            runs.append(range(number, number + 1))
    return runs


def _split(runs: Sequence[range], pieces: int) -> list[range]:
    """The runs, cut so that there are about `pieces` of equal length."""
    longest = max(-(-sum(map(len, runs)) // pieces), 1)
    return [run[start : start + longest] for run in runs for start in range(0, len(run), longest)]


def _in_order(rendering: Rendering, there: Mapping[int, PartRecord]) -> list[PartRecord]:
    """The records of all parts. Parts without any, before others, are those of which every frame was lost."""
    last = max(there, default=-1)
    numbers = range(rendering.wanted.start // rendering.part_frames, last + 1)
    return [there.get(n) or PartRecord(number=n, lost=len(rendering.frames_of(n))) for n in numbers]
