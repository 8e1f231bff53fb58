"""`konterfei chart`: the course of one or several runs as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from konterfei.errors import ConfigError
from konterfei.io.atomic import ensure_writable
from konterfei.io.images import write_image
from konterfei.io.run import VALIDATION, Run
from konterfei.reporting import Reporter
from konterfei.stages._settings import allow
from konterfei.training.curves import draw_curves, loss_names

_SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True, kw_only=True)
class ChartConfig:
    """Draw losses, learning rate, speed and held-out scores of one or several runs, over steps and over time.

    A run that is being trained can be drawn, too. For curves that move by themselves, train with --tensorboard.
    """

    runs: tuple[Path, ...]
    """Folders of runs; several are compared in one picture."""
    output: Path
    """Picture to write, .png or .jpg; one that is there is replaced."""

    def __post_init__(self) -> None:
        if not self.runs:
            raise ConfigError("Name at least one run: konterfei chart RUN -o losses.png")
        allow("--output", f"'{self.output}'", self.output.suffix.lower() in _SUFFIXES, "a picture, .png or .jpg")


@dataclass(frozen=True, kw_only=True)
class ChartResult:
    """What was drawn.

    Attributes:
        picture: where it is.
        runs: name of each run in the picture -> its last figures, in words.
    """

    picture: Path
    runs: dict[str, str]

    def summary(self) -> list[str]:
        """Where it is, and the last figures of each run."""
        width = max(map(len, self.runs))
        return [f"chart  {self.picture}", *(f"  {name:<{width}}  {told}" for name, told in self.runs.items())]


def chart(config: ChartConfig, reporter: Reporter) -> ChartResult:
    """Draw the metrics of `config.runs`.

    Raises:
        StoreError: a folder holds no run.
        ConfigError: a run has no figures yet.
        OutputError: the picture cannot be written.
    """
    ensure_writable(config.output)
    metrics, validations = {}, {}
    for name, folder in zip(_names(config.runs), config.runs, strict=True):
        run = Run.open(folder)
        lines, validations[name] = run.metrics(), run.metrics(VALIDATION)
        if not lines:
            raise ConfigError(f"'{folder}' has no figures yet: they come every 20 steps. Train it for a moment.")
        metrics[name] = lines
    write_image(config.output, draw_curves(metrics, validations))
    told = {}
    for name, lines in metrics.items():
        last = lines[-1]
        losses = ", ".join(f"{loss} {last[loss]:.4g}" for loss in loss_names(lines) if loss in last)
        told[name] = f"step {last['step']}, {last.get('trained_s', 0) / 60:.1f} min: {losses}"
        if scores := [line["total"] for line in validations[name] if line.get("total") is not None]:
            told[name] += f"; held-out score {scores[-1]:.3f} (best {max(scores):.3f})"
    return ChartResult(picture=config.output, runs=told)


def _names(runs: tuple[Path, ...]) -> list[str]:
    """A short name for each folder: its own, with those above it where several would be called the same."""
    parts = [run.resolve().parts for run in runs]
    if len(set(parts)) < len(parts):
        raise ConfigError("A run is named twice: name each one once.")
    depth = 1
    while len({part[-depth:] for part in parts}) < len(parts):
        depth += 1
    return ["/".join(part[-depth:]) for part in parts]
