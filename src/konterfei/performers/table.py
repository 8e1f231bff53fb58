"""The people who can be rendered."""

from __future__ import annotations

from konterfei.registry import Entry, Registry

PERFORMERS = Registry(
    "performer",
    {
        "P005": Entry("konterfei.performers.cast:P005", "bearded man in an office"),
        "P006": Entry("konterfei.performers.cast:P006", "woman with hair tied back, in a room at night"),
        "P007": Entry("konterfei.performers.cast:P007", "man with curly hair in a garden"),
        "P009": Entry("konterfei.performers.cast:P009", "woman with long hair in a studio"),
    },
)
"""Every performer by name: those whose pictures were looked at and found good. P003 is left out on purpose: that
fictional person resembles a known one."""
