"""From a Config dataclass to the parameters of a command: flags, help texts and choices have this one source."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, Field, fields
from enum import Enum
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_type_hints

from cyclopts import Group, Parameter

from konterfei.fields import choices, field_docs
from konterfei.stages import Stage

_MAIN = Group("Options", sort_key=0)


def parameters(stage: Stage, config: type) -> list[inspect.Parameter]:
    """The parameters of a stage's command: positional ones first, then one flag per field of its config."""
    docs = field_docs(config)
    hints = get_type_hints(config, include_extras=True)
    own = {field.name: field for field in fields(config) if field.init}
    order = [*stage.positional, *(name for name in own if name not in stage.positional)]
    short = {"output": "-o", **stage.short}
    groups = _groups(config)
    return [
        _parameter(own[name], hints[name], docs.get(name, ""), short.get(name), stage, groups.get(name, _MAIN))
        for name in order
    ]


def _groups(config: type) -> dict[str, Group]:
    """Field -> the heading of the class that it comes from, where that has one; in the order of these classes."""
    found: dict[str, Group] = {}
    for place, owner in enumerate(config.__mro__[1:], start=1):
        if heading := vars(owner).get("heading"):
            group = Group(heading, sort_key=place)
            found |= {name: group for name in vars(owner).get("__annotations__", {}) if name not in found}
    return found


def _parameter(
    field: Field[Any], hint: Any, doc: str, short: str | None, stage: Stage, group: Group
) -> inspect.Parameter:
    names = choices(hint)
    is_optional = NoneType in get_args(hint) or any(NoneType in get_args(part) for part in get_args(hint))
    if names:
        literal: Any = Literal[names]
        hint = literal | None if is_optional else literal
    default = field.default
    if default is MISSING and field.default_factory is not MISSING:
        default = field.default_factory()
    if isinstance(default, Enum):
        default = default.value
    is_positional = field.name in stage.positional
    parameter = Parameter(
        group=group,
        help=doc,
        alias=short,
        metavar="TEXT" if hint in (str, str | None) else None,
        negative_bool=() if default is False else None,
        negative_none=(),
        negative_iterable=(),
        show_default=default not in (MISSING, None, False, (), ""),
    )
    return inspect.Parameter(
        field.name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD if is_positional else inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if default is MISSING else default,
        annotation=Annotated[hint, parameter],
    )
