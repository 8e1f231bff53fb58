"""What a Config dataclass says of its fields: the docstring of each, and the names that it may have."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin


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
