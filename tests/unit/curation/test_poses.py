"""The map of poses, and poses in words."""

import numpy as np
import pytest

from konterfei.curation.poses import PITCH_AHEAD, PITCH_EDGES, YAW_EDGES, pose_map, way_of


def test_every_face_counts_once_and_the_best_of_a_cell_is_shown():
    yaw = np.array([0.0, 3.0, 25.0, -100.0, 100.0])
    pitch = np.array([0.0, 1.0, 0.0, -90.0, 90.0]) + PITCH_AHEAD
    made = pose_map(pitch, yaw, np.array([0.2, 0.9, np.nan, 0.1, 0.1]))
    assert made.counts.sum() == 5 and made.filled == 4
    middle = (len(PITCH_EDGES) - 1) // 2, (len(YAW_EDGES) - 1) // 2
    assert made.counts[middle] == 2 and made.best[middle] == 1
    assert made.best[0, 0] == 3 and made.best[-1, -1] == 4  # beyond the edges counts in the outermost cells
    assert (made.best >= 0).sum() == 4


@pytest.mark.parametrize(
    ("pitch", "yaw", "words"),
    [
        (0, 0, "straight ahead"),
        (0, 35, "35 degrees to the left"),
        (0, -35, "35 degrees to the right"),
        (-20, 4, "20 degrees down"),
        (20, -40, "40 degrees to the right and 20 up"),
    ],
)
def test_poses_in_words(pitch, yaw, words):
    assert way_of(pitch + PITCH_AHEAD, yaw) == words
