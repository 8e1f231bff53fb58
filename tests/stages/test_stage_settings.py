"""Settings that make no sense are refused in one form of words."""

import math
from pathlib import Path

import pytest

from konterfei.errors import ConfigError
from konterfei.stages._settings import allow, report_beside
from konterfei.stages.demo import DemoConfig
from konterfei.stages.evaluate import EvaluateConfig
from konterfei.stages.swap import SwapConfig


def test_a_refusal_names_flag_value_and_what_is_allowed():
    allow("--size", 64, True, "32 to 2048")
    with pytest.raises(ConfigError, match=r"^--size is 8; allowed: 32 to 2048\.$") as caught:
        allow("--size", 8, False, "32 to 2048")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("minutes", [0.0, -1.0, math.nan, math.inf])
def test_a_demo_takes_time_and_ends(minutes):
    with pytest.raises(ConfigError, match=r"--minutes is .*; allowed: a number above 0"):
        DemoConfig(minutes=minutes)


@pytest.mark.parametrize(
    ("result", "report"),
    [
        ("film/out.mp4", "film/out.report.jpg"),
        ("out.mov", "out.report.jpg"),
        ("film/shot", "film/shot.report.jpg"),
        ("film/shot/shot.%06d.png", "film/shot.report.jpg"),
    ],
)
def test_swap_and_evaluate_put_the_report_at_the_same_place(result, report):
    measured = EvaluateConfig(video=Path(result), faces=Path("dst"), src=Path("src"))
    swapped = SwapConfig(src=Path("a.mp4"), dst=Path("b.mp4"), output=Path(result), consent=Path("c.toml"))
    assert measured.picture == swapped.layout.report == Path(report)
    assert measured.report == Path(report).with_suffix(".json")


def test_pictures_of_the_folder_that_one_is_in_have_their_report_beside_it(tmp_path, monkeypatch):
    (tmp_path / "shot").mkdir()
    monkeypatch.chdir(tmp_path / "shot")
    for result in (".", "%06d.png"):
        assert report_beside(Path(result)) == tmp_path / "shot.report.jpg"
