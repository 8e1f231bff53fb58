"""Model folders in DeepFaceLab's format (dfl-spec 3.3, appendix C), written by us: random weights, tiny widths."""

from pathlib import Path

import numpy as np

from konterfei.nets.dims import Dims
from legacy_reader_material import dumped as pickled
from original_layout import amp_shapes, decoder_shapes, encoder_shapes, inter_shapes, xseg_shapes

LETTERS = {"u": "unit", "d": "double", "t": "deep", "c": "cosine"}
SIZES = {"resolution": 64, "ae_dims": 6, "e_dims": 4, "d_dims": 4, "d_mask_dims": 2}
OPTIONS = {**SIZES, "face_type": "wf", "batch_size": 8, "models_opt_on_gpu": True, "lr_dropout": "n", "gan_power": 0.0}


def dims_of(archi: str, options=OPTIONS) -> Dims:
    letters = "udt" if archi == "amp" else archi.partition("-")[2]
    sizes = {ours: options[f"{theirs}_dims"] for ours, theirs in (("ae", "ae"), ("encoder", "e"), ("decoder", "d"))}
    chosen = {name: letter in letters for letter, name in LETTERS.items()}
    return Dims(resolution=options["resolution"], **sizes, mask=options["d_mask_dims"], **chosen)


def shapes_of(archi: str, options=OPTIONS):
    """Kernel shapes by file and key prefix."""
    dims = dims_of(archi, options)
    if archi == "amp":
        return amp_shapes(dims, options["inter_dims"])
    files = {"encoder": encoder_shapes(dims)}
    if archi.startswith("df"):
        files["inter"] = inter_shapes(dims, dims.ae)
        return files | {f"decoder_{who}": decoder_shapes(dims, dims.ae) for who in ("src", "dst")}
    files |= {f"inter_{which}": inter_shapes(dims, 2 * dims.ae) for which in ("AB", "B")}
    return files | {"decoder": decoder_shapes(dims, 4 * dims.ae)}


def random_weights(shapes, seed, gain=2.0):
    """Arrays by key for kernel shapes by prefix: kernels that keep the size of what they are given, small biases."""
    rng = np.random.RandomState(seed)
    weights = {}
    for prefix, shape in shapes.items():
        fan = np.prod(shape[:-1])
        weights[f"{prefix}/weight:0"] = rng.normal(0, np.sqrt(gain / fan), shape).astype(np.float32)
        weights[f"{prefix}/bias:0"] = rng.normal(0, 0.2, shape[-1:]).astype(np.float32)
    return weights


def random_xseg(base, seed=0):
    rng = np.random.RandomState(seed)
    weights = {}
    for key, shape in xseg_shapes(base).items():
        kind = key.split("/")[-1]
        if kind == "eps:0":
            array = np.full(shape, -1e-3)  # its sign does not count
        elif len(shape) > 1:
            array = rng.normal(0, np.sqrt(2 / (np.prod(shape) / max(shape[-2:]))), shape)
        else:
            array = rng.normal(1.0 if key.endswith("frn/weight:0") else 0.0, 0.2, shape)
        weights[key] = array.astype(np.float32)
    return weights


def write_folder(folder: Path, name: str, files, options, steps=1234, protocol=4):
    """A model's data file and weight files, and what else lies beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {
        "iter": steps,
        "options": options,
        "loss_history": [[0.5, 0.25]] * 3,
        "sample_for_preview": [[np.zeros((2, 8, 8, 3), np.float32)]],
        "choosed_gpu_indexes": None,
    }
    (folder / f"{name}_data.dat").write_bytes(pickled(data, protocol))
    (folder / f"{name}_summary.txt").write_text("== Model name ==")
    for part, weights in files.items():
        (folder / f"{name}_{part}.npy").write_bytes(pickled(weights, protocol))
    slots = {"iters:0": np.int64(steps), "ms_x/weight_0:0": np.zeros(3, np.float32)}
    (folder / f"{name}_src_dst_opt.npy").write_bytes(pickled(slots, protocol))
    return folder


def write_model(folder: Path, archi: str, kind="SAEHD", protocol=4, **changes):
    """A SAEHD or AMP model of tiny networks. Gives its weights by file and key."""
    options = {**OPTIONS, **changes}
    if archi == "amp":
        kind, options = "AMP", {"inter_dims": 10, "morph_factor": np.float64(0.3), **options}
    else:
        options["archi"] = archi
    shapes = shapes_of(archi, options)
    # x cos x of large x is chaos: rounding alone would show
    gain = 1.0 if "c" in archi.partition("-")[2] else 2.0
    files = {part: random_weights(shapes[part], seed, gain) for seed, part in enumerate(shapes)}
    write_folder(folder, f"anna_{kind}", files, options, protocol=protocol)
    return files


def write_xseg(folder: Path, base=4):
    """Gives the weights by key."""
    weights = random_xseg(base)
    write_folder(folder, "XSeg", {"256": weights}, {"face_type": "wf", "pretrain": False, "batch_size": 4})
    return weights
