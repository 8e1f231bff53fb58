"""Each objective is what the specification says it is (dfl-spec 7.8), and none that was not chosen changes a bit."""

from dataclasses import replace

import pytest
import torch

from konterfei.models import MODELS
from konterfei.models.base import Batch
from konterfei.models.df import DF
from konterfei.nets import recipes
from konterfei.nets.autoencoders import Dims
from konterfei.nets.losses import (
    blur_outside,
    dssim,
    dssim_windows,
    gaussian_blur,
    judged,
    soft_mask,
    style_loss,
    total_variation,
)
from konterfei.training.losses import draw_scene, measure
from konterfei.training.objectives import Objectives

SIDE, COUNT = 64, 2
SMALL = Dims(resolution=SIDE, ae=8, encoder=4, decoder=4, mask=2, unit=True, double=True)


def build(name="df"):
    torch.manual_seed(1)
    return MODELS.load(name)(SMALL)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(2)
    warped, target = torch.rand(2, 2 * COUNT, 3, SIDE, SIDE, generator=generator).unbind()
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    radii = torch.tensor([15.0, 18, 21, 24]).view(-1, 1, 1)
    mask = (torch.hypot(x - 32.0, y - 30.0) < radii).float()[:, None]
    parts = (torch.hypot(x - 28.0, y - 26.0) < radii / 4).float()[:, None]
    return Batch(warped, target, mask, parts)


def plain(model, batch):
    """dfl-spec 7.8.2 written down once more: sums over src and over dst."""
    out, soft = model.reconstruct(batch.warped), soft_mask(batch.mask)
    p, t = out.image * soft, batch.target * soft
    loss = 10 * (p - t).square().mean(dim=(1, 2, 3))
    for window, weight in dssim_windows(SIDE):
        loss = loss + weight * dssim(p, t, window)
    loss = loss + 10 * (out.mask - batch.mask).square().mean(dim=(1, 2, 3))
    return loss[:COUNT].sum(), loss[COUNT:].sum()


def gradients(model, loss):
    model.zero_grad()
    loss.backward(retain_graph=True)
    return {name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize("name", ["df", "liae"])
def test_defaults_are_reconstruction_and_nothing_else_bit_for_bit(name, batch):
    model = build(name)
    src, dst = plain(model, batch)
    terms = measure(model, batch, Objectives())
    assert torch.equal(terms.src, src) and torch.equal(terms.dst, dst)
    ours, wanted = gradients(model, terms.src + terms.dst), gradients(model, src + dst)
    assert all(torch.equal(ours[key], wanted[key]) for key in wanted)


def test_eyes_and_mouth_add_three_hundred_times_their_error(batch):
    model = build()
    image = model.reconstruct(batch.warped).image
    before, after = measure(model, batch, Objectives()), measure(model, batch, Objectives(eyes_mouth=True))
    error = 300 * ((image - batch.target) * batch.parts).abs().mean(dim=(1, 2, 3))
    torch.testing.assert_close(after.src - before.src, error[:COUNT].sum(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(after.dst - before.dst, error[COUNT:].sum(), rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="no masks of them"):
        measure(model, replace(batch, parts=None), Objectives(eyes_mouth=True))


def test_without_masks_the_background_counts(batch):
    model = build()
    far = soft_mask(batch.mask) == 0
    changed = replace(batch, target=torch.where(far, 0.1 * batch.target, batch.target))
    masked, open_ = Objectives(), Objectives(masked_training=False)
    torch.testing.assert_close(measure(model, changed, masked).src, measure(model, batch, masked).src)
    assert (measure(model, changed, open_).src - measure(model, batch, open_).src).abs() > 1e-3
    image = model.reconstruct(batch.warped).image
    window = int(SIDE / 11.6)
    wanted = 10 * dssim(image, batch.target, window) + 10 * (image - batch.target).square().mean(dim=(1, 2, 3))
    own = 10 * (model.reconstruct(batch.warped).mask - batch.mask).square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(measure(model, batch, open_).dst, (wanted + own)[COUNT:].sum())


def test_blurring_the_outside_changes_targets_alone(batch):
    model = build()
    terms = measure(model, batch, Objectives(blur_out_mask=True, masked_training=False))
    torch.testing.assert_close(terms.scene.target, blur_outside(batch.target, batch.mask))
    by_hand = replace(batch, target=blur_outside(batch.target, batch.mask))
    torch.testing.assert_close(terms.src, measure(model, by_hand, Objectives(masked_training=False)).src)


@pytest.mark.parametrize("name", list(MODELS))
def test_a_swap_from_the_code_is_the_swap(name, batch):
    model = build(name)
    with torch.no_grad():
        code = model.reconstruct(batch.warped).code
        drawn = model.swap_from(code.chunk(2)[1])
        wanted, _ = model.swap(batch.warped.chunk(2)[1])
    torch.testing.assert_close(drawn.image, wanted.image, rtol=0, atol=1e-5)
    torch.testing.assert_close(drawn.mask, wanted.mask, rtol=0, atol=1e-5)


def test_face_style_is_the_formula_and_teaches_the_decoder_alone(batch):
    """7.8.3: dst's colours for src's decoder; neither encoder nor dst's decoder nor the mask learns from it."""
    model = build()
    before, after = measure(model, batch, Objectives()), measure(model, batch, Objectives(face_style_power=10))
    out = model.reconstruct(batch.warped)
    drawn, _ = model.swap(batch.warped[COUNT:])
    wanted = style_loss(drawn.image * drawn.mask, out.image[COUNT:] * out.mask[COUNT:], SIDE // 8, 1000).sum()
    torch.testing.assert_close(after.src - before.src, wanted, rtol=1e-4, atol=1e-4)
    assert torch.equal(after.dst, before.dst)
    style = gradients(model, after.src - before.src)
    for key, gradient in style.items():
        learns = key.startswith(("decoder_src.upscale", "decoder_src.res", "decoder_src.out_conv"))
        learns = learns and not key.startswith(("decoder_src.upscalem", "decoder_src.out_convm"))
        assert (gradient.abs().max() > 1e-4) == learns, key


def test_background_style_looks_outside_of_both_faces(batch):
    """7.8.3, and its slip: the original looks outside of src's mask, on dst's picture."""
    model = build()
    base = measure(model, batch, Objectives()).src
    out = model.reconstruct(batch.warped)
    drawn, _ = model.swap(batch.warped[COUNT:])
    target = batch.target[COUNT:]
    for exact, outside in (
        (False, 1 - soft_mask(drawn.mask * out.mask[COUNT:])),
        (True, 1 - soft_mask(batch.mask[:COUNT])),
    ):
        got = measure(model, batch, Objectives(bg_style_power=50, dfl_exact=exact)).src - base
        a, b = drawn.image * outside, target * outside
        wanted = 5 * (dssim(a, b, int(SIDE / 11.6)) + (a - b).square().mean(dim=(1, 2, 3))).sum()
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)
    style = gradients(model, measure(model, batch, Objectives(bg_style_power=50)).src - base)
    assert style["encoder.downs.0.conv1.weight"].abs().max() > 1e-6  # here the code learns too


class MorphLosses(DF):
    """A model with AMP's recipe; what it draws does not matter."""

    recipe = recipes.AMP


def test_the_recipe_of_amp(batch):
    """7.8.8: both windows, eyes and mouth always, dst's background held."""
    torch.manual_seed(1)
    model = MorphLosses(SMALL)
    out, soft = model.reconstruct(batch.warped), soft_mask(batch.mask)
    p, t = out.image * soft, batch.target * soft
    loss = 10 * (p - t).square().mean(dim=(1, 2, 3)) + 10 * (out.mask - batch.mask).square().mean(dim=(1, 2, 3))
    for window in (int(SIDE / 11.6), int(SIDE / 23.2)):
        loss = loss + 5 * dssim(p, t, window)
    loss = loss + 300 * ((out.image - batch.target) * batch.parts).abs().mean(dim=(1, 2, 3))
    outside = (1 - soft)[COUNT:]
    a, b = out.image[COUNT:] * outside, batch.target[COUNT:] * outside
    background = 0.1 * (a - b).square().mean(dim=(1, 2, 3)) + 1e-6 * total_variation(a)
    terms = measure(model, batch, Objectives(masked_training=True))
    torch.testing.assert_close(terms.src, loss[:COUNT].sum())
    torch.testing.assert_close(terms.dst, loss[COUNT:].sum() + background.sum())
    assert background.sum() > 1e-3


def test_the_scene_is_what_was_drawn(batch):
    model = build()
    terms, scene = measure(model, batch, Objectives()), draw_scene(model, batch, Objectives(), "fp32")
    soft = 2 * gaussian_blur(batch.mask, 2).clamp(0, 0.5)
    torch.testing.assert_close(scene.real, batch.target * soft)
    torch.testing.assert_close(scene.drawn, model.reconstruct(batch.warped).image * soft)
    torch.testing.assert_close(terms.scene.drawn, scene.drawn)
    assert not scene.drawn.requires_grad and terms.scene.drawn.requires_grad
    assert not terms.scene.detached().drawn.requires_grad and not terms.scene.detached().code.requires_grad
    assert judged(torch.zeros(1, 1, 1, 1), True).item() == pytest.approx(0.6931472)


def test_losses_are_float32_in_any_precision(batch):
    model = build()
    full, half = (measure(model, batch, Objectives(face_style_power=1), p).src for p in ("fp32", "bf16"))
    assert half.dtype == torch.float32
    assert half.item() != full.item()
    assert half.item() == pytest.approx(full.item(), rel=0.05)
