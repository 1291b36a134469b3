"""Exact transport against assignment, quantiles and linear programming."""

import jax
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, linprog
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance

from wflow.transport import optimal_plan, w1, w2, w2_squared
from wflow.transport.exact import barycentric_map, displacement_interpolation


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_equal_sizes_are_an_assignment(rng):
    x, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 3)) + 0.5
    for value, cost in ((w1, cdist(x, y)), (w2_squared, cdist(x, y) ** 2)):
        rows, columns = linear_sum_assignment(cost)
        np.testing.assert_allclose(value(x, y), cost[rows, columns].mean(), rtol=1e-12)
    np.testing.assert_allclose(barycentric_map(x, y), y[columns], atol=1e-12)
    np.testing.assert_allclose(w2(x, y) ** 2, w2_squared(x, y))


def test_unequal_sizes_and_weights_on_the_line(rng):
    x, y = rng.normal(size=(30, 1)), rng.normal(size=(17, 1)) * 2
    a, b = rng.uniform(size=30), rng.uniform(size=17) * 8
    a[:3] = 0
    expected = wasserstein_distance(x[:, 0], y[:, 0], a, b)
    np.testing.assert_allclose(w1(x, y, a, b), expected, rtol=1e-12)
    # W2^2 by quantiles, on the union of the jumps of the two distribution functions.
    i, j = np.argsort(x[:, 0]), np.argsort(y[:, 0])
    f, g = np.cumsum(a[i]) / a.sum(), np.cumsum(b[j]) / b.sum()
    s = np.sort(np.concatenate([f, g]))
    mid = (s + np.concatenate([[0], s[:-1]])) / 2
    f[-1] = g[-1] = np.inf  # the last quantile, whatever the rounding
    gap = x[i, 0][np.searchsorted(f, mid)] - y[j, 0][np.searchsorted(g, mid)]
    np.testing.assert_allclose(
        w2_squared(x, y, a, b), np.diff(s, prepend=0) @ gap**2, rtol=1e-12
    )


def test_on_a_circle_against_the_median_of_the_gaps_of_mass(rng):
    length, turns = 2.5, rng.integers(-3, 4, size=47)
    places = rng.uniform(0, length, size=47)
    signed = rng.dirichlet(np.ones(47))
    a, b = signed[:30] / signed[:30].sum(), signed[30:] / signed[30:].sum()
    # What crosses a point of the circle is known but for what runs all the way round.
    order = np.argsort(places)
    gaps = np.cumsum(np.concatenate([a, -b])[order])
    arcs = np.diff(places[order], append=places[order][0] + length)
    ranks = np.argsort(gaps)
    middle = np.searchsorted(np.cumsum(arcs[ranks]), length / 2)
    expected = arcs @ np.abs(gaps - gaps[ranks][middle])
    x, y = np.split((places + turns * length)[:, None], [30])
    np.testing.assert_allclose(w1(x, y, a, b, period=length), expected, rtol=1e-12)
    assert w1(x, y, a, b) > 2 * expected


def test_on_a_torus_a_lattice_is_shifted_by_its_shift(rng):
    period, shift = np.array([3.0, np.inf]), np.array([0.2, -0.3])
    lattice = np.stack(np.meshgrid(np.arange(3.0), np.arange(3.0)), -1).reshape(-1, 2)
    turned = lattice + shift + np.outer(rng.integers(-2, 3, size=9), [3.0, 0.0])
    # In units of another length, with all axes given at once.
    np.testing.assert_allclose(
        w2(2 * lattice, 2 * turned, period=2 * period), 2 * np.hypot(*shift), rtol=1e-12
    )
    plan = optimal_plan(lattice, turned, period=period)
    np.testing.assert_allclose(plan, np.eye(9) / 9, atol=1e-15)
    with pytest.raises(ValueError, match="w2: expected period > 0, found -1"):
        w2(lattice, turned, period=-1.0)


def test_plan_against_linear_programming(rng):
    x, y = rng.normal(size=(5, 2)), rng.normal(size=(4, 2))
    a, b = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(4))
    plan = optimal_plan(x, y, a, b, p=1)
    np.testing.assert_allclose(plan.sum(1), a)
    np.testing.assert_allclose(plan.sum(0), b)
    marginals = np.concatenate([np.kron(np.eye(5), np.ones(4)), np.tile(np.eye(4), 5)])
    best = linprog(cdist(x, y).ravel(), A_eq=marginals, b_eq=np.concatenate([a, b]))
    np.testing.assert_allclose(np.sum(plan * cdist(x, y)), best.fun, rtol=1e-9)


def test_displacement_interpolation_is_a_geodesic(rng):
    x, y = rng.normal(size=(12, 2)), rng.normal(size=(9, 2)) + 1
    whole = w2(x, y)
    points, weights = displacement_interpolation(x, y, 0.3)
    assert len(points) <= 12 + 9 - 1
    np.testing.assert_allclose(weights.sum(), 1)
    np.testing.assert_allclose(w2(x, points, None, weights), 0.3 * whole, rtol=1e-9)
    np.testing.assert_allclose(w2(points, y, weights), 0.7 * whole, rtol=1e-9)


def test_zero_weights_stay_out(rng):
    x, y = rng.normal(size=(6, 2)), rng.normal(size=(6, 2))
    padded = np.concatenate([x, [[99.0, 99.0]]])
    weights = np.array([1.0] * 6 + [0.0])
    np.testing.assert_allclose(w1(padded, y, weights), w1(x, y), rtol=1e-12)
    np.testing.assert_allclose(barycentric_map(padded, y, weights)[-1], [99.0, 99.0])


def test_float32_is_widened(rng):
    x, y = rng.normal(size=(2, 7, 2)).astype(np.float32)
    assert w1(x, y) == w1(x.astype(np.float64), y.astype(np.float64))


def test_wrong_inputs_are_named(rng):
    x = rng.normal(size=(5, 2))
    bad = x.copy()
    bad[[1, 3], 0] = np.nan, np.inf
    with pytest.raises(
        ValueError, match=r"expected y finite, found nan at index \(1, 0\)"
    ):
        w1(x, bad)
    with pytest.raises(ValueError, match="one dimension, found 2 and 1"):
        w1(x, x[:, :1])
    with pytest.raises(ValueError, match="weights_x >= 0, found -1.0 at index 4"):
        w2(x, x, [1, 1, 1, 1, -1])
    with pytest.raises(ValueError, match="weights_y with a sum > 0"):
        w2(x, x, None, np.zeros(5))
    with pytest.raises(
        ValueError, match=r"weights_y of shape \(5,\), found shape \(4,\)"
    ):
        w2(x, x, None, np.zeros(4))
    with pytest.raises(ValueError, match=r"x of shape \(n, d\), found shape \(5,\)"):
        w1(x[:, 0], x)
    with pytest.raises(ValueError, match="expected p 1 or 2, found 3"):
        optimal_plan(x, x, p=3)
    with pytest.raises(
        ValueError, match="w1: x is a tracer: exact transport runs outside"
    ):
        jax.jit(lambda z: w1(z, x))(x)


def test_weights_of_any_size_are_normalized(rng):
    x, y = rng.normal(size=(4, 2)), rng.normal(size=(3, 2))
    a, b = np.array([1.0, 2, 3, 4]), np.array([2.0, 1, 1])
    value = w1(x, y, a, b)
    assert w1(x, y, a * 4e307, b * 1e-300) == pytest.approx(value, rel=1e-12)


def test_far_coordinates_keep_their_digits(rng):
    # Single precision does not hold these differences.
    x, y = rng.normal(size=(5, 2)), rng.normal(size=(6, 2))
    away = w1(x + 5e7, y + 5e7)
    with jax.enable_x64(False):
        single = w1((x + 5e7).tolist(), (y + 5e7).tolist())
    assert away == single == pytest.approx(w1(x, y), abs=1e-6)


@pytest.mark.parametrize("call", [w1, w2, w2_squared, optimal_plan, barycentric_map])
def test_too_many_points_are_refused_before_they_take_memory(call):
    x = np.zeros((200_000, 2))
    match = rf"{call.__name__}: 200000 and 200000 points .* 960 GB of memory; .* Subs"
    with pytest.raises(ValueError, match=match):
        call(x, x)


@pytest.mark.parametrize("weighted", [False, True])
def test_on_a_line_any_number_of_points_will_do(rng, weighted):
    x, y = rng.normal(size=30_000), rng.normal(size=40_000) * 2 + 1
    a, b = (rng.uniform(size=len(z)) if weighted else None for z in (x, y))
    expected = wasserstein_distance(x, y, a, b)
    assert w1(x[:, None], y[:, None], a, b) == pytest.approx(expected, rel=1e-9)
    with pytest.raises(ValueError, match="Subsample"):
        w1(x[:, None], y[:, None], period=9.0)


def test_what_is_no_cloud_is_named(rng):
    x = rng.normal(size=(5, 2))
    with pytest.raises(ValueError, match="x of real numbers, found complex"):
        w1(x + 1j, x)
    with pytest.raises(TypeError, match="y to be .*sparse .* pass value.toarray"):
        w1(x, csr_matrix(x))
    with pytest.raises(ValueError, match=r"y of shape \(n, d\) with at least one"):
        w1(x, x[:0])
    with pytest.raises(ValueError, match="s finite, found nan"):
        displacement_interpolation(x, x, np.nan)
