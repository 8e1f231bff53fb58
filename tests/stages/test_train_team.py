"""Two processes on one CPU train like one, and end, fail and go on together."""

import math
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from train_material import SMALL, STEPS, StopAt, assert_equal_runs

from konterfei.errors import ConfigError, TrainingError
from konterfei.io.run import Run
from konterfei.reporting import Recorder
from konterfei.stages import train as stage
from konterfei.stages._train_team import Place
from konterfei.stages.train import TrainConfig, train
from konterfei.training import loop
from konterfei.training.team import Order, Task

TWO = {**SMALL, "processes": 2}


def kinds_of(run):
    """kind -> all numbers of that kind in the newest checkpoint, in one array."""
    tensors = dict(sorted(Run.open(run).newest_checkpoint().tensors.items()))
    kinds = sorted({name.split("/")[0] for name in tensors})
    return {k: np.concatenate([t.ravel() for name, t in tensors.items() if name.startswith(f"{k}/")]) for k in kinds}


def losses_of(run):
    """Losses of src and dst: the mean of the first 20 steps, and each step after."""
    opened = Run.open(run)
    pending = opened.newest_checkpoint().state["progress"]["pending"]
    return [[line["src"], line["dst"]] for line in opened.metrics()] + pending


@pytest.fixture(scope="module")
def by_two(faces, tmp_path_factory):
    """The run of STEPS steps by two processes that nothing disturbed."""
    output = tmp_path_factory.mktemp("two") / "run"
    train(TrainConfig(**faces, **TWO, output=output, steps=STEPS), Recorder())
    return output


# --- the same as one


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"architecture": "liae-ud", "clip_grad": True},
        {"gan_power": 0.1, "gan_dims": 4, "gan_patch_size": 8, "true_face_power": 0.01, "lr_dropout": "yes"},
    ],
    ids=str,
)
def test_two_learn_what_one_does(faces, tmp_path, changes):
    """The sums of a batch's halves are rounded otherwise than its own sum; moments follow that most closely."""
    settings = {**faces, **SMALL, "steps": 24, "rate": 1e-4, **changes}
    for processes in (1, 2):
        reporter = Recorder()
        train(TrainConfig(**settings, output=tmp_path / str(processes), processes=processes), reporter)
        assert reporter.warnings == []
        assert ("in each of 2 processes" in " ".join(reporter.notes)) == (processes == 2)
    one, two = kinds_of(tmp_path / "1"), kinds_of(tmp_path / "2")
    assert list(one) == list(two)
    for kind, values in one.items():
        tolerance = 1e-5 if kind.endswith(("weights", "ema")) else 2e-3
        assert np.linalg.norm(values - two[kind]) < tolerance * np.linalg.norm(values), kind
    np.testing.assert_allclose(losses_of(tmp_path / "1"), losses_of(tmp_path / "2"), rtol=2e-5)
    assert len(losses_of(tmp_path / "2")) == 5


def test_a_process_on_another_machine_ends_without_a_run_folder(faces, tmp_path, monkeypatch):
    config = TrainConfig(**faces, **SMALL, output=tmp_path / "only on the first")
    for is_preview in (True, False):
        last = Order(Task.END, 12, trained_s=90.0, is_preview=is_preview)
        monkeypatch.setattr(stage, "_follow", lambda *_, last=last: last)
        monkeypatch.setattr(stage, "place_of", lambda _: Place(1, 2, is_launched=True))
        result = train(config, Recorder())
        assert (result.steps, result.minutes, result.is_preview, result.summary()) == (12, 1.5, is_preview, [])
    assert not Run.exists(config.output)


def test_only_the_first_writes(by_two):
    run = Run.open(by_two)
    assert [line["step"] for line in run.metrics()] == [20, 40]
    assert len(run.snapshot_paths()) == 1
    assert not [path for path in by_two.rglob(".*") if path.name != ".writer.lock"]


# --- interruptions


def test_stopped_and_continued_by_two_equals_undisturbed_bit_for_bit(again, by_two):
    result, reporter = again(StopAt(23), processes=2)
    assert (result.steps, result.is_stopped) == (23, True)
    result, reporter = again(processes=2)
    assert "Training goes on from step 23" in " ".join(reporter.notes)
    assert_equal_runs(result.run, by_two)


def test_two_go_on_with_what_one_began_and_one_with_theirs(again):
    again(StopAt(10), steps=30)
    result, _ = again(StopAt(10), steps=30, processes=2)
    assert (result.steps, result.is_stopped) == (20, True)
    result, reporter = again(steps=30)
    assert (result.steps, result.is_stopped) == (30, False)
    assert reporter.warnings == []


def test_phases_turn_in_all(again, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(
        '[[phase]]\nname = "a"\nsteps = 12\n[[phase]]\nname = "b"\nrandom_warp = false\n'
        "gan_power = 0.1\ngan_dims = 4\ngan_patch_size = 8\n"
    )
    result, reporter = again(plan=path, steps=30, processes=2)
    assert "Step 12: 'b' begins" in " ".join(reporter.notes)
    assert result.steps == 30  # all had the same numbers at the end, those of the judge too, or it would have failed
    assert "gan.weights" in kinds_of(result.run)


@pytest.fixture
def tamper(monkeypatch):
    """tamper(step, value): after this step, once, the first process has this value as its first weight."""
    real = loop.train_step

    def install(at, value):
        left = [1]

        def step_and_tamper(lesson, raw, rate, step):
            losses = real(lesson, raw, rate, step)
            if step == at and left[0]:
                left[0] = 0
                with torch.no_grad():
                    lesson.learner.flat.weights[0] = value
            return losses

        monkeypatch.setattr(loop, "train_step", step_and_tamper)

    return install


def test_all_go_back_when_training_falls_apart(again, tamper):
    tamper(30, math.nan)
    result, reporter = again(processes=2)
    assert result.steps == STEPS
    assert len(reporter.warnings) == 1
    assert "goes on from step 0 with 0.5 times the learning rate" in reporter.warnings[0]
    assert all(np.isfinite(values).all() for values in kinds_of(result.run).values())


def test_other_numbers_in_one_process_are_noticed(again, tamper, tmp_path):
    tamper(10, 0.123)
    with pytest.raises(TrainingError, match=r"2 processes.*no longer have the same numbers \(model, weights"):
        again(processes=2, checkpoint_seconds=0.001)
    assert Run.open(tmp_path / "run").newest_checkpoint().step == 10
    result, _ = again()
    assert result.steps == STEPS


# --- processes that end


def flags(**settings):
    return [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", str(value))]


@pytest.fixture
def start(tmp_path):
    """start(*words, **settings) begins `words` train with these settings in a process of its own."""
    begun = []

    def go(*words, variables=None, **settings):
        environment = {
            **os.environ,
            **(variables or {}),
            "PYTHONPATH": os.pathsep.join(sys.path),
            "OMP_NUM_THREADS": "1",
        }
        line = [sys.executable, "-m", *words, "train", *flags(**settings)]
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        begun.append(process)
        return process

    yield go
    for process in begun:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def wait_until(condition, process):
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def helper_of(process):
    """Process id of the one that `process` has started to train with it."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    (helper,) = [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return helper


def is_running(pid):
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


needs_proc = pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")


@needs_proc
def test_a_process_that_is_killed_ends_the_training(start, faces, again, tmp_path):
    output = tmp_path / "run"
    process = start("konterfei", **faces, **TWO, output=output, steps=100_000, checkpoint_seconds=0.3)
    wait_until(lambda: len(list(output.glob("checkpoints/0*"))) >= 2, process)
    helper = helper_of(process)
    os.kill(helper, signal.SIGKILL)
    began = time.monotonic()
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - began < 10
    assert process.returncode == 1
    (message,) = re.findall(r"error: Another of the 2 processes.*", said)
    assert f"Process 2 (pid {helper}): was killed by signal 9." in message
    assert "What was saved stays; the same command goes on from there" in message
    run = Run.open(output)
    step = run.newest_checkpoint().step
    assert run.passed_over == {}
    result, _ = again(steps=step + 4)  # by one process
    assert result.steps == step + 4


@needs_proc
def test_no_process_outlives_the_first(start, faces, tmp_path):
    output = tmp_path / "run"
    process = start("konterfei", **faces, **TWO, output=output, steps=100_000, checkpoint_seconds=0.3)
    wait_until(lambda: any(output.glob("checkpoints/0*")), process)
    helper = helper_of(process)
    assert is_running(helper)
    process.kill()
    process.wait()
    until = time.monotonic() + 10
    while is_running(helper):
        assert time.monotonic() < until
        time.sleep(0.05)


@needs_proc
def test_ctrl_c_saves_and_ends_all(start, faces, tmp_path):
    output = tmp_path / "run"
    process = start("konterfei", **faces, **TWO, output=output, steps=100_000)
    wait_until(lambda: any(output.glob("previews/*.jpg")), process)
    helper = helper_of(process)
    for pid in (process.pid, helper):  # as a terminal does
        os.kill(pid, signal.SIGINT)
    told, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "Training stopped at step" in said
    assert re.search(r"is stopped +yes", told)
    assert Run.open(output).newest_checkpoint().step == int(re.search(r"steps +(\d+)", told)[1])
    assert not is_running(helper)


def test_a_process_that_cannot_begin_is_named(again, monkeypatch, tmp_path):
    monkeypatch.setattr(stage, "_follow", _cannot)
    with pytest.raises(TrainingError, match=r"could not begin. Process 2 \(pid \d+\): no helper today"):
        again(processes=2)


def _cannot(config, place, call):
    raise ConfigError("no helper today")


# --- torchrun


def test_torchrun_trains_the_same_run_bit_for_bit(start, faces, by_two, tmp_path):
    output = tmp_path / "run"
    launcher = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "konterfei")
    process = start(*launcher, **faces, **SMALL, output=output, steps=STEPS)
    told, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert len(re.findall(r"^run ", told, re.M)) == 1  # the others say nothing
    assert_equal_runs(output, by_two)


def test_ctrl_c_on_torchrun_saves_and_ends_all(start, faces, tmp_path):
    output = tmp_path / "run"
    launcher = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "konterfei")
    process = start(*launcher, **faces, **SMALL, output=output, steps=100_000)
    wait_until(lambda: any(output.glob("previews/*.jpg")), process)
    process.send_signal(signal.SIGINT)
    told, said = process.communicate(timeout=60)
    assert re.search(r"is stopped +yes", told), said
    assert Run.open(output).newest_checkpoint().step == int(re.search(r"steps +(\d+)", told)[1])


def test_processes_with_other_settings_do_not_train_together(start, faces, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {"WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    begun = []
    for number, batch in enumerate((2, 4)):
        own = {name: str(value) for name, value in {**variables, "RANK": number, "LOCAL_RANK": number}.items()}
        given = {**faces, **SMALL, "batch": batch, "output": tmp_path / "run", "steps": 10}
        begun.append(start("konterfei", variables=own, **given))
    for process in begun:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 2, said
        assert "processes of this training were not given the same settings. Give all of them the same" in said


def test_settings_that_several_cannot_have_are_refused_before_anything_is_written(again, tmp_path):
    for changes, words in (
        ({"batch": 3}, "--batch 3 cannot be split evenly over 2 processes"),
        ({"device": "cuda:0"}, "--device cuda:0: with 2 processes"),
        ({"processes": 0}, "--processes"),
    ):
        with pytest.raises(ConfigError, match=words):
            again(**{"processes": 2, **changes})
    assert not (tmp_path / "run").exists()
