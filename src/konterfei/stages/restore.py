"""`konterfei restore`: go back to a backup of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from konterfei.errors import ConfigError
from konterfei.io.atomic import free_space, size_text
from konterfei.io.backups import Backup, backups, generations, go_back, make_backup, own_bytes
from konterfei.io.run import Run
from konterfei.reporting import Reporter


@dataclass(frozen=True, kw_only=True)
class RestoreConfig:
    """Go back to a backup of a run, made by `konterfei train --backup-hours` or `konterfei tell RUN backup`, or to an
    older state that the run itself still keeps.

    Without BACKUP, lists them. What the run has learned since becomes a backup of its own, so nothing is lost. Then
    `konterfei train` goes on from there.
    """

    run: Path
    """Folder of the run; nobody may be training it."""
    backup: str | None = None
    """Which one: its folder's name, or its step alone."""


@dataclass(frozen=True, kw_only=True)
class RestoreResult:
    """What was gone back to, or what there is to go back to.

    Attributes:
        run: folder of the run.
        restored: the backup that was gone back to.
        left: what the run had learned since.
        known: every backup of the run, oldest first.
        kept: steps of older states that the run itself keeps.
        own_bytes: disk that they take besides the run's own files.
    """

    run: Path
    restored: Backup | None
    left: Backup | None
    known: tuple[Backup, ...]
    own_bytes: int
    kept: tuple[int, ...] = ()

    def summary(self) -> list[str]:
        """As lines for a person."""
        if self.restored is not None:
            kept = f"What came after is kept as the backup {self.left.path.name}." if self.left else ""
            return [f"'{self.run}' is back at step {self.restored.step}. {kept}".strip(), "Go on with: konterfei train"]
        still = []
        if self.kept:
            steps = ", ".join(str(step) for step in self.kept)
            still = [
                f"The run itself still keeps the state of step {steps}: konterfei restore {self.run} {self.kept[0]}"
            ]
        if not self.known:
            how = "Make them with konterfei train --backup-hours, or konterfei tell."
            return [f"'{self.run}' has no backups. {how}", *still]
        width = max(len(backup.path.name) for backup in self.known)
        rows = [
            f"{backup.path.name:<{width}}  step {backup.step:>8}  {backup.minutes:>8.1f} min  "
            + (f"loss {backup.loss:.4f}" if backup.loss else "")
            for backup in self.known
        ]
        free = free_space(self.run)
        return [
            *(row.rstrip() for row in rows),
            f"They take {size_text(self.own_bytes)} besides the run's own files; {size_text(free)} are free.",
            f"Go back: konterfei restore {self.run} {self.known[-1].path.name}",
            *still,
        ]


def restore(config: RestoreConfig, reporter: Reporter) -> RestoreResult:
    """Make a backup the newest state of its run; without one named, only list them.

    Raises:
        StoreError: there is no run, or the backup is damaged.
        ConfigError: there is no such backup, or more than one of that step.
        OutputError: the run is being trained, or the disk is full.
    """
    run = Run.open(config.run)
    restored, left = None, None
    if config.backup is not None:
        with run.writing():
            restored = _chosen(run, config.backup)
            left = go_back(run, restored)
    return RestoreResult(
        run=config.run,
        restored=restored,
        left=left,
        known=tuple(backups(run)),
        own_bytes=own_bytes(run),
        kept=tuple(generations(run)),
    )


def _chosen(run: Run, wanted: str) -> Backup:
    known = backups(run)
    exact = [backup for backup in known if backup.path.name == wanted]
    found = exact or [backup for backup in known if wanted.isdigit() and backup.step == int(wanted)]
    names = ", ".join(backup.path.name for backup in known) or "none"
    if not found and wanted.isdigit() and int(wanted) in generations(run):
        return make_backup(run, step=int(wanted))
    if not found:
        raise ConfigError(f"'{run.folder}' has no backup '{wanted}'. There are: {names}.")
    if len(found) > 1:
        raise ConfigError(f"'{run.folder}' has several backups of step {wanted}; name one of {names}.")
    return found[0]
