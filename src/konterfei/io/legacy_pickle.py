"""Reads the pickles that DeepFaceLab writes without ever unpickling them.

A pickle is a program, and Python's unpickler runs it. Here the opcodes are only split off (`pickletools.genops`, which
executes nothing) and obeyed by a machine of our own that knows plain values and containers, and seven names: those from
which NumPy's arrays, dtypes and scalars are put together, and two lists of choices (dfl-spec 3.1.3, 3.2). A name stands
for a recipe written here, it is never looked up in a module: whatever else a file asks for is refused before anything
happens.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from pickletools import genops
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.errors import DamagedFileError, StoreError

MOST_BYTES = 4 << 30
"""Larger files are refused: the largest network that DeepFaceLab's settings allow has smaller ones."""
MOST_OPCODES = 20_000_000
"""More are refused. An opcode may take 64 bytes of memory; a training of a million steps has seven million."""

_NAMES = {
    **dict.fromkeys(((f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")), "array"),
    **dict.fromkeys(((f"numpy.{core}.multiarray", "scalar") for core in ("core", "_core")), "scalar"),
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "encode",
    ("codecs", "encode"): "encode",
    ("samplelib.Sample", "SampleType"): "SampleType",
    ("facelib.FaceType", "FaceType"): "FaceType",
}
_DTYPES = frozenset(["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"])
_CONSTANTS = frozenset(
    [
        "INT",
        "LONG",
        "LONG1",
        "LONG4",
        "BININT",
        "BININT1",
        "BININT2",
        "FLOAT",
        "BINFLOAT",
        "UNICODE",
        "SHORT_BINUNICODE",
        "BINUNICODE",
        "BINUNICODE8",
        "SHORT_BINBYTES",
        "BINBYTES",
        "BINBYTES8",
    ]
)
_LITERALS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
MARK = object()
"""Lies on the stack where a list, tuple or dict of unknown length begins."""


class RefusedError(ValueError):
    """The file asks for something that weights and settings have no need of."""


@dataclass(frozen=True)
class Choice:
    """A member of one of DeepFaceLab's lists of choices.

    Attributes:
        kind: "SampleType" or "FaceType".
        value: its number.
    """

    kind: str
    value: int


@dataclass(frozen=True)
class _Name:
    """One of `_NAMES`, as the file refers to it."""

    recipe: str


@dataclass
class _Dtype:
    """A dtype that is being put together: `code` without its byte order."""

    code: str
    order: str = "="

    def finished(self) -> np.dtype[Any]:
        return np.dtype(("" if self.order == "|" else self.order) + self.code)


@dataclass
class _Array:
    """An array whose content is still to come; where the memo holds it."""

    memo_keys: list[int] = field(default_factory=list)


def load_pickle(path: Path) -> Any:
    """What a pickle of DeepFaceLab holds: dicts, lists, tuples, text, bytes, numbers and arrays of plain numbers.

    Arrays may be read-only and in any byte order. Nothing in the file is executed and nothing is imported.

    Raises:
        StoreError: there is no such file.
        DamagedFileError: it is too large, cut off, no pickle, or asks for anything else.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise RefusedError(f"it is larger than {MOST_BYTES >> 30} GiB")
        return parse_pickle(path.read_bytes())
    except OSError as error:
        raise StoreError(f"'{path}' cannot be read ({error.strerror}). Check the path and its permissions.") from error
    except RefusedError as error:
        raise DamagedFileError(
            f"'{path}' is refused: {error}. DeepFaceLab writes no such file; do not open it with other programs "
            "either, and get the model from its maker again."
        ) from error
    except ValueError as error:
        raise DamagedFileError(
            f"'{path}' cannot be read ({error}). It is cut off or damaged: copy it again, or take the one in the "
            "newest folder below _autobackups."
        ) from error


def parse_pickle(data: bytes) -> Any:
    """As `load_pickle`, from memory. Raises ValueError (damaged) or its kind RefusedError (asks for too much)."""
    machine = Machine()
    try:
        for count, (opcode, argument, _) in enumerate(genops(io.BytesIO(data))):
            if count >= MOST_OPCODES:
                raise RefusedError(f"it has more than {MOST_OPCODES} opcodes")
            if opcode.name == "STOP":
                return machine.result()
            machine.obey(opcode.name, argument)
    except (IndexError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"its opcodes do not fit together: {type(error).__name__} {error}") from error
    raise ValueError("it has no end")


class Machine:
    """A stack, a memo, and what each known opcode does to them.

    Attributes:
        stack: what was made so far and is not part of something yet.
    """

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def result(self) -> Any:
        """What was made. Raises ValueError where that is not one value."""
        (value,) = self.stack if len(self.stack) == 1 else (MARK,)
        if value is MARK or isinstance(value, _Name | _Dtype | _Array):
            raise ValueError("it does not end with one value")
        return value

    def obey(self, name: str, argument: Any) -> None:
        """Do what the opcode called `name` says. Raises ValueError, IndexError, KeyError or TypeError."""
        if name in _CONSTANTS:
            self.stack.append(argument)
        elif (action := _ACTIONS.get(name)) is not None:
            action(self)
        elif name in _LITERALS:
            self.stack.append(_LITERALS[name])
        elif name in _TUPLES:
            self._tuple(_TUPLES[name])
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self._memoize(argument)
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self._memo[argument])
        elif name == "GLOBAL":
            self._name(*argument.split(" ", 1))
        else:
            raise RefusedError(f"it uses the opcode {name}")

    def _since_mark(self) -> list[Any]:
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is MARK:
                values = self.stack[place + 1 :]
                del self.stack[place:]
                return values
        raise ValueError("a mark is missing")

    def _top(self, kind: type) -> Any:
        if not isinstance(self.stack[-1], kind):
            raise ValueError(f"a {kind.__name__} is missing")
        return self.stack[-1]

    def _mark(self) -> None:
        self.stack.append(MARK)

    def _pop(self) -> None:
        self.stack.pop()

    def _tuple(self, count: int) -> None:
        values = tuple(self.stack[-count:])
        if len(values) != count or any(value is MARK for value in values):  # == would ask arrays
            raise ValueError("values are missing")
        self.stack[-count:] = [values]

    def _tuple_since_mark(self) -> None:
        self.stack.append(tuple(self._since_mark()))

    def _list_since_mark(self) -> None:
        self.stack.append(self._since_mark())

    def _dict_since_mark(self) -> None:
        values = self._since_mark()
        self.stack.append({})
        self._store(values)

    def _append(self) -> None:
        value = self.stack.pop()
        self._top(list).append(value)

    def _appends(self) -> None:
        values = self._since_mark()
        self._top(list).extend(values)

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._store([key, value])

    def _set_items(self) -> None:
        self._store(self._since_mark())

    def _store(self, values: list[Any]) -> None:
        target = self._top(dict)
        for key, value in zip(values[::2], values[1::2], strict=True):
            if not isinstance(key, str | int | float | None):  # a nest of tuples could take forever to hash
                raise RefusedError(f"it holds a dict with a {type(key).__name__} as key")
            target[key] = value

    def _memoize(self, key: int | None = None) -> None:
        key = len(self._memo) if key is None else key
        value = self.stack[-1]
        if value is MARK:
            raise ValueError("a value is missing")
        if isinstance(value, _Array):
            value.memo_keys.append(key)
        self._memo[key] = value

    def _stack_name(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise ValueError("a name is missing")
        self._name(module, name)

    def _name(self, module: str, name: str) -> None:
        if (module, name) not in _NAMES:
            raise RefusedError(f"it asks for '{module[:80]}.{name[:80]}'")
        self.stack.append(_Name(_NAMES[module, name]))

    def _reduce(self) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        if not (isinstance(called, _Name) and isinstance(arguments, tuple)):
            raise RefusedError("it calls something that is not a name")
        self.stack.append(_RECIPES[called.recipe](arguments))

    def _build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, _Dtype):
            _set_order(target, state)
        elif isinstance(target, _Array):
            self.stack[-1] = array = _array_of(state)
            for key in target.memo_keys:
                self._memo[key] = array
        else:
            raise RefusedError(f"it sets the inside of a {type(target).__name__}")


_ACTIONS: dict[str, Callable[[Machine], None]] = {
    "PROTO": lambda machine: None,
    "FRAME": lambda machine: None,
    "MARK": Machine._mark,
    "POP": Machine._pop,
    "EMPTY_LIST": lambda machine: machine.stack.append([]),
    "EMPTY_DICT": lambda machine: machine.stack.append({}),
    "EMPTY_TUPLE": lambda machine: machine.stack.append(()),
    "TUPLE": Machine._tuple_since_mark,
    "LIST": Machine._list_since_mark,
    "DICT": Machine._dict_since_mark,
    "APPEND": Machine._append,
    "APPENDS": Machine._appends,
    "SETITEM": Machine._set_item,
    "SETITEMS": Machine._set_items,
    "MEMOIZE": lambda machine: machine._memoize(),  # not the function itself: a kind of machine may have its own
    "STACK_GLOBAL": Machine._stack_name,
    "REDUCE": Machine._reduce,
    "BUILD": Machine._build,
}


def _new_array(arguments: tuple[Any, ...]) -> _Array:
    kind, shape, code = arguments
    if kind != _Name("ndarray") or shape != (0,) or code not in (b"b", "b"):
        raise RefusedError("it asks for an array of an unknown kind")
    return _Array()


def _new_dtype(arguments: tuple[Any, ...]) -> _Dtype:
    code = arguments[0]
    if not isinstance(code, str) or code not in _DTYPES:
        raise RefusedError("it holds an array that is not of plain numbers")
    return _Dtype(code)


def _set_order(dtype: _Dtype, state: Any) -> None:
    """State of a plain dtype: version, byte order, three times nothing, sizes, flags."""
    plain = isinstance(state, tuple) and len(state) in (8, 9) and state[2:5] == (None, None, None)
    if not plain or state[1] not in ("<", ">", "=", "|"):
        raise RefusedError("it holds an array that is not of plain numbers")
    dtype.order = state[1]


def _array_of(state: Any) -> NDArray[Any]:
    """State of an array: version, shape, dtype, whether columns come first, bytes."""
    _, shape, dtype, is_fortran, data = state
    if not (isinstance(dtype, _Dtype) and isinstance(data, bytes) and isinstance(shape, tuple)):
        raise RefusedError("it holds an array that is not of plain numbers")
    if len(shape) > 8 or not all(isinstance(side, int) and 0 <= side <= MOST_BYTES for side in shape):
        raise ValueError("an array has no possible shape")
    kind = dtype.finished()
    if math.prod(shape) * kind.itemsize != len(data):
        raise ValueError(f"an array of shape {shape} has {len(data)} bytes")
    return np.frombuffer(data, kind).reshape(shape, order="F" if is_fortran else "C")


def _scalar(arguments: tuple[Any, ...]) -> bool | int | float:
    dtype, data = arguments
    if not (isinstance(dtype, _Dtype) and isinstance(data, bytes) and len(data) == dtype.finished().itemsize):
        raise RefusedError("it holds a number of an unknown kind")
    return np.frombuffer(data, dtype.finished())[0].item()


def _encoded(arguments: tuple[Any, ...]) -> bytes:
    """How protocols before 3 write bytes."""
    text, encoding = arguments
    if not isinstance(text, str) or encoding != "latin1":
        raise RefusedError("it encodes text in an unknown way")
    return text.encode("latin1")


def _choice_of(kind: str) -> Callable[[tuple[Any, ...]], Choice]:
    def made(arguments: tuple[Any, ...]) -> Choice:
        (value,) = arguments
        if type(value) is not int or not 0 <= value < 1 << 16:
            raise RefusedError(f"it holds a {kind} of an unknown kind")
        return Choice(kind, value)

    return made


def _not_called(arguments: tuple[Any, ...]) -> Any:
    raise RefusedError("it makes an array in an unknown way")


_RECIPES: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "array": _new_array,
    "dtype": _new_dtype,
    "scalar": _scalar,
    "encode": _encoded,
    "SampleType": _choice_of("SampleType"),
    "FaceType": _choice_of("FaceType"),
    "ndarray": _not_called,
}
