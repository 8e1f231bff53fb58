"""What held-out people say of a network: networks of known worth are told apart."""

from dataclasses import replace

import numpy as np
import pytest

from crowd_material import Colours, Still, crowd
from konterfei.geometry import FaceType
from konterfei.io.faceset import Faceset
from konterfei.reporting import Silent
from konterfei.training.crowd import crowd_of
from konterfei.training.crowd_validation import MOST, CrowdScores, CrowdValidator
from konterfei.training.data import load_faces
from konterfei.training.validations import Found

SIDE = 64


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = crowd(tmp_path_factory.mktemp("held") / "held", range(6), 2)
    faceset = Faceset.open(folder)
    records = faceset.records()
    faces = load_faces(faceset, FaceType.FULL, SIDE, 1 << 30, Silent(), "held")
    person = {record.name: int(record.source.split(".")[0]) for record in records}
    points = {r.name: r.crop.crop_from_frame @ r.face.landmarks for r in records}
    who = {r.name: Colours().embed(faceset.image(r.name), [points[r.name]])[0] for r in records}
    return crowd_of(faces, who, person)


class Drawer:
    """Draws what `how(images, who)` makes, within masks of one."""

    resolution = SIDE

    def __init__(self, how):
        self.how, self.asked = how, []

    def draw_as(self, images, who):
        assert who.shape == (len(images), 2, 192)
        self.asked.append(who)
        return self.how(images.astype(np.float32) / 255, who), np.ones(images.shape[:3], np.float32)


def score(people, how):
    return CrowdValidator(people, Colours(), Still()).score(Drawer(how))


def test_who_gives_back_what_it_sees_has_no_error_and_changes_nobody(people):
    scores = score(people, lambda images, who: images)
    assert scores.error == pytest.approx(0, abs=1e-4) and scores.ssim == pytest.approx(1, abs=1e-4)
    assert scores.sharpness == pytest.approx(1, abs=0.01)
    assert scores.leftover > 0.95 and scores.identity < 0.8
    assert scores.distance == 0 and scores.total == -scores.error


def test_who_paints_the_right_colour_is_taken_for_that_person(people):
    def painted(images, who):
        drawn = np.empty_like(images)
        drawn[:] = np.clip(140 + 100 * who[:, 0, None, None, :3], 0, 255) / 255
        return drawn

    scores = score(people, painted)
    assert scores.identity > 0.95 > scores.leftover
    assert scores.error > 0.5 and scores.sharpness < 0.2


def test_a_blurred_face_is_worse_than_a_sharp_one(people):
    soft = score(people, lambda images, who: 0.5 * images + 0.2)
    grey = score(people, lambda images, who: np.full_like(images, 0.5))
    assert 0 < soft.error < grey.error and soft.ssim > grey.ssim


def test_moved_landmarks_are_told(people):
    def moved(images, who):
        drawn = images.copy()
        drawn[:, 0, 0, 0] = 1
        return drawn

    assert score(people, moved).distance > 1


def test_partners_are_other_people_and_seconds_are_at_times_somebody_else(people):
    drawer = Drawer(lambda images, who: images)
    CrowdValidator(people, Colours(), Still()).score(drawer)
    own, other = drawer.asked[0], drawer.asked[1]
    np.testing.assert_array_equal(own[:, 0], people.who)
    assert not any(np.array_equal(a, b) for a, b in zip(own[:, 0], other[:, 0], strict=True))
    same = [np.array_equal(first, second) for first, second in own]
    assert same == [True, False] * 6
    np.testing.assert_array_equal(other[:, 0], other[:, 1])


def test_of_many_faces_some_are_measured_and_everybody_is_among_them(people):
    many = people.some(np.resize(np.arange(12), 10 * MOST))
    drawer = Drawer(lambda images, who: images)
    CrowdValidator(many, Colours(), Still()).score(drawer)
    assert sum(map(len, drawer.asked)) == 2 * MOST


def test_of_many_people_some_are_measured_evenly(people):
    """Facesets come one after the other: the last one's people count as the first one's do."""
    count = 3 * MOST
    crowd = replace(people.some(np.resize(np.arange(12), count)), people=np.arange(count))
    numbers = np.zeros((count, 192), np.float32)
    numbers[:, 0], numbers[:, 1] = 1, np.arange(count)
    drawer = Drawer(lambda images, who: images)
    CrowdValidator(replace(crowd, who=numbers), Colours(), Still()).score(drawer)
    measured = np.concatenate([who[:, 0, 1] for who in drawer.asked[: len(drawer.asked) // 2]])
    assert len(measured) == MOST and measured[0] == 0 and measured[-1] == count - 1
    assert set(np.diff(measured)) <= {2, 3, 4}


def test_scores_are_told_as_others_are():
    scores = CrowdScores(error=1.25, ssim=0.9, sharpness=0.5, identity=0.4, leftover=0.1, distance=float("nan"))
    found: Found = scores
    assert found.total == -1.25
    assert found.to_json() == {
        "error": 1.25, "ssim": 0.9, "sharpness": 0.5, "identity": 0.4, "leftover": 0.1, "distance": None,
        "total": -1.25,
    }  # fmt: skip
    assert "error 1.250" in found.text() and "identity 0.40" in found.text()
