"""`konterfei swap`: the whole way from two videos to one, in the order of the stages.

    src = extract(a) ; dst = extract(b) ; run = train(src, dst) ; out = merge(b, dst, run, consent) ; evaluate(out)

Each arrow leaves a folder or file with a manifest, so the same command again skips what is done and continues what is
not. What can be found wrong in a second is found before anything that takes minutes begins.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

from konterfei.errors import Cancelled, ConfigError, KonterfeiError
from konterfei.io.atomic import ensure_writable
from konterfei.io.faceset_files import BYTES_A_FACE
from konterfei.io.manifest import Manifest
from konterfei.io.run import Run
from konterfei.io.sequence import USUAL_FPS, frame_rate
from konterfei.io.video import look
from konterfei.provenance.certificate import signing_identity
from konterfei.provenance.consent import require
from konterfei.provenance.label import LABELS
from konterfei.reporting import Reporter
from konterfei.stages._merge_checks import check_output, refuse_foreign
from konterfei.stages._merge_output import output_for
from konterfei.stages._settings import allow, report_beside
from konterfei.stages._train_base import DEFAULT, base_for
from konterfei.stages._train_settings import resolved
from konterfei.training.presets import PRESETS
from konterfei.weights.bases import BASES, base_path


@dataclass(frozen=True, kw_only=True)
class SwapConfig:
    """Put the face of the person in one video (src) onto the person in another (dst).

    Finds both faces, trains a model of the pair, merges it into the dst video, labels and signs the result, and
    measures it. The same command again goes on where it was. Ctrl-C during training ends the training and goes on
    with what was learned by then.
    """

    src: Path
    """Video, or folder or pattern (shot.%06d.png) of pictures of one size, of the person whose face is used. A minute
    of varied expressions and light does more than an hour of one kind."""
    dst: Path
    """Video that receives the face, or a folder or pattern of pictures that are its frames."""
    output: Path
    """Video to write, .mp4, .mov, .mkv or .webm; or a folder (PNG) or pattern (out/shot.%06d.png) for pictures. Its
    report is written beside it."""
    consent: Path
    """Consent record of the src person, as `konterfei consent new` writes it."""
    preset: Annotated[str, PRESETS] = "quick"
    """How to train: quick (96 px, minutes on a CPU), standard (128 px, a GPU or days), tiny (a try)."""
    train_minutes: float | None = None
    """Minutes of training in all. Default: what the preset takes."""
    base: str = DEFAULT
    """What the training begins with: default (the base carried for the preset, a network that has learned to draw faces
    in general, of nobody), none (from scratch), or a path: the run folder of a konterfei pretrain, or its
    base.safetensors."""
    project: Path | None = None
    """Folder for everything in between. Default: NAME.konterfei beside the output NAME.mp4."""
    src_person: str | None = None
    """Whose face in the src video, where there are several people: a number (0 = most often seen) or a picture of that
    person. Default: 0."""
    dst_person: str | None = None
    """Who receives it in the dst video: a number (0 = most often seen) or a picture of that person. Default: 0."""
    fps: str = USUAL_FPS
    """Frames per second of a src or dst that is pictures; 25, 23.976 or 30000/1001. Videos have their own."""
    deinterlace: str | None = None
    """What to do with an interlaced src or dst: bwdif (make whole pictures of its fields) or off (as they are)."""
    use: str | None = None
    """What the video is for, as the consent record's scope names it. Not needed where the scope is "any"."""
    label: Annotated[str, LABELS] = "corner"
    """Visible sign that the picture was altered: corner, caption or none. Leaving it out is recorded in the video."""
    certificate: Path | None = None
    """Certificate chain (PEM) to sign with. Default: one that konterfei makes for you, which proves no name."""
    key: Path | None = None
    """Private key (PEM) of the certificate."""
    force: bool = False
    """Make everything anew but the training, and replace an output that something else has made."""

    def __post_init__(self) -> None:
        minutes = self.train_minutes
        allow("--train-minutes", minutes, minutes is None or 0 < minutes < math.inf, "a number above 0")
        frame_rate(self.fps)
        for flag, path in (("--src", self.src), ("--dst", self.dst)):
            if path.absolute() == self.output.absolute():
                raise ConfigError(f"--output and {flag} are the same file, '{path}'. Choose another output.")

    @property
    def layout(self) -> Layout:
        """Where everything goes."""
        place = output_for(self.output).place
        project = self.project or place.with_name(f"{place.stem}.konterfei")
        src, dst = _name(self.src, self.src_person), _name(self.dst, self.dst_person)
        return Layout(
            project=project,
            src_faces=project / "identities" / src / "faces",
            dst_faces=project / "shots" / dst / "faces",
            run=project / "models" / f"{src}-{dst}-{self.preset}",
            report=report_beside(self.output),
        )


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where a swap keeps what it makes."""

    project: Path
    src_faces: Path
    dst_faces: Path
    run: Path
    report: Path


@dataclass(frozen=True, kw_only=True)
class SwapResult:
    """What a swap made, and where it is."""

    video: Path
    report: Path | None
    """Picture; None where the result could not be measured."""
    page: Path | None
    """The whole report, for a browser; None where the result could not be measured."""
    manifest: Path
    project: Path
    seconds: Mapping[str, float]
    """Stage -> how long it took."""
    is_preview: bool
    """Training was too short for more than a first look."""
    told: tuple[str, ...] = ()
    """What the merge and the evaluation said about themselves."""

    def summary(self) -> list[str]:
        """Where everything is, as lines for a person."""
        lasted = ", ".join(f"{name} {_minutes(seconds)}" for name, seconds in self.seconds.items())
        return [
            *self.told,
            "",
            f"video       {self.video}{'   (a preview: train longer for more)' if self.is_preview else ''}",
            f"report      {self.report or 'none: the result could not be measured'}",
            *([f"page        {self.page}"] if self.page else []),
            f"provenance  signed into the video (konterfei verify {quote(str(self.video))}); also in {self.manifest}",
            f"project     {self.project}",
            f"time        {lasted}",
        ]


def swap(config: SwapConfig, reporter: Reporter) -> SwapResult:
    """Extract both, train, merge, evaluate; skips what is done.

    A wish to stop ends the stage that it meets; during training, it ends the training alone.

    Raises:
        KonterfeiError: whatever the stages raise; everything that can be known beforehand, before they begin.
    """
    from konterfei.stages.evaluate import EvaluateConfig, Evaluation, evaluate
    from konterfei.stages.extract import ExtractConfig, extract
    from konterfei.stages.merge import MergeConfig, merge
    from konterfei.stages.train import TrainConfig, train

    layout = config.layout
    common: dict[str, Any] = {"fps": config.fps, "deinterlace": config.deinterlace, "force": config.force}
    src_config = ExtractConfig(video=config.src, output=layout.src_faces, person=config.src_person, **common)
    dst_config = ExtractConfig(video=config.dst, output=layout.dst_faces, person=config.dst_person, **common)
    train_config = TrainConfig(
        src=layout.src_faces,
        dst=layout.dst_faces,
        output=layout.run,
        preset=config.preset,
        minutes=config.train_minutes,
        base=config.base,
    )
    merge_config = MergeConfig(
        video=config.dst,
        faces=layout.dst_faces,
        model=layout.run,
        consent=config.consent,
        output=config.output,
        src_videos=(config.src,),
        use=config.use,
        label=config.label,
        certificate=config.certificate,
        key=config.key,
        force=config.force,
    )
    evaluate_config = EvaluateConfig(renders=(config.output,), project=layout.project, output=layout.report)
    _check(config)
    if config.base != DEFAULT:  # one that does not fit is refused before work begins; ours fits, or is left out
        base_for(train_config, resolved(train_config), reporter)
    elif config.preset in BASES:
        base_path(config.preset)

    seconds: dict[str, float] = {}
    measured: Evaluation | None = None
    with _timed(seconds, "extract src"):
        reporter.note(f"1/5 finding the src face in {config.src}")
        extract(src_config, reporter)
    with _timed(seconds, "extract dst"):
        reporter.note(f"2/5 finding the dst face in {config.dst}")
        extract(dst_config, reporter)
    with _timed(seconds, "train"):
        reporter.note("3/5 training; Ctrl-C ends it and goes on with what was learned")
        trained = train(train_config, reporter)
        if trained.is_stopped:
            reporter.note(f"Training was ended after {trained.steps} steps; going on to the merge with that.")
    with _timed(seconds, "merge"):
        reporter.note(f"4/5 merging into {config.output}")
        merged = merge(merge_config, reporter)
    with _timed(seconds, "evaluate"):
        reporter.note("5/5 measuring the result")
        try:
            measured = evaluate(evaluate_config, reporter)
        except Cancelled:
            raise
        except KonterfeiError as error:
            # The video is there, whole and signed: that is said before anything that is wrong with its measuring.
            reporter.warn(f"'{config.output}' is complete, but was not measured. {error}")
    return SwapResult(
        video=config.output,
        report=layout.report if measured else None,
        page=measured.page if measured else None,
        manifest=Manifest.file_for(output_for(config.output).place),
        project=layout.project,
        seconds=seconds,
        is_preview=trained.is_preview,
        told=(*merged.summary(), *(measured.figures() if measured else ())),
    )


def _check(config: SwapConfig) -> None:
    """Everything that can be found wrong before work begins."""
    src, dst = look(config.src), look(config.dst)
    require(config.consent, use=config.use)
    check_output(config.output, [("--dst", config.dst), ("--src", config.src), ("--consent", config.consent)], dst)
    run = config.layout.run
    is_begun = Run.exists(run) and not Run.open(run).is_untrained  # what it keeps is there already
    run_bytes = 0 if is_begun else PRESETS[config.preset].run_bytes
    faces = (src.num_frames + dst.num_frames) * BYTES_A_FACE
    ensure_writable(config.layout.project, faces + run_bytes)
    if not config.force:
        refuse_foreign(config.output, Manifest.load(output_for(config.output).place))
    signing_identity(config.certificate, config.key)  # what is to be said about it, the merge says


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        seconds[name] = time.monotonic() - began


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"


def _name(video: Path, person: str | None) -> str:
    """A folder name made of a video's and a person's: letters, digits, dots, hyphens and underscores."""
    own = video.resolve().name if video.is_dir() else video.stem
    parts = [own] if person is None else [own, "person", Path(person).stem]
    return re.sub(r"[^\w.-]+", "-", "-".join(parts)).strip(".-") or "video"
