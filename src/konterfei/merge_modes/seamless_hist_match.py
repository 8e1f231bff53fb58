"""The plate's light at the edge, then the plate's histogram."""

from __future__ import annotations

from konterfei.merge_modes.base import Laid, MergeMode, Patch
from konterfei.merge_modes.hist_match import matched
from konterfei.merge_modes.seamless import cloned


def lay(patch: Patch) -> Laid:
    """The face as in seamless, with the plate's histogram."""
    return Laid(image=matched(cloned(patch), patch))


seamless_hist_match = MergeMode(lay)
