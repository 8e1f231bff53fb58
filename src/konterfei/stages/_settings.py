"""What a stage's settings may be, refused in one form of words."""

from __future__ import annotations

from konterfei.errors import ConfigError


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
