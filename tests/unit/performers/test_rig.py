import numpy as np
import pytest

from konterfei.performers import anatomy
from konterfei.performers.motion import PITCH_LIMIT, YAW_LIMIT, Motion, Pose
from konterfei.performers.raster import signed_areas

from .conftest import SIZE

POSES = {
    "rest": Pose(),
    "left": Pose(yaw=-YAW_LIMIT),
    "right": Pose(yaw=YAW_LIMIT),
    "down": Pose(pitch=PITCH_LIMIT),
    "up": Pose(pitch=-PITCH_LIMIT),
    "open": Pose(jaw=0.6),
    "smile": Pose(smile=1.0, yaw=-YAW_LIMIT),
    "surprise": Pose(surprise=1.0, jaw=0.75),
    "oo": Pose(pucker=0.9, jaw=0.2),
    "shut": Pose(blink=1.0, yaw=YAW_LIMIT),
}


@pytest.fixture(scope="module", params=["P005", "P006"])
def rig(request, plates):
    return plates[request.param].rig


@pytest.mark.parametrize("name", POSES)
def test_hardly_anything_folds_over(rig, name):
    placed = rig.place(rig.shape(POSES[name]), POSES[name], SIZE)
    areas = signed_areas(placed, rig.triangles) * np.sign(signed_areas(rig.opened, rig.triangles))
    assert -areas[areas < 0].sum() < 0.004 * areas.sum()


def test_at_rest_nothing_moves(rig):
    assert np.abs(rig.place(rig.shape(Pose()), Pose(), SIZE) - rig.rest).max() < 1e-3


def test_angles_have_the_signs_that_they_are_said_to_have(rig):
    def nose(pose):
        placed = rig.place(rig.shape(pose), pose, SIZE)
        return placed[1] - placed[[234, 454]].mean(axis=0)

    assert nose(Pose(yaw=0.2))[0] > nose(Pose())[0] + 0.05 * rig.eye_distance
    assert nose(Pose(pitch=0.1))[1] > nose(Pose())[1] + 0.02 * rig.eye_distance
    rolled = rig.place(rig.shape(Pose(roll=0.09)), Pose(roll=0.09), SIZE)
    eyes = rolled[263, :2] - rolled[33, :2]
    assert np.arctan2(eyes[1], eyes[0]) == pytest.approx(0.09, abs=0.02)  # clockwise as seen: the right eye sinks


def test_shoulders_stay_while_the_head_turns(rig):
    pose = Pose(yaw=YAW_LIMIT, pitch=PITCH_LIMIT, roll=0.08, shift=(0.03, 0.01))
    body = rig.headness == 0
    assert body.sum() >= 12
    assert np.abs(rig.place(rig.shape(pose), pose, SIZE)[body, :2] - rig.rest[body, :2]).max() < 1e-3


@pytest.mark.parametrize("pose", [Pose(blink=1.0), Pose(blink=1.0, surprise=1.0), Pose(blink=1.0, smile=0.9)])
def test_a_blink_shuts_the_eyes_in_every_expression(rig, pose):
    points = rig.shape(pose)
    for upper, lower in zip(anatomy.UPPER_LID, anatomy.LOWER_LID, strict=True):
        low = points[list(lower), :2]
        for x, y, _ in points[list(upper)]:
            gap = np.interp(x, low[:, 0], low[:, 1]) - y
            assert abs(gap) < 0.035 * rig.eye_distance


def test_the_textures_reach_beyond_the_frame_in_every_pose(rig):
    motion = Motion(3)
    for k in range(0, 300, 7):
        pose = motion.at(k / 25)
        placed = rig.place(rig.shape(pose), pose, SIZE)
        assert (placed[:, :2].min(axis=0) < -2).all() and (placed[:, :2].max(axis=0) > SIZE + 1).all()


def test_both_people_are_framed_alike(plates):
    eyes = {name: p.rig.rest[[33, 133, 362, 263], :2].mean(axis=0) for name, p in plates.items()}
    assert np.abs(eyes["P005"] - eyes["P006"]).max() < 0.5
    assert plates["P005"].rig.eye_distance == pytest.approx(plates["P006"].rig.eye_distance, rel=1e-3)
