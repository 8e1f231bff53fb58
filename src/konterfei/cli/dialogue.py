"""Asks on the terminal for what a stage still needs to know. What there is to ask, the stage says itself."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from konterfei.errors import UsageError


def completed(config: Any, module: str, ask: Callable[[str], str] = input) -> Any:
    """`config` with every open question answered by the person at the terminal.

    Args:
        config: what the flags said.
        module: where `next_question(config, asked)` and `answered(config, question, text)` are.
        ask: shows a prompt and gives back what was typed.
    """
    stage = import_module(module)
    asked: list[str] = []
    while (question := stage.next_question(config, asked)) is not None:
        for name, about in question.choices:
            print(f"  {name:<14} {about}", file=sys.stderr)
        try:
            config = stage.answered(config, question, ask(f"{question.text}: "))
        except UsageError as error:
            print(error, file=sys.stderr)
            continue
        asked.append(question.field)
    return config


def is_possible() -> bool:
    """Whether someone sits at the terminal to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()
