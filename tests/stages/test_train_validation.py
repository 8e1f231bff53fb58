"""A training that measures itself on faces that it never sees: what is kept, when it ends, what it leaves alone."""

import pytest
from train_material import SMALL, STEPS, StopAt, assert_equal_runs, state_of

from drawn_faces import ANNA, BERT, faceset
from drawn_vision import install
from konterfei.errors import ConfigError, StoreError
from konterfei.io.faceset import Faceset
from konterfei.io.run import VALIDATION, Run
from konterfei.models.swapper import load_swapper
from konterfei.reporting import Recorder
from konterfei.stages import _train_validation
from konterfei.stages.tell import TellConfig, tell
from konterfei.stages.train import TrainConfig, train
from konterfei.training import desk
from konterfei.training.held_out import LEAST
from konterfei.training.validation import Scores, Validator

COUNT, HELD = 2 * LEAST, 16


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    return {"src": faceset(folder / "anna", ANNA, COUNT), "dst": faceset(folder / "bert", BERT, COUNT)}


@pytest.fixture(autouse=True)
def drawn_eyes(monkeypatch):
    install(monkeypatch.setitem)
    for name in ("_DETECTOR", "_LANDMARKER", "_RECOGNIZER"):
        monkeypatch.setattr(_train_validation, name, "drawn")


def scored(monkeypatch, totals):
    """Validations find these scores, one after the other; the last one for ever."""
    left = list(totals)

    def score(self, drawer):
        total = left.pop(0) if len(left) > 1 else left[0]
        return Scores(identity=total, leftover=0.0, expression=total, distance=1.0, sharpness=1.0, ssim_src=1.0,
                      ssim_dst=total, total=total)  # fmt: skip

    monkeypatch.setattr(Validator, "score", score)


def test_held_out_faces_are_measured_and_never_trained_on(again, faces, tmp_path):
    result, told = again(validate_steps=10)
    run = Run.open(result.run)
    held = run.config["held_out"]
    assert len(held["src"]) == len(held["dst"]) == HELD
    assert set(held["dst"]) < set(Faceset.open(faces["dst"]).names())
    assert any(f"{COUNT - HELD} src and {COUNT - HELD} dst faces" in note for note in told.notes)
    lines = run.metrics(VALIDATION)
    assert [line["step"] for line in lines] == [10, 20, 30, 40, STEPS]
    assert lines[-1]["ssim_src"] > lines[0]["ssim_src"], "it learns, and that is seen"
    best = max(lines, key=lambda line: line["total"])
    assert run.best_snapshot().info["score"] >= best["total"] - 0.002
    load_swapper(result.run, "cpu", which="best")


def test_the_best_weights_are_kept_and_can_be_asked_for(again, monkeypatch):
    scored(monkeypatch, [0.5, 0.7, 0.701, 0.6])
    result, _ = again(validate_steps=10)
    run = Run.open(result.run)
    assert [path.name for path in (run.folder / "best").iterdir()] == ["00000020.safetensors"]
    assert run.snapshot("best").info["score"] == 0.7 and run.snapshot("20").info["step"] == 20
    assert run.snapshot().info["step"] == STEPS
    assert load_swapper(result.run, "cpu", which="best").info["steps"] == 20
    with pytest.raises(ConfigError, match=r"no snapshot '7'. It has newest, best, and of steps: 20, 44"):
        run.snapshot("7")
    # a longer training begins with what was best before it
    scored(monkeypatch, [0.65])
    again(validate_steps=10, steps=STEPS + 10)
    assert run.snapshot("best").info["step"] == 20


def test_without_validations_there_is_no_best(again):
    result, told = again(held_out=0.0)
    run = Run.open(result.run)
    assert run.config["held_out"] == {} and run.metrics(VALIDATION) == []
    assert any(f"{COUNT} src and {COUNT} dst" in note for note in told.notes)
    with pytest.raises(StoreError, match="no validation was made"):
        run.snapshot("best")


def test_looking_does_not_change_what_is_learned(faces, tmp_path):
    for name, every in (("often", 7), ("never", 10_000)):
        train(TrainConfig(**faces, **SMALL, output=tmp_path / name, steps=STEPS, validate_steps=every), Recorder())
    often, never = (state_of(tmp_path / name) for name in ("often", "never"))
    assert often[0] == never[0] and often[2:] == never[2:]


def test_a_run_that_depends_on_its_score_repeats_exactly_when_it_is_interrupted(faces, tmp_path, monkeypatch):
    plan = tmp_path / "plan.toml"
    plan.write_text('[[phase]]\nname = "a"\npatience = 2\n[[phase]]\nname = "b"\nrandom_warp = false\n')
    config = {**faces, **SMALL, "steps": STEPS, "validate_steps": 5, "plan": plan}
    scores = [0.5, 0.6, 0.55, 0.58, 0.7, 0.7, 0.7, 0.7, 0.7]  # the second best at step 10: b begins at 20
    scored(monkeypatch, scores)
    train(TrainConfig(**config, output=tmp_path / "whole"), Recorder())
    assert Run.open(tmp_path / "whole").newest_checkpoint().state["progress"]["phase_began"] == 20
    done = 0
    for steps in (7, 6, 4, 8):  # stops are saved: no validation is made twice
        scored(monkeypatch, scores[done // 5 :])
        done += steps
        train(TrainConfig(**config, output=tmp_path / "parts"), StopAt(steps))
    scored(monkeypatch, scores[done // 5 :])
    train(TrainConfig(**config, output=tmp_path / "parts"), Recorder())
    assert_equal_runs(tmp_path / "whole", tmp_path / "parts")


def test_patience_lets_the_rate_fall_and_ends_the_run(again, monkeypatch):
    scored(monkeypatch, [0.5, 0.6, 0.6, 0.6])
    result, told = again(validate_steps=20, patience=2, steps=400)
    assert result.steps == 114, "from step 80 on the rate falls, over three sevenths of that"
    rates = [line["rate"] for line in Run.open(result.run).metrics()]
    assert rates[-1] < rates[0]
    assert any("2 validations in a row found nothing better than 0.600" in note for note in told.notes)
    _, told = again(validate_steps=20, patience=2, steps=400)
    assert any("its held-out score had stopped to rise" in note for note in told.notes)
    result, _ = again(validate_steps=20, patience=0, steps=120)
    assert result.steps == 120, "a new budget goes on"


def test_budgets_given_by_a_person_are_kept(again, monkeypatch):
    scored(monkeypatch, [0.5])
    assert again(validate_steps=1, steps=STEPS)[0].steps == STEPS


def test_a_longer_run_goes_back_to_the_phase_that_has_more_to_do(again, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text('[[phase]]\nname = "warped"\nshare = 0.5\n[[phase]]\nname = "straight"\nrandom_warp = false\n')
    _, told = again(plan=plan)
    assert any(note.startswith("Step 22: 'straight' begins") for note in told.notes)
    _, told = again(plan=plan, steps=3 * STEPS)
    assert any(note.startswith("Step 44: 'warped' begins") for note in told.notes)
    assert any(note.startswith("Step 66: 'straight' begins") for note in told.notes)


def test_a_validation_can_be_asked_for(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(desk, "LOOK_EVERY_S", 0.0)

    class Asks(Recorder):
        steps = 0

        def take_stop(self):
            self.steps += 1
            if self.steps == 12:
                self.wishes.append("validate")
            return False

    for held_out, said in ((0.05, "Validation of step"), (0.0, "No faces are held out")):
        told, output = Asks(), tmp_path / str(held_out)
        train(TrainConfig(**faces, **SMALL, output=output, steps=STEPS, held_out=held_out), told)
        assert any(note.startswith(said) for note in told.notes)
    with pytest.raises(ConfigError, match="not being trained"):
        tell(TellConfig(run=output, command="validate"), Recorder())


def test_held_out_faces_that_were_deleted_are_missed_with_a_word(tmp_path):
    own = {"src": faceset(tmp_path / "anna", ANNA, COUNT), "dst": faceset(tmp_path / "bert", BERT, COUNT)}
    config = {**own, **SMALL, "output": tmp_path / "run", "validate_steps": 10}
    train(TrainConfig(**config, steps=20), Recorder())
    for name in Run.open(tmp_path / "run").config["held_out"]["dst"]:
        (own["dst"] / name).unlink()
    told = Recorder()
    train(TrainConfig(**config, steps=30), told)
    assert any("The faces that were held out for it are not there any more" in note for note in told.notes)


def test_nonsense_is_refused(faces, tmp_path):
    for setting in ({"held_out": 0.6}, {"held_out": -0.1}, {"patience": -1}, {"validate_steps": 0}):
        with pytest.raises(ConfigError, match=next(iter(setting)).replace("_", "-")):
            TrainConfig(**faces, output=tmp_path, **setting)


def test_small_facesets_keep_all_their_faces(tmp_path):
    small = {"src": faceset(tmp_path / "a", ANNA, LEAST - 1), "dst": faceset(tmp_path / "b", BERT, COUNT)}
    told = Recorder()
    train(TrainConfig(**small, **SMALL, output=tmp_path / "run", steps=2), told)
    assert any(f"{LEAST - 1} src and {COUNT} dst faces" in note for note in told.notes)
    assert any("No faces are held out" in note for note in told.notes)


def test_a_phase_that_was_begun_early_lasts_through_a_stop_and_a_longer_run_goes_back(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(desk, "LOOK_EVERY_S", 0.0)
    plan = tmp_path / "plan.toml"
    plan.write_text('[[phase]]\nname = "warped"\nshare = 0.5\n[[phase]]\nname = "straight"\nrandom_warp = false\n')
    config = {**faces, **SMALL, "output": tmp_path / "run", "plan": plan}

    class Asks(StopAt):
        def take_stop(self):
            if self.left == 4:
                self.wishes.append("phase")
            return super().take_stop()

    train(TrainConfig(**config, steps=STEPS), Asks(8))
    told = Recorder()
    train(TrainConfig(**config, steps=STEPS), told)
    assert not any("begins, phase" in note for note in told.notes), "it is in the phase that was asked for"
    told = Recorder()
    train(TrainConfig(**config, steps=4 * STEPS), told)
    assert any(note.startswith("Step 44: 'warped' begins") for note in told.notes)


def test_what_ended_early_goes_on_without_patience(again, monkeypatch):
    scored(monkeypatch, [0.5])
    first, _ = again(validate_steps=20, patience=2, steps=200)
    assert first.steps < 100
    result, _ = again(validate_steps=20, patience=0, steps=200)
    assert result.steps == 200, "the very same budget"


def test_patience_leaves_phases_to_come_their_time(again, tmp_path, monkeypatch):
    scored(monkeypatch, [0.5])
    plan = tmp_path / "plan.toml"
    plan.write_text("[[phase]]\nsteps = 60\n[[phase]]\nrandom_warp = false\n")
    result, told = again(plan=plan, validate_steps=10, patience=2, steps=300)
    assert any(note.startswith("Step 60: 'phase 2' begins") for note in told.notes)
    assert result.steps > 100 and any("validations in a row" in note for note in told.notes)


def test_validations_that_a_person_asks_for_try_nobody_s_patience(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(desk, "LOOK_EVERY_S", 0.0)
    scored(monkeypatch, [0.5])

    class Asks(Recorder):
        def take_stop(self):
            self.wishes.append("validate")
            return False

    config = {**faces, **SMALL, "output": tmp_path / "run", "patience": 3}
    assert train(TrainConfig(**config, steps=STEPS), Asks()).steps == STEPS
    assert len(Run.open(tmp_path / "run").metrics(VALIDATION)) > 20


def test_a_plan_that_waits_for_scores_which_never_come_is_refused(again, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text("[[phase]]\npatience = 2\n[[phase]]\n")
    with pytest.raises(ConfigError, match="ends by its patience alone"):
        again(plan=plan, held_out=0.0)
    plan.write_text("[[phase]]\npatience = 2\nsteps = 5\n[[phase]]\n")
    _, told = again(plan=plan, held_out=0.0, patience=4)
    assert any("--patience has no effect" in note for note in told.notes)
