"""extract: one person's face, or everybody's, in every frame of a video, as a faceset.

Two passes over the video. The first finds every face and writes it to a journal, block by block; the second, when it
is known who is who and where each face moves, cuts the crops with landmarks smoothed over time. Both go on where they
were killed, and end with the result of an uninterrupted run. Several videos, and folders of pictures, make one faceset.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from konterfei.errors import OutputError
from konterfei.io.atomic import ensure_writable, make_folder
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_files import REPLACEMENT_NAME, bytes_for
from konterfei.io.manifest import Manifest
from konterfei.io.sequence import frame_rate
from konterfei.io.video import is_sequence
from konterfei.reporting import Reporter
from konterfei.stages._extract_carry import keep_what_people_made, tell_of_replacing
from konterfei.stages._extract_debug import check_place, draw
from konterfei.stages._extract_folder import (
    begin_replacement,
    drop_replacement,
    finish_replacing,
    growth,
    has_crops,
    new_manifest,
    refuse_other,
    replace_crops,
)
from konterfei.stages._extract_inputs import JOURNAL_NAME, KEY, Input, inputs_of, is_alone, known_inputs
from konterfei.stages._extract_plate import refuse_interlaced
from konterfei.stages._extract_repair import as_made, corrections_for, is_repair, refuse_without, write_template
from konterfei.stages._extract_settings import ExtractConfig as ExtractConfig
from konterfei.stages._extract_settings import settings_of
from konterfei.stages._extract_work import Work, vanished


@dataclass(frozen=True, kw_only=True)
class ExtractResult:
    """What an extraction gave."""

    faceset: Path
    """Folder."""
    num_frames: int
    """Frames looked at."""
    num_lost: int
    """Frames that could not be decoded."""
    num_faces: int
    """Crops of the chosen people."""
    num_people: int
    """People seen."""
    person: int | None
    """Index of the one chosen; None = several."""
    num_cuts: int
    """Scene cuts."""
    was_done: bool
    """Whether all of it lay there already."""


def extract(config: ExtractConfig, reporter: Reporter) -> ExtractResult:
    """The faceset of the people asked for in `config.video` and `config.more`.

    Raises:
        UnreadableMediaError: an input cannot be read.
        NoFacesError: no face, or not the person asked for.
        OutputError, FacesetError: the folder cannot be written, or holds something else.
        ConfigError: settings or corrections that do not fit what is there.
        Cancelled: a person asked to stop; what was found is kept.
    """
    if config.output.exists() and not config.output.is_dir():
        raise OutputError(f"'{config.output}' is a file; the faces need a folder. Choose another output.")
    finish_replacing(config.output)
    before = Manifest.load(config.output)
    given, config = config, as_made(config, before)
    inputs = inputs_of(config, before)
    for one in inputs:
        if one.plate is not None:
            refuse_interlaced(one.path, config.deinterlace)
    refuse_without(given, inputs, before)
    check_place(given, inputs)
    manifest = _manifest(config, inputs, before)
    is_same = before is not None and not manifest.differs_from(before)
    more = None
    if before is not None and not is_same and has_crops(config.output):
        more = growth(before, manifest, vanished(config.output, inputs))
    is_replaced = config.force and has_crops(config.output) and (not is_same or before is None or before.complete)
    if not config.force and more is None:
        refuse_other(config.output, before, manifest)
    corrections = corrections_for(config, inputs, before, reporter)
    is_there = before is not None and before.complete and is_same and has_crops(config.output) and not config.force
    if is_there and not is_repair(given, before, corrections):
        assert before is not None
        faceset = Faceset.open(config.output, allow_empty=True)  # refuses what is damaged or of another version
        if not draw(given, inputs, faceset, before, reporter):
            reporter.note(f"Nothing to do: {config.output} is complete. --force makes it anew.")
        write_template(given, inputs, before)
        return ExtractResult(faceset=config.output, was_done=True, **before.results)
    work = replace(config, output=config.output / REPLACEMENT_NAME) if is_replaced else config
    if not is_there:
        ensure_writable(work.output, _bytes_needed(work, inputs))
    if is_replaced:
        alone = is_alone(inputs)
        begin_replacement(config.output, manifest, [JOURNAL_NAME if alone else one.journal_name for one in inputs])
        tell_of_replacing(config.output, before, reporter)
        manifest.output = {}
    make_folder(work.output)
    _plan(manifest, before if not is_replaced else None, inputs, more)
    manifest.complete = is_there
    if is_there and before is not None:
        manifest.results = before.results
    manifest.save(work.output)
    manifest.results = Work(work, given, manifest, inputs, corrections, reporter).run()
    corrections.store(config.output)
    manifest.complete = True
    manifest.save(work.output)
    if is_replaced:
        keep_what_people_made(config.output, before, manifest, reporter)
        replace_crops(config.output)
    drop_replacement(config.output)
    results = manifest.results
    reporter.note(f"{results['num_faces']} faces in {config.output}, from {results['num_frames']} frames.")
    if given.debug is not None:
        draw(given, inputs, Faceset.open(config.output, allow_empty=True), manifest, reporter)
    write_template(given, inputs, manifest)
    return ExtractResult(faceset=config.output, was_done=False, **results)


def _manifest(config: ExtractConfig, inputs: list[Input], before: Manifest | None) -> Manifest:
    pictures = {"person": config.picture, "like": config.like}
    settings = settings_of(config, inputs[0].plate if is_alone(inputs) else None)
    if any(one.plate is not None and is_sequence(one.path) for one in inputs):
        settings["fps"] = str(frame_rate(config.fps))
    return new_manifest(inputs, {name: path for name, path in pictures.items() if path}, settings, before)


def _plan(manifest: Manifest, before: Manifest | None, inputs: list[Input], more: list[str] | None) -> None:
    """Notes which inputs came when, and which are cut already: what comes later changes nothing of them."""
    names = [one.name for one in inputs]
    known = [key.removeprefix(KEY) for key in known_inputs(before)]
    batches: list[list[str]] = manifest.output.get("batches", [known])
    finished: dict[str, int] = manifest.output.get("finished", {})
    if before is None or (more is None and manifest.differs_from(before)):
        batches, finished = [names], {}
    elif before.complete and "finished" not in manifest.output:
        finished = {name: int(before.results["num_frames"]) for name in known}
    batched = {name for batch in batches for name in batch}
    if new := [name for name in names if name not in batched]:
        batches = [*batches, new]
    manifest.output |= {"batches": batches, "finished": finished}


def _bytes_needed(config: ExtractConfig, inputs: list[Input]) -> int:
    """Disk that the crops which are not there yet will take about, were there a face in every frame."""
    num_frames = 0
    for one in inputs:
        if one.plate is None:
            num_frames += len(one.pictures)
            continue
        with closing(one.plate.open()) as reader:
            wanted = one.plate.wanted
            num_frames += len(range(wanted.start, min(wanted.stop, reader.info.num_frames), wanted.step))
    num_there = sum(1 for _ in config.output.glob("*.jpg"))
    return bytes_for(max(0, num_frames - num_there), config.size or 512)
