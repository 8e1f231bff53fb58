from dataclasses import replace

import cv2
import numpy as np
import pytest

from konterfei.merge_modes import MERGE_MODES, Patch

S = 96


@pytest.fixture(params=sorted(MERGE_MODES))
def mode(request):
    return MERGE_MODES.load(request.param)


@pytest.fixture
def patch():
    """A face with its own shading, darker than its plate, under a disk with a soft edge."""
    rng = np.random.default_rng(0)
    image, plate = (
        cv2.resize(rng.random((12, 12, 3)).astype(np.float32), (S, S), interpolation=cv2.INTER_LINEAR) * 0.4 + low
        for low in (np.float32([0.1, 0.2, 0.3]), np.float32([0.5, 0.4, 0.3]))
    )
    y, x = np.mgrid[:S, :S] - S / 2
    return Patch(image=image, plate=plate, alpha=np.clip((36 - np.hypot(x, y)) / 6, 0, 1).astype(np.float32))


def shown(laid, patch):
    """The patch as it is blended, without the bound of steep edges."""
    alpha = patch.alpha[..., None]
    return patch.plate * (1 - alpha) + laid.image * alpha + (0 if laid.light is None else laid.light)


def test_shape_kind_and_range(mode, patch):
    for given in (patch, replace(patch, image=patch.image * 0), replace(patch, image=patch.image * 0 + 1)):
        laid = mode.lay(given)
        assert (laid.image.shape, laid.image.dtype) == ((S, S, 3), np.float32)
        assert np.isfinite(laid.image).all() and 0 <= laid.image.min() <= laid.image.max() <= 1
        if laid.light is not None:
            assert laid.light.shape == (S, S, 3) and np.abs(laid.light).max() <= 1
            assert np.abs(laid.light[patch.alpha == 0]).max() < 1e-6


def test_a_face_that_equals_its_plate_changes_nothing(mode, patch):
    laid = mode.lay(replace(patch, image=patch.plate.copy()))
    assert shown(laid, patch) == pytest.approx(patch.plate, abs=1e-5)


def test_an_empty_mask_is_no_error(mode, patch):
    laid = mode.lay(replace(patch, alpha=np.zeros((S, S), np.float32)))
    assert np.isfinite(laid.image).all()


def test_pure(mode, patch):
    before = patch.image.copy(), patch.plate.copy(), patch.alpha.copy()
    first = mode.lay(patch).image.copy()
    assert np.array_equal(mode.lay(patch).image, first)
    assert all(map(np.array_equal, before, (patch.image, patch.plate, patch.alpha)))


def test_raw_modes_leave_the_face_as_it_is(patch):
    raw = {name for name in MERGE_MODES if MERGE_MODES.load(name).is_raw}
    assert raw == {"raw-rgb", "raw-predict"}
    for name in raw:
        assert np.array_equal(MERGE_MODES.load(name).lay(patch).image, patch.image)


def test_seamless_keeps_gradients_and_meets_the_plate_at_the_edge(patch):
    """Perez et al. 2003: inside, the Laplacian is the drawn face's; at the edge, the colours are the plate's."""
    laid = MERGE_MODES.load("seamless").lay(patch).image
    edge = (patch.alpha > 0) & (patch.alpha < 0.1)
    gap = np.abs(laid - patch.plate)[edge].mean() / np.abs(patch.image - patch.plate)[edge].mean()
    assert gap < 0.2
    inside = patch.alpha == 1
    change = cv2.Laplacian(laid, cv2.CV_32F) - cv2.Laplacian(patch.image, cv2.CV_32F)
    assert np.abs(change)[inside].mean() < 0.02 * np.abs(cv2.Laplacian(patch.image, cv2.CV_32F))[inside].std()


def test_seamless_agrees_with_opencv(patch):
    """Much the same equation, solved by OpenCV on eight bits for a hard mask. The light differs smoothly, as lamps do:
    OpenCV ties to every pixel of the edge, which is averaged here."""
    slope = np.linspace(0.1, 0.35, S, dtype=np.float32)[None, :, None]
    hard = replace(patch, image=patch.plate - slope, alpha=(patch.alpha > 0.1).astype(np.float32))
    ours = MERGE_MODES.load("seamless").lay(hard).image
    mask = (hard.alpha * 255).astype(np.uint8)
    x, y, w, h = cv2.boundingRect(mask)
    image, plate = (np.rint(a * 255).astype(np.uint8) for a in (patch.image, patch.plate))
    theirs = cv2.seamlessClone(image, plate, mask, (x + w // 2, y + h // 2), cv2.NORMAL_CLONE)
    inside = cv2.erode(mask, np.ones((9, 9))) > 0
    assert np.abs(ours * 255 - theirs)[inside].mean() < 7  # of a gap of 26 to 89
    assert np.abs(patch.image * 255 - theirs)[inside].mean() > 30


@pytest.mark.parametrize("name", ["hist-match", "seamless-hist-match"])
def test_histograms_become_the_plates(name, patch):
    laid = MERGE_MODES.load(name).lay(patch).image
    counted = patch.alpha > 0
    for share in (10, 50, 90):
        ours, theirs = (np.percentile(a[counted], share, axis=0) for a in (laid, patch.plate))
        assert ours == pytest.approx(theirs, abs=0.01)


def test_the_threshold_keeps_highlights_out(patch):
    mode = MERGE_MODES.load("hist-match")
    whole, cut = (mode.lay(replace(patch, match_upto=upto)).image[patch.alpha > 0] for upto in (1.0, 0.5))
    middle = np.median(patch.plate[patch.alpha > 0], axis=0)
    assert (cut.max(axis=0) <= middle + 0.01).all() and (whole.max(axis=0) > middle + 0.1).all()


def test_masked_matching_counts_only_what_the_mask_covers(patch):
    mode = MERGE_MODES.load("hist-match")
    spoilt = replace(patch, plate=np.where(patch.alpha[..., None] > 0, patch.plate, np.float32(1.0)))
    inside = patch.alpha > 0
    assert np.array_equal(mode.lay(spoilt).image[inside], mode.lay(patch).image[inside])
    whole = replace(spoilt, match_masked=False)
    assert np.abs(mode.lay(whole).image - mode.lay(spoilt).image)[inside].mean() > 0.02
