"""Known degradations of a swap that is right by construction move the right metrics, and leave the others alone.

The real networks look at performers. `degradations_table.py` says what must move, may move and must not;
`benchmarks/degradations.py` prints the figures.
"""

import math
from itertools import pairwise

import numpy as np
import pytest
from degradations_material import DEGRADATIONS, dropped, eyes, make_scene, observe, people, swap
from degradations_table import MAY, MOVES, STILL

from konterfei.metrics import METRICS
from konterfei.metrics.observation import Observer, crop_size
from konterfei.metrics.worst import worst_frames

pytestmark = pytest.mark.timeout(1500)  # a minute of one core, which a busy machine may not have
CASES = [(name, metric) for name in DEGRADATIONS for metric in METRICS]


@pytest.fixture(scope="session")
def scene(tmp_path_factory):
    pytest.importorskip("openpeople", reason="no pictures of performers: pip install konterfei[demo]")
    return make_scene(tmp_path_factory.mktemp("degradations"))


@pytest.fixture(scope="session")
def who(scene):
    return people(scene, eyes())


@pytest.fixture(scope="session")
def measured(scene, who):
    """(degradation, step) -> name of the metric -> measurement; ("", 0) is the true swap."""
    plate, seen = observe(scene, eyes())
    return {key: {name: METRICS.load(name)(plate, series, who) for name in METRICS} for key, series in seen.items()}


def test_the_table_speaks_of_every_metric_and_every_degradation():
    assert set(MOVES) == set(MAY) == set(DEGRADATIONS)
    assert set(STILL) == set(METRICS), "say in STILL how far a metric may wander where nothing of its own was changed"
    for name in DEGRADATIONS:
        assert not MOVES[name] & MAY[name]
    named = set().union(*MOVES.values())
    assert set(METRICS) <= named, "say in MOVES which degradation each metric must see"


def test_the_true_swap_is_nearly_perfect(measured):
    """So that there is room to get worse, and the figures of a perfect swap are known."""
    for name, found in measured["", 0].items():
        assert math.isfinite(found.value), name
    assert measured["", 0]["identity"].parts["margin"] > 0.3


@pytest.mark.parametrize(("name", "metric"), CASES)
def test_a_degradation_moves_what_it_should_and_nothing_else(measured, name, metric):
    right = measured["", 0][metric]
    found = [measured[name, step][metric] for step in range(3)]
    values = [round(one.value, 4) for one in (right, *found)]
    assert np.isfinite(values).all()
    if metric in MOVES[name]:
        errors = [right.error, *(one.error for one in found)]
        # Of the true swap, in the first pair, chance is as large as anywhere: it differs from processor to processor.
        room = [STILL[metric], *[0.0] * (len(found) - 1)]
        grows = (b > a - most for (a, b), most in zip(pairwise(errors), room, strict=True))
        assert all(grows) and errors[-1] > errors[0], f"does not grow at every step: {values}"
        assert abs(found[-1].value - right.value) > STILL[metric], f"hardly moves: {values}"
    elif metric not in MAY[name]:
        wandered = max(abs(one.value - right.value) for one in found)
        assert wandered <= STILL[metric], f"moves, though nothing of its own was changed: {values}"


def test_frames_without_the_face_are_named(scene, who):
    """Two frames show skin only: the detector misses the face there, and they are the worst frames."""
    gone = {4, 9}
    faces = [scene.face(index) for index in range(14)]
    observer = Observer(eyes(), crop_size(faces))
    for index, face in enumerate(faces):
        image = dropped(scene, index) if index in gone else swap(scene, index)
        observer.add(index, scene.plate[index], [image], face)
    plate, (result,) = observer.series()
    assert observer.num_unseen == [len(gone)]
    found = {name: METRICS.load(name)(plate, result, who) for name in METRICS}
    worst = worst_frames(found, count=len(gone), apart=2)
    assert {frame.row for frame in worst} == gone
    assert all(frame.reasons for frame in worst)
