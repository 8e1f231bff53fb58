"""The people who can be rendered."""

from __future__ import annotations

from konterfei.registry import Entry, Registry

PERFORMERS = Registry(
    "performer",
    {
        "P005": Entry("konterfei.performers.cast:P005", "bearded man in an office"),
        "P006": Entry("konterfei.performers.cast:P006", "woman with hair tied back, in a room at night"),
        "P007": Entry("konterfei.performers.cast:P007", "man with curly hair before a backdrop"),
    },
)
"""Every performer by name: those whose renderings were looked at and found good. Of openpeople's others, P003 is left
out on purpose (that fictional person resembles a known one), P009 because the portrait cuts off the hair."""
