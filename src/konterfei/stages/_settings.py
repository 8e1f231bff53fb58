"""What a stage's settings may be, refused in one form of words, and what they are where several stages agree."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from konterfei.errors import ConfigError
from konterfei.io.sequence import folder_of


def allow(flag: str, value: object, is_fine: bool, allowed: str) -> None:
    """Raise ConfigError unless `is_fine`.

    Args:
        flag: as typed, "--size".
        value: what was given.
        is_fine: whether the value may be used.
        allowed: what may, in words: "32 to 2048".
    """
    if not is_fine:
        raise ConfigError(f"{flag} is {value}; allowed: {allowed}.")


_CLOCK = r"(?:(\d+):)?(?:(\d+):)?(\d+(?:\.\d*)?)"
_USUAL_FPS = Fraction(25)


def parse_range(text: str | None, fps: Fraction | None = None) -> tuple[int, int | None]:
    """Frames of a range (its end not included); all of them for None.

    Args:
        text: "250:500" in frames, "12s:30.5s" in seconds, either end may be left out; or "00:01:05-00:01:20", hours,
            minutes and seconds, of which the front ones may be left out.
        fps: frames per second, which times need. A time means the first frame that is shown at it or later.

    Raises:
        ConfigError: anything else.
    """
    if text is None:
        return 0, None
    ends = text.split("-") if "-" in text else text.split(":")
    places = [_frame_of(end.strip(), "-" in text, fps or _USUAL_FPS) for end in ends]
    if len(ends) != 2 or None in places or not any(end.strip() for end in ends):
        raise ConfigError(
            f"--range is '{text}'; it is START:END in frames or seconds, or by the clock, for example 250:500, 250:, "
            "12s:30.5s or 00:01:05-00:01:20."
        )
    start, stop = (place if place is not None else 0 for place in places)
    if not ends[1].strip():
        return start, None
    if stop <= start:
        raise ConfigError(f"--range is '{text}': its end has to lie after its start.")
    return start, stop


def is_in_time(text: str | None) -> bool:
    """Whether a range is told in seconds or by the clock, and so needs the frames per second."""
    return text is not None and ("s" in text or "-" in text)


def shown_range(start: int, stop: int | None) -> str:
    """Frames as `parse_range` reads them."""
    return f"{start}:{'' if stop is None else stop}"


def _frame_of(text: str, by_clock: bool, fps: Fraction) -> int | None:
    """The frame that one end of a range names; 0 where it is left out, None where it is none."""
    if not text:
        return 0
    if re.fullmatch(r"\d+(\.\d+)?s", text):
        return math.ceil(Fraction(text[:-1]) * fps)
    if by_clock:
        found = re.fullmatch(_CLOCK, text)
        if not found or (found[1] is None):
            return None
        hours, minutes = (int(found[1]), int(found[2])) if found[2] is not None else (0, int(found[1]))
        return math.ceil((hours * 3600 + minutes * 60 + Fraction(found[3].rstrip("."))) * fps)
    return int(text) if text.isascii() and text.isdecimal() else None


def parse_frames(flag: str, text: str) -> tuple[int, ...]:
    """Frames named one by one and as ranges whose ends do not count: "120,130:140" -> 120, 130, 131, ... 139.

    Raises:
        ConfigError: anything else; names `flag`.
    """
    frames: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d+)\s*(?::\s*(\d+)\s*)?", part)
        if not found:
            raise ConfigError(f"{flag} is '{text}'; it is frames with commas between, for example 120,130:140.")
        start = int(found[1])
        stop = int(found[2]) if found[2] else start + 1
        if not start < stop <= start + 10_000_000:
            raise ConfigError(f"{flag} is '{text}': the end of {part.strip()} has to lie after its start.")
        frames.update(range(start, stop))
    return tuple(sorted(frames))


def shown_frames(frames: Iterable[int], step: int = 1) -> str:
    """Frames as `parse_frames` reads them, runs of neighbours as ranges: 3, 4, 5, 9 -> "3:6,9".

    Args:
        frames: in any order.
        step: from one frame to the next where nothing is left out (every n-th only was looked at).
    """
    runs: list[list[int]] = []
    for frame in sorted(set(frames)):
        if runs and frame == runs[-1][1] + step:
            runs[-1][1] = frame
        else:
            runs.append([frame, frame])
    return ",".join(str(first) if first == last else f"{first}:{last + 1}" for first, last in runs)


def report_beside(result: Path) -> Path:
    """Where the report picture of a video, or of a folder or pattern of pictures, goes unless told: beside it."""
    place = folder_of(result)
    place = place if place.name else place.absolute()  # the folder that one is in
    return place.with_name(f"{place.stem}.report.jpg")
