"""`konterfei demo`: the whole way with people who do not exist, so that nobody's consent is needed to see it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Annotated

from konterfei.errors import ConfigError
from konterfei.io.run import Run
from konterfei.performers import PERFORMERS
from konterfei.provenance.consent import Consent
from konterfei.reporting import Reporter
from konterfei.stages._settings import allow
from konterfei.stages._train_base import DEFAULT, names_base
from konterfei.stages.swap import SwapConfig, SwapResult, swap

_PRESET = "quick"
_MINUTES, _MINUTES_FROM_SCRATCH = 5.0, 30.0


@dataclass(frozen=True, kw_only=True)
class DemoConfig:
    """Render two synthetic performers and swap the face of one onto the other, start to finish.

    Nothing is downloaded and nobody real is shown. Most of the time is training; Ctrl-C ends the training early and
    goes on to the video with what was learned. The same command again continues or, when all is done, does nothing.
    """

    output: Path = Path("demo")
    """Folder for everything that the demo makes."""
    minutes: float | None = None
    """Minutes of training in all. Default: 5 with a base, 30 from scratch."""
    src: Annotated[str, PERFORMERS] = "P006"
    """Performer whose face is used."""
    dst: Annotated[str, PERFORMERS] = "P007"
    """Performer who receives it."""
    base: str = DEFAULT
    """What the training begins with: default (the base carried for it), none (from scratch), or the path of a base."""
    seconds: float = 12.0
    """Length of each clip."""
    size: int = 512
    """Width and height of the clips in pixels."""

    def __post_init__(self) -> None:
        allow("--minutes", self.minutes, self.minutes is None or 0 < self.minutes < math.inf, "a number above 0")
        if self.src == self.dst:
            raise ConfigError(f"--src and --dst are both '{self.src}': choose two performers.")


def demo(config: DemoConfig, reporter: Reporter) -> SwapResult:
    """Render, swap, measure; skips what is done.

    Raises:
        KonterfeiError: whatever the stages raise.
    """
    from konterfei.performers import PerformerConfig, render_performer

    clips = {}
    for number, person in enumerate((config.dst, config.src)):
        clip = config.output / "performers" / f"{person}.mp4"
        reporter.note(f"rendering performer {person} ({number + 1} of 2)")
        clips[person] = render_performer(
            # each moves on their own (seed): src has never shown what dst does
            PerformerConfig(person=person, output=clip, seconds=config.seconds, size=config.size, seed=number + 1),
            reporter,
        )
    chosen = SwapConfig(
        src=clips[config.src],
        dst=clips[config.dst],
        output=config.output / "swap.mp4",
        consent=_consent(config),
        project=config.output / "project",
        preset=_PRESET,
        base=config.base,
    )
    return swap(replace(chosen, train_minutes=config.minutes or _minutes_of(chosen)), reporter)


def _minutes_of(chosen: SwapConfig) -> float:
    """How long to train: a run that has begun goes on as it began, whatever is carried for new ones by now."""
    folder = chosen.layout.run
    if Run.exists(folder) and not (run := Run.open(folder)).is_untrained:
        has_base = bool(run.config.get("base"))
    else:
        has_base = names_base(chosen.base, _PRESET)
    return _MINUTES if has_base else _MINUTES_FROM_SCRATCH


def _consent(config: DemoConfig) -> Path:
    """The record for a person who does not exist; written once."""
    path = config.output / f"{config.src}.consent.toml"
    if not path.exists():
        Consent(
            person=f"Synthetic performer {config.src}",
            basis="synthetic",
            scope=("any",),
            reason="Made by an image model and rendered by konterfei; shows nobody who exists.",
            created=date.today(),
        ).save(path)
    return path
