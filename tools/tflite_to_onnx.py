"""Turns a small convolutional network in TFLite into ONNX with a free batch axis.

    python tools/tflite_to_onnx.py network.tflite network.onnx

Needs the packages `tflite` (reads the file's tables) and `onnx`. Pictures go in as [N, H, W, 3], as TFLite has them;
inside they are channels first. Weights that are stored in half precision stay so and are widened when the network is
opened. Knows the operators of MediaPipe's palm and hand networks, and refuses others.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper

KINDS = {0: np.float32, 1: np.float16, 2: np.int32}
"""TFLite's numbers of tensor types."""
ACTIVATIONS = {1: ("Relu", {}), 3: ("Clip6", {})}
"""TFLite's numbers of fused activations; 3 is Relu6."""
NAMES = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}


class Converter:
    """One graph on its way."""

    def __init__(self, data: bytes) -> None:
        self.model = tflite.Model.GetRootAs(data, 0)
        self.graph = self.model.Subgraphs(0)
        self.constants: dict[int, np.ndarray] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.flat: set[int] = set()  # tensors that are as TFLite has them, not channels first

    def tensor(self, number: int) -> np.ndarray | None:
        """The values of a constant; None where it is computed."""
        if number in self.constants:
            return self.constants[number]
        tensor = self.graph.Tensors(number)
        raw = self.model.Buffers(tensor.Buffer()).DataAsNumpy()
        if not isinstance(raw, np.ndarray) or raw.size == 0:
            return None
        return raw.view(KINDS[tensor.Type()]).reshape(self.shape(number))

    def shape(self, number: int) -> list[int]:
        """As the file says, batch axis 1."""
        return [int(side) for side in np.atleast_1d(self.graph.Tensors(number).ShapeAsNumpy())]

    def constant(self, values: np.ndarray) -> str:
        """The name of new constant values; half precision is widened behind it."""
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return self.add("Cast", [name], to=TensorProto.FLOAT) if values.dtype == np.float16 else name

    def add(self, kind: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        """A new node; the name of what it gives."""
        output = output or f"n{len(self.nodes)}"
        if kind == "Clip6":
            kind, inputs = "Clip", [*inputs, *[self.constant(np.float32(bound)) for bound in (0, 6)]]
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def name(self, number: int) -> str:
        """Of a tensor that is computed."""
        return f"t{number}"

    def finish(self, result: str, number: int, activation: int = 0) -> None:
        """Give `result` the name of a tensor, through its fused activation."""
        kind, attributes = ACTIVATIONS[activation] if activation else ("Identity", {})
        self.add(kind, [result], self.name(number), **attributes)

    def options(self, operator: Any, kind: type) -> Any:
        """The operator's options, of the table `kind`."""
        found = kind()
        table = operator.BuiltinOptions()
        found.Init(table.Bytes, table.Pos)
        return found

    def convert(self) -> onnx.ModelProto:
        """The whole network."""
        given = self.graph.InputsAsNumpy()
        for number in given:
            self.add("Transpose", [f"in{number}"], self.name(number), perm=[0, 3, 1, 2])
        for place in range(self.graph.OperatorsLength()):
            operator = self.graph.Operators(place)
            code = self.model.OperatorCodes(operator.OpcodeIndex())
            kind = NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            getattr(self, "_" + kind.lower())(operator, list(operator.InputsAsNumpy()), int(operator.Outputs(0)))
        outputs = list(self.graph.OutputsAsNumpy())
        for place, number in enumerate(outputs):
            assert number in self.flat or len(self.shape(number)) < 4, "an output is a picture"
            self.add("Identity", [self.name(number)], f"y{place}")
        float_info = [("x", self.shape(given[0])[1:])]
        for node in self.nodes:
            node.input[:] = ["x" if name == f"in{given[0]}" else name for name in node.input]
        inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", *s]) for n, s in float_info]
        results = [
            helper.make_tensor_value_info(f"y{p}", TensorProto.FLOAT, ["batch", *self.shape(n)[1:]])
            for p, n in enumerate(outputs)
        ]
        graph = helper.make_graph(self.nodes, "network", inputs, results, self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _dequantize(self, operator: Any, inputs: list[int], output: int) -> None:
        values = self.tensor(inputs[0])
        assert values is not None and values.dtype == np.float16
        self.constants[output] = values

    def _conv_2d(self, operator: Any, inputs: list[int], output: int) -> None:
        self._conv(self.options(operator, tflite.Conv2DOptions), inputs, output, depthwise=False)

    def _depthwise_conv_2d(self, operator: Any, inputs: list[int], output: int) -> None:
        self._conv(self.options(operator, tflite.DepthwiseConv2DOptions), inputs, output, depthwise=True)

    def _conv(self, options: Any, inputs: list[int], output: int, depthwise: bool) -> None:
        kernel, bias = self.tensor(inputs[1]), self.tensor(inputs[2])
        assert kernel is not None and bias is not None
        kernel = kernel.transpose(3, 0, 1, 2) if depthwise else kernel.transpose(0, 3, 1, 2)
        result = self.add(
            "Conv",
            [self.name(inputs[0]), self.constant(kernel), self.constant(bias)],
            strides=[options.StrideH(), options.StrideW()],
            auto_pad="SAME_UPPER" if options.Padding() == tflite.Padding.SAME else "VALID",
            group=kernel.shape[0] if depthwise else 1,
        )
        self.finish(result, output, options.FusedActivationFunction())

    def _prelu(self, operator: Any, inputs: list[int], output: int) -> None:
        """As the part above zero and slope times the part below, which is the same and faster."""
        slope = self.tensor(inputs[1])
        assert slope is not None
        name, zero = self.name(inputs[0]), self.constant(np.float32(0))
        below = self.add("Mul", [self.add("Min", [name, zero]), self.constant(slope.reshape(-1, 1, 1))])
        self.finish(self.add("Add", [self.add("Relu", [name]), below]), output)

    def _add(self, operator: Any, inputs: list[int], output: int) -> None:
        activation = self.options(operator, tflite.AddOptions).FusedActivationFunction()
        self.finish(self.add("Add", [self.name(number) for number in inputs]), output, activation)

    def _max_pool_2d(self, operator: Any, inputs: list[int], output: int) -> None:
        options = self.options(operator, tflite.Pool2DOptions)
        result = self.add(
            "MaxPool",
            [self.name(inputs[0])],
            kernel_shape=[options.FilterHeight(), options.FilterWidth()],
            strides=[options.StrideH(), options.StrideW()],
            auto_pad="SAME_UPPER" if options.Padding() == tflite.Padding.SAME else "VALID",
        )
        self.finish(result, output)

    def _pad(self, operator: Any, inputs: list[int], output: int) -> None:
        widths = self.tensor(inputs[1])
        assert widths is not None
        order = widths[[0, 3, 1, 2]]
        pads = self.constant(np.concatenate([order[:, 0], order[:, 1]]).astype(np.int64))
        self.finish(self.add("Pad", [self.name(inputs[0]), pads]), output)

    def _resize_bilinear(self, operator: Any, inputs: list[int], output: int) -> None:
        options = self.options(operator, tflite.ResizeBilinearOptions)
        old, new = self.shape(inputs[0]), self.shape(output)
        scales = self.constant(np.float32([1, 1, new[1] / old[1], new[2] / old[2]]))
        how = "align_corners" if options.AlignCorners() else "half_pixel"
        how = how if options.AlignCorners() or options.HalfPixelCenters() else "asymmetric"
        names = [self.name(inputs[0]), "", scales]
        self.finish(self.add("Resize", names, mode="linear", coordinate_transformation_mode=how), output)

    def _reshape(self, operator: Any, inputs: list[int], output: int) -> None:
        name = self.name(inputs[0])
        if len(self.shape(inputs[0])) == 4:
            name = self.add("Transpose", [name], perm=[0, 2, 3, 1])
        to = self.constant(np.array([-1, *self.shape(output)[1:]], np.int64))
        self.finish(self.add("Reshape", [name, to]), output)
        self.flat.add(output)

    def _concatenation(self, operator: Any, inputs: list[int], output: int) -> None:
        axis = self.options(operator, tflite.ConcatenationOptions).Axis()
        assert all(number in self.flat for number in inputs)
        self.finish(self.add("Concat", [self.name(number) for number in inputs], axis=axis), output)
        self.flat.add(output)

    def _mean(self, operator: Any, inputs: list[int], output: int) -> None:
        axes = self.tensor(inputs[1])
        assert axes is not None and sorted(axes.ravel()) == [1, 2]
        pooled = self.add("GlobalAveragePool", [self.name(inputs[0])])
        self.finish(self.add("Flatten", [pooled]), output)
        self.flat.add(output)

    def _fully_connected(self, operator: Any, inputs: list[int], output: int) -> None:
        weights, bias = self.tensor(inputs[1]), self.tensor(inputs[2])
        assert weights is not None and bias is not None
        name = self.name(inputs[0])
        if inputs[0] not in self.flat:
            name = self.add("Flatten", [self.add("Transpose", [name], perm=[0, 2, 3, 1])])
        result = self.add("Gemm", [name, self.constant(weights), self.constant(bias)], transB=1)
        activation = self.options(operator, tflite.FullyConnectedOptions).FusedActivationFunction()
        self.finish(result, output, activation)
        self.flat.add(output)

    def _logistic(self, operator: Any, inputs: list[int], output: int) -> None:
        self.finish(self.add("Sigmoid", [self.name(inputs[0])]), output)
        if inputs[0] in self.flat:
            self.flat.add(output)


def main(source: Path, target: Path) -> None:
    """Convert one file."""
    target.write_bytes(Converter(source.read_bytes()).convert().SerializeToString(deterministic=True))
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
