"""Opening what the people commands work on: the state in a folder, and the facesets that it speaks of."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from konterfei.curation.looks import Looks
from konterfei.curation.people import People
from konterfei.curation.people_file import PEOPLE_NAME, load
from konterfei.curation.sightings import Sightings, look
from konterfei.errors import FacesetError, StoreError
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_files import HEADER_NAME
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter

USUAL = "mobilefacenet"
"""The recognizer, unless told otherwise."""

EXPORTED_NAME = "exported.json"
"""In a faceset of people export: whose it is, and which faces were put there."""


@dataclass
class Read:
    """What there is now.

    Attributes:
        facesets: those that can be read; their pictures, not what they hold, which is let go.
        seen: their faces.
        missing: folders that cannot be read.
    """

    facesets: list[Faceset]
    seen: Sightings
    missing: list[Path]


def state_of(folder: Path) -> People:
    """The people in `folder`.

    Raises:
        StoreError: there are none.
        DamagedFileError: the file is damaged.
    """
    people = load(folder)
    if people is None:
        find = f"konterfei people find FACESETS -o {quote(str(folder))}"
        raise StoreError(f"There is no {PEOPLE_NAME} in '{folder}'. Make one with: {find}")
    return people


def facesets_in(places: Iterable[Path]) -> list[Path]:
    """The facesets among `places`, or directly in them (but for those of people export); absolute, each once.

    Raises:
        FacesetError: a place is neither a faceset nor a folder of some.
    """
    found: list[Path] = []
    for place in places:
        own = [place]
        if not (place / HEADER_NAME).exists():
            inside = sorted(path.parent for path in place.glob(f"*/{HEADER_NAME}"))
            own = [folder for folder in inside if not (folder / EXPORTED_NAME).exists()]
        if not own:
            raise FacesetError(
                f"'{place}' is no faceset and holds none. "
                "Make one with 'konterfei extract VIDEO -o FOLDER --person all'."
            )
        found += [Path(os.path.normpath(folder.absolute())) for folder in own]
    return list(dict.fromkeys(found))


def read(
    folders: Iterable[Path],
    keeping: Path,
    reporter: Reporter,
    needed: Iterable[Path] = (),
    recognizer: str | None = None,
) -> Read:
    """Looks at the faces of all `folders`; one that cannot be read is left out with a warning, unless it is `needed`.

    Embeddings that had to be measured are kept in the folder `keeping`. With a `recognizer`, all must be of that one.

    Raises:
        FacesetError: a needed one cannot be read; embeddings of another recognizer.
    """
    facesets: list[Faceset] = []
    missing: list[Path] = []
    wanted = set(needed)

    def opened() -> Iterator[Faceset]:
        for folder in folders:
            try:
                faceset = Faceset.open(folder, allow_empty=True)
            except FacesetError as error:
                if folder in wanted:
                    raise
                reporter.warn(f"{error} What is known of its faces is kept.")
                missing.append(folder)
            else:
                made_with = faceset.header.settings.get("recognizer", recognizer)
                if recognizer and made_with != recognizer:
                    raise FacesetError(
                        f"The faces in '{folder}' were recognised by {made_with}, not by {recognizer}: their "
                        f"embeddings do not compare. Use --recognizer {made_with} or extract again."
                    )
                for remark in faceset.remarks():
                    reporter.warn(remark)
                facesets.append(Faceset(folder, faceset.header))
                yield faceset

    looks = Looks(keeping, lambda: RECOGNIZERS.load(recognizer or USUAL)(threads=0))
    try:
        return Read(facesets, look(opened(), looks, reporter), missing)
    finally:
        looks.save()
