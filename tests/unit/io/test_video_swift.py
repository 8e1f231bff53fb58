"""RGB that is good enough to look at: near to the exact one, and only where that is worth its while."""

import numpy as np
import pytest
from video_fixtures import make_clip

from konterfei.io.video import ColorTags, VideoReader, VideoWriter, open_frames


def smooth_clip(path, width, height, **options):
    """Two frames of soft colours."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    with VideoWriter(path, width, height, crf=4, fps_hint=25, **options) as writer:
        for index in range(2):
            waves = [np.sin(x / (50 + 9 * n) + index) * np.cos(y / (40 + 7 * n)) for n in range(3)]
            writer.write((127 + 80 * np.stack(waves, axis=-1)).astype(np.uint8), index / 25)
    return path


@pytest.mark.parametrize("tags", [ColorTags(1, 1, 1, 1), ColorTags(6, 6, 6, 1), ColorTags(1, 1, 1, 2)], ids=str)
def test_it_differs_by_little_from_the_exact_one(tmp_path, tags):
    clip = smooth_clip(tmp_path / "clip.mp4", 1280, 720, color=tags)
    exact, swift = VideoReader(clip), open_frames(clip, swift=True)
    for one, other in zip(exact, swift, strict=True):
        away = one.image.astype(int) - other.image
        assert other.image.shape == (720, 1280, 3) and away.any(), "this is the exact one"
        assert np.abs(away).mean() < 2 and np.abs(away).max() <= 8


def test_small_frames_are_exact(tmp_path):
    clip = make_clip(tmp_path / "clip.mp4")
    for one, other in zip(VideoReader(clip), VideoReader(clip, swift=True), strict=True):
        assert np.array_equal(one.image, other.image)
