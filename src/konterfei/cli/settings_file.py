"""`--settings FILE`, for any command: settings of one's own from a TOML file, for those that the line does not give."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from cyclopts.config import Toml

from konterfei.errors import ConfigError, UnknownNameError
from konterfei.stages import STAGES

FLAG = "--settings"


def taken_out(argv: Sequence[str]) -> tuple[list[str], list[Toml]]:
    """The line without `--settings FILE`, and the files; of several, the first that names a setting counts.

    Raises:
        ConfigError: no file is named, there is none, or it is no TOML.
        UnknownNameError: a table of the file is of no command.
    """
    words, files = [], []
    left = iter(argv)
    for word in left:
        flag, is_joined, value = word.partition("=")
        if flag != FLAG:
            words.append(word)
            continue
        files.append(_checked(value if is_joined else next(left, "")))
    return words, files


def _checked(path: str) -> Toml:
    if not Path(path).is_file():
        raise ConfigError(f"{FLAG} '{path}': there is no such file. It is TOML with a table per command: [train].")
    try:
        tables = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{FLAG} '{path}' cannot be read ({error}).") from error
    known = {name.split(" ")[0] for name in STAGES}
    for table, values in tables.items():
        if table not in known:
            raise UnknownNameError("command", table, known)
        if not isinstance(values, dict):
            raise ConfigError(f"{FLAG} '{path}': '{table}' must be a table of settings: [{table}].")
    return Toml(path, must_exist=True, source=path)
