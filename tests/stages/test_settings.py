"""Settings that make no sense are refused in one form of words."""

import math

import pytest

from konterfei.errors import ConfigError
from konterfei.stages._settings import allow
from konterfei.stages.demo import DemoConfig


def test_a_refusal_names_flag_value_and_what_is_allowed():
    allow("--size", 64, True, "32 to 2048")
    with pytest.raises(ConfigError, match=r"^--size is 8; allowed: 32 to 2048\.$") as caught:
        allow("--size", 8, False, "32 to 2048")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("minutes", [0.0, -1.0, math.nan, math.inf])
def test_a_demo_takes_time_and_ends(minutes):
    with pytest.raises(ConfigError, match=r"--minutes is .*; allowed: a number above 0"):
        DemoConfig(minutes=minutes)
