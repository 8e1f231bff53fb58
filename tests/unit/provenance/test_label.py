from __future__ import annotations

import numpy as np
import pytest

from konterfei.errors import UnknownNameError
from konterfei.provenance import label
from konterfei.provenance.label import LABELS, draw_label, label_region, wording

SIZES = [(320, 240), (426, 240), (240, 426), (1280, 720), (1080, 1920), (3840, 2160)]
SHOWN = [name for name in LABELS if name != "none"]


def luminance(values: np.ndarray) -> np.ndarray:
    """WCAG 2.2 relative luminance of grey values 0..255."""
    unit = values / 255
    return np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("style", SHOWN)
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_only_the_label_is_touched_and_it_lies_in_the_title_safe_area(style: str, width: int, height: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    before = image.copy()
    drawn = draw_label(image, style)
    rows, columns = label_region(width, height, style)
    assert drawn is image
    assert (drawn[rows, columns] != before[rows, columns]).any()
    drawn = drawn.copy()
    drawn[rows, columns] = before[rows, columns]
    assert np.array_equal(drawn, before)
    assert rows.start >= 0.05 * height - 1 and rows.stop <= 0.95 * height + 1
    assert columns.start >= 0.05 * width - 1 and columns.stop <= 0.95 * width + 1


@pytest.mark.parametrize("style", SHOWN)
@pytest.mark.parametrize("background", [0, 128, 255])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_it_can_be_read_on_every_background(style: str, background: int, width: int, height: int) -> None:
    image = draw_label(np.full((height, width, 3), background, np.uint8), style)
    region = image[label_region(width, height, style)][:, :, 0].astype(float)
    light, dark = luminance(region.max()), luminance(np.median(region))
    assert (light + 0.05) / (dark + 0.05) >= 4.5, "WCAG 2.2, 1.4.3"
    letters = region > 0.8 * region.max() + 0.2 * np.median(region)
    lines = np.flatnonzero(letters.any(axis=1))
    assert lines[-1] - lines[0] + 1 >= max(8, 0.022 * min(width, height)), "height of the letters in pixels"
    assert 0.05 < letters.mean() < 0.6


def test_the_same_in_16_bit() -> None:
    base = np.random.default_rng(1).integers(0, 256, (240, 320, 3), np.uint8)
    eight = draw_label(base.copy(), "caption").astype(int)
    sixteen = draw_label(base.astype(np.uint16) * 257, "caption")
    assert sixteen.dtype == np.uint16
    assert np.abs(sixteen / 257 - eight).max() <= 1


@pytest.mark.parametrize("style", SHOWN)
def test_extremes_do_not_overflow(style: str) -> None:
    for kind in (np.uint8, np.uint16):
        top = np.iinfo(kind).max
        image = draw_label(np.full((720, 1280, 3), top, kind), style)
        region = image[label_region(1280, 720, style)]
        assert region.max() >= top - top // 200 and region.min() >= 0.3 * top
        assert draw_label(np.zeros((720, 1280, 3), kind), style).max() >= top - top // 200


def test_none_draws_nothing_and_names_are_checked() -> None:
    image = np.full((240, 320, 3), 9, np.uint8)
    assert (draw_label(image, "none") == 9).all()
    assert label_region(320, 240, "none") is None
    assert wording("none") == "" and wording("corner") == "AI MODIFIED"
    with pytest.raises(UnknownNameError, match="corner"):
        draw_label(image, "cornr")
    with pytest.raises(ValueError, match="without words"):
        draw_label(image, "corner", text=" ")
    with pytest.raises(ValueError, match="expected"):
        draw_label(image.astype(np.float32), "corner")


def test_other_words_and_frames_too_small_for_them() -> None:
    plain = label_region(640, 360, "corner")
    german = label_region(640, 360, "corner", "KI-MODIFIZIERT")
    assert plain is not None and german is not None and german != plain
    tiny = label_region(64, 64, "caption")
    assert tiny is not None and (tiny[1].stop - tiny[1].start) < 60, "shortened to AI"
    assert label_region(8, 8, "corner") is None
    draw_label(np.zeros((8, 8, 3), np.uint8), "corner")


def test_a_read_only_frame_is_copied() -> None:
    image = np.full((240, 320, 3), 200, np.uint8)
    image.flags.writeable = False
    drawn = draw_label(image, "corner")
    assert (image == 200).all() and (drawn != 200).any()


def test_the_letters_are_drawn_once_for_all_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    real = label._plate

    def counted(text: str, width: int, height: int) -> object:
        drawn.append((width, height))
        return real(text, width, height)

    monkeypatch.setattr(label, "_plate", counted)
    label._overlay.cache_clear()
    for _ in range(3):
        for width, height in ((1280, 720), (3840, 2160)):
            draw_label(np.zeros((height, width, 3), np.uint8), "caption")
    assert drawn == [(1280, 720), (3840, 2160)]
