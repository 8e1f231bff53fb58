"""Size and options of the networks, without torch: settings can be read and shown before it is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LETTERS = {"unit": "u", "double": "d", "deep": "t", "cosine": "c"}
"""Options of `Dims` and their letters in DeepFaceLab's notation (dfl-spec 7.2)."""


@dataclass(frozen=True, kw_only=True)
class Dims:
    """Size and options of the networks. Letters in brackets are those of dfl-spec 7.2."""

    resolution: int
    """Side of input and output in pixels [R]; a multiple of 16, of 32 with `double` or `deep`."""
    ae: int
    """Length of the code between encoder and decoder [A]."""
    encoder: int
    """Width of the encoder's first layer [E]."""
    decoder: int
    """Width of the decoder's image branch [D]."""
    mask: int
    """Width of the decoder's mask branch [M]."""
    unit: bool = False
    """Option u: the encoder's output is normalised to unit mean square."""
    double: bool = False
    """Option d: the decoder works at half resolution and writes four interleaved sub-images."""
    deep: bool = False
    """Option t: deeper encoder with residual blocks, four-stage decoder."""
    cosine: bool = False
    """Option c: activation x cos x instead of leaky ReLU."""
    inter: int = 0
    """Channels of each of amp's inters [inter_dims]; 0 = four times `ae`, as 1024 is to 256 in dfl-spec 7.5."""
    morph: float = 0.5
    """Share of these channels that amp takes from src's own inter while it learns src (dfl-spec 7.5)."""

    def __post_init__(self) -> None:
        step = 32 if self.double or self.deep else 16
        if self.resolution % step or self.resolution < step:
            raise ValueError(f"expected resolution to be a multiple of {step}, got {self.resolution}")
        if min(self.ae, self.encoder, self.decoder, self.mask) < 1:
            raise ValueError(f"expected widths of at least 1, got {self}")
        if self.inter < 0:
            raise ValueError(f"expected inter of 0 or more, got {self.inter}")
        if not 0.1 <= self.morph <= 0.5:
            raise ValueError(f"expected morph between 0.1 and 0.5, got {self.morph}")

    @property
    def code_side(self) -> int:
        """Side of the smallest map between inter and decoder [L]."""
        return self.resolution // (32 if self.double else 16)

    @property
    def inter_channels(self) -> int:
        """Channels of each of amp's inters."""
        return self.inter or 4 * self.ae

    @property
    def features(self) -> int:
        """Length of the flattened encoder output [F]."""
        return 8 * self.encoder * (self.resolution // (32 if self.deep else 16)) ** 2


def architecture(model: str, dims: Mapping[str, Any]) -> str:
    """DeepFaceLab's notation of a model and its options: "liae-ud"; amp has no letters (dfl-spec 7.2, 7.5)."""
    letters = "".join(letter for option, letter in LETTERS.items() if dims.get(option))
    return f"{model}-{letters}" if letters and model != "amp" else model
