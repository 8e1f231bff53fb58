"""The truth as it is kept beside a clip, and the masks that are made from it."""

import dataclasses

import av
import cv2
import numpy as np
import pytest

from konterfei.errors import ConfigError, UnknownNameError
from konterfei.io.video import VideoReader
from konterfei.performers import PerformerConfig, cover_mask, face_mask, read_truth, render_performer
from konterfei.performers.light import Light
from konterfei.performers.shots import View
from konterfei.performers.take import Take
from konterfei.performers.truth import COVER_SIDE, packed_cover, truth_path
from konterfei.reporting import Recorder, Silent

SETTINGS = {
    "person": "P006", "seconds": 0.12, "size": 96, "seed": 3, "light": "passing", "camera": "handheld",
    "occluder": "glasses", "background": "moving", "partner": "P005", "style": "expressions", "wide": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def two(people, tmp_path_factory):
    """A clip with two performers and everything that can be set, and its settings."""
    config = PerformerConfig(output=tmp_path_factory.mktemp("two") / "two.mp4", **SETTINGS)
    return render_performer(config, Silent()), config


def test_everything_that_was_true_is_read_again(two):
    clip, config = two
    truth, take = read_truth(clip), Take(config)
    for index in range(3):
        image, shots = take.frame(index, index / 25)
        for kept, shot in zip((truth, truth.partner), shots, strict=True):
            assert kept is not None and kept.side == 96
            for name in ("landmarks", "iris", "mesh", "visible"):
                assert np.array_equal(getattr(kept, name)[index], getattr(shot, name)), name
            assert np.array_equal(kept.heads[index], shot.head) and np.array_equal(kept.covers[index], shot.cover)
            assert (kept.poses[index], kept.views[index], kept.lights[index]) == (shot.pose, shot.view, shot.light)
    assert truth.partner is not None and truth.partner.partner is None
    with VideoReader(clip) as frames:
        shown = [frame.image for frame in frames]
    assert np.abs(shown[2].astype(int) - image).mean() < 4


def test_the_same_again_renders_nothing_and_another_setting_is_said(two):
    clip, config = two
    reporter = Recorder()
    render_performer(config, reporter)
    assert reporter.tasks == [] and "already" in reporter.notes[0]
    reporter = Recorder()
    other = dataclasses.replace(config, output=clip.with_name("b.mp4"), seconds=0.04, camera="still")
    render_performer(other, Silent())
    render_performer(dataclasses.replace(other, light="screen"), reporter)
    assert "light is screen, was passing" in reporter.notes[0]


def test_both_voices_are_heard(people, tmp_path):
    def sound(name, **changes):
        settings = {"person": "P006", "seconds": 1.2, "fps": 2, "size": 64, **changes}
        clip = render_performer(PerformerConfig(output=tmp_path / name, **settings), Silent())
        with av.open(str(clip)) as container:
            return np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])

    alone, both = sound("a.mp4"), sound("b.mp4", partner="P005")
    assert both.std() > 1.1 * alone.std() and np.abs(both).max() < 0.5


def test_truth_of_an_older_version_is_read(two, tmp_path):
    with np.load(truth_path(two[0])) as data:
        names = ("landmarks", "iris", "mesh", "times", "poses", "pose_names")
        np.savez(truth_path(tmp_path / "old.mp4"), **{name: data[name] for name in names})
    new, old = read_truth(two[0]), read_truth(tmp_path / "old.mp4")
    assert np.array_equal(old.mesh, new.mesh) and old.poses == new.poses and old.partner is None
    assert old.views == (View(),) * 3 and old.lights == (Light(),) * 3 and old.visible.all()
    assert np.array_equal(old.heads[:, 0], new.heads[:, 0]) and np.isnan(old.heads[:, 4:]).all()
    assert not cover_mask(old, 0, 96).any()
    assert np.array_equal(face_mask(old, 1, 96), face_mask(new, 1, 96))


def test_the_face_is_where_the_skin_is(clips):
    truth = read_truth(clips["P006"])
    mask = face_mask(truth, 3, 160)
    nose, brow = np.round(truth.landmarks[3][[30, 21]]).astype(int)
    assert mask[nose[1], nose[0]] and mask[brow[1], brow[0]] and not mask[2, 2] and not mask[150, 80]
    inner = np.zeros((160, 160), np.uint8)
    cv2.fillConvexPoly(inner, cv2.convexHull(np.round(truth.landmarks[3]).astype(np.int32)), 1)
    assert (mask & (inner > 0)).sum() > 0.97 * inner.sum(), "it holds all of the 68 points"
    assert 1.0 < mask.sum() / inner.sum() < 1.5, "and the forehead"
    small = face_mask(truth, 3, 80)
    assert abs(small.mean() / mask.mean() - 1) < 0.05


def test_what_is_covered_can_be_left_out_of_the_face(two):
    truth = read_truth(two[0])
    covered = cover_mask(truth, 1, 96)
    assert covered.any() and (face_mask(truth, 1, 96) & covered).any()
    assert not (face_mask(truth, 1, 96, visible=True) & covered).any()


@pytest.mark.parametrize("side", [64, 100, 300])
def test_a_cover_is_kept_as_it_was_or_a_little_smaller(side, two):
    y, x = np.mgrid[0:side, 0:side] / side
    alpha = (np.hypot(x - 0.4, y - 0.6) < 0.25).astype(np.float32)
    packed = packed_cover(alpha)
    assert packed.shape[0] == min(side, COVER_SIDE) and packed.nbytes <= side * side / 8 + side
    truth = dataclasses.replace(read_truth(two[0]), covers=packed[None], side=side)
    again = cover_mask(truth, 0, side)
    assert np.mean(again != (alpha > 0.5)) < (0.02 if side > COVER_SIDE else 1e-9)


@pytest.mark.parametrize(
    ("setting", "value", "error"),
    [
        ("shutter", 1.5, "--shutter"), ("shutter", float("nan"), "--shutter"), ("crossing", True, "--partner"),
        ("background", "alive", "--background"), ("style", "sings", "--style"), ("light", "dark", "passing"),
        ("occluder", "handy", "hand"), ("camera", "crane", "pan"), ("set_of", "P05", "P005"), ("partner", "P5", "P005"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_with_what_is_allowed(setting, value, error, tmp_path):
    with pytest.raises((ConfigError, UnknownNameError), match=error):
        PerformerConfig(**{"person": "P006", "output": tmp_path / "a.mp4", setting: value})
