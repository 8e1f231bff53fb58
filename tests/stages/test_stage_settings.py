"""Settings that make no sense are refused in one form of words."""

import math
from fractions import Fraction
from pathlib import Path

import pytest

from konterfei.errors import ConfigError
from konterfei.io.run import Run
from konterfei.reporting import Silent
from konterfei.stages import _train_base
from konterfei.stages import demo as stage
from konterfei.stages._evaluate_settings import reports_for
from konterfei.stages._settings import allow, is_in_time, parse_frames, parse_range, report_beside, shown_frames
from konterfei.stages.demo import DemoConfig
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


@pytest.fixture
def swaps(tmp_path, monkeypatch):
    """Runs the demo up to the swap, and gives what that is asked for."""
    monkeypatch.setattr("konterfei.performers.render_performer", lambda config, reporter: config.output)
    monkeypatch.setattr(stage, "swap", lambda config, reporter: config)
    return lambda **given: stage.demo(DemoConfig(output=tmp_path, **given), Silent())


def test_a_demo_begins_with_the_base_that_it_is_told(swaps):
    assert [swaps(base=base).base for base in ("default", "none", "mine")] == ["default", "none", "mine"]


def test_a_demo_trains_shorter_with_a_base(swaps, monkeypatch):
    for carried, minutes in (({}, 30), ({"quick": None}, 5)):
        monkeypatch.setattr(_train_base, "BASES", carried)
        assert (swaps().preset, swaps().train_minutes) == ("quick", minutes)
        assert [swaps(base=base).train_minutes for base in ("none", "mine")] == [30, 5]
        assert swaps(minutes=2.5).train_minutes == 2.5


@pytest.mark.parametrize(("began", "minutes"), [({}, 30), ({"base": {"name": "quick"}}, 5)], ids=["scratch", "base"])
def test_a_demo_that_has_begun_goes_on_as_long_as_it_was_to(swaps, monkeypatch, began, minutes):
    """Whatever is carried for new runs by now."""
    run = Run.create(swaps().layout.run, began)
    for carried in ({}, {"quick": None}):
        monkeypatch.setattr(_train_base, "BASES", carried)
        assert swaps().train_minutes == (5 if carried else 30)  # nothing is learned yet
    (run.folder / "snapshots" / "00000007.safetensors").touch()
    assert not run.is_untrained
    for carried in ({}, {"quick": None}):
        monkeypatch.setattr(_train_base, "BASES", carried)
        assert swaps().train_minutes == minutes


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
    measured = reports_for([Path(result)], None)
    swapped = SwapConfig(src=Path("a.mp4"), dst=Path("b.mp4"), output=Path(result), consent=Path("c.toml"))
    assert measured.pictures == (swapped.layout.report,) == (Path(report),)
    assert measured.figures == (Path(report).with_suffix(".json"),)
    assert measured.page == Path(report).with_suffix(".html")


def test_pictures_of_the_folder_that_one_is_in_have_their_report_beside_it(tmp_path, monkeypatch):
    (tmp_path / "shot").mkdir()
    monkeypatch.chdir(tmp_path / "shot")
    for result in (".", "%06d.png"):
        assert report_beside(Path(result)) == tmp_path / "shot.report.jpg"


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        (None, (0, None)),
        ("250:500", (250, 500)),
        ("250:", (250, None)),
        (" :500", (0, 500)),
        ("12s:30.5s", (300, 763)),
        ("2s:", (50, None)),
        ("00:01:05-00:01:20", (1625, 2000)),
        ("1:05-1:20.5", (1625, 2013)),
        ("1:00:00-", (90000, None)),
        ("0:01-3s", (25, 75)),
    ],
)
def test_ranges_in_frames_in_seconds_and_by_the_clock(text, frames):
    assert parse_range(text, Fraction(25)) == frames
    assert is_in_time(text) == (text is not None and text.strip("0123456789: ") != "")


def test_a_time_means_the_first_frame_that_is_shown_at_it_or_later():
    assert parse_range("1s:2s", Fraction(30000, 1001)) == (30, 60)  # frame 29 is shown at 0.968 s, 30 at 1.001 s


@pytest.mark.parametrize("text", ["", ":", "-", "a:b", "5:5", "9:3", "1:2:3", "10-20", "1-2-3", "12:s", "3s:2s", "-5"])
def test_ranges_that_are_none_are_refused(text):
    with pytest.raises(ConfigError, match="--range is"):
        parse_range(text)


def test_lists_of_frames_there_and_back():
    assert parse_frames("--redo", "9, 3:6") == (3, 4, 5, 9)
    assert shown_frames([9, 5, 4, 3]) == "3:6,9" and shown_frames([]) == ""
    assert shown_frames([0, 3, 6, 12], step=3) == "0:7,12"
    for text in ("", "a", "5:5", "1,,2", "-3"):
        with pytest.raises(ConfigError, match="--redo is"):
            parse_frames("--redo", text)
