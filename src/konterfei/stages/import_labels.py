"""import labels: masks and outlines that were made in other programs, onto the crops of a faceset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from konterfei.errors import ConfigError, NoFacesError, StoreError
from konterfei.exchange import LABEL_READERS
from konterfei.io.faceset import Faceset
from konterfei.reporting import Reporter, check
from konterfei.stages._faceset_tools import few

AUTO = "auto"
"""In the place of a format: a folder holds masks, a file is COCO's."""
FORMATS = {AUTO: None, **dict.fromkeys(LABEL_READERS)}


@dataclass(frozen=True, kw_only=True)
class ImportLabelsConfig:
    """Take over masks or outlines that were made in other programs, onto the crops of a faceset.

    Masks are pictures named as the crops, white = face. Outlines are COCO's JSON with the categories face and exclude.
    Training takes them in the place of the landmarks' hull; merge does with --mask labels.
    """

    path: Path
    """Folder of masks, or file of outlines."""
    faceset: Path
    """Folder of the faceset whose crops they were drawn on."""
    format: Annotated[str, FORMATS] = AUTO
    """What it is: auto (a folder holds masks, a file is COCO's), coco or masks."""
    replace: bool = False
    """Replaces what is drawn onto a crop already. Without it, such crops are listed and left as they are."""

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            LABEL_READERS[self.format]  # raises with the nearest names
        if self.path.is_dir() and self.path.resolve() == self.faceset.resolve():
            raise ConfigError(f"'{self.path}' is the faceset itself. Name the folder with the masks.")


@dataclass(frozen=True, kw_only=True)
class ImportLabelsResult:
    """What was taken over."""

    faceset: Path
    num_labelled: int
    """Crops that got other labels."""
    num_as_before: int
    """Crops that carry these already."""
    not_taken: Mapping[str, str] = field(default_factory=dict)
    """Where in the files, or which crop -> why not."""

    def summary(self) -> list[str]:
        """What was taken over, and what was not."""
        if not self.num_labelled and not self.not_taken:
            return [f"Nothing to do: the {self.num_as_before} crops of {self.faceset} carry these labels already."]
        told = f"{self.num_labelled} crops of {self.faceset} are labelled now, {self.num_as_before} were already."
        left = [f"{len(self.not_taken)} are not taken over:", *few(self.not_taken)] if self.not_taken else []
        return [told, *left]


def import_labels(config: ImportLabelsConfig, reporter: Reporter) -> ImportLabelsResult:
    """Label the crops. Stopped in between, the same command goes on.

    Raises:
        FacesetError: no faceset, or another process is writing into it.
        ConfigError, DamagedFileError: nothing at all can be read there.
        NoFacesError: not one label belongs to a crop.
        OutputError: no space, no permission.
        Cancelled: a person asked to stop.
    """
    if not config.path.exists():
        raise ConfigError(f"There is no '{config.path}'. Name a folder of masks, or a COCO file.")
    name = config.format if config.format != AUTO else ("masks" if config.path.is_dir() else "coco")
    not_taken: dict[str, str] = {}
    num_labelled = num_as_before = number = 0
    with Faceset.open(config.faceset, reporter=reporter) as faceset:
        faceset.hold()
        reporter.start("taking over labels", len(faceset), "faces")
        for number, (crop, labels) in enumerate(LABEL_READERS.load(name)(config.path, faceset, not_taken), 1):
            check(reporter)
            try:
                before = faceset.labels(crop)
                wanted = replace(labels, foreign=before.foreign)
                if wanted == before:
                    num_as_before += 1
                elif (before.polygons or before.mask_file) and not config.replace:
                    not_taken[crop] = "it carries other labels; --replace puts these in their place"
                else:
                    faceset.relabel(crop, wanted)
                    num_labelled += 1
            except (StoreError, ValueError) as error:
                not_taken[crop] = str(error)
            reporter.advance(min(number, len(faceset)))
        reporter.finish()
    if not number:
        told = "; ".join(f"{place}: {why}" for place, why in list(not_taken.items())[:3]) or "there is nothing in it"
        raise NoFacesError(f"Nothing of '{config.path}' could be put onto '{config.faceset}': {told}.")
    return ImportLabelsResult(
        faceset=config.faceset, num_labelled=num_labelled, num_as_before=num_as_before, not_taken=not_taken
    )
