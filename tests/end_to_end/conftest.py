"""Two performers who do the same, a consent record, and one whole swap that the tests look at."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest

from konterfei.performers import PerformerConfig, render_performer
from konterfei.provenance.consent import Consent
from konterfei.reporting import Recorder, Silent
from konterfei.stages.swap import SwapConfig, SwapResult, swap
from konterfei.training import loop


@dataclass(frozen=True)
class Material:
    """What a swap is made of."""

    src: Path
    dst: Path
    consent: Path

    def config(self, output: Path, **changes: object) -> SwapConfig:
        """A swap that takes seconds."""
        given = {"preset": "tiny", "train_minutes": 0.1, **changes}
        return SwapConfig(src=self.src, dst=self.dst, output=output, consent=self.consent, **given)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Done:
    """A finished swap."""

    config: SwapConfig
    result: SwapResult
    told: Recorder


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    folder = tmp_path_factory.mktemp("material")
    clips = [
        render_performer(
            PerformerConfig(person=person, output=folder / f"{person}.mp4", seconds=1.0, fps=Fraction(12), size=192),
            Silent(),
        )
        for person in ("P006", "P005")
    ]
    consent = folder / "consent.toml"
    Consent(person="Performer P006", basis="synthetic", scope=("any",), created=date(2026, 1, 2)).save(consent)
    return Material(src=clips[0], dst=clips[1], consent=consent)


@pytest.fixture(scope="session")
def done(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Done:
    told, ticks = Recorder(), itertools.count()
    config = material.config(tmp_path_factory.mktemp("swap") / "out.mp4")
    with pytest.MonkeyPatch.context() as patch:  # a step takes 0.3 s, whatever it takes: 20 steps on any machine
        patch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: 0.3 * next(ticks)))
        return Done(config, swap(config, told), told)
