"""How a training gets by with the memory that there is."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from konterfei.models import MODELS
from konterfei.reporting import Reporter
from konterfei.stages._train_team import Place
from konterfei.training.presets import Preset

if TYPE_CHECKING:
    import torch

    from konterfei.training.data import TrainingFaces
    from konterfei.training.thrift import Thrift

_BATCHES = 6
"""Batches of samples that are kept at a time."""


def thrift_for(
    config: Any,
    chosen: Preset,
    device: torch.device,
    place: Place,
    precision: str,
    free: int | None,
    faces: Iterable[TrainingFaces],
    reporter: Reporter,
) -> Thrift:
    """How steps are to be cut; the reporter is told where they are.

    Args:
        config: of the training.
        chosen: its preset.
        device, precision: where and in which format networks run.
        place: of this process among those of the training; each has its part of the batch, and of a CPU's memory.
        free: bytes of memory that were free before anything was loaded; None = unknown.
        faces: of both people, as they are kept.
        reporter: is told.
    """
    from konterfei.training.memory import Training, plan_memory  # here: torch is slow to load
    from konterfei.training.thrift import Thrift

    plan, batch = chosen.plan, chosen.batch // place.size
    training = Training(
        model=MODELS.load(chosen.model),
        dims=chosen.dims,
        objectives=tuple(plan.of(phase).in_force() for phase in plan.phases),
        optimizer=chosen.optimizer,
        batch=batch,
        precision=precision,
    )
    also = 0
    if device.type == "cpu":
        free = free and free // place.together
        also = sum(one.bytes_in_memory for one in faces) + _BATCHES * 16 * batch * chosen.dims.resolution**2
    allowed = round(1e9 * config.memory_gb) if config.memory_gb else free
    planned = plan_memory(training, device, allowed, also, Thrift(min(config.micro_batch, batch)))
    if planned.note:
        (reporter.note if planned.fits else reporter.warn)(planned.note)
    return planned.thrift


def memory_errors_of(config: Any, chosen: Preset, folder: Path) -> AbstractContextManager[None]:
    """Says what to make smaller where the training does not fit into memory. The last checkpoint stays as it is."""
    from konterfei.models.devices import choose_device, memory_errors

    remedy = (
        f"What was saved stays: go on with a smaller --batch than {chosen.batch}, or begin in another folder with a "
        f"smaller --resolution than {chosen.dims.resolution} or another --preset."
    )
    return memory_errors(choose_device(config.device), f"train '{folder}'", remedy)
