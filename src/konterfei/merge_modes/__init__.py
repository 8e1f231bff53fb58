"""Merge modes: how a drawn face is laid into its frame. A new one is one file here and one line in the table.

`tests/contracts/test_merge_modes.py` runs over the table: pure, finite, in range, and a face that equals its plate
changes nothing.
"""

from konterfei.merge_modes.base import Cover, Laid, MergeMode, Patch
from konterfei.registry import Entry, Registry

MERGE_MODES = Registry(
    "merge mode",
    {
        "multiband": Entry("konterfei.merge_modes.multiband:multiband", "evens out broad light around the edge"),
        "overlay": Entry("konterfei.merge_modes.overlay:overlay", "fades at the edge, no more"),
        "hist-match": Entry("konterfei.merge_modes.hist_match:hist_match", "overlay with the plate's histogram"),
        "seamless": Entry("konterfei.merge_modes.seamless:seamless", "the edge takes the plate's light (Poisson)"),
        "seamless-hist-match": Entry(
            "konterfei.merge_modes.seamless_hist_match:seamless_hist_match", "seamless with the plate's histogram"
        ),
        "raw-rgb": Entry("konterfei.merge_modes.raw_rgb:raw_rgb", "the model's whole square, as it drew it"),
        "raw-predict": Entry("konterfei.merge_modes.raw_predict:raw_predict", "only the model's square, as picture"),
        "original": Entry("konterfei.merge_modes.original:original", "the plate as it is"),
    },
)
"""Every merge mode by name; each is a `MergeMode`."""

__all__ = ["MERGE_MODES", "Cover", "Laid", "MergeMode", "Patch"]
