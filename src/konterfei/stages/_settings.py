"""What a stage's settings may be, refused in one form of words, and what they are where several stages agree."""

from __future__ import annotations

import re
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


def parse_range(text: str | None) -> tuple[int, int | None]:
    """Frames of "START:END" (END not included, either may be left out); all of them for None.

    Raises:
        ConfigError: anything else.
    """
    if text is None:
        return 0, None
    found = re.fullmatch(r"\s*(\d*)\s*:\s*(\d*)\s*", text)
    if not found:
        raise ConfigError(f"--range is '{text}'; it is START:END in frames, for example 250:500, 250: or :500.")
    start, stop = int(found[1] or 0), int(found[2]) if found[2] else None
    if stop is not None and stop <= start:
        raise ConfigError(f"--range is '{text}': its end has to lie after its start.")
    return start, stop


def report_beside(result: Path) -> Path:
    """Where the report picture of a video, or of a folder or pattern of pictures, goes unless told: beside it."""
    place = folder_of(result)
    place = place if place.name else place.absolute()  # the folder that one is in
    return place.with_name(f"{place.stem}.report.jpg")
