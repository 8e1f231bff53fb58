import cv2
import numpy as np
import pytest

from konterfei.color_transfers import COLOR_TRANSFERS, ColorStatistics

NAMES = sorted(COLOR_TRANSFERS)


@pytest.fixture(params=NAMES)
def transfer(request):
    return COLOR_TRANSFERS.load(request.param)


@pytest.fixture
def image():
    return (np.random.default_rng(1).random((24, 32, 3)) * [0.6, 0.5, 0.4] + 0.2).astype(np.float32)


@pytest.fixture
def reference():
    return (np.random.default_rng(2).random((20, 20, 3)) * [0.3, 0.4, 0.5] + [0.5, 0.2, 0.1]).astype(np.float32)


def test_shape_kind_and_range_are_kept(transfer, image, reference):
    for wanted in (reference, np.zeros_like(reference), np.ones_like(reference)):
        result = transfer(image, wanted)
        assert (result.shape, result.dtype) == (image.shape, np.float32)
        assert np.isfinite(result).all() and 0 <= result.min() <= result.max() <= 1


def test_its_own_colours_change_nothing(transfer, image):
    mask = np.zeros((24, 32), np.float32)
    mask[4:20, 6:30] = 1
    assert transfer(image, image) == pytest.approx(image, abs=2e-3)
    assert transfer(image, image, mask, mask) == pytest.approx(image, abs=2e-3)


def test_empty_masks_change_nothing(transfer, image, reference):
    nothing, everything = np.zeros((24, 32), np.float32), np.ones((24, 32), np.float32)
    assert np.array_equal(transfer(image, reference, nothing, None), image)
    assert np.array_equal(transfer(image, reference, everything, np.zeros((20, 20), np.float32)), image)


def test_flat_images_do_not_explode(transfer, image):
    flat = np.full((8, 8, 3), 0.5, np.float32)
    noisy = flat + np.random.default_rng(0).normal(0, 0.5 / 255, flat.shape).astype(np.float32)
    assert np.isfinite(transfer(flat, image)).all()
    assert transfer(image, flat).std() <= image.std() + 1e-3
    grey = np.repeat(image[..., :1], 3, axis=2)
    assert np.isfinite(transfer(grey, image)).all()
    assert transfer(noisy, image).min() >= 0


def test_arguments_stay_as_they_are(transfer, image, reference):
    before = image.copy(), reference.copy()
    transfer(image, reference, np.ones((24, 32), np.float32), np.ones((20, 20), np.float32))
    assert np.array_equal(image, before[0]) and np.array_equal(reference, before[1])


def test_halves_make_the_whole(transfer, image, reference):
    """Smoothing over time goes between the halves."""
    halves = transfer.apply(image, transfer.statistics(image, None), transfer.statistics(reference, None))
    assert np.array_equal(halves, transfer(image, reference))


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"none"}))
def test_moves_the_mean_to_the_reference(name, image, reference):
    result = COLOR_TRANSFERS.load(name)(image, reference)
    gap = np.abs(image.mean((0, 1)) - reference.mean((0, 1))).max()
    left = np.abs(result.mean((0, 1)) - reference.mean((0, 1))).max()
    if name == "idt":  # dfl-spec 8.5: of each of 20 matches, a twentieth is carried out
        assert left == pytest.approx(0.95**20 * gap, rel=0.05)
    else:
        assert left < 0.15 * gap


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"none"}))
def test_what_masks_leave_out_does_not_count(name, image, reference):
    transfer = COLOR_TRANSFERS.load(name)
    mask, reference_mask = np.zeros((24, 32), np.float32), np.zeros((20, 20), np.float32)
    mask[:12], reference_mask[:, :10] = 1, 1
    expected = transfer(image, reference, mask, reference_mask)
    spoilt, spoilt_reference = image.copy(), reference.copy()
    spoilt[12:], spoilt_reference[:, 10:] = 0, 1
    assert transfer(spoilt, spoilt_reference, mask, reference_mask)[:12] == pytest.approx(expected[:12], abs=1e-6)


# Appendix A.8 of the specification. Its channels are B, G, R.
@pytest.mark.parametrize(
    ("name", "pixel", "mean"),
    [
        ("rct", (0.3048485, 0.7471897, 0.6651405), (0.3670768, 0.4286942, 0.5502830)),
        ("lct", (0.2841843, 0.7801623, 0.6231321), (0.3651446, 0.4286337, 0.5503114)),
        ("mkl", (0.2835120, 0.7821434, 0.6214333), (0.3651446, 0.4286336, 0.5503115)),
    ],
)
def test_matches_the_conformance_vector(name, pixel, mean):
    draw = np.random.RandomState(42)
    image = draw.rand(16, 16, 3).astype(np.float32)
    reference = (draw.rand(16, 16, 3) * (0.5, 0.8, 0.3) + (0.1, 0.05, 0.4)).astype(np.float32)
    result = COLOR_TRANSFERS.load(name)(image[..., ::-1], reference[..., ::-1])[..., ::-1]
    assert result[0, 0] == pytest.approx(pixel, abs=1e-5)
    assert result.mean((0, 1)) == pytest.approx(mean, abs=1e-5)


def test_statistics_are_weighted_by_the_mask():
    image = np.zeros((1, 4, 3), np.float32)
    image[0, :, 0] = [0.0, 1.0, 1.0, 9.0]
    measured = ColorStatistics.measure(image, np.array([[1, 1, 2, 0]], np.float32))
    assert (measured.mean[0], measured.weight) == (pytest.approx(0.75), 4)
    assert measured.std[0] == pytest.approx(np.sqrt(0.75 * 0.25))


def test_average_of_statistics(image, reference):
    one, two = ColorStatistics.measure(image), ColorStatistics.measure(reference)
    none = ColorStatistics.measure(image, np.zeros((24, 32), np.float32))
    mixed = ColorStatistics.average([one, none, two], [1.0, 5.0, 3.0])
    assert mixed.mean == pytest.approx(0.25 * one.mean + 0.75 * two.mean)
    assert mixed.std == pytest.approx(0.25 * one.std + 0.75 * two.std)
    assert ColorStatistics.average([none], [1.0]).weight == 0


@pytest.mark.parametrize(("name", "share"), [("lct", 1), ("mkl", 1), ("idt", 0.5), ("sot", 0.5)])
def test_how_much_nearer_the_whole_distribution_comes(name, share):
    """Two pictures of equal mean and covariance, one even, one skewed: only idt and sot see the difference."""
    even = np.linspace(0, 1, 96) - 0.5
    skewed = np.linspace(0, 1, 96) ** 4
    skewed = (skewed - skewed.mean()) * even.std() / skewed.std()
    axes = np.random.default_rng(3).normal(size=(8, 3))
    picture, reference = (
        np.broadcast_to(0.45 + np.outer(t, [0.3, 0.2, -0.25])[None], (96, 96, 3)).astype(np.float32)
        for t in (even, skewed)
    )

    def distance(a, b):
        return np.mean([np.abs(np.sort(a.reshape(-1, 3) @ x) - np.sort(b.reshape(-1, 3) @ x)).mean() for x in axes])

    left = distance(COLOR_TRANSFERS.load(name)(picture, reference), reference) / distance(picture, reference)
    assert left < share if name in ("idt", "sot") else left > 0.95


def test_sot_smooths_as_the_original_filter_does():
    """dfl-spec 8.5: a bilateral filter, sigma 5 in colour and 16 in space, window chosen by OpenCV."""
    from konterfei.color_transfers.sot import _smoothed

    y, x = np.mgrid[0:96, 0:80]
    moved = np.dstack([np.sin(x / 9) * 0.3, np.cos(y / 7) * 0.3, (x > 40) * 0.5 - 0.2]).astype(np.float32)
    wanted = cv2.bilateralFilter(moved, 0, 5, 16)
    ours = _smoothed(moved, np.ones((96, 80)))
    assert np.abs(ours - wanted).max() < 0.02
    assert np.abs(ours - wanted).mean() < 0.005


def test_colours_of_a_distribution_flicker_no_more_than_their_image(image, reference):
    """The original draws new directions in each call, which shows as flicker."""
    for name in ("idt", "sot"):
        transfer = COLOR_TRANSFERS.load(name)
        assert np.array_equal(transfer(image, reference), transfer(image.copy(), reference.copy()))
