"""Makes the facesets that the base models learn from (README.md says what of, and why).

    python tools/base/collect.py OUT [--portraits FOLDER] [--performers]

With --portraits: OUT/portraits.faces (everybody who was found), then OUT/portraits_train.faces and
OUT/portraits_held.faces as portraits.txt says. With --performers: OUT/performers_train.faces, of openpeople's pictures
and of clips that are rendered for it. The same command again writes what is missing; a crop that the list has dropped
since goes to the faceset's trash.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import performances
from portraits import LIST, found, read_list

from konterfei.cli.console import ConsoleReporter
from konterfei.geometry import FaceType
from konterfei.io.faceset import FaceRecord, Faceset, FacesetHeader
from konterfei.reporting import Reporter
from konterfei.stages.extract import ExtractConfig, extract

SIZE = 256
SURE = 0.9
"""Presence from which on a performer's points are taken: below it something covers too much of the face."""


def main() -> None:
    """Reads what is asked for, and makes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for the facesets")
    parser.add_argument("--portraits", type=Path, metavar="FOLDER", help="folder of the pictures")
    parser.add_argument("--performers", action="store_true", help="openpeople's pictures and clips")
    given = parser.parse_args()
    if given.portraits is None and not given.performers:
        parser.error("nothing to do: say --portraits FOLDER, --performers, or both")
    with ConsoleReporter.on_stderr() as reporter:
        if given.portraits is not None:
            collect_portraits(given.portraits, given.out, reporter)
        if given.performers:
            collect_performers(given.out, reporter)


def collect_portraits(pictures: Path, out: Path, reporter: Reporter, listed: Path = LIST) -> dict[str, int]:
    """The facesets of the portraits to train on and of those held out.

    Args:
        pictures: folder of the portraits.
        out: folder for the facesets.
        reporter: is told how far it is, and which portraits are not there.
        listed: the list.

    Returns:
        Use -> number of crops.
    """
    everybody = out / "portraits.faces"
    extract(ExtractConfig(video=pictures, output=everybody, person="all", size=SIZE, pictures="loose"), reporter)
    portraits = read_list(listed)
    with Faceset.open(everybody) as faceset:
        matches = found(portraits, faceset.records())
        for use in ("train", "held"):
            numbers = [number for number, one in enumerate(portraits) if one.use == use]
            if missing := [portraits[number].file for number in numbers if number not in matches]:
                reporter.warn(f"{len(missing)} portraits of the list were not found: {', '.join(missing[:9])}")
            crops = ((faceset.jpeg(matches[n].name), anonymous(matches[n])) for n in numbers if n in matches)
            count = fill(out / f"portraits_{use}.faces", crops)
            reporter.note(f"{count} portraits to {'train on' if use == 'train' else 'measure by'} in {out}")
    return {use: len(Faceset.open(out / f"portraits_{use}.faces")) for use in ("train", "held")}


def collect_performers(out: Path, reporter: Reporter) -> int:
    """The faceset of openpeople's people, each with a number of their own; gives the number of crops.

    Landmarks are not smoothed: the clips have few frames a second.
    """
    heads, clips = out / "heads", performances.clips(out / "clips", reporter)
    performances.pictures(heads)
    everybody = out / "performers.faces"
    config = ExtractConfig(
        video=heads,
        more=tuple(clips),
        output=everybody,
        person="all",
        size=SIZE,
        detect_every=1,
        smoothing=0.0,
        max_faces=1,
    )
    extract(config, reporter)
    with Faceset.open(everybody) as faceset:
        crops = (
            (faceset.jpeg(record.name), numbered(record, performances.person_of(record.source)))
            for record in faceset.records()
            if record.face.presence > SURE
        )
        count = fill(out / "performers_train.faces", crops)
    reporter.note(f"{count} crops of performers in {out}")
    return count


def numbered(record: FaceRecord, person: int) -> FaceRecord:
    """The record with this number of a person."""
    return replace(record, face=record.face.with_(person=person), name="")


def anonymous(record: FaceRecord) -> FaceRecord:
    """The record without the number of a person: strangers who were taken for one another are not one person."""
    return replace(record, face=record.face.with_(person=None, track=None), name="")


def fill(folder: Path, crops: Iterable[tuple[bytes, FaceRecord]]) -> int:
    """Make `folder` a faceset of exactly these crops; gives how many. What it had besides goes to its trash."""
    wanted = set()
    with Faceset.create(folder, FacesetHeader(face_type=FaceType.WHOLE, size=SIZE)) as faceset:
        for jpeg, record in crops:
            wanted.add(faceset.add_jpeg(jpeg, record))
        faceset.set_aside(sorted(set(faceset.names()) - wanted), "no longer in the list")
    return len(wanted)


if __name__ == "__main__":
    main()
