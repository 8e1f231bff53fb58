"""MobileFaceNet (Chen et al. 2018, arXiv 1804.07573) as a torch network: the carried weights, and gradients through it.

`konterfei.recognizers` looks at finished pictures with ONNX Runtime, which gives no gradients. The libraries that turn
ONNX into torch want torchvision; this network is a chain of convolutions, read in the order of the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MobileFaceNet(nn.Module):
    """The recognizer with fixed weights: gradients go through it, it never learns.

    Args:
        file: its ONNX file.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        layers = _layers(file)
        self.stem, self.head = nn.Sequential(*layers[:3]), nn.Sequential(*layers[-4:])
        body = layers[3:-4]  # each block widens, looks around, narrows
        self.blocks = nn.ModuleList(nn.Sequential(*body[i : i + 3]) for i in range(0, len(body), 3))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        """Who is seen: unit vectors, [N, 192] float32.

        Args:
            images: aligned faces. [N, 3, 112, 112] in [0, 1]
        """
        x = self.stem((images * (255 / 128) - 127.5 / 128).contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            y = block(x)
            x = x + y if y.shape == x.shape else y
        return F.normalize(self.head(x).flatten(1).float())


class _Convolution(nn.Module):
    """A convolution padded as TensorFlow does ("same": at even sides, a stride of 2 adds below and right alone), and
    the PReLU behind it where there is one.
    """

    weight: Tensor
    bias: Tensor
    slopes: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor, stride: int, groups: int, pads: bool) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.register_buffer("slopes", None)
        wanted = weight.shape[-1] - stride if pads else 0
        self._before, self._more = wanted // 2, wanted % 2
        self._stride, self._groups = stride, groups

    def forward(self, x: Tensor) -> Tensor:
        if self._more:
            x = F.pad(x, (0, 1, 0, 1))
        x = F.conv2d(x, self.weight, self.bias, self._stride, self._before, groups=self._groups)
        return x if self.slopes is None else _FixedPReLU.apply(x, self.slopes.to(x.dtype))  # type: ignore[no-any-return]


class _FixedPReLU(torch.autograd.Function):
    """PReLU whose slopes do not learn. On a CPU, torch's own gradient of it takes longer than all convolutions."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slopes: Tensor) -> Tensor:
        ctx.save_for_backward(x, slopes)
        return torch.prelu(x, slopes)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        x, slopes = ctx.saved_tensors
        above = torch.ops.aten.threshold_backward(gradient, x, 0)
        return torch.lerp(above, gradient, slopes.view(1, -1, 1, 1)), None


def _layers(file: Path) -> list[_Convolution]:
    """The file's convolutions in order, each with the PReLU behind it.

    There a PReLU is slope x + (1 - slope) relu(x), of depthwise convolutions of 1 x 1 without a bias.
    """
    import onnx  # 0.2 s to import: only where the network is asked for

    graph = onnx.load(str(file)).graph
    weights = {item.name: torch.from_numpy(onnx.numpy_helper.to_array(item).copy()) for item in graph.initializer}
    found: list[_Convolution] = []
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        options = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
        if len(node.input) == 3:
            weight, bias = (weights[name] for name in node.input[1:])
            found.append(_Convolution(weight, bias, options["strides"][0], options["group"], any(options["pads"])))
        elif found[-1].slopes is None:
            found[-1].slopes = weights[node.input[1]].flatten()
    return found
