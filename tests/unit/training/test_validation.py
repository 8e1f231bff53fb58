"""Validation: what is held out, and that its figures tell a good model from a bad one."""

import dataclasses
from fractions import Fraction

import cv2
import numpy as np
import pytest

from drawn_faces import ANNA, BERT
from drawn_vision import DrawnDetector, DrawnLandmarker, DrawnRecognizer, scene
from konterfei.errors import FacesetError
from konterfei.geometry import ALIGNED, TEMPLATE, Crop, Face, FaceType
from konterfei.io.faceset import FaceRecord, Faceset, FacesetHeader
from konterfei.metrics.observation import Eyes
from konterfei.metrics.series import People, Series
from konterfei.training import validation
from konterfei.training.held_out import STRETCH, hold_out
from konterfei.training.validation import Scores, Validator, expression_of, total_of

FRAMES = 24
EYES = Eyes(DrawnDetector(), DrawnLandmarker(), DrawnRecognizer())


def faceset(folder, skin, count=FRAMES):
    header = FacesetHeader(face_type=FaceType.WHOLE, size=96, source="a.mp4", source_sha256="00" * 32)
    with Faceset.create(folder, header) as made:
        for index, image in enumerate(scene(count, skin)):
            points = DrawnLandmarker().landmarks(image, [DrawnDetector().detect(image)[0]])[0].points
            crop = Crop.fit(points, FaceType.WHOLE, 96)
            record = FaceRecord(
                source="a.mp4", frame_index=index, pts=Fraction(index, 25),
                face=Face(box=[*points.min(0), *points.max(0)], landmarks=points,
                          embedding=DrawnRecognizer().embed(image, [points])[0]),
                face_type=FaceType.WHOLE, size=96, crop_from_frame=crop.crop_from_frame.matrix, frame_size=(320, 240),
            )  # fmt: skip
            made.add(crop.cut(image), record)
    return Faceset.open(folder)


class Paints:
    """Stands for a model: gives back what it is shown, changed by `change`; its mask is everything."""

    resolution = 96
    face_type = FaceType.WHOLE

    def __init__(self, change=lambda image: image):
        self.change = change

    def swap(self, images):
        drawn = np.stack([self.change(image) for image in images]).astype(np.float32) / 255
        return drawn, np.ones(images.shape[:3], np.float32)

    def rebuild(self, src, dst):
        return self.swap(src)[0], self.swap(dst)[0]


def recoloured(image):
    """Bert's skin becomes Anna's."""
    away = np.abs(image.astype(int) - BERT).max(axis=2) < 40
    out = image.copy()
    out[away] = ANNA
    return out


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    return faceset(folder / "anna", ANNA), faceset(folder / "bert", BERT)


@pytest.fixture
def validator(people, monkeypatch):
    monkeypatch.setattr(validation, "_SHARPEST", 10.0)  # Anna's drawn features stand out from her skin more than Bert's
    src, dst = people
    return Validator(src, dst, src.names()[::2], dst.names()[::2], EYES)


def test_a_good_swap_scores_higher_than_none_and_than_a_blur(validator):
    good = validator.score(Paints(recoloured))
    none = validator.score(Paints())
    blur = validator.score(Paints(lambda image: cv2.GaussianBlur(recoloured(image), (0, 0), 3)))
    assert good.identity > 0.9 > 0.5 > none.identity and none.leftover > 0.9 > good.leftover
    assert good.total > none.total and good.total > blur.total
    assert blur.sharpness < 0.5 * good.sharpness and blur.ssim_dst < good.ssim_dst
    assert good.distance < 2


def test_who_gives_back_what_it_sees_is_perfect_at_rebuilding(validator):
    found = validator.score(Paints())
    assert found.ssim_src == pytest.approx(1, abs=1e-5) and found.ssim_dst == pytest.approx(1, abs=1e-5)
    wrong = validator.score(Paints(lambda image: 255 - image))
    assert wrong.ssim_src < 0.5


def test_a_face_that_is_not_there_any_more_is_no_score_and_no_error(validator):
    found = validator.score(Paints(lambda image: np.full_like(image, 60)))
    assert np.isnan(found.identity) and found.seen == 0
    assert np.isnan(found.total), "how well dst is given back is no score of a swap"
    assert found.to_json()["identity"] is None and found.to_json()["total"] is None
    assert found.text() == "the drawn faces show nothing that could be measured yet"


def test_frames_without_a_face_do_not_raise_the_score(validator):
    """Of a network that draws only some faces, those say nothing of the others."""

    class Now(Paints):
        def __init__(self, every):
            super().__init__(recoloured)
            self.every, self.drawn = every, 0

        def swap(self, images):
            self.drawn += 1
            grey = self.drawn % self.every
            return Paints((lambda image: np.full_like(image, 60)) if grey else recoloured).swap(images)

    whole, half, few = (validator.score(Now(every)) for every in (1, 2, 6))
    assert (whole.seen, half.seen) == (1, 0.5) and few.seen == pytest.approx(1 / 6)
    assert half.identity == pytest.approx(whole.identity, abs=0.05), "of those that are seen"
    assert whole.total > half.total + 0.2 and half.total > few.total + 0.1
    assert "a face in 50 %" in half.text() and "a face in" not in whole.text()


def test_an_expression_that_too_few_faces_show_is_none():
    def series(seen, motion):
        points = np.zeros((8, 68, 2), np.float32)
        points[:, ALIGNED] = TEMPLATE
        points[:, 61:64, 1] = 0.1 * motion * (2 + np.sin(np.arange(8)))[:, None]  # the mouth opens
        points[seen:] = np.nan
        blank = np.zeros((8, 4, 4, 3), np.uint8)
        return Series(indices=np.arange(8), landmarks=points, embeddings=np.zeros((8, 2), np.float32), crops=blank,
                      masks=np.ones((8, 4, 4), np.float32))  # fmt: skip

    people = People(src=np.zeros(2), dst=np.zeros(2))
    moving, still = series(8, 1), series(8, 0)
    assert expression_of(moving, moving, people) == pytest.approx(1)
    assert expression_of(moving, series(2, 1), people) == 0
    assert np.isnan(expression_of(moving, series(0, 1), people)), "no face at all"
    assert np.isnan(expression_of(still, series(2, 0), people)), "there is none to be shown"


def test_faces_are_rebuilt_a_few_at_a_time(people):
    src, dst = people
    shown = []

    class Counts(Paints):
        def rebuild(self, src, dst):
            shown.append((len(src), len(dst)))
            return super().rebuild(src, dst)

    found = Validator(src, dst, src.names(), dst.names()[:19], EYES).score(Counts(lambda image: image // 2))
    assert shown == [(8, 8), (8, 8), (3, 3)]
    one = Validator(src, dst, src.names(), dst.names()[:19], EYES)
    one._src, one._dst = one._src[:1], one._dst[:1]
    assert 0 < found.ssim_dst < 1 and found.ssim_dst == pytest.approx(
        one._similarity(Paints(lambda i: i // 2))[1], abs=0.1
    )


def test_held_out_faces_that_are_deleted_or_damaged_do_without(tmp_path):
    dst = faceset(tmp_path / "bert", BERT, 5)
    first, second, third, *rest = dst.names()
    (tmp_path / "bert" / first).unlink()
    (tmp_path / "bert" / second).write_bytes(b"no picture")
    names = [first, second, third, *rest]
    assert Validator(dst, dst, names, names, EYES).score(Paints()).ssim_dst == pytest.approx(1, abs=1e-5)
    (tmp_path / "bert" / third).unlink()
    with pytest.raises(FacesetError, match="2 can still be read"):
        Validator(dst, dst, names, names, EYES)


def test_the_total_leaves_out_what_cannot_be_measured():
    scores = Scores(identity=0.8, leftover=0.2, expression=0.6, distance=3.0, sharpness=0.1, ssim_src=0.9, ssim_dst=0.7)
    assert total_of(scores) == pytest.approx((0.6 + 0.6 + 0.8 + 0.7) / 4)
    assert total_of(dataclasses.replace(scores, expression=float("nan"))) == pytest.approx((0.6 + 0.8 + 0.7) / 3)
    unknown = dataclasses.replace(scores, distance=float("nan"))
    assert total_of(unknown) == pytest.approx((0.6 + 0.6 + 0.7) / 3), "not as if it were 15 % and more"
    assert total_of(dataclasses.replace(scores, leftover=-0.3)) == pytest.approx((0.8 + 0.6 + 0.8 + 0.7) / 4)


def test_the_total_counts_frames_without_a_face_as_nothing():
    scores = Scores(identity=0.8, leftover=0.2, expression=0.6, distance=3.0, sharpness=0.1, ssim_src=0.9, ssim_dst=0.7)
    assert total_of(dataclasses.replace(scores, seen=0.5)) == pytest.approx((0.3 + 0.3 + 0.4 + 0.7) / 4)
    unlike = dataclasses.replace(scores, identity=0.1, leftover=0.7, seen=0.5)
    assert total_of(unlike) == pytest.approx((-0.6 + 0.3 + 0.4 + 0.7) / 4), "to hide a bad face makes nothing better"
    assert np.isnan(total_of(dataclasses.replace(scores, seen=0.0)))
    assert np.isnan(total_of(dataclasses.replace(scores, seen=float("nan"))))


def test_stretches_are_held_out_evenly(people):
    records = people[0].records()
    many = [dataclasses.replace(r, frame_index=100 * k + r.frame_index, name=f"{k:03d}_{r.name}")
            for k in range(20) for r in records]  # fmt: skip
    names = hold_out(many[::-1])
    assert names == hold_out(many) and len(names) == len(set(names)) == 24, "5 % of 480"
    order = [r.name for r in many]
    places = [order.index(name) for name in names]
    begins = places[::STRETCH]
    assert places == [b + k for b in begins for k in range(STRETCH)], "neighbours, in one piece"
    assert [begin // 80 for begin in begins] == [0, 1, 2, 3, 4, 5], "one in each sixth"
    assert len(hold_out(many, most=16)) == 16
    assert hold_out(many, share=0) == [] and hold_out(records) == [], "too few to spare any"


def test_what_only_a_few_frames_show_is_not_held_out(people):
    """One look that comes once: wherever it is, the stretch of its part of the faceset leaves it out."""
    record = people[0].records()[0]

    def records(rare):
        made = []
        for k in range(160):
            points = record.face.landmarks.copy()
            points[48:] += [0, 0.2 * np.sin(k)]  # the others come again and again
            if rare <= k < rare + 4:
                points[48:] += [0, 30]
            made.append(dataclasses.replace(record, frame_index=k, name=f"{k:03d}",
                                            face=dataclasses.replace(record.face, landmarks=points)))  # fmt: skip
        return made

    for rare in (0, 40, 76, 100, 156):
        held = hold_out(records(rare))
        assert len(held) == 16 and not {f"{k:03d}" for k in range(rare, rare + 4)} & set(held)


def test_blots_are_no_detail():
    """What a loss that pleased the recognizer drew after half an hour: glaring patterns, twice as sharp as dst."""
    fine = Scores(
        identity=0.88, leftover=0.0, expression=0.58, distance=8.7, sharpness=0.7, ssim_src=0.9, ssim_dst=0.92
    )
    assert total_of(dataclasses.replace(fine, sharpness=1.25)) == total_of(fine)
    assert total_of(dataclasses.replace(fine, sharpness=2.6)) == pytest.approx(total_of(fine) / 2)
    assert np.isfinite(total_of(dataclasses.replace(fine, sharpness=float("nan"))))
