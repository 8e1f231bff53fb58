"""Validations of a run: when they are due, and which weights are the best after the training went back."""

import numpy as np
import pytest
import torch

from konterfei.geometry import FaceType
from konterfei.io.run import VALIDATION, Run
from konterfei.models import MODELS
from konterfei.nets.dims import Dims
from konterfei.training.plan import Progress
from konterfei.training.validation import Scores
from konterfei.training.validations import Validations

CPU = torch.device("cpu")


class Says:
    """Stands for a validator."""

    def __init__(self, *totals):
        self.totals = list(totals)

    def score(self, drawer):
        total = self.totals.pop(0)
        return Scores(identity=total, leftover=0.0, expression=total, distance=1.0, sharpness=1.0, ssim_src=1.0,
                      ssim_dst=total, total=total)  # fmt: skip


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run", {"model": "df"})


def look(validations, step, trained_s=0.0):
    model = MODELS.load("df")(Dims(resolution=32, ae=8, encoder=4, decoder=4, mask=2, unit=True, double=True))
    progress = Progress(step=step, trained_s=trained_s)
    weights = {"a": np.full(4, step, np.float32)}
    return validations.validate(model, progress, CPU, "fp32", lambda: (weights, {"steps": step}))


def test_they_are_due_by_time_or_by_steps(run):
    by_time = Validations(run, Says, FaceType.FULL, every_s=300.0)
    assert [by_time.is_due(Progress(trained_s=s, validated_s=400.0)) for s in (500.0, 699.0, 700.0)] == [
        False,
        False,
        True,
    ]
    by_steps = Validations(run, Says, FaceType.FULL, every_steps=50)
    assert [by_steps.is_due(Progress(step=step, trained_s=1e9)) for step in (49, 50, 51, 100)] == [
        False,
        True,
        False,
        True,
    ]


def test_a_best_that_went_with_a_collapse_keeps_no_later_one_out(run):
    validations = Validations(run, lambda: Says(0.5, 0.7, 0.6), FaceType.FULL)
    look(validations, 10), look(validations, 20)
    assert validations.best == (0.7, 20)
    run.forget(15)
    look(validations, 15)
    assert validations.best == (0.6, 15) and run.best_snapshot().info["step"] == 15
    assert [line["step"] for line in run.metrics(VALIDATION)] == [10, 15]
    assert Validations(run, Says, FaceType.FULL).best == (0.6, 15)
