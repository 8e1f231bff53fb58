"""preview: some frames of a merge as pictures, while the settings are still being looked for."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from konterfei.compositing import Keys
from konterfei.errors import Cancelled, OutputError, UnreadableMediaError, UsageError
from konterfei.io.sequence import folder_of, is_pattern, numbered
from konterfei.provenance.verification import verify
from konterfei.reporting import Reporter, check
from konterfei.stages import _merge_checks as checks
from konterfei.stages._merge_roles import FaceSwapper
from konterfei.stages._merge_stream import SWAPPED
from konterfei.stages._preview_frames import Look, Preview
from konterfei.stages._preview_settings import PreviewConfig, grid_choices
from konterfei.stages._preview_sheet import side_by_side

__all__ = ["Look", "Preview", "PreviewConfig", "PreviewResult", "preview"]

_LOOK_EVERY_S: Final = 0.2
"""From one look at the file of keys to the next."""


@dataclass(frozen=True, kw_only=True)
class PreviewResult:
    """What was written."""

    pictures: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    """What a person should know of single frames."""

    def summary(self) -> list[str]:
        """It, as lines for a person."""
        return [*(f"{path}" for path in self.pictures), *(f"  {note}" for note in self.notes)]


def preview(config: PreviewConfig, reporter: Reporter, swapper: FaceSwapper | None = None) -> PreviewResult:
    """Write the pictures; with `watch`, again whenever the file of keys changes, until a person stops it.

    Args:
        config: what to look at.
        reporter: told of every picture, and, while watching, of what makes no sense in the file of keys.
        swapper: a model to use in place of the one in `config.model`.

    Raises:
        ConsentError, UnreadableMediaError, FacesetError, ConfigError, NoFacesError: as for a merge.
        OutputError: a picture cannot be written, or is there and not konterfei's.
        Cancelled: a person asked to stop before the first pictures were there.
    """
    stamp = _stamp(config.keys)
    with closing(Preview(config, reporter, swapper)) as opened:
        return _looked(opened, config, stamp, reporter)


def _looked(opened: Preview, config: PreviewConfig, stamp: tuple[int, int] | None, reporter: Reporter) -> PreviewResult:
    """Write the pictures, and go on watching if that is asked for. `stamp`: of the file of keys as it was read."""
    indices = config.frames or (opened.middle,)
    paths = [_path(config.output, index) for index in indices]
    for path in paths:
        _refuse_foreign(path, config)
    result = _written(opened, config, indices, paths, reporter)
    if not config.watch:
        return result
    assert config.keys is not None
    reporter.note(f"Watching '{config.keys}'. Ctrl-C ends.")
    for _ in _changes(config.keys, stamp, reporter):
        try:
            opened.use_keys(Keys.load(config.keys, opened.info.fps))
            result = _written(opened, config, indices, paths, reporter)
        except UsageError as error:  # half a line was saved, say: the next time it may be whole
            reporter.warn(str(error))
        except Cancelled:
            break
    return result


def _written(
    opened: Preview, config: PreviewConfig, indices: Sequence[int], paths: Sequence[Path], reporter: Reporter
) -> PreviewResult:
    """Make every picture anew."""
    notes: list[str] = []
    reporter.start("looking", len(paths))
    for done, (index, path) in enumerate(zip(indices, paths, strict=True)):
        check(reporter)
        reporter.advance(done)
        told: dict[str, Any] = {}
        if config.grid is not None:
            control, values = grid_choices(config.grid)
            image, failed = opened.grid(index, control, values)
            notes += failed
            reason, told = SWAPPED, {"grid": config.grid}
        else:
            seen = opened.frame(index, names=config.names)
            image, reason = seen.image, seen.reason
            if config.compare:
                image, told = side_by_side(seen.plate, image), {"compare": True}
            if reason != SWAPPED:
                notes.append(f"frame {index} is as it was: {reason}")
        opened.save(image, path, index, reason, told)
    reporter.finish()
    return PreviewResult(pictures=tuple(paths), notes=tuple(dict.fromkeys(notes)))


def _path(output: Path, index: int) -> Path:
    """Where the picture of a frame goes."""
    if is_pattern(output):
        return folder_of(output) / numbered(output.name, index)
    return output if output.suffix else output / f"{index:06d}.png"


def _refuse_foreign(path: Path, config: PreviewConfig) -> None:
    """Raise OutputError where something lies that konterfei did not make, or among pictures that are read."""
    given = [("VIDEO", config.video), *(("--src-videos", src) for src in config.src_videos)]
    checks.refuse_among_pictures(path, given)
    if not path.exists() or config.force:
        return
    try:
        is_ours = path.is_file() and verify(path).marked
    except UnreadableMediaError:
        is_ours = False
    if not is_ours:
        raise OutputError(
            f"'{path}' is there already, and konterfei did not make it. Choose another output, or --force."
        )


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """Changes when the file is saved; None = there is none."""
    try:
        stat = path.stat() if path is not None else None
    except OSError:
        return None  # editors that save by renaming take it away for a moment
    return None if stat is None else (stat.st_mtime_ns, stat.st_size)


def _changes(path: Path, stamp: tuple[int, int] | None, reporter: Reporter) -> Iterator[None]:
    """Once for every time that the file was saved, until a person asks to stop."""
    while not reporter.take_stop():
        now = _stamp(path)
        if now is not None and now != stamp:
            stamp = now
            yield
        time.sleep(_LOOK_EVERY_S)
