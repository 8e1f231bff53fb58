"""The video or the pictures that faces of another program were found in: which frame is which, and when it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from konterfei.io.sequence import list_images
from konterfei.io.video import is_sequence, look, open_frames, probe
from konterfei.reporting import Reporter, check


@dataclass(frozen=True, kw_only=True)
class Film:
    """A film, looked through.

    Attributes:
        path: of the video, or the folder or pattern of pictures.
        frame_size: width, height, pixels.
        times: frame index -> seconds, for each frame that can be read.
        stems: of pictures: file name without its ending -> frame index. Empty for a video.
        settings: what a faceset's header says of how the film was read.
    """

    path: Path
    frame_size: tuple[int, int]
    times: Mapping[int, Fraction]
    stems: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """File name, as records have it."""
        return self.path.name


def look_through(path: Path, fps: Fraction, reporter: Reporter) -> Film:
    """Read every frame's time from the film at `path`.

    Args:
        path: video, or folder or pattern of pictures.
        fps: frames per second of pictures.
        reporter: told of the progress; a person may stop it.

    Raises:
        UnreadableMediaError: it cannot be read.
        Cancelled: a person asked to stop.
    """
    if is_sequence(path):
        info, files = look(path, fps), list_images(path)
        return Film(
            path=path,
            frame_size=(info.width, info.height),
            times={index: index / fps for index in range(len(files))},
            stems={file.stem: index for index, file in reversed(list(enumerate(files)))},
            settings={"fps": str(fps)},
        )
    video, times = probe(path), {}
    reporter.start("reading the times of frames", video.num_frames)
    with closing(open_frames(path)) as frames:
        for frame in frames:
            check(reporter)
            times[frame.index] = frame.pts
            reporter.advance(frame.index + 1)
    reporter.finish()
    settings = {"deinterlace": "off"} if video.is_interlaced else {}  # so DeepFaceLab's tools took their frames
    return Film(path=path, frame_size=(video.width, video.height), times=times, settings=settings)
