"""faceset rename: crops named after their frames again, after somebody gave them other names."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from konterfei.io.atomic import output_error, sync_folder
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_order import FacesetOrder
from konterfei.reporting import Reporter, check


@dataclass(frozen=True, kw_only=True)
class FacesetRenameConfig:
    """Name crops after their frames again: 000123_0.jpg is the first face of frame 123.

    A faceset does not need it: frame and order come from the records. It is for people who look for a frame.
    """

    faceset: Path
    """Folder of the faceset."""
    dry_run: bool = False
    """Says what would be renamed, and renames nothing."""


@dataclass(frozen=True, kw_only=True)
class FacesetRenameResult:
    """What was renamed."""

    faceset: Path
    renamed: Mapping[str, str]
    """Old name -> new name."""
    is_dry: bool = False

    def summary(self) -> list[str]:
        """One line, and the first names."""
        if not self.renamed:
            return [f"Nothing to do: the crops of {self.faceset} have the names of their frames."]
        shown = [f"  {old} -> {new}" for old, new in list(self.renamed.items())[:10]]
        more = [f"  ... and {len(self.renamed) - 10} more"] if len(self.renamed) > 10 else []
        return [f"{len(self.renamed)} crops {'would be ' if self.is_dry else ''}renamed:", *shown, *more]


def faceset_rename(config: FacesetRenameConfig, reporter: Reporter) -> FacesetRenameResult:
    """Rename what is not named after its frame. Stopped in between, the same command renames the rest.

    Raises:
        FacesetError: no faceset, or another process is writing into it.
        OutputError: no permission.
    """
    with Faceset.open(config.faceset, reporter=reporter) as faceset:
        plan = _plan(faceset)
        if plan and not config.dry_run:
            faceset.hold()
            order = FacesetOrder.load(config.faceset)
            if order is not None:  # both names, so that a kill in between costs no place
                _both(order.over(faceset.names()), plan).save(config.faceset)
            reporter.start("renaming", len(plan), "crops")
            for number, (old, new) in enumerate(plan.items(), 1):
                check(reporter)
                try:
                    os.replace(config.faceset / old, config.faceset / new)  # noqa: PTH105  (tests replace os.replace)
                except OSError as error:
                    raise output_error(config.faceset / new, error) from error
                reporter.advance(number)
            sync_folder(config.faceset)
            reporter.finish()
            faceset.refresh()
            if (order := FacesetOrder.load(config.faceset)) is not None:
                order.over(faceset.names()).save(config.faceset)
        return FacesetRenameResult(faceset=config.faceset, renamed=plan, is_dry=config.dry_run)


def _plan(faceset: Faceset) -> dict[str, str]:
    """Name now -> name after the frame, of those that have another one. No new name is taken by any file now."""
    taken = {path.name for path in faceset.folder.iterdir()}
    plan: dict[str, str] = {}
    number: dict[int, int] = {}
    for record in faceset.records():
        if re.fullmatch(rf"{record.frame_index:06d}_\d+\.jpg", record.name):
            continue
        while (new := f"{record.frame_index:06d}_{number.setdefault(record.frame_index, 0)}.jpg") in taken:
            number[record.frame_index] += 1
        taken.add(new)
        plan[record.name] = new
    return plan


def _both(order: FacesetOrder, plan: Mapping[str, str]) -> FacesetOrder:
    """The order with each new name right after the old one."""
    names: list[str] = []
    values: list[float | None] = []
    for name, value in zip(order.names, order.values, strict=True):
        new = plan.get(name)
        for each in [name] if new is None else [name, new]:
            names.append(each)
            values.append(value)
    return FacesetOrder(by=order.by, names=tuple(names), values=tuple(values), about=order.about)
