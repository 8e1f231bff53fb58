"""The run that a pretraining writes, and the base that lies in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from konterfei.errors import CheckpointMismatchError
from konterfei.geometry import FaceType
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest
from konterfei.io.run import VALIDATION, Run
from konterfei.reporting import Reporter
from konterfei.stages._pretrain_base import asked_for, told_of
from konterfei.stages._pretrain_people import Roster, hold_out, refuse_too_few
from konterfei.stages._pretrain_settings import PretrainConfig
from konterfei.training.presets import Preset
from konterfei.weights import WEIGHTS
from konterfei.weights.bases import FILE_NAME, RECOGNIZER


def open_run(
    config: PretrainConfig, chosen: Preset, roster: Roster, base: Mapping[str, Any] | None, reporter: Reporter
) -> Run:
    """The run in the output folder: a new one, or the one there when its settings are the same.

    base: what a new run's config says of what it begins with.

    Raises:
        CheckpointMismatchError: it was made with other settings.
        ConfigError: too few people.
    """
    fixed: dict[str, Any] = {
        "model": f"many-{chosen.model}",
        "dims": asdict(chosen.dims),
        "face_type": str(chosen.face_type),
        "optimizer": chosen.optimizer,
        "seed": config.seed,
    }
    facesets = [_told(faceset) for faceset in roster.facesets]
    if not Run.exists(config.output) and not Run(config.output, {}).is_untrained:
        made = Manifest.load(config.output)  # a config that was lost: the manifest knows
        base = None if made is None else made.inputs.get("base")
    if not Run.exists(config.output) or (there := Run.open(config.output)).is_untrained:
        whole = range(len(config.facesets), len(roster.facesets))
        names = hold_out(roster, config.held_out, config.seed, whole)
        held = {str(faceset.folder.absolute()): some for faceset, some in zip(roster.facesets, names, strict=True)}
        settings = {**fixed, "pair": chosen.model, "preset": config.preset, "facesets": facesets, "held_out": held}
        if base is not None:
            settings["base"] = dict(base)
        if not Run.exists(config.output):
            return Run.create(config.output, settings)
        with there.writing():
            for left in there.best_paths():  # of a beginning that was killed: perhaps another one
                left.unlink()
            return there.replaced(settings)
    changed = [f"{k}: there {there.config.get(k)!r}, asked for {v!r}" for k, v in fixed.items()
               if there.config.get(k) != v]  # fmt: skip
    if changed:
        raise CheckpointMismatchError(
            f"'{config.output}' was made with other settings ({'; '.join(changed)}). "
            "Use its settings, or train in another folder."
        )
    if [one["hash"] for one in there.config["facesets"]] != [one["hash"] for one in facesets]:
        reporter.note("The facesets are not what they were when this run began; what is there now is used.")
    return there


def held_out_of(run: Run, roster: Roster, num_learned: int, reporter: Reporter) -> list[list[str]]:
    """The faces of each faceset that this run is never to see.

    They are those it held out, all of the facesets that are to be held out now, and whoever is kept on their side. A
    faceset that was moved since is known by its content.

    Args:
        run: as `open_run` gives it.
        roster: everybody.
        num_learned: how many facesets are to be learned from; those that follow are to be held out.
        reporter: told of facesets that are there no more.

    Raises:
        ConfigError: fewer than two people are held out, or nobody is left to learn from.
    """
    then = {Path(folder).resolve(): set(names) for folder, names in run.config["held_out"].items()}
    hashes = {told["hash"]: Path(told["faces"]).resolve() for told in run.config["facesets"]}
    sides, found = set(), set()
    for number, (faceset, people) in enumerate(zip(roster.facesets, roster.people, strict=True)):
        folder = faceset.folder.resolve()
        if folder not in then:
            folder = hashes.get(faceset.content_hash(), folder)
        found.add(folder)
        sides |= {roster.side(number, name) for name in people if number >= num_learned or name in then.get(folder, ())}
    for folder in sorted(folder for folder, names in then.items() if names and folder not in found):
        reporter.warn(
            f"'{folder}', of which this run held out people, is not among the facesets. If it was moved and has "
            "changed since, they would be learned from now: put it back there."
        )
    names = roster.names_on(sides)
    refuse_too_few(roster, names, f"give the facesets that '{run.folder}' began with, or others as --held.")
    return names


def _told(faceset: Faceset) -> dict[str, Any]:
    return {"faces": str(faceset.folder.absolute()), "hash": faceset.content_hash(), "num_faces": len(faceset)}


def pretrain_manifest(config: PretrainConfig, chosen: Preset, run: Run, facesets: Sequence[Faceset]) -> Manifest:
    """What this training is made from."""
    before = Manifest.load(run.folder)
    inputs = {
        str(faceset.folder): {"path": str(faceset.folder.absolute()), "sha256": faceset.content_hash(),
                              "num_faces": len(faceset)}
        for faceset in facesets
    }  # fmt: skip
    if run.config.get("base"):
        inputs["base"] = dict(run.config["base"])
    return Manifest(
        stage="pretrain",
        inputs=inputs,
        settings={"config": replace(config, base=asked_for(config, run)), "resolved": chosen},
        versions={"konterfei": version("konterfei"), "torch": version("torch")},
        results={} if before is None else before.results,
    )


def write_base_of(
    config: PretrainConfig, chosen: Preset, run: Run, roster: Roster, held: Sequence[Sequence[str]]
) -> Path:
    """Write the base from the best held-out weights, or from the newest where nothing was measured yet."""
    import torch  # here: it is slow to load

    from konterfei.models.bases import write_base
    from konterfei.models.many import MANY

    weights = run.best_snapshot() or run.newest_snapshot()
    step = int(weights.info["step"])
    network = MANY[chosen.model](chosen.dims)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.tensors.items()})
    scores = [line for line in run.metrics(VALIDATION) if line["step"] == step]
    before = run.config.get("base") or {}
    info = {
        **({"base": told_of(before)} if before else {}),
        "preset": config.preset,
        "seed": config.seed,
        "settings": {name: getattr(config, name) for name in ("disguise", "eyes_mouth", "batch", "rate")},
        "facesets": [_learned(*both) for both in zip(roster.facesets, roster.people, held, strict=True)],
        "recognizer": {"name": RECOGNIZER, "sha256": WEIGHTS[RECOGNIZER].sha256},
        "versions": {"konterfei": version("konterfei"), "torch": version("torch")},
        "minutes": weights.info["minutes"] + before.get("minutes", 0.0),
        "held_out": scores[-1] if scores else None,
    }
    path = run.folder / FILE_NAME
    steps = int(weights.info["steps"]) + before.get("steps", 0)  # its own, and those of what it began with
    write_base(path, network, FaceType(chosen.face_type), steps, info)
    return path


def _learned(faceset: Faceset, people: Mapping[str, int], held: Sequence[str]) -> dict[str, Any]:
    """What a base says of a faceset: its name, not where it lay."""
    without = set(held)
    learned = [person for name, person in people.items() if name not in without]
    return {
        "name": faceset.folder.name,
        "sha256": faceset.content_hash(),
        "faces": len(learned),
        "people": len(set(learned)),
        "faces_held_out": len(without),
        "people_held_out": len({people[name] for name in without}),
    }
