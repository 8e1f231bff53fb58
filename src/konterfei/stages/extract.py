"""extract: one person's face, or everybody's, in every frame of a video, as a faceset.

Two passes over the video. The first finds every face and writes it to a journal, block by block; the second, when it
is known who is who and where each face moves, cuts the crops with landmarks smoothed over time. Both go on where they
were killed, and end with the result of an uninterrupted run.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any

from konterfei.detectors import DETECTORS
from konterfei.errors import ConfigError, NoFacesError, OutputError
from konterfei.geometry import Crop, FaceType, head_pose
from konterfei.imaging import SdrLook, sharpness, to_uint8
from konterfei.io.atomic import ensure_writable, make_folder
from konterfei.io.faceset import FaceRecord, Faceset, FacesetHeader
from konterfei.io.faceset_files import REPLACEMENT_NAME, bytes_for
from konterfei.io.manifest import Manifest
from konterfei.io.sequence import USUAL_FPS, frame_rate
from konterfei.io.video import Frame, is_sequence
from konterfei.landmarkers import LANDMARKERS
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter, check
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
from konterfei.stages._extract_plate import DEINTERLACE, ahead, images_of, look_of, plate_reader, refuse_interlaced
from konterfei.stages._settings import allow
from konterfei.tracking.cuts import find_cuts, gaps
from konterfei.tracking.faces import TrackedFace, faces_by_frame
from konterfei.tracking.finder import FLOOR_SCORE, Finder, FinderSettings
from konterfei.tracking.journal import Analysis, Journal
from konterfei.tracking.link import link
from konterfei.tracking.people import Person, describe, group, most_like
from konterfei.tracking.reference import embed_picture

ALL = "all"
"""In the place of a person: everybody."""
BLOCK = 64
"""Frames from one line of the journal to the next: what a kill can cost, about 2 s of video."""


@dataclass(frozen=True, kw_only=True)
class ExtractConfig:
    """Find one person's face in every frame of a video and keep it as a faceset."""

    video: Path
    """Video to look at, or a folder or pattern (shot.%06d.png) of pictures that are its frames, all of one size."""
    output: Path
    """Folder of the faceset; made when missing. The same command on it goes on where it was stopped."""
    face_type: Annotated[str, FaceType] = "whole"
    """How much of the head the crops cover: half, mid_full, full, whole or head."""
    size: int = 256
    """Side of the crops in pixels. More than the face has in the video gains nothing."""
    person: str | None = None
    """Who, when there are several people: a number (0 = most often seen), a picture of that person, several numbers
    (0,2), or all. Several people in one faceset are for a merge that gives each a face of their own. Default: 0."""
    fps: str = USUAL_FPS
    """Frames per second of pictures; 25, 23.976 or 30000/1001. Videos have their own."""
    deinterlace: str | None = None
    """What to do with an interlaced video: bwdif (make whole pictures of its fields) or off (take frames as they are).
    Merge reads the video in the same way."""
    every_nth: int = 1
    """Looks at every n-th frame only. 1 for a video that is to be changed; 2 to 5 for long material to learn from."""
    detector: Annotated[str, DETECTORS] = "yunet"
    """Finds faces. centerface is ten times slower and surer in hard light and of tilted faces."""
    threshold: float | None = None
    """Detector's score from which on something is a face, 0 to 1. Default: the detector's own."""
    detect_every: int = 8
    """Frames from one look of the detector to the next; between, faces are followed. 1 = every frame, slow."""
    landmarker: Annotated[str, LANDMARKERS] = "mesh478"
    """Finds the points of a face."""
    recognizer: Annotated[str, RECOGNIZERS] = "mobilefacenet"
    """Tells people apart."""
    smoothing: float = 1.0
    """Calms landmarks over time: 0 = raw; 1 = removes what is noise; 3 = removes slight expression too."""
    smallest: int = 24
    """Faces less high than this many pixels are left alone."""
    threads: int = 0
    """Threads of each network; 0 = one per core. The networks take turns; the video is decoded on another thread."""
    force: bool = False
    """Replaces what an extraction with other settings left in the folder, once the new faces are all there."""

    def __post_init__(self) -> None:
        allow("--face-type", self.face_type, self.face_type in set(FaceType), ", ".join(FaceType))
        allow("--size", self.size, 32 <= self.size <= 2048, "32 to 2048")
        allow("--every-nth", self.every_nth, self.every_nth >= 1, "1 or more")
        allow("--threshold", self.threshold, self.threshold is None or 0 < self.threshold < 1, "between 0 and 1")
        allow("--detect-every", self.detect_every, 1 <= self.detect_every <= 64, "1 to 64")
        allow("--smoothing", self.smoothing, 0 <= self.smoothing <= 10, "0 to 10")
        allow("--smallest", self.smallest, self.smallest >= 8, "8 or more")
        allow("--threads", self.threads, self.threads >= 0, "0 or more")
        for table, name in ((DETECTORS, self.detector), (LANDMARKERS, self.landmarker), (RECOGNIZERS, self.recognizer)):
            table[name]  # raises with the nearest names
        frame_rate(self.fps)
        known = self.deinterlace is None or self.deinterlace in DEINTERLACE
        allow("--deinterlace", self.deinterlace, known, ", ".join(DEINTERLACE))
        if self.video.absolute() == self.output.absolute():
            raise ConfigError(f"--output is the folder of pictures itself, '{self.video}'. Choose another folder.")
        picture = self.picture
        if picture is not None and not picture.is_file():
            raise ConfigError(f"--person is '{picture}': neither a number, nor all, nor a picture that exists.")

    @property
    def picture(self) -> Path | None:
        """The reference picture, when `person` is one."""
        if self.person is None or self.person == ALL or self.numbers:
            return None
        return Path(self.person)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The people asked for by number; empty where they are asked for otherwise."""
        parts = [part.strip() for part in (self.person or "").split(",")]
        return tuple(sorted(map(int, {*parts}))) if all(map(str.isdecimal, parts)) else ()


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
    manifest = new_manifest(config.video, config.picture, _settings(config), before)
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
    about = {"video_sha256": manifest.inputs["video"]["sha256"], **_finding(config)}
    with Journal(config.output / JOURNAL_NAME, about) as journal:
        _analyse(config, journal, reporter)
        analysis = journal.analysis
    cuts = find_cuts([frame.change for frame in analysis.frames])
    breaks = {*cuts, *gaps(analysis.indices, config.every_nth)}
    people = group(link(analysis.frames, breaks), RECOGNIZERS.load(config.recognizer).same_person)
    if not people:
        forget(config.output)
        raise _nothing_found(config, analysis)
    chosen = _choose(config, people, len(analysis.frames), reporter)
    num_faces = _cut_crops(config, manifest, analysis, {number: people[number] for number in chosen}, reporter)
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


def _settings(config: ExtractConfig) -> dict[str, Any]:
    """All settings that the result depends on."""
    return {
        **_finding(config),
        "person": "picture" if config.picture else config.person,
        "face_type": config.face_type,
        "size": config.size,
        "smoothing": config.smoothing,
    }


def _finding(config: ExtractConfig) -> dict[str, Any]:
    """The settings that the first pass depends on."""
    return {
        "detector": config.detector,
        "threshold": _threshold(config),
        "detect_every": config.detect_every,
        "landmarker": config.landmarker,
        "recognizer": config.recognizer,
        "smallest": config.smallest,
        "every_nth": config.every_nth,
        **({"fps": str(frame_rate(config.fps))} if is_sequence(config.video) else {}),  # the times hang on it
        **({"deinterlace": config.deinterlace} if config.deinterlace else {}),
        **({"hdr_crops": "as SDR"} if look_of(config.video) else {}),
    }


def _threshold(config: ExtractConfig) -> float:
    return config.threshold if config.threshold is not None else DETECTORS.load(config.detector).usual_threshold


# --- first pass


def _analyse(config: ExtractConfig, journal: Journal, reporter: Reporter) -> None:
    """Finds every face of every frame, from where the journal ends."""
    analysis = journal.analysis
    if analysis.is_whole:
        return
    if analysis.frames:
        reporter.note(f"Going on at frame {analysis.next_index}: {len(analysis.frames)} frames were analysed before.")
    settings = FinderSettings(
        threshold=_threshold(config), detect_every=config.detect_every, smallest=float(config.smallest)
    )
    finder = Finder(
        DETECTORS.load(config.detector)(threads=config.threads, threshold=min(FLOOR_SCORE, settings.threshold)),
        LANDMARKERS.load(config.landmarker)(threads=config.threads),
        RECOGNIZERS.load(config.recognizer)(threads=config.threads),
        settings,
    )
    reader = plate_reader(config.video, config.fps, config.deinterlace, analysis.next_index)
    reporter.start("finding faces", reader.info.num_frames)
    with closing(ahead(reader)) as frames:
        wanted = (frame for frame in frames if frame.index % config.every_nth == 0)
        while first := next(wanted, None):
            indices: list[int] = []
            pts: list[Fraction] = []
            images = images_of(chain([first], islice(wanted, BLOCK - 1)), indices, pts, reporter)
            found, state = finder.find(images, analysis.state)
            journal.add(indices, pts, found, state, indices[-1] + 1)
    journal.finish(reader.lost)
    reporter.finish()


def _nothing_found(config: ExtractConfig, analysis: Analysis) -> NoFacesError:
    scores = [frame.best_score for frame in analysis.frames if frame.best_score is not None]
    other = next((name for name in DETECTORS if name != config.detector), config.detector)
    return NoFacesError(
        f"No face in {config.video}: {len(analysis.frames)} frames were looked at, {len(scores)} of them by the "
        f"detector {config.detector} with threshold {_threshold(config):g}; the best score that it saw is "
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
    config: ExtractConfig, manifest: Manifest, analysis: Analysis, people: Mapping[int, Person], reporter: Reporter
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
            reader = plate_reader(config.video, config.fps, config.deinterlace, first, last + 1, deep=deep)
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
