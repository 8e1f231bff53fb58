"""A step in pieces learns what the whole step learns, and full memory costs nothing but time."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from konterfei.geometry import FaceType
from konterfei.models import MODELS
from konterfei.nets.dims import Dims
from konterfei.training import lesson as lesson_module
from konterfei.training.data import RawBatch, TrainingFaces
from konterfei.training.learner import Learner, Restraint
from konterfei.training.lesson import Lesson, to_batch
from konterfei.training.objectives import Objectives
from konterfei.training.optimizers import OPTIMIZERS
from konterfei.training.thrift import WHOLE, Thrift, joined, pieces, repeat_layers
from konterfei.training.witnesses import Sitter

CPU = torch.device("cpu")
SIDE, COUNT = 64, 5
SIZE = Dims(resolution=SIDE, ae=8, encoder=4, decoder=4, mask=2, unit=True, double=True)
JUDGED = {"gan_power": 0.3, "gan_dims": 4}
EVERYTHING = {**JUDGED, "eyes_mouth": True, "clip_grad": True, "blur_out_mask": True}
CASES = {
    "df": ("df", {}),
    "df with everything": (
        "df",
        {**EVERYTHING, "true_face_power": 0.1, "face_style_power": 10.0, "bg_style_power": 10.0},
    ),
    "df as the original": ("df", {**JUDGED, "true_face_power": 0.1, "bg_style_power": 10.0, "dfl_exact": True}),
    "df unmasked": ("df", {**JUDGED, "masked_training": False}),
    "liae with styles": ("liae", {**EVERYTHING, "face_style_power": 10.0, "bg_style_power": 10.0}),
    "liae pretrained": ("liae", {"pretrain": True}),
    "df with witnesses": ("df", {"identity_power": 3.0, "perceptual_power": 3.0}),
    "amp": ("amp", {}),
    "amp with everything": ("amp", EVERYTHING),
    "amp as the original": ("amp", {**EVERYTHING, "dfl_exact": True}),
}


def raw():
    chance = torch.Generator().manual_seed(2)
    warped, target = (
        torch.randint(0, 256, (2 * COUNT, SIDE, SIDE, 3), generator=chance, dtype=torch.uint8).numpy() for _ in "ab"
    )
    mask = torch.zeros(2 * COUNT, SIDE, SIDE, dtype=torch.uint8)
    for i in range(2 * COUNT):
        mask[i, 8 + i : 48, 20:44] = 255
    return RawBatch(warped, target, mask.numpy(), (mask // 2).numpy())


def lesson(name="df", optimizer="adabelief", precision="fp32", **objectives):
    torch.manual_seed(1)
    faces = TrainingFaces(np.full((1, SIDE, SIDE, 4), 99, np.uint8))
    sitter = Sitter(faces, FaceType.FULL)
    return Lesson(MODELS.load(name)(SIZE), Objectives(**objectives), optimizer, 3, CPU, precision, sitter=sitter)


def gradients(one, thrift):
    """What a step would apply, after it was clipped, of each learner; and the losses that it gives back."""
    one.save_memory(thrift)
    seen = []

    def recorder(learner):
        def step(*_, **__):
            seen.append(learner.flat.gradients.clone())
            learner.flat.gradients.zero_()

        return SimpleNamespace(step=step, state={})

    for learner in one.learners:
        learner.optimizer = recorder(learner)
    losses = one.step(raw(), 1e-3, 1, 0.9)
    assert len(seen) == (len(one.learners) if not one.objectives.pretrain else 1)
    return losses, seen


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("thrift", [Thrift(2), Thrift(1, repeats=True)], ids=str)
def test_pieces_add_up_to_the_whole(name, thrift):
    model, objectives = CASES[name]
    losses, whole = gradients(lesson(model, **objectives), WHOLE)
    part_losses, parts = gradients(lesson(model, **objectives), thrift)
    torch.testing.assert_close(part_losses, losses, rtol=1e-6, atol=1e-6)
    for one, other in zip(whole, parts, strict=True):
        assert one.abs().max() > 0
        assert (
            one - other
        ).norm() < 1e-4 * one.norm()  # rounding; a term that is a mean over the batch would be off by halves


@pytest.mark.parametrize("name", ["df", "liae with styles", "amp with everything"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_layers_that_are_computed_again_give_the_same_bits(name, precision):
    model, objectives = CASES[name]
    _, kept = gradients(lesson(model, precision=precision, **objectives), WHOLE)
    _, again = gradients(lesson(model, precision=precision, **objectives), Thrift(0, repeats=True))
    assert all(torch.equal(one, other) for one, other in zip(kept, again, strict=True))


def test_computing_again_can_be_taken_back():
    model = MODELS.load("df")(SIZE)
    repeat_layers(model, True)
    repeat_layers(model, True)
    repeat_layers(model, False)
    assert not [part for part in model.modules() if "forward" in vars(part)]


def test_a_whole_falls_into_pieces_of_both_people_and_back():
    batch = to_batch(raw(), CPU)
    parts = pieces(batch, 2)
    assert [len(part.warped) for part in parts] == [4, 4, 2]
    assert torch.equal(parts[1].mask, batch.mask[[2, 3, COUNT + 2, COUNT + 3]])
    again = joined(parts)
    assert all(torch.equal(getattr(again, name), getattr(batch, name)) for name in ("warped", "target", "parts"))
    assert pieces(batch, 0) == pieces(batch, COUNT) == [batch]


def test_each_way_is_smaller_than_the_one_before():
    def ways(way, batch):
        found = [way]
        while (way := way.further(batch)) is not None:
            found.append(way)
        return [(way.samples, way.repeats) for way in found]

    assert ways(WHOLE, 8) == [(0, False), (4, False), (2, False), (2, True), (1, True)]
    assert ways(WHOLE, 3) == [(0, False), (2, False), (2, True), (1, True)]
    assert ways(WHOLE, 1) == [(0, False), (1, True)]
    assert ways(Thrift(16), 4)[1] == (2, False)
    assert "with 2 of 8 samples at a time" in Thrift(2, repeats=True).text(8)
    assert Thrift(8).figures(8) == {} and Thrift(2).figures(8) == {"at_once": 2, "repeats": 0}


# --- full memory


def full(*_, **__):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


class Once:
    """Fails the first time that it is called; then it does what the other does."""

    def __init__(self, other, error=full):
        self.other, self.error, self.calls = other, error, 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        if self.calls == 1:
            self.error()
        return self.other(*args, **kwargs)


class FailsBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        full()


def fail_in_backward(real):
    def measure(*args):
        terms = real(*args)
        return type(terms)(terms.src, FailsBackward.apply(terms.dst), terms.scene)

    return lambda: measure


def spoil(one, place, monkeypatch):
    """Lets one part of the next step run out of memory."""
    judge = one.adversaries[0]
    if place == "forward":
        monkeypatch.setattr(lesson_module, "measure", Once(lesson_module.measure))
    elif place == "backward":
        real, calls = lesson_module.measure, itertools.count()
        failing = fail_in_backward(real)()
        monkeypatch.setattr(lesson_module, "measure", lambda *a: (real if next(calls) else failing)(*a))
    elif place == "judge, for the model":
        judge.for_model = Once(judge.for_model)
    elif place == "judge, for itself":
        judge.own_loss = Once(judge.own_loss)
    elif place == "judge, its optimiser":
        judge.learner.optimizer.step = Once(judge.learner.optimizer.step)
    elif place == "drawn anew":
        monkeypatch.setattr(lesson_module, "draw_scene", Once(lesson_module.draw_scene))
    else:
        one.learner.optimizer.step = Once(one.learner.optimizer.step)


PLACES = ["forward", "backward", "judge, for the model", "optimiser", "judge, for itself", "judge, its optimiser"]


@pytest.mark.parametrize(
    ("place", "name", "exact"),
    [*itertools.product(PLACES, ["df", "amp"], [False]), ("drawn anew", "df", True), ("drawn anew", "amp", True)],
)
def test_a_step_that_ran_out_of_memory_is_done_again_as_if_nothing_had_been(place, name, exact, monkeypatch):
    settings = {**JUDGED, "clip_grad": True, "lr_dropout": "yes", "dfl_exact": exact}
    undisturbed, one, told = lesson(name, **settings), lesson(name, **settings), []
    one.tell = told.append
    spoil(one, place, monkeypatch)
    losses = one.step(raw(), 1e-3, 1, 0.9)
    monkeypatch.undo()
    torch.testing.assert_close(losses, undisturbed.step(raw(), 1e-3, 1, 0.9))
    for ours, theirs in zip(one.learners, undisturbed.learners, strict=True):
        moved = (theirs.flat.weights - theirs._first).norm()
        assert moved > 0
        assert (ours.flat.weights - theirs.flat.weights).norm() < 1e-4 * moved
        for kind, array in theirs.arrays.items():
            torch.testing.assert_close(ours.arrays[kind], array, rtol=1e-3, atol=1e-6)
        assert not ours.flat.gradients.any()
    assert one.thrift == Thrift(3)
    assert len(told) == 1 and "with 3 of 5 samples at a time" in told[0] and "memory of 'cpu' is full" in told[0]


def test_it_ends_when_nothing_is_left_to_be_made_smaller(monkeypatch):
    one, told = lesson(), []
    one.tell = told.append
    before = one.learner.flat.weights.clone()
    monkeypatch.setattr(lesson_module, "measure", full)
    with pytest.raises(torch.OutOfMemoryError):
        one.step(raw(), 1e-3, 1, 0.9)
    assert len(told) == 4 and "computing layers again" in told[-1] and "with 1 of 5" in told[-1]
    assert torch.equal(one.learner.flat.weights, before)


def test_other_errors_are_not_taken_for_full_memory(monkeypatch):
    def broken(*_):
        raise RuntimeError("sizes do not fit")

    one = lesson()
    monkeypatch.setattr(lesson_module, "measure", broken)
    with pytest.raises(RuntimeError, match="sizes do not fit"):
        one.step(raw(), 1e-3, 1, 0.9)
    assert one.thrift == WHOLE


class Allocations(TorchDispatchMode):
    """Bytes of arrays that are made once one of the watched ones has changed."""

    def __init__(self, watched):
        super().__init__()
        self.watched, self.before, self.late = watched, [x._version for x in watched], 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        has_changed = self.before != [x._version for x in self.watched]
        known = {x.untyped_storage() for x in tree_iter((args, kwargs)) if isinstance(x, torch.Tensor)}
        result = func(*args, **(kwargs or {}))
        new = [x for x in tree_iter(result) if isinstance(x, torch.Tensor) and x.untyped_storage() not in known]
        self.late += has_changed * sum(x.untyped_storage().nbytes() for x in new)
        return result


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dropout", ["no", "yes"])
def test_no_memory_is_taken_once_a_weight_has_changed(optimizer, dropout):
    restraint = Restraint(clips=True, dropout=dropout, seed=1, resting=("inter",))
    one = Learner("", MODELS.load("df")(SIZE), optimizer, restraint)
    one.flat.gradients.fill_(0.1)
    with Allocations([one.flat.weights, *one.optimizer.state.values()]) as seen:
        one.step(1e-3, 1, 0.9)
    assert not torch.equal(one.flat.weights, one._first)
    assert seen.late < 100  # numbers, no arrays
