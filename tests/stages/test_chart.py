"""The chart: one picture of one or several runs."""

import numpy as np
import pytest

from konterfei.errors import ConfigError, StoreError
from konterfei.io.images import read_image
from konterfei.io.run import Run
from konterfei.reporting import Recorder
from konterfei.stages.chart import ChartConfig, chart


def make_run(folder, count=30, level=2.0):
    run = Run.create(folder, {"model": "df"})
    for i in range(1, count + 1):
        run.log({"step": 20 * i, "trained_s": 2.0 * i, "src": level / i, "dst": level, "it/s": 9.0, "rate": 1e-3})
    return folder


def test_a_run_is_drawn_and_its_last_figures_are_told(tmp_path):
    run = make_run(tmp_path / "run")
    result = chart(ChartConfig(runs=(run,), output=tmp_path / "a" / "losses.png"), Recorder())
    assert read_image(result.picture).shape == (900, 1300, 3)
    assert result.summary() == [f"chart  {result.picture}", "  run  step 600, 1.0 min: src 0.06667, dst 2"]
    assert list(result.picture.parent.iterdir()) == [result.picture]


def test_several_runs_are_compared_under_names_that_tell_them_apart(tmp_path):
    runs = [make_run(tmp_path / "one" / "run"), make_run(tmp_path / "two" / "run", level=3.0)]
    both = chart(ChartConfig(runs=tuple(runs), output=tmp_path / "both.png"), Recorder())
    assert list(both.runs) == ["one/run", "two/run"]
    chart(ChartConfig(runs=(runs[0],), output=tmp_path / "one.png"), Recorder())
    assert (read_image(tmp_path / "both.png") != read_image(tmp_path / "one.png")).any()


def test_the_same_figures_give_the_same_picture(tmp_path):
    run = make_run(tmp_path / "run")
    for name in ("a.png", "b.png"):
        chart(ChartConfig(runs=(run,), output=tmp_path / name), Recorder())
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), read_image(tmp_path / "b.png"))


def test_what_cannot_be_drawn_is_said(tmp_path):
    with pytest.raises(StoreError, match="holds no run"):
        chart(ChartConfig(runs=(tmp_path / "nothing",), output=tmp_path / "a.png"), Recorder())
    Run.create(tmp_path / "new", {"model": "df"})
    with pytest.raises(ConfigError, match="has no figures yet"):
        chart(ChartConfig(runs=(tmp_path / "new",), output=tmp_path / "a.png"), Recorder())
    with pytest.raises(ConfigError, match="named twice"):
        chart(
            ChartConfig(runs=(tmp_path / "new", tmp_path / "x" / ".." / "new"), output=tmp_path / "a.png"), Recorder()
        )
    with pytest.raises(ConfigError, match="--output"):
        ChartConfig(runs=(tmp_path,), output=tmp_path / "a.pdf")
    with pytest.raises(ConfigError, match="at least one run"):
        ChartConfig(runs=(), output=tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()
