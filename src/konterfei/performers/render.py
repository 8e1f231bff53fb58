"""From a performer's name to a clip and the truth about it."""

from __future__ import annotations

import tempfile
from dataclasses import fields
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from konterfei.errors import OutputError
from konterfei.io.atomic import ensure_writable, sha256, write_bytes
from konterfei.io.manifest import Manifest
from konterfei.performers.config import PerformerConfig
from konterfei.performers.table import PERFORMERS
from konterfei.performers.truth import Truth, pack_truth, truth_path
from konterfei.reporting import Reporter, check

if TYPE_CHECKING:
    from konterfei.performers.cast import Performer
    from konterfei.performers.take import Shot

LOOK_VERSION = 6
"""Goes up when the same settings give other pixels, so that older clips are rendered anew; also when more is
known about them."""
STAGE = "performer"
"""Name in manifests."""


def render_performer(config: PerformerConfig, reporter: Reporter) -> Path:
    """Renders a performer; does nothing when the same clip is there already.

    Returns:
        The clip. Beside it lie `<clip>.landmarks.npz` (see `read_truth`) and `<clip>.mp4.manifest.json`.

    Raises:
        ConfigError: the pictures of `openpeople` are not installed.
        OutputError: not writable, or a file that is not a rendering is in the way.
        Cancelled: on request; nothing is left behind, and an earlier clip stays as it was.
    """
    output = config.output
    manifest = Manifest(
        stage=STAGE,
        settings={f.name: getattr(config, f.name) for f in fields(config) if f.name != "output"}
        | {"look": LOOK_VERSION},
        versions={"konterfei": version("konterfei")},
    )
    earlier = _earlier(output)
    if earlier is not None and _is_done(manifest, earlier, output, reporter):
        return output
    ensure_writable(output)
    check(reporter)
    performer: Performer = PERFORMERS.load(config.person)
    reporter.start(f"rendering {config.person}", config.num_frames)
    manifest.save(output)  # not yet complete: after a crash the next run knows that the file is ours
    try:
        truth = _write_clip(config, performer, reporter)
    except BaseException:
        if earlier is not None:
            earlier.save(output)
        else:
            Manifest.file_for(output).unlink(missing_ok=True)
        raise
    write_bytes(truth_path(output), pack_truth(truth))
    manifest.output = {"clip": sha256(output), "truth": sha256(truth_path(output))}
    manifest.results = {"frames": config.num_frames}
    manifest.complete = True
    manifest.save(output)
    reporter.finish()
    return output


def _earlier(output: Path) -> Manifest | None:
    """What is known of an earlier rendering. Raises OutputError when the file there is something else."""
    earlier = Manifest.load(output)
    if output.exists() and (earlier is None or earlier.stage != STAGE):
        raise OutputError(f"'{output}' exists and is not a rendered performer. Choose another output, or remove it.")
    return earlier


def _is_done(manifest: Manifest, earlier: Manifest, output: Path, reporter: Reporter) -> bool:
    """Whether the same clip is there, whole."""
    if not output.exists():
        return False
    changes = manifest.differs_from(earlier)
    if changes:
        reporter.note(f"{output.name} is rendered anew: {'; '.join(changes)}.")
        return False
    truth = truth_path(output)
    whole = earlier.complete and truth.exists()
    if whole and earlier.output == {"clip": sha256(output), "truth": sha256(truth)}:
        reporter.note(f"{output.name} is there already, with the same settings.")
        return True
    reporter.note(f"{output.name} is rendered anew: it was changed or is incomplete.")
    return False


def _write_clip(config: PerformerConfig, performer: Performer, reporter: Reporter) -> Truth:
    """Draws every frame into the video, which appears when all are there."""
    from konterfei.io.video_writer import VideoWriter
    from konterfei.performers.take import Take

    take = Take(config)
    times = [Fraction(index) / config.fps for index in range(config.num_frames)]
    shots: list[tuple[Shot, ...]] = []
    with tempfile.TemporaryDirectory(prefix="konterfei-") as folder:
        sound = _write_sound(config, performer, Path(folder)) if config.sound else None
        writer = VideoWriter(config.output, config.size, config.size, fps_hint=config.fps, audio_from=sound)
        with writer:
            for index, time in enumerate(times):
                check(reporter)
                frame, seen = take.frame(index, float(time))
                writer.write(frame, time, 1 / config.fps)
                shots.append(seen)
                reporter.advance(index + 1)
    return _truth(config, np.array([float(t) for t in times]), shots)


def _truth(config: PerformerConfig, times: NDArray[np.float64], shots: list[tuple[Shot, ...]]) -> Truth:
    """What was true in every frame, of the performer and of the partner."""

    def of(seen: list[Shot], partner: Truth | None) -> Truth:
        return Truth(
            landmarks=np.stack([s.landmarks for s in seen]),
            iris=np.stack([s.iris for s in seen]),
            mesh=np.stack([s.mesh for s in seen]),
            times=times,
            poses=tuple(s.pose for s in seen),
            heads=np.array([s.head for s in seen]),
            views=tuple(s.view for s in seen),
            lights=tuple(s.light for s in seen),
            visible=np.stack([s.visible for s in seen]),
            covers=np.stack([s.cover for s in seen]),
            side=config.size,
            partner=partner,
        )

    second = of([row[1] for row in shots], None) if config.partner else None
    return of([row[0] for row in shots], second)


def _write_sound(config: PerformerConfig, performer: Performer, folder: Path) -> Path:
    """The voice, or both voices, as AAC in a file of its own, from where the writer copies it."""
    import av

    from konterfei.performers.take import motion_of
    from konterfei.performers.voice import RATE, babble

    seconds = float(config.num_frames / config.fps)
    samples = babble(motion_of(config), seconds, performer.voice_hz)
    if config.partner:
        other: Performer = PERFORMERS.load(config.partner)
        samples = np.clip(samples + 0.8 * babble(motion_of(config, is_partner=True), seconds, other.voice_hz), -1, 1)
    path = folder / "voice.m4a"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=RATE, layout="mono")
        stream.bit_rate = 96_000
        for start in range(0, len(samples), 1024):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
