"""From a Config dataclass to the parameters of a command: flags, help texts and choices have this one source."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from cyclopts import Parameter

from konterfei.stages import Stage


def field_docs(config: type) -> dict[str, str]:
    """The docstring after each field of a dataclass, base classes included: field name -> one paragraph."""
    docs: dict[str, str] = {}
    for cls in reversed(config.__mro__):
        if is_dataclass(cls):
            body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
            assert isinstance(body, ast.ClassDef)
            docs.update(_docs_of(body))
    return docs


def _docs_of(body: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for statement, following in zip(body.body, body.body[1:], strict=False):
        if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
            continue
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            text = following.value.value
            if isinstance(text, str):
                yield statement.target.id, " ".join(text.split())


def choices(hint: Any) -> tuple[str, ...]:
    """The names that a type admits: those of a table or Enum beside it (`Annotated[str, DETECTORS]`), or its own."""
    if get_origin(hint) is Annotated:
        inner, *extras = get_args(hint)
        for extra in extras:
            if isinstance(extra, Mapping):
                return tuple(extra)
            if isinstance(extra, type) and issubclass(extra, Enum):
                return tuple(str(member.value) for member in extra)
        return choices(inner)
    if get_origin(hint) is Literal:
        return tuple(str(value) for value in get_args(hint))
    if get_origin(hint) in (Union, UnionType):
        return tuple(name for part in get_args(hint) for name in choices(part))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return tuple(str(member.value) for member in hint)
    return ()


def parameters(stage: Stage, config: type) -> list[inspect.Parameter]:
    """The parameters of a stage's command: positional ones first, then one flag per field of its config."""
    docs = field_docs(config)
    hints = get_type_hints(config, include_extras=True)
    own = {field.name: field for field in fields(config) if field.init}
    order = [*stage.positional, *(name for name in own if name not in stage.positional)]
    short = {"output": "-o", **stage.short}
    return [_parameter(own[name], hints[name], docs.get(name, ""), short.get(name), stage) for name in order]


def _parameter(field: Field[Any], hint: Any, doc: str, short: str | None, stage: Stage) -> inspect.Parameter:
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
