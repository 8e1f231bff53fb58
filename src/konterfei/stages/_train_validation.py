"""How a training measures itself: the networks that look at held-out faces, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from konterfei.detectors import DETECTORS
from konterfei.errors import ConfigError, FacesetError
from konterfei.io.faceset import Faceset
from konterfei.io.run import Run
from konterfei.landmarkers import LANDMARKERS
from konterfei.metrics.observation import Eyes
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter
from konterfei.training.plan import Plan
from konterfei.training.presets import Preset

if TYPE_CHECKING:
    from konterfei.training.validation import Validator
    from konterfei.training.validations import Validations

_DETECTOR, _LANDMARKER, _RECOGNIZER = "yunet", "mesh478", "mobilefacenet"
_FEWEST = 3
"""Faces of dst that figures can be made of."""


def validations_of(
    config: Any, chosen: Preset, run: Run, src: Faceset, dst: Faceset, reporter: Reporter
) -> Validations | None:
    """The validations of a run; None where no faces are held out, or where it cannot be told who they are."""
    from konterfei.training.validations import Validations  # here: torch is slow to load

    held = run.config.get("held_out")
    if not held:
        return None
    names = {
        person: [name for name in held[person] if name in set(faceset.names())]
        for person, faceset in (("src", src), ("dst", dst))
    }
    made_with = {faceset.header.settings.get("recognizer", _RECOGNIZER) for faceset in (src, dst)}
    try:
        if len(made_with) > 1:
            raise FacesetError("The facesets were made with different recognizers.")
        src.identity(), dst.identity()
        if len(names["dst"]) < _FEWEST or not names["src"]:
            raise FacesetError("The faces that were held out for it are not there any more.")
    except FacesetError as error:
        reporter.note(f"The swap is not measured while it trains. {error}")
        return None

    def make() -> Validator:
        from konterfei.training.validation import Validator

        eyes = Eyes(
            DETECTORS.load(_DETECTOR)(threads=config.threads),
            LANDMARKERS.load(_LANDMARKER)(threads=config.threads),
            RECOGNIZERS.load(next(iter(made_with)))(threads=config.threads),
        )
        return Validator(src, dst, names["src"], names["dst"], eyes)

    return Validations(run, make, chosen.face_type, 60 * config.validate_minutes, config.validate_steps)


def patience_of(config: Any, chosen: Preset) -> int:
    """Validations without anything better after which the run ends; 0 = it does not."""
    if config.patience is not None:
        return int(config.patience)
    return 0 if config.minutes is not None or config.steps is not None else chosen.patience


def refuse_patience(config: Any, plan: Plan, reporter: Reporter) -> None:
    """Raise ConfigError for phases that could never end where nothing is measured; say so of --patience."""
    if plan.waits_for_scores:
        raise ConfigError(
            "A phase of the plan ends by its patience alone, but in this run no faces are held out to measure (see "
            "--held-out; a run that has begun stays as it is). Give the phase steps, images, a plateau or a share too."
        )
    if config.patience:
        reporter.note("--patience has no effect: in this run no faces are held out to measure the swap by.")
