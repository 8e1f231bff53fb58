"""The debug overlay: a video or pictures of the plate with what was found drawn in; frames without a face too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from konterfei.detectors import overlap
from konterfei.errors import ConfigError, OutputError, UnreadableMediaError
from konterfei.imaging import to_uint8
from konterfei.io.atomic import make_folder, write_bytes
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.io.images import encode_image
from konterfei.io.manifest import Manifest
from konterfei.io.sequence import frame_rate
from konterfei.io.video import VIDEO_SUFFIXES, Frame, VideoWriter, look
from konterfei.reporting import Reporter, check
from konterfei.stages._extract_inputs import JOURNAL_NAME, Input, is_alone
from konterfei.stages._extract_overlay import overlaid
from konterfei.stages._extract_pictures import read_picture
from konterfei.stages._extract_plate import ahead, look_of
from konterfei.stages._extract_settings import ExtractConfig
from konterfei.tracking.finder import MATCH_OVERLAP, Found
from konterfei.tracking.journal import Analysis, peek

ABOUT = "konterfei debug: what was found in a video; nothing in it was swapped"
"""What the overlay says of itself."""
QUALITY = 80
"""Of debug pictures as JPEG."""


def check_place(config: ExtractConfig, inputs: Sequence[Input]) -> None:
    """Raise ConfigError or OutputError where --debug names no place for it: told before the work, not after it."""
    path = config.debug
    if path is None:
        return
    is_video = path.suffix.lower() in VIDEO_SUFFIXES
    if is_video and not is_alone(inputs):
        raise ConfigError(f"--debug is the video '{path}', but the inputs are several, or pictures. Name a folder.")
    if path.suffix and not is_video and not path.is_dir():
        raise ConfigError(f"--debug is '{path}'; it is a folder, or a video ({', '.join(VIDEO_SUFFIXES)}).")
    if path.absolute() in {one.path.absolute() for one in inputs} | {config.output.absolute()}:
        raise ConfigError(f"--debug is '{path}', which is an input or the faceset itself. Choose another place.")
    there = path.exists() and (is_video or not path.is_dir() or any(path.iterdir()))
    if there and (Manifest.load(path) or Manifest(stage="")).stage != "extract debug":
        raise OutputError(f"'{path}' is there and is no debug overlay of konterfei. Choose another name.")


def draw(config: ExtractConfig, inputs: Sequence[Input], faceset: Faceset, made: Manifest, reporter: Reporter) -> bool:
    """Draws what --debug asks for. False where it does not, or where it is there already."""
    path = config.debug
    if path is None:
        return False
    settings = {"faces": faceset.content_hash(), "inputs": {key: one["sha256"] for key, one in made.inputs.items()}}
    manifest, before = Manifest(stage="extract debug", settings=settings), Manifest.load(path)
    is_same = before is not None and not manifest.differs_from(before)
    if is_same and before is not None and before.complete and path.exists():
        return False
    records: dict[tuple[str, int], list[FaceRecord]] = {}
    for record in faceset.records():
        records.setdefault((record.source, record.frame_index), []).append(record)
    manifest.save(path if path.suffix else make_folder(path))
    if path.suffix.lower() in VIDEO_SUFFIXES:
        _video(path, config, inputs[0], records, reporter)
    else:
        for one in inputs:
            _pictures(path if is_alone(inputs) else path / one.name, config, one, records, is_same, reporter)
    manifest.complete = True
    manifest.save(path)
    reporter.note(f"What was found is drawn in {path}.")
    return True


Records = dict[tuple[str, int], list[FaceRecord]]


def _video(path: Path, config: ExtractConfig, one: Input, records: Records, reporter: Reporter) -> None:
    assert one.plate is not None
    info = look(one.path, frame_rate(config.fps))
    fps = max(info.fps / one.plate.wanted.step, Fraction(1))
    with VideoWriter(
        path,
        info.width,
        info.height,
        fps_hint=fps,
        time_base=info.time_base,
        sample_aspect=info.sample_aspect,
        crf=23,
        metadata={"title": "konterfei debug", "comment": ABOUT},
    ) as writer:
        for frame, drawn in _frames(config, one, records, reporter):
            writer.write(drawn, frame.pts)


def _pictures(
    folder: Path, config: ExtractConfig, one: Input, records: Records, is_same: bool, reporter: Reporter
) -> None:
    if one.plate is not None:
        for frame, drawn in _frames(config, one, records, reporter):
            _keep(folder / f"{frame.index:06d}.jpg", drawn)
        return
    analysis = _analysis(config, one, False)
    places = {name.partition(" ")[2]: n for n, name in enumerate(analysis.names)}
    reporter.start("drawing what was found", len(one.pictures))
    for number, file in enumerate(one.pictures):
        check(reporter)
        place = folder / f"{file.name}.jpg"
        if file.name in places and not (is_same and place.exists()):
            index = places[file.name]
            here = records.get((f"{one.name}/{file.name}", index), [])
            try:
                image = read_picture(file)
            except UnreadableMediaError:
                continue  # it was listed when it was looked at
            _keep(place, overlaid(image, here, _others(analysis, index, here), file.name))
        reporter.advance(number + 1)
    reporter.finish()


def _frames(
    config: ExtractConfig, one: Input, records: Records, reporter: Reporter
) -> Iterator[tuple[Frame, NDArray[np.uint8]]]:
    """The frames of a film that were looked at, drawn."""
    assert one.plate is not None
    analysis, shown = _analysis(config, one, True), look_of(one.path)
    looked_at = {index: place for place, index in enumerate(analysis.indices)}
    reporter.start("drawing what was found", max(looked_at, default=0) + 1)
    with closing(ahead(one.plate.open(0, max(looked_at, default=0) + 1, deep=shown is not None))) as frames:
        for frame in frames:
            check(reporter)
            if frame.index in looked_at:
                image = frame.image if shown is None else to_uint8(shown.show(frame.image))
                here = records.get((one.name, frame.index), [])
                others = _others(analysis, looked_at[frame.index], here)
                title = f"{one.name}  frame {frame.index}  {float(frame.pts):.2f} s"
                yield frame, overlaid(image, here, others, title)
            reporter.advance(frame.index + 1)
    reporter.finish()


def _analysis(config: ExtractConfig, one: Input, may_be_alone: bool) -> Analysis:
    for name in (one.journal_name, *((JOURNAL_NAME,) if may_be_alone else ())):
        if (analysis := peek(config.output / name)) is not None:
            return analysis
    raise OutputError(f"'{config.output}' has no journal of '{one.path}' any more. Extract it again with --force.")


def _others(analysis: Analysis, place: int, here: Sequence[FaceRecord]) -> list[Found]:
    """Faces that were found and not kept."""
    index = analysis.indices[place]
    redone = analysis.redone.get(index)
    found = redone.faces.faces if redone is not None else analysis.frames[place].faces
    boxes = np.array([record.face.box for record in here], np.float32).reshape(-1, 4)
    return [face for face in found if not (overlap(face.box, boxes) > MATCH_OVERLAP).any()]


def _keep(path: Path, image: NDArray[np.uint8]) -> None:
    """A JPEG that says what it is in a comment."""
    jpeg, text = encode_image(image, ".jpg", QUALITY), ABOUT.encode()
    make_folder(path.parent)
    write_bytes(path, jpeg[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + jpeg[2:])
