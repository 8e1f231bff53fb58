"""Every preset trains, fits into the memory that it names, and stands in the documentation."""

import math
from pathlib import Path

import pytest
import torch

from konterfei.models import MODELS
from konterfei.models.swapper import load_swapper
from konterfei.nets.dims import architecture
from konterfei.stages._train_settings import TrainConfig, resolved
from konterfei.training.memory import Training, room
from konterfei.training.objectives import Objectives
from konterfei.training.presets import PRESETS
from konterfei.training.thrift import WHOLE

DOCS = Path(__file__).resolve().parents[2] / "docs" / "training.md"
OTHERS = 1e9
"""Bytes of a GPU that PyTorch's own library and the screen take."""


def reduced(chosen):
    """The same network, small: 32 px for each 256 begun, a sixteenth of the widths."""
    dims = chosen.dims
    widths = {"ae_dims": dims.ae, "e_dims": dims.encoder, "d_dims": dims.decoder, "d_mask_dims": dims.mask}
    if dims.inter:
        widths["inter_dims"] = dims.inter
    small = {name: max(2, value // 16) for name, value in widths.items()}
    return {**small, "resolution": 32 * math.ceil(dims.resolution / 256)}


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_trains(again, name):
    """Its own model, letters, optimiser, batch, schedule and face type; resolution and widths reduced."""
    chosen = PRESETS[name]
    result, reporter = again(preset=name, steps=2, batch=None, **reduced(chosen))
    assert (result.steps, result.is_preview) == (2, True)
    assert any("is called a preview" in note for note in reporter.notes)
    swapper = load_swapper(result.run, device="cpu")
    assert swapper.face_type == chosen.face_type
    assert swapper.resolution < chosen.dims.resolution


@pytest.mark.parametrize("name", [name for name, chosen in PRESETS.items() if chosen.memory_gb])
def test_every_preset_for_a_gpu_is_predicted_to_fit(name):
    """As it is, in float32, and with a GAN on top."""
    chosen = PRESETS[name]
    training = Training(
        model=MODELS.load(chosen.model),
        dims=chosen.dims,
        objectives=(Objectives(gan_power=0.1),),
        optimizer=chosen.optimizer,
        batch=chosen.batch,
        precision="fp32",
    )
    assert room(torch.device("cuda")) * training.bytes_with(WHOLE) + OTHERS < chosen.memory_gb * 1e9


def test_there_is_a_preset_for_every_size_and_intent():
    offered = {(chosen.memory_gb, chosen.intent) for chosen in PRESETS.values()}
    assert {(0, "quick look"), (0, "standard")} <= offered
    assert {(size, intent) for size in (6, 8, 12, 24) for intent in ("standard", "close-up")} <= offered


def row(name):
    """How the table of docs/training.md tells of a preset."""
    chosen, dims = PRESETS[name], PRESETS[name].dims
    with torch.device("meta"):
        count = sum(p.numel() for p in MODELS.load(chosen.model)(dims).parameters())
    widths = [dims.ae, *([dims.inter] if dims.inter else []), dims.encoder, dims.decoder, dims.mask]
    network = f"{architecture(chosen.model, vars(dims))} {dims.resolution} px, {'/'.join(map(str, widths))}"
    where = f"GPU of {chosen.memory_gb} GB" if chosen.memory_gb else "CPU"
    optimizer = {"adam": "Adam", "adabelief": "AdaBelief", "rmsprop": "RMSprop"}[chosen.optimizer]
    rate = f"{chosen.schedule.rate:.0e}".replace("e-0", "e-")
    return (
        f"| `{name}` | {where} | {chosen.intent} | {network} | {chosen.face_type} | {count / 1e6:.1f} M "
        f"| {chosen.batch} | {optimizer}, {rate} | {chosen.about} |"
    )


@pytest.mark.parametrize("name", PRESETS)
def test_the_documentation_tells_of_every_preset(name):
    assert row(name) in DOCS.read_text("utf-8").splitlines()


LONG = [name for name, chosen in PRESETS.items() if len(chosen.phases) > 1]


def test_presets_end_without_warp():
    assert set(PRESETS) - set(LONG) == {"quick96", "tiny"}
    for name in LONG:
        plan = PRESETS[name].plan
        assert [plan.of(phase).random_warp for phase in plan.phases] == [True, False]


def test_what_a_person_chooses_holds_in_all_phases(tmp_path):
    def warps(**given):
        config = TrainConfig(src=tmp_path, dst=tmp_path, output=tmp_path, preset="standard", **given)
        plan = resolved(config).plan
        return [plan.of(phase).in_force().random_warp for phase in plan.phases]

    assert warps() == warps(eyes_mouth=True) == [True, False]
    assert warps(random_warp=True) == [True, True]
    assert warps(random_warp=False) == [False, False]
    assert warps(dfl_exact=True) == [True]
    assert warps(pretrain=True) == [False]
    plan = tmp_path / "plan.toml"
    plan.write_text("[[phase]]\nsteps = 3\n[[phase]]\n")
    assert warps(plan=plan) == [True, True]


def test_disguise_is_the_default_where_it_was_measured_and_means_something(tmp_path):
    def told(name, **given):
        objectives = resolved(TrainConfig(src=tmp_path, dst=tmp_path, output=tmp_path, preset=name, **given)).objectives
        return objectives.disguise, objectives.idle()

    assert {name for name, chosen in PRESETS.items() if chosen.objectives.disguise} == {"quick", "cpu"}
    assert told("quick") == (0.5, []) and told("standard") == (0, []) and told("standard", disguise=0.2) == (0.2, [])
    for name in ("dfl_exact", "pretrain"):  # nobody asked for it, so nobody is told that it has no effect
        assert told("quick", **{name: True}) == (0, [])
        assert told("quick", disguise=0.2, **{name: True}) == (0.2, ["--disguise"])
    assert told("quick", disguise=0.2, dfl_exact=True, pretrain=True) == (0.2, ["--disguise"])


def test_the_plan_of_a_preset_turns_while_it_trains(again):
    _, reporter = again(preset="standard", steps=10, batch=2, **reduced(PRESETS["standard"]))
    assert any(note.startswith("Step 8: 'sharpen' begins") for note in reporter.notes)
