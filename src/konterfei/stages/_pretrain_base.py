"""The base that a pretraining begins with (`--base`): what is known already, to which its people are added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from konterfei.errors import CheckpointMismatchError, ConfigError, DamagedFileError
from konterfei.io.run import Run
from konterfei.reporting import Reporter
from konterfei.stages._pretrain_people import Roster
from konterfei.stages._pretrain_settings import PretrainConfig
from konterfei.stages._train_base import DEFAULT, NOTHING, base_of, file_of, record_of, see_that_it_stays
from konterfei.training.presets import Preset
from konterfei.weights.bases import BASES, FILE_NAME, base_path

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
    run = Run.open(config.output) if Run.exists(config.output) else Run(config.output, {})
    if not run.is_untrained:
        if run.config:  # else it was lost, and is written anew (`open_run`)
            _refuse_another(run, config, reporter)
        return None
    if config.base == NOTHING:
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
    hashes = {one["sha256"] for one in base.info.get("facesets", ()) if one.get("faces") and "sha256" in one}
    return {
        **record_of(base, config),
        "minutes": float(base.info.get("minutes", 0.0)),
        "facesets": sorted(hashes | set(base.info.get("base", {}).get("facesets", ()))),
    }


def told_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a base says of the one that it began with: the run's record, but where that lay. {} for an empty one."""
    if not record:
        return {}
    path = Path(record["name"])
    name = path.parent.name if path.name == FILE_NAME else path.name
    return {key: value for key, value in record.items() if key != "path"} | {"name": name}


def asked_for(config: PretrainConfig, run: Run) -> str:
    """What to give as --base to repeat a run: the same command without it goes on with what it began with."""
    began: Mapping[str, Any] = run.config.get("base") or {}
    if config.base != NOTHING or not began:
        return config.base
    return DEFAULT if began["name"] == config.preset else str(began["name"])


def beginning(base: Base | None, run: Run, chosen: Preset, seed: int) -> Start | None:
    """What the run begins with: all weights of the base, widened where it is narrower; None where it has none.

    A run says of its base what it says: without that file it does not begin anew.

    Args:
        base: where it was just read; else the one that the run's config names.
        run: its config says with which base it began.
        chosen: the run's settings.
        seed: of the weights of what is wider than in the base.

    Raises:
        DamagedFileError: the base is there no more.
    """
    if not run.config.get("base"):
        return None
    try:
        base = base or base_of(run)
    except DamagedFileError as error:
        raise DamagedFileError(
            f"'{run.folder}' has no checkpoint to go on from, and its base is gone: {error} Put it back, or begin in "
            "another folder."
        ) from error
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


def _refuse_another(run: Run, config: PretrainConfig, reporter: Reporter) -> None:
    """Raises ConfigError where a run that has begun is asked to begin with another base."""
    began: Mapping[str, Any] = run.config.get("base") or {}
    if config.base == DEFAULT:
        usual = BASES.get(config.preset)
        if began.get("name") != config.preset and (usual is None or usual.sha256 != began.get("sha256")):
            raise ConfigError(
                f"--base default comes too late: '{run.folder}' began otherwise, and goes on with what it has learned "
                "since. Leave --base out, or train in another folder."
            )
    elif config.base != NOTHING:
        see_that_it_stays(run, config.base, config.preset, reporter)
