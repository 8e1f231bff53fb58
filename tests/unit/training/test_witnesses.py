"""Identity and perception: they see what is there, push the model towards it, and are not there when not asked for."""

import dataclasses

import numpy as np
import pytest
import torch

from konterfei.geometry import Crop, FaceType
from konterfei.geometry.tables import TEMPLATE_17_TO_67
from konterfei.models import MODELS
from konterfei.models.df import DF
from konterfei.nets.autoencoders import Dims
from konterfei.nets.losses import gaussian_blur
from konterfei.recognizers.aligned import TEMPLATE, five_points
from konterfei.training import witnesses
from konterfei.training.data import RawBatch
from konterfei.training.lesson import Lesson, refuse_unoffered, to_batch
from konterfei.training.losses import draw_scene, measure
from konterfei.training.objectives import Objectives
from konterfei.training.witnesses import IdentityWitness, Sitter, alignment

CPU = torch.device("cpu")
SIDE, COUNT = 64, 3
SMALL = Dims(resolution=SIDE, ae=8, encoder=4, decoder=4, mask=2, unit=True, double=True)


@pytest.fixture
def sitter(make_faces):
    return Sitter(make_faces(5, 96, seed=1), FaceType.FULL)


def raw():
    chance = np.random.RandomState(3)
    pictures = chance.randint(0, 256, (2, 2 * COUNT, SIDE, SIDE, 3)).astype(np.uint8)
    mask = np.zeros((2 * COUNT, SIDE, SIDE), np.uint8)
    mask[:, 8:56, 12:52] = 255
    return RawBatch(*pictures, mask, mask // 2)


def lesson(sitter, name="df", precision="fp32", **objectives):
    torch.manual_seed(1)
    return Lesson(MODELS.load(name)(SMALL), Objectives(**objectives), "adam", 3, CPU, precision, sitter=sitter)


def unlike(one, witness):
    """1 - cosine of the swaps, mean."""
    scene = measure(one.model, to_batch(raw(), CPU), Objectives(identity_power=1)).scene
    return 1 - (witness.embed(scene.swapped) @ witness.identity).mean().item()


@pytest.mark.parametrize("face_type", ["half", "mid_full", "full", "whole"])
@pytest.mark.parametrize("side", [64, 320])
def test_the_mean_face_comes_to_lie_where_the_recognizer_expects_it(face_type, side):
    """On a ramp, a value says where it came from."""
    rows, columns = alignment(FaceType(face_type), side)
    ramp = torch.arange(side).float()
    y, x = (rows @ ramp).numpy(), (columns @ ramp).numpy()
    face = np.concatenate([np.zeros((17, 2)), TEMPLATE_17_TO_67])
    wanted = five_points(Crop.fit(face, FaceType(face_type), side).crop_from_frame @ face)
    found = np.stack([np.interp(TEMPLATE[:, 0], range(112), x), np.interp(TEMPLATE[:, 1], range(112), y)], axis=1)
    eye_distance = np.linalg.norm(wanted[0] - wanted[1])
    assert np.linalg.norm(found - wanted, axis=1).max() < 0.12 * eye_distance  # two mean faces differ
    assert np.linalg.norm((found - wanted).mean(axis=0)) < 0.01 * eye_distance
    torch.testing.assert_close(rows.sum(dim=1), torch.ones(112))


@pytest.mark.parametrize("name", list(MODELS))
def test_it_judges_every_second_swap_as_a_merge_shows_it(name, sitter):
    one = lesson(sitter, name, identity_power=1)
    batch = to_batch(raw(), CPU)
    one.model.eval()  # amp draws src from a mixture while it learns
    scene = measure(one.model, batch, one.objectives).scene
    dst = batch.warped[COUNT:]
    drawn, own_mask = one.model.swap(dst)
    mask = drawn.mask * own_mask
    merged = drawn.image * mask + batch.target[COUNT:] * (1 - mask)
    torch.testing.assert_close(scene.swapped, merged[::2], rtol=0, atol=1e-5)
    (witness,) = one.witnesses
    loss = witness.for_model(scene)
    wanted = 2 * (1 - witness.embed(merged[::2]) @ witness.identity).sum()
    assert loss.item() == pytest.approx(wanted.item(), abs=1e-4) and 0 < loss.item() < 4 * COUNT


def test_srcs_identity_is_the_mean_of_its_faces(sitter):
    (witness,) = lesson(sitter, identity_power=1).witnesses
    looks = np.stack([sitter.faces.straight(i, SIDE) for i in range(5)])
    seen = witness.embed(torch.from_numpy(looks).permute(0, 3, 1, 2).float() / 255).mean(dim=0)
    torch.testing.assert_close(witness.identity, seen / seen.norm(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_some_steps_with_it_bring_the_swap_nearer_to_src(name, precision, sitter):
    plain, pushed = lesson(sitter, name, precision), lesson(sitter, name, precision, identity_power=10)
    (witness,) = pushed.witnesses
    for count in range(1, 13):
        losses = [one.step(raw(), 1e-3, count, 0.999) for one in (plain, pushed)]
    assert torch.isfinite(torch.stack(losses)).all()
    assert unlike(pushed, witness) < unlike(plain, witness) - 0.01


def test_loss_figures_leave_them_out_and_they_learn_nothing_themselves(sitter):
    plain, pushed = lesson(sitter), lesson(sitter, identity_power=10, perceptual_power=10)

    def weights():
        return [buffer.clone() for witness in pushed.witnesses for buffer in witness._network.buffers()]

    before = weights()
    assert torch.equal(plain.step(raw(), 1e-3, 1, 0.9), pushed.step(raw(), 1e-3, 1, 0.9))
    assert len(before) > 100 and all(torch.equal(a, b) for a, b in zip(before, weights(), strict=True))
    assert pushed.learners == [pushed.learner]
    assert pushed.learner.flat.weights.numel() == plain.learner.flat.weights.numel()


def test_not_asked_for_it_is_not_there(sitter, monkeypatch):
    def forbidden(*_):
        raise AssertionError("asked for")

    monkeypatch.setattr(witnesses, "weights_path", forbidden)
    monkeypatch.setattr(DF, "swap_from", forbidden)
    for objectives in ({}, {"pretrain": True, "identity_power": 1, "perceptual_power": 1}):
        one = lesson(sitter, **objectives)
        assert one.witnesses == []
        one.step(raw(), 1e-3, 1, 0.9)
    assert measure(one.model, to_batch(raw(), CPU), Objectives()).scene.swapped is None


def test_they_stay_from_phase_to_phase_with_the_powers_of_each(sitter):
    one = lesson(sitter, identity_power=1)
    (witness,) = one.witnesses
    one.turn_to(Objectives(identity_power=2, perceptual_power=5))
    (same, perceptual) = one.witnesses
    one.turn_to(Objectives(identity_power=3, perceptual_power=4, gan_power=0.1, dfl_exact=True))
    assert one.witnesses == [witness, perceptual] and same is witness
    assert [witness.power, perceptual.power] == [3, 4]
    one.step(raw(), 1e-3, 1, 0.9)
    assert draw_scene(one.model, to_batch(raw(), CPU), one.objectives, "fp32").swapped is None  # judges need none
    one.turn_to(Objectives())
    assert one.witnesses == []


def test_the_more_a_picture_is_spoilt_the_more_unlike_it_is(sitter):
    (witness,) = lesson(sitter, perceptual_power=1).witnesses
    real = torch.from_numpy(sitter.faces.straight(0, SIDE)).permute(2, 0, 1)[None].float() / 255
    noise = torch.randn(real.shape, generator=torch.Generator().manual_seed(4))
    for spoilt in (
        [(real + sigma * noise).clamp(0, 1) for sigma in (0.0, 0.02, 0.05, 0.1)],
        [gaussian_blur(real, sigma) for sigma in (1, 2, 4)],
        [real * share for share in (1.0, 0.9, 0.7, 0.4)],
    ):
        unlike = [witness.distance(picture, real).item() for picture in spoilt]
        assert unlike == sorted(unlike) and unlike[-1] > unlike[0] + 0.01
    assert witness.distance(real, real).item() < 1e-9


@pytest.mark.parametrize("name", list(MODELS))
def test_some_steps_with_perception_bring_reconstructions_nearer(name, sitter):
    plain, pushed = lesson(sitter, name), lesson(sitter, name, perceptual_power=30)
    (witness,) = pushed.witnesses
    for count in range(1, 13):
        for one in (plain, pushed):
            one.step(raw(), 1e-3, count, 0.999)
    scenes = [draw_scene(one.model, to_batch(raw(), CPU), Objectives(), "fp32") for one in (plain, pushed)]
    without, with_it = (witness.distance(scene.drawn, scene.real).mean().item() for scene in scenes)
    assert with_it < without - 0.005
    terms = witness.for_model(scenes[0])
    assert terms.item() == pytest.approx(30 * 2 * COUNT * without, rel=1e-4)


def test_what_cannot_be_served_is_refused(sitter):
    class Closed(DF):
        offers = frozenset()

    with pytest.raises(Exception, match="--identity-power: not with the model closed"):
        refuse_unoffered("closed", Closed, Objectives(identity_power=1))
    for face_type in FaceType:
        if face_type in ("half", "mid_full", "full", "whole"):
            refuse_unoffered("df", DF, Objectives(identity_power=1), face_type)
            continue
        refuse_unoffered("df", DF, Objectives(perceptual_power=1), face_type)
        with pytest.raises(Exception, match=f"--identity-power: not with faces of the type {face_type}") as caught:
            refuse_unoffered("df", DF, Objectives(identity_power=1), face_type)
        assert caught.value.exit_code == 2
    with pytest.raises(ValueError, match="no faces of src"):
        lesson(None, identity_power=1)


def test_many_faces_are_looked_at_in_part(make_faces):
    faces = make_faces(300, 8)
    few = dataclasses.replace(faces, pixels=faces.pixels[np.linspace(0, 299, 128).round().astype(int)])
    one, other = (IdentityWitness(Sitter(f, FaceType.FULL), 16, CPU, "fp32").identity for f in (faces, few))
    assert torch.equal(one, other)
