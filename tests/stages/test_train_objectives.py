"""Objectives as a person chooses them: they go on bit for bit, may change between two starts, and say what is wrong."""

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from train_material import SMALL, STEPS, StopAt, assert_equal_runs, kill_and_run_again

from drawn_faces import faceset
from konterfei.errors import CheckpointMismatchError, ConfigError, StoreError
from konterfei.io.manifest import Manifest
from konterfei.io.run import Run
from konterfei.models.swapper import load_swapper
from konterfei.reporting import Recorder
from konterfei.stages.train import TrainConfig, train
from konterfei.training.objectives import Objectives
from konterfei.training.presets import DISGUISED, PRESETS

JUDGED = {
    "optimizer": "adabelief",
    "gan_power": 0.1,
    "gan_dims": 4,
    "gan_patch_size": 7,
    "true_face_power": 0.1,
    "face_style_power": 5.0,
    "bg_style_power": 5.0,
    "identity_power": 0.3,
    "perceptual_power": 3.0,
    "eyes_mouth": True,
    "blur_out_mask": True,
    "lr_dropout": "yes",
    "clip_grad": True,
    "hsv_power": 0.1,
    "color_transfer": "rct",
    "disguise": 0.5,
    "flip_src": True,
    "uniform_yaw": True,
}
"""All at once."""


@pytest.fixture(scope="module")
def uninterrupted(faces, tmp_path_factory):
    output = tmp_path_factory.mktemp("whole") / "run"
    train(TrainConfig(**faces, **SMALL, **JUDGED, output=output, steps=STEPS), Recorder())
    return output


def tensors(run):
    return Run.open(run).newest_checkpoint().tensors


def test_judges_and_their_optimisers_are_in_the_checkpoint_and_not_in_the_snapshot(uninterrupted):
    kinds = {key.split("/")[0] for key in tensors(uninterrupted)}
    judges = {f"{judge}.{kind}" for judge in ("gan", "true_face") for kind in ("weights", "mean", "belief")}
    assert kinds == {"weights", "ema", "mean", "belief"} | judges
    assert not any("gan" in key or "true_face" in key for key in Run.open(uninterrupted).newest_snapshot().tensors)
    assert load_swapper(uninterrupted, device="cpu").info["steps"] == STEPS


@pytest.mark.parametrize("stops", [(23,), (1, 20, 7)], ids=str)
def test_resumed_equals_uninterrupted_bit_for_bit(again, uninterrupted, stops):
    for steps in stops:
        again(StopAt(steps), **JUDGED)
    result, reporter = again(**JUDGED)
    assert not any("begins anew" in note for note in reporter.notes)
    assert_equal_runs(result.run, uninterrupted)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc and fork")
def test_killed_and_run_again_equals_uninterrupted(faces, uninterrupted, tmp_path):
    output = tmp_path / "run"
    config = {**{k: str(v) for k, v in faces.items()}, **SMALL, **JUDGED, "output": str(output), "steps": STEPS}
    kill_and_run_again(config, random.Random(6))
    assert_equal_runs(output, uninterrupted)


def test_liae_with_styles_goes_on_bit_for_bit(again, tmp_path):
    settings = {"architecture": "liae-ud", "face_style_power": 5.0, "random_warp": False, "gan_power": 0.1, "steps": 12}
    whole, _ = again(output=tmp_path / "whole", **settings)
    again(StopAt(5), **settings)
    result, _ = again(**settings)
    assert_equal_runs(result.run, whole.run)


def test_samples_made_exactly_go_on_bit_for_bit(again, tmp_path):
    settings = {"dfl_exact": True, "bg_style_power": 5.0, "gan_power": 0.1, "hsv_power": 0.1, "steps": 12}
    whole, _ = again(output=tmp_path / "whole", **settings)
    again(StopAt(5), **settings)
    result, _ = again(**settings)
    assert_equal_runs(result.run, whole.run)


EFFECTS = [
    {"eyes_mouth": True},
    {"blur_out_mask": True},
    {"masked_training": False},
    {"face_style_power": 10.0},
    {"bg_style_power": 10.0},
    {"true_face_power": 0.1},
    {"identity_power": 0.3},
    {"perceptual_power": 3.0},
    {"gan_power": 0.1},
    {"random_warp": False},
    {"flip_src": True},
    {"flip_dst": False},
    {"hsv_power": 0.1},
    {"color_transfer": "sot"},
    {"disguise": 1.0},
    {"lr_dropout": "cpu"},
    {"clip_grad": True},
    {"dfl_exact": True},
    {"optimizer": "rmsprop"},
    {"rate": 5e-4},
    {"batch": 3},
    {"seed": 2},
]


PLAIN = {"optimizer": "adabelief", "rate": 1e-3, "steps": 3}
"""Adam forgets the length of a gradient, so AdaBelief; three steps, for what is flipped or dealt at random."""


@pytest.fixture(scope="module")
def plain(faces, tmp_path_factory):
    output = tmp_path_factory.mktemp("plain") / "run"
    train(TrainConfig(**faces, **{**SMALL, **PLAIN}, output=output), Recorder())
    return output


@pytest.mark.parametrize("setting", EFFECTS, ids=lambda setting: next(iter(setting)))
def test_each_flag_changes_what_is_learned(again, plain, setting):
    result, reporter = again(**{**PLAIN, **setting})
    is_experiment = "identity_power" in setting  # which is said
    assert [text[:40] for text in reporter.warnings] == ["--identity-power is an experiment: over "] * is_experiment
    ours, theirs = tensors(result.run), tensors(plain)
    assert any((array != ours[key]).any() for key, array in theirs.items() if key.startswith("weights/"))


# --- changing one's mind


def test_the_gan_comes_late_leaves_and_comes_back(again):
    """How artists use it: at the end. What came before goes on; the judge begins anew each time, and says so."""
    result, _ = again(StopAt(5))
    before = tensors(result.run)
    _, reporter = again(StopAt(1), gan_power=0.1)
    assert "The gan discriminator begins anew at step 5." in reporter.notes
    with_gan = tensors(result.run)
    moved = [np.abs(with_gan[k] - before[k]).max() for k in before if k.startswith("weights/")]
    assert 0 < max(moved) < 0.01
    _, reporter = again(StopAt(1), gan_power=0.1)
    assert not any("begins anew" in note for note in reporter.notes)
    _, reporter = again(StopAt(1), gan_power=0.1, gan_dims=8)  # dfl-spec 7.3: a change re-initialises it
    assert "The gan discriminator begins anew at step 7." in reporter.notes
    again(StopAt(1))
    assert not any(key.startswith("gan") for key in tensors(result.run))


def test_losses_of_other_objectives_are_no_collapse(again):
    """Eyes and mouth at 300 raise the loss at once to a multiple: a new beginning for what is best, not a disaster."""
    result, _ = again(StopAt(40))
    first = Run.open(result.run).newest_checkpoint().state["progress"]
    assert first["loss"] > 0
    _, reporter = again(eyes_mouth=True)
    last = Run.open(result.run).newest_checkpoint().state["progress"]
    assert reporter.warnings == [] and last["salt"] == 0
    assert last["objectives"]["eyes_mouth"] is True
    assert last["loss"] == 0.0  # no report since


def test_without_warp_liae_rests_what_both_share(again):
    """dfl-spec 7.8.7"""
    result, _ = again(StopAt(3), architecture="liae-ud")
    before = tensors(result.run)
    again(StopAt(3), architecture="liae-ud", random_warp=False)
    after = tensors(result.run)
    for key, array in before.items():
        if key.startswith("ema/"):
            continue
        assert (array == after[key]).all() == (key.split("/")[1].startswith("inter_AB")), key


# --- pretraining


@pytest.fixture
def pretrained(again, tmp_path):
    def go(**changes):
        people = faceset(tmp_path / "many", (180, 150, 130))
        return again(
            **{"src": people, "dst": people, "output": tmp_path / "pre", "pretrain": True, "steps": 6, **changes}
        )

    return go


@pytest.mark.parametrize(("architecture", "anew"), [("df-ud", {"inter"}), ("liae-ud", {"inter_AB", "inter_B"})])
def test_a_run_starts_from_a_pretrained_one_with_inters_anew(again, pretrained, architecture, anew, tmp_path):
    """dfl-spec 7.11"""
    other, _ = pretrained(architecture=architecture, seed=2)
    there = tensors(other.run)
    fresh, _ = again(architecture=architecture, steps=1, output=tmp_path / "fresh")
    result, reporter = again(architecture=architecture, steps=1, start_from=other.run)
    ours, plain = tensors(result.run), tensors(fresh.run)
    assert f"at step 6; {' and '.join(sorted(anew))} begin anew" in " ".join(reporter.notes)
    for key, array in ours.items():
        if key.startswith("weights/"):
            near, far = (plain, there) if key.split("/")[1].split(".")[0] in anew else (there, plain)
            # one step of Adam moves a weight by at most the rate, which has hardly begun to rise
            assert np.abs(array - near[key]).max() <= 1e-3, key
            assert key.endswith("bias") or np.abs(array - far[key]).max() > 2e-3, key
    started = Manifest.load(result.run).inputs["start_from"]
    assert (started["path"], started["steps"]) == (str(other.run), 6)
    assert result.steps == 1


def test_what_starts_from_another_run_goes_on_without_it(again, pretrained):
    other, _ = pretrained()
    settings = {"start_from": other.run, "steps": 8}
    whole, _ = again(**settings)
    parts = whole.run.with_name("parts")
    again(StopAt(3), **settings, output=parts)
    for path in sorted(other.run.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    result, reporter = again(**settings, output=parts)
    assert "Training goes on from step 3" in " ".join(reporter.notes)
    assert_equal_runs(result.run, whole.run)


def test_an_ordinary_run_is_taken_over_whole(again, tmp_path):
    other, _ = again(steps=3, output=tmp_path / "other")
    result, reporter = again(steps=1, start_from=other.run)
    there, ours = tensors(other.run), tensors(result.run)
    assert all(np.abs(ours[key] - there[key]).max() <= 1e-3 for key in ours if key.startswith("weights/"))
    assert not any("begin anew" in note for note in reporter.notes)


def test_pretraining_trains_liaes_shared_inter_unless_exact(pretrained, tmp_path):
    """dfl-spec 7.11, 7.8.7 [Q]: the original leaves it as it began."""
    first, _ = pretrained(architecture="liae-ud", steps=1)
    for exact in (False, True):
        later, _ = pretrained(architecture="liae-ud", dfl_exact=exact, output=tmp_path / f"exact-{exact}")
        key = "weights/inter_AB.dense1.weight"
        moments = tensors(later.run)["mean/inter_AB.dense1.weight"]
        assert moments.any() != exact
        assert (tensors(later.run)[key] != tensors(first.run)[key]).any() != exact or exact


def test_pretraining_is_a_run_of_its_own(again, pretrained):
    other, reporter = pretrained()
    assert reporter.warnings[:1] != ["src and dst look like the same person"]
    assert not any("same person" in warning for warning in reporter.warnings)
    assert Run.open(other.run).newest_checkpoint().state["progress"]["objectives"]["random_warp"] is False
    with pytest.raises(CheckpointMismatchError, match="pretrain: there True, asked for False"):
        again(output=other.run)


def test_what_cannot_be_started_from_is_refused_before_anything_is_written(again, pretrained, tmp_path):
    with pytest.raises(StoreError, match="holds no run"):
        again(start_from=tmp_path / "nowhere")
    other, _ = pretrained()
    with pytest.raises(CheckpointMismatchError, match=r"--start-from .* networks are others"):
        again(start_from=other.run, ae_dims=12)
    assert Run.open(tmp_path / "run").is_untrained
    assert again(start_from=other.run, steps=1)[0].steps == 1


# --- what is wrong is said


def test_true_face_needs_df(again, tmp_path):
    with pytest.raises(ConfigError, match="--true-face-power: not with the model liae"):
        again(architecture="liae-ud", true_face_power=0.1)
    assert not (tmp_path / "run").exists()


def test_settings_without_effect_are_warned_of(again):
    _, reporter = again(StopAt(1), gan_dims=8, uniform_yaw=True)
    assert "Without effect beside the other settings: --gan-dims." in reporter.warnings
    assert sum("--uniform-yaw: by their records all faces of" in warning for warning in reporter.warnings) == 2


def test_a_run_from_before_there_was_a_choice_goes_on(again):
    """Its config and its counters know nothing of objectives; its losses are those of the defaults."""
    result, _ = again(StopAt(40))
    path = result.run / "config.json"
    config = json.loads(path.read_text())
    assert config.pop("pretrain") is False
    path.write_text(json.dumps(config))
    (state,) = (result.run / "checkpoints").glob("*/state.json")
    counters = json.loads(state.read_text())
    loss = counters["progress"]["loss"]
    del counters["progress"]["objectives"], counters["state_sha256"]
    state.write_text(json.dumps(counters))
    later, reporter = again(StopAt(1))
    assert later.steps == 41 and reporter.warnings == []
    now = Run.open(result.run).newest_checkpoint().state["progress"]
    assert now["loss"] == loss
    assert now["objectives"] == {**Objectives().__dict__}


def test_a_preset_that_is_after_something_else_now_says_so_to_runs_that_have_begun(again, monkeypatch):
    """A default that changed since: the run takes it over, as it does all objectives, and goes on by what is given."""
    told = "From here on it learns otherwise: disguise 0.5 (so far 0.0). What is not given is what the preset says."
    _, reporter = again(StopAt(3))
    assert not any("learns otherwise" in note for note in reporter.notes)
    monkeypatch.setitem(PRESETS, "tiny", replace(PRESETS["tiny"], objectives=DISGUISED))
    _, reporter = again(StopAt(1), disguise=0.0)
    assert not any("learns otherwise" in note for note in reporter.notes)
    _, reporter = again(StopAt(1))
    assert told in reporter.notes
    later, reporter = again(StopAt(1))
    assert told not in reporter.notes
    assert Run.open(later.run).newest_checkpoint().state["progress"]["objectives"]["disguise"] == 0.5


# --- phases

PLAN = """
[[phase]]
name = "likeness"
steps = 7
uniform_yaw = false

[[phase]]
name = "straight"
images = 26       # 13 steps of 2
random_warp = false
lr_dropout = "yes"
eyes_mouth = true

[[phase]]
name = "detail"
rate = 0.25
gan_power = 0.1
gan_dims = 4
"""


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "plan.toml"
    path.write_text(PLAN, "utf-8")
    return path


@pytest.fixture(scope="module")
def phased(faces, plan, tmp_path_factory):
    """A run of STEPS steps through three phases, undisturbed; and what it said."""
    output, reporter = tmp_path_factory.mktemp("phased") / "run", Recorder()
    train(TrainConfig(**faces, **SMALL, plan=plan, output=output, steps=STEPS), reporter)
    return output, reporter


def test_phases_begin_where_the_plan_says_and_say_what_changes(phased):
    output, reporter = phased
    turns = [note for note in reporter.notes if "begins, phase" in note]
    assert turns == [
        "Step 7: 'straight' begins, phase 2 of 3 (random_warp False, lr_dropout yes, eyes_mouth True).",
        "Step 20: 'detail' begins, phase 3 of 3 (gan_power 0.1, gan_dims 4).",
    ]
    progress = Run.open(output).newest_checkpoint().state["progress"]
    assert (progress["phase"], progress["phase_began"]) == (2, 20)
    assert "gan.weights/in_conv.weight" in tensors(output)
    rates = {line["step"]: line["rate"] for line in Run.open(output).metrics()}
    assert rates[40] < 0.3 * rates[20]


@pytest.mark.parametrize("stops", [(6, 1, 1), (7, 12, 1), (19, 2, 6), (20, 20)], ids=str)
def test_resumed_across_phases_equals_uninterrupted(again, phased, plan, stops):
    """Stopped just before, at and just after the borders, steps 7 and 20."""
    for steps in stops:
        again(StopAt(steps), plan=plan)
    result, reporter = again(plan=plan)
    assert not any("begins anew" in note for note in reporter.notes)
    assert_equal_runs(result.run, phased[0])


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc and fork")
def test_killed_across_phases_equals_uninterrupted(faces, phased, plan, tmp_path):
    output = tmp_path / "run"
    config = {**{k: str(v) for k, v in faces.items()}, **SMALL, "plan": str(plan), "output": str(output)}
    kill_and_run_again({**config, "steps": STEPS}, random.Random(7))
    assert_equal_runs(output, phased[0])


def test_a_phase_is_what_its_settings_are_by_themselves(again, plan, tmp_path):
    """Seven steps without warp from the checkpoint of the first border: by plan, or by flag."""
    again(steps=7, output=tmp_path / "flags")
    flags, _ = again(steps=14, output=tmp_path / "flags", random_warp=False, lr_dropout="yes", eyes_mouth=True)
    planned, _ = again(steps=7, plan=plan)
    planned, _ = again(steps=14, plan=plan)
    ours, theirs = tensors(planned.run), tensors(flags.run)
    assert all((ours[key] == array).all() for key, array in theirs.items())


def test_one_phase_without_changes_is_no_phase(again, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text("[[phase]]\n", "utf-8")
    with_plan, _ = again(plan=path, steps=12)
    without, _ = again(steps=12, output=tmp_path / "other")
    assert_equal_runs(with_plan.run, without.run)


def test_a_run_that_falls_apart_goes_back_to_the_phase_of_its_checkpoint(again, plan, monkeypatch):
    from konterfei.training import loop

    again(StopAt(10), plan=plan)  # the last checkpoint is of the second phase
    real, left = loop.train_step, [1]

    def poisoned(lesson, raw, rate, step):
        losses = real(lesson, raw, rate, step)
        if step == 30 and left:
            left.pop()
            lesson.learner.flat.weights[0] = float("nan")
        return losses

    monkeypatch.setattr(loop, "train_step", poisoned)
    result, reporter = again(plan=plan, checkpoint_seconds=1000.0)
    assert "It goes on from step 10" in reporter.warnings[0]
    assert sum("Step 20: 'detail' begins" in note for note in reporter.notes) == 2
    assert result.steps == STEPS
    assert all(np.isfinite(array).all() for array in tensors(result.run).values())


def test_phases_that_the_model_cannot_serve_are_refused_at_once(again, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text("[[phase]]\nsteps = 5\n[[phase]]\ntrue_face_power = 0.1\n", "utf-8")
    with pytest.raises(ConfigError, match="--true-face-power: not with the model liae"):
        again(plan=path, architecture="liae-ud")
    assert not (tmp_path / "run").exists()
