"""Sparklines, arrows, and the lines below the bar."""

import io
import re

import pytest
from rich.console import Console

from konterfei.cli.console import ConsoleReporter
from konterfei.cli.live import Trends, direction, sparkline
from konterfei.reporting import Course


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8], "▁▂▃▄▅▆▇█"),
        ([8, 1], "█▁"),
        ([3, 3, 3], "▁▁▁"),
        ([float(i) for i in range(160)], "▁▁▂▂▃▃▄▄▅▅▆▆▇▇██"),
    ],
)
def test_a_sparkline_goes_from_the_lowest_to_the_highest(values, line):
    assert sparkline(values) == line


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([4.0, 3.0, 2.0, 1.0], "falling"),
        ([1.0] * 12 + [1.2] * 4, "rising"),
        ([9.0, 1.0, *[0.5] * 30], "steady"),
        ([1.0, 1.005], "steady"),
    ],
)
def test_the_arrow_says_where_it_goes_now(values, word):
    assert direction(values) == word


def test_only_a_course_has_a_trend_and_one_shown_twice_counts_once():
    trends = Trends()
    first, second = Course(2.0), Course(1.0)
    for value in (first, first, first, second, second):
        trends.update({"loss": value, "it/s": 7.0, "memory": "1 GB"})
    assert trends.of("loss") == " █▁ ↓"
    assert trends.of("it/s") == trends.of("memory") == ""


def test_a_long_course_stays_small():
    trends = Trends()
    for i in range(20_000):
        trends.update({"loss": Course(20_000 - i)})
    assert len(trends._values["loss"]) <= 4096
    assert trends.of("loss") == " ██▇▇▆▆▅▅▄▄▃▃▂▂▁▁ ↓"


class Keyboard:
    def __init__(self):
        self.press, self.stops = None, 0

    def start(self, keys, heard):
        self.press = heard

    def stop(self):
        self.press, self.stops = None, self.stops + 1


def shown(width, figures, keyboard=None):
    """What a terminal shows of a training after three reports."""
    out, clock = io.StringIO(), [0.0]
    console = Console(file=out, force_terminal=True, width=width, color_system=None, highlight=False)
    told = ConsoleReporter(console, lambda: clock[0], keyboard)
    with told:
        told.listen({"s": "save", "q": "stop", "\n": "stop"})
        told.start("training", 1000, "steps")
        for step in (20, 40, 60):
            clock[0] += 3
            told.advance(step, src=Course(1 / step), dst=Course(step), **figures)
        told._bar._bar.refresh()  # it draws itself ten times a second
        text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out.getvalue())
    return [line.rstrip() for line in text.replace("\r", "\n").splitlines()]


MANY = {"it/s": 7.0, "images/s": 56, "rate": "0.001 steady", "memory": "1.2 GB", "saved": "12 s ago"}


def test_many_figures_stand_below_the_bar_each_line_within_the_terminal():
    lines = shown(80, MANY)
    assert any(line.startswith("training ") and line.endswith("6%  6.67 steps/s  2:21 to go") for line in lines)
    (place, *_) = [i for i, line in enumerate(lines) if line.startswith("  src 0.01667")]
    assert lines[place] == "  src 0.01667 █▃▁ ↓   dst 60 ▁▅█ ↑   it/s 7   images/s 56   rate 0.001 steady"
    assert lines[place + 1] == "  memory 1.2 GB   saved 12 s ago"
    assert max(map(len, lines)) <= 80


def test_few_figures_stand_beside_the_bar():
    assert any("to go  src 0.01667 █▃▁ ↓  dst 60 ▁▅█ ↑" in line for line in shown(160, {}))


def test_keys_are_named_where_they_can_be_pressed():
    assert "  keys:  s save   q/Enter stop" in shown(100, MANY, Keyboard())
    assert not [line for line in shown(100, MANY) if "keys:" in line]


def test_wishes_are_taken_in_order_and_forgotten_with_the_work():
    keyboard = Keyboard()
    told = ConsoleReporter(Console(file=io.StringIO()), keyboard=keyboard)
    assert told.take_wish() is None
    told.listen({"s": "save", "q": "stop"})
    for key in "sqs":
        keyboard.press(key)
    assert [told.take_wish(), told.take_wish()] == ["save", "stop"]
    told.listen({})
    assert told.take_wish() is None
    assert keyboard.press is None


def test_without_a_terminal_the_line_has_no_sparklines():
    out, clock = io.StringIO(), [0.0]
    told = ConsoleReporter(Console(file=out, width=80), lambda: clock[0])
    told.start("training", 1000, "steps")
    for step in (20, 40):
        clock[0] += 3
        told.advance(step, src=Course(1 / step), memory="1 GB")
    assert out.getvalue() == "training: 20/1000 steps  2%  0:03  src 0.05  memory 1 GB\n"
