"""The list of portraits: whole, consistent, nobody on both sides; and what is made of it."""

from collections import Counter
from fractions import Fraction

import pytest

from konterfei.geometry import Crop, Face, FaceType
from konterfei.io.faceset import FaceRecord
from posed_faces import landmarks

VALUES = {
    "tone": {"light", "medium", "dark"},
    "age_group": {"young", "middle", "old"},
    "glasses": {"yes", "no", "dark"},
    "beard": {"yes", "no"},
    "hat": {"yes", "no"},
}
WHOLE_FAMILIES = {
    "flux_images",
    "FLUX1_schnell_SDXL_images",
    "SFHQ_sample_2x4",
    "SFHQ_sample_1x2",
    "T1_glasses",
    "T2_Facial_Hair",
    "T2_Face_Pose",
    "T1_age_female",
}
ENOUGH = 15


@pytest.fixture
def module(script):
    return script("portraits")


@pytest.fixture
def portraits(module):
    return module.read_list()


def record_of(file, x, y, side=100.0):
    points = landmarks(shift=(x - 160, y - 115))
    box = [x - side / 2, y - side / 2, x + side / 2, y + side / 2]
    crop = Crop.fit(points, FaceType.WHOLE, 256)
    return FaceRecord(
        source=f"faces/{file}",
        frame_index=0,
        pts=Fraction(0),
        face=Face(box=box, landmarks=points),
        face_type=FaceType.WHOLE,
        size=256,
        crop_from_frame=crop.crop_from_frame.matrix,
        frame_size=(400, 400),
    )


def test_each_face_is_listed_once_and_says_why_it_is_out(portraits):
    assert len(portraits) > 1800
    assert max(Counter((one.file, one.x, one.y) for one in portraits).values()) == 1
    for one in portraits:
        assert one.file.startswith(one.family + "__")
        assert (one.use == "out") == bool(one.reason)
        for name, values in VALUES.items():
            assert getattr(one, name) in values
        assert abs(one.yaw) <= 90 and 0 <= one.age <= 100


def test_families_held_out_are_held_out_as_a_whole(portraits):
    assert {one.family for one in portraits} >= WHOLE_FAMILIES
    assert not [one.file for one in portraits if one.family in WHOLE_FAMILIES and one.use == "train"]


def test_no_picture_lies_on_both_sides(portraits):
    train, held = ({one.file for one in portraits if one.use == use} for use in ("train", "held"))
    assert not train & held
    assert 0.08 < len(held) / len(train | held) < 0.15


def test_every_group_has_enough_held_out_faces_to_measure_by(portraits):
    counts = Counter(group for one in portraits if one.use == "held" for group in one.groups)
    groups = {group for one in portraits if one.use == "train" for group in one.groups} - {"glasses dark"}
    assert {group: counts[group] for group in groups if counts[group] < ENOUGH} == {}


def test_a_list_with_an_unknown_use_is_refused(module, tmp_path):
    lines = module.LIST.read_text("utf-8").splitlines()[:2]
    (tmp_path / "list.tsv").write_text("\n".join(lines).replace("\tout\t", "\tperhaps\t"), "utf-8")
    with pytest.raises(ValueError, match="perhaps"):
        module.read_list(tmp_path / "list.tsv")


def test_a_record_is_found_by_its_picture_and_place(module, portraits):
    one = portraits[0]
    there = record_of(one.file, one.x + 10, one.y - 10)
    beside = record_of(one.file, one.x + 60, one.y)
    other = record_of(portraits[1].file, one.x, one.y)
    assert module.found([one], [beside, other, there]) == {0: there}
    assert module.found([one], [beside, other]) == {}
