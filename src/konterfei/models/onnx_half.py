"""Half precision inside an ONNX file: half the size, and faster where a GPU is; its inputs and outputs stay float32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_HALVED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Operators that hold the weights. The rest is little work, and some of it (norms, sigmoids) is better left exact."""


def halve(model: ModelProto) -> None:
    """Let convolutions and dense layers of `model` compute in float16, with casts before and after; in place."""
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    elsewhere = {name for node in graph.node if node.op_type not in _HALVED for name in node.input}
    largest = float(np.finfo(np.float16).max)
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.op_type not in _HALVED:
            nodes.append(node)
            continue
        for position, name in enumerate(node.input):
            if name in weights and name not in elsewhere:
                tensor = weights[name]
                if tensor.data_type == TensorProto.FLOAT:  # two layers may share one
                    values = numpy_helper.to_array(tensor).clip(-largest, largest).astype(np.float16)
                    tensor.CopyFrom(numpy_helper.from_array(values, name))
            elif name:
                node.input[position] = f"{name}/half/{len(nodes)}"
                nodes.append(helper.make_node("Cast", [name], [node.input[position]], to=TensorProto.FLOAT16))
        result, node.output[0] = node.output[0], f"{node.output[0]}/half"
        nodes += [node, helper.make_node("Cast", [node.output[0]], [result], to=TensorProto.FLOAT)]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]  # what is known of the types in between holds no more
