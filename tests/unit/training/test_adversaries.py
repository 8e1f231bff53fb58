"""Judges learn to tell apart, the model learns to please them, and neither touches the other's weights."""

import pytest
import torch

from konterfei.models import MODELS
from konterfei.models.df import DF
from konterfei.nets import recipes
from konterfei.nets.autoencoders import Dims
from konterfei.nets.losses import judged, soft_mask, total_variation
from konterfei.training.adversaries import adversaries_for
from konterfei.training.data import RawBatch
from konterfei.training.lesson import Lesson, refuse_unoffered, to_batch
from konterfei.training.losses import measure
from konterfei.training.objectives import Objectives

CPU = torch.device("cpu")
SIDE, COUNT = 64, 2
SMALL = Dims(resolution=SIDE, ae=8, encoder=4, decoder=4, mask=2, unit=True, double=True)


class Morph(DF):
    recipe = recipes.AMP


def build(model=DF):
    torch.manual_seed(1)
    return model(SMALL)


def raw():
    chance = torch.Generator().manual_seed(2)
    warped, target = (
        torch.randint(0, 256, (2 * COUNT, SIDE, SIDE, 3), generator=chance, dtype=torch.uint8).numpy() for _ in "ab"
    )
    mask = torch.zeros(2 * COUNT, SIDE, SIDE, dtype=torch.uint8)
    mask[:, 16:48, 20:44] = 255
    return RawBatch(warped, target, mask.numpy(), (mask // 2).numpy())


def lesson(model=DF, optimizer="adabelief", **objectives):
    return Lesson(build(model), Objectives(**objectives), optimizer, 3, CPU, "fp32")


def bce(logits, label):
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def test_the_gan_is_the_formula():
    """7.8.6: src's faces alone, both maps, one half of each for the judge; background and smoothness for the model."""
    one = lesson(gan_power=0.3, gan_dims=4)
    (judge,) = one.adversaries
    batch = to_batch(raw(), CPU)
    scene = measure(one.model, batch, one.objectives).scene
    soft = soft_mask(batch.mask)[:COUNT]
    drawn = one.model.reconstruct(batch.warped).image[:COUNT]
    target = batch.target[:COUNT]
    network = judge.learner.module
    of_drawn, of_real = network(drawn * soft), network(target * soft)
    own = sum(0.5 * COUNT * (bce(r, 1.0) + bce(d, 0.0)) for r, d in zip(of_real, of_drawn, strict=True))
    torch.testing.assert_close(judge.own_loss(scene), own)
    background = 0.02 * ((drawn - target) * (1 - soft)).square().mean(dim=(1, 2, 3)) + 1e-6 * total_variation(drawn)
    wanted = 0.3 * COUNT * sum(bce(d, 1.0) for d in of_drawn) + background.sum()
    torch.testing.assert_close(judge.for_model(scene), wanted)
    assert background.sum() > 1e-3


def test_unmasked_the_gan_sees_whole_pictures_and_holds_no_background():
    one = lesson(gan_power=0.3, gan_dims=4, masked_training=False)
    (judge,) = one.adversaries
    batch = to_batch(raw(), CPU)
    scene = measure(one.model, batch, one.objectives).scene
    drawn = one.model.reconstruct(batch.warped).image[:COUNT]
    wanted = 0.3 * COUNT * sum(bce(d, 1.0) for d in judge.learner.module(drawn))
    torch.testing.assert_close(judge.for_model(scene), wanted)


def test_the_gan_of_amp_judges_both_people():
    """7.8.8: an eighth of eight terms."""
    one = lesson(Morph, gan_power=0.3, gan_dims=4)
    (judge,) = one.adversaries
    scene = measure(one.model, to_batch(raw(), CPU), one.objectives).scene
    maps = zip(judge.learner.module(scene.real), judge.learner.module(scene.drawn), strict=True)
    own = torch.zeros(())
    for real, drawn in maps:
        for person in (slice(0, COUNT), slice(COUNT, None)):
            own = own + COUNT * (bce(real[person], 1.0) + bce(drawn[person], 0.0)) / 8
    torch.testing.assert_close(judge.own_loss(scene), own)
    wanted = 0.3 * sum(judged(logits, True).sum() for logits in judge.learner.module(scene.drawn))
    torch.testing.assert_close(judge.for_model(scene), wanted + scene.src_background(False))


def test_true_face_is_the_formula():
    """7.8.5: src's codes are to look like dst's; a half of each for the judge."""
    one = lesson(true_face_power=0.2)
    (judge,) = one.adversaries
    batch = to_batch(raw(), CPU)
    scene = measure(one.model, batch, one.objectives).scene
    src, dst = one.model.inter(one.model.encoder(batch.warped)).chunk(2)
    assert one.model.code_shape == (src.shape[1], src.shape[2])
    network = judge.learner.module
    torch.testing.assert_close(judge.for_model(scene), 0.2 * COUNT * bce(network(src), 1.0))
    own = 0.5 * COUNT * (bce(network(dst), 1.0) + bce(network(src), 0.0))
    torch.testing.assert_close(judge.own_loss(scene), own)
    judge.for_model(scene).backward()
    learning = {key.split(".")[0] for key, p in one.model.named_parameters() if p.grad is not None and p.grad.any()}
    assert learning == {"encoder", "inter"}


@pytest.mark.parametrize("objectives", [{"gan_power": 1.0, "gan_dims": 4}, {"true_face_power": 1.0}], ids=str)
def test_each_learns_from_its_own_loss_alone(objectives):
    """A step moves both; the model's gradient never lands in the judge nor the judge's in the model."""
    one = lesson(**objectives)
    (judge,) = one.adversaries
    batch = to_batch(raw(), CPU)
    terms = measure(one.model, batch, one.objectives)
    (terms.src + terms.dst + judge.for_model(terms.scene)).backward()
    assert one.learner.flat.gradients.any() and not judge.learner.flat.gradients.any()
    one.learner.flat.gradients.zero_()
    weights = one.learner.flat.weights.clone()
    before = judge.own_loss(terms.scene.detached()).item()
    for count in range(1, 16):
        judge.learn(terms.scene, 1e-3, count)
    assert judge.own_loss(terms.scene.detached()).item() < 0.95 * before
    assert torch.equal(one.learner.flat.weights, weights) and not one.learner.flat.gradients.any()


@pytest.mark.parametrize("objectives", [{"gan_power": 5.0, "gan_dims": 4}, {"true_face_power": 1.0}], ids=str)
def test_the_model_learns_to_please(objectives):
    """Against a judge that stands still, its displeasure shrinks, and faster than without it."""

    def displeasure(power):
        one = lesson(optimizer="adam", **objectives)
        (judge,) = one.adversaries
        batch = to_batch(raw(), CPU)
        for count in range(1, 16):
            terms = measure(one.model, batch, one.objectives)
            (terms.src + terms.dst + power * judge.for_model(terms.scene)).backward()
            one.learner.step(2e-3, count)
        return judge.for_model(measure(one.model, batch, one.objectives).scene).item()

    assert displeasure(1.0) < displeasure(0.0) - 1e-3


def test_a_step_teaches_model_and_judges_and_reports_reconstruction_alone():
    one, without = lesson(gan_power=0.1, gan_dims=4, true_face_power=0.1), lesson()
    told, plain = one.step(raw(), 1e-3, 1, 0.0), without.step(raw(), 1e-3, 1, 0.0)
    assert torch.equal(told, plain)
    assert not torch.equal(one.learner.flat.weights, without.learner.flat.weights)
    for adversary in one.adversaries:
        assert not torch.equal(adversary.learner.flat.weights, adversary.learner._first)
        assert not adversary.learner.flat.gradients.any()
    assert [learner.name for learner in one.learners] == ["", "true_face", "gan"]


def test_exactly_the_judge_sees_what_is_drawn_after_the_step():
    """7.8.6: with the weights of after the model's step; ours sees what was drawn before, one forward pass less."""

    def judge_after_a_step(exact):
        one = lesson(optimizer="adam", gan_power=0.1, gan_dims=4, dfl_exact=exact)
        scene = measure(one.model, to_batch(raw(), CPU), one.objectives).scene if not exact else None
        one.step(raw(), 1e-2, 1, 0.0)
        seen = scene or measure(one.model, to_batch(raw(), CPU), one.objectives).scene
        fresh = lesson(optimizer="adam", gan_power=0.1, gan_dims=4).adversaries[0]
        fresh.learn(seen, 1e-2, 1)
        return one.adversaries[0].learner.flat.weights, fresh.learner.flat.weights

    for exact in (False, True):
        ours, wanted = judge_after_a_step(exact)
        torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-6)


def test_first_weights_of_judges_follow_from_the_seed_and_touch_no_other_chance():
    model = build()
    chosen = Objectives(gan_power=1, true_face_power=1)
    torch.manual_seed(9)
    first = adversaries_for(model, chosen, "adam", 3, CPU, "fp32")
    after = torch.rand(1)
    second = adversaries_for(model, chosen, "adam", 3, CPU, "fp32")
    other = adversaries_for(model, chosen, "adam", 4, CPU, "fp32")
    for a, b, c in zip(first, second, other, strict=True):
        assert torch.equal(a.learner.flat.weights, b.learner.flat.weights)
        assert not torch.equal(a.learner.flat.weights, c.learner.flat.weights)
    torch.manual_seed(9)
    assert torch.equal(torch.rand(1), after)


def test_patches_are_an_eighth_of_the_side_unless_said():
    default, large = (
        adversaries_for(build(), Objectives(gan_power=1, gan_patch_size=size), "adam", 3, CPU, "fp32")[0]
        for size in (None, 31)
    )
    assert default.learner.module.strides == (2, 2)  # 64 / 8 -> 7
    assert large.learner.module.strides == (2, 2, 2, 2)


def test_what_a_model_cannot_serve_is_refused():
    with pytest.raises(Exception, match="--true-face-power: not with the model liae") as caught:
        refuse_unoffered("liae", MODELS.load("liae"), Objectives(true_face_power=0.1, face_style_power=1))
    assert caught.value.exit_code == 2
    refuse_unoffered("df", DF, Objectives(true_face_power=0.1, face_style_power=1, bg_style_power=1, pretrain=True))
    with pytest.raises(Exception, match="--no-masked-training: amp is always"):
        refuse_unoffered("amp", Morph, Objectives(masked_training=False))
