"""What every swap model keeps to: shapes, ranges, learning, and coming back from a snapshot as it was."""

import math

import numpy as np
import pytest
import torch

from drawn_faces import ANNA, BERT, landmarks, picture
from konterfei.errors import DamagedFileError, StoreError
from konterfei.geometry import Crop, FaceType
from konterfei.geometry.landmarks import hull_mask
from konterfei.io.run import Run
from konterfei.models import MODELS
from konterfei.models.base import Batch
from konterfei.models.swapper import Swapper, load_swapper
from konterfei.nets.autoencoders import Dims
from konterfei.reporting import Recorder
from konterfei.training.losses import measure
from konterfei.training.objectives import Objectives
from konterfei.training.optimizers import Adam, FlatParameters

SIDE = 32
DIMS = Dims(resolution=SIDE, ae=16, encoder=8, decoder=8, mask=4, unit=True, double=True)
CONFIG = {
    "model": "df",
    "preset": "tiny",
    "face_type": "full",
    "dims": {"resolution": SIDE, "ae": 16, "encoder": 8, "decoder": 8, "mask": 4, "unit": True, "double": True},
}

pytestmark = pytest.mark.parametrize("name", list(MODELS))


def build(name, dims=DIMS, seed=0):
    torch.manual_seed(seed)
    return MODELS.load(name)(dims).to(memory_format=torch.channels_last)


def crops(skin, count):
    """Crops of a drawn person with their masks. [N, S, S, 3] uint8, [N, S, S] float32"""
    images, masks = [], []
    for index in range(count):
        points = landmarks(index, count)
        crop = Crop.fit(points, FaceType.FULL, SIDE)
        images.append(crop.cut(picture(points, skin)))
        masks.append(hull_mask(crop.crop_from_frame @ points, (SIDE, SIDE)))
    return np.stack(images), np.stack(masks)


def batch(count=4):
    people = [crops(skin, count) for skin in (ANNA, BERT)]
    images = torch.from_numpy(np.concatenate([p[0] for p in people])).permute(0, 3, 1, 2).float() / 255
    masks = torch.from_numpy(np.concatenate([p[1] for p in people]))[:, None].float()
    return Batch(images, images.contiguous(), masks, masks * 0.5)


def losses_of(model, samples):
    return measure(model, samples, Objectives())


def snapshot(folder, name, model, **changes):
    run = Run.create(folder, {**CONFIG, "model": name, **changes})
    run.save_snapshot(40, {key: value.numpy() for key, value in model.state_dict().items()}, {"steps": 40})
    return run


@torch.no_grad()
def test_shapes_and_ranges(name):
    model = build(name)
    images = torch.rand(6, 3, SIDE, SIDE)
    again = model.reconstruct(images)
    drawn, own_mask = model.swap(images)
    for pictures in (again.image, drawn.image):
        assert pictures.shape == (6, 3, SIDE, SIDE)
    for masks in (again.mask, drawn.mask, own_mask):
        assert masks.shape == (6, 1, SIDE, SIDE)
    for values in (again.image, again.mask, drawn.image, drawn.mask, own_mask):
        assert values.dtype == torch.float32
        assert 0 < values.min() <= values.max() < 1


@torch.no_grad()
def test_each_person_has_a_way_of_their_own(name):
    """src and dst of the same picture come out differently; a swap of it comes out as src, masks as dst."""
    model = build(name).eval()
    one = torch.rand(1, 3, SIDE, SIDE)
    src, dst = model.reconstruct(one.expand(2, -1, -1, -1)).image
    drawn, own_mask = model.swap(one)
    assert (src - dst).abs().max() > 1e-3
    torch.testing.assert_close(drawn.image[0], src, rtol=0, atol=1e-5)
    torch.testing.assert_close(own_mask[0], model.reconstruct(one.expand(2, -1, -1, -1)).mask[1], rtol=0, atol=1e-5)


@torch.no_grad()
def test_pictures_of_a_batch_do_not_touch_one_another(name):
    model = build(name)
    images = torch.rand(4, 3, SIDE, SIDE)
    together, apart = model.swap(images)[0].image, model.swap(images[2:3])[0].image
    torch.testing.assert_close(together[2:3], apart, rtol=0, atol=1e-5)


def test_every_parameter_is_trained_and_named_in_a_group(name):
    model = build(name)
    losses = losses_of(model, batch(2))
    (losses.src + losses.dst).backward()
    idle = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []
    grouped = [id(p) for group in model.param_groups().values() for p in group]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())


def test_losses_are_sums_over_each_person(name):
    """dfl-spec 7.8: the gradient is that of the sum over the batch, so twice the same samples are twice the loss."""
    model = build(name).eval()  # without what it draws by chance
    one = batch(2)
    twice = Batch(*(torch.cat([x[:2], x[:2], x[2:], x[2:]]) for x in (one.warped, one.target, one.mask, one.parts)))
    with torch.no_grad():
        first, second = losses_of(model, one), losses_of(model, twice)
    for person in ("src", "dst"):
        assert getattr(second, person).item() == pytest.approx(2 * getattr(first, person).item(), rel=1e-4)


def test_one_pair_is_learned_by_heart(name, tmp_path):
    """And what was learned is in the snapshot: the picture drawn after loading is the one drawn before."""
    model = build(name)
    flat = FlatParameters(model)
    optimizer = Adam(flat)
    samples = batch(2)
    course = []
    for count in range(1, 61):
        losses = losses_of(model, samples)
        total = losses.src + losses.dst
        total.backward()
        optimizer.step(3e-3, count, 0.9)
        course.append(total.item() / 4)
    assert all(map(math.isfinite, course))
    assert np.mean(course[-5:]) < 0.4 * np.mean(course[:3])

    faces = crops(BERT, 2)[0]
    before = Swapper(model, FaceType.FULL, {}, device="cpu", precision="fp32").swap(faces)
    run = snapshot(tmp_path / "run", name, model)
    swapper = load_swapper(run.folder, device="cpu", precision="fp32")
    after = swapper.swap(faces)
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (swapper.resolution, swapper.face_type) == (SIDE, FaceType.FULL)
    assert swapper.info["model"] == name
    assert swapper.info["steps"] == 40
    assert len(swapper.info["snapshot_sha256"]) == 64

    # Bert drawn as Anna has Anna's skin.
    skin = crops(BERT, 2)[1] > 0.9
    to_src = np.abs(after[0] * 255 - ANNA).mean(axis=-1)[skin]
    to_dst = np.abs(after[0] * 255 - BERT).mean(axis=-1)[skin]
    assert np.median(to_src) < np.median(to_dst)


def test_the_border_is_numpy(name):
    swapper = Swapper(build(name), FaceType.FULL, {}, device="cpu", precision="fp32")
    for count in (1, 3):
        images, masks = swapper.swap(np.random.RandomState(0).randint(0, 256, (count, SIDE, SIDE, 3), np.uint8))
        assert (images.shape, masks.shape) == ((count, SIDE, SIDE, 3), (count, SIDE, SIDE))
        assert images.dtype == masks.dtype == np.float32
        assert 0 <= min(images.min(), masks.min()) <= max(images.max(), masks.max()) <= 1
    with pytest.raises(ValueError, match=r"\[N, 32, 32, 3\]"):
        swapper.swap(np.zeros((1, 48, 48, 3), np.uint8))


def test_half_precision_draws_nearly_the_same(name):
    faces = crops(BERT, 2)[0]
    model = build(name)
    full = Swapper(model, FaceType.FULL, {}, device="cpu", precision="fp32").swap(faces)
    half = Swapper(model, FaceType.FULL, {}, device="cpu", precision="bf16").swap(faces)
    assert np.abs(full[0] - half[0]).max() < 0.03
    assert half[0].dtype == half[1].dtype == np.float32


def test_a_snapshot_of_another_shape_is_refused(name, tmp_path):
    run = snapshot(tmp_path / "run", name, build(name), dims={**CONFIG["dims"], "ae": 20})
    with pytest.raises(DamagedFileError, match="does not fit the run's own configuration"):
        load_swapper(run.folder, device="cpu")


def test_a_damaged_snapshot_is_passed_over_with_a_word(name, tmp_path):
    run = snapshot(tmp_path / "run", name, build(name))
    (older,) = run.snapshot_paths()
    torn = older.with_name("00000050.safetensors")
    torn.write_bytes(older.read_bytes()[:-1])
    told = Recorder()
    assert load_swapper(run.folder, device="cpu", reporter=told).info["steps"] == 40
    (warning,) = told.warnings
    assert torn.name in warning and older.name in warning


def test_a_run_without_a_snapshot_says_so(name, tmp_path):
    Run.create(tmp_path / "run", {**CONFIG, "model": name})
    with pytest.raises(StoreError, match="no snapshot yet"):
        load_swapper(tmp_path / "run", device="cpu")
