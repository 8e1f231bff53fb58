"""HDR pictures as networks know pictures, and back.

Models and their facesets see ordinary pictures: white is diffuse white, and numbers go with BT.1886. The numbers of PQ
and HLG mean other light; shown as they are, a face is flat and grey, and a model draws nonsense. So crops of an HDR
plate are brought to ordinary numbers for the model, and what it draws is brought back to the plate's.

White is 203 cd/m2 (Rec. ITU-R BT.2408, HDR reference white), in HLG the signal 0.75. Brighter light is rolled off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from konterfei.imaging.transfer import TRANSFERS, Transfer, transfer_of

Array = NDArray[Any]

_FROM_709: Final = np.array(
    [[0.627404, 0.329283, 0.043313], [0.069097, 0.919540, 0.011362], [0.016391, 0.088013, 0.895595]], np.float32
)
"""Linear BT.709 to BT.2020 (Rec. ITU-R BT.2087)."""
_TO_709: Final = np.linalg.inv(_FROM_709.astype(np.float64)).astype(np.float32)
_KNEE: Final = 0.9
"""From this number on highlights are rolled off towards 1."""
_MOST: Final = 0.9999
_DISPLAY: Final = TRANSFERS["bt1886"]


@dataclass(frozen=True)
class SdrLook:
    """The way there and back for one plate.

    Attributes:
        transfer: of the plate.
        white: its linear light that counts as white.
        is_wide: its primaries are BT.2020's.
    """

    transfer: Transfer
    white: float
    is_wide: bool

    def show(self, image: Array) -> Array:
        """A picture with the plate's numbers, of any kind, with ordinary ones. [H, W, 3] float32 in [0, 1]"""
        light = self.transfer.light(image) / np.float32(self.white)
        if self.is_wide:
            light = light @ _TO_709.T
        values = _DISPLAY.encode(np.maximum(light, 0.0).astype(np.float32))
        over = np.maximum(values - _KNEE, 0.0)
        rolled = _KNEE + (1 - _KNEE) * -np.expm1(-over / (1 - _KNEE))
        return np.where(over > 0, rolled, values).astype(np.float32)

    def back(self, image: Array) -> Array:
        """A picture with ordinary numbers with the plate's. [..., H, W, 3] float32 in [0, 1]"""
        over = np.clip(image - _KNEE, 0.0, (1 - _KNEE) * _MOST) / (1 - _KNEE)
        values = np.where(over > 0, _KNEE - (1 - _KNEE) * np.log1p(-over), image)
        light = _DISPLAY.decode(np.maximum(values, 0.0).astype(np.float32))
        if self.is_wide:
            light = light @ _FROM_709.T
        return np.clip(self.transfer.encode((light * np.float32(self.white)).astype(np.float32)), 0.0, 1.0)


def sdr_look(transfer: int, primaries: int) -> SdrLook | None:
    """That of a plate with these tags (H.273 code points); None where its numbers are ordinary already."""
    curve = transfer_of(transfer)
    if curve.name == "pq":
        return SdrLook(curve, 2.03, primaries == 9)
    if curve.name == "hlg":
        return SdrLook(curve, float(curve.decode(np.array([0.75]))[0]), primaries == 9)
    return None
