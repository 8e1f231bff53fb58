import dataclasses

import numpy as np
import pytest

from konterfei.errors import Cancelled
from konterfei.io.face_measures import PARTS
from konterfei.reporting import Recorder
from konterfei.sorters import SORTERS, Example, Order, Wish, parts_for
from sorting_material import measures

NAMES = sorted(SORTERS)
ONE_FIGURE = sorted(
    {"sharpness", "identity", "expression", "occlusion", "exposure", "clipping", "size", "yaw", "pitch", "light"}
    | {"blur", "motion-blur", "face-yaw", "face-pitch", "face-source-rect-size", "hist-dissim", "brightness"}
    | {"hue", "black"}
)


@pytest.fixture(params=NAMES)
def sorter(request):
    return SORTERS.load(request.param)


def order_of(sorter, faces, **wish) -> Order:
    return sorter(faces, Wish(**wish), Recorder())


@pytest.mark.parametrize("count", [1, 2, 90])
def test_every_face_once_and_a_value_for_each(sorter, count):
    order = order_of(sorter, measures(count), count=20)
    assert sorted(order.rows.tolist()) == list(range(count))
    assert order.values.shape == (count,)
    assert 0 <= order.rest <= count
    assert not order.rest or order.why_rest


@pytest.mark.parametrize("name", NAMES)
def test_it_reads_no_more_than_it_says(name):
    faces = measures(60)
    blank = {
        figure: np.full_like(getattr(faces, figure), np.nan if kind[0].base.kind == "f" else 0)
        for part in set(PARTS) - set(parts_for(name))
        for figure, kind in PARTS[part].fields.items()
    }
    sorter = SORTERS.load(name)
    whole, some = (order_of(sorter, given) for given in (faces, dataclasses.replace(faces, **blank)))
    assert np.array_equal(whole.rows, some.rows)
    assert np.array_equal(whole.values, some.values, equal_nan=True)
    assert whole.rest == some.rest


def test_the_same_faces_give_the_same_order(sorter):
    faces = measures(60)
    assert np.array_equal(order_of(sorter, faces).rows, order_of(sorter, faces).rows)


def test_measures_stay_as_they_are(sorter):
    faces, before = measures(30), measures(30)
    order_of(sorter, faces)
    for name, value in vars(before).items():
        assert np.array_equal(getattr(faces, name), value, equal_nan=not isinstance(value, tuple)), name


def test_equal_faces_keep_their_order(sorter):
    faces = measures(1).take(np.zeros(12, int))
    faces = type(faces)(**{**vars(faces), "names": tuple(f"{n}.jpg" for n in range(12)), "frames": np.arange(12)})
    rows = order_of(sorter, faces).rows
    assert rows.tolist() == list(range(12))


def test_what_could_not_be_measured_is_no_reason_to_fail(sorter):
    faces = measures(40)
    holes = {}
    for name, value in vars(faces).items():
        if name not in ("pose", "embeddings") and isinstance(value, np.ndarray) and value.dtype == np.float32:
            holes[name] = value.copy()
            holes[name][5] = np.nan
    holes["embeddings"] = np.where(np.arange(40)[:, None] == 5, np.nan, faces.embeddings)
    order = order_of(sorter, type(faces)(**{**vars(faces), **holes}))
    assert sorted(order.rows.tolist()) == list(range(40))


@pytest.mark.parametrize("name", ONE_FIGURE)
def test_one_figure_rises_or_falls(name):
    order = order_of(SORTERS.load(name), measures(200))
    values = order.values[order.rows]
    assert (np.diff(values) * (1 if order.is_rising else -1) >= 0).all()
    assert np.ptp(values) > 0


def test_the_first_line_says_what_the_values_are(sorter):
    assert len((sorter.__doc__ or "").splitlines()[0]) > 10


@pytest.mark.parametrize("name", ["hist", "hist-dissim", "absdiff", "absdiff-dissim", "best"])
def test_comparing_each_with_each_can_be_stopped(name):
    reporter = Recorder()
    reporter.stop = True
    with pytest.raises(Cancelled):
        SORTERS.load(name)(measures(200), Wish(count=50), reporter)


@pytest.mark.parametrize("name", ["identity", "expression"])
def test_the_example_comes_first(name):
    faces = measures(50)
    like = Example(embedding=faces.embeddings[17], expression=faces.expression[17])
    assert order_of(SORTERS.load(name), faces, like=like).rows[0] == 17
