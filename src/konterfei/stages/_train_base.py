"""The base that a new run begins with (`--base`): which one it is, whether it fits, and what comes of it for a pair."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from konterfei.errors import CheckpointMismatchError, ConfigError, DamagedFileError, FacesetError, StoreError
from konterfei.io.faceset import Faceset
from konterfei.io.run import Run
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter, check
from konterfei.training.presets import Preset
from konterfei.weights.bases import BASES, FILE_NAME, RECOGNIZER, base_path

if TYPE_CHECKING:
    from konterfei.models.bases import Base
    from konterfei.training.beginning import Start

DEFAULT, NOTHING = "default", "none"
"""Words that --base takes in place of a path: the base carried for the preset, and from scratch."""

_ABLE = 4000
"""Steps that a base must have learned for a run with it to be usable sooner: fewer were not measured."""

_LOOKS = 64
"""Crops that the recognizer looks at where a faceset does not hold its numbers."""


def refuse_two_beginnings(base: str, start_from: Path | None, pretrain: bool) -> None:
    """Raises ConfigError where a run is asked to begin with a base and with something else."""
    if base in (DEFAULT, NOTHING):
        return
    if start_from is not None:
        raise ConfigError("--base and --start-from exclude each other: both say what a new run begins with.")
    if pretrain:
        raise ConfigError("--base and --pretrain exclude each other: --pretrain begins from scratch. Leave --base out.")


def names_base(base: str, preset: str) -> bool:
    """Whether `base`, as --base takes it, names one for a new run of that preset."""
    return base != NOTHING and (base != DEFAULT or preset in BASES)


def base_for(config: Any, chosen: Preset, reporter: Reporter) -> Base | None:
    """The base that a new run begins with; None where it begins otherwise, or has begun.

    Args:
        config: the TrainConfig.
        chosen: what it comes to.
        reporter: told why there is none, where one could be expected.

    Raises:
        ConfigError: the run has begun with another base than is asked for, or no file is there.
        CheckpointMismatchError: the base that is asked for is of other networks.
        DamagedFileError: it cannot be read.
        WeightsError: the one that konterfei carries is not the one on record.
    """
    run = Run.open(config.output) if Run.exists(config.output) else Run(config.output, {})
    if not run.is_untrained:
        if run.config:  # else it was lost, and is written anew (`open_run`)
            is_otherwise = bool(config.start_from) or _is_on(chosen, "pretrain")
            see_that_it_stays(run, config.base, config.preset, reporter, is_otherwise)
        return None
    if not names_base(config.base, config.preset) or (config.base == DEFAULT and config.start_from):
        return None
    from konterfei.models.bases import read_base  # torch is slow to load

    if config.base != DEFAULT:
        base = read_base(file_of(config.base))
        if reason := base.differs_from(chosen.model, chosen.dims, chosen.face_type):
            raise CheckpointMismatchError(
                f"--base '{config.base}' does not fit: {reason}. Give sizes and architecture that it is for, make one "
                "of your own for these (konterfei pretrain), or begin from scratch (--base none)."
            )
        return base
    reason = next((f"--{name} is given" for name in ("pretrain", "dfl-exact") if _is_on(chosen, name)), "")
    base = read_base(base_path(config.preset))
    if reason := reason or base.differs_from(chosen.model, chosen.dims, chosen.face_type):
        reporter.note(f"The run begins from scratch, not with the base of the preset '{config.preset}': {reason}.")
        return None
    return base


def _is_on(chosen: Preset, name: str) -> bool:
    return bool(getattr(chosen.objectives, name.replace("-", "_")))


def file_of(given: str) -> Path:
    """The file of a base that is given as its path or its run's. Raises ConfigError where there is none."""
    path = Path(given)
    file = path / FILE_NAME if path.is_dir() else path
    if not file.is_file():
        is_young = Run.exists(path) and "pair" in Run.open(path).config
        remedy = (
            f"It is written when that pretraining ends or is stopped (konterfei tell {quote(given)} stop)."
            if is_young
            else f"It takes default, none, the run folder of a konterfei pretrain or the {FILE_NAME} of one."
        )
        raise ConfigError(f"--base '{given}': there is no file '{file}'. {remedy}")
    return file


def see_that_it_stays(run: Run, given: str, preset: str, reporter: Reporter, is_otherwise: bool = False) -> None:
    """Tell whoever asks for another base than the run began with: a note where it is the default, else ConfigError.

    Args:
        run: has begun.
        given: as --base takes it.
        preset: whose default it would be.
        reporter: told.
        is_otherwise: whether the run has a beginning of another kind; then no default is missed.
    """
    began: dict[str, Any] = run.config.get("base") or {}
    with_what = f"with the base '{began['name']}'" if began else "without a base"
    too_late = f"'{run.folder}' began {with_what}, and goes on with what it has learned since"
    if given == DEFAULT:
        usual = BASES.get(preset)
        is_other = usual is not None and usual.sha256 != began.get("sha256")
        if is_other and not is_otherwise:
            reporter.note(f"{too_late}: the base of the preset '{preset}' is for new runs.")
        return
    if given == NOTHING:
        is_same = not began
    else:
        path = Path(given).absolute()
        known_by = {began.get("name"), began.get("path")}
        is_same = not known_by.isdisjoint({str(path), str(path / FILE_NAME)})
        is_same = bool(began) and (is_same or _sha256_of(given) == began["sha256"])
    if not is_same:
        raise ConfigError(f"--base {given} comes too late: {too_late}. Leave --base out, or train in another folder.")


def _sha256_of(given: str) -> str:
    from konterfei.models.bases import read_base

    return read_base(file_of(given)).sha256


def record_of(base: Base, config: Any) -> dict[str, Any]:
    """What a run's config says of the base that it began with; plain JSON values.

    name: the preset whose base it is, or the path that was given; file, sha256; steps that it learned; trained_on.
    """
    carried = BASES.get(config.preset) if config.base == DEFAULT else None
    return {
        "name": config.preset if carried else str(Path(config.base).absolute()),
        "path": str(base.path.absolute()),
        "sha256": base.sha256,
        "steps": base.steps,
        "trained_on": carried.trained_on if carried else _learned_from(base.info),
    }


def _learned_from(info: Mapping[str, Any]) -> str:
    """The facesets that a base and the one that it began with name (`_pretrain_run`), in words; "" where none is."""
    named, before = info.get("facesets"), info.get("base")
    told = [
        f"{one.get('name')} ({one.get('people')} people, {one.get('faces')} faces)"
        for one in (named if isinstance(named, list) else [])
        if isinstance(one, Mapping)
    ]
    own = ", ".join(told)
    if not isinstance(before, Mapping) or not before.get("trained_on"):
        return own
    inherited = f"the base that it began with learned from [{before['trained_on']}]"  # whose words are of its people
    return f"{own}; {inherited}" if own else inherited


def usable_steps(chosen: Preset, run: Run) -> int:
    """Steps from which on what is merged with a run is no preview."""
    base = run.config.get("base") or {}
    return chosen.usable_steps // chosen.sooner if base.get("steps", 0) >= _ABLE else chosen.usable_steps


def base_again(run: Run, reporter: Reporter) -> Base | None:
    """The base that a run began with, for beginning anew; None where it had none, or it is there no more."""
    if not run.config.get("base"):
        return None
    try:
        return base_of(run)
    except DamagedFileError as error:
        reporter.warn(f"The base that the run began with is gone, and it begins from scratch. {error}")
        return None


def base_of(run: Run) -> Base:
    """The base that a run began with, by its config. Raises DamagedFileError where it is there no more."""
    from konterfei.models.bases import read_base

    began = run.config["base"]
    base = read_base(Path(began["path"]))
    if base.sha256 != began["sha256"]:
        raise DamagedFileError(f"'{began['path']}' is another one now.")
    return base


def start_of(
    base: Base,
    record: Mapping[str, Any],
    chosen: Preset,
    seed: int,
    facesets: Mapping[str, Faceset],
    held: Mapping[str, Collection[str]],
    reporter: Reporter,
) -> Start:
    """What a run of two people begins with: the base's weights with who they are put in.

    Args:
        base: fits.
        record: see `record_of`.
        chosen: the run's settings.
        seed: of the run: of the weights of what is wider than in the base.
        facesets: of src and dst, by these names.
        held: names of their faces that are not trained on.
        reporter: told how the looking goes on, where it has to be looked.
    """
    import torch

    from konterfei.training.beginning import Start

    who = [torch.from_numpy(who_is(facesets[name], held.get(name, ()), reporter)) for name in ("src", "dst")]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights = base.for_pair(chosen.dims, *who)
    wider = "" if chosen.dims == base.dims else "; what is wider than there begins to learn"
    learned_from = f", which learned from {record['trained_on'].rstrip('.')}" if record["trained_on"] else ""
    return Start(
        tensors={f"{kind}/{name}": w.numpy() for kind in ("weights", "ema") for name, w in weights.items()},
        forgotten=(),
        name=f"--base '{record['name']}'",
        told=f"The run begins with the base '{record['name']}' of {base.steps} steps{learned_from}{wider}. "
        "--base none begins from scratch.",
    )


def who_is(faceset: Faceset, without: Collection[str], reporter: Reporter) -> NDArray[np.float32]:
    """Whose faces these are: the mean of what the recognizer `RECOGNIZER` says of them. [192] float32, unit length

    Some are shown to it where the faceset does not hold its numbers.

    Args:
        faceset: which.
        without: names of faces that do not count.
        reporter: told how the looking goes on.

    Raises:
        FacesetError: no face can be read.
    """
    from konterfei.nets.film import EMBEDDING

    left_out = set(without)
    records = [record for record in faceset.records() if record.name not in left_out]
    vectors: Sequence[NDArray[Any]] = []
    if faceset.header.settings.get("recognizer", RECOGNIZER) == RECOGNIZER:
        known = [record.face.embedding for record in records if record.face.embedding is not None]
        vectors = [vector for vector in known if len(vector) == EMBEDDING]
    if not vectors:
        recognizer = RECOGNIZERS.load(RECOGNIZER)()
        places = np.linspace(0, len(records) - 1, min(len(records), _LOOKS)).round().astype(int)
        looks = [records[place] for place in places]
        reporter.start("seeing who is to be drawn", len(looks), "faces")
        vectors = []
        for count, record in enumerate(looks, start=1):
            check(reporter)
            try:
                image = faceset.image(record.name)
            except StoreError:
                continue  # told when faces are read
            points = (record.crop.crop_from_frame @ record.face.landmarks).astype(np.float32)
            vectors.append(recognizer.embed(image, [points])[0])
            reporter.advance(count)
        reporter.finish()
        if not vectors:
            raise FacesetError(f"'{faceset.folder}' holds no face that can be read. Extract it again.")
    mean = np.asarray(vectors, np.float64).mean(axis=0)
    return (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
