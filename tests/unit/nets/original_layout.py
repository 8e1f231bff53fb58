"""The weight files of the original: names, shapes (dfl-spec C.1-C.3), the synthetic weights of A.11, and how our
modules take them over: HWIO kernels and (in, out) matrices, keys that are our names with slashes."""

import numpy as np
import torch

from konterfei.nets.autoencoders import Dims


def encoder_shapes(d: Dims):
    """Kernel shapes by key prefix. C.1"""
    e = d.encoder
    if d.deep:
        return {
            "down1/conv1": (5, 5, 3, e),
            "res1/conv1": (3, 3, e, e),
            "res1/conv2": (3, 3, e, e),
            "down2/conv1": (5, 5, e, 2 * e),
            "down3/conv1": (5, 5, 2 * e, 4 * e),
            "down4/conv1": (5, 5, 4 * e, 8 * e),
            "down5/conv1": (5, 5, 8 * e, 8 * e),
            "res5/conv1": (3, 3, 8 * e, 8 * e),
            "res5/conv2": (3, 3, 8 * e, 8 * e),
        }
    widths = (3, e, 2 * e, 4 * e, 8 * e)
    return {f"down1/downs_{i}/conv1": (5, 5, widths[i], widths[i + 1]) for i in range(4)}


def inter_shapes(d: Dims, out: int):
    """C.2"""
    features = 8 * d.encoder * (d.resolution // (32 if d.deep else 16)) ** 2
    side = d.resolution // (32 if d.double else 16)
    shapes = {"dense1": (features, d.ae), "dense2": (d.ae, side * side * out)}
    if not d.deep:
        shapes["upscale1/conv1"] = (3, 3, out, 4 * out)
    return shapes


def decoder_shapes(d: Dims, i: int):
    """C.3"""
    w, m = d.decoder, d.mask
    if d.deep:
        image = [(i, 32 * w), (8 * w, 32 * w), (8 * w, 16 * w), (4 * w, 8 * w)]
        residual = [8 * w, 8 * w, 4 * w, 2 * w]
        mask = [(i, 32 * m), (8 * m, 32 * m), (8 * m, 16 * m), (4 * m, 8 * m)]
    else:
        image = [(i, 32 * w), (8 * w, 16 * w), (4 * w, 8 * w)]
        residual = [8 * w, 4 * w, 2 * w]
        mask = [(i, 32 * m), (8 * m, 16 * m), (4 * m, 8 * m)]
    if d.double:
        mask.append((2 * m, 4 * m))
    shapes = {f"upscale{n}/conv1": (3, 3, *pair) for n, pair in enumerate(image)}
    shapes |= {f"res{n}/conv{k}": (3, 3, c, c) for n, c in enumerate(residual) for k in (1, 2)}
    shapes |= {f"upscalem{n}/conv1": (3, 3, *pair) for n, pair in enumerate(mask)}
    shapes["out_conv"] = (1, 1, 2 * w, 3)
    if d.double:
        shapes |= {f"out_conv{n}": (3, 3, 2 * w, 3) for n in (1, 2, 3)}
    shapes["out_convm"] = (1, 1, m if d.double else 2 * m, 1)
    return shapes


def synthetic(key: str, shape: tuple[int, ...]):
    """The array of A.11 for a key that ends in :0. float32"""
    h = sum(key.encode()) % 1000
    wave = np.sin(0.7 * np.arange(np.prod(shape), dtype=np.float64) + h)
    scale = np.sqrt(3 / (np.prod(shape) / shape[-1])) if len(shape) > 1 else 0.05
    return (scale * wave).reshape(shape).astype(np.float32)


def fill(module: torch.nn.Module, shapes: dict[str, tuple[int, ...]]) -> None:
    """Put the synthetic weights into one of our modules. Every array is used, and every parameter is set."""
    state = {}
    for prefix, shape in shapes.items():
        ours = prefix.replace("down1/downs_", "downs/").replace("convs_", "convs/").replace("/", ".")
        kernel = synthetic(f"{prefix}/weight:0", shape)
        order = (3, 2, 0, 1) if len(shape) == 4 else (1, 0)
        state[f"{ours}.weight"] = torch.from_numpy(np.ascontiguousarray(kernel.transpose(order)))
        outputs = shape[-2:-1] if "upconvs" in prefix else shape[-1:]  # of a transposed kernel (kh, kw, out, in)
        state[f"{ours}.bias"] = torch.from_numpy(synthetic(f"{prefix}/bias:0", outputs))
    module.load_state_dict(state, strict=True)


def wave_image(side: int):
    """The input of A.11. [1, 3, S, S] float32, channels as stored"""
    y, x = np.mgrid[0:side, 0:side]
    image = [0.5 + 0.5 * np.sin(0.05 * (3 * x + 5 * y) + 1.3 * c) for c in range(3)]
    return torch.from_numpy(np.stack(image)[None].astype(np.float32))
