"""`konterfei evaluate`: measure a swap against the video it was made from, and draw the report picture."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from konterfei.detectors import DETECTORS
from konterfei.errors import ConfigError, NoFacesError, OutputError
from konterfei.geometry import Face
from konterfei.io.atomic import ensure_writable, write_json
from konterfei.io.faceset import Faceset
from konterfei.io.images import write_image
from konterfei.io.manifest import Manifest, input_record
from konterfei.io.sequence import USUAL_FPS, folder_of, frame_rate
from konterfei.io.video import Frame, is_sequence, open_frames, read_ahead
from konterfei.landmarkers import LANDMARKERS
from konterfei.metrics import METRICS, Measurement, People, Series
from konterfei.metrics.evaluation import FORMAT, VERSION, from_json, lines, measure, to_json
from konterfei.metrics.observation import Eyes, Observer, crop_size
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter, check
from konterfei.stages._settings import allow, parse_range, report_beside
from konterfei.weights import WEIGHTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENOUGH = 240
"""Frames that give steady figures: more are thinned out unless asked for."""
GROUP = 3
"""Neighbouring frames that are always measured together: jitter needs three, flicker two."""
MOST_DRIFT = Fraction(1, 2)
"""Seconds that a frame of the result may be shown away from the plate's; more, and it is another video."""
SHOWN = 7
"""Crops of the src person in the report picture."""


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """Measure a swap: identity, expression, steadiness; draw the report picture."""

    video: Path
    """The merged video, or the folder or pattern of the merged pictures."""
    faces: Path
    """Faceset of the video that received the face (dst)."""
    src: Path
    """Faceset of the person whose face was used (src)."""
    plate: Path | None = None
    """The video, or the folder or pattern of pictures, that received the face, unchanged; pictures have the frame rate
    that their faces were extracted with. Default: the one that the dst faceset names."""
    output: Path | None = None
    """Picture to write, .png or .jpg; the figures go beside it as .json. Default: NAME.report.jpg beside NAME.mp4."""
    every_nth: int | None = None
    """Measures three neighbouring frames out of every n; 1 to 3 = all. Default: as many as about 240 frames take."""
    detector: Annotated[str, DETECTORS] = "yunet"
    """Says whether the result shows a face at all."""
    landmarker: Annotated[str, LANDMARKERS] = "mesh478"
    """Finds the points of the faces, in plate and result alike."""
    recognizer: Annotated[str, RECOGNIZERS] = "mobilefacenet"
    """Tells people apart; the one that the facesets were made with."""
    threads: int = 0
    """Threads of each network; 0 = one per core. The networks take turns; videos are decoded on two more threads."""

    def __post_init__(self) -> None:
        allow("--every-nth", self.every_nth, self.every_nth is None or self.every_nth >= 1, "1 or more")
        allow("--threads", self.threads, self.threads >= 0, "0 or more")
        is_picture = self.picture.suffix.lower() in (".png", ".jpg", ".jpeg")
        allow("--output", f"'{self.output}'", is_picture, "a picture, .png or .jpg")
        for table, name in ((DETECTORS, self.detector), (LANDMARKERS, self.landmarker), (RECOGNIZERS, self.recognizer)):
            table[name]  # raises with the nearest names

    @property
    def picture(self) -> Path:
        """Where the report picture goes."""
        return self.output or report_beside(self.video)

    @property
    def report(self) -> Path:
        """Where the figures go."""
        return self.picture.with_suffix(".json")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What an evaluation found."""

    report: Path
    """JSON: every figure, by frame too, and how it was measured."""
    picture: Path
    """Contact sheet with figures and curves."""
    num_frames: int
    """Pairs of frames measured."""
    num_unmeasurable: int
    """Pairs left out, because the plate itself shows no clear face there."""
    num_unseen: int
    """Measured pairs in which the detector finds no face in the result."""
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    """By name of the metric."""
    was_done: bool = False
    """Whether the same evaluation lay there already."""

    def summary(self) -> list[str]:
        """The figures, one line each."""
        unseen = f"; the detector misses the face in {self.num_unseen}" if self.num_unseen else ""
        return [f"measured    {self.num_frames} frames{unseen}", *lines(self.measurements)]


def evaluate(config: EvaluateConfig, reporter: Reporter) -> Evaluation:
    """Figures of `config.video`; written to `config.report`, drawn to `config.picture`.

    Raises:
        ConfigError: plate, facesets and video do not belong together.
        FacesetError, UnreadableMediaError: one of them cannot be read.
        NoFacesError: no frame shows a face clearly enough.
        OutputError: the report cannot be written.
        Cancelled: a person asked to stop.
    """
    src, dst = Faceset.open(config.src, reporter=reporter), Faceset.open(config.faces, reporter=reporter)
    plate_path = _plate(config, dst)
    people = _people(config, src, dst)
    if plate_path.is_dir() and config.picture.parent.resolve() == plate_path.resolve():
        raise OutputError(
            f"Cannot write '{config.picture}' into the plate's folder: it would be a frame. Choose another --output."
        )
    ensure_writable(config.picture)
    ensure_writable(config.report)
    about: dict[str, Any] = {
        "inputs": {
            "video": _file(config.video),
            "plate": _file(plate_path),
            "src": {"path": str(config.src), "content": src.content_hash()},
            "faces": {"path": str(config.faces), "content": dst.content_hash()},
        },
        "settings": {
            "every_nth": config.every_nth,
            **{name: _network(getattr(config, name)) for name in ("detector", "landmarker", "recognizer")},
            "metrics": list(METRICS),
        },
    }
    _check_plate(about["inputs"]["plate"], plate_path, dst)
    if (done := _done(config, about)) is not None:
        reporter.note(f"'{config.report}' is up to date; nothing was measured anew.")
        return done
    observer = _observe(config, plate_path, dst, reporter)
    plate, (result,) = observer.series()
    reporter.start("measuring", len(METRICS), "metrics")
    measurements: dict[str, Measurement] = {}
    for name, found in measure(plate, result, people):
        check(reporter)
        measurements[name] = found
        reporter.advance(len(measurements))
    reporter.finish()
    return _write(config, about, observer, measurements, src, (plate, result), reporter)


def _plate(config: EvaluateConfig, dst: Faceset) -> Path:
    if config.plate is None and not dst.header.source:
        raise ConfigError(
            f"The faceset '{config.faces}' is pooled from several videos. Give the unchanged video with --plate."
        )
    path = config.plate or Path(dst.header.source)
    if not (path.exists() or is_sequence(path)):
        if config.plate is None:
            raise ConfigError(
                f"The faceset '{config.faces}' was made from '{dst.header.source}', which is not there. "
                "Give the unchanged video with --plate."
            )
        raise ConfigError(f"--plate '{path}' does not exist.")
    if not (config.video.exists() or is_sequence(config.video)):
        raise ConfigError(f"There is no video '{config.video}' to measure.")
    if path.resolve() == config.video.resolve():
        raise ConfigError(f"'{path}' is both the merged video and the plate: there is nothing to compare.")
    return path


def _check_plate(record: Mapping[str, Any], path: Path, dst: Faceset) -> None:
    known, now = dst.header.source_sha256, record.get("sha256")
    if known and now and known != now:
        raise ConfigError(
            f"'{path}' is not the video that the faces in '{dst.folder}' come from ('{dst.header.source}'): "
            "its content differs. Give that video with --plate, or extract the faces again."
        )


def _people(config: EvaluateConfig, src: Faceset, dst: Faceset) -> People:
    for faceset in (src, dst):
        made_with = faceset.header.settings.get("recognizer", config.recognizer)
        if made_with != config.recognizer:
            raise ConfigError(
                f"The faces in '{faceset.folder}' were recognised by {made_with}, not by {config.recognizer}: their "
                f"embeddings do not compare. Use --recognizer {made_with} or extract again."
            )
    return People(src=src.identity(), dst=dst.identity())


def _file(path: Path) -> dict[str, Any]:
    record = input_record(path)
    return {name: record[name] for name in ("path", "sha256", "size")}


def _network(name: str) -> dict[str, str]:
    record = WEIGHTS.get(name)
    return {"name": name} if record is None else {"name": name, "sha256": record.sha256}


def chosen_frames(indices: list[int], every_nth: int | None) -> list[int]:
    """Which of `indices` (ascending) to measure: groups of `GROUP` neighbours, the groups' starts `every_nth` apart."""
    step = every_nth or max(1, round(len(indices) * GROUP / ENOUGH))
    if step <= GROUP or (every_nth is None and len(indices) <= ENOUGH):
        return indices
    present = set(indices)
    wanted = {start + k for start in indices[::step] for k in range(GROUP)}
    return sorted(wanted & present)


def _pairs(
    plate: Path, read: Mapping[str, Any], result: Path, span: tuple[int, int], reporter: Reporter
) -> Iterator[tuple[Frame, NDArray[np.uint8]]]:
    """Frames of the plate, read as its faces were (`read`: settings of the faceset), with those of the result."""
    fps, whole = frame_rate(read.get("fps") or USUAL_FPS), read.get("deinterlace") == "bwdif"
    theirs, ours = open_frames(plate, span[0], span[1] + 1, fps=fps, deinterlace=whole), open_frames(result)
    size = (theirs.info.width, theirs.info.height)
    if size != (ours.info.width, ours.info.height):
        raise ConfigError(
            f"'{result}' has {ours.info.width}x{ours.info.height} pixels, the plate '{plate}' has {size[0]}x{size[1]}: "
            "it was not made from it. Give the right video with --plate."
        )
    ahead: tuple[Any, Any] = read_ahead(theirs, 4), read_ahead(ours, 4)
    with closing(ahead[0]) as frames, closing(ahead[1]) as others:
        begins: tuple[Fraction, Fraction] | None = None
        for frame, other in _in_step(frames, others):
            if other is None:
                reporter.warn(f"'{result}' ends at frame {frame.index}, before the plate; the rest is not measured.")
                return
            begins = begins or (frame.pts, other.pts)
            drift = abs((frame.pts - begins[0]) - (other.pts - begins[1]))
            if drift > MOST_DRIFT and not is_sequence(result):
                raise ConfigError(
                    f"'{result}' is not in step with the plate '{plate}': at frame {frame.index} they are "
                    f"{float(drift):.2f} s apart. Give the video that it was made from with --plate."
                )
            yield frame, other.image


def _in_step(frames: Iterator[Frame], others: Iterator[Frame]) -> Iterator[tuple[Frame, Frame | None]]:
    """The n-th frame of the plate that can be decoded with frame n of the result: so the merge wrote them.

    Frames of the result that cannot be decoded are passed over; None when it has ended.
    """
    other = next(others, None)
    for count, frame in enumerate(frames):
        while other is not None and other.index < count:
            other = next(others, None)
        if other is None or other.index == count:
            yield frame, other


def _span(result: Path) -> tuple[int, int | None]:
    """The frames of the plate that the result is of: those of the merge's --range, as its manifest tells."""
    made = Manifest.load(folder_of(result))
    return parse_range(made.settings.get("range") if made is not None and made.stage == "merge" else None)


def _observe(config: EvaluateConfig, plate: Path, dst: Faceset, reporter: Reporter) -> Observer:
    start, stop = _span(config.video)
    there = [i for i in dst.frame_indices() if i >= start and (stop is None or i < stop)]
    frames = chosen_frames(there, config.every_nth)
    if not frames:
        raise NoFacesError(f"The faceset '{dst.folder}' has no face of '{dst.header.source_name}' in these frames.")
    faces: dict[int, Face] = {}
    for index in frames:
        faces[index] = max((record.face for record in dst.faces_at(index)), key=lambda face: face.size)
    eyes = Eyes(
        DETECTORS.load(config.detector)(threads=config.threads),
        LANDMARKERS.load(config.landmarker)(threads=config.threads),
        RECOGNIZERS.load(config.recognizer)(threads=config.threads),
    )
    observer = Observer(eyes, crop_size(list(faces.values())))
    reporter.start("looking at plate and result", len(frames))
    done = 0
    for frame, image in _pairs(plate, dst.header.settings, config.video, (start, frames[-1]), reporter):
        check(reporter)
        if frame.index in faces:
            observer.add(frame.index, frame.image, [image], faces[frame.index])
            done += 1
            reporter.advance(done)
    reporter.finish()
    if not len(observer):
        raise NoFacesError(
            f"None of {done} frames of '{plate}' shows a face clearly enough to be measured (the landmarker "
            f"'{config.landmarker}' is sure of none). Check that faceset and plate belong together."
        )
    return observer


def _done(config: EvaluateConfig, about: Mapping[str, Any]) -> Evaluation | None:
    """The evaluation that lies there, when it is the one asked for."""
    try:
        data = json.loads(config.report.read_text("utf-8"))
        if (data["format"], data["version"]) != (FORMAT, VERSION) or not config.picture.exists():
            return None
        if any(data[key] != json.loads(json.dumps(about[key])) for key in about):
            return None
        return Evaluation(
            report=config.report,
            picture=config.picture,
            **data["frames"],
            measurements=from_json(data["metrics"]),
            was_done=True,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(
    config: EvaluateConfig,
    about: Mapping[str, Any],
    observer: Observer,
    measurements: Mapping[str, Measurement],
    src: Faceset,
    both: tuple[Series, Series],
    reporter: Reporter,
) -> Evaluation:
    from konterfei.metrics.sheet import draw  # matplotlib

    names = src.names()
    plate_name = Path(about["inputs"]["plate"]["path"]).name
    shown = [src.image(names[i]) for i in np.unique(np.linspace(0, len(names) - 1, SHOWN).round().astype(int))]
    title = f"{config.video.name}: the face of {src.header.source_name or src.folder.name} on {plate_name}"
    write_image(config.picture, draw(title, shown, *both, measurements))
    counts: dict[str, Any] = {
        "num_frames": len(observer),
        "num_unmeasurable": observer.num_unmeasurable,
        "num_unseen": observer.num_unseen[0],
    }
    write_json(
        config.report,
        {
            "format": FORMAT,
            "version": VERSION,
            "made_by": {"konterfei": version("konterfei")},
            **about,
            "frames": counts,
            "frame_indices": both[0].indices.tolist(),
            "metrics": to_json(measurements),
        },
    )
    reporter.preview(config.picture)
    return Evaluation(report=config.report, picture=config.picture, **counts, measurements=measurements)
