"""What holds updates back (dfl-spec 7.9), and what of a learner is saved, loaded and forgotten."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from konterfei.errors import CheckpointMismatchError
from konterfei.training.learner import Learner, Restraint
from konterfei.training.optimizers import OPTIMIZERS, RMSprop
from konterfei.training.presets import OptimizerName


class Two(nn.Module):
    """Two parts, so that one can rest."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(40, 30), nn.Linear(30, 20)


def learner(optimizer="adabelief", name="", seed=0, **restraint):
    torch.manual_seed(seed)
    return Learner(name, Two(), optimizer, Restraint(**restraint))


def push(one, count, rate=1e-2, keep=0.9):
    """A step with gradients that follow from the count. Gives back how the weights moved."""
    before = one.flat.weights.clone()
    one.flat.gradients.normal_(generator=torch.Generator().manual_seed(count))
    one.step(rate, count, keep)
    assert not one.flat.gradients.any()
    return one.flat.weights - before


def test_rmsprop_gives_the_original_numbers():
    """A.7: weight 1, rate 5e-5, gradients 0.5, 0.5, -0.2."""
    module = nn.Linear(1, 1, bias=False)
    nn.init.ones_(module.weight)
    one = Learner("", module, "rmsprop", Restraint())
    weights = []
    for count, gradient in enumerate((0.5, 0.5, -0.2), 1):
        one.flat.gradients.fill_(gradient)
        one.step(5e-5, count)
        weights.append(module.weight.item())
    assert weights == pytest.approx([0.9998418871, 0.9997271798, 0.9997734293], abs=6e-8)
    assert RMSprop.state_names == ("square",)


def test_presets_choose_from_the_optimizers_that_there_are():
    assert set(OptimizerName.__args__) == set(OPTIMIZERS)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_without_restraint_a_step_is_the_optimizer_alone(optimizer):
    one, other = learner(optimizer), learner(optimizer)
    for count in range(1, 4):
        push(one, count)
        other.flat.gradients.normal_(generator=torch.Generator().manual_seed(count))
        other.optimizer.step(1e-2, count, 0.9)
    for kind, array in one.arrays.items():
        assert torch.equal(array, other.arrays[kind])


def test_long_gradients_are_shortened_to_one_and_short_ones_are_not():
    """7.9: by the norm over all of them; AdaBelief's mean after a first step is a tenth of the gradient."""
    for norm, wanted in ((5.0, 1.0), (0.5, 0.5)):
        one = learner(clips=True)
        one.flat.gradients.normal_().mul_(norm / one.flat.gradients.norm())
        direction = one.flat.gradients / norm
        one.step(1e-3, 1)
        torch.testing.assert_close(one.optimizer.state["mean"], 0.1 * wanted * direction)
    zero = learner(clips=True)
    zero.step(1e-3, 1)
    assert torch.isfinite(zero.flat.weights).all()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_dropout_moves_three_tenths_of_the_weights_as_far_as_without(optimizer):
    """7.9: the mask multiplies the update; moments are updated in full; each step has another mask."""
    free, held = learner(optimizer), learner(optimizer, dropout="yes")
    full, part = push(free, 1), push(held, 1)
    moved = part != 0
    assert moved.float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert torch.equal(part[moved], full[moved])
    for kind in held.optimizer.state:
        assert torch.equal(held.optimizer.state[kind], free.optimizer.state[kind])
    assert (push(held, 2) != 0).ne(moved).any()


def test_dropout_follows_from_seed_name_and_step_alone():
    masks = {
        key: learner(name=name, dropout="yes", seed=weights).changed(count)
        for key, name, count, weights in (("a", "", 7, 0), ("b", "", 7, 5), ("c", "", 8, 0), ("d", "gan", 7, 0))
    }
    assert torch.equal(masks["a"], masks["b"])
    assert not torch.equal(masks["a"], masks["c"]) and not torch.equal(masks["a"], masks["d"])
    on_cpu = learner(dropout="cpu").changed(7)
    assert torch.equal(masks["a"], on_cpu)


def test_the_rate_swings_with_dropout():
    """7.9: (cos(2 pi t / 500) + 1) / 2, down to 0 at 250."""
    assert [Learner.swing(count) for count in (1, 126, 251, 501)] == pytest.approx([1, 0.5, 0, 1], abs=1e-9)
    assert Learner.swing(101) == pytest.approx((math.cos(2 * math.pi * 0.2) + 1) / 2)
    assert not push(learner(dropout="yes"), 251).any()


def test_who_rests_does_not_move_at_all_and_wakes_as_it_was():
    """7.8.7: neither weights nor moments; momentum from before does not carry it on."""
    one = learner("adam")
    push(one, 1)
    parts = one.flat.range_of("first"), one.flat.range_of("second")
    assert parts == (slice(0, 1230), slice(1230, 1230 + 620))
    kept = {kind: array[parts[0]].clone() for kind, array in one.arrays.items() if kind != "ema"}
    one.restraint = Restraint(resting=("first",))
    moved = push(one, 2)
    assert not moved[parts[0]].any() and moved[parts[1]].all()
    for kind, array in kept.items():
        assert torch.equal(one.arrays[kind][parts[0]], array)


def test_smoothed_weights_follow_what_the_weights_became():
    one = learner(dropout="yes", resting=("second",))
    before = one.flat.ema.clone()
    push(one, 1, keep=0.9)
    torch.testing.assert_close(one.flat.ema, 0.9 * before + 0.1 * one.flat.weights)


def test_what_is_saved_is_what_is_loaded():
    one, other = learner(name="gan"), learner(name="gan", seed=1)
    for count in (1, 2):
        push(one, count)
    tensors = one.tensors()
    assert {key.split("/")[0] for key in tensors} == {"gan.weights", "gan.mean", "gan.belief"}
    other.load(tensors)
    assert torch.equal(push(one, 3), push(other, 3))
    assert set(learner().tensors()) >= {"weights/first.weight", "ema/first.weight", "mean/first.weight"}


def test_what_does_not_fit_is_refused_and_changes_nothing():
    one = learner()
    before = one.flat.weights.clone()
    missing = dict(learner(seed=1).tensors())
    del missing["belief/second.bias"]
    with pytest.raises(CheckpointMismatchError, match=r"belief/second\.bias is missing, expected \[20\]"):
        one.load(missing)
    wrong = {**learner(seed=1).tensors(), "mean/second.bias": np.zeros(3, np.float32)}
    with pytest.raises(CheckpointMismatchError, match=r"is \[3\], expected \[20\]"):
        one.load(wrong)
    assert torch.equal(one.flat.weights, before)


@pytest.mark.parametrize(("optimizer", "keeps_moments"), [("adabelief", True), ("adam", False)])
def test_beginning_from_another_run_keeps_all_but_what_is_forgotten(optimizer, keeps_moments):
    """7.11: inters anew, the rest with the optimiser's state, where it is of the same kind."""
    other = learner(seed=1)
    push(other, 1)
    one = learner(optimizer)
    own = one.flat.weights.clone()
    one.begin_from(other.tensors(), ("first",))
    first, second = one.flat.range_of("first"), one.flat.range_of("second")
    assert torch.equal(one.flat.weights[first], own[first])
    assert torch.equal(one.flat.weights[second], other.flat.weights[second])
    assert torch.equal(one.flat.ema[second], other.flat.ema[second])
    mean = one.optimizer.state["mean"]
    assert not mean[first].any() and bool(mean[second].any()) == keeps_moments
    push(one, 1)
    one.begin_anew()
    assert torch.equal(one.flat.weights[second], other.flat.weights[second])
    with pytest.raises(CheckpointMismatchError):
        one.begin_from({**other.tensors(), "weights/second.bias": np.zeros(3, np.float32)}, ("first",))


def test_soundness_is_that_all_weights_are_numbers():
    one = learner()
    assert one.is_sound()
    one.flat.weights[7] = math.nan
    assert not one.is_sound()
