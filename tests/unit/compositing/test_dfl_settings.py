import pytest

from konterfei.compositing import DflSettings, MergeSettings
from konterfei.errors import ConfigError, UnknownNameError


def test_what_is_not_named_has_deepfacelabs_defaults():
    assert DflSettings.parse("defaults") == DflSettings.parse("") == DflSettings()
    defaults = DflSettings()
    assert (defaults.mode, defaults.mask_mode, defaults.color_transfer_mode) == ("overlay", 4, "rct")
    assert (defaults.hist_match_threshold, defaults.masked_hist_match, defaults.sharpen_mode) == (238, True, "none")


def test_names_and_numbers_of_its_own_are_understood():
    line = "mode=seamless, mask_mode=learned-prd*learned-dst, erode_mask_modifier=-20, masked_hist_match=no"
    read = DflSettings.parse(line)
    assert (read.mode, read.mask_mode, read.erode_mask_modifier, read.masked_hist_match) == ("seamless", 4, -20, False)
    assert DflSettings.parse("mode=3, color_transfer_mode=8, sharpen_mode=2") == DflSettings(
        mode="seamless", color_transfer_mode="mix-m", sharpen_mode="gaussian"
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mode", "name=value"),
        ("erode_mask_modifier=401", "-400 to 400"),
        ("erode_mask_modifier=1.5", "whole number"),
        ("mask_mode=10", "0 to 9"),
        ("super_resolution_power=10", "enhancer"),
        ("masked_hist_match=maybe", "yes or no"),
    ],
)
def test_nonsense_is_refused_by_name(line, words):
    with pytest.raises(ConfigError, match=words) as error:
        MergeSettings(dfl_exact=line)
    assert "--dfl-exact" in str(error.value)


@pytest.mark.parametrize(
    ("line", "nearest"), [("mood=seamless", "mode"), ("mode=seamles", "seamless"), ("mode=7", "mode")]
)
def test_unknown_names_give_the_nearest(line, nearest):
    with pytest.raises(UnknownNameError, match=nearest):
        MergeSettings(dfl_exact=line)


def test_what_it_needs_is_known():
    assert not MergeSettings(dfl_exact="mask_mode=5").needs_segmenter
    assert MergeSettings(dfl_exact="mask_mode=6").needs_segmenter
    assert not MergeSettings(dfl_exact="mask_mode=4", mask="xseg").needs_segmenter  # --mask is then not used
    assert MergeSettings(dfl_exact="motion_blur_power=1").needs_motion and not MergeSettings(dfl_exact="").needs_motion
    assert MergeSettings(dfl_exact="mode=raw-predict").is_square and MergeSettings(dfl_exact="mode=0").is_original
