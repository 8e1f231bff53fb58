"""The model's square itself, at its own size, in place of the frame."""

from __future__ import annotations

from konterfei.merge_modes.base import MergeMode, as_it_is

raw_predict = MergeMode(as_it_is, cover="picture", is_raw=True)
