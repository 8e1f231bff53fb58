"""The weight files of the original: names, shapes (dfl-spec C.1-C.3), the synthetic weights of A.11, and how our
modules take them over: HWIO kernels and (in, out) matrices, keys that are our names with slashes."""

from dataclasses import replace

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


def amp_shapes(d: Dims, inter_dims: int):
    """Kernel shapes by file and key prefix. C.4"""
    d = replace(d, deep=True, double=True)
    encoder = encoder_shapes(d) | {"dense1": (8 * d.encoder * (d.resolution // 32) ** 2, d.ae)}
    inter = {"dense2": (d.ae, (d.resolution // 32) ** 2 * inter_dims)}
    return {
        "encoder": encoder,
        "inter_src": inter,
        "inter_dst": inter,
        "decoder": decoder_shapes(d, inter_dims),
    }


XSEG_BLOCKS = [
    "conv01",
    "conv02",
    "conv11",
    "conv12",
    "conv21",
    "conv22",
    "conv31",
    "conv32",
    "conv33",
    "conv41",
    "conv42",
    "conv43",
    "conv51",
    "conv52",
    "conv53",
    "uconv53",
    "uconv52",
    "uconv51",
    "uconv43",
    "uconv42",
    "uconv41",
    "uconv33",
    "uconv32",
    "uconv31",
    "uconv22",
    "uconv21",
    "uconv12",
    "uconv11",
    "uconv02",
    "uconv01",
]


def xseg_shapes(b: int):
    """Every array of the file by its key. C.5 and the table of 6.4, whose widths are those of b = 32"""
    into = {"conv01": 3, "conv11": 32, "conv21": 64, "conv31": 128, "uconv22": 256, "uconv12": 128, "uconv02": 64}
    into |= dict.fromkeys(("uconv53", "uconv43", "uconv33"), 384)
    width = {"0": 32, "1": 64, "2": 128, "3": 256, "4": 256, "5": 256}
    ups = {
        "up5": (256, 128),
        "up4": (256, 128),
        "up3": (256, 128),
        "up2": (256, 128),
        "up1": (128, 64),
        "up0": (64, 32),
    }
    shapes = {}
    for name in [*XSEG_BLOCKS, *ups]:
        if name in ups:
            before, after = (b * n // 32 for n in ups[name])
            kernel = (3, 3, after, before)
        else:
            after = b * width[name[-2]] // 32
            before = (3 if name == "conv01" else b * into[name] // 32) if name in into else after
            kernel = (3, 3, before, after)
        shapes |= {f"{name}/conv/weight:0": kernel, f"{name}/conv/bias:0": (after,)}
        shapes |= {f"{name}/frn/weight:0": (after,), f"{name}/frn/bias:0": (after,), f"{name}/frn/eps:0": (1,)}
        shapes[f"{name}/tlu/tau:0"] = (after,)
    flat = 128 * b
    shapes |= {"dense1/weight:0": (flat, 512), "dense1/bias:0": (512,), "dense2/weight:0": (512, flat)}
    return shapes | {"dense2/bias:0": (flat,), "out_conv/weight:0": (3, 3, b, 1), "out_conv/bias:0": (1,)}


def synthetic(key: str, shape: tuple[int, ...]):
    """The array of A.11 for a key that ends in :0. float32"""
    h = sum(key.encode()) % 1000
    wave = np.sin(0.7 * np.arange(np.prod(shape), dtype=np.float64) + h)
    if key.endswith("frn/weight:0"):
        return (1 + 0.1 * wave).astype(np.float32)
    if key.endswith("eps:0"):
        return np.full(shape, 1e-6, np.float32)
    scale = np.sqrt(3 / (np.prod(shape) / shape[-1])) if len(shape) > 1 else 0.05
    return (scale * wave).reshape(shape).astype(np.float32)


def our_name(prefix: str) -> str:
    """Name of a layer in our modules."""
    return prefix.replace("down1/downs_", "downs/").replace("convs_", "convs/").replace("/", ".")


def parameter_shapes(shapes: dict[str, tuple[int, ...]]):
    """Name and shape of our parameters for kernel shapes by key prefix."""
    for prefix, shape in shapes.items():
        order = (3, 2, 0, 1) if len(shape) == 4 else (1, 0)
        yield f"{our_name(prefix)}.weight", tuple(shape[axis] for axis in order)
        yield f"{our_name(prefix)}.bias", shape[-1:]


def fill(module: torch.nn.Module, shapes: dict[str, tuple[int, ...]]) -> None:
    """Put the synthetic weights into one of our modules. Every array is used, and every parameter is set."""
    state = {}
    for prefix, shape in shapes.items():
        ours = our_name(prefix)
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
