import numpy as np
import pytest

from konterfei.imaging import match_histogram, membrane


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


def test_a_membrane_keeps_even_differences_exactly():
    ring = np.zeros((20, 24), np.float32)
    ring[4:15, 5:18], ring[5:14, 6:17] = 1, 0
    even = np.full((20, 24, 3), [0.25, -0.5, 1.0], np.float32)
    spoilt = np.where(ring[..., None] > 0, even, np.float32(7))  # what has no weight does not count
    assert membrane(spoilt, ring) == pytest.approx(even, abs=1e-5)


def test_a_membrane_is_harmonic_where_nothing_ties_it():
    rng = np.random.default_rng(0)
    image, weights = rng.random((20, 24, 3)).astype(np.float32), np.zeros((20, 24), np.float32)
    weights[3:17, 3], weights[3:17, 20] = 2, 0.5
    spanned = membrane(image, weights)
    around = (spanned[:-2, 1:-1] + spanned[2:, 1:-1] + spanned[1:-1, :-2] + spanned[1:-1, 2:]) / 4
    free = weights[1:-1, 1:-1] == 0
    assert spanned[1:-1, 1:-1][free] == pytest.approx(around[free], abs=1e-5)
    assert spanned.min() >= image.min() and spanned.max() <= image.max()


def test_stronger_ties_come_nearer():
    x = np.mgrid[:20, :24][1]
    image = np.sin(x / 3)[..., None].repeat(3, axis=2).astype(np.float32)
    weights = np.ones((20, 24), np.float32)
    off = [np.abs(membrane(image, strength * weights) - image).mean() for strength in (0.1, 1.0, 100.0)]
    assert off[0] > 2 * off[1] > 20 * off[2]
    assert (membrane(image, 0 * weights) == 0).all()
