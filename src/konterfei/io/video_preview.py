"""Animated previews, GIF and WebP: small and short enough to be sent in a message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image

from konterfei.errors import EncodeError
from konterfei.io.atomic import atomic_path
from konterfei.io.video_reader import VideoReader

LONGEST_SIDE = 480
"""Pixels."""
LONGEST_S = Fraction(12)
"""Seconds of the result that are shown, from its beginning."""
RATE = Fraction(25, 2)
"""Pictures per second at most: GIF counts in hundredths of a second, and this is eight of them."""
_WEBP_QUALITY = 80


def write_preview(parts: Sequence[Path], output: Path) -> list[str]:
    """Write an animated picture of the video that `parts` make.

    Args:
        parts: videos, in order, with times on one clock.
        output: .gif or .webp; appears when complete.

    Returns:
        Lines that a person should read.

    Raises:
        EncodeError: there is not one frame.
        OutputError: it cannot be written.
    """
    shown = list(_shown(parts))
    if not shown:
        raise EncodeError(f"Cannot write '{output}': not one frame was given.")
    pictures, times = [picture for picture, _ in shown], [time for _, time in shown]
    stops = [*times[1:], times[-1] + 1 / RATE]
    # each duration in whole steps of GIF's clock, so that rounding does not add up
    steps = [round((stop - times[0]) * 100) for stop in (times[0], *stops)]
    durations = [10 * max(later - earlier, 2) for earlier, later in pairwise(steps)]
    settings: dict[str, Any] = {"quality": _WEBP_QUALITY, "method": 4} if output.suffix.lower() == ".webp" else {}
    with atomic_path(output) as temporary:
        pictures[0].save(temporary, save_all=True, append_images=pictures[1:], duration=durations, loop=0, **settings)
    size = f"{pictures[0].width} x {pictures[0].height}"
    return [f"The preview shows {float(sum(durations)) / 1000:.1f} s at {size}, without sound."]


def _shown(parts: Sequence[Path]) -> Iterator[tuple[Image.Image, Fraction]]:
    """Pictures and times of those frames that are shown."""
    begin: Fraction | None = None
    due = Fraction(0)
    for part in parts:
        for frame in VideoReader(part, native=True):
            begin = frame.pts if begin is None else begin
            if frame.pts - begin >= LONGEST_S:
                return
            if frame.pts - begin < due:
                continue
            due = max(due + 1 / RATE, frame.pts - begin)
            picture = Image.fromarray(frame.image)
            picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
            yield picture, frame.pts
