import numpy as np
import pytest

from konterfei.imaging import fill_smoothly, match_histogram


def three(values):
    return np.repeat(np.float32(values).reshape(-1, 1), 3, axis=1)


def test_quantiles_by_hand():
    """Four values of ours at quantiles 1/4 ... 1; two of the reference at 1/2 and 1."""
    ours, theirs = three([0.1, 0.2, 0.3, 0.4]), three([0.5, 0.9])
    matched = match_histogram(ours[None], ours, theirs)[0, :, 0]
    assert matched == pytest.approx([0.5, 0.5, 0.7, 0.9])  # below the first quantile there is nothing lower
    half = match_histogram(ours[None], ours, theirs, upto=0.5)[0, :, 0]
    assert half == pytest.approx([0.5, 0.5, 0.5, 0.5])
    most = match_histogram(ours[None], ours, theirs, upto=0.9)[0, :, 0]
    assert most == pytest.approx([0.5, 0.5, 0.64, 0.82])  # 0.5 + 0.4 (0.675 - 0.5) / 0.5, 0.5 + 0.4 (0.9 - 0.5) / 0.5


def test_values_that_were_not_counted_take_the_nearest():
    counted = three([0.4, 0.6])
    image = three([0.0, 0.4, 0.5, 0.6, 1.0])[None]
    assert match_histogram(image, counted, three([0.2, 0.8]))[0, :, 0] == pytest.approx([0.2, 0.2, 0.5, 0.8, 0.8])


# Appendix A.8 of the specification. Its channels are B, G, R; they do not mix.
@pytest.mark.parametrize(
    ("threshold", "pixel", "mean"),
    [
        (238, (0.3104508, 0.7460467, 0.6123173), (0.3494334, 0.4008077, 0.5402142)),
        (255, (0.3230029, 0.7956225, 0.6249881), (0.3651444, 0.4286338, 0.5503114)),
    ],
)
def test_matches_the_conformance_vector(threshold, pixel, mean):
    draw = np.random.RandomState(42)
    image = draw.rand(16, 16, 3).astype(np.float32)
    reference = (draw.rand(16, 16, 3) * (0.5, 0.8, 0.3) + (0.1, 0.05, 0.4)).astype(np.float32)
    matched = match_histogram(image, image.reshape(-1, 3), reference.reshape(-1, 3), threshold / 255)
    assert matched[0, 0] == pytest.approx(pixel, abs=1e-6)
    assert matched.mean((0, 1)) == pytest.approx(mean, abs=1e-6)


def test_a_membrane_spans_a_plane_exactly():
    y, x = np.mgrid[:24, :32]
    plane = np.stack([x / 40, y / 40, (x + y) / 80], axis=2).astype(np.float32)
    hole = np.hypot(x - 15, y - 11) < 9
    spoilt = np.where(hole[..., None], np.float32(7), plane)
    assert fill_smoothly(spoilt, hole) == pytest.approx(plane, abs=1e-5)


def test_a_membrane_is_the_mean_of_its_neighbours_and_leaves_the_rest():
    image = np.random.default_rng(0).random((20, 20, 3)).astype(np.float32)
    hole = np.zeros((20, 20), bool)
    hole[3:9, 4:15], hole[12:17, 2:6] = True, True  # two holes
    filled = fill_smoothly(image, hole)
    around = (filled[:-2, 1:-1] + filled[2:, 1:-1] + filled[1:-1, :-2] + filled[1:-1, 2:]) / 4
    inner = hole[1:-1, 1:-1]
    assert filled[1:-1, 1:-1][inner] == pytest.approx(around[inner], abs=1e-5)
    assert np.array_equal(filled[~hole], image[~hole])
    assert np.array_equal(fill_smoothly(image, np.zeros((20, 20), bool)), image)
