"""The moment flow ends in Kalman's update."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import solve
from wflow.filtering.transport.moments import (
    MomentMismatch,
    MomentTransport,
    moment_flow,
)
from wflow.measures import Particles, UnsupportedMeasureError


RNG = np.random.default_rng(0)


def whitened(rows):
    centered = rows - rows.mean(0)
    root = np.linalg.cholesky(centered.T @ centered / len(rows))
    return np.linalg.solve(root, centered.T).T


def symmetric_root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(values) @ vectors.T


@pytest.mark.slow
def test_the_end_is_the_symmetric_kalman_update():
    x = RNG.normal(size=(400, 3)) @ RNG.normal(size=(3, 3))
    y = x @ RNG.normal(size=(3, 2)) + RNG.normal(size=(400, 2))
    cross = whitened(x).T @ whitened(y) / 400
    flow, start = moment_flow(cross)
    solution = solve(
        flow,
        start,
        0.0,
        400.0,
        times=np.linspace(0, 400, 51),
        dt0=0.02,
        solver=diffrax.Euler(),
    )
    a, b = solution[-1].value
    np.testing.assert_allclose(b, cross, atol=1e-10)
    np.testing.assert_allclose(a @ a.T, np.eye(3) - cross @ cross.T, atol=1e-10)
    root = symmetric_root(np.eye(3) - cross @ cross.T)
    np.testing.assert_allclose(a, root, atol=1e-10)
    energy = np.asarray(solution.energy)
    # Where it is zero but for rounding it cannot fall.
    assert np.all(np.diff(energy) <= 1e-25)
    assert energy[0] > 1e-2


def test_the_flow_is_that_of_the_equations():
    # A' = -2 D1 A, B' = -2 (D1 B + D2), and F = |D1|^2 / 2 + |D2|^2.
    cross = RNG.normal(size=(3, 2)) / 3
    a, b = RNG.normal(size=(3, 3)), RNG.normal(size=(3, 2))
    flow, start = moment_flow(cross)
    mu = start.with_state((jnp.asarray(a), jnp.asarray(b)))
    d1, d2 = a @ a.T + b @ b.T - np.eye(3), b - cross
    da, db = flow.velocity(mu)
    np.testing.assert_allclose(da, -2 * d1 @ a, rtol=1e-11)
    np.testing.assert_allclose(db, -2 * (d1 @ b + d2), rtol=1e-11)
    expected = np.sum(d1**2) / 2 + np.sum(d2**2)
    np.testing.assert_allclose(flow.value(mu), expected, rtol=1e-12)


def test_the_energy_is_a_polynomial_discrepancy():
    # Of samples and k = (1 + u.u')^2, with means zero and unit covariances.
    x, y = whitened(RNG.normal(size=(50, 2))), RNG.normal(size=(50, 1))
    y = whitened(y + x[:, :1])
    # A product law of samples: all pairs.
    own = np.repeat(np.arange(50), 50), np.tile(np.arange(50), 50)
    a, b = RNG.normal(size=(2, 2)), RNG.normal(size=(2, 1))
    cloud = np.concatenate([x[own[0]] @ a.T + y[own[1]] @ b.T, y[own[1]]], axis=1)
    joint = np.concatenate([x, y], axis=1)
    second = lambda u: u.T @ u / len(u)
    mismatch = second(cloud) - second(joint)
    flow, start = moment_flow(x.T @ y / 50)
    mu = start.with_state((jnp.asarray(a), jnp.asarray(b)))
    # MMD^2 of the kernel is |second moments' difference|^2 for centered clouds.
    np.testing.assert_allclose(flow.value(mu), np.sum(mismatch**2) / 2, rtol=1e-10)


@pytest.mark.slow
def test_the_scalar_rate():
    # E decays as exp(-2 (3 - sqrt(1 + 8 r^2)) t) in the end.
    r = 0.3
    flow, start = moment_flow([[r]])
    energy = np.asarray(solve(flow, start, 0.0, 5.0, times=[2.0, 5.0]).energy)
    slope = np.log(energy[1] / energy[0]) / 3
    np.testing.assert_allclose(slope, -2 * (3 - np.sqrt(1 + 8 * r**2)), rtol=0.03)


@pytest.mark.slow
def test_the_transport_has_kalmans_moments():
    x = RNG.normal(size=(60, 2)) @ np.array([[2.0, 0.3], [0.0, 0.5]]) + 3
    y = 10 * (x[:, :1] + 0.4 * RNG.normal(size=(60, 1)))
    observed = np.array([33.0])
    moved = np.asarray(
        MomentTransport().analyze_pairs(
            jnp.asarray(x), jnp.asarray(y), jnp.asarray(observed), jax.random.key(0)
        )
    )
    joint = np.cov(np.concatenate([x, y], axis=1).T)
    gain = joint[:2, 2:] / joint[2, 2]
    mean = x.mean(0) + gain @ (observed - y.mean(0))
    # The correlation matrices hold a jitter of 1e-9.
    np.testing.assert_allclose(moved.mean(0), mean, rtol=1e-7)
    cov = joint[:2, :2] - gain @ joint[2:, :2]
    np.testing.assert_allclose(np.cov(moved.T), cov, rtol=1e-6)


def test_bad_input_is_named():
    with pytest.raises(UnsupportedMeasureError, match=r"acts on Point\(\(A, B\)\)"):
        MomentMismatch(np.eye(2)).value(Particles.from_samples(np.eye(2)))
    with pytest.raises(ValueError, match="inflation > 0, found 0"):
        MomentTransport(0.0)
    few = jnp.asarray(RNG.normal(size=(3, 2)))
    with pytest.raises(ValueError, match="found 3 members and 2 components"):
        MomentTransport().analyze_pairs(few, few, few[0], jax.random.key(0))
