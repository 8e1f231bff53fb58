"""The first pass of a long film by several processes.

A film is cut where one process starts anew, too (`_extract_analysis.SEGMENT`), so the number of processes changes
nothing in what is found. Each segment has a journal of its own beside the film's, and is taken over into it when all
are there: a kill costs a block of each process, and a run with another number of processes goes on all the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2

from konterfei.executors import LocalExecutor, Voice
from konterfei.io.atomic import make_folder
from konterfei.reporting import Reporter, Silent
from konterfei.stages._extract_analysis import SEGMENT, Segments, analyse_span
from konterfei.stages._extract_plate import Plate
from konterfei.stages._extract_settings import ExtractConfig, Looking
from konterfei.tracking.journal import Journal
from konterfei.weights.session import allowed_cores


@dataclass(frozen=True)
class _Task:
    """One segment, for a process."""

    plate: Plate
    looking: Looking
    segments: Segments
    place: Path
    """Its journal."""
    about: Mapping[str, Any]
    begin: int
    stop: int | None
    """None = to the end, wherever that is."""


class _Told(Silent):
    """Passes on how far a segment is."""

    def __init__(self, voice: Voice, begin: int) -> None:
        self._voice, self._begin = voice, begin

    def advance(self, done: int, **figures: float | str) -> None:
        self._voice.say((self._begin, done))

    def take_stop(self) -> bool:
        self._voice.check()
        return False


def analyse(plate: Plate, config: ExtractConfig, journal: Journal, reporter: Reporter, segment: int = SEGMENT) -> None:
    """Finds every face of every wanted frame of `plate`, from where the journal ends.

    Args:
        plate: the film.
        config: how, and by how many processes.
        journal: is brought to the film's end.
        reporter: is told how far it is.
        segment: frames from one new start to the next.

    Raises:
        UnreadableMediaError: the film cannot be read.
        Cancelled: it was asked to stop; what is finished is kept.
        KonterfeiError: a process died again and again.
    """
    analysis = journal.analysis
    if analysis.is_whole:
        return
    if analysis.frames:
        reporter.note(f"Going on at frame {analysis.next_index}: {len(analysis.frames)} frames were analysed before.")
    segments = Segments(plate.wanted.start, plate.wanted.step, segment)
    with closing(plate.open()) as reader:
        num_frames = reader.info.num_frames
    stop = min(num_frames, plate.wanted.stop)
    reporter.start("finding faces", stop)
    folder, lost = journal.path.with_name(f"{journal.path.stem}.parts"), 0
    if (config.processes > 1 or folder.exists()) and segments.end(analysis.next_index) < stop:
        if segments.is_begun(analysis):
            end = segments.end(analysis.next_index)
            lost = analyse_span(plate, config, segments, journal, reporter, stop=end)
        lost += _analyse_apart(plate, config, segments, journal, make_folder(folder), stop, reporter)
    else:
        lost = analyse_span(plate, config, segments, journal, reporter)
    journal.finish(lost)
    shutil.rmtree(folder, ignore_errors=True)
    reporter.finish()


def _analyse_apart(
    plate: Plate,
    config: ExtractConfig,
    segments: Segments,
    journal: Journal,
    folder: Path,
    num_frames: int,
    reporter: Reporter,
) -> int:
    """Analyses the segments that the journal does not hold. Gives the frames that could not be decoded."""
    begins = [segments.begin(journal.analysis.next_index)]
    while (end := segments.end(begins[-1])) < num_frames:
        begins.append(end)
    cores = config.threads or max(allowed_cores() // config.processes, 1)
    looking = replace(config, threads=cores)
    tasks = [
        _Task(plate, looking, segments, folder / f"{begin:09d}.jsonl", journal.about, begin, stop)
        for begin, stop in zip(begins, [*begins[1:], None], strict=True)
    ]
    done = dict.fromkeys(begins, 0)

    def heard(word: tuple[int, int]) -> None:
        begin, index = word
        done[begin] = index - begin
        reporter.advance(min(begins[0] + sum(done.values()), num_frames))

    executor = LocalExecutor(min(config.processes, len(tasks)))
    lost: list[int] = executor.map(_analyse_segment, tasks, heard, reporter.take_stop)
    for task in tasks:
        journal.take_over(task.place)
    return sum(lost)


def _analyse_segment(task: _Task, voice: Voice) -> int:
    """One segment, from where its journal ends. Gives the frames that could not be decoded."""
    cv2.setNumThreads(task.looking.threads)
    with Journal(task.place, {**task.about, "segment": task.begin}) as journal:
        if not journal.analysis.is_whole:
            told = _Told(voice, task.begin)
            lost = analyse_span(task.plate, task.looking, task.segments, journal, told, task.begin, task.stop)
            journal.finish(lost)
        return journal.analysis.lost
