"""The face fades at its mask's edge: DeepFaceLab's default."""

from __future__ import annotations

from konterfei.merge_modes.base import MergeMode, as_it_is

overlay = MergeMode(as_it_is)
