"""What a stage gave back, as lines for a person and as an exit code."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

_SIMPLE = (str, int, float, Path)


def printable(text: str) -> str:
    """The same without what would command a terminal or cannot be written: names of files may come from strangers."""
    return "".join(each if each.isprintable() or each in "\n\t" else "?" for each in text)


def lines_of(result: Any) -> list[str]:
    """The lines to print for a result.

    A result that knows how to tell itself has `summary()`, giving lines; any other dataclass is shown field by field.
    """
    summary = getattr(result, "summary", None)
    if callable(summary):
        told = summary()
        return told.splitlines() if isinstance(told, str) else [str(line) for line in told]
    if result is None:
        return []
    if is_dataclass(result):
        shown = [(field.name.replace("_", " "), getattr(result, field.name)) for field in fields(result)]
        width = max(len(name) for name, _ in shown)
        return [f"{name:<{width}}  {_text(value)}" for name, value in shown if isinstance(value, _SIMPLE)]
    return [str(result)]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def exit_code(result: Any) -> int:
    """0, unless the result says otherwise by an `exit_code` of its own (a check that did not pass)."""
    return int(getattr(result, "exit_code", 0))
