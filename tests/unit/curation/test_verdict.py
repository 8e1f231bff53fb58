"""What makes a faceset good, usable or lacking."""

import pytest

from konterfei.curation.verdict import Level, against_a_shot, of_a_set, overall

GOOD = {
    **{"distinct": 400, "people": 1, "wrong": 0.0, "poor": 0.02, "enlargement": 1.0},
    **{"yaw_span": 80, "mouth_open": 0.2, "with_shot": False},
}


def test_a_good_set_is_good():
    criteria = of_a_set(**GOOD)
    assert overall(criteria) is Level.GOOD and overall([]) is Level.GOOD
    assert all("To do" not in criterion.told() for criterion in criteria)


@pytest.mark.parametrize(
    ("changes", "name", "level"),
    [
        ({"distinct": 299}, "distinct_faces", Level.USABLE),
        ({"distinct": 49}, "distinct_faces", Level.LACKING),
        ({"wrong": 0.04}, "wrong_faces", Level.USABLE),
        ({"wrong": 0.06}, "wrong_faces", Level.LACKING),
        ({"poor": 0.4}, "poor_faces", Level.LACKING),
        ({"enlargement": 2.9}, "enlargement", Level.USABLE),
        ({"people": 2}, "people", Level.LACKING),
        ({"yaw_span": 30}, "yaw_span", Level.USABLE),
        ({"mouth_open": 0}, "mouth_open", Level.LACKING),
    ],
)
def test_one_figure_decides_and_says_what_to_do(changes, name, level):
    criteria = {criterion.name: criterion for criterion in of_a_set(**{**GOOD, **changes})}
    assert criteria[name].level is level is overall(list(criteria.values()))
    assert "To do: " in criteria[name].told()


def test_a_shot_asks_for_itself():
    assert not {"yaw_span", "mouth_open"} & {c.name for c in of_a_set(**{**GOOD, "with_shot": True})}
    assert overall(against_a_shot(covered=0.96, height=1.0, sharpness=1.0)) is Level.GOOD
    assert overall(against_a_shot(covered=0.85, height=1.0, sharpness=1.0)) is Level.USABLE
    assert overall(against_a_shot(covered=0.96, height=0.4, sharpness=1.0)) is Level.LACKING
    assert [c.name for c in against_a_shot(covered=1.0, height=1.0, sharpness=float("nan"))] == ["coverage", "height"]
