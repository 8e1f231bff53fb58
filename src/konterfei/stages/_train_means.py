"""What a process trains with: its model, its faces and its part of the samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from konterfei.io.faceset import Faceset
from konterfei.models import MODELS
from konterfei.reporting import Reporter
from konterfei.stages._train_memory import thrift_for
from konterfei.stages._train_team import Place
from konterfei.training.presets import Preset

if TYPE_CHECKING:
    import torch

    from konterfei.models.base import SwapModel
    from konterfei.training.data import Sampler
    from konterfei.training.thrift import Thrift


@dataclass(frozen=True)
class Means:
    """What a process trains with.

    Attributes:
        thrift: how steps are cut to fit into memory.
        facts: what all processes of a training must have alike: what it is -> its value.
    """

    model: SwapModel
    sampler: Sampler
    precision: str
    thrift: Thrift
    facts: Mapping[str, str]


def means_of(
    config: Any,
    chosen: Preset,
    facesets: Mapping[str, Faceset],
    held: Mapping[str, Sequence[str]],
    device: torch.device,
    place: Place,
    reporter: Reporter,
) -> Means:
    """Build the model and read the faces.

    Args:
        config: the TrainConfig.
        chosen: what it comes to.
        facesets: of src and dst, by these names.
        held: names of their faces that are left out, to measure by.
        device: where networks run.
        place: of this process among those of the training.
        reporter: hears of the reading of faces.
    """
    import torch  # here, so that settings can be checked and shown without it

    from konterfei.models.devices import choose_precision, keep_memory, use_threads
    from konterfei.training.data import Sampler, load_faces, memory_for_faces
    from konterfei.training.losses import needs_parts
    from konterfei.training.resources import free_bytes

    precision = choose_precision(config.precision, device)
    use_threads(config.threads, place.together)
    keep_memory()
    free = free_bytes(device)
    torch.manual_seed(config.seed)
    model = MODELS.load(chosen.model)(chosen.dims).to(device, memory_format=torch.channels_last)
    resolution, plan = chosen.dims.resolution, chosen.plan
    faces = {
        name: load_faces(
            faceset,
            chosen.face_type,
            resolution,
            memory_for_faces() // place.together,
            reporter,
            name,
            any(needs_parts(model, plan.of(phase).in_force()) for phase in plan.phases),
            without=held.get(name, ()),
            store=config.output / "faces",
        )
        for name, faceset in facesets.items()
    }
    sampler = Sampler(
        src=faces["src"],
        dst=faces["dst"],
        resolution=resolution,
        batch=chosen.batch,
        seed=config.seed,
        augment=chosen.augment,
        objectives=plan.of(plan.phases[0]).in_force(),
        part=(place.number, place.size),
    )
    facts = {
        "settings": f"{chosen} {config.seed}",
        "number format": precision,
        "versions": f"{version('konterfei')} {version('torch')}",
        **{f"{name} faceset": f"{faceset.content_hash()} {len(faces[name])}" for name, faceset in facesets.items()},
    }
    thrift = thrift_for(config, chosen, device, place, precision, free, faces.values(), reporter)
    return Means(model, sampler, precision, thrift, facts)
