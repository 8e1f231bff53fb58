"""One colour in place of faces: seen where it is, and nowhere else."""

import numpy as np
import pytest
import torch
from torch import nn

from konterfei.models.base import Images, SwapModel
from konterfei.nets.dims import Dims
from konterfei.training import collapse, recovery
from konterfei.training.augment import AugmentSettings
from konterfei.training.collapse import detail, is_blank, went_blank
from konterfei.training.data import Sampler, TrainingFaces
from konterfei.training.plan import Progress


class Drawer(SwapModel):
    """Draws what `how` makes of what it sees."""

    def __init__(self, how):
        super().__init__(Dims(resolution=32, ae=1, encoder=1, decoder=1, mask=1))
        self.weight = nn.Parameter(torch.zeros(1))
        self.how = how

    def reconstruct(self, images):
        return Images(self.how(images), images[:, :1])


class Pupil:
    """What `detail` asks of a lesson."""

    device, precision = torch.device("cpu"), "fp32"

    def __init__(self, how):
        self.model = Drawer(how)


@pytest.fixture
def sampler():
    chance = np.random.default_rng(3)

    def people():
        pixels = chance.integers(0, 255, (6, 48, 48, 4), np.uint8)
        pixels[..., 3] = 0
        pixels[:, 8:40, 10:38, 3] = 255
        return TrainingFaces(pixels)

    return Sampler(src=people(), dst=people(), resolution=32, batch=1, seed=1, augment=AugmentSettings())


def test_who_gives_back_what_it_sees_has_all_of_it(sampler):
    assert detail(Pupil(lambda images: images), sampler) == pytest.approx([1, 1])
    assert detail(Pupil(lambda images: 0.5 * images + 0.2), sampler) == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("color", [0.0, 0.4, 1.0])
def test_one_color_has_nothing_of_a_face(sampler, color):
    assert detail(Pupil(lambda images: torch.full_like(images, color)), sampler) == pytest.approx([0, 0], abs=1e-6)


def test_neither_has_a_pattern_of_its_own_nor_a_frame_outside_of_the_mask(sampler):
    pattern = torch.rand((1, 3, 32, 32), generator=torch.Generator().manual_seed(5))
    assert detail(Pupil(lambda images: pattern.expand_as(images)), sampler) == pytest.approx([0, 0], abs=0.1)

    def outside(images):
        drawn = torch.full_like(images, 0.4)
        drawn[..., :3] = images[..., :3]
        return drawn

    assert detail(Pupil(outside), sampler) == pytest.approx([0, 0], abs=1e-6)


def test_each_person_is_looked_at(sampler):
    def src_alone(images):
        src, dst = images.chunk(2)
        return torch.cat([src, torch.full_like(dst, 0.5)])

    assert detail(Pupil(src_alone), sampler) == pytest.approx([1, 0], abs=1e-6)


def test_looking_changes_nothing_of_the_training(sampler):
    pupil = Pupil(lambda images: images)
    before = torch.get_rng_state()
    detail(pupil, sampler)
    assert pupil.model.training
    assert torch.equal(before, torch.get_rng_state())


def test_who_was_drawn_and_is_not_any_more_is_blank():
    progress = Progress()
    assert [went_blank(progress, [share, share]) for share in (0.0, 0.1, 0.5, 0.4, 0.11)] == [False] * 5
    assert not is_blank(progress, [0.11, 0.4])
    assert is_blank(progress, [0.5, 0.05])  # one person is enough
    assert went_blank(progress, [0.05, 0.5])
    assert progress.drawn == [0.5, 0.5]


def test_what_was_never_much_cannot_be_lost():
    progress = Progress()
    assert not went_blank(progress, [0.2, 0.2])
    assert not went_blank(progress, [0.0, 0.0])


def looks(losses, share=0.01):
    progress, verdicts = Progress(), []
    for loss in losses:
        progress.loss = loss
        verdicts.append(went_blank(progress, [share, share]))
    return verdicts


def test_a_network_that_learns_slowly_is_left_alone_and_one_that_learns_nothing_is_not():
    slow = [5 * 0.98**n for n in range(40)]  # nothing to be seen yet, but a tenth less every thousand steps
    assert not any(looks(slow))
    dead = [4.1, 4.3, 4.0, 4.2, 4.1, 4.0, 4.3, 4.2, 4.1, 4.2]
    assert looks(dead) == [False] * 9 + [True]
    assert not any(looks([4.0] * 30, share=0.11))  # a plateau with faces is none of our business


def test_a_face_that_is_seen_at_last_ends_the_count():
    progress = Progress(blank=[4.0] * 9, drawn=[0.0, 0.0], loss=4.0)
    assert not went_blank(progress, [0.2, 0.0])
    assert progress.blank == []


def test_a_loss_beyond_that_of_the_untrained_network_is_a_collapse():
    progress = Progress(step=20)
    assert not recovery.fell_apart(progress, 8.0)
    progress.step = 100
    assert not recovery.fell_apart(progress, 20.0)  # early losses may jump
    progress = Progress(step=220, first=8.0)
    assert not recovery.fell_apart(progress, 9.5)
    assert not progress.is_worse_than_untrained
    progress = Progress(step=220, first=8.0)
    assert recovery.fell_apart(progress, 9.7)
    assert progress.is_worse_than_untrained
    progress = Progress(step=220, first=-1.0)  # begun with the weights of another run
    assert not recovery.fell_apart(progress, 9.7)


def test_where_losses_may_rise_the_first_one_says_nothing():
    progress = Progress(step=20, objectives={"face_style_power": 10.0})
    assert not recovery.fell_apart(progress, 8.0)
    assert progress.first == -1.0


def test_the_look_costs_little():
    assert collapse.LOOK_EVERY * 2 >= 50 * collapse._FACES
