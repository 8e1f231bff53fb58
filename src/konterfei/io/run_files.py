"""The files of a run that hold tensors: a checkpoint is a folder of two, a snapshot is one; both with checksums."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as pack_tensors

from konterfei.io.atomic import sha256, sync, write_bytes, write_json

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """Everything needed to go on as if nothing had happened.

    Attributes:
        step: optimiser steps done.
        tensors: name -> array.
        state: counters and figures, plain JSON values.
    """

    step: int
    tensors: Tensors
    state: dict[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """Weights for use.

    Attributes:
        path: the file.
        tensors: name -> array, names of the model's state.
        info: steps, minutes, whether it is a preview...
        sha256: of the file.
    """

    path: Path
    tensors: Tensors
    info: dict[str, Any]
    sha256: str


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write both files into a folder that is there and empty, to the disk."""
    tensors = folder / "tensors.safetensors"
    _write_tensors(tensors, checkpoint.tensors)
    sync(tensors)
    state = {**checkpoint.state, "step": checkpoint.step, "sha256": sha256(tensors)}
    write_json(folder / "state.json", {**state, "state_sha256": _digest(state)})


def write_snapshot(path: Path, step: int, tensors: Tensors, info: Mapping[str, Any]) -> None:
    """Write a snapshot, whole or not at all. Raises OutputError when the disk is full."""
    header, body = _split(pack_tensors(_contiguous(tensors)))
    about = {**info, "step": step, "data_sha256": hashlib.sha256(body).hexdigest()}
    about["info_sha256"] = _digest([header, about])
    write_bytes(path, _joined({**header, "__metadata__": {"konterfei": json.dumps(about)}}, body))


def read_checkpoint(folder: Path) -> Checkpoint:
    """A checkpoint. Raises ValueError, OSError, KeyError, TypeError or SafetensorError where it is damaged."""
    state = _object((folder / "state.json").read_bytes())
    expected = state.pop("state_sha256", None)  # runs before it was written have none
    if expected is not None and expected != _digest(state):
        raise ValueError("the checksum of state.json does not fit")
    data = (folder / "tensors.safetensors").read_bytes()
    if hashlib.sha256(data).hexdigest() != state["sha256"]:
        raise ValueError("the checksum of tensors.safetensors does not fit")
    return Checkpoint(int(state["step"]), parse_tensors(data), state)


def read_snapshot(path: Path) -> Snapshot:
    """A snapshot. Raises as `read_checkpoint` does."""
    with path.open("rb") as file:  # a film that was named by mistake is not read as a whole
        if int.from_bytes(file.read(8), "little") > path.stat().st_size:
            raise ValueError("it is no safetensors file, or cut short")
    data = path.read_bytes()
    header, body = _split(data)
    info = _object(header.pop("__metadata__")["konterfei"])
    expected = info.pop("info_sha256", None)  # runs before it was written have none
    if expected is not None and expected != _digest([header, info]):
        raise ValueError("the checksum of its description does not fit")
    if hashlib.sha256(body).hexdigest() != info.pop("data_sha256"):
        raise ValueError("the checksum does not fit")
    return Snapshot(path, parse_tensors(data), info, hashlib.sha256(data).hexdigest())


def _digest(values: Any) -> str:
    """SHA-256 of plain JSON values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _write_tensors(path: Path, tensors: Tensors) -> None:
    """A safetensors file, one tensor after the other: the library copies a whole state three times in memory."""
    header, end = {}, 0
    for name, array in tensors.items():
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": _FORMATS[array.dtype.name], "shape": list(array.shape), "data_offsets": [begin, end]}
    with path.open("wb") as file:
        file.write(_joined(header, memoryview(b"")))
        for array in tensors.values():
            file.write(np.ascontiguousarray(array).data)


_FORMATS = {"float32": "F32", "float16": "F16", "float64": "F64", "int64": "I64", "uint8": "U8"}


def _contiguous(tensors: Tensors) -> dict[str, NDArray[Any]]:
    return {name: np.ascontiguousarray(array) for name, array in tensors.items()}


def _object(text: str | bytes) -> dict[str, Any]:
    """What a JSON text holds. Raises ValueError unless it is an object: zeros and half texts are none."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ValueError(f"its description cannot be read ({error})") from error
    if not isinstance(values, dict):
        raise ValueError("its description is none")
    return values


def _split(data: bytes) -> tuple[dict[str, Any], memoryview]:
    """Header and tensor bytes of a safetensors file."""
    length = int.from_bytes(data[:8], "little")
    return _object(data[8 : 8 + length]), memoryview(data)[8 + length :]


def _joined(header: Mapping[str, Any], body: memoryview) -> bytes:
    """A safetensors file: length of the header, header padded to 8 bytes, tensors."""
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, body])
