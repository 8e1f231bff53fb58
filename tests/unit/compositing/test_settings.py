import pytest

from konterfei.compositing import MergeSettings
from konterfei.errors import ConfigError, UnknownNameError


@pytest.mark.parametrize(
    "settings,flag",
    [({"erode": 0.6}, "--erode"), ({"feather": -0.1}, "--feather"), ({"face_scale": 0.0}, "--face-scale"),
     ({"sharpen": float("nan")}, "--sharpen"), ({"color_smoothing": -1}, "--color-smoothing")],
)  # fmt: skip
def test_nonsense_is_refused_by_name(settings, flag):
    with pytest.raises(ConfigError, match=flag):
        MergeSettings(**settings)


def test_unknown_names_give_the_nearest():
    with pytest.raises(UnknownNameError, match="learned_hull"):
        MergeSettings(mask="learned_hul")
    with pytest.raises(UnknownNameError, match="rct"):
        MergeSettings(color="rtc")
    with pytest.raises(UnknownNameError, match="multiband"):
        MergeSettings(mode="multi")
    with pytest.raises(UnknownNameError, match="gaussian"):
        MergeSettings(sharpen_mode="gauss")  # type: ignore[arg-type]
