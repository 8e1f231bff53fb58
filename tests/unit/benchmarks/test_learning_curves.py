"""Learning curves: each mark is trained once and kept, a kill costs nothing kept, the table tells what there is."""

import importlib
import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from konterfei.errors import Cancelled, ConfigError
from konterfei.io.manifest import Manifest
from konterfei.training.presets import PRESETS

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
MARKS = [2.0, 5.0, 10.0]


@pytest.fixture
def curves(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("learning_curves")
    faces = SimpleNamespace(open=lambda path: SimpleNamespace(content_hash=lambda: f"hash of {path}"))
    monkeypatch.setattr(module, "Faceset", faces)
    return module


@pytest.fixture
def pictures(curves):
    return importlib.import_module("learning_pictures")


class FakeTrainer:
    """Writes what a training leaves; 100 steps a minute. `dies_at` and `stops_at` are marks."""

    def __init__(self, curves, dies_at=None, stops_at=None):
        self.curves, self.dies_at, self.stops_at, self.asked = curves, dies_at, stops_at, []

    def __call__(self, candidate, folder, until, end):
        self.asked.append(until)
        if until == self.dies_at:
            raise KeyboardInterrupt
        minutes = until / 2 if until == self.stops_at else until
        steps = int(100 * minutes)
        (folder / "snapshots").mkdir(parents=True, exist_ok=True)
        (folder / "checkpoints" / f"{steps:08d}").mkdir(parents=True)
        (folder / "snapshots" / f"{steps:08d}.safetensors").write_bytes(b"weights of %d" % steps)
        people = {person: {"hash": f"hash of {person}.faces"} for person in ("src", "dst")}
        config = {"run_version": 1, "preset": candidate.preset, "seed": candidate.seed, "held_out": {}, **people}
        (folder / "config.json").write_text(json.dumps(config))
        settings = {"config": {"minutes": end}, "resolved": PRESETS[candidate.preset]}
        Manifest(stage="train", inputs={}, settings=settings, versions={}, results={"steps": steps}).save(folder)
        return self.curves.Trained(steps, minutes, until == end)


@pytest.fixture
def material(curves):
    return curves.Material(Path("src.faces"), Path("dst.faces"), Path("t.mp4"), Path("t.faces"), Path("c.toml"))


@pytest.fixture
def train(curves, material, tmp_path):
    def run(trainer, candidate=None, marks=MARKS, until=float("inf")):
        candidate = candidate or curves.Candidate("tiny")
        return list(curves.to_marks(candidate, marks, until, tmp_path, material, trainer))

    return run


def test_each_mark_keeps_the_weights_that_it_was_reached_with_and_no_checkpoints(curves, train, tmp_path):
    trainer = FakeTrainer(curves)
    assert train(trainer) == MARKS == trainer.asked
    for mark, name in zip(MARKS, ("at_002.0", "at_005.0", "at_010.0"), strict=True):
        folder = tmp_path / "tiny" / name
        assert [path.name for path in folder.glob("snapshots/*")] == [f"{int(100 * mark):08d}.safetensors"]
        assert not (folder / "checkpoints").exists()
        assert curves.trained_of(folder) == {"steps": 100 * mark, "minutes": mark}
    assert not list((tmp_path / "tiny").glob(".tmp-*"))


def test_a_killed_training_goes_on_with_the_mark_that_is_missing(curves, train):
    with pytest.raises(KeyboardInterrupt):
        train(FakeTrainer(curves, dies_at=5.0))
    trainer = FakeTrainer(curves)
    assert train(trainer) == MARKS
    assert trainer.asked == [5.0, 10.0]
    again = FakeTrainer(curves)
    assert train(again) == MARKS
    assert again.asked == []


def test_half_a_copy_of_a_killed_one_is_not_taken_for_a_mark(curves, train, tmp_path, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(curves, "replace_folder", lambda new, place: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(FakeTrainer(curves))
    assert not (tmp_path / "tiny" / "at_002.0").exists()
    assert train(None) == []


def test_until_leaves_the_later_marks_and_the_end_of_the_run_alone(curves, train, tmp_path):
    assert train(FakeTrainer(curves), until=5.0) == [2.0, 5.0]
    manifest = Manifest.load(tmp_path / "tiny" / "at_005.0")
    assert manifest.settings["config"]["minutes"] == 10.0
    assert train(None) == [2.0, 5.0]


def test_what_a_person_stopped_is_not_taken_for_a_mark(curves, train, tmp_path):
    with pytest.raises(Cancelled):
        train(FakeTrainer(curves, stops_at=5.0))
    assert not (tmp_path / "tiny" / "at_005.0").exists()


def test_a_run_that_has_gone_past_a_missing_mark_is_refused(curves, train):
    trainer = FakeTrainer(curves)
    ahead = lambda *args: curves.Trained(1000, 10.0, False)  # noqa: E731
    train(trainer, until=2.0)
    with pytest.raises(ConfigError, match="past the mark of 5"):
        train(ahead)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda c: {"candidate": c.Candidate("tiny", seed=2), "folder": "tiny_s2"}, "seed"),
        (lambda c: {"candidate": c.Candidate("quick"), "folder": "quick"}, "preset, settings of the preset"),
        (lambda c: {"marks": [2.0, 5.0, 20.0]}, "minutes in all"),
    ],
)
def test_a_training_with_other_settings_is_not_adopted(curves, train, tmp_path, change, named):
    train(FakeTrainer(curves))
    changes = change(curves)
    if folder := changes.pop("folder", None):
        (tmp_path / "tiny").rename(tmp_path / folder)
    with pytest.raises(ConfigError, match=named):
        train(FakeTrainer(curves), **changes)


def test_other_faces_are_not_adopted(curves, train, material, monkeypatch):
    train(FakeTrainer(curves))
    monkeypatch.setattr(curves, "Faceset", SimpleNamespace(open=lambda path: SimpleNamespace(content_hash=lambda: "x")))
    with pytest.raises(ConfigError, match="faces of src, faces of dst"):
        train(FakeTrainer(curves))


class FakeScorer:
    def __init__(self):
        self.version, self.scored = 1, []

    def made_with(self, run):
        return {"weights": run and next(run.glob("snapshots/*")).name, "metrics": self.version}

    def __call__(self, runs):
        self.scored.append({name: run and run.name for name, run in runs.items()})
        return {name: {"frames": 9, "metrics": {"identity": {"margin": len(name)}}} for name in runs}


def test_a_mark_is_scored_once_and_again_when_its_figures_are_made_otherwise(curves, train, tmp_path):
    scorer, path = FakeScorer(), tmp_path / "lines.jsonl"

    def score(*marks):
        return curves.score_marks(marks, tmp_path, curves.Log(path), scorer)

    tiny, truth = curves.Candidate("tiny"), (curves.Candidate(curves.TRUE_SWAP), 0.0)
    train(FakeTrainer(curves))
    assert score(truth, (tiny, 2.0)) == ["true swap_000.0", "tiny_002.0"]
    assert score(truth, (tiny, 2.0), (tiny, 5.0)) == ["tiny_005.0"]
    assert score(truth, (tiny, 2.0), (tiny, 5.0)) == []
    assert scorer.scored == [{"true swap_000.0": None, "tiny_002.0": "at_002.0"}, {"tiny_005.0": "at_005.0"}]
    scorer.version = 2
    assert score((tiny, 5.0)) == ["tiny_005.0"]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["preset"], line["mark"], line["steps"]) for line in lines] == [
        ("true swap", 0.0, 0),
        ("tiny", 2.0, 200),
        ("tiny", 5.0, 500),
    ]
    assert [line["made_with"]["metrics"] for line in lines] == [1, 1, 2]


def test_lines_that_another_process_has_added_meanwhile_stay(curves, tmp_path):
    ours, theirs = curves.Log(tmp_path / "lines.jsonl"), curves.Log(tmp_path / "lines.jsonl")
    for log, preset in ((ours, "quick"), (theirs, "cpu"), (ours, "amp")):
        log.add({"preset": preset, "seed": 1, "mark": 2.0, "made_with": 1})
    assert [key[0] for key in curves.Log(tmp_path / "lines.jsonl").lines] == ["quick", "cpu", "amp"]


def line_of(preset, mark, seed=1, **metrics):
    return {"preset": preset, "seed": seed, "mark": mark, "minutes": mark, "steps": int(10 * mark), "metrics": metrics}


def test_the_table_has_both_ends_first_then_presets_by_mark_and_only_figures_that_exist(pictures):
    lines = [
        line_of(
            "quick", 5.0, identity={"margin": 0.6, "plate_to_src": 0.1, "plate_to_dst": 0.95}, flicker={"value": -0.05}
        ),
        line_of("quick", 2.0, identity={"margin": 0.5}, flicker={"value": None}),
        line_of("quick", 2.0, seed=2, identity={"margin": 0.4}),
        line_of("cpu", 2.0, identity={"margin": 0.3}),
        line_of(pictures.TRUE_SWAP, 0.0, identity={"margin": 0.9}),
    ]
    assert pictures.table(lines).splitlines() == [
        "| preset | minutes | steps | identity margin | flicker |",
        "| --- | --- | --- | --- | --- |",
        "| no swap |  |  | -0.850 |  |",
        "| true swap |  |  | 0.900 |  |",
        "| quick, seed 1 | 2.0 | 20 | 0.500 |  |",
        "| quick, seed 1 | 5.0 | 50 | 0.600 | -0.05 |",
        "| quick, seed 2 | 2.0 | 20 | 0.400 |  |",
        "| cpu | 2.0 | 20 | 0.300 |  |",
    ]


@pytest.mark.parametrize("places", [[0.5, 0.5, 0.5], [0.1, 0.9, 0.12, 0.4], [0.3, 0.6], [0.2]])
def test_labels_keep_their_order_and_a_distance_and_stay_where_there_is_room(pictures, places):
    moved = pictures.apart(places, 0.1)
    ordered = [moved[i] for i in sorted(range(len(places)), key=lambda i: places[i])]
    assert all(b - a >= 0.1 - 1e-9 for a, b in itertools.pairwise(ordered))
    assert sum(moved) == pytest.approx(sum(places))
    assert pictures.apart([0.1, 0.5, 0.9], 0.1) == pytest.approx([0.1, 0.5, 0.9])


def test_the_plot_is_drawn_and_small_enough_for_the_docs(pictures, tmp_path):
    names = [f"preset{i}" for i in range(6)]
    lines = [
        line_of(name, mark, identity={"margin": 0.1 * i + 0.01 * mark}, flicker={"value": -0.1 * i})
        for i, name in enumerate(names)
        for mark in (2.0, 5.0, 10.0, 20.0)
    ]
    pictures.draw_curves(lines, tmp_path / "curves.png", "minutes")
    assert 10_000 < (tmp_path / "curves.png").stat().st_size < 200_000


def test_a_training_is_stopped_when_its_time_is_over_and_no_other_task_is(curves):
    now = [0.0]
    watch = curves.Stopwatch.on_stderr()
    watch.clock, watch.left_s = lambda: now[0], 60.0
    now[0] = 100.0
    watch.start("reading faces", 3)
    now[0] = 500.0
    assert not watch.take_stop()
    watch.start("training", 60, "s")
    now[0] = 559.0
    assert not watch.take_stop()
    now[0] = 560.0
    assert watch.take_stop()
    watch.start("merging", 3)
    assert not watch.take_stop()
