"""DeepFaceLab's weights as ours: which network its settings mean, and where each array belongs (dfl-spec 7.14, C).

The arrays of both are the same but for the order of axes, and for colour: DeepFaceLab's networks take and give BGR.
Ours take RGB, so the first kernel's inputs and the last kernels' outputs change places; every other number is kept.
With the letter d, each of the four heads writes the three colours of one sub-image, so each is turned by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from konterfei.errors import DamagedFileError
from konterfei.geometry import FaceType
from konterfei.io.legacy_model import LegacyModel, load_weights
from konterfei.models import MODELS
from konterfei.nets.dims import LETTERS, Dims
from konterfei.nets.xseg import XSeg

Array = NDArray[np.float32]

FACE_TYPES = {
    "h": FaceType.HALF,
    "mf": FaceType.MID_FULL,
    "f": FaceType.FULL,
    "wf": FaceType.WHOLE,
    "head": FaceType.HEAD,
}
"""DeepFaceLab's letters (dfl-spec 2.2, 7.3)."""

QUICK96 = Dims(resolution=96, ae=128, encoder=64, decoder=64, mask=16, unit=True, double=True)
"""Its only sizes; it has no settings (dfl-spec 7.4)."""

_TAKES_COLOURS = re.compile(r"(encoder\.(downs\.0|down1)\.conv1|conv01\.conv)\.weight")
_GIVES_COLOURS = re.compile(r"decoder(_src|_dst)?\.out_conv[123]?\.(weight|bias)")
_AXES = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}  # HWIO -> OIHW (transposed: HWOI -> IOHW), (in, out) -> (out, in)
_REMEDY = (
    "Take all of its files from one folder, for example a backup below _autobackups. Networks of DeepFaceLab from "
    "before 2021 differ and cannot be taken over."
)


@dataclass(frozen=True)
class Imported:
    """A network of DeepFaceLab, ready for a run.

    Attributes:
        model: name in the table of models, or "xseg".
        dims: settings of the network, plain values: those of `Dims`, or {"base": 32}.
        face_type: how much of the head it was trained on.
        tensors: our names -> arrays.
        surplus: entries of the files that the network has no place for.
        files: what was read.
    """

    model: str
    dims: dict[str, Any]
    face_type: FaceType
    tensors: dict[str, Array]
    surplus: tuple[str, ...]
    files: tuple[Path, ...]


def import_model(legacy: LegacyModel) -> Imported:
    """The network of `legacy` with its weights.

    Raises:
        DamagedFileError: a setting, file or array is missing, unknown or of another shape; names it.
    """
    if legacy.kind == "XSeg":
        path = legacy.weight_file("256")
        arrays = {"": (path, load_weights(path))}
        base = _xseg_base(path, arrays[""][1])
        network, model, dims = _on_meta(lambda: XSeg(base)), "xseg", {"base": base}
    else:
        model, sizes = _settings(legacy)
        network, dims = _on_meta(lambda: MODELS.load(model)(sizes)), asdict(sizes)
        parts = [name for name, _ in network.named_children()]
        arrays = {f"{part}.": (legacy.weight_file(part), {}) for part in parts}
        for prefix, (path, _) in arrays.items():
            arrays[prefix] = path, load_weights(path)
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    tensors: dict[str, Array] = {}
    surplus: list[str] = []
    for prefix, (path, weights) in arrays.items():
        shapes = {name: shape for name, shape in wanted.items() if name.startswith(prefix)}
        placed, unplaced = _placed(path, prefix, weights, shapes)
        tensors |= placed
        surplus += [f"{path.name}: {key}" for key in unplaced]
    files = (legacy.data_file, *(path for path, _ in arrays.values()))
    return Imported(model, dims, _face_type(legacy), tensors, tuple(surplus), files)


def our_name(key: str) -> str:
    """Our name for a key of a weight file: down1/downs_0/conv1/weight:0 -> downs.0.conv1.weight."""
    return key.removesuffix(":0").replace("down1/downs_", "downs/").replace("/", ".")


def _placed(
    path: Path, prefix: str, weights: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, Array], list[str]]:
    """Arrays of one file in our order, and the keys that have no place."""
    by_name = {prefix + our_name(key): key for key in weights}
    missing = [name for name in shapes if name not in by_name]
    if missing:
        key = f"{missing[0].removeprefix(prefix).replace('.', '/')}:0"
        raise DamagedFileError(
            f"'{path}' lacks '{key}'" + (f" and {len(missing) - 1} more" if len(missing) > 1 else "") + ", which the "
            f"model's settings ask for. Its files may be of different models. {_REMEDY}"
        )
    placed = {}
    for name, shape in shapes.items():
        array = weights[by_name[name]]
        ours = array.transpose(_AXES[array.ndim]) if array.ndim in _AXES else array
        if ours.shape != shape:
            raise DamagedFileError(
                f"'{path}': '{by_name[name]}' has the shape {array.shape}, not that of the model's settings "
                f"({shape} in our order of axes). Its files may be of different models. {_REMEDY}"
            )
        if _TAKES_COLOURS.fullmatch(name):
            ours = ours[:, ::-1]
        if _GIVES_COLOURS.fullmatch(name):
            ours = ours[::-1]
        placed[name] = np.ascontiguousarray(ours)
    return placed, [key for name, key in by_name.items() if name not in shapes]


def _on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):  # names and shapes, no memory
        return build()


def _xseg_base(path: Path, weights: Mapping[str, Array]) -> int:
    first = weights.get("conv01/conv/weight:0")
    if first is None or first.ndim != 4 or not 1 <= first.shape[-1] <= 256:
        raise DamagedFileError(f"'{path}' lacks 'conv01/conv/weight:0': it is no XSeg network. {_REMEDY}")
    return int(first.shape[-1])


def _face_type(legacy: LegacyModel) -> FaceType:
    if legacy.kind == "Quick96":
        return FaceType.FULL  # it has no choice (dfl-spec 7.4)
    default = "wf" if legacy.kind == "XSeg" else None  # the generic XSeg networks were trained on it
    told = legacy.options.get("face_type", default)
    if told not in FACE_TYPES:
        raise _unknown(legacy, "face_type", told, ", ".join(FACE_TYPES))
    return FACE_TYPES[str(told)]


def _settings(legacy: LegacyModel) -> tuple[str, Dims]:
    """Model and sizes by the settings in the data file (dfl-spec 3.3.1, 7.3 to 7.5)."""
    if legacy.kind == "Quick96":
        return "df", QUICK96
    model, letters = "amp", "udt"
    if legacy.kind == "SAEHD":
        told = legacy.options.get("archi")
        model, _, letters = str(told).partition("-")
        if model not in ("df", "liae") or set(letters) - set("udtc"):
            raise _unknown(legacy, "archi", told, "df or liae with the letters u, d, t, c")
    settings: dict[str, Any] = {
        ours: _whole_number(legacy, theirs)
        for ours, theirs in (
            ("resolution", "resolution"),
            ("ae", "ae_dims"),
            ("encoder", "e_dims"),
            ("decoder", "d_dims"),
            ("mask", "d_mask_dims"),
        )
    }
    settings |= {name: letter in letters for name, letter in LETTERS.items()}
    if model == "amp":
        morph = legacy.options.get("morph_factor")
        settings |= {"inter": _whole_number(legacy, "inter_dims"), "morph": 0.5 if morph is None else morph}
    try:
        return model, Dims(**settings)
    except (ValueError, TypeError) as error:
        raise DamagedFileError(
            f"The settings of '{legacy.name}' in '{legacy.folder}' do not go together: {error}. Take its _data.dat "
            "from a backup of the model."
        ) from error


def _whole_number(legacy: LegacyModel, option: str) -> int:
    value = legacy.options.get(option)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 8192:
        raise _unknown(legacy, option, value, "whole numbers")
    return value


def _unknown(legacy: LegacyModel, option: str, value: Any, known: str) -> DamagedFileError:
    said = "is missing" if value is None else f"is '{str(value)[:40]}'"
    return DamagedFileError(
        f"The setting {option} of '{legacy.name}' in '{legacy.folder}' {said}; known are {known}. {_REMEDY}"
    )
