import numpy as np
import pytest

from konterfei.geometry import HEAD_68


@pytest.fixture
def landmarks():
    """The face of the conformance vectors: the model head seen from the front, turned by 10 degrees. [68, 2] float64"""
    turn = np.deg2rad(10)
    x, y = HEAD_68[:, :2].astype(np.float64).T
    turned = np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], axis=1)
    return turned * 2 + [300, 280]


@pytest.fixture
def project():
    """Landmarks of the model head after turning it about x, then about y, then in the image (degrees)."""

    def at(rx, ry, rz=0.0, scale=2.0, centre=(300.0, 280.0), distance=None):
        (cx, sx), (cy, sy), (cz, sz) = ((np.cos(v), np.sin(v)) for v in np.deg2rad([rx, ry, rz]))
        about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
        about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
        turned = HEAD_68.astype(np.float64) @ (about_z @ about_y @ about_x).T
        depth = np.ones((68, 1)) if distance is None else 1 + turned[:, 2:] / distance
        return turned[:, :2] / depth * scale + centre

    return at
