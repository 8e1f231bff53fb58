"""Nonsense is refused by the flag's name; pretraining fixes what it fixes; settings without effect are named."""

from dataclasses import fields, replace

import pytest

from konterfei.errors import ConfigError, UnknownNameError
from konterfei.stages._train_settings import TrainConfig, resolved
from konterfei.training.objectives import Objectives
from konterfei.training.presets import PRESETS

GIVEN = {"src": "a", "dst": "b", "output": "c"}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"gan_power": 6}, "--gan-power is 6; allowed: 0 to 5"),
        ({"gan_patch_size": 2}, "--gan-patch-size is 2; allowed: 3 to 640"),
        ({"hsv_power": 0.5}, "--hsv-power is 0.5; allowed: 0 to 0.3"),
        ({"true_face_power": float("nan")}, "--true-face-power is nan"),
        ({"face_style_power": -1}, "--face-style-power is -1"),
        ({"identity_power": 101}, "--identity-power is 101; allowed: 0 to 100"),
    ],
)
def test_nonsense_is_refused_by_name(setting, said):
    with pytest.raises(ConfigError, match=said):
        Objectives(**setting)
    with pytest.raises(ConfigError, match=said):
        TrainConfig(**GIVEN, **setting)


def test_unknown_words_are_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="mkl"):
        Objectives(color_transfer="mk")
    with pytest.raises(UnknownNameError, match="cpu"):
        Objectives(lr_dropout="gpu")


def test_defaults_are_the_original_ones_and_those_of_every_preset():
    """7.3."""
    plain = Objectives()
    assert plain.masked_training and plain.random_warp and plain.flip_dst and not plain.flip_src
    off = {f.name for f in fields(plain) if not getattr(plain, f.name) or getattr(plain, f.name) in ("no", "none")}
    assert off == {f.name for f in fields(plain)} - {"masked_training", "random_warp", "flip_dst", "gan_dims"}
    assert all(replace(preset.objectives, disguise=0.0) == plain for preset in PRESETS.values())  # which it has not


def test_every_objective_has_a_flag_that_reaches_it():
    values = {
        **{f.name: not f.default for f in fields(Objectives) if isinstance(f.default, bool)},
        **{f.name: 0.25 for f in fields(Objectives) if isinstance(f.default, float)},
        "gan_patch_size": 9,
        "gan_dims": 5,
        "color_transfer": "sot",
        "lr_dropout": "cpu",
    }
    assert set(values) == {f.name for f in fields(Objectives)}
    for name, value in values.items():
        config = TrainConfig(**GIVEN, preset="standard", **{name: value})
        assert resolved(config).objectives == Objectives(**{name: value})
    assert resolved(TrainConfig(**GIVEN, optimizer="rmsprop")).optimizer == "rmsprop"


def test_pretraining_fixes_what_the_original_fixes():
    """7.11."""
    wished = Objectives(
        pretrain=True,
        gan_power=1,
        hsv_power=0.1,
        face_style_power=5,
        identity_power=1,
        perceptual_power=1,
        lr_dropout="yes",
        eyes_mouth=True,
        clip_grad=True,
    )
    real = wished.in_force()
    assert real == Objectives(
        pretrain=True,
        random_warp=False,
        flip_src=True,
        uniform_yaw=True,
        eyes_mouth=True,
        clip_grad=True,
    )
    assert Objectives(gan_power=1).in_force() == Objectives(gan_power=1)
    judged = {"pretrain": True, "true_face_power": 0.5}
    assert Objectives(**judged).in_force().true_face_power == 0
    assert Objectives(**judged, dfl_exact=True).in_force().true_face_power == 0.5  # 7.8.5 [Q]


def test_settings_without_effect_are_named():
    assert Objectives(gan_power=1, gan_dims=8).idle() == []
    assert Objectives(gan_dims=8, gan_patch_size=9).idle() == ["--gan-patch-size", "--gan-dims"]
    assert Objectives(pretrain=True, hsv_power=0.1, flip_src=True).idle() == ["--hsv-power"]
