"""Bandwidths, clouds and coefficients that do not fit; nan in is nan out."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.kernels import (
    EnergyDistance,
    GaussianKernel,
    InverseMultiquadric,
    Kronecker,
    LaplaceKernel,
    Matern32,
    Matern52,
    MedianGaussian,
    ProductKernel,
    ScaleMixture,
    gram,
    median_bandwidth,
    silverman_bandwidth,
)
from wflow.kernels.bandwidth import silverman_matrix
from wflow.kernels.functions import pair_sum
from wflow.kernels.sums import gradient_matvec, log_matvec, matvec
from wflow.parameters import Learnable


RNG = np.random.default_rng(0)
X, Y = jnp.asarray(RNG.normal(size=(5, 2))), jnp.asarray(RNG.normal(size=(7, 2)))
B = jnp.asarray(RNG.normal(size=7))
RADIAL = (
    EnergyDistance,
    GaussianKernel,
    InverseMultiquadric,
    Kronecker,
    LaplaceKernel,
    Matern32,
    Matern52,
)
KERNELS = {
    **{kernel.__name__: kernel(1.0) for kernel in RADIAL},
    "power": InverseMultiquadric(1.0, jnp.asarray(0.3)),
    "product": ProductKernel((GaussianKernel(1.0), LaplaceKernel(1.0)), (1, 1)),
    "mixture": ScaleMixture(GaussianKernel(1.0)),
    "matrix": GaussianKernel([[1.0, 0.0], [0.3, 2.0]]),
}


def distance(x, y):
    return jnp.exp(-jnp.sum((x - y) ** 2))


@pytest.mark.parametrize("kernel", RADIAL)
@pytest.mark.parametrize(
    "bandwidth",
    [
        -1.0,
        0.0,
        np.nan,
        [1.0, -1.0],
        [[1.0, 2.0], [2.0, 4.0]],
        [[0.0, 0.0], [0.0, 1.0]],
        [[np.nan, 0.0], [0.0, 1.0]],
        np.ones((2, 3)),
        np.ones((2, 2, 2)),
        [],
        Learnable(-1.0, positive=False),
        1j,
        "wide",
    ],
)
def test_bandwidths_are_lengths(kernel, bandwidth):
    with pytest.raises((ValueError, TypeError), match="expected bandwidth") as refused:
        kernel(bandwidth)
    assert len(str(refused.value)) < 300


@pytest.mark.slow
def test_bandwidths_of_any_size_and_for_some_coordinates_are_taken():
    np.testing.assert_allclose(
        gram(GaussianKernel([1.0, np.inf]), X),
        gram(GaussianKernel(1.0), X[:, :1]),
        rtol=1e-12,
    )
    small = 1e-9 * np.array([[1.0, 0.0], [1e5, 1e3]])
    np.testing.assert_allclose(
        gram(GaussianKernel(small), X @ small.T),
        gram(GaussianKernel(1.0), X),
        rtol=1e-6,
    )
    assert gram(jax.jit(GaussianKernel)(-1.0), X).shape == (5, 5)
    for d, bandwidth in ((2, [1.0]), (2, np.ones(3)), (3, np.eye(2))):
        with pytest.raises(ValueError, match=rf"bandwidth .*dimension {d}, found"):
            gram(GaussianKernel(bandwidth), jnp.ones((4, d)))


@pytest.mark.slow
@pytest.mark.parametrize("name", KERNELS)
def test_nan_in_is_nan_out(name):
    kernel = KERNELS[name]
    lost = X.at[1, 0].set(jnp.nan)
    rows = np.arange(5) == 1
    other, b = Y[:5], B[:5]  # one shape for all
    np.testing.assert_array_equal(jnp.isnan(gram(kernel, lost, other)).all(1), rows)
    np.testing.assert_array_equal(jnp.isnan(gram(kernel, other, lost)).all(0), rows)
    itself = np.isnan(gram(kernel, lost))
    np.testing.assert_array_equal(itself, rows[:, None] | rows)
    assert jnp.isnan(kernel(lost[1], Y[0]))
    # Blocks are the same whatever the kernel.
    for block in (None, 3) if name in ("GaussianKernel", "product") else (None,):
        sums = matvec(kernel, lost, other, b, block=block)
        np.testing.assert_array_equal(np.isnan(sums), rows)
        assert np.isnan(matvec(kernel, other, lost, b, block=block)).all()
        assert np.isnan(matvec(kernel, lost, None, b, block=block)).all()
    if name != "Kronecker":  # whose derivative is zero
        slopes = gradient_matvec(kernel, lost, other, b)
        assert np.isnan(slopes).any(1)[1]
        assert np.isfinite(np.delete(slopes, 1, 0)).all()


@pytest.mark.slow
def test_nan_shows_in_log_sums_and_pair_sums():
    lost = X.at[1, 0].set(jnp.nan)
    w = jnp.ones(7)
    for block in (None, 3):
        sums = log_matvec(GaussianKernel(1.0), lost, Y, w, block=block)
        np.testing.assert_array_equal(np.isnan(sums), np.arange(5) == 1)
        assert np.isnan(
            log_matvec(GaussianKernel(1.0), Y, lost, w[:5], block=block)
        ).all()
    for diagonal in (True, False):
        one = jnp.ones(5)
        total = pair_sum(distance, lost, one, lost, one, diagonal=diagonal)
        assert jnp.isnan(total)


@pytest.mark.parametrize("block", [None, 3, 7, 100])
@pytest.mark.parametrize("given", [6, 8, 9, 1])
def test_coefficients_that_do_not_fit_are_refused(block, given):
    k, b = GaussianKernel(1.0), jnp.ones(given)
    for call in (
        lambda: matvec(k, X, Y, b, block=block),
        lambda: matvec(k, X, Y, b[:, None], block=block),
        lambda: gradient_matvec(k, X, Y, b, block=block),
        lambda: log_matvec(k, X, Y, b, block=block),
        lambda: pair_sum(distance, X, jnp.ones(5), Y, b, block=block),
        lambda: pair_sum(distance, X, b, Y, jnp.ones(7), block=block),
    ):
        with pytest.raises(ValueError, match=r"expected .*shape .*found.*\(\d"):
            call()


@pytest.mark.parametrize("block", [0, -3, 2.5, True, "all", np.nan])
def test_blocks_are_whole_numbers(block):
    one = jnp.ones(5)
    for call in (
        lambda: matvec(GaussianKernel(1.0), X, Y, B, block=block),
        lambda: gradient_matvec(GaussianKernel(1.0), X, Y, B, block=block),
        lambda: log_matvec(GaussianKernel(1.0), X, Y, B**2, block=block),
        lambda: pair_sum(distance, X, one, X, one, block=block),
    ):
        with pytest.raises((ValueError, TypeError), match="expected block"):
            call()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_short_floats_are_summed_in_single_precision(dtype):
    x, y, b = X.astype(dtype), Y.astype(dtype), B.astype(dtype)
    right = matvec(GaussianKernel(1.0), *(a.astype(jnp.float32) for a in (x, y, b)))
    found = matvec(GaussianKernel(1.0), x, y, b)
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, right)
    assert jnp.isfinite(silverman_bandwidth(x)).all()
    assert jnp.isfinite(median_bandwidth(x))


def test_parts_of_kernels_are_looked_at():
    for make, words in (
        (
            lambda: ProductKernel((GaussianKernel(1.0), 2.0), (1, 1)),
            "kernels to be radial",
        ),
        (
            lambda: ProductKernel((GaussianKernel(1.0),), (1.5,)),
            "dims to be a whole number",
        ),
        (lambda: ScaleMixture(1.0), "kernel to be a radial kernel"),
        (
            lambda: ScaleMixture(GaussianKernel(1.0), [1.0], [0.0]),
            "weights with a sum > 0",
        ),
        (lambda: InverseMultiquadric(1.0, -0.5), "exponent > 0"),
        (lambda: InverseMultiquadric(1.0, np.nan), "exponent > 0"),
        (lambda: InverseMultiquadric(1.0, [0.5, 0.6]), "exponent to be one number"),
        (lambda: MedianGaussian(1), "max_points >= 2"),
        (lambda: gram(1.0, X), "gram: expected kernel to be a kernel"),
        (lambda: gram(GaussianKernel, X), "call it: Gaussian"),
        (lambda: GaussianKernel(1.0)(X[0], X[0, :1]), r"one shape \(d,\)"),
        (lambda: log_matvec(GaussianKernel(1.0), X, None, -jnp.ones(5)), "w >= 0"),
    ):
        with pytest.raises((ValueError, TypeError), match=words):
            make()


@pytest.mark.parametrize(
    ("value", "n", "dtype"),
    [
        *itertools.product([0.0, 1.0, 0.1, 1e7, -3e-9], [20], [np.float32, np.float64]),
        (0.1, 2, np.float64),
        (0.1, 1000, np.float32),
    ],
)
def test_points_that_coincide_have_no_bandwidth(value, n, dtype):
    x = np.full((n, 2), value, dtype)
    x = np.concatenate([x, x * (1 + np.finfo(dtype).eps)])
    assert x.dtype == dtype
    for rule in (median_bandwidth, silverman_bandwidth, silverman_matrix):
        with pytest.raises(ValueError, match="coincide|lie in a plane") as refused:
            rule(x)
        assert len(str(refused.value)) < 200


@pytest.mark.slow
def test_points_that_are_close_have_one():
    x = X * 1e-7
    for rule in (median_bandwidth, silverman_bandwidth, silverman_matrix):
        np.testing.assert_allclose(rule(x), 1e-7 * rule(X), rtol=1e-12)
        np.testing.assert_allclose(rule(x + 1), 1e-7 * rule(X), rtol=1e-6)
    # One coordinate far away does not blind the others.
    away = jnp.concatenate([X, jnp.full((5, 1), 1e15)], axis=1)
    np.testing.assert_allclose(median_bandwidth(away), median_bandwidth(X), rtol=1e-12)


@pytest.mark.slow
def test_points_that_are_not_finite_or_of_no_weight_have_no_bandwidth():
    for rule in (median_bandwidth, silverman_bandwidth, silverman_matrix):
        with pytest.raises(ValueError, match="x finite, found nan"):
            rule(X.at[0, 0].set(jnp.nan))
        assert jnp.isnan(jax.jit(rule)(X.at[0, 0].set(jnp.nan))).any()
    one = jnp.array([0.0, *[-jnp.inf] * 4])
    with pytest.raises(ValueError, match="positive weight coincide"):
        silverman_bandwidth(X, one)
    with pytest.raises(ValueError, match="logw finite"):
        silverman_bandwidth(X, jnp.full(5, -jnp.inf))


@pytest.mark.slow
def test_a_sum_without_its_diagonal():
    def log(x, y):
        return -jnp.log(jnp.sum((x - y) ** 2))

    w = jnp.asarray(RNG.uniform(size=7))

    def direct(y, w):
        i, j = np.nonzero(~np.eye(7, dtype=bool))
        return jnp.sum(w[i] * w[j] * jax.vmap(log)(y[i], y[j]))

    def streamed(block):
        return lambda y, w: pair_sum(log, y, w, y, w, block=block, diagonal=False)

    @jax.jit
    def evaluated(y, w):
        functions = direct, streamed(None), streamed(3)
        return [jax.value_and_grad(f, (0, 1))(y, w) for f in functions]

    (value, slopes), *others = evaluated(Y, w)
    for found, found_slopes in others:
        np.testing.assert_allclose(found, value, rtol=1e-12)
        for a, b in zip(found_slopes, slopes, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10)
    assert pair_sum(log, Y[:1], w[:1], Y[:1], w[:1], diagonal=False) == 0
    with pytest.raises(ValueError, match="as many of each"):
        pair_sum(log, X, w[:5], Y, w, diagonal=False)
