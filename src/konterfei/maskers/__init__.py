"""Maskers: which part of a crop is face. A new one is one file here and one line in `MASKERS`."""

from konterfei.maskers.base import Masker, Masks
from konterfei.registry import Entry, Registry

MASKERS = Registry(
    "masker",
    {
        "hull": Entry("konterfei.maskers.masks:hull", "hull of the landmarks, brows raised"),
        "learned": Entry("konterfei.maskers.masks:learned", "what the model takes for face, on both faces"),
        "learned_hull": Entry("konterfei.maskers.masks:learned_hull", "the same, inside the hull"),
        "learned_drawn": Entry("konterfei.maskers.masks:learned_drawn", "what it takes for face where it drew"),
        "learned_plate": Entry("konterfei.maskers.masks:learned_plate", "what it takes for face on the plate"),
        "learned_sum": Entry("konterfei.maskers.masks:learned_sum", "either of the two"),
        "xseg": Entry("konterfei.maskers.masks:xseg", "what the segmenter takes for face, on both faces"),
        "xseg_drawn": Entry("konterfei.maskers.masks:xseg_drawn", "what it takes for face on the drawn face"),
        "xseg_plate": Entry("konterfei.maskers.masks:xseg_plate", "what it takes for face on the plate"),
        "learned_xseg": Entry("konterfei.maskers.masks:learned_xseg", "what model and segmenter agree on"),
        "visible": Entry("konterfei.maskers.masks:visible", "learned_hull, without hands in front of it"),
        "visible_known": Entry("konterfei.maskers.masks:visible_known", "visible, and learned by the model"),
        "labels": Entry("konterfei.maskers.masks:labels", "what the plate's crop is labelled with, else its hull"),
        "full": Entry("konterfei.maskers.masks:full", "the whole crop"),
    },
)
"""Every masker by name; each is a `Masker`."""

__all__ = ["MASKERS", "Masker", "Masks"]
