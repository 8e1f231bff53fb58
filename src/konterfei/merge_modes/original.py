"""The plate as it is; the mask is made all the same."""

from __future__ import annotations

from konterfei.merge_modes.base import MergeMode, as_it_is

original = MergeMode(as_it_is, cover="nothing")
