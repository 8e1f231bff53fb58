"""A trained XSeg network ready to look at faces: numpy in, numpy out. What masks with xseg in their name need."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from konterfei.errors import ConfigError
from konterfei.io.atomic import sha256
from konterfei.io.legacy_model import open_legacy_model
from konterfei.io.run import Run
from konterfei.models.devices import choose_device, memory_errors
from konterfei.models.dfl_layout import import_model
from konterfei.models.swapper import load_state
from konterfei.nets.xseg import SIDE, XSeg
from konterfei.reporting import Reporter

Array = NDArray[Any]

_LEAST: Final = 0.1
"""Weaker answers count as none (dfl-spec 6.4)."""


class Segmenter:
    """Tells what of a picture is face.

    Args:
        network: with its weights; it is moved to the device.
        sha256: of the file with the weights.
        device: see `models.devices`.

    Attributes:
        sha256: for manifests.
    """

    def __init__(self, network: XSeg, sha256: str, device: str = "auto") -> None:
        self._device = choose_device(device)
        with memory_errors(self._device, "hold the segmenter"):
            self._network = network.to(self._device).eval()
        self.sha256 = sha256

    def __call__(self, image: Array) -> Array:
        """What of a face's picture is face.

        Args:
            image: a crop of the face type that XSeg was trained on, mostly whole. RGB [S, S, 3] float32 in [0, 1]

        Returns:
            [S, S] float32 in [0, 1], 1 = face
        """
        size = image.shape[0]
        shown = image if size == SIDE else cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        batch = torch.from_numpy(np.ascontiguousarray(np.clip(shown, 0, 1), dtype=np.float32)).permute(2, 0, 1)[None]
        with torch.inference_mode():
            mask: Array = torch.sigmoid(self._network(batch.to(self._device)))[0, 0].cpu().numpy()
        mask = np.where(mask < _LEAST, np.float32(0), mask)
        if size != SIDE:
            mask = cv2.resize(mask, (size, size), interpolation=cv2.INTER_CUBIC)
        return np.clip(mask, 0, 1)


def load_segmenter(path: Path, device: str = "auto", reporter: Reporter | None = None) -> Segmenter:
    """The XSeg network in `path`, ready to look.

    Args:
        path: a run that `konterfei import dfl-model` made of an XSeg model; or such a model as DeepFaceLab has it: its
            folder, or the file XSeg_256.npy in it.
        device: see `models.devices`.
        reporter: told of newer snapshots that are damaged.

    Raises:
        ConfigError: there is no XSeg model.
        StoreError, DamagedFileError: it cannot be read.
    """
    if not path.exists():
        raise ConfigError(f"--segmenter: there is nothing at '{path}'. Name a folder with an XSeg model.")
    if path.is_dir() and Run.exists(path):
        run = Run.open(path)
        if run.config.get("model") != "xseg":
            raise ConfigError(f"--segmenter: '{path}' is a run of {run.config.get('model')}, not of xseg.")
        network = XSeg(int(run.config["dims"]["base"]))
        return Segmenter(network, str(load_state(run, network, reporter)["snapshot_sha256"]), device)
    folder = path if path.is_dir() else path.parent
    names = [file.name.removesuffix("_data.dat") for file in sorted(folder.glob("*XSeg_data.dat"))]
    if not names:
        raise ConfigError(f"--segmenter: '{folder}' holds no XSeg model of DeepFaceLab (XSeg_data.dat, XSeg_256.npy).")
    legacy = open_legacy_model(folder, names[0])
    imported = import_model(legacy)
    network = XSeg(int(imported.dims["base"]))
    network.load_state_dict({name: torch.from_numpy(array) for name, array in imported.tensors.items()})
    return Segmenter(network, sha256(legacy.weight_file("256")), device)
