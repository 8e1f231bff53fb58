"""The people who can be rendered."""

from __future__ import annotations

from konterfei.registry import Entry, Registry

PERFORMERS = Registry(
    "performer",
    {
        "P001": Entry("konterfei.performers.cast:P001", "dark-skinned woman with short curls before a backdrop"),
        "P002": Entry("konterfei.performers.cast:P002", "fair woman with curly hair in an office"),
        "P005": Entry("konterfei.performers.cast:P005", "bearded man in an office"),
        "P006": Entry("konterfei.performers.cast:P006", "dark-skinned woman with hair tied back, in a room at night"),
        "P007": Entry("konterfei.performers.cast:P007", "brown-skinned man with curly hair before a backdrop"),
        "P008": Entry("konterfei.performers.cast:P008", "man with long fair hair before a backdrop"),
        "P010": Entry("konterfei.performers.cast:P010", "olive-skinned woman with hair tied back, in a room at night"),
    },
)
"""Every performer by name: those whose renderings were looked at and found good. Of openpeople's others, P003 is left
out on purpose (that fictional person resembles a known one), P004 and P009 because their portraits cut off the hair."""
