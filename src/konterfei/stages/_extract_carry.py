"""What people have made in a faceset that is extracted anew: it goes over to the new crops, or into the trash."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from konterfei.detectors import overlap
from konterfei.errors import FacesetError
from konterfei.io.face_labels import FaceLabels
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_files import REPLACEMENT_NAME
from konterfei.io.faceset_order import ORDER_NAME
from konterfei.io.label_moves import moved
from konterfei.io.manifest import Manifest
from konterfei.reporting import Reporter
from konterfei.stages._extract_inputs import KEY, known_inputs
from konterfei.tracking.finder import MATCH_OVERLAP


def follower(old: FaceRecord, candidates: Iterable[FaceRecord]) -> FaceRecord | None:
    """The one of `candidates` that shows the face of `old`: from the same frame, and overlapping it most."""
    here = [one for one in candidates if one.source == old.source and one.frame_size == old.frame_size]
    if not here:
        return None
    shared = overlap(old.face.box, np.array([one.face.box for one in here], np.float32))
    best = int(shared.argmax())
    return here[best] if shared[best] > MATCH_OVERLAP else None


def carried(old: Sequence[tuple[FaceRecord, FaceLabels]], new: Sequence[FaceRecord]) -> dict[int, FaceLabels]:
    """Labels of old crops as labels of the new ones that show the same faces.

    Args:
        old: records with what was drawn on their crops.
        new: records of the same frame.

    Returns:
        place in `new` -> labels
    """
    found: dict[int, FaceLabels] = {}
    for record, labels in old:
        one = None if labels.is_empty else follower(record, new)
        place = next((place for place, other in enumerate(new) if other is one), None)
        if one is not None and place is not None and place not in found:
            with suppress(ValueError):  # a mask that cannot be read stays on the old crop, in the trash
                found[place] = moved(labels, record.crop, one.crop)
    return found


def keep_what_people_made(folder: Path, before: Manifest | None, manifest: Manifest, reporter: Reporter) -> None:
    """Before the crops of `folder` are replaced: what was drawn on them goes over to the new ones of the same faces.

    Crops that no extraction has made (imported, moved in from elsewhere), and those whose labels find no new crop, go
    to the trash. A kill in between costs nothing: the same again does the rest.

    Args:
        folder: the faceset; the new one is whole in its REPLACEMENT_NAME.
        before: of the old crops.
        manifest: of the new ones.
        reporter: is told what becomes of it all.

    Raises:
        FacesetError, OutputError: as `Faceset.set_aside`.
    """
    try:
        old = Faceset.open(folder, allow_empty=True)
    except FacesetError:  # damaged, or of another version: nothing in it can be read
        return
    known = known_inputs(before) if before is not None and before.stage == manifest.stage else {}
    names = tuple(key.removeprefix(KEY) for key in known)
    now = known_inputs(manifest)
    same = tuple(
        key.removeprefix(KEY)
        for key, record in known.items()
        if "pictures" in record or now.get(key, {}).get("sha256") == record["sha256"]
    )
    labelled = old.labelled()
    foreign = [record.name for record in old.records() if not _is_of(record, names)]
    left: list[str] = []
    taken: set[str] = set()
    with old, Faceset.open(folder / REPLACEMENT_NAME, allow_empty=True) as new:
        by_source: dict[str, list[FaceRecord]] = {}
        for record in new.records() if labelled else ():
            by_source.setdefault(record.source, []).append(record)
        for record in old.records():
            if record.name not in labelled or record.name in foreign:
                continue
            candidates = by_source.get(record.source, []) if _is_of(record, same) else []
            is_film = record.source in names
            here = [one for one in candidates if not is_film or one.frame_index == record.frame_index]
            here = [one for one in here if one.name not in taken]
            found = carried([(record, old.labels(record.name))], here)
            for place, labels in found.items():
                new.relabel(here[place].name, labels)
                taken.add(here[place].name)
            left += [] if found else [record.name]
        old.set_aside(left, "drawn on by hand; extract --force found no such face")
        old.set_aside(foreign, "not of these inputs; the faceset was made anew by extract --force")
    if taken:
        reporter.note(f"What was drawn on {len(taken)} crops went over to the new ones.")
    if left:
        reporter.warn(
            f"{len(left)} crops that were drawn on have no new one of the same face. They lie in the trash of "
            f"'{folder}', with what was drawn."
        )
    if foreign:
        reporter.warn(f"{len(foreign)} crops that came from elsewhere went to the trash of '{folder}'.")
    if (folder / ORDER_NAME).exists():
        reporter.note("The order of the old faces goes with them; konterfei sort makes another.")


def tell_of_replacing(folder: Path, before: Manifest | None, reporter: Reporter) -> None:
    """Says, before the work begins, that the old faces stay for now, and what a person did to them and will be undone.

    Args:
        folder: the faceset.
        before: of the crops that are there.
        reporter: is told.
    """
    reporter.note(f"The faces in {folder} stay until the new ones are all there.")
    try:
        faceset = Faceset.open(folder, allow_empty=True)
    except FacesetError:
        return
    there = sum(len(batch.names) for batch in faceset.set_asides())
    made = before.results.get("num_faces", 0) if before is not None and before.complete else 0
    gone = max(int(made) - len(faceset), 0)
    if gone:
        reporter.note(
            f"{gone} of them were deleted or set aside since; those that are found again will be among the new ones."
            f"{' What lies in the trash stays there.' if there else ''} To change only size or face type, and keep "
            "them out: konterfei faceset convert."
        )


def _is_of(record: FaceRecord, names: Sequence[str]) -> bool:
    """Whether the source of a record is one of these inputs, or a loose picture of one."""
    return record.source in names or record.source.startswith(tuple(f"{name}/" for name in names))
