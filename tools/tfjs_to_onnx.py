"""Turns a plain network in TensorFlow.js' graph form into ONNX with a free batch axis.

    python tools/tfjs_to_onnx.py network.json OUTPUT network.onnx

Reads the .json and the .bin files that it names, and keeps only what the node OUTPUT needs. Needs the package `onnx`.
Pictures go in as [N, H, W, 3], as TensorFlow has them; inside they are channels first. Weights that are stored in half
precision stay so and are widened when the network is opened. Knows the operators of MobileNets, and refuses others.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STORED = {"float16": "<f2", None: "<f4"}
"""How the numbers of the .bin files are stored."""
PLAIN = {"Add": "Add", "Mul": "Mul", "Minimum": "Min", "Maximum": "Max", "Relu": "Relu"}
"""Operators that ONNX has under another name."""


def constants_of(manifest: list[dict[str, Any]], folder: Path) -> dict[str, np.ndarray]:
    """Values of every constant by name, as they are stored."""
    found = {}
    for group in manifest:
        data, at = b"".join((folder / path).read_bytes() for path in group["paths"]), 0
        for weight in group["weights"]:
            if weight["dtype"] == "int32":
                kind = np.dtype("<i4")
            else:
                kind = np.dtype(STORED[weight.get("quantization", {}).get("dtype")])
            count = int(np.prod(weight["shape"]))
            found[weight["name"]] = np.frombuffer(data, kind, count, at).reshape(weight["shape"])
            at += found[weight["name"]].nbytes
        if at != len(data):
            raise SystemExit(f"{group['paths']}: {len(data) - at} bytes of the weights are left over")
    return found


class Converter:
    """One graph on its way."""

    def __init__(self, file: Path) -> None:
        graph = json.loads(file.read_text("utf-8"))
        self.source = {node["name"]: node for node in graph["modelTopology"]["node"]}
        self.constants = constants_of(graph["weightsManifest"], file.parent)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self.inputs: list[onnx.ValueInfoProto] = []
        self.done: set[str] = set()
        self.sizes: dict[str, int] = {}  # height = width of what is computed

    def constant(self, name: str, values: np.ndarray) -> str:
        """The name of constant values; half precision is widened behind it."""
        wide = f"{name}.wide"
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
            if values.dtype == np.float16:
                self.nodes.append(helper.make_node("Cast", [name], [wide], to=TensorProto.FLOAT))
        return wide if values.dtype == np.float16 else name

    def value(self, name: str) -> str:
        """The name of a node's result, made if it was not yet; constants stand in channels-first order."""
        node = self.source[name]
        if node["op"] == "Const":
            values = self.constants[name]
            return self.constant(name, values.reshape(-1, 1, 1) if values.ndim == 1 else values)
        if name not in self.done:
            self.make(node)
            self.done.add(name)
        return name

    def make(self, node: dict[str, Any]) -> None:
        """One node, after those that it needs."""
        kind, name = node["op"], node["name"]
        if kind == "Placeholder":
            shape = [int(dim["size"]) for dim in node["attr"]["shape"]["shape"]["dim"]]
            self.sizes[name] = shape[1]
            self.inputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape[1:]]))
            self.nodes.append(helper.make_node("Transpose", ["x"], [name], perm=[0, 3, 1, 2]))
            return
        sources = [self.value(source) for source in node["input"][: 1 if kind in ("Conv2D", "Mean") else None]
                   if kind != "DepthwiseConv2dNative" or source == node["input"][0]]  # fmt: skip
        self.sizes[name] = next(self.sizes[source] for source in node["input"] if source in self.sizes)
        if kind in ("Conv2D", "DepthwiseConv2dNative"):
            self.convolution(node, sources[0])
        elif kind == "Mean" and self.constants[node["input"][1]].tolist() == [1, 2]:
            self.nodes.append(helper.make_node("GlobalAveragePool", sources, [f"{name}.map"]))
            self.nodes.append(helper.make_node("Flatten", [f"{name}.map"], [name]))
        elif kind in PLAIN:
            self.nodes.append(helper.make_node(PLAIN[kind], sources, [name]))
        else:
            raise SystemExit(f"{name}: the operator {kind} is not known here")

    def convolution(self, node: dict[str, Any], source: str) -> None:
        """Padded as TensorFlow does: what is odd is added below and at the right."""
        name, attributes = node["name"], node["attr"]
        kernel = self.constants[node["input"][1]]  # height, width, in, out (depthwise: times)
        is_deep = node["op"] == "DepthwiseConv2dNative"
        kernel = kernel.transpose(2, 3, 0, 1) if is_deep else kernel.transpose(3, 2, 0, 1)
        side, stride = kernel.shape[-1], int(attributes["strides"]["list"]["i"][1])
        if is_deep and kernel.shape[1] != 1:
            raise SystemExit(f"{name}: a depthwise convolution that widens is not known here")
        before = self.sizes[name]
        self.sizes[name] = -(-before // stride)
        wanted = max((self.sizes[name] - 1) * stride + side - before, 0)
        self.nodes.append(
            helper.make_node(
                "Conv",
                [source, self.constant(node["input"][1], kernel)],
                [name],
                strides=[stride] * 2,
                pads=[wanted // 2] * 2 + [wanted - wanted // 2] * 2,
                group=len(kernel) if is_deep else 1,
            )
        )

    def model(self, output: str, center: np.ndarray | None) -> onnx.ModelProto:
        """[N, H, W, 3] "x" in, [N, D] "y" out."""
        made = self.value(output)
        if center is None:
            self.nodes.append(helper.make_node("Identity", [made], ["y"]))
        else:
            self.nodes.append(helper.make_node("LpNormalization", [made], ["unit"], axis=1, p=2))
            self.nodes.append(helper.make_node("Sub", ["unit", self.constant("center", center)], ["y"]))
        ends = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "d"])]
        graph = helper.make_graph(self.nodes, "network", self.inputs, ends, list(self.initializers.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model


def converted(file: Path, output: str, center: np.ndarray | None = None) -> bytes:
    """The part of the network in `file` that gives `output`, as ONNX.

    With a `center` [D] it gives the output's direction, seen from there: unit vector minus `center`.
    """
    return Converter(file).model(output, center).SerializeToString(deterministic=True)  # type: ignore[no-any-return]


if __name__ == "__main__":
    Path(sys.argv[3]).write_bytes(converted(Path(sys.argv[1]), sys.argv[2]))
