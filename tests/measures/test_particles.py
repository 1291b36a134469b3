"""Weighted particles and points."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.measures import Particles, Point


W = np.array([0.2, 0.7, 0.0, 1.1, 0.4])


@pytest.fixture(scope="module")
def cloud():
    return Particles.from_samples(np.random.default_rng(0).normal(size=(5, 2)), W)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Particles(np.zeros(3), np.zeros(3)), r"\(n, d\).*\(3,\)"),
        (lambda: Particles(np.zeros((3, 2)), np.zeros(2)), r"\(3, 2\) and \(2,\)"),
        (lambda: Particles.from_samples(np.zeros(3)), r"\(n, d\).*found \(3,\)"),
        (lambda: Particles.from_samples(np.zeros((0, 2))), "n >= 1"),
        (lambda: Particles.from_samples(np.zeros((2, 1)), [1.0, -1.0]), "weights >= 0"),
        (lambda: Particles.from_samples(np.zeros((2, 1)), [1.0, np.nan]), "nan"),
        (lambda: Particles.from_samples(np.zeros((2, 1)), [1.0]), r"shape \(2,\)"),
        (lambda: Point({"a": 1, "b": "text"}), "floating-point array"),
    ],
)
def test_wrong_arguments_are_refused_in_a_sentence(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_moments_are_the_weighted_ones(cloud):
    x = np.asarray(cloud.x)
    np.testing.assert_allclose(cloud.w, W, rtol=1e-14)
    np.testing.assert_allclose(cloud.mass, W.sum(), rtol=1e-14)
    np.testing.assert_allclose(cloud.log_mass, np.log(W.sum()), rtol=1e-14)
    np.testing.assert_allclose(cloud.ess, W.sum() ** 2 / (W**2).sum(), rtol=1e-14)
    np.testing.assert_allclose(cloud.mean, np.average(x, 0, W), rtol=1e-14)
    expected = np.cov(x.T, aweights=W, ddof=0)
    np.testing.assert_allclose(cloud.cov, expected, rtol=1e-13)
    np.testing.assert_allclose(
        cloud.integrate(lambda x: jnp.stack([x[0], x @ x])),
        [W @ x[:, 0], W @ (x**2).sum(1)],
        rtol=1e-14,
    )
    one = cloud.normalized()
    np.testing.assert_allclose(one.w, W / W.sum(), rtol=1e-14)
    np.testing.assert_allclose(one.log_mass, 0, atol=1e-15)
    np.testing.assert_allclose(one.cov, expected, rtol=1e-13)
    uniform = Particles.from_samples(x)
    np.testing.assert_allclose([uniform.mass, uniform.ess], [1, 5], rtol=1e-14)


def test_integers_become_floats_and_vanishing_weights_stay_finite():
    mu = Particles([[0], [1]], [0.0, -np.inf])
    assert mu.x.dtype == jnp.float64
    assert np.isfinite(mu.logw).all()
    np.testing.assert_array_equal(mu.w, [1, 0])
    np.testing.assert_allclose([mu.ess, mu.log_mass], [1, 0], atol=1e-15)


def test_differential_in_weights_sees_every_property(cloud):
    def functional(mu):
        one = mu.normalized()
        spread = jnp.sum(mu.mean) + jnp.trace(mu.cov) + one.integrate(jnp.sum)
        return mu.mass**2 + 3 * mu.log_mass + mu.ess + spread + one.ess

    value, differential = eqx.filter_jit(lambda mu: mu.differential(functional))(cloud)
    at = eqx.filter_jit(lambda x, w: functional(Particles.from_samples(x, w)))
    np.testing.assert_allclose(value, at(cloud.x, W), rtol=1e-13)
    h = 1e-6
    for i in np.flatnonzero(W):
        e = h * np.eye(5)[i]
        slope = (at(cloud.x, W + e) - at(cloud.x, W - e)) / (2 * h)
        np.testing.assert_allclose(differential.w[i], slope, rtol=1e-7)
    # One-sided where the weight is zero.
    e = h * np.eye(5)[2]
    ahead = 4 * at(cloud.x, W + e) - at(cloud.x, W + 2 * e) - 3 * value
    np.testing.assert_allclose(differential.w[2], ahead / (2 * h), rtol=1e-7)
    for i, k in ((1, 0), (4, 1)):
        e = np.zeros((5, 2))
        e[i, k] = h
        slope = (at(cloud.x + e, W) - at(cloud.x - e, W)) / (2 * h)
        np.testing.assert_allclose(differential.x[i, k], slope, rtol=1e-7)


def test_samples_come_by_weight(cloud):
    n = 4000
    draws = np.asarray(cloud.sample(jax.random.key(0), n))
    share = (draws[:, None] == np.asarray(cloud.x)).all(-1).mean(0)
    p = W / W.sum()
    assert (np.abs(share - p) <= 5 * np.sqrt(p * (1 - p) / n)).all()


@pytest.mark.slow
def test_jit_vmap_grad_and_float32():
    x = jnp.asarray(np.random.default_rng(1).normal(size=(3, 5, 2)), jnp.float32)

    @jax.jit
    @jax.vmap
    def loss_and_gradient(x):
        def spread(x, w):
            mu = Particles.from_samples(x, w).normalized()
            return jnp.trace(mu.cov) + mu.ess / 10

        return jax.value_and_grad(spread, (0, 1))(x, jnp.ones(5, x.dtype))

    value, (dx, dw) = loss_and_gradient(x)
    assert {a.dtype for a in (value, dx, dw)} == {jnp.dtype("float32")}
    assert np.isfinite(dw).all()
    expected = np.var(x, axis=1).sum(-1) + 0.5
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    mu = Particles.from_samples(x[0], W)
    assert {a.dtype for a in jax.tree.leaves(mu)} == {jnp.dtype("float32")}
    assert mu.mean.dtype == mu.cov.dtype == mu.ess.dtype == jnp.float32


def test_a_point_moves_its_floating_arrays_only():
    point = Point({"a": jnp.ones(2), "n": 3, "f": jnp.tanh})
    value, gradient = point.differential(
        lambda mu: mu.integrate(lambda v: jnp.sum(v["f"](v["a"])) * v["n"])
    )
    np.testing.assert_allclose(value, 6 * np.tanh(1.0), rtol=1e-14)
    np.testing.assert_allclose(gradient["a"], 3 / np.cosh(1.0) ** 2 * np.ones(2))
    assert gradient["n"] is None
    moved = point.with_state({"a": jnp.zeros(2), "n": None, "f": None})
    assert moved.value["n"] == 3
    np.testing.assert_array_equal(moved.value["a"], 0)
