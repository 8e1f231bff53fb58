"""merge where a hand passes before the face: it stays as the plate has it, in every frame, however the work is cut."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from merge_material import Painter, config_for, make_consent

from drawn_hands import draw_hand
from konterfei.geometry import Crop, FaceType
from konterfei.io.faceset import FaceRecord, Faceset, FacesetHeader
from konterfei.io.images import read_image, write_image
from konterfei.io.sequence import sequence_sha256
from konterfei.occluders.hands import Hands
from konterfei.reporting import Silent
from konterfei.stages.merge import merge
from occluder_scenes import LANDMARKS, clean_frame, face

FRAMES = 7
HAND = range(2, 6)
MISSED = 3


class Knowing(Painter):
    """Draws the face that it is shown as it is without anything in front of it."""

    face_type = FaceType.FULL

    def redraw(self, images):
        clean = Crop.fit(LANDMARKS, FaceType.FULL, self.resolution).cut(clean_frame())
        return np.repeat(clean[None].astype(np.float32) / 255, len(images), axis=0)


def hand_in(index):
    frame = clean_frame(index)
    if index not in HAND:
        return frame, np.zeros(frame.shape[:2], np.float32)
    return draw_hand(frame, np.add(LANDMARKS.mean(axis=0), [4 * index, 160]), 85, 0.0, (170, 120, 95))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("occlusion")
    plate = folder / "plate"
    plate.mkdir()
    for index in range(FRAMES):
        write_image(plate / f"{index:04}.png", hand_in(index)[0])
    header = {"face_type": FaceType.WHOLE, "size": 32, "source": str(plate), "source_sha256": sequence_sha256(plate)}
    with Faceset.create(folder / "faces", FacesetHeader(**header)) as faceset:
        for index in range(FRAMES):
            crop = Crop.fit(LANDMARKS, FaceType.WHOLE, 32)
            record = FaceRecord(
                source=plate.name,
                frame_index=index,
                pts=Fraction(index, 25),
                face=face().with_(track=0),
                face_type=FaceType.WHOLE,
                size=32,
                crop_from_frame=crop.crop_from_frame.matrix,
                frame_size=(640, 480),
            )
            faceset.add(crop.cut(hand_in(index)[0]), record)
    make_consent(folder / "consent.toml")
    return folder


@pytest.fixture
def merged(place, tmp_path):
    """merged(name, **settings) -> the frames. [7, 480, 640, 3]"""

    def run(name, **settings):
        config = config_for(place, place / "plate", place / "faces", output=tmp_path / name, color="none", **settings)
        merge(config, Silent(), Knowing())
        return np.stack([read_image(path) for path in sorted((tmp_path / name).glob("*.png"))])

    return run


def painted_over(frames, index):
    """Which part of the hand on the face is not as in the plate."""
    plate, truth = hand_in(index)
    inside = np.zeros(truth.shape, np.uint8)
    cv2.fillConvexPoly(inside, np.rint(cv2.convexHull(LANDMARKS.astype(np.float32))).astype(np.int32), 1)
    core = (cv2.erode(truth, np.ones((7, 7))) > 0.99) & (cv2.erode(inside, np.ones((15, 15))) > 0)
    assert core.sum() > 300
    return float((np.abs(frames[index].astype(int) - plate).max(axis=-1)[core] > 8).mean())


def test_the_hand_stays_in_every_frame(merged):
    over, kept = merged("over", mask="learned_hull"), merged("kept", mask="visible")
    for index in HAND:
        assert painted_over(over, index) > 0.5
        assert painted_over(kept, index) < 0.05


def test_the_models_own_picture_is_asked_for_where_the_mask_needs_it(merged):
    seen = merged("seen", mask="visible_known")
    assert all(painted_over(seen, index) < 0.05 for index in HAND)


def test_a_hand_that_is_missed_in_one_frame_does_not_flash(merged, monkeypatch):
    find = Hands.find
    missed = hand_in(MISSED)[0]

    def blink(self, view):
        found = find(self, view)
        return found * 0 if np.array_equal(view.frame, missed) else found

    monkeypatch.setattr(Hands, "find", blink)
    whole = merged("whole", mask="visible")
    assert painted_over(whole, MISSED) < 0.25
    cut = merged("cut", mask="visible", part_frames=2)
    assert np.array_equal(whole, cut)
