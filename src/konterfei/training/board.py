"""Figures and previews of a training for TensorBoard, as event files that it follows while they grow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tensorboardX import SummaryWriter

from konterfei.io.atomic import make_folder, translated
from konterfei.io.images import read_image


class Board:
    """Writes event files into a folder; each training of a run adds one.

    Args:
        folder: of the event files.
        first_step: where this training begins. What earlier files say of later steps, before a kill, does not count.

    Attributes:
        last_step: of the newest figures.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        self.last_step = first_step - 1
        with translated(make_folder(folder)):
            suffix = f".{first_step:08d}"  # two files of one second are two files
            self._writer = SummaryWriter(str(folder), purge_step=first_step, flush_secs=10, filename_suffix=suffix)

    def figures(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to each curve: "loss/src" is the curve src in the group loss."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self.last_step = step

    def preview(self, step: int, path: Path) -> None:
        """Add a preview picture."""
        self._writer.add_image("preview", read_image(path), step, dataformats="HWC")

    def close(self) -> None:
        """Write what is waiting."""
        self._writer.close()
