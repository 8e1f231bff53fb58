"""What the losses of a family of models have that others have not. Without torch: settings can be checked without it.

A model declares its recipe (`SwapModel.recipe`); a person chooses the rest (`training.objectives.Objectives`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Terms of the loss that belong to the model and are not chosen."""

    two_windows: bool = False
    """DSSIM with both windows at any resolution, not from 256 px on."""
    always_masked: bool = False
    """Masked training cannot be switched off."""
    always_eyes_mouth: bool = False
    """Eyes and mouth have priority in any case."""
    dst_background: float = 0.0
    """Weight of dst's background: squared error outside the mask, and with it the total variation there."""
    judges_dst: bool = False
    """The patch discriminator judges faces of both people; otherwise those of src alone."""


SAEHD = Recipe()
"""df and liae (dfl-spec 7.8)."""

AMP = Recipe(two_windows=True, always_masked=True, always_eyes_mouth=True, dst_background=0.1, judges_dst=True)
"""The morphable model (dfl-spec 7.8.8)."""
