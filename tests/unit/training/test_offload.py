"""Weights kept apart from the model's: the same training, bit for bit."""

import numpy as np
import pytest
import torch

from konterfei.models import MODELS
from konterfei.nets.dims import Dims
from konterfei.training.data import RawBatch
from konterfei.training.lesson import Lesson
from konterfei.training.loop import smoothed
from konterfei.training.memory import Training
from konterfei.training.objectives import Objectives
from konterfei.training.thrift import WHOLE

CPU = torch.device("cpu")
SIZE = Dims(resolution=32, ae=8, encoder=4, decoder=4, mask=2, unit=True, double=True)


def batch(step):
    chance = np.random.RandomState(step)
    pixels = chance.randint(0, 255, (8, 32, 32, 3)).astype(np.uint8)
    mask = np.full((8, 32, 32), 255, np.uint8)
    return RawBatch(pixels, pixels[:, ::-1].copy(), mask, mask)


def lesson(apart, name="df", optimizer="adabelief", **objectives):
    torch.manual_seed(1)
    return Lesson(MODELS.load(name)(SIZE), Objectives(**objectives), optimizer, 3, CPU, "fp32", apart=apart)


def taught(made, first=1, steps=6):
    return [made.step(batch(count), 1e-3, count, 0.9).tolist() for count in range(first, first + steps)]


def state(made):
    return {key: array.tobytes() for learner in made.learners for key, array in learner.tensors().items()}


@pytest.mark.parametrize("optimizer", ["adabelief", "adam", "rmsprop"])
@pytest.mark.parametrize(
    ("name", "objectives"),
    [
        ("df", {}),
        ("df", {"clip_grad": True, "lr_dropout": "yes", "gan_power": 0.1, "true_face_power": 0.1}),
        ("liae", {"random_warp": False}),  # a network rests
    ],
)
def test_the_same_is_learned(optimizer, name, objectives):
    near, apart = (lesson(which, name, optimizer, **objectives) for which in (False, True))
    assert taught(near) == taught(apart)
    assert state(near) == state(apart)
    flat = apart.learner.flat
    assert flat.weights.data_ptr() != flat.near[0].data_ptr()
    assert torch.equal(flat.weights, flat.near[0]) and not flat.near[1].any()
    drawn = next(apart.model.parameters())
    assert flat.near[0].data_ptr() <= drawn.data_ptr() < flat.near[0].data_ptr() + 4 * flat.weights.numel()


def test_a_checkpoint_of_one_goes_on_as_the_other():
    near, apart = lesson(False), lesson(True)
    taught(near), taught(apart)
    swapped = lesson(True)
    swapped.learner.load(near.learner.tensors())
    assert taught(swapped, 7) == taught(near, 7)
    assert state(swapped) == state(near)
    apart.learner.begin_anew()
    assert taught(apart) == taught(lesson(False))


def test_smoothed_weights_are_used_and_given_back():
    made = lesson(True)
    taught(made)
    flat = made.learner.flat
    own = flat.near[0].clone()
    with smoothed(flat):
        assert torch.equal(flat.near[0], flat.ema) and not torch.equal(flat.ema, own)
    assert torch.equal(flat.near[0], own)


def test_less_is_predicted_for_the_model_s_device():
    def needed(is_apart, optimizer):
        training = Training(
            model=MODELS.load("df"),
            dims=SIZE,
            objectives=(Objectives(),),
            optimizer=optimizer,
            batch=4,
            precision="fp32",
            is_apart=is_apart,
        )
        return training.bytes_with(WHOLE), training.bytes_at_most()

    weights = sum(parameter.numel() for parameter in MODELS.load("df")(SIZE).parameters())
    for optimizer, bytes_a_weight in (("adam", 16), ("rmsprop", 12)):
        for near, apart in zip(needed(False, optimizer), needed(True, optimizer), strict=True):
            assert near - apart == bytes_a_weight * weights
