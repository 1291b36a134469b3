"""Scores against quadrature, brute force and calibration."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import transport
from wflow.filtering.distances import mmd_squared, sliced_w1, w1_of_line
from wflow.filtering.metrics import (
    covered,
    crps,
    gaussian_crps,
    level_of,
    level_shares,
    rank_histogram,
    rmse,
)
from wflow.kernels import GaussianKernel


KEY = jax.random.key(0)
mmd, line = eqx.filter_jit(mmd_squared), eqx.filter_jit(w1_of_line)
many_mmd = jax.jit(jax.vmap(mmd_squared, (None, 0, 0)))
score = eqx.filter_jit(crps)


def cloud(n, d, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.uniform(size=n)


def over_pairs(kernel, a, b):
    """All values of a kernel, by numpy."""
    return kernel(np.linalg.norm(a[:, None] - b, axis=-1))


@pytest.mark.parametrize("weighted", [False, True])
def test_crps_is_the_double_sum(weighted):
    """The formula term by term, to rounding; and an integral, to its mesh."""
    x, w = cloud(17, 2)
    w = w if weighted else np.ones(17)
    truth = np.array([0.3, -3.0])
    p = w / w.sum()
    pairs = np.abs(x[:, None] - x[None])
    expected = p @ np.abs(x - truth) - np.einsum("i,j,ijk", p, p, pairs) / 2
    found = score(x, truth, w if weighted else None)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    s = np.linspace(-5, 5, 200_001)
    cdf = (p[:, None] * (x[:, 0, None] <= s)).sum(0)
    integral = ((cdf - (s >= 0.3)) ** 2).sum() * (s[1] - s[0])
    np.testing.assert_allclose(found[0], integral, atol=1e-4)


def test_crps_of_many_draws_is_that_of_their_law():
    """Five standard errors of the mean distance, 2 / sqrt(n) each; the bias is 1/n."""
    x = 2 * cloud(100_000, 1)[0] + 1
    for truth in (-3.0, 1.0, 2.5):
        exact = float(gaussian_crps(1.0, 2.0, truth))
        found = float(score(x, np.array([truth]))[0])
        assert found == pytest.approx(exact, abs=5 * 2 / 100_000**0.5)


def test_calibrated_ensembles_are_covered_and_have_flat_ranks():
    """Truth and members from one law: ranks are uniform on 0..n.

    The interval from the 5th to the 95th of 100 members holds a share of 90/101;
    bounds are five standard errors of 20,000 independent cases.
    """
    times, n = 20_000, 100
    draws = np.random.default_rng(0).normal(size=(times, n + 1, 1))
    x, truth = draws[:, :n], draws[:, n]
    both = jax.jit(jax.vmap(lambda x, t: (covered(x, t), level_of(x, t))))
    inside, levels = both(x, truth)
    share = np.asarray(inside).mean()
    expected = 90 / 101
    assert abs(share - expected) < 5 * (expected * (1 - expected) / times) ** 0.5
    counts = np.asarray(rank_histogram(levels, n))
    assert counts.sum() == times
    # Chi-squared with 100 degrees of freedom: 100 +- 5 * 14.
    assert ((counts - times / 101) ** 2 / (times / 101)).sum() < 170
    # Nothing missing counts, and bins are sums of ranks.
    few = rank_histogram(levels.at[0].set(jnp.nan), n, bins=1)
    assert int(few[0]) == times - 1
    with pytest.raises(ValueError, match="bins that divide 101, found 7"):
        rank_histogram(levels, n, bins=7)


@pytest.mark.slow
def test_shares_of_levels_in_bins_that_do_not_divide_the_ranks():
    """Ranks that are all as frequent fill bins evenly; in bins that divide n + 1 the
    shares are those of the counted ranks."""
    every = jnp.arange(61) / 60
    np.testing.assert_allclose(level_shares(every, 60, 11), 1 / 11, atol=1e-12)
    # The lowest rank alone lies within the first bin; rank 5 of 61 across two.
    lowest = level_shares(jnp.array([[0.0, jnp.nan]]), 60, 11)
    np.testing.assert_allclose(lowest, np.eye(11)[0], atol=1e-12)
    across = level_shares(jnp.array([5 / 60]), 60, 11)
    expected = [61 / 11 - 5, 6 - 61 / 11]
    np.testing.assert_allclose(across[:2], expected, atol=1e-12)
    some = jnp.array([0, 1, 1, 4, 9]) / 9
    counted = rank_histogram(some, 9, bins=5) / 5
    np.testing.assert_allclose(level_shares(some, 9, 5), counted, atol=1e-12)
    assert float(level_shares(jnp.array([jnp.nan]), 60, 11).sum()) == 0


def test_level_and_interval_by_weights():
    x = jnp.array([[0.0], [1.0], [2.0]])
    w = jnp.array([1.0, 18.0, 1.0])
    assert float(level_of(x, jnp.array([1.5]), w)[0]) == pytest.approx(0.95)
    inside = [bool(covered(x, jnp.array([t]), w)[0]) for t in (-0.1, 0.5, 1.0, 1.5)]
    # The 5 % quantile is the first member, the 95 % quantile the second.
    assert inside == [False, True, True, False]


def test_mmd_squared_is_unbiased():
    """Brute force over pairs; mean zero over pairs of clouds of one law."""
    x, _ = cloud(9, 2)
    y, _ = cloud(7, 2, seed=5)
    k = lambda a, b: over_pairs(lambda r: np.exp(-(r**2) / (2 * 0.8**2)), a, b)
    off = lambda m: (m.sum() - np.trace(m)) / (len(m) * (len(m) - 1))
    expected = off(k(x, x)) + off(k(y, y)) - 2 * k(x, y).mean()
    kernel = GaussianKernel(0.8)
    assert float(mmd(kernel, x, y)) == pytest.approx(expected, rel=1e-10)
    pairs = np.random.default_rng(0).normal(size=(500, 2, 20, 1))
    found = np.asarray(many_mmd(kernel, pairs[:, 0], pairs[:, 1]))
    assert abs(found.mean()) < 5 * found.std() / 500**0.5
    # Some are negative, as those of an unbiased estimate of zero must be.
    assert (found < 0).any()


def test_w1_of_the_line_is_exact_transport():
    """The network simplex on the same clouds; a shift costs its length."""
    x, w = cloud(30, 1)
    y, v = cloud(41, 1, seed=3)
    found = float(line(x[:, 0], y[:, 0], w, v))
    assert found == pytest.approx(transport.w1(x, y, w, v), rel=1e-10)
    shifted = float(line(x[:, 0], x[:, 0] + 0.7, w, w))
    assert shifted == pytest.approx(0.7, rel=1e-12)


def test_sliced_w1_of_a_shift():
    r"""$E|e \cdot s| = 2|s|/\pi$ over directions of the plane.

    Its standard deviation over directions is 0.31 |s|: five errors of 2000 of them.
    """
    x, _ = cloud(25, 2)
    shift = np.array([3.0, 4.0])
    found = float(sliced_w1(x, x + shift, key=KEY, directions=2000))
    assert abs(found / 5 - 2 / np.pi) < 5 * 0.31 / 2000**0.5


def test_rmse_and_dtypes():
    mean, truth = (
        jnp.array([[3.0, 0.0], [0.0, 0.0]]),
        jnp.array([[0.0, 4.0], [0.0, 0.0]]),
    )
    np.testing.assert_allclose(rmse(mean, truth), [12.5**0.5, 0])
    x, w = (a.astype(np.float32) for a in cloud(8, 2))

    @jax.jit
    def all_scores(x, w):
        return (
            crps(x, truth[0], w),
            level_of(x, truth[0], w),
            w1_of_line(x[:, 0], x[:, 1], w),
            mmd_squared(GaussianKernel(jnp.float32(1)), x, x + 1),
            sliced_w1(x, x, key=KEY),
        )

    for value in all_scores(x, w):
        assert value.dtype == jnp.float32
        assert np.isfinite(value).all()
    with pytest.raises(ValueError, match=r"weights of shape \(8,\), found .*\(3,\)"):
        crps(x, truth[0], jnp.ones(3))
