"""From a performer's name to a clip and the truth about it."""

from __future__ import annotations

import io
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from konterfei.errors import ConfigError, DamagedFileError, OutputError
from konterfei.io.atomic import ensure_writable, sha256, write_bytes
from konterfei.io.manifest import Manifest
from konterfei.performers.motion import Motion, Pose
from konterfei.performers.table import PERFORMERS
from konterfei.reporting import Reporter, check

if TYPE_CHECKING:
    from konterfei.performers.cast import Performer

LOOK_VERSION = 5
"""Goes up when the same settings give other pixels, so that older clips are rendered anew."""
STAGE = "performer"
"""Name in manifests."""
MIN_SIZE, MAX_SIZE = 64, 2048
"""Pixels: below, lids are thinner than a pixel; above, the source pictures have no more detail."""


@dataclass(frozen=True, kw_only=True)
class PerformerConfig:
    """Render a clip of a fictional person, with its exact landmarks."""

    person: Annotated[str, PERFORMERS]
    """Who."""
    output: Path
    """Clip to write, .mp4, .mov or .mkv; `<clip>.landmarks.npz` and a manifest are written beside it."""
    seconds: float = 12.0
    """Length of the clip. The script of expressions takes 12 s and then varies."""
    fps: Fraction = Fraction(25)
    """Frames per second."""
    size: int = 512
    """Width and height in pixels, 64 to 2048, even."""
    seed: int = 1
    """Which performance: the same seed is the same motion for every performer, frame by frame."""
    sound: bool = True
    """Add a quiet synthetic voice that babbles with the mouth."""
    set_of: Annotated[str | None, PERFORMERS] = None
    """Stand where that performer stands, before the same background, light and camera; without it, on the own set. With
    the same seed and the other's set a clip is the true result of a swap onto the other."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "output", Path(self.output))
        object.__setattr__(self, "fps", Fraction(self.fps))
        PERFORMERS[self.person]
        if self.set_of is not None:
            PERFORMERS[self.set_of]
        if not (math.isfinite(self.seconds) and 0 < self.seconds <= 3600):
            raise ConfigError(f"--seconds is {self.seconds}: it must be more than 0 and at most 3600.")
        if not 1 <= self.fps <= 240:
            raise ConfigError(f"--fps is {self.fps}: it must be between 1 and 240.")
        if not (MIN_SIZE <= self.size <= MAX_SIZE and self.size % 2 == 0):
            raise ConfigError(f"--size is {self.size}: it must be even and between {MIN_SIZE} and {MAX_SIZE}.")
        if self.seed < 0:
            raise ConfigError(f"--seed is {self.seed}: it must be 0 or more.")

    @property
    def num_frames(self) -> int:
        """Frames of the clip, at least one."""
        return max(1, round(self.seconds * self.fps))


@dataclass(frozen=True)
class Truth:
    """What is true about a clip, by construction. F frames."""

    landmarks: NDArray[np.float32]
    """68-point scheme, frame pixels. [F, 68, 2]"""
    iris: NDArray[np.float32]
    """Middles of the irises, image-left first, frame pixels; also where a lid covers them. [F, 2, 2]"""
    mesh: NDArray[np.float32]
    """Points of the skin in MediaPipe's order, frame pixels. [F, 468, 2]"""
    times: NDArray[np.float64]
    """Seconds. [F]"""
    poses: tuple[Pose, ...]
    """What the performer does in each frame."""


def truth_path(clip: Path) -> Path:
    """Where the truth about a clip lies."""
    return clip.with_name(f"{clip.stem}.landmarks.npz")


def read_truth(clip: Path | str) -> Truth:
    """The truth about a rendered clip.

    Raises:
        DamagedFileError: there is none beside the clip, or it cannot be read.
    """
    path = truth_path(Path(clip))
    try:
        with np.load(path) as data:
            names = [str(name) for name in data["pose_names"]]
            poses = tuple(_pose(dict(zip(names, row, strict=True))) for row in data["poses"].tolist())
            return Truth(data["landmarks"], data["iris"], data["mesh"], data["times"], poses)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedFileError(
            f"'{path}' is missing or cannot be read ({error}). Delete it and render the performer again."
        ) from error


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
    write_bytes(truth_path(output), _packed(truth))
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

    motion = Motion(config.seed)
    times = [Fraction(index) / config.fps for index in range(config.num_frames)]
    landmarks, iris, mesh, poses = [], [], [], []
    with tempfile.TemporaryDirectory(prefix="konterfei-") as folder:
        sound = _write_sound(config, performer, motion, Path(folder)) if config.sound else None
        writer = VideoWriter(config.output, config.size, config.size, fps_hint=config.fps, audio_from=sound)
        with writer:
            for index, (frame, shot, pose) in enumerate(_frames(config, performer, motion, times)):
                check(reporter)
                writer.write(frame, times[index], 1 / config.fps)
                landmarks.append(shot[0])
                iris.append(shot[1])
                mesh.append(shot[2])
                poses.append(pose)
                reporter.advance(index + 1)
    seconds = np.array([float(t) for t in times])
    return Truth(np.stack(landmarks), np.stack(iris), np.stack(mesh), seconds, tuple(poses))


def _frames(
    config: PerformerConfig, performer: Performer, motion: Motion, times: list[Fraction]
) -> Iterator[tuple[NDArray[np.uint8], tuple[NDArray[np.float32], ...], Pose]]:
    """Frame, (landmarks, iris, mesh) and pose, one after the other."""
    from konterfei.landmarkers.mesh478 import MESH_TO_68
    from konterfei.performers.camera import Camera
    from konterfei.performers.drawing import Artist
    from konterfei.performers.measuring import measured
    from konterfei.performers.plates import make_plates

    plates = make_plates(measured(performer.name), performer.open_mouth, config.size)
    look = PERFORMERS.load(config.set_of).look if config.set_of else performer.look
    artist = Artist(plates, config.size, look)
    camera = Camera(config.size, config.seed, look)
    for index, time in enumerate(times):
        pose = motion.at(float(time))
        drawing = artist.draw(pose)
        frame = camera.expose(camera.set_up(drawing.colour, drawing.alpha, pose), index, float(time))
        yield frame, (drawing.points[MESH_TO_68], drawing.iris, drawing.points), pose


def _write_sound(config: PerformerConfig, performer: Performer, motion: Motion, folder: Path) -> Path:
    """The voice as AAC in a file of its own, from where the writer copies it."""
    import av

    from konterfei.performers.voice import RATE, babble

    samples = babble(motion, float(config.num_frames / config.fps), performer.voice_hz)
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


def _packed(truth: Truth) -> bytes:
    """The truth as an .npz without pickles."""
    rows = [_flat(pose) for pose in truth.poses]
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        landmarks=truth.landmarks,
        iris=truth.iris,
        mesh=truth.mesh,
        times=truth.times,
        poses=np.array([list(row.values()) for row in rows]),
        pose_names=np.array(list(rows[0])),
    )
    return buffer.getvalue()


def _flat(pose: Pose) -> dict[str, float]:
    """Field -> number; pairs become `name_x` and `name_y`."""
    out: dict[str, float] = {}
    for item in fields(pose):
        value = getattr(pose, item.name)
        pairs = zip("xy", value, strict=True) if isinstance(value, tuple) else ()
        out |= {f"{item.name}_{axis}": v for axis, v in pairs} or {item.name: value}
    return out


def _pose(flat: dict[str, float]) -> Pose:
    """The inverse of `_flat`."""
    values: dict[str, Any] = {}
    for item in fields(Pose):
        pair = f"{item.name}_x" in flat
        values[item.name] = (flat[f"{item.name}_x"], flat[f"{item.name}_y"]) if pair else flat[item.name]
    return Pose(**values)
