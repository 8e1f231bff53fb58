"""`konterfei timelapse`: the previews of a run as a video, labelled and signed like every result."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from konterfei.errors import ConfigError, NoFacesError, OutputError
from konterfei.io.atomic import ensure_writable, make_folder, sha256
from konterfei.io.images import read_image
from konterfei.io.manifest import Manifest
from konterfei.io.preview_file import read_layout
from konterfei.io.run import Run
from konterfei.io.video import VideoWriter
from konterfei.provenance.certificate import signing_identity
from konterfei.provenance.consent import Consent, require
from konterfei.provenance.credentials import VIDEOS, Claim, sign
from konterfei.provenance.label import LABELS
from konterfei.reporting import Reporter, check
from konterfei.stages._run_material import material_of_run
from konterfei.stages._settings import allow
from konterfei.stages._timelapse_frames import HOLD_S, Film, film_label

_FPS = 8.0


@dataclass(frozen=True, kw_only=True)
class TimelapseConfig:
    """Make a video of a run's previews: how the face was learned, from the first blur on.

    It shows src's face on dst, so it needs src's consent, and is labelled and signed like every result. A run keeps 60
    previews, evenly spread over its steps; train with a smaller --preview-seconds for more at its beginning.
    """

    run: Path
    """Folder of the run; it may be training."""
    output: Path
    """Video to write, .mp4 or .mov."""
    consent: Path
    """Consent record of the src person, as `konterfei consent new` writes it."""
    use: str | None = None
    """What the video is for, as the consent record's scope names it. Not needed where the scope is "any"."""
    only: Literal["plain", "masked", "swap"] | None = None
    """Less of each preview: its plain columns, its masked columns, or the swapped faces alone. Default: all."""
    row: int | None = None
    """Only this row of faces, from 1."""
    fps: float | None = None
    """Previews a second. Default: 8."""
    seconds: float | None = None
    """Length of the video, instead of --fps; the last preview stays for a second more."""
    label: Annotated[str, LABELS] = "corner"
    """Visible sign that the picture was altered: corner, caption or none. Leaving it out is recorded in the video."""
    certificate: Path | None = None
    """Certificate chain (PEM) to sign with. Default: one that konterfei makes for you, which proves no name."""
    key: Path | None = None
    """Private key (PEM) of the certificate."""
    force: bool = False
    """Replace an output that something else has made."""

    def __post_init__(self) -> None:
        LABELS[self.label]
        if self.fps is not None and self.seconds is not None:
            raise ConfigError("--fps and --seconds exclude each other: give one of them.")
        allow("--fps", self.fps, self.fps is None or 0.1 <= self.fps <= 60, "0.1 to 60")
        allow("--seconds", self.seconds, self.seconds is None or 0 < self.seconds < math.inf, "a number above 0")
        allow("--row", self.row, self.row is None or self.row >= 1, "1 or more")
        if self.output.suffix.lower() not in VIDEOS:
            raise OutputError(
                f"Cannot write '{self.output}': only {', '.join(VIDEOS)} can carry Content Credentials, and konterfei "
                "marks every result."
            )


@dataclass(frozen=True, kw_only=True)
class TimelapseResult:
    """What was made.

    Attributes:
        video: where it is.
        previews: how many it shows.
        steps: of the first and the last of them.
        seconds: how long it lasts.
        label: style of the visible label.
        was_done: it was there already.
    """

    video: Path
    previews: int
    steps: tuple[int, int]
    seconds: float
    label: str
    was_done: bool = False

    def summary(self) -> list[str]:
        """As lines for a person."""
        first, last = self.steps
        return [
            f"{self.video}: {self.previews} previews, steps {first} to {last}, {self.seconds:.1f} s.",
            f"  {'labelled and ' if self.label != 'none' else 'no visible label (recorded); '}signed "
            f"(konterfei verify {self.video})",
        ]


def timelapse(config: TimelapseConfig, reporter: Reporter) -> TimelapseResult:
    """Write the previews of `config.run` as a video: labelled, signed, whole or not at all.

    Raises:
        ConsentError: no consent record, or one that does not cover this.
        StoreError: there is no run.
        NoFacesError: it has no previews yet.
        ConfigError: there is no such row, the previews do not say where their columns are, or show many people.
        OutputError: the video cannot be written, or something else is there.
        Cancelled: a person asked to stop.
    """
    consent = require(config.consent, use=config.use)
    run = Run.open(config.run)
    if "pair" in run.config:
        raise ConfigError(f"'{config.run}' shows many people, and a consent record is of one. Look at its previews.")
    ensure_writable(config.output)
    identity = signing_identity(config.certificate, config.key)
    for line in identity.notes:
        reporter.note(line)
    history = _history(config, run, reporter)
    layout = read_layout(history[-1][1])
    film = Film(layout, config.only, config.row, config.label)
    fps = _rate(config, len(history))
    manifest = _manifest(config, run, history)
    steps = (history[0][0], history[-1][0])
    frames = len(history) + _held(fps)
    result = TimelapseResult(
        video=config.output,
        previews=len(history),
        steps=steps,
        seconds=round(frames / float(fps), 2),
        label=config.label,
    )
    before = Manifest.load(config.output)
    if config.output.exists():
        is_ours = before is not None and before.output.get("sha256") == sha256(config.output)
        if is_ours and before is not None and not manifest.differs_from(before):
            reporter.note(f"Nothing to do: '{config.output}' is complete.")
            return replace(result, was_done=True)
        if not is_ours and not config.force:
            raise OutputError(
                f"'{config.output}' is there already and was not made by this timelapse. Choose another output, or "
                "--force to replace it."
            )
    work = config.output.with_name(f".{config.output.name}.timelapse")
    shutil.rmtree(work, ignore_errors=True)  # of one that was killed
    try:
        unsigned = make_folder(work) / f"unsigned{config.output.suffix}"
        _write(film, history, run, fps, unsigned, reporter)
        sign(unsigned, config.output, _claim(config, run, consent, steps[1], frames), identity, reporter)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    manifest.output = {"path": str(config.output.absolute()), "sha256": sha256(config.output)}
    manifest.complete = True
    manifest.save(config.output)
    return result


def _history(config: TimelapseConfig, run: Run, reporter: Reporter) -> list[tuple[int, Path]]:
    """Step and file of the previews to show: those that look like the newest one."""
    history = run.preview_history()
    if not history:
        raise NoFacesError(f"'{config.run}' has no previews yet. Train it for a moment: konterfei train.")
    newest = history[-1][1]
    alike = (read_layout(newest), read_image(newest).shape)
    fitting = [(step, path) for step, path in history if (read_layout(path), read_image(path).shape) == alike]
    if len(fitting) < len(history):
        reporter.note(f"{len(history) - len(fitting)} previews are laid out otherwise than the newest; left out.")
    return fitting


def _rate(config: TimelapseConfig, previews: int) -> Fraction:
    """Previews a second."""
    wanted = config.fps or (previews / config.seconds if config.seconds else _FPS)
    return max(Fraction(wanted).limit_denominator(1000), Fraction(1, 1000))


def _held(fps: Fraction) -> int:
    """How many times the last preview is shown once more."""
    return max(1, round(HOLD_S * fps))


def _write(
    film: Film, history: list[tuple[int, Path]], run: Run, fps: Fraction, path: Path, reporter: Reporter
) -> None:
    metrics = run.metrics()
    steps = [line["step"] for line in metrics]
    minutes = [line["trained_s"] / 60 for line in metrics]
    reporter.start("drawing", len(history), "previews")
    writer: VideoWriter | None = None
    with ExitStack() as stack:
        for number, (step, picture) in enumerate(history):
            check(reporter)
            told = f"step {step}" + (f"   {np.interp(step, steps, minutes):.0f} min" if steps else "")
            frame = film.frame(read_image(picture), told)
            if writer is None:
                height, width = frame.shape[:2]
                writer = stack.enter_context(VideoWriter(path, width, height, fps_hint=fps, crf=14))
            writer.write(frame, number / fps)
            reporter.advance(number + 1)
        assert writer is not None
        for extra in range(_held(fps)):  # the last one stays: some players drop a long last frame
            writer.write(frame, (len(history) + extra) / fps)
    reporter.finish()


def _manifest(config: TimelapseConfig, run: Run, history: list[tuple[int, Path]]) -> Manifest:
    """What every frame depends on."""
    digest = hashlib.sha256(json.dumps([(path.name, sha256(path)) for _, path in history]).encode()).hexdigest()
    settings = {name: getattr(config, name) for name in ("only", "row", "fps", "seconds", "label", "use")}
    return Manifest(
        stage="timelapse",
        inputs={
            "previews": {"path": str((run.folder / "previews").absolute()), "sha256": digest},
            "consent": {"path": str(config.consent.absolute()), "sha256": sha256(config.consent)},
        },
        settings=settings,
        versions={"konterfei": version("konterfei")},
    )


def _claim(config: TimelapseConfig, run: Run, consent: Consent, steps: int, frames: int) -> Claim:
    """What the credentials say: the run's dst material is the plate, its src material the source."""
    told = run.config
    return Claim(
        plate=material_of_run(told, "dst"),
        consent=consent,
        model=str(told.get("model", "")),
        steps=steps,
        preset=str(told.get("preset", "")),
        frames_swapped=frames,
        label=config.label,
        label_text=film_label(config.label),
        sources=(material_of_run(told, "src"),),
        use=config.use,
        is_preview=True,
        settings={"timelapse": True, "only": config.only, "row": config.row},
    )
