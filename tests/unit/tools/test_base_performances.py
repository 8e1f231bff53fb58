"""openpeople's pictures: cut along the frames of their sheets, and nobody among them who must be kept out."""

import numpy as np
import pytest

KEPT_OUT = {"P001", "P003", "P005", "P006", "P007", "P010"}


@pytest.fixture
def module(script):
    return script("performances")


def sheet(places):
    """A grey sheet with white frames 5 pixels wide around grey pictures of 400 x 300."""
    image = np.full((900, 1400, 3), 110, np.uint8)
    for number, (x, y) in enumerate(places):
        image[y : y + 310, x : x + 410] = 255
        image[y + 5 : y + 305, x + 5 : x + 405] = 40 + number
    return image


def test_nobody_by_whom_swaps_are_measured_is_taken(module):
    assert not KEPT_OUT & {*module.PICTURED, *module.RENDERED}
    assert set(module.RENDERED) <= set(module.PICTURED)


def test_frames_come_row_by_row_without_their_white(module):
    places = [(20, 30), (700, 34), (20, 500), (700, 496)]
    image = sheet(places)
    found = module.frames(image)
    assert [int(image[y + h // 2, x + w // 2, 0]) for x, y, w, h in found] == [40, 41, 42, 43]
    for x, y, w, h in found:
        assert w > 390 and h > 290
        assert image[y : y + h, x : x + w].max() < 255


def test_white_clothes_are_no_frame(module):
    image = sheet([(20, 30)])
    image[500:800, 100:600] = 255
    assert len(module.frames(image)) == 1


def test_a_record_tells_its_person(module):
    assert module.person_of("P007_03.mp4") == 7
    assert module.person_of("heads/P009_amateur_selfie.png") == 9


def test_pictures_are_one_head_each_and_are_written_once(module, tmp_path):
    pytest.importorskip("openpeople")
    written = module.pictures(tmp_path)
    assert len(written) == len(set(written)) == len(module.PICTURED) * (len(module.ALONE) + sum(module.SHEETS.values()))
    before = {path: path.stat().st_mtime_ns for path in written}
    assert module.pictures(tmp_path) == written
    assert {path: path.stat().st_mtime_ns for path in written} == before
