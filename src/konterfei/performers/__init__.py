"""Synthetic performers: footage of fictional people with exact ground truth.

Two people rendered with one seed do the same in every frame, so the true result of a swap between them exists frame by
frame. Demo, tests and benchmarks need no real person.
"""

from __future__ import annotations

from konterfei.performers.config import PerformerConfig
from konterfei.performers.render import render_performer
from konterfei.performers.table import PERFORMERS
from konterfei.performers.truth import Truth, cover_mask, face_mask, read_truth

__all__ = [
    "PERFORMERS",
    "PerformerConfig",
    "Truth",
    "cover_mask",
    "face_mask",
    "read_truth",
    "render_performer",
]
