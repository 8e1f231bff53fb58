"""faceset convert: the same faces as crops of another size, or with more or less of the head."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from konterfei.errors import ConfigError, StoreError, UnreadableMediaError
from konterfei.geometry import Crop, FaceType, known_share, recut, resized
from konterfei.imaging import sharpness, to_uint8
from konterfei.io.atomic import ensure_writable
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_files import bytes_for
from konterfei.io.images import read_image
from konterfei.io.label_moves import moved
from konterfei.io.manifest import Manifest, input_record
from konterfei.io.sequence import USUAL_FPS
from konterfei.reporting import Reporter, check
from konterfei.stages._extract_inputs import KEY, known_inputs
from konterfei.stages._extract_plate import ahead, look_of, plate_reader
from konterfei.stages._faceset_tools import carry_order, is_done, manifest_of, place_of, refuse_itself
from konterfei.stages._settings import allow

_WHOLE = 0.999
"""Share of a new crop from which on the old one counts as covering it."""


@dataclass(frozen=True, kw_only=True)
class FacesetConvertConfig:
    """Make a faceset of another size or face type. Outlines, masks and the order follow; the old faceset stays.

    Crops are cut again from the video where it is at hand, which is as good as a new extraction. Else they are made of
    the old crops: what these do not show is black then, and nothing gets sharper.
    """

    faceset: Path
    """Folder of the faceset."""
    output: Path
    """Folder of the new one; made when missing. The same command on it goes on where it was stopped."""
    size: int | None = None
    """Side of the new crops in pixels, 32 to 2048. Default: as it is."""
    face_type: Annotated[str, FaceType] | None = None
    """How much of the head the new crops cover. Default: as it is."""
    source: tuple[Path, ...] = ()
    """Videos, or folders of pictures, that the faces come from; once for each. Default: the one that the faceset names,
    where it still lies there unchanged."""
    from_crops: bool = False
    """Makes new crops of the old ones even where the video is at hand."""

    def __post_init__(self) -> None:
        refuse_itself(self.faceset, self.output)
        allow("--size", self.size, self.size is None or 32 <= self.size <= 2048, "32 to 2048")
        known = self.face_type is None or self.face_type in set(FaceType)
        allow("--face-type", self.face_type, known, ", ".join(FaceType))
        if self.size is None and self.face_type is None:
            raise ConfigError("Nothing is to be changed: add --size 512, or --face-type whole, or both.")
        if self.from_crops and self.source:
            raise ConfigError("--source and --from-crops exclude each other. Give one of them.")


@dataclass(frozen=True, kw_only=True)
class FacesetConvertResult:
    """What was made."""

    faceset: Path
    num_faces: int
    num_from_video: int
    num_from_crops: int
    was_done: bool

    def summary(self) -> list[str]:
        """One line."""
        if self.was_done:
            return [f"Nothing to do: {self.faceset} holds these {self.num_faces} faces already."]
        ways = f"{self.num_from_video} cut from the video, {self.num_from_crops} made of the old crops"
        before = self.num_faces - self.num_from_video - self.num_from_crops
        return [f"{self.num_faces} faces in {self.faceset}: {ways}{f', {before} there before' if before else ''}."]


def faceset_convert(config: FacesetConvertConfig, reporter: Reporter) -> FacesetConvertResult:
    """The converted faceset.

    Raises:
        FacesetError: no faceset, or another process is writing into the new one.
        ConfigError: a source that no face comes from, or whose frames have another size.
        UnreadableMediaError: a source cannot be read.
        OutputError: something else is in the way, no space, no permission.
        Cancelled: a person asked to stop; the same command goes on.
    """
    old = Faceset.open(config.faceset, reporter=reporter)
    size = config.size or old.header.size
    face_type = old.header.face_type if config.face_type is None else FaceType(config.face_type)
    if (size, face_type) == (old.header.size, old.header.face_type):
        raise ConfigError(f"The crops of '{config.faceset}' are {size} px '{face_type}' already. Ask for another.")
    sources = {} if config.from_crops else _sources(config, old, reporter)
    settings = {"size": size, "face_type": str(face_type), "from_crops": config.from_crops}
    inputs = {f"source {name}": record for name, (_, record) in sources.items()}
    manifest = manifest_of("faceset convert", old, settings, inputs)
    if is_done(config.output, manifest):
        return FacesetConvertResult(faceset=config.output, was_done=True, **manifest_results(config.output))
    ensure_writable(config.output, bytes_for(len(old), size))
    with Faceset.create(config.output, replace(old.header, size=size, face_type=face_type)) as new:
        job = _Conversion(old, new, reporter)
        for name, (path, _) in sources.items():
            job.from_video(name, path)
            job.from_pictures(name, path)
        job.from_crops()
        carry_order(old, config.output, job.names)
        results = {"num_faces": len(new), "num_from_video": job.num_cut, "num_from_crops": job.num_recut}
    manifest.results, manifest.complete = results, True
    manifest.save(config.output)
    return FacesetConvertResult(faceset=config.output, was_done=False, **results)


def manifest_results(output: Path) -> dict[str, Any]:
    """The figures that the finished work in `output` was noted with."""
    there = Manifest.load(output)
    return {} if there is None else there.results


def _sources(config: FacesetConvertConfig, old: Faceset, reporter: Reporter) -> dict[str, tuple[Path, dict[str, Any]]]:
    """By the name in the records: what to cut from, and what a manifest notes of it.

    Loose pictures have the name of their folder.
    """
    known = known_inputs(Manifest.load(config.faceset))
    header = old.header
    if header.source and header.source_sha256:
        known.setdefault(KEY + header.source_name, {"path": header.source, "sha256": header.source_sha256})
    names = sorted({_input_of(record) for record in old.records()})
    found = {}
    for path in config.source:
        fitting = [name for name in names if f"/{path.absolute().as_posix()}".endswith(f"/{name}")]
        if not fitting:
            raise ConfigError(f"--source is '{path}': no face comes from that. They come from: {', '.join(names)}.")
        name = max(fitting, key=len)  # of films of one name some have their folder before it
        was = known.get(KEY + name, {})
        found[name] = path, input_record(path, was)
        if "pictures" not in was and was.get("sha256", found[name][1]["sha256"]) != found[name][1]["sha256"]:
            reporter.warn(f"'{path}' is not the file that the faces were found in; its frames have to be the same.")
    if config.source:
        return found
    for key, was in known.items():
        name, path = key.removeprefix(KEY), Path(was["path"])
        if name in names and path.exists():
            is_loose = "pictures" in was  # more may lie there by now; each one's size is looked at
            record = was if is_loose else input_record(path, was)
            if record["sha256"] == was["sha256"]:
                found[name] = path, record
    if len(found) < len(names):
        missing = ", ".join(name for name in names if name not in found)
        reporter.note(f"Not at hand: {missing}. New crops are made of the old ones; --source names the video.")
    return found


def _input_of(record: FaceRecord) -> str:
    """Name of the film, or of the folder of loose pictures, that a face comes from."""
    folder = record.source.rpartition("/")[0]
    return folder if folder and record.face.track is None else record.source


class _Conversion:
    """The faces that are due, and what has become of them.

    Attributes:
        names: file name in the old faceset -> in the new one.
        num_cut, num_recut: faces that came from a video, from a crop, in this call.
    """

    def __init__(self, old: Faceset, new: Faceset, reporter: Reporter) -> None:
        self._old, self._new, self._reporter = old, new, reporter
        there = {place_of(record): record.name for record in new.records()}
        self.names: dict[str, str] = {}
        self.num_cut = self.num_recut = 0
        self._due: dict[str, tuple[FaceRecord, FaceRecord]] = {}
        for record in old.records():
            crop = self._crop_for(record)
            wanted = replace(
                record,
                name="",
                size=crop.size,
                face_type=crop.face_type,
                crop_from_frame=crop.crop_from_frame.matrix,
            )
            if (name := there.get(place_of(wanted))) is not None:
                self.names[record.name] = name
            else:
                self._due[record.name] = record, wanted

    def _crop_for(self, record: FaceRecord) -> Crop:
        header = self._new.header
        if header.face_type == record.face_type:
            return resized(record.crop, header.size)
        return Crop.fit(record.face.landmarks, header.face_type, header.size)

    def from_video(self, source: str, path: Path) -> None:
        """Cut what comes from `source` from its frames, which are read once, in order."""
        by_frame: dict[int, list[str]] = {}
        for name, (record, _) in self._due.items():
            if record.source == source:
                by_frame.setdefault(record.frame_index, []).append(name)
        if not by_frame:
            return
        settings, look = self._old.header.settings, look_of(path)
        first, last = min(by_frame), max(by_frame)
        reader = plate_reader(
            path,
            str(settings.get("fps", USUAL_FPS)),
            settings.get("deinterlace"),
            first,
            last + 1,
            deep=look is not None,
        )
        self._reporter.start(f"cutting from {source}", last + 1 - first)
        with closing(ahead(reader)) as frames:
            for frame in frames:
                check(self._reporter)
                for name in by_frame.get(frame.index, ()):
                    cut = self._cut(name, frame.image, path)
                    self._add(name, cut if look is None else to_uint8(look.show(cut)))
                    self.num_cut += 1
                self._reporter.advance(frame.index + 1 - first)
        self._reporter.finish()
        if lost := [name for names in by_frame.values() for name in names if name in self._due]:
            self._reporter.warn(f"{len(lost)} frames of '{path}' could not be read; their old crops serve.")

    def from_pictures(self, folder_name: str, folder: Path) -> None:
        """Cut what comes from loose pictures of a folder."""
        due = [(name, record.source) for name, (record, _) in self._due.items()]
        due = [(name, source) for name, source in due if source.startswith(f"{folder_name}/")]
        if not due:
            return
        lost = 0
        self._reporter.start(f"cutting from {folder_name}", len(due), "faces")
        for number, (name, source) in enumerate(due, 1):
            check(self._reporter)
            file = folder / source.rpartition("/")[2]
            try:
                self._add(name, self._cut(name, read_image(file), file))
                self.num_cut += 1
            except UnreadableMediaError:
                lost += 1
            self._reporter.advance(number)
        self._reporter.finish()
        if lost:
            self._reporter.warn(f"{lost} pictures of '{folder}' could not be read; their old crops serve.")

    def _cut(self, name: str, image: NDArray[Any], path: Path) -> NDArray[Any]:
        """The new crop of a face from its frame. Raises ConfigError where the frame has another size than it had."""
        record, wanted = self._due[name]
        seen = image.shape[1::-1]
        if record.frame_size not in ((0, 0), seen):
            sizes = "{}x{}, the faces were found in frames of {}x{}".format(*seen, *record.frame_size)
            raise ConfigError(f"'{path}' has frames of {sizes}. Give the same video with --source.")
        return wanted.crop.cut(image)

    def from_crops(self) -> None:
        """Make of old crops what is still due."""
        shares, lost = [], {}
        self._reporter.start("making crops", len(self._due), "faces")
        for number, (name, (record, wanted)) in enumerate(list(self._due.items()), 1):
            check(self._reporter)
            try:
                image = self._old.image(name)
            except StoreError as error:
                lost[name] = str(error)
                continue
            self._add(name, recut(image, record.crop, wanted.crop))
            shares.append(known_share(record.crop, wanted.crop))
            self.num_recut += 1
            self._reporter.advance(number)
        self._reporter.finish()
        self._tell(shares, lost)

    def _add(self, name: str, image: NDArray[np.uint8]) -> None:
        record, wanted = self._due[name]
        labels = self._old.labels(name)
        try:
            labels = moved(labels, record.crop, wanted.crop)
        except ValueError as error:
            self._reporter.warn(f"The mask of {name} is left out: {error}.")
            labels = moved(replace(labels, mask_file=b""), record.crop, wanted.crop)
        self.names[name] = self._new.add(image, replace(wanted, sharpness=sharpness(image)), labels)
        del self._due[name]

    def _tell(self, shares: Iterable[float], lost: Mapping[str, str]) -> None:
        outside = [1 - share for share in shares if share < _WHOLE]
        if outside:
            self._reporter.warn(
                f"{len(outside)} new crops reach beyond the old ones: on average {100 * np.mean(outside):.0f} % of "
                "them is black, because nothing is known there. Give the video with --source to have it filled."
            )
        for why in list(lost.values())[:5]:
            self._reporter.warn(f"A face is left out: {why}")
        if len(lost) > 5:
            self._reporter.warn(f"... and {len(lost) - 5} more.")
