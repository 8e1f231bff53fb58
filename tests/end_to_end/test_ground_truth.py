"""benchmarks/ground_truth.py in small: what trains longer is nearer to the truth, and a perfect model nearer still."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.timeout(1500)
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def bench():
    pytest.importorskip("openpeople", reason="no pictures of performers: pip install konterfei[demo]")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        import ground_truth

        yield ground_truth


@pytest.fixture(scope="module")
def done(bench, tmp_path_factory):
    """One case, trained for a step and for some: rows by name, of each budget."""
    out = tmp_path_factory.mktemp("truth")
    scale, cases = replace(bench.SMALL, oracles=("oracle",)), {"plain": bench.CASES["plain"]}
    said = []
    for steps in (1, 150):
        rows = bench.run_cases(cases, scale, "quick", [1], bench.Budget(steps=steps), out, said.append)
    few, some = ({row["row"]: row for row in rows if row["steps"] == steps} for steps in (1, 150))
    return SimpleNamespace(few=few, some=some, out=out, said=said, cases=cases, scale=scale)


def figure(row, name, part=None):
    found = row["figures"][name]
    return found["value"] if part is None else found["parts"][part]


@pytest.mark.parametrize(("name", "part"), [("truth_identity", None), ("identity", "margin")])
def test_more_training_is_nearer_to_src_and_a_perfect_model_nearest(done, name, part):
    untrained, trained, oracle = (
        figure(row, name, part) for row in (done.few["model"], done.some["model"], done.some["oracle"])
    )
    assert untrained + 0.05 < trained < oracle


def test_an_untrained_model_shows_no_face_so_it_is_as_no_swap(done):
    for name in ("truth_ssim", "truth_identity"):
        assert figure(done.few["model"], name) == pytest.approx(figure(done.few["plate"], name), abs=0.1)


@pytest.mark.parametrize("name", ["truth_ssim", "truth_psnr"])
def test_after_a_little_training_a_perfect_model_is_far_better(done, name):
    assert figure(done.some["model"], name) < figure(done.some["oracle"], name) - 0.1


@pytest.mark.parametrize("name", ["truth_ssim", "truth_psnr", "truth_identity"])
def test_a_perfect_model_is_nearer_to_the_truth_than_no_swap(done, name):
    assert figure(done.some["plate"], name) < figure(done.some["oracle"], name)


def test_shape_and_expression_of_a_perfect_model_are_right(done):
    for name, share in (("truth_landmarks", 0.85), ("truth_expression", 0.6)):
        assert figure(done.some["oracle"], name) < share * figure(done.some["plate"], name)
    assert figure(done.some["plate"], "identity", "margin") < 0 < figure(done.some["oracle"], "identity", "margin")


def test_what_does_not_depend_on_training_is_the_same(done):
    for row in ("plate", "oracle"):
        few, some = (figure(rows[row], "truth_ssim") for rows in (done.few, done.some))
        assert few == pytest.approx(some, abs=1e-3)


def test_the_same_again_does_nothing(bench, done):
    said = []
    rows = bench.run_cases(done.cases, done.scale, "quick", [1], bench.Budget(steps=150), done.out, said.append)
    assert not said
    assert len(rows) == len(done.few) + len(done.some)
    assert rows == [json.loads(line) for line in (done.out / "results.jsonl").read_text().splitlines()]


def test_a_kill_does_not_lose_count_of_the_minutes(bench, tmp_path, monkeypatch):
    now, spent = [100.0], tmp_path / "made" / "spent.json"
    monkeypatch.setattr(bench, "time", SimpleNamespace(process_time=lambda: now[0]))

    def killed(config, clock):
        """Trains for a minute and a half; what is on the disk then is all that is left."""
        while now[0] < 190:
            now[0] += 1
            assert not clock.take_stop()
        assert json.loads(spent.read_text())["minutes"] == pytest.approx(80 / 60)
        return SimpleNamespace(steps=7)

    monkeypatch.setattr(bench, "train", killed)
    material = SimpleNamespace(src=tmp_path / "src", dst=tmp_path / "dst")
    budget = bench.Budget(steps=7)
    for _ in "ab":  # the second time it is done
        done = bench.trained(material, bench.SMALL, "quick", 1, budget, tmp_path / "made" / "run")
        assert done == (7, pytest.approx(1.5))


def test_it_is_told_as_table_and_page(done):
    table = (done.out / "table.md").read_text()
    assert len(re.findall(r"^\| plain \|", table, re.MULTILINE)) == 6
    assert "150 steps" in table
    page = (done.out / "summary.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2
    assert "woman onto a man with curls" in page


def test_every_case_can_be_rendered(bench, tmp_path):
    """All settings of the table are known, and no two cases are one."""
    from konterfei.performers import PerformerConfig

    for case in bench.CASES.values():
        PerformerConfig(person=case.src, set_of=case.dst, output=tmp_path / "clip.mp4", **case.shot, **case.test)
    told = {(c.src, c.dst, str(c.shot), str(c.test)) for c in bench.CASES.values()}
    assert len(told) == len(bench.CASES)
