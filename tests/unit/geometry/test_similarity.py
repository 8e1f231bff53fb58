import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from konterfei.geometry import ALIGNED, TEMPLATE, Similarity

similarities = st.builds(
    Similarity.of,
    scale=st.floats(0.05, 20.0),
    rotation=st.floats(-np.pi, np.pi),
    shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
POINTS = np.random.default_rng(5).uniform(-100, 100, (12, 2))


@given(similarities, similarities, similarities)
def test_composition_is_associative(a, b, c):
    assert np.allclose(((a @ b) @ c).matrix, (a @ (b @ c)).matrix, rtol=1e-9, atol=1e-6)


@given(similarities)
def test_identity_is_neutral(a):
    assert a @ Similarity.identity() == a
    assert Similarity.identity() @ a == a


@given(similarities)
def test_inverse_undoes_on_both_sides(a):
    assert (a @ a.inverse()).is_close(Similarity.identity(), 1e-6)
    assert (a.inverse() @ a).is_close(Similarity.identity(), 1e-6)


@given(similarities, similarities)
def test_applying_a_product_is_applying_one_after_the_other(a, b):
    assert np.allclose((a @ b) @ POINTS, a @ (b @ POINTS), rtol=1e-9, atol=1e-6)


@given(similarities, similarities)
def test_scales_multiply_and_rotations_add(a, b):
    assert (a @ b).scale == pytest.approx(a.scale * b.scale, rel=1e-9)
    turned = np.exp(1j * ((a @ b).rotation - a.rotation - b.rotation))
    assert turned == pytest.approx(1.0, abs=1e-9)


@given(similarities)
def test_fit_recovers_the_map(a):
    assert np.allclose(Similarity.fit(POINTS, a @ POINTS).matrix, a.matrix, rtol=1e-7, atol=1e-7)


def test_fit_is_the_least_squares_optimum():
    rng = np.random.default_rng(1)
    dst = Similarity.of(1.7, 0.4, (3, -8)) @ POINTS + rng.normal(0, 5, POINTS.shape)
    best = Similarity.fit(POINTS, dst)

    def error(s):
        return ((s @ POINTS - dst) ** 2).sum()

    for step in (Similarity.of(1.001), Similarity.of(0.999), Similarity.of(1, 0.002), Similarity.of(1, -0.002)):
        assert error(best @ step) > error(best)
        assert error(Similarity.of(shift=(0.01, -0.01)) @ best) > error(best)


def test_fit_never_mirrors():
    mirrored = POINTS * [-1, 1]
    assert np.linalg.det(Similarity.fit(POINTS, mirrored).matrix[:, :2]) > 0


def test_fit_of_two_points_is_exact_and_proper():
    src, dst = np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([[5.0, 5.0], [5.0, 9.0]])
    fitted = Similarity.fit(src, dst)
    assert np.allclose(fitted @ src, dst)
    assert (fitted.scale, fitted.rotation) == (pytest.approx(2), pytest.approx(np.pi / 2))


def test_fit_matches_the_conformance_vector(landmarks):
    assert landmarks[[0, 30, 48]] == pytest.approx(
        np.array([[165.792905, 195.813335], [305.338630, 263.852646], [233.108979, 326.313536]]), abs=1e-6
    )
    expected = [[0.004103118121, 0.000697270809, -0.939134971146], [-0.000697270809, 0.004103118121, -0.393357176482]]
    assert Similarity.fit(landmarks[ALIGNED], TEMPLATE).matrix == pytest.approx(np.array(expected), abs=2e-12)


@pytest.mark.parametrize("bad", [np.ones((5, 2)), np.full((5, 2), np.nan)])
def test_points_that_determine_nothing_are_refused(bad):
    with pytest.raises(ValueError, match="cannot fit"):
        Similarity.fit(bad, POINTS[:5])


def test_shapes_and_numbers_are_checked():
    with pytest.raises(ValueError, match=r"\[2, 3\]"):
        Similarity(np.eye(3))
    with pytest.raises(ValueError, match="finite"):
        Similarity(np.full((2, 3), np.inf))
    with pytest.raises(ValueError, match=r"\[N, 2\]"):
        Similarity.fit(POINTS, POINTS[:3])


def test_is_a_value():
    a = Similarity.of(2.0, 0.1, (1, 2))
    assert a == Similarity(a.matrix.copy())
    assert hash(a) == hash(Similarity(a.matrix.copy()))
    assert a != Similarity.identity()
    with pytest.raises(ValueError, match="read-only"):
        a.matrix[0, 0] = 1


def test_float32_points_stay_float32():
    assert (Similarity.identity() @ POINTS.astype(np.float32)).dtype == np.float32
    assert (Similarity.identity() @ np.array([[1, 2]])).dtype == np.float64
