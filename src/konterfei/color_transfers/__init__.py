"""Colour transfers: the swapped face in the plate's colours. A new one is one file here and one line in the table.

`tests/contracts/test_color_transfers.py` runs over the table: shape, kind and range are kept, an image in its own
colours and an empty mask change nothing.
"""

from konterfei.color_transfers.statistics import ColorStatistics, ColorTransfer
from konterfei.registry import Entry, Registry

COLOR_TRANSFERS = Registry(
    "color transfer",
    {
        "none": Entry("konterfei.color_transfers.none:none", "colours stay as the model made them"),
        "rct": Entry("konterfei.color_transfers.rct:rct", "mean and spread of each Lab channel (Reinhard); calm"),
        "lct": Entry("konterfei.color_transfers.lct:lct", "mean and covariance in RGB (whitening); close"),
        "mkl": Entry("konterfei.color_transfers.mkl:mkl", "mean and covariance in RGB (Monge-Kantorovich); closer"),
        "idt": Entry("konterfei.color_transfers.idt:idt", "all of the colours' distribution, two thirds of the way"),
        "sot": Entry("konterfei.color_transfers.sot:sot", "all of the colours' distribution, smoothly; slow"),
        "mix": Entry("konterfei.color_transfers.mix:mix", "lightness by mean and spread, colour as sot; slow"),
    },
)
"""Every colour transfer by name; each is a `ColorTransfer`."""

__all__ = ["COLOR_TRANSFERS", "ColorStatistics", "ColorTransfer"]
