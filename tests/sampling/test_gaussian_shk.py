"""The closed form of Gaussian SHK flows against its equation and printed numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from wflow.measures import Gaussian, Particles
from wflow.sampling.gaussian import gaussian_shk


rng = np.random.default_rng(0)
ROOTS = rng.normal(size=(2, 3, 3))
COVS = ROOTS @ ROOTS.transpose(0, 2, 1) + 0.3 * np.eye(3)
MEANS = rng.normal(size=(2, 3))
INITIAL, TARGET = (Gaussian(m, c) for m, c in zip(MEANS, COVS, strict=True))
flow = jax.jit(gaussian_shk)


def scalar(s, c0, alpha, beta, t):
    """Variance, and the share of the mean's distance that is left."""
    start, end = Gaussian([1.0], [[c0]]), Gaussian([0.0], [[s]])
    mu = flow(start, end, t, alpha=alpha, beta=beta)
    return float(mu.cov[0, 0]), float(mu.mean[0])


def scalar_form(s, c0, alpha, beta, t):
    """The same by the formula in one dimension."""
    x0, a = c0 / s, 2 * alpha / s
    lam = a + beta
    below = beta * (1 - x0) + (a + beta * x0) * np.exp(lam * t)
    x = ((a + beta * x0) * np.exp(lam * t) - a * (1 - x0)) / below
    return s * x, lam * np.exp(alpha * t / s) / below


def moment_equation(alpha, beta, t):
    """Mean and covariance by a general solver, to 1e-11."""
    (mean, center), (start, target), d = MEANS, COVS, 3
    precision = np.linalg.inv(target)

    def rate(_, y):
        m, c = y[:d], y[d:].reshape(d, d)
        drift = -(alpha * np.eye(d) + beta * c) @ precision @ (m - center)
        change = alpha * (2 * np.eye(d) - precision @ c - c @ precision)
        change = change + beta * (c - c @ precision @ c)
        return np.concatenate([drift, change.ravel()])

    y0 = np.concatenate([mean, start.ravel()])
    y = solve_ivp(rate, (0, t), y0, "DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    return y[:d], y[d:].reshape(d, d)


@pytest.mark.parametrize(
    ("alpha", "beta", "s", "c0", "variance", "factor"),
    [
        (1.0, 1.0, 0.7, 2.1, 0.70130975, 0.01061145),
        (0.3, 2.0, 0.5, 2.0, 0.50227050, 0.00419770),
        (1.0, 0.0, 1.3, 0.52, 1.24295107, 0.27044344),
        (0.0, 1.0, 1.3, 0.52, 1.02038791, 0.35847704),
    ],
)
def test_in_one_dimension(alpha, beta, s, c0, variance, factor):
    # Printed to eight digits; the formula of one dimension to rounding.
    found = scalar(s, c0, alpha, beta, 1.7)
    assert found == pytest.approx((variance, factor), abs=1e-8)
    assert found == pytest.approx(scalar_form(s, c0, alpha, beta, 1.7), rel=1e-12)


@pytest.mark.parametrize(
    ("alpha", "beta"), [(1.0, 1.0), (0.8, 1.2), (0.0, 0.7), (0.6, 0.0)]
)
def test_in_three_dimensions(alpha, beta):
    mu = flow(INITIAL, TARGET, 0.8, alpha=alpha, beta=beta)
    mean, cov = moment_equation(alpha, beta, 0.8)
    np.testing.assert_allclose(mu.mean, mean, atol=1e-9)
    np.testing.assert_allclose(mu.cov, cov, atol=1e-9)
    # The exponential of the Hamiltonian matrix of the Riccati equation.
    precision = np.linalg.inv(COVS[1])
    top = -alpha * precision + beta / 2 * np.eye(3)
    h = np.block([[top, 2 * alpha * np.eye(3)], [beta * precision, -top.T]])
    x, y = np.split(expm(0.8 * h) @ np.vstack([COVS[0], np.eye(3)]), 2)
    np.testing.assert_allclose(mu.cov, x @ np.linalg.inv(y), atol=1e-11)
    gap = np.exp(-beta * 0.4) * np.linalg.inv(y).T @ (MEANS[0] - MEANS[1])
    np.testing.assert_allclose(mu.mean - MEANS[1], gap, atol=1e-11)


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (0.0, 1.0), (1.0, 0.0)])
def test_times_add(alpha, beta):
    # A semigroup, from the very short to far beyond what an exponential holds.
    for first, second in ((1e-9, 0.3), (0.4, 0.5), (3.0, 900.0)):
        halfway = flow(INITIAL, TARGET, first, alpha=alpha, beta=beta)
        there = flow(halfway, TARGET, second, alpha=alpha, beta=beta)
        straight = flow(INITIAL, TARGET, first + second, alpha=alpha, beta=beta)
        np.testing.assert_allclose(there.mean, straight.mean, atol=1e-12)
        np.testing.assert_allclose(there.cov, straight.cov, atol=1e-12)


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (0.0, 1.0), (1.0, 0.0)])
def test_long_times_end_at_the_target(alpha, beta):
    for t in (1e3, 1e5, 1e12):
        mu = flow(INITIAL, TARGET, t, alpha=alpha, beta=beta)
        np.testing.assert_allclose(mu.mean, MEANS[1], atol=1e-10)
        np.testing.assert_allclose(mu.cov, COVS[1], atol=1e-10)
    still = flow(TARGET, TARGET, 0.7, alpha=alpha, beta=beta)
    np.testing.assert_allclose(still.cov, COVS[1], atol=1e-13)
    start = flow(INITIAL, TARGET, 0.0, alpha=alpha, beta=beta)
    np.testing.assert_allclose(start.cov, COVS[0], atol=1e-13)


def test_stiff_targets():
    # A direction thinner by 1e8: the slow one is as if alone, the thin one is at rest.
    target = Gaussian(np.zeros(2), np.diag([1.0, 1e-8]))
    mu = flow(Gaussian(np.ones(2), np.eye(2) / 4), target, 2.0, alpha=1.0, beta=1.0)
    variance, factor = scalar_form(1.0, 0.25, 1.0, 1.0, 2.0)
    np.testing.assert_allclose(mu.mean, [factor, 0.0], rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(mu.cov, np.diag([variance, 1e-8]), rtol=1e-6, atol=1e-14)


def test_rates_at_late_times():
    # The covariance at rate 2 alpha / s + beta, the mean at alpha / s + beta: never
    # slower than beta, however flat the target.
    for s in (0.7, 1e4):
        (c1, m1), (c2, m2) = (scalar(s, 2.1, 1.0, 1.0, t) for t in (25.0, 25.5))
        assert np.log(m1 / m2) / 0.5 == pytest.approx(1 / s + 1, rel=1e-3)
        if s == 1e4:
            decay = np.log((s - c1) / (s - c2)) / 0.5
            assert decay == pytest.approx(2 / s + 1, rel=0.02)


def value(p):
    """Something of a law that has parameters everywhere."""
    t, alpha, beta, mean, center, c, s = p
    mu = gaussian_shk(
        Gaussian(mean, c @ c.T), Gaussian(center, s @ s.T), t, alpha=alpha, beta=beta
    )
    return jnp.sum(jnp.sin(mu.mean)) + jnp.sum(
        jnp.cos(mu.cov) * jnp.arange(9.0).reshape(3, 3)
    )


evaluate = jax.jit(jax.value_and_grad(value))


# With the identity for a target: equal eigenvalues are no exception.
@pytest.mark.slow
@pytest.mark.parametrize("root", [ROOTS[1], np.eye(3)])
def test_gradients(root):
    p = (
        0.8,
        0.6,
        1.1,
        *jnp.asarray(MEANS),
        jnp.asarray(ROOTS[0] + np.eye(3)),
        jnp.asarray(root),
    )
    p = tuple(map(jnp.asarray, p))
    _, gradient = evaluate(p)
    for seed in range(3):
        keys = jax.random.split(jax.random.key(seed), len(p))
        step = tuple(
            jax.random.normal(key, jnp.shape(leaf))
            for key, leaf in zip(keys, p, strict=True)
        )
        (ahead, _), (behind, _) = (
            evaluate(jax.tree.map(lambda a, b: a + h * b, p, step))
            for h in (1e-5, -1e-5)
        )
        slope = sum(jnp.sum(a * b) for a, b in zip(gradient, step, strict=True))
        # Central differences of step 1e-5 are good to about 1e-9.
        np.testing.assert_allclose(slope, (ahead - behind) / 2e-5, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
def test_float32_and_vmap():
    single = jax.tree.map(lambda a: a.astype(jnp.float32), (INITIAL, TARGET))
    mu = flow(*single, 0.8)
    exact = flow(INITIAL, TARGET, 0.8)
    assert mu.mean.dtype == mu.cov.dtype == jnp.float32
    np.testing.assert_allclose(mu.cov, exact.cov, rtol=1e-4, atol=1e-4)
    times = jnp.array([0.0, 0.8, 3.0])
    many = jax.vmap(lambda t: gaussian_shk(INITIAL, TARGET, t))(times)
    np.testing.assert_allclose(many.cov[1], exact.cov, rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"t": -1.0}, "t >= 0, found -1.0"),
        ({"t": np.inf}, "t >= 0 and finite, found inf"),
        ({"alpha": -0.1}, "alpha >= 0"),
        ({"beta": np.nan}, "beta >= 0"),
        ({"alpha": 0.0, "beta": 0.0}, "both zero"),
        ({"t": np.ones(2)}, "t to be one number"),
        ({"target": Gaussian([0.0], [[1.0]])}, "one dimension, found 3 and 1"),
    ],
)
def test_bad_input_is_named(options, match):
    arguments = {"initial": INITIAL, "target": TARGET, "t": 1.0} | options
    with pytest.raises(ValueError, match=match):
        gaussian_shk(**arguments)


def test_other_laws_are_refused():
    with pytest.raises(TypeError, match="found Particles"):
        gaussian_shk(Particles.from_samples(np.zeros((2, 3))), TARGET, 1.0)
    with pytest.raises(ValueError, match="positive definite"):
        gaussian_shk(INITIAL, Gaussian([0.0], [[-1.0]]), 1.0)
