"""Pictures of what an extraction found."""

from __future__ import annotations

from collections.abc import Sequence

from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest
from konterfei.reporting import Reporter
from konterfei.stages._extract_inputs import Input
from konterfei.stages._extract_settings import ExtractConfig


def draw(
    config: ExtractConfig, inputs: Sequence[Input], faceset: Faceset, manifest: Manifest, reporter: Reporter
) -> bool:
    return False
