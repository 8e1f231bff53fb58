"""Time to quality: when an arm is as good as scratch, what a ratio is, whom a swap is like, what is asked for."""

import importlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from konterfei.errors import ConfigError, DamagedFileError
from konterfei.stages._pretrain_settings import PretrainConfig, resolved
from konterfei.training.presets import PRESETS

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return lambda part="": importlib.import_module(f"time_to_quality{part and '_' + part}")


@pytest.fixture
def bench(module):
    return module()


@pytest.fixture
def told(module):
    return module("report")


# --- times and ratios


@pytest.mark.parametrize(
    ("points", "target", "is_high", "expected"),
    [
        ([(0.0, 0.1), (10.0, 0.3), (20.0, 0.5)], 0.4, True, 15.0),
        ([(0.0, 0.9), (10.0, 0.5), (20.0, 0.4)], 0.7, False, 5.0),
        ([(0.0, 0.1), (10.0, 0.5), (20.0, 0.2), (30.0, 0.6)], 0.5, True, 10.0),
        ([(0.0, 0.1), (10.0, 0.3)], 0.4, True, None),
        ([(0.01, 0.5), (0.5, 0.6)], 0.4, True, 0.5),
        ([(5.0, 0.5), (7.5, 0.6)], 0.4, True, 5.0),
        ([], 0.4, True, None),
    ],
)
def test_a_target_is_reached_between_two_marks_the_first_time(told, points, target, is_high, expected):
    assert told.reached(points, target, is_high) == (expected if expected is None else pytest.approx(expected))


def course(told, arm, totals, pair="one", seed=1, end=60.0, pace=100, **figures):
    """A training with such scores at minutes 0, 20, 40 ..."""
    lines = [
        {"minutes": 20.0 * k, "mark": 20.0 * k, "steps": 1 + pace * k}
        | {"figures": {"total": total, "identity": 0.6, "leftover": 0.1} | {n: v[k] for n, v in figures.items()}}
        for k, total in enumerate(totals)
    ]
    return told.Course(pair, arm, seed, end, lines, [Path()] * len(lines))


def test_the_ratio_is_of_the_times_at_which_both_have_the_final_score_of_scratch(told):
    scratch, base = course(told, "none", [0.2, 0.4, 0.5, 0.6]), course(told, "base", [0.4, 0.8, 0.8, 0.7])
    found = told.compare(scratch, base)["total"]
    assert (found["minutes_scratch"], found["minutes_arm"]) == (60.0, 10.0)
    assert found["ratio"] == pytest.approx(1 / 6, abs=1e-4)
    assert (found["scratch"], found["arm"], found["is_reached"]) == (0.6, 0.7, True)


def test_steps_tell_the_same_where_minutes_of_a_busy_machine_do_not(told):
    scratch = course(told, "none", [0.2, 0.4, 0.5, 0.6], pace=50)
    found = told.compare(scratch, course(told, "base", [0.4, 0.8, 0.8, 0.7], pace=100))["total"]
    assert found["ratio"] == pytest.approx(1 / 6, abs=1e-4)
    assert found["ratio_steps"] == pytest.approx(51 / 151, abs=1e-4)


def test_a_scratch_that_had_its_score_long_before_its_end_makes_the_ratio_larger(told):
    scratch, base = course(told, "none", [0.2, 0.6, 0.5, 0.4]), course(told, "base", [0.3, 0.5, 0.5, 0.5])
    found = told.compare(scratch, base)["total"]
    assert found["ratio"] == pytest.approx(1.0)


def test_what_never_gets_there_counts_as_one_or_more(told):
    scratch = course(told, "none", [0.2, 0.4, 0.5, 0.6])
    found = told.compare(scratch, course(told, "base", [0.4, 0.5, 0.5, 0.5]))["total"]
    assert (found["ratio"], found["minutes_arm"], found["is_reached"]) == (1.0, None, False)
    short = told.compare(scratch, course(told, "base@20", [0.4, 0.5], end=20.0))["total"]
    assert short["ratio"] == 1.0, "a short run that falls short has not shown that it is quick"
    plateau = course(told, "none", [0.2, 0.7, 0.6, 0.6])
    assert told.compare(plateau, course(told, "base", [0.4] * 4))["total"]["ratio"] > 3


def test_what_has_not_come_to_its_end_may_get_there_yet(told):
    scratch = course(told, "none", [0.2, 0.4, 0.5, 0.6])
    rows = told.comparisons([scratch, course(told, "base", [0.4, 0.5])])
    assert rows[0]["figures"]["total"]["ratio"] is None
    assert "| never | not yet | not at the end yet |" in told.score_table(rows)
    assert told.verdicts(rows)[-1] == "base ratio nan"


def test_runs_that_were_told_several_ends_are_compared_by_their_ends(told):
    courses = [
        course(told, "none", [0.2, 0.4, 0.5, 0.6]),
        course(told, "base", [0.3, 0.4, 0.5, 0.8]),
        course(told, "base@20", [0.3, 0.5], end=20.0),
        course(told, "base@40", [0.3, 0.4, 0.7], end=40.0),
        course(told, "base@50", [0.3, 0.4, 0.7], end=50.0),  # has not come to its end
    ]
    (ends,) = told.by_ends(courses)
    assert (ends.arm, ends.points("total")) == ("base@*", [(20.0, 0.5), (40.0, 0.7), (60.0, 0.8)])
    assert told.compare(courses[0], ends)["total"]["ratio"] == pytest.approx(0.5)
    assert told.scratch_of([*courses, ends], ends) is courses[0]
    several = [*courses, course(told, "none@20", [0.2, 0.6], end=20.0)]
    ours, theirs = told.by_ends(several)[::-1]
    assert told.scratch_of([*several, ours, theirs], ours) is theirs
    assert [row["arm"] for row in told.comparisons([ours, theirs])] == ["base@*"]


def test_the_lead_is_when_scratch_has_what_an_arm_has_at_its_marks(told):
    text = told.lead_table([course(told, "none", [0.2, 0.4, 0.5, 0.6]), course(told, "base", [0.3, 0.6, 0.7, 0.6])])
    assert text.splitlines()[-1] == "| one | base | 1 | 10.0 | 60.0 | never | 60.0 |"


def test_marks_that_show_dst_through_a_weak_mask_do_not_count(told):
    scratch = course(
        told, "none", [0.2, 0.4, 0.5, 0.6], expression=[1.0, 0.1, 0.3, 0.5], identity=[0.0, 0.5, 0.6, 0.7],
        leftover=[0.9, 0.1, 0.1, 0.1],
    )  # fmt: skip
    assert scratch.points("expression") == [(20.0, 0.1), (40.0, 0.3), (60.0, 0.5)]
    base = course(told, "base", [0.5, 0.6, 0.6, 0.6], expression=[0.3, 0.7, 0.7, 0.7])
    found = told.compare(scratch, base)["expression"]
    assert (found["minutes_arm"], found["minutes_scratch"]) == (10.0, 60.0)
    assert course(told, "none", [0.2, 0.4], identity=[0.1] * 2, leftover=[0.9] * 2).points("total") == []


def test_the_last_line_is_the_geometric_mean_over_pairs_and_seeds(told):
    courses = [
        course(told, "none", [0.2, 0.4, 0.5, 0.6]),
        course(told, "base", [0.4, 0.8, 0.8, 0.8]),  # 10 of 60
        course(told, "none", [0.2, 0.4, 0.5, 0.6], pair="two"),
        course(told, "base", [0.2, 0.4, 0.6, 0.5], pair="two"),  # 40 of 60
        course(told, "base", [0.9] * 4, pair="two", seed=2),  # its scratch is not there
        course(told, "zeal", [0.2, 0.4, 0.5, 0.5]),
    ]
    rows = told.comparisons(courses)
    assert [(row["pair"], row["arm"]) for row in rows] == [("one", "base"), ("two", "base"), ("one", "zeal")]
    lines = told.verdicts(rows)
    assert lines[-1] == "base ratio 0.33"  # sqrt(1/6 * 2/3)
    assert "zeal ratio 1.00" in lines
    assert lines[-3].startswith("base: 2 comparisons, 0 never") and "1 with a lower final score" in lines[-3]
    assert "| one | base | 1 | 0.600 | 0.800 | 60.0 | 10.0 | 0.17 |" in told.score_table(rows)
    assert "| score | higher | 0.600 | 0.650 | 0.33 | 2 of 2 |" in told.figure_table(rows, "base")


def test_what_is_not_at_its_end_is_named(told):
    rows = told.comparisons([course(told, "none", [0.2, 0.4]), course(told, "base", [0.3, 0.5])])
    assert not rows[0]["is_whole"]
    assert "not at the end yet" in told.score_table(rows)
    assert "1 not at their end yet" in told.verdicts(rows)[0]


def test_nothing_there_is_said_and_no_error(told, tmp_path):
    assert told.report(tmp_path, [], SimpleNamespace()) == "Nothing was scored yet."
    assert told.verdicts([]) == []


# --- people


def unit(*values):
    vector = np.array(values, np.float64)
    return vector / np.linalg.norm(vector)


def test_a_swap_that_has_a_strangers_features_is_seen_beyond_what_src_and_dst_explain(module):
    leak_of = module("leak").leak_of
    src, dst = unit(1, 0, 0, 0), unit(0, 1, 0, 0)
    others = np.stack([unit(0.6, 0, 0, 0.8), unit(0, 0, 1, 0), unit(0.3, 0.3, 0.1, 0.9)])
    clean = leak_of(np.stack([src, src]), src, dst, others)
    assert clean["nearest"] == pytest.approx(0.6) == clean["nearest_of_src"]
    assert clean["beyond"] == pytest.approx(0.0), "a stranger who is like src is no leak"
    leaky = leak_of(np.stack([unit(1, 0, 0.5, 0)] * 2 + [np.full(4, np.nan)]), src, dst, others)
    assert leaky["beyond"] > 0.4
    assert leaky["src"] < clean["src"]


def test_shown_faces_are_the_usual_one_and_the_rarest(module):
    unlike = module("scores").unlike
    points = np.tile(np.random.default_rng(1).normal(size=(68, 2)), (20, 1, 1))
    points += 0.001 * np.random.default_rng(2).normal(size=points.shape)
    points[7, 60:] += 1.0
    points[12, :20] -= 1.0
    chosen = unlike(points)
    assert len(chosen) == 4 and {7, 12} <= set(chosen[1:3]) and chosen[0] not in (7, 12)
    assert len(unlike(points[:2])) == 2


def test_colours_are_moved_to_the_truths_and_nothing_else(module):
    match = module("scores").match
    true = np.random.default_rng(1).integers(60, 200, (16, 16, 3)).astype(np.uint8)
    mask = np.zeros((16, 16), np.float32)
    mask[4:12, 4:12] = 1.0
    tinted = (true.astype(np.float32) * 0.7 + np.array([40, 10, 0])).astype(np.uint8)
    assert np.abs(match(tinted, true, mask)[mask > 0].astype(int) - true[mask > 0]).max() <= 2
    assert np.array_equal(match(tinted, true, np.zeros_like(mask)), tinted)


# --- what is asked for


def arguments(bench, *more):
    return bench.arguments(["--out", "o", "--pairs", "p.toml", *more])


def test_arms_differ_in_what_they_begin_with_and_in_their_end(bench):
    args = arguments(bench, "--marks", "0,5,20,60", "--base", "b", "--arms", "none", "base", "base@20", "big=x.y@10")
    found = [(arm.name, arm.base, marks) for arm, marks in bench.arms_of(args)]
    assert found == [
        ("none_s1", "none", [0.0, 5.0, 20.0, 60.0]),
        ("base_s1", "b", [0.0, 5.0, 20.0, 60.0]),
        ("base@20_s1", "b", [0.0, 5.0, 20.0]),
        ("big@10_s1", "x.y", [0.0, 5.0, 10.0]),
    ]
    assert all(arm.held_out == 0.05 for arm, _ in bench.arms_of(args))
    several = bench.arms_of(arguments(bench, "--arms", "none", "--seeds", "1", "2"))
    assert [arm.seed for arm, _ in several] == [1, 2]


@pytest.mark.parametrize("arm", ["big", "No", "base@", "=x"])
def test_an_arm_that_says_too_little_is_refused(bench, arm):
    with pytest.raises(ConfigError, match="--arms"):
        bench.arms_of(arguments(bench, "--arms", arm))


def test_pairs_are_read_beside_their_file(bench, tmp_path):
    path = tmp_path / "pairs.toml"
    path.write_text('[a]\nsrc = "s"\ndst = "/d"\n[b-2]\nsrc = "s"\ndst = "d"\ntest = "t"\ntruth = "t.mp4"\n')
    one, two = bench.read_pairs(path)
    assert (one.name, one.src, one.dst, one.truth) == ("a", tmp_path / "s", Path("/d"), None)
    assert (two.test, two.truth) == (tmp_path / "t", tmp_path / "t.mp4")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[a]\nsrc = 's'\n", "does not name pairs"),
        ("a = 1\n", "does not name pairs"),
        ("[a\n", "does not name pairs"),
        ("['../a']\nsrc = 's'\ndst = 'd'\n", "name of a folder"),
        ("[a]\nsrc = 's'\ndst = 'd'\ntruth = 't'\n", "both test and truth"),
    ],
)
def test_pairs_that_say_too_little_are_refused(bench, tmp_path, text, named):
    path = tmp_path / "pairs.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=named):
        bench.read_pairs(path)


def test_an_arm_with_a_base_that_does_not_exist_is_refused_and_not_trained_from_scratch(bench, tmp_path, monkeypatch):
    monkeypatch.setattr("konterfei.weights.bases.BASES", {})
    with pytest.raises(ConfigError, match="'tiny' has no base yet"):
        bench.base_of(bench.Arm("tiny", 1, "default", 0.05, "base"))
    with pytest.raises(DamagedFileError):
        bench.base_of(bench.Arm("tiny", 1, str(tmp_path / "no.safetensors"), 0.05, "base"))
    assert bench.base_of(bench.Arm("tiny", 1, "none", 0.05, "none")) is None


def test_only_a_report_needs_no_pairs(bench, capsys):
    assert bench.arguments(["--out", "o", "--report"]).pairs is None
    with pytest.raises(SystemExit):
        bench.arguments(["--out", "o"])
    assert "--pairs" in capsys.readouterr().err


def test_a_pair_that_is_not_in_the_file_is_named(bench, tmp_path, capsys):
    path = tmp_path / "pairs.toml"
    path.write_text('[a]\nsrc = "s"\ndst = "d"\n')
    assert bench.main(["--out", str(tmp_path / "o"), "--pairs", str(path), "--only", "c"]) != 0
    assert "no pair c" in capsys.readouterr().err


@pytest.mark.parametrize("share", [1.0, 0.5, 0.25])
def test_narrower_networks_are_those_of_a_base_as_wide(bench, share):
    config = PretrainConfig(facesets=(Path("people"),), output=Path("run"), preset="standard", share_of_width=share)
    narrow = bench.narrowed(PRESETS["standard"], share)
    assert narrow.dims == resolved(config).dims
    assert replace(narrow, dims=PRESETS["standard"].dims) == PRESETS["standard"]


@pytest.mark.parametrize("share", ["0", "2", "nan"])
def test_no_network_has_such_a_width(bench, tmp_path, capsys, share):
    with pytest.raises(SystemExit):
        bench.arguments(["--out", str(tmp_path), "--report", "--share-of-width", share])
    assert "from 0.1 to 1" in capsys.readouterr().err
