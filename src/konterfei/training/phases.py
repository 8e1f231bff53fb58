"""Phases and changes as people write them: read, and refused where they make no sense."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from konterfei.errors import ConfigError
from konterfei.training.objectives import Objectives
from konterfei.training.plan import ENDS, Phase

_OF_A_RUN: Final = {"pretrain", "dfl_exact"}  # not to be changed on the way
_OF_A_PHASE: Final = ("name", "rate", *ENDS)


def read_phases(path: Path, objectives: Objectives) -> tuple[Phase, ...]:
    """The phases of a TOML file: [[phase]] tables with a name, a rate, ends (see `Phase`) and objectives.

    Raises:
        ConfigError: the file cannot be read, or a phase makes no sense; it is named.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"--plan '{path}' cannot be read ({error}).") from error
    tables = data.get("phase")
    if set(data) != {"phase"} or not isinstance(tables, list) or not tables:
        raise ConfigError(f"--plan '{path}': expected [[phase]] tables and nothing else. See docs/training.md.")
    return tuple(
        _phase(table, number, is_last=number == len(tables), path=path, objectives=objectives)
        for number, table in enumerate(tables, 1)
    )


def _phase(table: dict[str, Any], number: int, is_last: bool, path: Path, objectives: Objectives) -> Phase:
    where = f"--plan '{path}', phase {number}"
    own = {name: value for name, value in table.items() if name in ENDS or name in ("name", "rate")}
    changes = {name: value for name, value in table.items() if name not in own}
    _check_kinds(changes, where, _OF_A_PHASE)
    for name in (*ENDS, "rate"):
        _check_number(name, own.get(name), where)
    if own.get("share", 0) >= 1:
        raise ConfigError(f"{where}: share = {own['share']!r}: must be below 1, the whole run.")
    phase = Phase(**{**own, "name": str(own.get("name", f"phase {number}"))}, changes=changes)
    if phase.has_end == is_last:
        most = "goes on to the end of the run: leave its ends out" if is_last else f"needs an end: {', '.join(ENDS)}"
        raise ConfigError(f"{where} {most}.")
    try:
        replace(objectives, **changes)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    return phase


def read_change(text: str, objectives: Objectives) -> dict[str, Any]:
    """One change of the phase that lasts: "gan_power=0.1", "random_warp=false", "color_transfer=rct", "rate=0.5".

    Args:
        text: NAME=VALUE, the value as in TOML; words need no quotes.
        objectives: that are changed.

    Raises:
        ConfigError: it makes no sense.
    """
    name, is_given, value = (part.strip() for part in text.partition("="))
    name = name.removeprefix("--").replace("-", "_")
    if not is_given or not name or not value:
        raise ConfigError(f"'{text}': expected NAME=VALUE, for example gan_power=0.1 or random_warp=false.")
    try:
        change = {name: tomllib.loads(f"value = {value}")["value"]}
    except ValueError:
        change = {name: value}
    if name == "rate":
        _check_number(name, change[name], "change")
        return change
    _check_kinds(change, "change", ("rate",))
    replace(objectives, **change)  # raises where the value is out of its range
    return change


def _check_kinds(changes: Mapping[str, Any], where: str, also: Sequence[str]) -> None:
    """Refuse names that are no objectives of a phase, and values of the wrong kind. also: names known besides."""
    known = {item.name: item.default for item in fields(Objectives) if item.name not in _OF_A_RUN}
    for name, value in changes.items():
        if name not in known:
            raise ConfigError(f"{where}: '{name}' is not known. Known are {', '.join(sorted([*known, *also]))}.")
        default = known[name]
        kind = type(default) if isinstance(default, bool | str | int) else int if default is None else (int, float)
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            raise ConfigError(f"{where}: {name} = {value!r} is of the wrong kind.")


def _check_number(name: str, value: Any, where: str) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not value > 0):
        raise ConfigError(f"{where}: {name} = {value!r}: must be a number above 0.")
