"""The model's square in its place in the frame, for those who composite it themselves: the layer has the mask."""

from __future__ import annotations

from konterfei.merge_modes.base import MergeMode, as_it_is

raw_rgb = MergeMode(as_it_is, cover="crop", is_raw=True)
