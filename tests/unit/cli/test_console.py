from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from konterfei.cli.console import ConsoleReporter
from konterfei.cli.pace import Pace, clock


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def reporter(terminal: bool = False) -> tuple[ConsoleReporter, Clock, io.StringIO]:
    ticking, out = Clock(), io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=160, color_system=None, highlight=False)
    return ConsoleReporter(console, ticking), ticking, out


def run(told: ConsoleReporter, ticking: Clock, items: int, seconds_each: float) -> None:
    told.start("finding faces", items)
    for done in range(1, items + 1):
        ticking.now += seconds_each
        told.advance(done, loss=0.123456)
    told.finish()


def test_without_a_terminal_a_line_comes_about_every_ten_seconds():
    told, ticking, out = reporter()
    run(told, ticking, items=60, seconds_each=0.5)  # 30 s in all
    lines = out.getvalue().splitlines()
    assert len(lines) == 4  # at 2, 12 and 22 s, and the last word
    assert lines[1] == "finding faces: 24/60 frames  40%  2 frames/s  0:12  0:18 to go  loss 0.1235"
    assert lines[-1] == "finding faces: 60 frames in 0:30"
    assert "\x1b" not in out.getvalue()


def test_what_takes_under_two_seconds_says_nothing():
    told, ticking, out = reporter()
    run(told, ticking, items=10, seconds_each=0.1)
    assert out.getvalue() == ""


def test_on_a_terminal_a_bar_is_drawn_and_taken_away():
    told, ticking, out = reporter(terminal=True)
    with told:
        run(told, ticking, items=60, seconds_each=0.5)
    assert "finding faces" in out.getvalue()
    assert "to go" in out.getvalue()
    assert out.getvalue().splitlines()[-1].endswith("finding faces: 60 frames in 0:30")


def test_an_unknown_total_promises_no_end():
    told, ticking, out = reporter()
    told.start("reading", None)
    for done in (1, 2, 3):
        ticking.now += 2
        told.advance(done)
    assert out.getvalue() == "reading: 1 frames  0:02\n"


def test_a_task_of_given_length_counts_in_minutes():
    told, ticking, out = reporter()
    told.start("training", 600, "s")
    for second in range(0, 14, 2):
        ticking.now = float(second)
        told.advance(100 + second, loss=1.5)
    told.finish()
    assert out.getvalue().splitlines()[1] == "training: 1:52 of 10:00  19%  8:08 to go  loss 1.5"
    assert out.getvalue().splitlines()[-1] == "training: 1:52"


def test_notes_and_warnings_are_whole_lines_whatever_they_hold():
    told, _, out = reporter()
    told.note("[bold]not markup[/bold] " + "x" * 300)
    told.warn("careful")
    assert out.getvalue().splitlines() == ["[bold]not markup[/bold] " + "x" * 300, "warning: careful"]


def test_names_of_strangers_files_command_no_terminal():
    told, _, out = reporter()
    told.note("a\x1b[2Jb\udcff\x9b.jpg is damaged")
    assert out.getvalue().splitlines() == ["a?[2Jb??.jpg is damaged"]


def test_a_preview_that_is_overwritten_is_named_once():
    told, _, out = reporter()
    told.preview(Path("run/previews/now.jpg"))
    told.preview(Path("run/previews/now.jpg"))
    assert out.getvalue().count("now.jpg") == 1


def test_a_wish_to_stop_is_heard_once_and_a_second_unheard_one_is_refused():
    told, _, _ = reporter()
    assert not told.take_stop()
    assert told.ask_to_stop()
    assert not told.ask_to_stop()
    assert told.take_stop()
    assert not told.take_stop()
    assert told.ask_to_stop()


def test_a_resumed_task_is_not_credited_with_what_was_there():
    pace = Pace(1000, now=0.0)
    for second in range(1, 11):
        pace.update(500 + 10 * second, float(second))
    assert pace.rate == pytest.approx(10)
    assert pace.remaining_s == pytest.approx(40)


def test_speed_follows_a_change():
    pace = Pace(None, now=0.0)
    done = 0
    for second in range(200):
        done += 10 if second < 100 else 1
        pace.update(done, float(second))
    assert pace.rate == pytest.approx(1)
    assert pace.remaining_s is None


@pytest.mark.parametrize(("seconds", "read"), [(6.6, "0:07"), (750, "12:30"), (3723, "1:02:03"), (59.7, "1:00")])
def test_clock(seconds: float, read: str):
    assert clock(seconds) == read
