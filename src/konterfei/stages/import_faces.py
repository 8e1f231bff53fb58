"""import faces: what another program found, as a faceset."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import simplejpeg

from konterfei.errors import ConfigError, NoFacesError, OutputError
from konterfei.exchange import FACE_READERS, FaceReader, FoundFace, Material, NotTakenError
from konterfei.exchange.film import Film, look_through
from konterfei.geometry import FaceType
from konterfei.imaging import sharpness
from konterfei.io.atomic import ensure_writable, make_folder, sha256
from konterfei.io.faceset import FaceRecord, Faceset, FacesetHeader
from konterfei.io.faceset_order import FacesetOrder
from konterfei.io.manifest import Manifest, input_record
from konterfei.io.sequence import USUAL_FPS, frame_rate, is_sequence
from konterfei.recognizers import RECOGNIZERS, Recognizer
from konterfei.reporting import Reporter, check
from konterfei.stages._import_journal import JOURNAL_NAME, ImportJournal
from konterfei.stages._import_tracks import tracks_of
from konterfei.stages._settings import allow

AUTO = "auto"
"""In the place of a format: the first one that recognises the path."""
FORMATS = {AUTO: None, **dict.fromkeys(FACE_READERS)}
_SHOWN, _LISTED = 3, 20
Kind = tuple[str, int]
"""Face type and size."""


@dataclass(frozen=True, kw_only=True)
class ImportFacesConfig:
    """Take over faces that another program found: crops, landmarks, masks, polygons, and the frames they came from.

    Nothing in a file is ever executed. The pictures are not encoded anew. What konterfei has no place for is kept, so
    that konterfei faceset export gives it back as it was.
    """

    path: Path
    """Folder of aligned pictures of DeepFaceLab, or its faceset.pak; faceswap's alignments as JSON."""
    output: Path
    """Folder of the faceset; made when missing. The same command on it goes on where it was stopped."""
    format: Annotated[str, FORMATS] = AUTO
    """What it is: auto (look), dfl (a folder of aligned pictures), dfl-pak (a faceset.pak) or faceswap (JSON)."""
    frames: Path | None = None
    """Video, or folder of its frames, that the faces were found in. Needed for a faceset to merge with: frames get
    their exact times, and the plate is known. Without it, faces can be trained on."""
    face_type: Annotated[str, FaceType] = "whole"
    """How much of the head the crops cover, for formats that hold points and no crops (faceswap)."""
    size: int = 256
    """Side of the crops in pixels, for such formats."""
    fps: str = USUAL_FPS
    """Frames per second where --frames is a folder of pictures."""
    recognize: bool = True
    """Tell who each face is, as extract does; sorting by likeness, the report and evaluate need it."""
    recognizer: Annotated[str, RECOGNIZERS] = "mobilefacenet"
    """Tells people apart."""
    threads: int = 0
    """Threads of the recognizer; 0 = one per core."""

    def __post_init__(self) -> None:
        allow("--format", self.format, self.format in FORMATS, ", ".join(FORMATS))
        allow("--face-type", self.face_type, self.face_type in set(FaceType), ", ".join(FaceType))
        allow("--size", self.size, 32 <= self.size <= 2048, "32 to 2048")
        allow("--threads", self.threads, self.threads >= 0, "0 or more")
        if self.frames is not None and not (is_sequence(self.frames) or self.frames.is_file()):
            raise ConfigError(f"There is no '{self.frames}'. Name the video, or the folder of its frames.")
        RECOGNIZERS[self.recognizer]  # raises with the nearest names
        frame_rate(self.fps)
        if self.path.absolute() in (self.output.absolute(), *self.output.absolute().parents):
            raise ConfigError(f"--output '{self.output}' is the folder of faces itself, or lies in it. Choose another.")


@dataclass(frozen=True, kw_only=True)
class ImportFacesResult:
    """What was taken over.

    Attributes:
        facesets: folders; several where the faces are of several types or sizes.
        num_faces: crops in them, taken over now or before.
        not_taken: file -> why it was not taken over.
        not_whole: file -> what of it was not.
        was_done: whether all of it lay there already.
    """

    facesets: tuple[Path, ...]
    num_faces: int
    not_taken: Mapping[str, str]
    not_whole: Mapping[str, str]
    was_done: bool = False

    def summary(self) -> list[str]:
        """Where the faces are, and what was not taken over, with the reason."""
        lines = [f"{self.num_faces} faces in {', '.join(str(folder) for folder in self.facesets)}"]
        lines += _listed("not taken over", self.not_taken)
        return lines + _listed("taken over in part", self.not_whole)


def _listed(what: str, reasons: Mapping[str, str]) -> list[str]:
    lines = [f"{what}: {file}: {why}" for file, why in list(reasons.items())[:_LISTED]]
    more = len(reasons) - len(lines)
    return lines + ([f"{what}: {more} more, listed in manifest.json"] if more > 0 else [])


def import_faces(config: ImportFacesConfig, reporter: Reporter) -> ImportFacesResult:
    """Make facesets of what lies in `config.path`.

    Raises:
        ConfigError: there is nothing that any format recognises.
        StoreError, DamagedFileError: nothing of it can be read.
        NoFacesError: there is not one face that can be taken over.
        OutputError: the folder cannot be written, or holds something else.
        Cancelled: a person asked to stop; what was taken over is kept.
    """
    name = config.format if config.format != AUTO else _recognised(config.path)
    before, holds_files = Manifest.load_begun(config.output)
    reporter.start("reading what is there", None, unit="files")
    manifest = _manifest(config, name, before)
    reporter.finish()
    if before is not None and (changes := manifest.differs_from(before)):
        raise OutputError(
            f"'{config.output}' holds other faces: {'; '.join(changes)}. Choose another folder, or remove this one."
        )
    if before is not None and before.complete:
        reporter.note(f"Nothing to do: {config.output} is complete.")
        return _result(config.output, before.results, was_done=True)
    if before is None and holds_files:
        raise OutputError(f"'{config.output}' is not empty. Choose another folder.")
    film = None if config.frames is None else look_through(config.frames, frame_rate(config.fps), reporter)
    material = Material(film=film, face_type=FaceType(config.face_type), size=config.size, reporter=reporter)
    reader: FaceReader = FACE_READERS.load(name)(config.path, material)
    with closing(reader):
        for remark in reader.remarks:
            reporter.warn(_shown(remark))
        ensure_writable(config.output, _bytes_of(config.path))
        make_folder(config.output)
        manifest.save(config.output)
        results = _take_over(config, reader, film, manifest, reporter)
    manifest.results, manifest.complete = results, True
    manifest.save(config.output)
    (config.output / JOURNAL_NAME).unlink(missing_ok=True)
    result = _result(config.output, results, was_done=False)
    _tell(result, reporter)
    return result


def _recognised(path: Path) -> str:
    for name in FACE_READERS:
        if FACE_READERS.load(name).recognises(path):
            return name
    if not path.exists():
        raise ConfigError(f"There is no '{path}'. Name a folder of aligned pictures, or a faceset.pak.")
    raise ConfigError(
        f"'{path}' holds no faces in a format that is known here ({', '.join(FACE_READERS)}). Name a folder of aligned "
        "pictures or a faceset.pak; pictures and videos go through konterfei extract."
    )


def _manifest(config: ImportFacesConfig, name: str, before: Manifest | None) -> Manifest:
    known = before.inputs if before is not None else {}
    inputs = {"faces": _record_of(config.path, known.get("faces"))}
    if config.frames is not None:
        inputs["frames"] = input_record(config.frames, known.get("frames"))
    settings: dict[str, Any] = {"format": name, "recognizer": config.recognizer if config.recognize else None}
    if FACE_READERS.load(name).cuts:
        settings |= {"face_type": config.face_type, "size": config.size}
    if config.frames is not None:
        settings["fps"] = str(frame_rate(config.fps))
    versions = {"konterfei": version("konterfei")}
    return Manifest(stage="import faces", inputs=inputs, settings=settings, versions=versions)


def _record_of(path: Path, known: Mapping[str, Any] | None) -> dict[str, Any]:
    """As `input_record`; of a folder with folders, the hash is that of the list of all files and their hashes."""
    if path.is_file():
        return input_record(path, known)
    files = sorted(each for each in path.rglob("*") if each.is_file() and not each.name.startswith("."))
    stamps = "".join(f"{file.relative_to(path)} {file.stat().st_size} {file.stat().st_mtime_ns}\n" for file in files)
    record = {
        "path": str(path.absolute()),
        "files": len(files),
        "stamps": hashlib.sha256(stamps.encode("utf-8", "surrogateescape")).hexdigest(),
    }
    if known and known.get("sha256") and all(known.get(key) == value for key, value in record.items()):
        return {**record, "sha256": known["sha256"]}
    listing = "".join(f"{file.relative_to(path)} {sha256(file)}\n" for file in files)
    return {**record, "sha256": hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest()}


def _bytes_of(path: Path) -> int:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(file.stat().st_size for file in files)


def _take_over(
    config: ImportFacesConfig, reader: FaceReader, film: Film | None, manifest: Manifest, reporter: Reporter
) -> dict[str, Any]:
    """Every face into its faceset. Gives the figures of the result."""
    not_taken: dict[str, str] = {}
    records: dict[str, FaceRecord] = {}
    kinds = _look_through(reader, not_taken, records if film is not None else None, reporter)
    tracks = tracks_of(records)
    records.clear()
    if not kinds:
        reasons = Counter(map(_shown, not_taken.values())).most_common(_SHOWN)
        told = "; ".join(f"{count} x {why}" for why, count in reasons) or "there are no pictures"
        raise NoFacesError(f"Not one face in '{config.path}' can be taken over: {told}.")
    folders = _folders(config.output, kinds, reporter)
    recognizer = RECOGNIZERS.load(config.recognizer)(threads=config.threads) if config.recognize else None
    not_whole: dict[str, str] = {}
    with ExitStack() as stack:
        journal = stack.enter_context(ImportJournal(config.output / JOURNAL_NAME))
        facesets = {
            kind: stack.enter_context(Faceset.create(folder, _header(config, kind, film, manifest)))
            for kind, folder in folders.items()
        }
        if journal.done:
            reporter.note(f"Going on: {len(journal.done)} faces were taken over before.")
        reporter.start("taking over faces", len(kinds), unit="faces")
        for number, (place, kind) in enumerate(kinds.items()):
            check(reporter)
            if place not in journal.done:
                try:
                    found = _measured(_in_track(reader.read(place), tracks.get(place)), recognizer)
                    _add(facesets[kind], found, journal)
                    if found.lost:
                        not_whole[place] = "; ".join(found.lost)
                except (NotTakenError, ValueError) as error:
                    not_taken[place] = str(error)
            reporter.advance(number + 1)
        reporter.finish()
        for kind, faceset in facesets.items():
            _keep_order(faceset, [journal.done[p] for p, k in kinds.items() if k == kind and p in journal.done])
        return {
            "facesets": [str(folder.relative_to(config.output)) for folder in folders.values()],
            "num_faces": sum(map(len, facesets.values())),
            "not_taken": _readable({**not_taken, **journal.doubles}),
            "not_whole": _readable(not_whole),
        }


def _readable(reasons: Mapping[str, str]) -> dict[str, str]:
    """The same in characters that any terminal can show: names and reasons may repeat what a stranger wrote."""
    return {_shown(place): _shown(why) for place, why in reasons.items()}


def _shown(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)


def _look_through(
    reader: FaceReader, not_taken: dict[str, str], records: dict[str, FaceRecord] | None, reporter: Reporter
) -> dict[str, Kind]:
    """The kind of each face, by place; `not_taken` is told the others, and `records`, if wanted, the records."""
    kinds: dict[str, Kind] = {}
    places = reader.places()
    reporter.start("looking through", len(places), unit="files")
    for number, place in enumerate(places, 1):
        check(reporter)
        try:
            record = reader.record(place)
            kinds[place] = record.face_type.value, record.size
            if records is not None:
                records[place] = record
        except NotTakenError as error:
            not_taken[place] = str(error)
        reporter.advance(number)
    reporter.finish()
    return kinds


def _in_track(found: FoundFace, track: int | None) -> FoundFace:
    if track is None or found.record.face.track is not None:
        return found
    return replace(found, record=replace(found.record, face=found.record.face.with_(track=track)))


def _folders(output: Path, kinds: Mapping[str, Kind], reporter: Reporter) -> dict[Kind, Path]:
    """A folder for each kind of face: a faceset holds one."""
    counted = Counter(kinds.values())
    if len(counted) == 1:
        return {kind: output for kind in counted}
    told = ", ".join(f"{count} of {kind[0]} at {kind[1]} px" for kind, count in counted.most_common())
    reporter.warn(
        f"The faces are of several kinds ({told}), and a faceset holds one: each gets a folder in '{output}'."
    )
    return {kind: output / f"{kind[0]}-{kind[1]}" for kind, _ in counted.most_common()}


def _header(config: ImportFacesConfig, kind: Kind, film: Film | None, manifest: Manifest) -> FacesetHeader:
    settings = {**manifest.settings, "imported": manifest.settings["format"]}
    del settings["format"]
    settings.pop("fps", None)
    return FacesetHeader(
        face_type=FaceType(kind[0]),
        size=kind[1],
        source=str(film.path.absolute()) if film else "",
        source_sha256=manifest.inputs["frames"]["sha256"] if film else "",
        settings={**settings, **(film.settings if film else {})},
    )


def _measured(found: FoundFace, recognizer: Recognizer | None) -> FoundFace:
    """The same with sharpness and embedding, where it has none. Raises NotTakenError: its picture is damaged."""
    record, picture = found.record, found.picture
    needs_embedding = recognizer is not None and record.face.embedding is None
    if isinstance(picture, bytes):
        try:
            image = simplejpeg.decode_jpeg(picture, colorspace="RGB")
        except ValueError as error:
            raise NotTakenError(f"its picture cannot be decoded ({error})") from error
    else:
        image = picture
    if not found.is_measured:
        record = replace(record, sharpness=sharpness(image))
    if needs_embedding and recognizer is not None:
        points = record.crop.crop_from_frame @ record.face.landmarks
        embedding = recognizer.embed(image, [points.astype(np.float32)])[0]
        if np.isfinite(embedding).all():
            record = replace(record, face=record.face.with_(embedding=embedding))
    return replace(found, record=record)


def _add(faceset: Faceset, found: FoundFace, journal: ImportJournal) -> None:
    if isinstance(found.picture, bytes):
        name = faceset.add_jpeg(found.picture, found.record, found.labels)
    else:
        name = faceset.add(found.picture, found.record, found.labels)
    journal.add(found.place, name, str(faceset.folder))


def _keep_order(faceset: Faceset, names: list[str]) -> None:
    """The order in which the other program had the faces, where that is not ours."""
    there = set(faceset.names())
    names = [name for name in dict.fromkeys(names) if name in there]
    if names != faceset.names():
        values = tuple(float(number) for number in range(len(names)))
        about = "as they came from the other program"
        FacesetOrder(by="imported", names=tuple(names), values=values, about=about).save(faceset.folder)


def _result(output: Path, results: Mapping[str, Any], *, was_done: bool) -> ImportFacesResult:
    return ImportFacesResult(
        facesets=tuple(output / folder for folder in results["facesets"]),
        num_faces=results["num_faces"],
        not_taken=results["not_taken"],
        not_whole=results["not_whole"],
        was_done=was_done,
    )


def _tell(result: ImportFacesResult, reporter: Reporter) -> None:
    for told, what in ((result.not_taken, "were not taken over"), (result.not_whole, "were taken over in part")):
        if told:
            few = "; ".join(f"{file}: {why}" for file, why in list(told.items())[:_SHOWN])
            more = f"; and {len(told) - _SHOWN} more, listed in manifest.json" if len(told) > _SHOWN else ""
            reporter.warn(f"{len(told)} files {what}: {few}{more}.")
    reporter.note(f"{result.num_faces} faces in {', '.join(str(folder) for folder in result.facesets)}.")
