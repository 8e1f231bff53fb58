"""The parts of a batch are the batch: samples, chance, gradients and losses. No process is started here."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from konterfei.errors import ConfigError
from konterfei.models import MODELS
from konterfei.models.devices import use_threads
from konterfei.nets.dims import Dims
from konterfei.stages._train_team import Place, check_place, place_of, processor_of
from konterfei.training.augment import AugmentSettings
from konterfei.training.data import Sampler
from konterfei.training.lesson import Lesson
from konterfei.training.objectives import Objectives
from konterfei.training.team import ALONE, Order, Task, Team

CPU = torch.device("cpu")
DIMS = Dims(resolution=32, ae=8, encoder=4, decoder=4, mask=2, unit=True, double=True, inter=16)


class Listening(Team):
    """Takes down what would be summed."""

    def __init__(self, rank, size):
        self.rank, self.size, self.summed = rank, size, []

    def sum_(self, tensor):
        self.summed.append(tensor.clone())
        return tensor


@pytest.fixture
def sampler(make_faces):
    src, dst = (make_faces(7, 48, seed) for seed in (1, 2))
    src = replace(src, parts=src.pixels[..., 3] // 2)
    return Sampler(
        src=src, dst=replace(dst, parts=dst.pixels[..., 3]), resolution=32, batch=6, seed=5, augment=AugmentSettings()
    )


@pytest.mark.parametrize("size", [1, 2, 3, 6])
@pytest.mark.parametrize("objectives", [{}, {"color_transfer": "rct", "hsv_power": 0.1, "flip_src": True}], ids=str)
def test_samples_of_all_parts_are_those_of_the_batch(sampler, objectives, size):
    whole = replace(sampler, objectives=Objectives(**objectives))
    parts = [replace(whole, part=(number, size)) for number in range(size)]
    for step in (0, 1, 5):
        batch, shares = whole.batch_at(step), [part.batch_at(step) for part in parts]
        for name in ("warped", "target", "mask", "parts"):
            halves = [getattr(share, name).reshape(2, 6 // size, 32, 32, -1) for share in shares]
            there = np.concatenate(halves, axis=1).reshape(getattr(batch, name).shape)
            np.testing.assert_array_equal(there, getattr(batch, name))


def summed(sampler, name, size, objectives):
    """Gradients of the model and the judges, and losses, of a step, as the sum of the parts."""
    sums, losses = [], torch.zeros(2)
    for number in range(size):
        torch.manual_seed(1)
        team = Listening(number, size)
        model = MODELS.load(name)(DIMS).to(memory_format=torch.channels_last)
        lesson = Lesson(model, Objectives(**objectives), "adam", 3, CPU, "fp32", team)
        share = replace(sampler, part=(number, size), objectives=lesson.objectives)
        losses += lesson.step(share.batch_at(2), 1e-3, 3, 0.9)
        sums.append(team.summed)
    return [torch.stack(tensors).sum(dim=0) for tensors in zip(*sums, strict=True)], losses


@pytest.mark.parametrize(
    ("name", "objectives", "learners"),
    [
        ("df", {}, 1),
        ("liae", {"eyes_mouth": True, "blur_out_mask": True}, 1),
        ("df", {"face_style_power": 10.0, "bg_style_power": 5.0, "masked_training": False}, 1),
        ("df", {"gan_power": 0.1, "gan_dims": 4, "gan_patch_size": 8, "true_face_power": 0.1}, 3),
        ("amp", {"gan_power": 0.1, "gan_dims": 4, "gan_patch_size": 8}, 2),
    ],
    ids=str,
)
def test_gradients_and_losses_of_the_parts_add_up(sampler, name, objectives, learners):
    whole, loss = summed(sampler, name, 1, objectives)
    parts, loss_of_parts = summed(sampler, name, 3, objectives)
    assert len(whole) == len(parts) == learners + 1  # and the losses
    for one, other in zip(whole, parts, strict=True):
        assert one.norm() > 0
        assert (one - other).norm() < 1e-5 * one.norm()  # of float32, summed in another order
    torch.testing.assert_close(loss, loss_of_parts, rtol=1e-6, atol=0)


def test_what_amp_draws_for_a_sample_does_not_depend_on_its_part():
    model = MODELS.load("amp")(DIMS)
    rows = []
    for number in range(3):
        model.part = (number, 3)
        torch.manual_seed(9)
        rows.append(model._random_channels(torch.empty(2, 1)))
    model.part = (0, 1)
    torch.manual_seed(9)
    whole = model._random_channels(torch.empty(6, 1))
    assert torch.equal(torch.cat(rows), whole)
    assert len({tuple(row.flatten().tolist()) for row in whole}) > 1


def test_orders_arrive_as_they_were_given():
    order = Order(Task.STEP, 123_456_789, 1.1e-3 / 3, salt=3, trained_s=0.1, is_preview=True, is_stopped=True)
    assert Order.unpacked(order.packed()) == order


def test_one_process_by_itself_changes_nothing():
    tensor = torch.arange(3.0)
    assert ALONE.sum_(tensor) is tensor
    assert tensor.tolist() == [0, 1, 2]
    assert (ALONE.rank, ALONE.size, ALONE.is_first) == (0, 1, True)


# --- who is who


def test_torchrun_says_who_this_is(monkeypatch):
    assert place_of(3) == Place(size=3, together=3)
    for name, value in {"RANK": 5, "WORLD_SIZE": 8, "LOCAL_RANK": 1, "LOCAL_WORLD_SIZE": 4}.items():
        monkeypatch.setenv(name, str(value))
    assert place_of(1) == Place(5, 8, 1, 4, is_launched=True)
    with pytest.raises(ConfigError, match=r"--processes 2: torchrun has started 8.*Leave it out"):
        place_of(2)


def test_a_gpu_for_each(monkeypatch):
    place = Place(1, 2, 1, 2)
    assert processor_of(place, "cpu") == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert processor_of(place, "auto") == torch.device("cuda:1")
    assert processor_of(Place(3, 4, 1, 2), "cuda") == torch.device("cuda:1")
    with pytest.raises(ConfigError, match=r"3 processes want a GPU each; PyTorch finds 2.*--device cpu"):
        processor_of(Place(0, 3, 0, 3), "auto")


@pytest.mark.parametrize("device", ["cuda:1", "mps", "cuda:0,cuda:1"])
def test_one_processor_is_not_for_several(device):
    with pytest.raises(ConfigError, match=r"--device .*with 2 processes give auto, cpu or cuda.*CUDA_VISIBLE_DEVICES"):
        check_place(Place(size=2, together=2), device, 4)


@pytest.mark.parametrize(("batch", "better"), [(3, 4), (1, 2), (5, 4)])
def test_a_batch_that_cannot_be_split(batch, better):
    with pytest.raises(
        ConfigError, match=rf"--batch {batch} cannot be split.*multiple of 2, for example --batch {better}"
    ):
        check_place(Place(size=2, together=2), "cpu", batch)
    check_place(Place(), "cpu", batch)


def test_threads_are_shared(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr("os.sched_getaffinity", lambda who: set(range(9)), raising=False)
    try:
        assert [use_threads(0), use_threads(0, 2), use_threads(0, 20), use_threads(3, 2)] == [8, 4, 1, 3]
    finally:
        torch.set_num_threads(before)
