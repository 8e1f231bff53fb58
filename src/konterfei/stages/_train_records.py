"""What a training is made from and came to, written down; and what is odd about its material."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from konterfei.errors import FacesetError
from konterfei.io.atomic import sha256
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest
from konterfei.io.run import Run
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter


def train_manifest(
    config: Any, chosen: Any, run: Run, src: Faceset, dst: Faceset, begins_with: Mapping[str, Mapping[str, Any]]
) -> Manifest:
    """What this training is made from. Facesets that an earlier part of the run saw otherwise stay listed.

    `begins_with`: what a new run begins with besides, by the name of the setting.
    """
    before = Manifest.load(run.folder)
    inputs = {} if before is None else dict(before.inputs)
    for person, faceset in (("src", src), ("dst", dst)):
        now = {"path": str(faceset.folder.absolute()), "sha256": faceset.content_hash(), "num_faces": len(faceset)}
        earlier = inputs.get(person)
        if earlier and earlier["sha256"] != now["sha256"]:
            inputs[f"{person} earlier, {earlier['sha256'][:8]}"] = earlier
        inputs[person] = now
    if run.is_untrained:  # what is noted there was begun with in vain
        inputs = {name: told for name, told in inputs.items() if name not in ("start_from", "base")}
    inputs |= {name: dict(told) for name, told in begins_with.items()}
    return Manifest(
        stage="train",
        inputs=inputs,
        settings={"config": config, "resolved": chosen},
        versions={"konterfei": version("konterfei"), "torch": version("torch")},
        results={} if before is None else before.results,
    )


def complete(manifest: Manifest, run: Run, result: Any) -> None:
    """Write down what came of it."""
    paths = run.snapshot_paths()
    manifest.output = {"snapshot": paths[-1].name, "sha256": sha256(paths[-1])} if paths else {}
    manifest.results = results_of(result.progress)
    manifest.complete = result.progress.is_done
    manifest.save(run.folder)


def results_of(progress: Any) -> dict[str, Any]:
    """What a manifest says of how far a training came."""
    return {
        "steps": progress.step,
        "minutes": round(progress.trained_s / 60, 2),
        "loss": round(progress.loss, 5),
        "rollbacks": progress.salt,
    }


def warn_of_oddities(src: Faceset, dst: Faceset, are_two: bool, reporter: Reporter) -> None:
    """Say what is damaged, and whether src and dst are one person although they should be two."""
    for faceset in (src, dst):
        for name, reason in list(faceset.damaged.items())[:5]:
            reporter.warn(f"'{faceset.folder / name}' is not used: {reason}")
        if len(faceset.damaged) > 5:
            reporter.warn(f"... and {len(faceset.damaged) - 5} more damaged crops in '{faceset.folder}'.")
        people = {record.face.person for record in faceset.records()} - {None}
        if faceset.header.source and len(people) > 1:  # one video: its numbers are one person each
            reporter.warn(
                f"'{faceset.folder}' holds {len(people)} people, and the model will learn a mixture of them. Extract "
                "the one who is meant: konterfei extract --person NUMBER."
            )
    if not are_two:
        return
    try:
        ours, theirs = src.identity(), dst.identity()
    except FacesetError as error:
        reporter.note(f"Whether src and dst are two people was not checked. {error}")
        return
    made_with = {faceset.header.settings.get("recognizer", "mobilefacenet") for faceset in (src, dst)}
    if len(made_with) > 1 or len(ours) != len(theirs):
        reporter.note("Whether src and dst are two people was not checked: their recognizers differ.")
        return
    (name,) = made_with
    same_person = RECOGNIZERS.load(name).same_person if name in RECOGNIZERS else 1.0
    if float(ours @ theirs) > same_person:
        reporter.warn(
            f"src and dst look like the same person (similarity {float(ours @ theirs):.2f}, different people "
            f"are below {same_person}). Swapping will change little."
        )
