"""Networks that look at what the model draws and never learn themselves: who is it, and does it look alike?

Their weights are in no checkpoint and in no optimiser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from konterfei.errors import ConfigError
from konterfei.geometry import Crop, FaceType, Similarity
from konterfei.geometry.tables import TEMPLATE_17_TO_67
from konterfei.models.devices import autocast
from konterfei.nets.mobilefacenet import MobileFaceNet
from konterfei.nets.mobilenet import MobileNet
from konterfei.recognizers.aligned import TEMPLATE, five_points
from konterfei.recognizers.mobilefacenet import SIZE
from konterfei.training.data import TrainingFaces
from konterfei.training.losses import Scene
from konterfei.training.objectives import Objectives
from konterfei.weights import weights_path

_LOOKS = 128  # faces of src that its identity is the mean of
_AT_ONCE = 8
_STEADY = (FaceType.HALF, FaceType.MID_FULL, FaceType.FULL, FaceType.WHOLE)


class Witness(Protocol):
    """What the trainer asks of one.

    Attributes:
        power: its weight for the model.
    """

    power: float

    def for_model(self, scene: Scene) -> Tensor:
        """What the model is to minimise. Scalar, summed over samples."""


@dataclass(frozen=True)
class Sitter:
    """Who is to be drawn.

    Attributes:
        faces: of src.
        face_type: how much of the head they show.
    """

    faces: TrainingFaces
    face_type: FaceType


class IdentityWitness:
    """Recognises src in swapped faces, or not.

    The face is taken to lie in the model's crop where the mean face does: samples are moved a little at random, heads
    turn, so what it sees is aligned a little worse than in `konterfei.recognizers`. src's identity is seen likewise.

    Args:
        sitter: src.
        resolution: side of the model's faces, px.
        device, precision: where and in which format its network runs.

    Attributes:
        identity: src's, unit length. [192]
        power: its weight for the model.
    """

    def __init__(self, sitter: Sitter, resolution: int, device: torch.device, precision: str) -> None:
        self.power = 0.0
        self._network, self._precision = MobileFaceNet(weights_path("mobilefacenet")).to(device), precision
        self._rows, self._columns = (matrix.to(device) for matrix in alignment(sitter.face_type, resolution))
        count = len(sitter.faces)
        chosen = np.linspace(0, count - 1, min(count, _LOOKS)).round().astype(int)
        looks = np.stack([sitter.faces.straight(int(i), resolution) for i in chosen])
        with torch.no_grad():
            pictures = torch.from_numpy(looks).permute(0, 3, 1, 2).split(_AT_ONCE)
            seen = torch.cat([self.embed(part.to(device).float() / 255) for part in pictures])
        self.identity = F.normalize(seen.mean(dim=0), dim=0)

    def embed(self, pictures: Tensor) -> Tensor:
        """Who is in crops of the model's face type. [N, 3, R, R] in [0, 1] -> [N, 192] float32, unit length"""
        aligned = self._rows @ pictures @ self._columns.T
        with autocast(pictures.device, self._precision):
            seen: Tensor = self._network(aligned)
        return seen

    def for_model(self, scene: Scene) -> Tensor:
        """1 - cosine to src; each swap that is seen stands for two samples of dst. See Witness."""
        if scene.swapped is None:
            return torch.zeros((), device=scene.image.device)
        return 2 * self.power * (1 - self.embed(scene.swapped) @ self.identity).sum()


class PerceptualWitness:
    """Compares reconstructions of both people with what was to be drawn, by what a network of pictures sees in them.

    Args:
        device, precision: where and in which format its network runs.

    Attributes:
        power: its weight for the model.
    """

    def __init__(self, device: torch.device, precision: str) -> None:
        self.power, self._precision = 0.0, precision
        self._network = MobileNet(load_file(weights_path("mobilenet"))).to(device)

    def for_model(self, scene: Scene) -> Tensor:
        """See Witness."""
        return self.power * self.distance(scene.drawn, scene.real).sum()

    def distance(self, drawn: Tensor, real: Tensor) -> Tensor:
        """How unlike pictures are: the squared distance of directions of features, mean over places and over four
        sizes (LPIPS without its weights, arXiv 1801.03924). [N, 3, R, R] in [0, 1] twice -> [N]
        """
        with autocast(drawn.device, self._precision):
            with torch.no_grad():
                wanted = self._network(real)
            seen = self._network(drawn)
        pairs = [(F.normalize(a.float()), F.normalize(b.float())) for a, b in zip(seen, wanted, strict=True)]
        unlike = [(a - b).square().sum(dim=1).mean(dim=(1, 2)) for a, b in pairs]
        return torch.stack(unlike).mean(dim=0)


def witnesses_for(
    objectives: Objectives,
    sitter: Sitter | None,
    resolution: int,
    device: torch.device,
    precision: str,
    there: Sequence[Witness] = (),
) -> list[Witness]:
    """Those that the objectives in force ask for.

    Args:
        objectives: those in force.
        sitter: whom they shall know.
        resolution: side of the model's faces, px.
        device, precision: where and in which format their networks run.
        there: witnesses so far; those that are still asked for stay.
    """
    known: dict[type, Witness] = {type(witness): witness for witness in there}
    found: list[Witness] = []
    if objectives.identity_power:
        if sitter is None:
            raise ValueError("the identity of src counts, but no faces of src are given")
        identity = known.get(IdentityWitness) or IdentityWitness(sitter, resolution, device, precision)
        identity.power = objectives.identity_power
        found.append(identity)
    if objectives.perceptual_power:
        perceptual = known.get(PerceptualWitness) or PerceptualWitness(device, precision)
        perceptual.power = objectives.perceptual_power
        found.append(perceptual)
    return found


def refuse_unsteady(face_type: FaceType, objectives: Objectives) -> None:
    """Raises ConfigError where witnesses could not tell where in the crop the face lies."""
    if objectives.identity_power and face_type not in _STEADY:
        raise ConfigError(
            f"--identity-power: not with faces of the type {face_type}, in which the face moves about. Leave it out, "
            f"or choose another --face-type: {', '.join(_STEADY)}."
        )


def alignment(face_type: FaceType, side: int) -> tuple[Tensor, Tensor]:
    """Matrices that cut the recognizer's picture out of a crop of `side` pixels: rows @ crop @ columns.T.

    The turn between both templates, a third of a degree, is left out. [112, side], [112, side]
    """
    jaw = np.column_stack([np.linspace(0, 1, 17), np.full(17, 1.0)])  # of no weight: these types do without it
    mean_face = np.concatenate([jaw, TEMPLATE_17_TO_67])
    in_crop = Crop.fit(mean_face, face_type, side).crop_from_frame @ mean_face
    seen_from_crop = Similarity.fit(five_points(in_crop), TEMPLATE)
    x, y = seen_from_crop @ np.full(2, (side - 1) / 2)
    return _resampling(side, seen_from_crop.scale, float(y)), _resampling(side, seen_from_crop.scale, float(x))


def _resampling(side: int, scale: float, middle: float) -> Tensor:
    """Matrix that scales a line of `side` pixels so that its middle comes to `middle`. [112, side]

    Linear; what shrinks is averaged, and the line's ends are repeated beyond it.
    """
    at = (np.arange(SIZE) - middle) / scale + (side - 1) / 2
    pixels = np.arange(-side, 2 * side)
    weights = np.clip(1 - np.abs(at[:, None] - pixels) * min(1.0, scale), 0, None)
    matrix = np.zeros((SIZE, side))
    np.add.at(matrix.T, np.clip(pixels, 0, side - 1), weights.T)
    return torch.from_numpy(matrix / matrix.sum(axis=1, keepdims=True)).float()
