"""A narrow network put into a wider one that draws just the same: what was learned cheaply begins a larger training.

A new channel hears old and new ones as a new network would, but no old one listens to it at first: outputs are equal,
and the new channels learn from the first step on (Net2Net, Chen et al. 2016, arXiv 1511.05641, has copies of channels
instead, which Adam moves alike). Only the encoder's last channels are copies, since all of its output is normalised
together (dfl-spec 7.2.1, option u).
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from konterfei.models.many import Many, ManyLIAE
from konterfei.nets.dims import Dims

M = TypeVar("M", bound=Many)

_NEW = -1
Map = NDArray[np.intp]
"""For each channel of the wide layer the narrow one's channel that it continues, or -1."""


def grown(network: M, dims: Dims) -> M:
    """A network of these dims that draws what `network` draws.

    Args:
        network: of the same resolution and options, nowhere wider.
        dims: of the new one.
    """
    wide = type(network)(dims)
    old, new = network.state_dict(), wide.state_dict()
    for name, (rows, columns) in _maps(network, dims).items():
        weight, bias = f"{name}.weight", f"{name}.bias"
        new[weight] = _placed(old[weight], new[weight], rows, columns)
        if bias in old:
            new[bias] = _placed(old[bias], new[bias], rows, None)
    wide.load_state_dict(new)
    return wide


def _placed(old: Tensor, new: Tensor, rows: Map, columns: Map | None) -> Tensor:
    """The old values where they belong; from new inputs to old outputs 0; the new layer's own elsewhere."""
    out = new.clone()
    kept = torch.from_numpy(np.flatnonzero(rows != _NEW))
    if columns is None:
        out[kept] = old[torch.from_numpy(rows[rows != _NEW])]
        return out
    heard = torch.from_numpy(np.flatnonzero(columns != _NEW))
    out[kept] = 0
    source = old[torch.from_numpy(rows[rows != _NEW])][:, torch.from_numpy(columns[columns != _NEW])]
    out[kept[:, None], heard[None]] = source
    return out


def _first(narrow: int, wide: int) -> Map:
    """The old channels first, then new ones."""
    return np.where(np.arange(wide) < narrow, np.arange(wide), _NEW)


def _blocks(channels: Map, narrow: int, count: int) -> Map:
    """`count` groups of the same channels one after the other (depth to space: (dy 2 + dx) C + c)."""
    return np.concatenate([np.where(channels == _NEW, _NEW, channels + k * narrow) for k in range(count)])


def _maps_of_cells(channels: Map, cells: int) -> Map:
    """Each channel as a map of so many cells, flattened (C, H, W)."""
    inside = np.arange(cells)
    return np.where(channels[:, None] == _NEW, _NEW, channels[:, None] * cells + inside).reshape(-1)


def _maps(network: Many, dims: Dims) -> dict[str, tuple[Map, Map]]:
    """Layer -> maps of its outputs and inputs."""
    old, codes = network.dims, 2 if isinstance(network, ManyLIAE) else 1
    code = _first(codes * old.ae, codes * dims.ae)
    inter = _inter(old, dims, code, codes * old.ae)
    decoder = _decoder(old, dims, _blocks(code, codes * old.ae, codes))
    channels = {"dense2": code, **{k: r for k, (r, _) in inter.items() if k == "upscale1.conv1"}}
    if not isinstance(network, ManyLIAE):
        channels = {k: r for k, (r, _) in decoder.items() if k.startswith(("upscale", "res"))}
    found = {
        **{f"encoder.{name}": maps for name, maps in _encoder(old, dims).items()},
        **{f"inter.{name}": maps for name, maps in inter.items()},
        **{f"decoder.{name}": maps for name, maps in decoder.items()},
    }
    tinted = [channels[name] for name in network.film.layers]
    width, narrow = network.film.out.in_features, list(network.film.layers.values())
    starts = np.cumsum([0, *narrow, *narrow])[:-1]
    rows = [np.where(m == _NEW, _NEW, m + start) for m, start in zip(tinted + tinted, starts, strict=True)]
    hidden = np.arange(width)
    found["film.dense1"] = (hidden, np.arange(network.film.dense1.in_features))
    found["film.dense2"] = (hidden, hidden)
    found["film.out"] = (np.concatenate(rows), hidden)
    return found


def _encoder(old: Dims, new: Dims) -> dict[str, tuple[Map, Map]]:
    """Its last channels are copies; whoever listens to them hears the first copy alone."""
    if new.encoder % old.encoder:
        raise ValueError(f"expected an encoder of a multiple of {old.encoder}, got {new.encoder}")

    def at(factor: int) -> Map:
        return _first(factor * old.encoder, factor * new.encoder)

    picture, copies = np.arange(3), np.arange(8 * new.encoder) % (8 * old.encoder)
    if not old.deep:
        inputs, outputs = [picture, at(1), at(2), at(4)], [at(1), at(2), at(4), copies]
        return {f"downs.{i}.conv1": maps for i, maps in enumerate(zip(outputs, inputs, strict=True))}
    return {
        "down1.conv1": (at(1), picture),
        "res1.conv1": (at(1), at(1)),
        "res1.conv2": (at(1), at(1)),
        "down2.conv1": (at(2), at(1)),
        "down3.conv1": (at(4), at(2)),
        "down4.conv1": (at(8), at(4)),
        "down5.conv1": (copies, at(8)),
        "res5.conv1": (at(8), at(8)),
        "res5.conv2": (copies, at(8)),
    }


def _inter(old: Dims, new: Dims, code: Map, narrow: int) -> dict[str, tuple[Map, Map]]:
    """`code`: map of its channels, of which the narrow one has `narrow`."""
    cells = (old.resolution // (32 if old.deep else 16)) ** 2
    heard = _maps_of_cells(_first(8 * old.encoder, 8 * new.encoder), cells)
    middle = _first(old.ae, new.ae)
    found = {"dense1": (middle, heard), "dense2": (_maps_of_cells(code, old.code_side**2), middle)}
    if not old.deep:
        found["upscale1.conv1"] = (_blocks(code, narrow, 4), code)
    return found


def _decoder(old: Dims, new: Dims, code: Map) -> dict[str, tuple[Map, Map]]:
    """`code`: map of what it draws from."""
    found = {}
    factors = (8, 8, 4, 2) if old.deep else (8, 4, 2)
    masks = (*factors, 1) if old.double else factors
    drawn = mask = code
    for i, factor in enumerate(factors):
        before, drawn = drawn, _first(factor * old.decoder, factor * new.decoder)
        found[f"upscale{i}.conv1"] = (_blocks(drawn, factor * old.decoder, 4), before)
        found[f"res{i}.conv1"] = found[f"res{i}.conv2"] = (drawn, drawn)
    for i, factor in enumerate(masks):
        before, mask = mask, _first(factor * old.mask, factor * new.mask)
        found[f"upscalem{i}.conv1"] = (_blocks(mask, factor * old.mask, 4), before)
    heads = ("out_conv", "out_conv1", "out_conv2", "out_conv3") if old.double else ("out_conv",)
    found |= {head: (np.arange(3), drawn) for head in heads}
    found["out_convm"] = (np.arange(1), mask)
    return found
