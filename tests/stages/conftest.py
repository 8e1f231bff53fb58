"""Two small facesets, and trainings of them; a place to merge in."""

import shutil

import pytest
from merge_material import make_consent, make_faces, make_plate
from train_material import SMALL, STEPS

from drawn_faces import ANNA, BERT, faceset
from konterfei.reporting import Recorder
from konterfei.stages.train import TrainConfig, train


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """The facesets of two drawn people, as settings of a TrainConfig."""
    folder = tmp_path_factory.mktemp("faces")
    return {"src": faceset(folder / "anna", ANNA), "dst": faceset(folder / "bert", BERT)}


@pytest.fixture
def again(faces, tmp_path):
    """again(reporter=..., **settings) trains the run of this test; gives the result and the reporter."""

    def go(reporter=None, **changes):
        reporter = reporter or Recorder()
        config = TrainConfig(**{**faces, **SMALL, "output": tmp_path / "run", "steps": STEPS, **changes})
        return train(config, reporter), reporter

    return go


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    """A plate, its faceset, a consent record; copied for each test."""
    folder = tmp_path_factory.mktemp("merge")
    plate = make_plate(folder / "plate.mp4")
    make_faces(folder / "faces", plate)
    make_consent(folder / "consent.toml")
    return folder


@pytest.fixture
def place(shelf, tmp_path):
    """A copy of the `shelf`, the module's own if it has one, for one test to work in."""
    shutil.copytree(shelf, tmp_path, dirs_exist_ok=True)
    return tmp_path
