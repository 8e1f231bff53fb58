"""Where the points of the face are in a performer's pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from konterfei.landmarkers import Window
from konterfei.landmarkers.mesh478 import Mesh478
from konterfei.performers.cast import Image, Pictures, load_pictures
from konterfei.performers.raster import Float
from konterfei.performers.rig import CHANNELS


@dataclass(frozen=True)
class Measured:
    """A person's pictures and the meshes found in them, each in its picture's pixels."""

    pictures: Pictures
    portrait: Float
    """[478, 3]"""
    expressions: dict[str, Float]
    """Neutral and those that a channel uses, by name. [478, 3]"""


@lru_cache(maxsize=2)
def measured(name: str) -> Measured:
    """Pictures and meshes of the person `name`; kept for the next clip of the same person.

    Raises:
        ConfigError: openpeople is missing or holds other pictures than expected.
    """
    pictures = load_pictures(name)
    landmarker = Mesh478(threads=1)
    used = sorted({"neutral", "shocked", *(still for still, _ in CHANNELS.values())})
    return Measured(
        pictures=pictures,
        portrait=_measure(pictures.portrait, landmarker),
        expressions={still: _measure(pictures.expressions[still], landmarker) for still in used},
    )


def _measure(image: Image, landmarker: Mesh478) -> Float:
    """Mesh of the one face in a picture, found without a detector: the pictures are alike. [478, 3]"""
    height, width = image.shape[:2]
    window = Window(width / 2, height * 0.42, height * 0.85, 0.0)
    for _ in range(3):
        found = landmarker.landmarks(image, [window])[0]
        window = found.window
    assert found.mesh is not None
    return found.mesh.astype(np.float32)
