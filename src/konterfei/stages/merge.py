"""merge: the trained face back into the plate, labelled and signed.

Frames are decoded on one thread, drawn and composited here, encoded on another, in parts of some seconds that are kept
until the end (`_merge_parts`). What stands under the output's name is complete, labelled and signed, or not there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from konterfei.compositing import MergeSettings, reach_frames
from konterfei.errors import ConfigError, NoFacesError
from konterfei.io.atomic import sha256
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest, input_record, plain
from konterfei.io.sequence import frame_rate
from konterfei.io.video import VideoInfo, VideoWriter, is_sequence, join, look, open_frames, read_ahead
from konterfei.provenance.certificate import Identity, signing_identity
from konterfei.provenance.consent import Consent, require
from konterfei.provenance.credentials import Claim, Material, sign
from konterfei.provenance.label import LABELS, draw_label, wording
from konterfei.reporting import Reporter, check
from konterfei.stages import _merge_checks as checks
from konterfei.stages._merge_parts import PartEncoder, PartRecord, Parts, Tally
from konterfei.stages._merge_stream import SWAPPED, Clock, FaceSwapper, composite, draw, steady

ENCODER_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
"""x264's, from fast and large to slow and small."""


@dataclass(frozen=True, kw_only=True)
class MergeConfig(MergeSettings):
    """Put the trained face back into the video; label and sign the result.

    The same command again goes on where it was stopped or killed, and does nothing when all is done.
    """

    video: Path
    """The plate: the very video, or the folder or pattern of pictures, that the faces were found in."""
    faces: Path
    """Its faceset. A crop deleted there is a face that is left as it is."""
    model: Path
    """Run to swap with, as `konterfei train` made it."""
    output: Path
    """Video to write, .mp4 or .mov. It appears when it is complete, labelled and signed."""
    consent: Path
    """Consent record of the src person, as `konterfei consent new` writes it."""
    use: str | None = None
    """What the video is for, as the consent record's scope names it. Not needed where the scope is "any"."""
    fps: str | None = None
    """Frames per second of a plate that is pictures. Default: those that its faces were extracted with, mostly 25."""
    src_videos: tuple[Path, ...] = ()
    """Videos (or folders of pictures) of the src person, named in the credentials. When not given, what the run's src
    faceset says."""
    label: Annotated[str, LABELS] = "corner"
    """Visible sign that the picture was altered: corner, caption or none. Leaving it out is recorded in the video."""
    crf: float = 16.0
    """Quality of the encoded video, 0 = lossless ... 51 = worst; 16 is visually lossless."""
    encoder_preset: str = "medium"
    """Effort of the encoder, ultrafast (large file) ... veryslow (small file)."""
    range: str | None = None
    """Only these frames, START:END without END, as a trial: no sound, but labelled and signed like every result."""
    batch: int = 8
    """Faces that the model draws at once. More is faster on a GPU and takes more of its memory."""
    threads: int = 0
    """CPU threads of the model; 0 = one per core, less one."""
    device: str = "auto"
    """Processor of the model: auto, cpu, cuda, cuda:1, mps."""
    part_frames: int = 250
    """Frames that are encoded as one part: what a kill can cost."""
    certificate: Path | None = None
    """Certificate chain (PEM) to sign with. None = one that konterfei makes for you, which proves no name."""
    key: Path | None = None
    """Private key (PEM) of the certificate."""
    force: bool = False
    """Replace an output that is there, and take a faceset of the same shot in another encoding."""

    def __post_init__(self) -> None:
        super().__post_init__()
        LABELS[self.label]
        checks.parse_range(self.range)
        if self.fps is not None:
            frame_rate(self.fps)
        _allow("--crf", self.crf, 0 <= self.crf <= 51, "0 to 51")
        _allow("--batch", self.batch, self.batch >= 1, "1 or more")
        _allow("--threads", self.threads, self.threads >= 0, "0 or more")
        _allow("--part-frames", self.part_frames, self.part_frames >= 2, "2 or more")
        presets = ", ".join(ENCODER_PRESETS)
        _allow("--encoder-preset", self.encoder_preset, self.encoder_preset in ENCODER_PRESETS, presets)
        if self.video.absolute() == self.output.absolute():
            raise ConfigError(f"--output is the plate itself, '{self.video}'. Choose another output.")

    @property
    def parts_folder(self) -> Path:
        """Where the finished parts are kept until the end."""
        return self.output.with_name(f"{self.output.name}.parts")


def _allow(flag: str, value: object, is_good: bool, allowed: str) -> None:
    if not is_good:
        raise ConfigError(f"{flag} is {value}; allowed: {allowed}.")


@dataclass(frozen=True, kw_only=True)
class MergeResult:
    """What a merge gave."""

    video: Path
    frames: int
    """Frames of the result."""
    swapped: int
    """Frames with at least one swapped face."""
    not_swapped: Mapping[str, int] = field(default_factory=dict)
    """Reason -> frames."""
    faces: int = 0
    """Faces swapped, over all frames."""
    at_edge: int = 0
    """Swapped frames with a face that reaches over the frame's edge."""
    lost: int = 0
    """Frames of the plate that could not be decoded."""
    is_preview: bool = False
    """The model was trained too shortly for more than a first look."""
    label: str = "corner"
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Step -> how long it took, all parts together, runs that were killed included."""
    was_done: bool = False
    """It was there already."""

    def summary(self) -> list[str]:
        """What was done and what was not, as lines for a person."""
        lines = [f"{self.video}: {self.swapped} of {self.frames} frames swapped ({self.faces} faces)."]
        lines += [f"  {count} frames not swapped: {reason}" for reason, count in self.not_swapped.items()]
        if self.at_edge:
            lines.append(
                f"  {self.at_edge} of the swapped frames have a face that reaches over the edge of the picture"
            )
        if self.lost:
            lines.append(f"  {self.lost} frames of the plate could not be decoded and are missing")
        if self.is_preview:
            lines.append("  A preview: the model was trained only shortly. It is marked as such.")
        shown = "no visible label (recorded in the credentials)" if self.label == "none" else f"label: {self.label}"
        return [*lines, f"  {shown}; signed"]


def merge(config: MergeConfig, reporter: Reporter, swapper: FaceSwapper | None = None) -> MergeResult:
    """Write the plate with the faces of its faceset swapped: labelled, signed, whole or not at all.

    Args:
        config: what to merge and how.
        reporter: told the progress; may stop the merge, which keeps the parts that are finished.
        swapper: a model to use in place of the one in `config.model`.

    Raises:
        ConsentError: no consent record, or one that does not cover this.
        UnreadableMediaError, FacesetError, ConfigError: an input is missing or does not fit the others.
        OutputError: the output cannot be written, or something else is there.
        NoFacesError: not one frame was swapped.
        Cancelled: a person asked to stop.
    """
    consent = require(config.consent, use=config.use)
    given = [("VIDEO", config.video), ("--consent", config.consent), *(("--src-videos", p) for p in config.src_videos)]
    info = look(config.video)
    checks.check_output(config.output, given, checks.disk_needed(config.video))
    checks.check_inputs(config.src_videos)
    identity = signing_identity(config.certificate, config.key)
    for line in info.warnings:
        reporter.warn(line)
    for line in identity.notes:
        reporter.note(line)
    before = Manifest.load(config.output)
    plate = input_record(config.video, before.inputs.get("video") if before else None)
    faceset = checks.matching_faceset(config.faces, plate, info, force=config.force, reporter=reporter)
    info = checks.plate_info(config.video, config.fps, faceset.header.settings, reporter)
    start, stop = checks.parse_range(config.range)
    checks.refuse_without_faces(faceset, start, stop)
    swapper = swapper or checks.open_swapper(config.model, config.device, config.threads, reporter)

    work = _manifest(config, plate, info, faceset, swapper)
    whole = _manifest(config, plate, info, faceset, swapper, consent)
    parts = Parts(config.parts_folder)
    if not config.force:
        if done := _already_done(config, whole, before, reporter):
            parts.remove()  # a kill may have left some of it
            return done
        if not parts.is_complete(work):
            checks.refuse_foreign(config.output, before)
    with parts.locked():
        records = _render(config, info, faceset, swapper, parts, work, reporter)
        return _finish(config, parts, records, swapper, (work, whole), consent, identity, reporter)


def _manifest(
    config: MergeConfig,
    plate: dict[str, Any],
    info: VideoInfo,
    faceset: Faceset,
    swapper: FaceSwapper,
    consent: Consent | None = None,
) -> Manifest:
    """What the result depends on; without `consent`, what its parts depend on."""
    settings = {item.name: getattr(config, item.name) for item in fields(MergeSettings)}
    for name in ("label", "crf", "encoder_preset", "range", "part_frames"):
        settings[name] = getattr(config, name)
    if is_sequence(config.video):
        settings["fps"] = str(info.fps)
    inputs = {
        "video": plate,
        "faces": {"path": str(config.faces.absolute()), "sha256": faceset.content_hash()},
        "model": checks.model_record(config.model, swapper),
    }
    if consent is not None:
        inputs["consent"] = {"path": str(config.consent.absolute()), "sha256": consent.sha256}
        settings["use"] = config.use
    versions = {name: version(name) for name in ("konterfei", "av", "numpy", "opencv-python-headless")}
    return Manifest(stage="merge", inputs=inputs, settings=settings, versions=versions)


def _already_done(
    config: MergeConfig, manifest: Manifest, before: Manifest | None, reporter: Reporter
) -> MergeResult | None:
    if before is None or not before.complete or not config.output.is_file():
        return None
    changes = manifest.differs_from(before)
    if changes:
        reporter.note(f"'{config.output}' was merged otherwise ({'; '.join(changes)}): merging it again.")
        return None
    if sha256(config.output) != before.output.get("sha256"):
        return None
    reporter.note(f"Nothing to do: '{config.output}' is complete.")
    return MergeResult(video=config.output, was_done=True, **before.results)


def _render(
    config: MergeConfig,
    info: VideoInfo,
    faceset: Faceset,
    swapper: FaceSwapper,
    parts: Parts,
    manifest: Manifest,
    reporter: Reporter,
) -> list[PartRecord]:
    """Make the parts that are not there yet; gives the records of all."""
    complete = parts.is_complete(manifest)
    records, changes = parts.begin(manifest)
    if changes:
        reporter.note(f"What was begun of '{config.output}' is not used, it was made otherwise: {'; '.join(changes)}.")
    if complete and records:
        return records
    start, stop = checks.parse_range(config.range)
    begin = max(start, (records[-1].number + 1) * config.part_frames) if records else start
    total = max(min(info.num_frames, stop or info.num_frames) - start, 0) or None
    reach, clock = reach_frames(config.color_smoothing, float(info.fps)), Clock()
    tally = Tally(records, config.part_frames, begin, reach, is_trial=config.range is not None)
    if records:
        reporter.note(f"Going on at frame {begin}: {tally.frames} frames are merged already.")
    text = _label_text(config, swapper)

    def writer(path: Path) -> VideoWriter:
        return VideoWriter.like(info, path, crf=config.crf, preset=config.encoder_preset, faststart=False)

    reporter.start("merging", total)
    with (
        open_frames(config.video, begin, stop, deep=info.bit_depth > 8, fps=info.fps) as reader,
        PartEncoder(parts, writer) as encoder,
    ):
        with closing(read_ahead(reader, 4)) as frames:  # type: ignore[type-var]
            items = draw(
                clock.waiting(frames, "decode"),
                faceset.faces_at,
                swapper,
                config,
                batch=config.batch,
                part=config.part_frames,
                clock=clock,
            )
            for item in steady(items, tally.past, reach, config.color_smoothing):
                check(reporter)
                if closed := tally.turn(item.frame, clock):
                    encoder.close_part(closed)
                with clock("composite"):
                    image, reason, faces, at_edge = composite(item, config)
                    image = draw_label(image, config.label, text)
                with clock("wait for encoder"):
                    encoder.write(image, item.frame.pts - tally.origin, item.frame.duration, tally.number)
                tally.count(item.frame, reason, faces, at_edge, item.colors)
                reporter.advance(tally.frames, swapped=tally.swapped)
        if closed := tally.end(clock, reader.lost):
            encoder.close_part(closed)
    reporter.finish()
    for line in encoder.notes:
        reporter.note(line)
    return [*records, *encoder.written]


def _label_text(config: MergeConfig, swapper: FaceSwapper) -> str | None:
    """The words of the visible label; None for the style's own."""
    is_changed = swapper.info.get("is_preview") and config.label != "none"
    return f"{wording(config.label)} (PREVIEW)" if is_changed else None


def _finish(
    config: MergeConfig,
    parts: Parts,
    records: list[PartRecord],
    swapper: FaceSwapper,
    manifests: tuple[Manifest, Manifest],
    consent: Consent,
    identity: Identity,
    reporter: Reporter,
) -> MergeResult:
    """Join the parts, sign, and only then let the result appear."""
    result = _result(config, records, swapper)
    if not result.swapped:
        parts.remove()
        why = "; ".join(f"{count} frames: {reason}" for reason, count in result.not_swapped.items())
        raise NoFacesError(
            f"Not one of {result.frames} frames of '{config.video}' was swapped ({why}). Nothing was written. Look at "
            "the faceset and at the run's preview picture; --mask hull does without the model's own mask."
        )
    work, whole = manifests
    work.complete = True
    work.save(parts.folder)
    check(reporter)
    checks.remove_torn(config.output)
    unsigned = parts.folder / f"unsigned{config.output.suffix}"
    sound = config.video if config.range is None and not is_sequence(config.video) else None
    for line in join([parts.path(r.number) for r in records], unsigned, audio_from=sound):
        reporter.note(line)
    sign(unsigned, config.output, _claim(config, whole, result, swapper, consent), identity, reporter)
    whole.output = {
        "path": str(config.output.absolute()),
        "sha256": sha256(config.output),
        "size": config.output.stat().st_size,
    }
    told = {item.name: getattr(result, item.name) for item in fields(result) if item.name not in ("video", "was_done")}
    whole.results = dict(plain(told))
    whole.complete = True
    whole.save(config.output)
    parts.remove()
    return result


def _result(config: MergeConfig, records: list[PartRecord], swapper: FaceSwapper) -> MergeResult:
    counts: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for record in records:
        counts.update(record.counts)
        seconds.update(record.seconds)
    swapped = counts.pop(SWAPPED, 0)
    return MergeResult(
        video=config.output,
        frames=sum(record.frames for record in records),
        swapped=swapped,
        not_swapped=dict(counts),
        faces=sum(record.faces for record in records),
        at_edge=sum(record.at_edge for record in records),
        lost=sum(record.lost for record in records),
        is_preview=bool(swapper.info.get("is_preview", False)),
        label=config.label,
        seconds={step: round(value, 3) for step, value in seconds.items()},
    )


def _claim(
    config: MergeConfig, manifest: Manifest, result: MergeResult, swapper: FaceSwapper, consent: Consent
) -> Claim:
    path = None if is_sequence(config.video) else config.video
    plate = Material(
        name=config.video.name or config.video.resolve().name, sha256=manifest.inputs["video"]["sha256"], path=path
    )
    return Claim(
        plate=plate,
        consent=consent,
        model=str(swapper.info.get("model", "")),
        steps=int(swapper.info.get("steps", 0)),
        preset=str(swapper.info.get("preset", "")),
        frames_swapped=result.swapped,
        label=config.label,
        label_text=_label_text(config, swapper),
        frames_not_swapped=result.not_swapped,
        sources=checks.sources(config.model, swapper, config.src_videos),
        use=config.use,
        is_preview=result.is_preview,
        settings={name: value for name, value in manifest.settings.items() if name not in ("label", "use")},
    )
