"""extract: one person's face, or everybody's, in every frame of a video, as a faceset.

Two passes over the video. The first finds every face and writes it to a journal, block by block; the second, when it
is known who is who and where each face moves, cuts the crops with landmarks smoothed over time. Both go on where they
were killed, and end with the result of an uninterrupted run.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from konterfei.detectors import DETECTORS
from konterfei.errors import NoFacesError, OutputError
from konterfei.geometry import Crop, FaceType, head_pose
from konterfei.imaging import SdrLook, sharpness, to_uint8
from konterfei.io.atomic import ensure_writable, make_folder
from konterfei.io.faceset import FaceRecord, Faceset, FacesetHeader
from konterfei.io.faceset_files import REPLACEMENT_NAME, bytes_for
from konterfei.io.manifest import Manifest
from konterfei.io.video import Frame
from konterfei.landmarkers import LANDMARKERS
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter, check
from konterfei.stages._extract_analysis import analyse
from konterfei.stages._extract_folder import (
    JOURNAL_NAME,
    begin_replacement,
    drop_replacement,
    finish_replacing,
    forget,
    has_crops,
    new_manifest,
    refuse_other,
    replace_crops,
)
from konterfei.stages._extract_plate import Plate, ahead, look_of, plate_reader, refuse_interlaced
from konterfei.stages._extract_settings import ALL, finding_of, settings_of, threshold_of
from konterfei.stages._extract_settings import ExtractConfig as ExtractConfig
from konterfei.tracking.cuts import find_cuts, gaps
from konterfei.tracking.faces import TrackedFace, faces_by_frame
from konterfei.tracking.journal import Analysis, Journal
from konterfei.tracking.link import link
from konterfei.tracking.people import Person, describe, group, most_like
from konterfei.tracking.reference import embed_picture


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
    """The faceset of the people asked for in `config.video`.

    Raises:
        UnreadableMediaError: the video cannot be read.
        NoFacesError: no face, or not the person asked for.
        OutputError, FacesetError: the folder cannot be written, or holds something else.
        Cancelled: a person asked to stop; what was found is kept.
    """
    if config.output.exists() and not config.output.is_dir():
        raise OutputError(f"'{config.output}' is a file; the faces need a folder. Choose another output.")
    refuse_interlaced(config.video, config.deinterlace)
    finish_replacing(config.output)
    before = Manifest.load(config.output)
    manifest = new_manifest(config.video, config.picture, settings_of(config), before)
    is_same = before is not None and not manifest.differs_from(before)
    is_replaced = config.force and has_crops(config.output) and (not is_same or before is None or before.complete)
    if not config.force:
        refuse_other(config.output, before, manifest)
        if before is not None and before.complete and is_same and has_crops(config.output):
            Faceset.open(config.output, allow_empty=True)  # refuses what is damaged or of another version
            reporter.note(f"Nothing to do: {config.output} is complete. --force makes it anew.")
            return ExtractResult(faceset=config.output, was_done=True, **before.results)
    work = replace(config, output=config.output / REPLACEMENT_NAME) if is_replaced else config
    ensure_writable(work.output, _bytes_needed(work))
    if is_replaced:
        begin_replacement(config.output, manifest)
        reporter.note(f"The faces in {config.output} stay until the new ones are all there.")
    make_folder(work.output)
    manifest.save(work.output)
    manifest.results = _make(work, manifest, reporter)
    manifest.complete = True
    manifest.save(work.output)
    if is_replaced:
        replace_crops(config.output)
    drop_replacement(config.output)
    results = manifest.results
    reporter.note(f"{results['num_faces']} faces in {config.output}, from {results['num_frames']} frames.")
    return ExtractResult(faceset=config.output, was_done=False, **results)


def _make(config: ExtractConfig, manifest: Manifest, reporter: Reporter) -> dict[str, Any]:
    """Both passes. Gives the figures of the result."""
    about = {"video_sha256": manifest.inputs["video"]["sha256"], **finding_of(config)}
    wanted = range(0, sys.maxsize, config.every_nth)
    plate = Plate(path=config.video, fps=config.fps, deinterlace=config.deinterlace, wanted=wanted)
    with Journal(config.output / JOURNAL_NAME, about) as journal:
        analyse(plate, config, journal, reporter)
        analysis = journal.analysis
    cuts = find_cuts([frame.change for frame in analysis.frames])
    breaks = {*cuts, *gaps(analysis.indices, config.every_nth)}
    people = group(link(analysis.frames, breaks), RECOGNIZERS.load(config.recognizer).same_person)
    if not people:
        forget(config.output)
        raise _nothing_found(config, analysis)
    chosen = _choose(config, people, len(analysis.frames), reporter)
    num_faces = _cut_crops(config, plate, manifest, analysis, {number: people[number] for number in chosen}, reporter)
    if analysis.lost:
        reporter.warn(f"{analysis.lost} frames of {config.video} could not be decoded and have no crop.")
    return {
        "num_frames": len(analysis.frames),
        "num_lost": analysis.lost,
        "num_faces": num_faces,
        "num_people": len(people),
        "person": chosen[0] if len(chosen) == 1 else None,
        "num_cuts": len(cuts),
    }


def _bytes_needed(config: ExtractConfig) -> int:
    """Disk that the crops which are not there yet will take about, were there a face in every frame."""
    with closing(plate_reader(config.video, config.fps, None)) as reader:
        num_frames = -(-reader.info.num_frames // config.every_nth)
    num_there = sum(1 for _ in config.output.glob("*.jpg"))
    return bytes_for(max(0, num_frames - num_there), config.size)


def _nothing_found(config: ExtractConfig, analysis: Analysis) -> NoFacesError:
    scores = [frame.best_score for frame in analysis.frames if frame.best_score is not None]
    other = next((name for name in DETECTORS if name != config.detector), config.detector)
    return NoFacesError(
        f"No face in {config.video}: {len(analysis.frames)} frames were looked at, {len(scores)} of them by the "
        f"detector {config.detector} with threshold {threshold_of(config):g}; the best score that it saw is "
        f"{max(scores, default=0):.2f}. Try --threshold {max(max(scores, default=0) - 0.05, 0.3):.2f}, "
        f"--detector {other}, or --smallest 12 for small faces; or check that the video shows a person."
    )


# --- who


def _choose(config: ExtractConfig, people: list[Person], total: int, reporter: Reporter) -> list[int]:
    """Indices of the people asked for."""
    if config.picture is not None:
        detector = DETECTORS.load(config.detector)(threads=config.threads)
        landmarker = LANDMARKERS.load(config.landmarker)(threads=config.threads)
        recognizer = RECOGNIZERS.load(config.recognizer)(threads=config.threads)
        wanted = embed_picture(config.picture, detector, landmarker, recognizer)
        chosen = [most_like(people, wanted, recognizer.same_person, str(config.video))]
    elif config.person == ALL:
        chosen = list(range(len(people)))
    else:
        chosen = list(config.numbers or (0,))
        if chosen[-1] >= len(people):
            raise NoFacesError(
                f"There is no person {chosen[-1]} in {config.video}. Seen: {describe(people, total)}. "
                "Give one of these numbers with --person, or a picture of the person."
            )
    if len(people) > 1:
        named = f"person {', '.join(map(str, chosen))}"
        who = {None: "the one seen most", ALL: "everybody"}.get(config.person, named)
        reporter.note(
            f"{len(people)} people in {config.video.name}; {who} is taken. {describe(people, total, chosen)}. "
            "--person NUMBER or --person PICTURE takes another, --person all takes everybody."
        )
    return chosen


# --- second pass


def _cut_crops(
    config: ExtractConfig,
    plate: Plate,
    manifest: Manifest,
    analysis: Analysis,
    people: Mapping[int, Person],
    reporter: Reporter,
) -> int:
    """Cuts the crops that are not there yet. Gives the number of crops in the faceset."""
    header = FacesetHeader(
        face_type=FaceType(config.face_type),
        size=config.size,
        source=str(config.video.absolute()),
        source_sha256=manifest.inputs["video"]["sha256"],
        settings=manifest.settings,
    )
    faces = faces_by_frame({n: person.tracks for n, person in people.items()}, analysis.indices, config.smoothing)
    with Faceset.create(config.output, header) as faceset:
        done = {(record.frame_index, record.face.track) for record in faceset.records()}
        due = {
            index: missing
            for index, here in faces.items()
            if (missing := [tracked for tracked in here if (index, tracked[0].track) not in done])
        }
        if due:
            first, last = min(due), max(due)
            reporter.start("cutting crops", last + 1)
            look = look_of(config.video)
            deep = look is not None
            reader = plate.open(first, last + 1, deep=deep)
            with closing(ahead(reader)) as frames:
                for frame in frames:
                    check(reporter)
                    for tracked in due.get(frame.index, ()):
                        _add(faceset, config, frame, tracked, look)
                    reporter.advance(frame.index + 1)
            reporter.finish()
        return len(faceset)


def _add(faceset: Faceset, config: ExtractConfig, frame: Frame, tracked: TrackedFace, look: SdrLook | None) -> None:
    """Cuts one crop and stores it with its record; of an HDR plate as an ordinary picture."""
    face, raw = tracked
    height, width = frame.image.shape[:2]
    crop = Crop.fit(face.landmarks, FaceType(config.face_type), config.size)
    image = crop.cut(frame.image)
    if look is not None:
        image = to_uint8(look.show(image))
    record = FaceRecord(
        source=faceset.header.source_name,
        frame_index=frame.index,
        pts=frame.pts,
        face=face,
        raw_landmarks=raw,
        pose=head_pose(face.landmarks, (width, height)),
        sharpness=sharpness(image),
        face_type=crop.face_type,
        size=crop.size,
        crop_from_frame=crop.crop_from_frame.matrix,
        frame_size=(width, height),
    )
    faceset.add(image, record)
