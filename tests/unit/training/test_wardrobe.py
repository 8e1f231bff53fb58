"""Two people dressed up as each other, and samplers that ask for it."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from drawn_faces import ANNA, BERT, landmarks, picture
from konterfei.errors import ConfigError
from konterfei.geometry import Crop, FaceType
from konterfei.training.augment import AugmentSettings
from konterfei.training.data import Sampler, TrainingFaces
from konterfei.training.objectives import Objectives
from konterfei.training.wardrobe import Wardrobe, Worn

SIDE, COUNT = 96, 24
STILL = AugmentSettings(rotation_deg=0, scale=0, shift=0, flip=0, warp=0)
DROP = 14.0
"""px by which the second person's mouth lies lower."""


def person(skin, drop=0.0, turned=1.0):
    """Faces of a person, the more turned the later; the mouth `drop` px lower than the first person's."""
    pixels, marks = [], []
    for index in range(COUNT):
        points = landmarks(index, COUNT)
        crop = Crop.fit(points, FaceType.FULL, SIDE)
        at = crop.crop_from_frame @ points
        scale = np.linalg.norm(crop.crop_from_frame.matrix[0, :2])
        moved = points.copy()
        moved[48:68, 1] += drop / scale
        image = crop.cut(picture(moved, skin))
        at[48:68, 1] += drop
        pixels.append(np.dstack([image, np.full((SIDE, SIDE), 255, np.uint8)]))
        marks.append(at)
    yaws = turned * np.linspace(-0.8, 0.8, COUNT)
    return TrainingFaces(np.stack(pixels), yaws=yaws, landmarks=np.stack(marks).astype(np.float32))


@pytest.fixture(scope="module")
def two():
    return person(ANNA), person(BERT, DROP)


@pytest.fixture
def wardrobe(two):
    return Wardrobe([Worn(faces.pixels, faces.landmarks, faces.yaws) for faces in two])


def mouth_of(image):
    """Row of the mouth: what is redder than skin, in the lower half of the middle."""
    red = np.clip(image[..., 0].astype(float) - image[..., 1] - 75, 0, None)
    red[: SIDE // 2] = 0
    rows = np.arange(SIDE)
    return float((red.sum(axis=1) * rows).sum() / red.sum())


def test_each_is_seen_in_the_layout_of_the_other(two, wardrobe):
    for one in (0, 1):
        own, way = mouth_of(two[one].pixels[9, ..., :3]), (1, -1)[one]
        moved = [
            way * (mouth_of(wardrobe.disguised(one, 9, two[one].pixels[9, ..., :3], np.random.RandomState(k))) - own)
            for k in range(30)
        ]
        assert 0.35 * DROP < min(moved) < 0.75 * DROP and 0.9 * DROP < max(moved) < 1.4 * DROP, (one, moved)


def test_the_same_chance_gives_the_same_picture(two, wardrobe):
    once, again, other = (
        wardrobe.disguised(0, 3, two[0].pixels[3, ..., :3], np.random.RandomState(seed)) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()


def test_a_texture_is_of_a_face_that_looks_about_the_same_way(two, wardrobe):
    rng = np.random.RandomState(1)
    for yaw, low, high in ((-0.8, 0, 8), (0.0, 8, 16), (0.8, 16, 24), (3.0, 16, 24)):
        seen = {wardrobe._like(yaw, 1, rng) for _ in range(200)}
        assert seen == set(range(low, high)), yaw
    still = Wardrobe([Worn(f.pixels, f.landmarks, 0 * f.yaws) for f in two])  # records without a pose
    assert {still._like(0.0, 1, rng) for _ in range(400)} == set(range(COUNT))
    alone = Wardrobe([Worn(f.pixels[:1], f.landmarks[:1], f.yaws[:1]) for f in two])
    assert alone._like(0.4, 1, rng) == 0


def sampler(two, share, **more):
    objectives = Objectives(disguise=share, flip_dst=False, **more)
    return Sampler(src=two[0], dst=two[1], resolution=64, batch=6, seed=3, augment=STILL, objectives=objectives)


def test_what_is_to_be_drawn_is_never_in_disguise(two):
    plain, hidden = sampler(two, 0.0).batch_at(2), sampler(two, 1.0).batch_at(2)
    for name in ("target", "mask"):
        np.testing.assert_array_equal(getattr(hidden, name), getattr(plain, name))
    assert (hidden.warped != plain.warped).any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(plain.warped, plain.target)


def test_the_share_is_what_was_asked_for_of_either_person(two):
    halves = [sampler(two, 0.3).batch_at(step) for step in range(40)]
    hidden = np.stack([(raw.warped != raw.target).any(axis=(1, 2, 3)) for raw in halves])
    for part in (hidden[:, :6], hidden[:, 6:]):
        assert part.mean() == pytest.approx(0.3, abs=0.1)


def test_without_it_samples_are_what_they_were(two):
    """Runs of before go on with the very batches that they would have had."""
    bent = replace(sampler(two, 0.0), augment=AugmentSettings())
    bare = replace(bent, src=TrainingFaces(two[0].pixels), dst=TrainingFaces(two[1].pixels))
    np.testing.assert_array_equal(bent.batch_at(5).warped, bare.batch_at(5).warped)


def test_faces_of_the_original_know_no_disguise(two):
    exact = sampler(two, 1.0, dfl_exact=True)
    np.testing.assert_array_equal(exact.batch_at(1).warped, sampler(two, 0.0, dfl_exact=True).batch_at(1).warped)
    assert exact.objectives.idle() == ["--disguise"]
    assert Objectives(disguise=0.5, pretrain=True).in_force().disguise == 0
    assert Objectives(disguise=0.5, dfl_exact=True).in_force() == Objectives(dfl_exact=True)  # so `set` refuses it
    with pytest.raises(ConfigError, match=r"disguise is 1\.5; allowed: 0 to 1"):
        Objectives(disguise=1.5)


def test_the_light_of_a_face_is_its_own(two, wardrobe):
    dark = (two[0].pixels[4, ..., :3] * 0.4).astype(np.uint8)
    nose = two[0].landmarks[4][30].astype(int)
    window = np.s_[nose[1] - 8 : nose[1] + 8, nose[0] - 8 : nose[0] + 8]
    seen = wardrobe.disguised(0, 4, dark, np.random.RandomState(2))
    assert cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY)[window].mean() < 0.75 * two[1].pixels[4, ..., :3][window].mean()
