"""A trained model ready to draw: numpy in, numpy out. What merging and previews hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from konterfei.errors import ConfigError, DamagedFileError
from konterfei.geometry import FaceType
from konterfei.io.run import Run, Snapshot
from konterfei.models import MODELS
from konterfei.models.base import SwapModel
from konterfei.models.devices import autocast, choose_device, choose_precision, memory_errors
from konterfei.nets.autoencoders import Dims
from konterfei.reporting import Reporter

Array = NDArray[Any]


class Drawing:
    """A network as those see it who use it: numpy in, numpy out.

    Args:
        model: ready to draw, where it is.
        face_type: how much of the head its crops cover.
        device, precision: where the model is, and the format that it runs in ("bf16" or "fp32").
        morph: what the model's `swap` takes besides the faces: how far from dst (0) to src (1), or nothing.

    Attributes:
        resolution: side of the crops that it takes and gives, px.
        face_type: how much of the head these crops cover.
    """

    def __init__(
        self, model: SwapModel, face_type: FaceType, device: torch.device, precision: str, morph: tuple[float, ...] = ()
    ) -> None:
        self._model, self._device, self._precision, self._morph = model, device, precision, morph
        self.resolution, self.face_type = model.dims.resolution, face_type

    def swap(self, images: Array) -> tuple[Array, Array]:
        """Faces of dst drawn as src.

        Args:
            images: crops of `face_type`, RGB. [N, R, R, 3] uint8

        Returns:
            images [N, R, R, 3] float32 in [0, 1] and masks [N, R, R] float32 in [0, 1]: the drawn face's mask times
            that of dst's own face, so that neither spills (dfl-spec 8.3, learned-prd x learned-dst).

        Raises:
            OutOfMemoryError: so many do not fit into the processor's memory at once.
        """
        drawn, masks, own_masks = self.draw(images)
        return drawn, masks * own_masks

    def draw(self, images: Array) -> tuple[Array, Array, Array]:
        """As `swap`, with the two masks apart (dfl-spec 8.3, learned-prd and learned-dst).

        Returns:
            images [N, R, R, 3]; masks of the drawn faces and of those that were given, [N, R, R]; float32 in [0, 1]
        """
        batch = self._checked(images)
        task = f"draw {len(images)} faces of {self.resolution} px at once"
        with memory_errors(self._device, task, "Merge with a smaller --batch."):
            with torch.inference_mode(), autocast(self._device, self._precision):
                drawn, dst_mask = self._model.swap(self._sent(batch), *self._morph)
            masks = [mask.float()[:, 0].cpu().numpy() for mask in (drawn.mask, dst_mask)]
            return _pictures(drawn.image), masks[0], masks[1]

    def redraw(self, images: Array) -> Array:
        """Faces of dst drawn as themselves: what the model does not know of them is missing.

        Args:
            images: crops of `face_type`, RGB. [N, R, R, 3] uint8

        Returns:
            [N, R, R, 3] float32 in [0, 1]
        """
        return self.rebuild(images, images)[1]

    def rebuild(self, src: Array, dst: Array) -> tuple[Array, Array]:
        """Each person drawn as themselves: how well the model knows them.

        Args:
            src, dst: crops of `face_type`, RGB, as many of one as of the other. [N, R, R, 3] uint8

        Returns:
            the same faces out of the network, twice [N, R, R, 3] float32 in [0, 1]
        """
        if len(src) != len(dst):
            raise ValueError(f"expected as many faces of src as of dst, got {len(src)} and {len(dst)}")
        batch = self._checked(np.concatenate([src, dst]))
        with torch.inference_mode(), autocast(self._device, self._precision):
            out = self._model.reconstruct(self._sent(batch))
        images = _pictures(out.image)
        return images[: len(src)], images[len(src) :]

    def draw_as(self, images: Array, who: Array) -> tuple[Array, Array]:
        """Everybody drawn as said; for models of many people.

        Args:
            images: crops of `face_type`, RGB. [N, R, R, 3] uint8
            who: see `models.base.Batch`. [N, 2, 192] float32

        Returns:
            images [N, R, R, 3] and masks [N, R, R]; float32 in [0, 1]
        """
        batch = self._checked(images)
        with torch.inference_mode(), autocast(self._device, self._precision):
            out = self._model.reconstruct_as(self._sent(batch), torch.from_numpy(who).to(self._device))
        return _pictures(out.image), out.mask.float()[:, 0].cpu().numpy()

    def _checked(self, images: Array) -> Array:
        expected = (self.resolution, self.resolution, 3)
        if images.ndim != 4 or images.shape[1:] != expected:
            raise ValueError(f"expected [N, {self.resolution}, {self.resolution}, 3], got {list(images.shape)}")
        return np.ascontiguousarray(images)

    def _sent(self, images: Array) -> torch.Tensor:
        batch = torch.from_numpy(images).to(self._device).permute(0, 3, 1, 2).float() / 255
        return batch.contiguous(memory_format=torch.channels_last)


def _pictures(images: torch.Tensor) -> Array:
    pictures: Array = images.float().permute(0, 2, 3, 1).cpu().numpy()
    return pictures


class Swapper(Drawing):
    """A trained model that draws src with the pose and expression of dst.

    Args:
        model: with its weights; it is moved to the device.
        face_type: how much of the head its crops cover.
        info: see below.
        device, precision: see `models.devices`.
        morph: how far from dst (0) to src (1) faces are drawn; below 1 only with a model that can morph (ConfigError).

    Attributes:
        info: what a manifest should know of it: model, preset, the base that it began with if any, steps, minutes,
            is_preview, sha256 of the snapshot...
    """

    def __init__(
        self,
        model: SwapModel,
        face_type: FaceType,
        info: dict[str, Any],
        device: str = "auto",
        precision: str = "auto",
        morph: float = 1.0,
    ) -> None:
        if not 0 <= morph <= 1:
            raise ConfigError(f"--morph {morph:g}: must be between 0 (dst) and 1 (src).")
        if morph < 1 and not model.can_morph:
            able = " or ".join(name for name in MODELS if MODELS.load(name).can_morph)
            raise ConfigError(
                f"--morph {morph:g}: a model of the kind {type(model).__name__.lower()} draws src wholly or not at "
                f"all. Leave --morph out, or train a model of the kind {able}."
            )
        chosen = choose_device(device)
        with memory_errors(chosen, "hold the model"):
            model = model.to(chosen, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        super().__init__(
            model, face_type, chosen, choose_precision(precision, chosen), (morph,) if model.can_morph else ()
        )
        self.info = info


def load_swapper(
    run_dir: Path | str,
    device: str = "auto",
    precision: str = "auto",
    reporter: Reporter | None = None,
    morph: float = 1.0,
    which: str = "newest",
) -> Swapper:
    """A whole snapshot of a run, ready to draw.

    Args:
        run_dir: folder of the run.
        device, precision: see `models.devices`.
        reporter: is told of newer snapshots that are damaged.
        morph: see `Swapper`.
        which: see `Run.snapshot`.

    Raises:
        StoreError: no run there, nothing trained yet, or damaged.
        ConfigError: a `morph` that the model cannot do, or no such snapshot.
    """
    run = Run.open(Path(run_dir))
    model, info = load_model(run, reporter, which)
    return Swapper(model, FaceType(run.config["face_type"]), info, device, precision, morph)


def load_model(run: Run, reporter: Reporter | None = None, which: str = "newest") -> tuple[SwapModel, dict[str, Any]]:
    """The network of a run with the weights of a whole snapshot, on the CPU, and `Swapper.info`.

    Raises:
        StoreError: nothing trained yet, or damaged.
        ConfigError: no such snapshot (see `Run.snapshot`), or a run of many people.
    """
    if "pair" in run.config:
        raise ConfigError(
            f"'{run.folder}' has learned many people and swaps nobody. Begin a training of two with what it knows: "
            f"konterfei train --base '{run.folder / 'base.safetensors'}' ..."
        )
    snapshot = _found(run, reporter, which)
    model: SwapModel = MODELS.load(run.config["model"])(Dims(**run.config["dims"]))
    return model, _filled(run, model, snapshot)


def load_state(run: Run, network: nn.Module, reporter: Reporter | None = None, which: str = "newest") -> dict[str, Any]:
    """Give `network` the weights of a run's whole snapshot, ready to draw; what a manifest should know of them.

    Args:
        run: where they lie.
        network: of the run's kind and sizes.
        reporter: is told of newer snapshots that are damaged.
        which: see `Run.snapshot`.

    Raises:
        StoreError: nothing trained yet, or damaged.
        ConfigError: no such snapshot.
    """
    return _filled(run, network, _found(run, reporter, which))


def _found(run: Run, reporter: Reporter | None, which: str) -> Snapshot:
    snapshot = run.snapshot(which)
    if run.passed_over and reporter is not None:
        damaged = "; ".join(f"{name}: {reason}" for name, reason in run.passed_over.items())
        reporter.warn(f"Snapshots of '{run.folder}' are damaged ({damaged}). '{snapshot.path.name}' is used.")
    return snapshot


def _filled(run: Run, network: nn.Module, snapshot: Snapshot) -> dict[str, Any]:
    try:
        network.load_state_dict({name: torch.from_numpy(array) for name, array in snapshot.tensors.items()})
    except RuntimeError as error:
        raise DamagedFileError(
            f"'{snapshot.path}' does not fit the run's own configuration ({str(error).splitlines()[0]}). "
            "Go on with training for a moment to write a new snapshot."
        ) from error
    network.eval()
    told: dict[str, Any] = {name: run.config[name] for name in ("model", "preset", "base") if name in run.config}
    return {**snapshot.info, **told, "snapshot_sha256": snapshot.sha256}
