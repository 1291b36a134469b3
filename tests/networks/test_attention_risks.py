"""Closed-form risks of attention heads: identities, limits, Monte Carlo, refusals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from wflow import Particles
from wflow.measures import Point, UnsupportedMeasureError
from wflow.networks.attention import AttentionRisk, LinearAttention, SoftmaxAttention
from wflow.networks.attention.covariance import UncenteredWarning, second_moment
from wflow.networks.attention.risks import PromptRisk


EIGENVALUES = np.array([3.0, 1.5, 0.8, 0.3])
SIGMA = np.diag(EIGENVALUES)
T = EIGENVALUES.sum()
rng = np.random.default_rng(0)
MU = np.array([0.3, -0.2, 0.4, 0.1])
TURN = np.linalg.qr(rng.normal(size=(4, 4)))[0]


@eqx.filter_jit
def probe(risk, mu):
    value, gradient = Point(mu).differential(risk.value)
    return value, gradient


def invariants(mu, sigma=SIGMA):
    return mu @ sigma @ mu, mu @ sigma @ sigma @ mu, np.trace(sigma)


def finite(a, b, t, length, degrees=np.inf):
    """R_{L,n} as the paper's specification writes it."""
    u, v = 1 / length, 1 / degrees
    linear = ((1 + u) * (1 + v) + 2 * u * v) * b + (u + v + u * v) * t * a
    quadratic = ((1 + 3 * u) * (1 + 3 * v) + 4 * u * v) * a * b
    quadratic += (u + v + 3 * u * v) * t * a**2
    return t - 2 * linear + (1 + 2 * u) * (1 + 2 * v) * quadratic


def test_infinite_prompt_and_its_gradient():
    for beta in (1.0, 0.7):
        value, gradient = probe(AttentionRisk(SIGMA, beta=beta), MU)
        a, b, _ = invariants(MU)
        np.testing.assert_allclose(
            value, T - 2 * beta * b + beta**2 * a * b, rtol=1e-13
        )
        expected = -4 * beta * SIGMA @ SIGMA @ MU
        expected += 2 * beta**2 * (b * SIGMA @ MU + a * SIGMA @ SIGMA @ MU)
        np.testing.assert_allclose(gradient, expected, atol=1e-10)
        root = np.sqrt(beta) * MU
        np.testing.assert_allclose(
            value, probe(AttentionRisk(SIGMA), root)[0], rtol=1e-13
        )


def test_several_heads_and_their_gradient():
    heads = rng.normal(size=(4, 2)) / 2
    value, gradient = probe(AttentionRisk(SIGMA), heads)
    p, root = heads @ heads.T, np.sqrt(SIGMA)
    q = np.eye(4) - root @ p @ root
    np.testing.assert_allclose(value, np.trace(SIGMA @ q @ q), rtol=1e-13)
    s2 = SIGMA @ SIGMA
    expected = -4 * s2 @ heads + 2 * (SIGMA @ p @ s2 + s2 @ p @ SIGMA) @ heads
    np.testing.assert_allclose(gradient, expected, atol=1e-10)
    # At a finite length every closed form agrees with differences of its value.
    risk = AttentionRisk(SIGMA, 7.0, 5.0)
    _, gradient = probe(risk, heads)
    direction, h = rng.normal(size=(4, 2)), 1e-5
    up, down = (probe(risk, heads + s * h * direction)[0] for s in (1, -1))
    # Second order in h, and rounding of 1e-16 / h.
    np.testing.assert_allclose(
        (up - down) / (2 * h), np.sum(gradient * direction), rtol=1e-7
    )


@pytest.mark.parametrize(("length", "degrees"), [(1, np.inf), (5, np.inf), (10, 4)])
def test_finite_prompts_as_specified(length, degrees):
    value, _ = probe(AttentionRisk(SIGMA, length, degrees), MU)
    np.testing.assert_allclose(
        value, finite(*invariants(MU), length, degrees), rtol=1e-13
    )
    swapped, _ = probe(AttentionRisk(SIGMA, degrees, length), MU)
    np.testing.assert_allclose(value, swapped, rtol=1e-13)


def test_one_dimension_and_limits():
    s, m, n, length = 1.7, 0.6, 4.0, 10.0
    value, _ = probe(AttentionRisk([s], length, n), np.array([m]))
    second = (1 + 2 / n) * (1 + 2 / length)
    third = second * (1 + 4 / n) * (1 + 4 / length)
    np.testing.assert_allclose(
        value, s - 2 * m**2 * s**2 * second + m**4 * s**3 * third, rtol=1e-12
    )
    far, _ = probe(AttentionRisk(SIGMA, 10.0, 1e13), MU)
    np.testing.assert_allclose(
        far, probe(AttentionRisk(SIGMA, 10.0), MU)[0], rtol=1e-11
    )


@eqx.filter_jit
def risks_of(head, prompts):
    return jax.vmap(lambda x: jnp.mean(jnp.sum((x - head(x)) ** 2, axis=1)))(prompts)


def check(length, degrees, own, batch, heads):
    """The actual head on prompts of NumPy's, within four standard errors."""
    z = rng.normal(size=(batch, length, 4))
    n = np.inf
    if degrees is not None:
        n = degrees
        z = rng.normal(size=(batch, length, n)) @ rng.normal(size=(batch, n, 4))
        z /= np.sqrt(n)
    head = LinearAttention(heads, self_token=own)
    draws = np.asarray(risks_of(head, z * np.sqrt(EIGENVALUES)))
    value = AttentionRisk(SIGMA, length, n, self_token=own).value(Point(head.mu))
    assert abs(draws.mean() - value) < 4 * draws.std() / np.sqrt(batch)


HEADS = np.stack([MU, 0.4 * MU[::-1]], 1)


def test_closed_forms_against_the_actual_head():
    check(10, 4, True, 40_000, MU)
    check(6, 5, False, 40_000, HEADS)


@pytest.mark.parametrize(
    ("length", "degrees", "own", "batch", "heads"),
    [
        (5, None, True, 80_000, MU),
        (20, None, True, 20_000, MU),
        (6, None, False, 40_000, MU),
        (6, 5, True, 40_000, HEADS),
    ],
)
def test_more_closed_forms_against_the_actual_head(length, degrees, own, batch, heads):
    check(length, degrees, own, batch, heads)


@pytest.mark.parametrize("degrees", [np.inf, 3.0])
@pytest.mark.parametrize("own", [True, False])
def test_minimum_is_aligned_and_global(own, degrees):
    length = 5.0
    risk = AttentionRisk(SIGMA, length, degrees, self_token=own)
    best = np.asarray(risk.minimum)
    np.testing.assert_allclose(best[1:], 0, atol=1e-14)
    if np.isinf(degrees):
        e = 1 / length if own else 1 / (length - 1)
        a = ((1 + e) * 3 + T * e) / ((1 + 2 * e) * ((1 + 3 * e) * 3 + T * e))
        a = a if own else 3 / ((1 + e) * 3 + T * e)
        np.testing.assert_allclose(best[0], np.sqrt(a / 3), rtol=1e-13)
    least = float(probe(risk, best)[0])
    lower = []
    for start in rng.normal(size=(4, 4)):
        found = minimize(
            lambda mu: tuple(np.asarray(part) for part in probe(risk, jnp.asarray(mu))),
            start,
            jac=True,
            tol=1e-10,
        )
        lower.append(found.fun)
    # No restart is lower, and one at least arrives.
    np.testing.assert_allclose(min(lower), least, atol=1e-9)


def test_equivariance_and_scaling():
    for length in (np.inf, 5.0):
        value, gradient = probe(AttentionRisk(SIGMA, length), MU)
        turned = AttentionRisk(TURN @ SIGMA @ TURN.T, length)
        again, rotated = probe(turned, TURN @ MU)
        np.testing.assert_allclose(again, value, atol=1e-10)
        np.testing.assert_allclose(rotated, TURN @ gradient, atol=1e-10)
        np.testing.assert_allclose(probe(AttentionRisk(SIGMA, length), -MU)[0], value)
        scaled = AttentionRisk(4 * SIGMA, length)
        np.testing.assert_allclose(probe(scaled, MU / 2)[0], 4 * value, rtol=1e-13)
        np.testing.assert_allclose(2 * scaled.minimum, risk_minimum(length), rtol=1e-13)


def risk_minimum(length):
    return AttentionRisk(SIGMA, length).minimum


@pytest.mark.slow
def test_eigenvalues_and_data_for_a_covariance():
    value, gradient = probe(AttentionRisk(EIGENVALUES, 5.0), MU)
    full, other = probe(AttentionRisk(SIGMA, 5.0), MU)
    np.testing.assert_allclose(value, full, rtol=1e-14)
    np.testing.assert_allclose(gradient, other, atol=1e-14)
    np.testing.assert_allclose(
        AttentionRisk(EIGENVALUES, 5.0).minimum, risk_minimum(5.0)
    )
    rows = rng.normal(size=(30, 4))
    np.testing.assert_allclose(second_moment(rows), rows.T @ rows / 30)
    centered = np.cov(rows.T, bias=True)
    np.testing.assert_allclose(second_moment(rows, center=True), centered, atol=1e-14)
    # The infinite-prompt risk at S is the risk of the one prompt S comes from.
    risk = PromptRisk(LinearAttention(MU), rows[None])
    np.testing.assert_allclose(
        probe(risk, MU)[0], probe(AttentionRisk(second_moment(rows)), MU)[0], rtol=1e-13
    )
    assert SoftmaxAttention(MU)(rows).shape == (30, 4)


def test_single_precision_and_batches():
    risks = eqx.filter_vmap(lambda length: AttentionRisk(EIGENVALUES, length))(
        jnp.array([5.0, 20.0])
    )
    values = eqx.filter_vmap(probe, in_axes=(eqx.if_array(0), None))(risks, MU)[0]
    np.testing.assert_allclose(values[1], finite(*invariants(MU), 20.0), rtol=1e-13)
    narrow = AttentionRisk(
        jnp.asarray(SIGMA, jnp.float32), jnp.float32(5), jnp.float32(4)
    )
    narrow = eqx.tree_at(lambda r: r.beta, narrow, jnp.float32(1))
    value, gradient = probe(narrow, jnp.asarray(MU, jnp.float32))
    assert value.dtype == gradient.dtype == jnp.float32
    np.testing.assert_allclose(value, finite(*invariants(MU), 5.0, 4.0), rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((SIGMA + np.triu(np.ones((4, 4)), 1),), "expected a symmetric covariance"),
        ((np.diag([1.0, -1e-3]),), "expected a positive semidefinite covariance"),
        ((np.array([1.0, np.nan]),), "expected covariance finite, found nan"),
        ((np.ones((2, 3)),), r"expected a covariance \(d, d\) or eigenvalues"),
        ((SIGMA, 0.5), "expected prompt_length >= 1, found 0.5"),
        ((SIGMA, 5.0, 0.0), "expected degrees >= 1, found 0.0"),
        ((SIGMA, 5.0, 5.0, 0.0), "expected beta > 0, found 0.0"),
        ((SIGMA, 1.0, 5.0, 1.0, False), "expected prompt_length >= 2"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        AttentionRisk(*arguments)


def test_bad_points_and_prompts():
    risk = AttentionRisk(SIGMA)
    with pytest.raises(
        ValueError, match=r"mu of shape \(4,\) or \(4, k\), found \(3,\)"
    ):
        risk.value(Point(jnp.ones(3)))
    with pytest.raises(ValueError, match=r"mu of shape \(d,\) or \(d, k\) with k <= d"):
        risk.value(Point(jnp.ones((4, 5))))
    with pytest.raises(ValueError, match="expected mu finite, found"):
        risk.value(Point(jnp.array([1.0, jnp.inf, 0.0, 0.0])))
    with pytest.raises(UnsupportedMeasureError, match="AttentionRisk does not act on"):
        risk.value(Particles.from_samples(jnp.ones((2, 4))))
    head = LinearAttention(MU)
    with pytest.raises(ValueError, match=r"expected prompts \(B, L, 4\)"):
        PromptRisk(head, np.ones((3, 4)))
    with pytest.raises(ValueError, match="expected prompts finite, found nan"):
        PromptRisk(head, np.full((1, 3, 4), np.nan))
    with pytest.raises(UnsupportedMeasureError, match="PromptRisk does not act on"):
        PromptRisk(head, np.ones((1, 3, 4))).value(
            Particles.from_samples(jnp.ones((2, 4)))
        )
    rows = rng.normal(size=(400, 4)) + 1
    with pytest.warns(UncenteredWarning, match="the mean of rows holds"):
        second_moment(rows)
    with pytest.raises(ValueError, match=r"expected rows \(n, d\)"):
        second_moment(np.ones(3))
    with pytest.raises(ValueError, match="expected rows finite, found nan"):
        second_moment(np.full((3, 2), np.nan))
