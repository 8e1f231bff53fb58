import cv2
import numpy as np
import pytest

from konterfei.performers.matting import cut_out, push_pull

SIDE = 400


@pytest.fixture(scope="module")
def portrait():
    """A dark-haired ball on a body before a grey that darkens towards its corners, with true coverage."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE
    grey = (0.47 - 0.08 * ((x - 0.5) ** 2 + (y - 0.5) ** 2))[..., None] * np.array([1.0, 0.99, 0.98], np.float32)
    big = np.zeros((4 * SIDE, 4 * SIDE, 3), np.uint8)
    cv2.ellipse(big, (2 * SIDE, 4 * SIDE), (int(1.3 * SIDE), int(1.9 * SIDE)), 0, 0, 360, (255, 0, 255), -1)
    cv2.circle(big, (2 * SIDE, int(1.6 * SIDE)), int(0.9 * SIDE), (255, 255, 0), -1)
    layers = cv2.resize(big, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    cover, ball = layers[..., 0], layers[..., 1]
    skin = np.where(ball[..., None] > 0.5, np.array([0.06, 0.05, 0.05]), np.array([0.93, 0.93, 0.95]))
    return (cover[..., None] * skin + (1 - cover[..., None]) * grey).astype(np.float32), cover, ball


def test_coverage_is_found_to_the_pixel(portrait):
    picture, cover, _ = portrait
    _, alpha = cut_out(picture)
    assert np.abs(alpha - cover).mean() < 0.004
    assert alpha[cover == 0].mean() < 0.01 and alpha[cover == 1].mean() > 0.995


def test_no_grey_is_left_on_the_outline(portrait):
    picture, cover, ball = portrait
    colour, alpha = cut_out(picture)
    edge = (cover > 0.1) & (cover < 0.9) & (ball > 0.05)
    edge[int(0.45 * SIDE) :] = False
    assert edge.sum() > 200
    assert colour[edge].max() < 0.20, "dark hair stays dark where it meets the backdrop"
    white = colour * alpha[..., None] + (1 - alpha[..., None])
    truth = picture + (1 - cover[..., None]) * (1 - np.array([0.46, 0.455, 0.45]))
    assert np.abs(white - truth)[: int(0.45 * SIDE)].max() < 0.30


def test_push_pull_keeps_what_is_known_and_fills_between():
    colour = np.zeros((64, 64, 3), np.float32)
    colour[:, :20], colour[:, 44:] = 0.2, 0.8
    weight = np.zeros((64, 64), np.float32)
    weight[:, :20] = weight[:, 44:] = 1
    out = push_pull(colour, weight)
    assert np.abs(out[:, :19] - 0.2).max() < 1e-3 and np.abs(out[:, 45:] - 0.8).max() < 1e-3
    middle = out[32, 20:44, 0]
    assert middle.min() >= 0.199 and middle.max() <= 0.801
    assert middle[2] < 0.4 < 0.6 < middle[-3]
