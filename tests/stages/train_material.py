"""Trainings of some milliseconds a step, stopped and killed, and what of them must not depend on that."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from konterfei.io.run import Run
from konterfei.reporting import Recorder

SMALL = {
    "preset": "tiny",
    "resolution": 32,
    "ae_dims": 8,
    "e_dims": 4,
    "d_dims": 4,
    "d_mask_dims": 2,
    "batch": 2,
    "threads": 1,
    "device": "cpu",
    "precision": "fp32",
}
"""Some milliseconds a step."""

STEPS = 44


class StopAt(Recorder):
    """Asks to stop after so many steps of this session."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def take_stop(self):
        if self.tasks[-1:] != ["training"]:
            return False
        self.left -= 1
        return self.left == 0


def state_of(run):
    """What must not depend on interruptions: tensors, counters, figures, the picture."""
    opened = Run.open(run)
    checkpoint = opened.newest_checkpoint()
    assert opened.passed_over == {}
    progress = {k: v for k, v in checkpoint.state["progress"].items() if k not in ("trained_s", "validated_s")}
    figures = [(m["step"], m["src"], m["dst"], m["rate"]) for m in opened.metrics()]
    snapshot = {name: array.tobytes() for name, array in opened.newest_snapshot().tensors.items()}
    tensors = {name: array.tobytes() for name, array in checkpoint.tensors.items()}
    return tensors, progress, figures, snapshot, opened.preview_path().read_bytes()


def assert_equal_runs(one, other):
    for a, b in zip(state_of(one), state_of(other), strict=True):
        assert a == b


TRAINER = """
import json, os, signal, sys
from pathlib import Path
from konterfei.reporting import Silent
from konterfei.stages.train import TrainConfig, train
import konterfei.training.loop, konterfei.models.df, torch

class Steps(Silent):
    def __init__(self, most):
        self.left = most

    def take_stop(self):
        print("step", flush=True)
        self.left -= 1
        while self.left == 0:
            signal.pause()
        return False

for line in sys.stdin:
    if os.fork() == 0:
        most, given = json.loads(line)
        given = {k: Path(v) if k in ("src", "dst", "output", "plan") else v for k, v in given.items()}
        given = {k: tuple(map(Path, v)) if k == "facesets" else v for k, v in given.items()}
        train(TrainConfig(**given), Steps(most))
        print("finished", flush=True)
        os._exit(0)
    os.wait()
    print("over", flush=True)
"""
"""Forks a training for each line it reads: torch is loaded once and has no threads yet when a child begins. It waits
after `most` steps (-1 = never), so that a kill which comes late still meets it at work."""


PRETRAINER = TRAINER.replace(
    "stages.train import TrainConfig, train", "stages.pretrain import PretrainConfig as TrainConfig, pretrain as train"
)
"""The same with pretrainings."""


def kill_and_run_again(config, chance, trainer=TRAINER):
    """Trains `config` in a process that is killed four times at random moments, then to its end.

    Args:
        config: settings of a TrainConfig as JSON can hold them.
        chance: random.Random.
        trainer: what trains it.
    """
    config = {**config, "checkpoint_seconds": 0.001}  # after every step
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", trainer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as parent:
        for steps in [chance.randrange(4, 8) for _ in range(4)]:  # with two more each, less than STEPS in all
            print(json.dumps([steps + 2, config]), file=parent.stdin, flush=True)
            assert [parent.stdout.readline() for _ in range(steps)] == ["step\n"] * steps
            time.sleep(chance.uniform(0, 0.03))
            (child,) = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
            os.kill(int(child), signal.SIGKILL)
            assert set(iter(parent.stdout.readline, "over\n")) <= {"step\n"}
        print(json.dumps([-1, config]), file=parent.stdin, flush=True)
        assert "finished\n" in list(iter(parent.stdout.readline, "over\n"))
        parent.stdin.close()
