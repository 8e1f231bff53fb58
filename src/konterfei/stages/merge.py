"""merge: the trained face back into the plate, labelled and signed.

Frames are decoded, drawn, composited and encoded at the same time, on threads and processes (`_merge_render`), in parts
of some seconds that are kept until the end (`_merge_parts`). What stands under the output's name is complete, labelled
and signed, or not there.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

from konterfei.compositing import Keys, MergeSettings
from konterfei.errors import ConfigError, NoFacesError
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest, input_record, plain
from konterfei.io.sequence import frame_rate
from konterfei.io.video import VideoInfo, is_sequence, look, open_frames
from konterfei.provenance.certificate import Identity, signing_identity
from konterfei.provenance.consent import Consent
from konterfei.provenance.credentials import Material
from konterfei.provenance.label import LABELS
from konterfei.reporting import Reporter, check
from konterfei.stages import _merge_checks as checks
from konterfei.stages._merge_cast import Cast, CastOpener, Role, cast_for
from konterfei.stages._merge_encoding import Encoding
from konterfei.stages._merge_extras import Beside, Extra, asked_for
from konterfei.stages._merge_output import Job, output_for
from konterfei.stages._merge_parts import PartRecord, Parts
from konterfei.stages._merge_render import Rendering, render
from konterfei.stages._merge_result import MergeResult
from konterfei.stages._merge_roles import FaceSwapper
from konterfei.stages._settings import allow, is_in_time, parse_range, shown_range

_PER_FRAME: Final = {item.name for item in fields(MergeSettings)} | {"range", "part_frames", "keys"}
"""Settings that a part's fingerprint holds; `part_frames` says which frames those are."""


@dataclass(frozen=True, kw_only=True)
class MergeConfig(MergeSettings, Encoding):
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
    """Video to write, .mp4, .mov, .mkv or .webm; or a preview, .gif or .webp; or a folder (PNG), or a pattern
    (out/shot.%06d.png, .tif, .exr, .jpg), for pictures that have the numbers of the plate's. It appears when it is
    complete, labelled and signed."""
    consent: Path
    """Consent record of the src person, as `konterfei consent new` writes it."""
    use: str | None = None
    """What the video is for, as the consent record's scope names it. Not needed where the scope is "any"."""
    fps: str | None = None
    """Frames per second of a plate that is pictures. Default: those that its faces were extracted with, mostly 25."""
    segmenter: Path | None = None
    """XSeg model for masks with xseg in their name: a run that konterfei import dfl-model made of one, or its folder in
    DeepFaceLab."""
    snapshot: str = "newest"
    """Which of the run's weights: newest, best (by the held-out score, see konterfei train), or those of a step."""
    morph: float = 1.0
    """How far from dst (0) to src (1) the face is drawn. Only a model of the kind amp can stop in between."""
    src_videos: tuple[Path, ...] = ()
    """Videos (or folders of pictures) of the src person, named in the credentials. When not given, what the run's src
    faceset says."""
    label: Annotated[str, LABELS] = "corner"
    """Visible sign that the picture was altered: corner, caption or none. Leaving it out is recorded in the video."""
    extras: str | None = None
    """What goes out beside the result, names with commas between: mask, side-by-side, wipe (videos for review),
    turnover (a folder of OpenEXR layers for compositors)."""
    wipe: float | None = None
    """Where the line of the extra "wipe" stands, 0 (left) to 1 (right). Default: it moves to and fro in 4 seconds."""
    keys: Path | None = None
    """File of settings for single frames, shots and faces, as `konterfei keys FILE --new` begins one. What it says
    counts for more than the command line."""
    range: str | None = None
    """Only these frames, START:END without END (250:500, 12s:30s or 00:01:05-00:01:20), as a trial: no sound, but
    labelled and signed like every result."""
    batch: int = 8
    """Faces that the model draws at once. More is faster on a GPU and takes more of its memory."""
    threads: int = 0
    """CPU threads of the model; 0 = one per core, less one."""
    device: str = "auto"
    """Processor of the model: auto, cpu, cuda, cuda:1, mps."""
    part_frames: int = 250
    """Frames that are encoded as one part: what a kill can cost."""
    keep_parts: bool = False
    """Keep the encoded parts (OUTPUT.parts), so that a merge with other settings makes only those anew that change."""
    processes: int = 1
    """Processes that merge at once. Each holds the model and a few frames; threads are shared out among them."""
    certificate: Path | None = None
    """Certificate chain (PEM) to sign with. None = one that konterfei makes for you, which proves no name."""
    key: Path | None = None
    """Private key (PEM) of the certificate."""
    force: bool = False
    """Replace an output that is there, and take a faceset of the same shot in another encoding."""

    def __post_init__(self) -> None:
        super().__post_init__()
        LABELS[self.label]
        parse_range(self.range)
        checks.refuse_without_segmenter([self], self.segmenter)
        if self.fps is not None:
            frame_rate(self.fps)
        allow("--wipe", self.wipe, self.wipe is None or 0 <= self.wipe <= 1, "0 to 1")
        checks.refuse_square(self, self.beside(), alpha=self.alpha)
        allow("--morph", self.morph, 0 <= self.morph <= 1, "0 (dst) to 1 (src)")
        self.check_encoding(self.output)
        allow("--batch", self.batch, self.batch >= 1, "1 or more")
        allow("--threads", self.threads, self.threads >= 0, "0 or more")
        allow("--processes", self.processes, self.processes >= 1, "1 or more")
        allow("--part-frames", self.part_frames, self.part_frames >= 2, "2 or more")
        if self.video.absolute() == self.output.absolute():
            raise ConfigError(f"--output is the plate itself, '{self.video}'. Choose another output.")

    @property
    def place(self) -> Path:
        """The video, or the folder of the pictures."""
        return output_for(self.output).place

    def beside(self) -> tuple[Extra, ...]:
        """What goes out beside the result."""
        return asked_for(self.extras, self.place, self.wipe)

    @property
    def parts_folder(self) -> Path:
        """Where the finished parts are kept until the end."""
        return self.place.with_name(f"{self.place.name}.parts")


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
    main = Role(
        model=config.model, snapshot=config.snapshot, morph=config.morph, consent=config.consent, use=config.use
    )
    main.require()
    given = [("VIDEO", config.video), ("--consent", config.consent), *(("--src-videos", p) for p in config.src_videos)]
    given += [] if config.keys is None else [("--keys", config.keys)]
    info = look(config.video)
    checks.check_output(config.output, given, info, config.chosen(config.output, info))
    checks.check_beside(config.beside(), given, info)
    checks.check_inputs(config.src_videos)
    identity = signing_identity(config.certificate, config.key)
    for line in info.warnings:
        reporter.warn(line)
    for line in identity.notes:
        reporter.note(line)
    before = Manifest.load(config.place)
    plate = input_record(config.video, before.inputs.get("video") if before else None)
    faceset = checks.matching_faceset(config.faces, plate, info, force=config.force, reporter=reporter)
    info = checks.plate_info(config.video, config.fps, faceset.header.settings, reporter)
    if is_in_time(config.range):
        config = replace(config, range=shown_range(*parse_range(config.range, info.fps)))
    start, stop = parse_range(config.range)
    checks.refuse_without_faces(faceset, start, stop)
    keys = Keys() if config.keys is None else Keys.load(config.keys, info.fps)
    checks.refuse_without_segmenter(keys.variants(config), config.segmenter)
    checks.refuse_square(keys.at(start, config), config.beside(), alpha=config.alpha)
    opener = cast_for(main, keys, faceset, (start, stop), device=config.device, threads=config.threads, swapper=swapper)
    opener = replace(opener, segmenter=config.segmenter)
    consents = {role: role.require() for role in opener.in_order}
    cast = opener(reporter)
    if keys.at(start, config).is_square:
        info = replace(info, width=cast.resolution, height=cast.resolution)

    job = _job(config, info, plate, cast, consents, keys, identity)
    work = _manifest(config, job, plate, faceset, cast)
    whole = replace(_signed(config, job, work, cast.consent_inputs(consents)), results={"cast": opener.told()})
    output = output_for(config.output, job.encoding)
    if output.signs_parts:
        work = replace(whole, settings={**whole.settings, "signer": identity.fingerprint})
    else:  # parts have fingerprints of what may change from one to the other
        work = replace(
            work,
            inputs={name: record for name, record in work.inputs.items() if name != "faces"},
            settings={name: value for name, value in work.settings.items() if name not in _PER_FRAME},
        )
    beside = Beside(config.beside(), job)
    parts = Parts(config.parts_folder, output.part_suffix, beside)
    if not config.force:
        if done := _already_done(config, whole, before, beside, reporter):
            if not config.keep_parts:
                parts.remove()  # a kill may have left some of it
            return done
        if not parts.is_complete(work):
            checks.refuse_foreign(config.output, before)
            beside.refuse_foreign(before.results.get("extras", {}) if before else {})
    with parts.locked():
        records = _render(config, job, faceset, (cast, opener), keys, parts, work, reporter)
        return _finish(config, job, parts, records, (work, whole), reporter)


def _job(
    config: MergeConfig,
    info: VideoInfo,
    plate: Mapping[str, Any],
    cast: Cast,
    consents: Mapping[Role, Consent],
    keys: Keys,
    identity: Identity,
) -> Job:
    """What the writers of the result need to know."""
    is_video = not is_sequence(config.video)
    own = Material(
        name=config.video.name or config.video.resolve().name,
        sha256=plate["sha256"],
        path=config.video if is_video else None,
    )
    claim = cast.claim(
        own,
        consents,
        label=config.label,
        src_videos=config.src_videos,
        settings=_settings(config, info, keys),
    )
    return Job(
        plate=config.video,
        info=info,
        claim=claim,
        identity=identity,
        encoding=config.chosen(config.output, info),
        has_sound=is_video and config.range is None,
    )


def _settings(config: MergeConfig, info: VideoInfo, keys: Keys) -> dict[str, Any]:
    """The settings that say what becomes of a frame."""
    settings = {item.name: getattr(config, item.name) for item in fields(MergeSettings)}
    settings |= {"range": config.range, "part_frames": config.part_frames}
    settings |= {"morph": config.morph} if config.morph != 1 else {}
    if config.keys is not None:
        start, stop = parse_range(config.range)
        end = max(info.num_frames, start + 1)
        settings["keys"] = keys.fingerprint(range(start, min(stop or end, end)), config)
    settings |= output_for(config.output).settings(config.chosen(config.output, info))
    settings |= {"deinterlace": "bwdif"} if info.is_deinterlaced else {}
    return settings | ({"fps": str(info.fps)} if is_sequence(config.video) else {})


def _manifest(config: MergeConfig, job: Job, plate: dict[str, Any], faceset: Faceset, cast: Cast) -> Manifest:
    """What every frame of the result depends on."""
    return Manifest(
        stage="merge",
        inputs={
            "video": plate,
            "faces": {"path": str(config.faces.absolute()), "sha256": faceset.content_hash()},
            **cast.inputs(),
        },
        settings={**job.claim.settings, "label": config.label},
        versions={name: version(name) for name in ("konterfei", "av", "numpy", "opencv-python-headless")},
    )


def _signed(config: MergeConfig, job: Job, manifest: Manifest, consents: Mapping[str, dict[str, Any]]) -> Manifest:
    """What the signed result depends on: the frames, and the consent of everybody who lent a face."""
    settings = {**manifest.settings, "use": config.use}
    if any(other.use != config.use for other in job.claim.others) or job.claim.use != config.use:
        settings["uses"] = [job.claim.use, *(other.use for other in job.claim.others)]
    if config.src_videos:
        settings["src_videos"] = [material.sha256 for material in job.claim.sources[: len(config.src_videos)]]
    if config.certificate is not None:
        settings["signer"] = job.identity.fingerprint
    return replace(manifest, inputs={**manifest.inputs, **consents}, settings=settings)


def _already_done(
    config: MergeConfig, manifest: Manifest, before: Manifest | None, beside: Beside, reporter: Reporter
) -> MergeResult | None:
    content = output_for(config.output).content()
    if before is None or not before.complete or content is None:
        return None
    changes = manifest.differs_from(before)
    if changes:
        reporter.note(f"'{config.output}' was merged otherwise ({'; '.join(changes)}): merging it again.")
        return None
    if content != before.output.get("sha256") or not beside.are_as(before.results.get("extras", {})):
        return None
    reporter.note(f"Nothing to do: '{config.output}' is complete.")
    return MergeResult(video=config.output, was_done=True, **before.results)


def _render(
    config: MergeConfig,
    job: Job,
    faceset: Faceset,
    cast: tuple[Cast, CastOpener],
    keys: Keys,
    parts: Parts,
    work: Manifest,
    reporter: Reporter,
) -> list[PartRecord]:
    """Make the parts that are not there yet; gives the records of all."""
    changes = parts.begin(work)
    if changes:
        reporter.note(f"What was begun of '{config.output}' is not used, it was made otherwise: {'; '.join(changes)}.")
    start, stop = parse_range(config.range)
    rendering = Rendering(
        job=job,
        faces=config.faces,
        output=config.output,
        settings=MergeSettings(**{item.name: getattr(config, item.name) for item in fields(MergeSettings)}),
        keys=keys,
        wanted=range(start, sys.maxsize if stop is None else stop),
        origin=_first_time(config, job, start) if config.range is not None else Fraction(0),
        label_text=job.claim.label_text,
        part_frames=config.part_frames,
        batch=config.batch,
    )
    return render(rendering, parts, faceset, *cast, config.processes, reporter)


def _first_time(config: MergeConfig, job: Job, start: int) -> Fraction:
    """When the first frame of a trial is shown, which will be its time 0."""
    with open_frames(config.video, start, fps=job.info.fps, native=True) as reader:
        return next((frame.pts for frame in reader), Fraction(0))


def _finish(
    config: MergeConfig,
    job: Job,
    parts: Parts,
    records: list[PartRecord],
    manifests: tuple[Manifest, Manifest],
    reporter: Reporter,
) -> MergeResult:
    """Make the result of the parts, and only then let it appear."""
    claim = job.claim
    result = MergeResult.of(config.output, records, is_preview=claim.is_preview, label=config.label)
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
    for place in (config.place, *(extra.place for extra in parts.beside.extras)):
        checks.remove_torn(place)
    claim = replace(claim, frames_swapped=result.swapped, frames_not_swapped=result.not_swapped)
    made = [parts.path(record.number) for record in records if record.frames]
    result = replace(result, extras=parts.beside.deliver(claim, made, reporter), cast=whole.results["cast"])
    told = {item.name: getattr(result, item.name) for item in fields(result) if item.name not in ("video", "was_done")}
    whole.results = dict(plain(told))
    output_for(config.output).deliver(job, claim, made, whole, reporter)
    if config.keep_parts:
        work.complete = False  # the result is there: whatever lies in its place from now on is not to be replaced
        work.save(parts.folder)
    else:
        parts.remove()
    return result
