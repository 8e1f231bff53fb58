"""What the table of stages holds of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from konterfei.errors import UnknownNameError


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One verb of the product.

    Attributes:
        run: "package.module:function", called as `function(config, reporter)`.
        config: "package.module:Class", the frozen dataclass that `run` reads.
        about: one line for `konterfei --help`; begins with a verb.
        examples: complete command lines that work as they stand.
        positional: fields of the config that are given without their flag's name, in this order.
        short: field -> one-letter flag; `output` is always `-o`.
        dialogue: module with `next_question` and `answered`, for a stage whose missing settings can be asked for.
    """

    run: str
    config: str
    about: str
    examples: tuple[str, ...]
    positional: tuple[str, ...] = ()
    short: Mapping[str, str] = field(default_factory=dict)
    dialogue: str | None = None

    def load_run(self) -> Callable[..., Any]:
        """The function itself (its module is imported here)."""
        return _load(self.run)

    def load_config(self) -> type:
        """The config class itself (its module is imported here)."""
        return _load(self.config)


class Stages(dict[str, Stage]):
    def __missing__(self, name: str) -> Stage:
        raise UnknownNameError("command", name, self)


def _load(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)
