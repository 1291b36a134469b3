"""Geodesic ridge against the leaf, against ridge, and against shooting."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from canonical_models import ONE, TIGHT, outer
from scipy.integrate import quad
from scipy.optimize import minimize

from wflow.flows import GradientFlow
from wflow.geometries import Euclidean
from wflow.measures import Point
from wflow.networks import Supervised
from wflow.networks.canonical import ArcLengthFlow, GeodesicRidge, NTKMetric, Traveled
from wflow.networks.canonical.exponential import exponential, logarithm
from wflow.networks.canonical.geodesic import geodesic
from wflow.solvers import solve


METRIC = NTKMetric(ONE[None])
Y = jnp.array([2.0, -1.0])


def shortest(theta0, y):
    return geodesic(METRIC, Point(outer(theta0)), jnp.asarray(y, float), modes=6)


def distance_on_the_leaf(v0, v1, c, count):
    """d_H from the discrete energy of points with u^2 - |v|^2 = c."""

    def place(v):
        return jnp.concatenate([jnp.sqrt(c + jnp.sum(v**2, 1))[:, None], v], axis=1)

    @jax.jit
    def energy(inner):
        v = jnp.concatenate([v0[None], inner.reshape(-1, 2), v1[None]])
        return count * jnp.sum((place(v)[1:] - place(v)[:-1]) ** 2)

    t = np.linspace(0, 1, count + 1)[1:-1, None]
    start = np.ravel((1 - t) * v0 + t * v1)
    found = minimize(
        jax.value_and_grad(energy),
        start,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-10},
    )
    return np.sqrt(found.fun)


@pytest.mark.slow
def test_two_outputs():
    # From the pole the gradient flow is a meridian: arc = geodesic, known for |y|.
    size = float(jnp.linalg.norm(Y))
    pole = shortest([1.0, 0.0, 0.0], Y)
    meridian = quad(lambda f: (1 + 4 * f**2) ** -0.25, 0, size)[0]
    np.testing.assert_allclose(pole.length, meridian, atol=1e-6)
    np.testing.assert_allclose(2 * pole.action, pole.length**2, rtol=1e-6)
    # From elsewhere: chord < geodesic < arc strictly; and the discrete energy agrees,
    # but for the error of its discretization, some 1/(24 count^2).
    theta0 = jnp.array([1.2, 0.9, 0.8])
    found = shortest(theta0, Y)
    assert bool(found.converged)
    np.testing.assert_allclose(METRIC.outputs(found.end), Y, atol=1e-6)
    flow = GradientFlow(Supervised(ONE[None], Y[None]), Euclidean())
    start = Traveled(Point(outer(theta0)))
    arc = solve(ArcLengthFlow(flow), start, 0.0, 40.0, **TIGHT)[-1]
    end = arc.measure.value.theta
    chord = jnp.linalg.norm(end - theta0)
    assert chord + 1e-2 < found.length
    assert found.length + 1e-3 < arc.length
    # The distribution is integrable: the fiber meets the leaf in one point.
    np.testing.assert_allclose(found.end.value.theta, end, atol=1e-5)
    np.testing.assert_allclose(found.chord, chord, atol=1e-5)
    c = float(theta0[0] ** 2 - theta0[1:] @ theta0[1:])
    discrete = distance_on_the_leaf(theta0[1:], end[1:], c, 64)
    np.testing.assert_allclose(found.length, discrete, atol=1e-4)
    # Shooting at the fiber finds the same.
    shot = logarithm(METRIC, Point(outer(theta0)), Y)
    assert shot.miss < 1e-8
    np.testing.assert_allclose(shot.length, found.length, atol=1e-5)


RIDGE = jax.jit(
    jax.value_and_grad(
        lambda theta, theta0, linear: GeodesicRidge(
            METRIC, Point(outer(theta0).__class__(theta0, outer(theta0).matrix, linear))
        ).value(Point(outer(theta0).__class__(theta, outer(theta0).matrix, linear))),
        (0, 1),
    )
)


@pytest.mark.slow
def test_the_energy_is_ridge_in_the_kernel_regime():
    # A4: 1e-6 asked, rounding found. (4) is where the forces balance.
    theta0 = jnp.array([0.5, -0.2, 0.3])
    j = np.asarray(outer(theta0).matrix)
    k, f0, lam = j @ j.T, j @ theta0, 0.3
    f = f0 + k @ np.linalg.solve(k + lam * np.eye(2), Y - f0)
    theta = theta0 + j.T @ np.linalg.solve(k, f - f0)
    value, (force, _) = RIDGE(theta, theta0, jnp.array(1.0))
    np.testing.assert_allclose(value, jnp.sum((theta - theta0) ** 2) / 2, atol=1e-9)
    np.testing.assert_allclose(force, theta - theta0, atol=1e-8)
    np.testing.assert_allclose(j.T @ (f - Y) + lam * force, 0, atol=1e-8)


@pytest.mark.slow
def test_the_force_is_horizontal_and_the_gradient_that_of_the_distance():
    # A2, and both derivatives through the geodesic solve against central differences.
    theta0, theta = jnp.array([1.2, 0.9, 0.8]), jnp.array([1.5, 1.1, 0.1])
    rich = jnp.array(0.0)
    _, gradients = RIDGE(theta, theta0, rich)
    mu = Point(outer(theta))
    moving = jax.tree.map(jnp.zeros_like, mu.state)
    force = type(moving)(gradients[0], moving.matrix, moving.a)
    along = METRIC.vertical(mu, force).theta
    np.testing.assert_allclose(along, 0, atol=1e-10)
    h = 1e-4
    for which, gradient in enumerate(gradients):
        slopes = []
        for step in h * jnp.eye(3):
            ends = [
                RIDGE(*(p + s * step * (which == i) for i, p in enumerate(pair)), rich)
                for pair in [(theta, theta0)]
                for s in (1, -1)
            ]
            slopes.append((ends[0][0] - ends[1][0]) / (2 * h))
        np.testing.assert_allclose(gradient, slopes, atol=1e-5)


@pytest.mark.slow
def test_one_output_is_arc_ridge():
    # From the pole to a multiple of the target: the closed form again, d_H = s.
    unit = jnp.array([0.6, 0.8])
    theta0 = jnp.array([1.0, 0.0, 0.0])
    theta = jnp.concatenate([jnp.array([1.78308574]), 1.47627733 * unit])
    value, (force, _) = RIDGE(theta, theta0, jnp.array(0.0))
    np.testing.assert_allclose(jnp.sqrt(2 * value), 1.70224726, atol=1e-5)
    u, v = theta[0], theta[1:]
    residual = u * v - 3 * unit
    gradient = jnp.concatenate([jnp.array([v @ residual]), u * residual])
    np.testing.assert_allclose(gradient + 0.5 * force, 0, atol=1e-4)


@pytest.mark.slow
def test_shooting():
    # The exponential map keeps speed and leaf, and the logarithm inverts it.
    start = Point(outer([1.2, 0.9, 0.8]))
    zero = jax.tree.map(jnp.zeros_like, start.state)
    momentum = type(zero)(jnp.array([0.3, -0.4, 0.5]), zero.matrix, zero.a)
    end, last = exponential(METRIC, start, momentum, **TIGHT)
    begun = METRIC.horizontal(start, momentum).theta
    ended = METRIC.horizontal(end, last).theta
    length = jnp.linalg.norm(begun)
    np.testing.assert_allclose(jnp.linalg.norm(ended), length, atol=1e-9)
    invariant = [
        m.value.theta[0] ** 2 - jnp.sum(m.value.theta[1:] ** 2) for m in (start, end)
    ]
    np.testing.assert_allclose(*invariant, atol=1e-9)
    back = logarithm(METRIC, start, end)
    assert back.miss < 1e-7
    np.testing.assert_allclose(back.length, length, atol=1e-6)


@pytest.mark.slow
def test_bad_geodesics_are_refused():
    start = Point(outer([1.0, 0.0, 0.0]))
    with pytest.raises(ValueError, match=r"shape \(2,\), found \(3,\)"):
        geodesic(METRIC, start, jnp.ones(3))
    with pytest.raises(ValueError, match="modes >= 1"):
        geodesic(METRIC, start, Y, modes=0)
    with pytest.raises(ValueError, match="invertible kernel"):
        geodesic(METRIC, Point(outer([0.0, 0.0, 0.0])), Y)
