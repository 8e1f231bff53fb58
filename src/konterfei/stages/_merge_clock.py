"""How long the steps of a merge take."""

from __future__ import annotations
