"""Trained networks as ONNX files: for live programs that read DeepFaceLab's .dfm, and for anything else.

PyTorch's exporter by tracing is used, not the newer one: only it can write opset 12, which .dfm is, and it needs no
package but onnx.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from konterfei.errors import ConfigError, KonterfeiError
from konterfei.models.base import SwapModel
from konterfei.models.onnx_half import halve
from konterfei.nets.xseg import SIDE as XSEG_SIDE
from konterfei.nets.xseg import XSeg

MOST_BYTES = 2_000_000_000
"""An ONNX file is one protobuf message, which holds less than 2 GiB."""
TOLERANCE = 1e-3
"""Largest difference between an exported file and the network that it was made from; 1e-6 is usual in float32."""
HALF_TOLERANCE = 0.02
"""The same in half precision: five of 255 steps of brightness; a few thousandths are usual."""


@dataclass(frozen=True)
class Form:
    """What a file looks like from outside.

    Attributes:
        inputs, outputs: names, in order; where there is one for morphing, it is the second input.
        opset: version of ONNX's operators.
        graph: name of the graph.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    opset: int
    graph: str


class Dfm(nn.Module):
    """DeepFaceLab's interface: NHWC, BGR, 0 to 1 (dfl-spec 3.7).

    in_face [N, R, R, 3] (and morph_value [1], 0 to 1) -> mask of dst [N, R, R, 1], face [N, R, R, 3], its mask.
    """

    def __init__(self, model: SwapModel, kind: str) -> None:
        super().__init__()
        self.model, self.side = model, model.dims.resolution
        inputs = ("in_face:0", "morph_value:0") if model.can_morph else ("in_face:0",)
        outputs = ("out_face_mask:0", "out_celeb_face:0", "out_celeb_face_mask:0")
        self.form = Form(inputs, outputs, 12, "AMP" if kind == "amp" else "SAEHD")

    def forward(self, face: Tensor, *morph: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See class."""
        drawn, own_mask = self.model.swap(_turned(face.permute(0, 3, 1, 2)), *morph)
        return _last(own_mask), _last(_turned(drawn.image)), _last(drawn.mask)


class Plain(nn.Module):
    """Our own interface: NCHW, RGB, 0 to 1.

    dst [N, 3, R, R] (and morph [1], 0 to 1) -> swapped [N, 3, R, R], swapped_mask and dst_mask [N, 1, R, R].
    """

    def __init__(self, model: SwapModel, kind: str) -> None:
        super().__init__()
        self.model, self.side = model, model.dims.resolution
        inputs = ("dst", "morph") if model.can_morph else ("dst",)
        self.form = Form(inputs, ("swapped", "swapped_mask", "dst_mask"), 17, f"konterfei {kind}")

    def forward(self, dst: Tensor, *morph: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See class."""
        drawn, own_mask = self.model.swap(dst, *morph)
        return drawn.image, drawn.mask, own_mask


class Segmenter(nn.Module):
    """DeepFaceLab's interface of XSeg: in_face [N, 256, 256, 3] BGR -> out_mask [N, 256, 256, 1] (dfl-spec 3.7)."""

    def __init__(self, network: XSeg) -> None:
        super().__init__()
        self.network, self.side = network, XSEG_SIDE
        self.form = Form(("in_face:0",), ("out_mask:0",), 13, "XSeg")

    def forward(self, face: Tensor) -> tuple[Tensor]:
        """See class."""
        return (_last(torch.sigmoid(self.network(_turned(face.permute(0, 3, 1, 2))))),)


Exportable = Dfm | Plain | Segmenter


def write_onnx(network: Exportable, path: Path, about: Mapping[str, str], half: bool = False) -> float:
    """Write `network` to `path` and compare what ONNX Runtime makes of it with the network itself.

    Args:
        network: on the CPU.
        path: a temporary path: the file is not written atomically.
        about: kept in the file's metadata_props.
        half: weights and the work with them are float16.

    Returns:
        The largest difference, on random pictures, one and three at a time, for several places of the slider.

    Raises:
        ConfigError: the network is too large for a file.
        KonterfeiError: the file draws something else.
    """
    import onnx

    size = sum(value.numel() * value.element_size() for value in network.state_dict().values())
    if size > MOST_BYTES:
        raise ConfigError(
            f"This network has {size / 1e9:.1f} GB of weights; an ONNX file holds 2 GB. Train a smaller one to export."
        )
    network.eval()
    form = network.form
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is a newer exporter, and what it cannot fold
        torch.onnx.export(
            network,
            _samples(network, 2, 0.5),
            str(path),
            dynamo=False,
            opset_version=form.opset,
            input_names=list(form.inputs),
            output_names=list(form.outputs),
            dynamic_axes={name: {0: "N"} for name in (form.inputs[0], *form.outputs)},
        )
        shapes = [tuple(value.shape[1:]) for value in network(*_samples(network, 2, 0.5))]
    written = onnx.load(str(path))
    written.graph.name = form.graph
    for output, shape in zip(written.graph.output, shapes, strict=True):
        for dim, side in zip(output.type.tensor_type.shape.dim[1:], shape, strict=True):
            dim.dim_value = side
    if half:
        halve(written)
    onnx.helper.set_model_props(written, dict(about))
    onnx.checker.check_model(written)
    onnx.save(written, str(path))
    difference = _difference(network, path)
    if not difference <= (HALF_TOLERANCE if half else TOLERANCE):
        raise KonterfeiError(
            f"The exported network differs from the trained one by {difference:.2g}, more than {TOLERANCE:g}: no file "
            "was written. Install the versions that constraints.txt names, or train on for a moment and export again."
        )
    return difference


def _difference(network: Exportable, path: Path) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for count, morph in ((1, 1.0), (3, 0.35), (1, 0.0)):
        samples = _samples(network, count, morph)
        with torch.no_grad():
            wanted = network(*samples)
        feed = dict(zip(network.form.inputs, (sample.numpy() for sample in samples), strict=True))
        for ours, theirs in zip(wanted, session.run(list(network.form.outputs), feed), strict=True):
            worst = max(worst, float(np.abs(ours.numpy() - theirs).max()))
    return worst


def _samples(network: Exportable, count: int, morph: float) -> tuple[Tensor, ...]:
    """Random inputs, the same each time."""
    side = network.side
    shape = (count, 3, side, side) if isinstance(network, Plain) else (count, side, side, 3)
    picture = torch.rand(shape, generator=torch.Generator().manual_seed(count))
    return (picture, torch.tensor([morph])) if len(network.form.inputs) == 2 else (picture,)


def _turned(image: Tensor) -> Tensor:
    """BGR to RGB and back. [N, 3, H, W] -> same"""
    return image[:, [2, 1, 0]]


def _last(image: Tensor) -> Tensor:
    """Channels last. [N, C, H, W] -> [N, H, W, C]"""
    return image.permute(0, 2, 3, 1)
