"""Drawn faces are steadied along their tracks, and the same wherever the reading begins."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from merge_material import FRAMES, Painter, config_for, face, make_consent, make_faces, make_plate

from konterfei.compositing import MergeSettings, Swapped
from konterfei.geometry import Crop, FaceType
from konterfei.io.faceset import FaceRecord
from konterfei.io.images import read_image
from konterfei.io.video import Frame
from konterfei.reporting import Silent
from konterfei.stages._merge_clock import Clock
from konterfei.stages._merge_stream import Item, steady_faces
from konterfei.stages.merge import merge

SIZE = 32


class Shimmering(Painter):
    """Each picture comes out a little differently, by what it shows."""

    def draw(self, images):
        drawn, masks, plate_masks = super().draw(images)
        for image, shown in zip(drawn, images, strict=True):
            image += np.random.default_rng(int(shown.sum())).normal(0, 0.003, image.shape).astype(np.float32)
        return np.clip(drawn, 0, 1), masks, plate_masks


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("steady")
    plate = make_plate(folder / "plate.mp4", sound=False)
    make_faces(folder / "faces", plate)
    make_consent(folder / "consent.toml")
    return folder


@pytest.fixture
def config(place):
    return config_for(place, place / "plate.mp4", place / "faces")


def pictures(folder):
    return np.stack([read_image(path) for path in sorted(folder.glob("*.png"))])


def test_a_merge_is_calmer_and_the_same_in_parts_of_any_length(place, config):
    made = {}
    for name, painter, changes in (
        ("clean", Painter(), {"steady": 0.0}),
        ("raw", Shimmering(), {"steady": 0.0}),
        ("short", Shimmering(), {}),
        ("long", Shimmering(), {"part_frames": 100}),
    ):
        output = place / name / "%03d.png"
        merge(dataclasses.replace(config, output=output, **changes), Silent(), painter)
        made[name] = pictures(output.parent).astype(np.int16)
    assert np.array_equal(made["short"], made["long"])
    noise = {name: np.abs(made[name] - made["clean"]).mean() for name in ("raw", "short")}
    assert noise["short"] < 0.9 * noise["raw"]  # both are rounded to whole levels


def items(tracks):
    """One face a frame, each as noise draws it, of these tracks."""
    rng = np.random.default_rng(0)
    for index, track in enumerate(tracks):
        one = face(index, track=track)
        crop = Crop.fit(one.landmarks, FaceType.WHOLE, SIZE)
        aligned = np.full((SIZE, SIZE, 3), 128, np.uint8)
        image = (0.5 + rng.normal(0, 0.002, (SIZE, SIZE, 3))).astype(np.float32)
        mask = np.ones((SIZE, SIZE), np.float32)
        record = FaceRecord(
            source="plate.mp4",
            frame_index=index,
            pts=Fraction(index, 25),
            face=one,
            face_type=FaceType.WHOLE,
            size=SIZE,
            crop_from_frame=crop.crop_from_frame.matrix,
            frame_size=(160, 128),
        )
        frame = Frame(index, Fraction(index, 25), np.zeros((128, 160, 3), np.uint8))
        swapped = Swapped(crop=crop, aligned=aligned, image=image, mask=mask)
        yield Item(frame=frame, settings=MergeSettings(), records=[record], swapped=[swapped])


def calm(tracks, reach=3):
    return [item.swapped[0].image for item in steady_faces(items(tracks), reach, Clock())]


def test_a_cut_is_not_crossed():
    cut = calm([0] * 8 + [1] * 8)
    assert all(np.array_equal(a, b) for a, b in zip(cut[:8], calm([0] * 8), strict=True))
    whole = calm([0] * 16)
    assert not np.array_equal(cut[7], whole[7]) and not np.array_equal(cut[8], whole[8])


def test_nobody_else_is_taken_for_the_same_face():
    """Two faces of one track in a frame: nobody knows which is which, so that frame does not count."""
    once, twice = list(items([0] * 7)), list(items([0] * 7))
    other = twice[4]
    twice[4] = dataclasses.replace(other, records=other.records * 2, swapped=other.swapped * 2)
    plain, doubled = (list(steady_faces(iter(many), 3, Clock())) for many in (once, twice))
    assert not np.array_equal(plain[3].swapped[0].image, doubled[3].swapped[0].image)
    assert np.array_equal(plain[0].swapped[0].image, doubled[0].swapped[0].image)


def test_no_frame_is_lost_or_turned_round():
    assert [item.frame.index for item in steady_faces(items([0] * 5), 3, Clock())] == list(range(5))
    raw, off = [item.swapped[0].image for item in items([0] * FRAMES)], calm([0] * FRAMES, reach=0)
    assert all(np.array_equal(a, b) for a, b in zip(raw, off, strict=True))
