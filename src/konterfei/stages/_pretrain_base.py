"""The base that a pretraining begins with (`--base`): what is known already, to which its people are added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from konterfei.errors import CheckpointMismatchError
from konterfei.io.run import Run
from konterfei.reporting import Reporter
from konterfei.stages._pretrain_people import Roster
from konterfei.stages._pretrain_settings import PretrainConfig
from konterfei.stages._train_base import DEFAULT, NOTHING, base_again, file_of, record_of, see_that_it_stays
from konterfei.training.presets import Preset
from konterfei.weights.bases import base_path

if TYPE_CHECKING:
    from konterfei.models.bases import Base
    from konterfei.training.beginning import Start


def known_before(config: PretrainConfig, chosen: Preset, reporter: Reporter) -> Base | None:
    """The base that a new run begins with; None where it begins by chance, or has begun.

    Raises:
        ConfigError: the run has begun with another base than is asked for, or no file is there.
        CheckpointMismatchError: it is of other networks.
        DamagedFileError: it cannot be read.
        UnknownNameError: konterfei carries none for the preset.
        WeightsError: the one that konterfei carries is not the one on record.
    """
    if config.base == NOTHING:
        return None
    if Run.exists(config.output) and not (run := Run.open(config.output)).is_untrained:
        see_that_it_stays(run, config.base, config.preset, reporter)
        return None
    from konterfei.models.bases import read_base  # torch is slow to load

    base = read_base(base_path(config.preset) if config.base == DEFAULT else file_of(config.base))
    if reason := base.differs_from(chosen.model, chosen.dims, chosen.face_type):
        raise CheckpointMismatchError(
            f"--base '{config.base}' does not fit: {reason}. Give a --preset and a --share-of-width that it is for, "
            "or begin by chance (--base none)."
        )
    return base


def record_with_time(base: Base, config: PretrainConfig) -> dict[str, Any]:
    """What the run's config, and later the base that it writes, say of it.

    As `record_of`; besides minutes that it learned, and facesets: checksums of those that it learned from.
    """
    named, before = base.info.get("facesets"), base.info.get("base")
    hashes = [one["sha256"] for one in named if one.get("faces")] if isinstance(named, list) else []
    earlier = before.get("facesets", []) if isinstance(before, Mapping) else []
    return {
        **record_of(base, config),
        "minutes": float(base.info.get("minutes") or 0.0),
        "facesets": sorted({*hashes, *earlier}),
    }


def beginning(base: Base | None, run: Run, chosen: Preset, seed: int, reporter: Reporter) -> Start | None:
    """What the run begins with: all weights of the base, widened where it is narrower; None where it has none.

    Args:
        base: where it was just read; else the one that the run's config names.
        run: its config says with which base it began.
        chosen: the run's settings.
        seed: of the weights of what is wider than in the base.
        reporter: told when the base is there no more.
    """
    base = base or base_again(run, reporter)
    if base is None:
        return None
    import torch

    from konterfei.models.growing import grown
    from konterfei.training.beginning import Start

    network = base.many()
    if chosen.dims != base.dims:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = grown(network, chosen.dims)
    tensors = {name: value.numpy() for name, value in network.state_dict().items()}
    return Start(
        tensors={f"{kind}/{name}": array for kind in ("weights", "ema") for name, array in tensors.items()},
        forgotten=(),
        name=f"--base '{run.config['base']['name']}'",
        told=f"What the base '{run.config['base']['name']}' learned in {base.steps} steps is known already.",
    )


def warn_of_known(record: Mapping[str, Any], roster: Roster, held: Sequence[Sequence[str]], reporter: Reporter) -> None:
    """Say of which facesets people are held out whom the base that was begun with may know: their figures flatter."""
    knew = set(record.get("facesets") or ())
    for faceset, names in zip(roster.facesets, held, strict=True):
        if names and faceset.content_hash() in knew:
            reporter.warn(
                f"The base that this run began with learned from '{faceset.folder}', too: whoever is held out of it "
                "may be known already, and figures of them flatter. Name people whom it never saw with --held."
            )
