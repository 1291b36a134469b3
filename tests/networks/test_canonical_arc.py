"""Arc ridge against closed forms: stops, lengths and the path of all strengths."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from canonical_models import TIGHT, X1, X2, product
from scipy.integrate import quad
from scipy.optimize import brentq

from wflow.energies import Functional
from wflow.flows import GradientFlow
from wflow.geometries import Euclidean
from wflow.measures import (
    Point,
    UnsupportedMeasureError,
)
from wflow.networks import Supervised
from wflow.networks.canonical import ArcLengthFlow, ArcRidge, Traveled, lambda_path
from wflow.networks.canonical.arc import LambdaPath
from wflow.solvers import solve


def training(y):
    return GradientFlow(Supervised(X1, jnp.asarray(y, float)[None]), Euclidean())


@eqx.filter_jit
def trained(model, y, lam, t1):
    flow = ArcLengthFlow(training(y))
    mu = Traveled(Point(model))
    return solve(flow, mu, 0.0, t1, stop=ArcRidge(lam), throw=False, **TIGHT)


def arc(model, y, lam=0.0, t1=30.0):
    return trained(model, jnp.asarray(y), jnp.asarray(lam), jnp.asarray(t1))


def length_of_the_leaf(c, f):
    return quad(lambda f: (c**2 + 4 * f**2) ** -0.25, 0, f, epsabs=1e-13)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("u0", "y", "limit", "length"),
    [
        (2.0, 1.0, (2.05817103, 0.48586827), 0.4904467343),
        (1.0, 3.0, (1.8818558, 1.59417103), 1.8560481024),
    ],
)
def test_limit_and_length_of_the_unregularized_path(u0, y, limit, length):
    # Closed forms of the arc and of the limit, 8 digits known.
    sol = arc(product(u0, 0.0), y)
    end = sol[-1].measure.value
    assert not bool(sol.stopped)
    np.testing.assert_allclose([end.u, end.v[0]], limit, atol=1e-8)
    np.testing.assert_allclose(end.u**2 - end.v[0] ** 2, u0**2, atol=1e-9)
    np.testing.assert_allclose(sol[-1].length, length, atol=1e-9)
    np.testing.assert_allclose(length_of_the_leaf(u0**2, y), length, atol=1e-9)
    chord = np.hypot(end.u - u0, end.v[0])
    assert chord < sol[-1].length
    # Twice the action of a gradient flow is the energy that it lost.
    np.testing.assert_allclose(2 * sol[-1].action, y**2 / 2, atol=1e-8)


def test_arc_ridge_stops_at_the_minimum_along_the_leaf():
    # The closed form along a ray.
    sol = arc(product(1.0, 0.0), 3.0, 0.5)
    end = sol[-1].measure.value
    assert bool(sol.stopped)
    np.testing.assert_allclose([end.u, end.v[0]], [1.78308574, 1.47627733], atol=1e-7)
    np.testing.assert_allclose(sol[-1].length, 1.70224726, atol=1e-7)
    np.testing.assert_allclose(sol.times[-1], 0.7099952, atol=1e-7)
    np.testing.assert_allclose(end.u**2 - end.v[0] ** 2, 1.0, atol=1e-9)
    # f - y + lam s s' = 0 along the leaf, s' = (1 + 4 f^2)^(-1/4).
    f = brentq(
        lambda f: f - 3 + 0.5 * length_of_the_leaf(1, f) * (1 + 4 * f**2) ** -0.25, 0, 3
    )
    np.testing.assert_allclose(end.u * end.v[0], f, atol=1e-7)


def test_lazy_to_rich():
    # s/chord - 1 for c = 1, 4, 64, 1024 falls as c^-2; three digits are given.
    found = []
    for c in (1.0, 4.0, 64.0, 1024.0):
        sol = arc(product(np.sqrt(c), 0.0), 1.0, t1=40 / c)
        end = sol[-1].measure.value
        chord = np.hypot(end.u - np.sqrt(c), end.v[0])
        found.append(sol[-1].length / chord - 1)
    np.testing.assert_allclose(found[:3], [1.32e-2, 2.27e-3, 1.02e-5], rtol=5e-3)
    np.testing.assert_allclose(found[3], 4.0e-8, rtol=5e-2)  # 1e-9 of the solver


def test_the_untrained_weight_stays():
    # Gradient flow from v = (0, w) predicts u w = 1.8818558 w elsewhere.
    end = arc(product(1.0, 0.0, 0.7), 3.0)[-1].measure.value
    np.testing.assert_allclose(end(X2) / 0.7, 1.8818558, atol=1e-7)


@pytest.mark.slow
def test_the_length_is_differentiable_in_the_strength():
    # At the stop r(s) = lam s s' implicitly; here against a central difference.
    def length(lam):
        return arc(product(1.0, 0.0), 3.0, lam)[-1].length

    h = 1e-4
    slope = (length(0.5 + h) - length(0.5 - h)) / (2 * h)
    np.testing.assert_allclose(jax.grad(length)(0.5), slope, atol=1e-7)


@eqx.filter_jit
def quadratic(matrix, curvature, optimum, x0, lam, scale):
    def loss(mu, t):
        away = matrix @ mu.value - optimum
        return scale * jnp.sum(curvature * away**2) / 2

    flow = ArcLengthFlow(GradientFlow(Functional(loss), Euclidean()))
    mu = Traveled(Point(x0))
    return solve(flow, mu, 0.0, 40.0 / scale, stop=ArcRidge(lam), throw=False, **TIGHT)


def stop_of(k, optimum, lam=0.7, matrix=None, scale=1.0):
    matrix = jnp.eye(2) if matrix is None else matrix
    arguments = (k, optimum, jnp.zeros(2), jnp.asarray(lam), jnp.asarray(scale))
    return quadratic(matrix, *map(jnp.asarray, arguments))


@pytest.mark.slow
def test_quadratics():
    # Isotropic curvature gives ridge, anisotropic does not.
    end = stop_of([2.0, 2.0], [1.5, 0.0])[-1].measure.value
    np.testing.assert_allclose(end, [2 * 1.5 / 2.7, 0.0], atol=1e-9)
    end = stop_of([2.0, 2.0], [1.5, -1.0])[-1].measure.value
    np.testing.assert_allclose(end, np.array([3.0, -2.0]) / 2.7, atol=1e-9)
    k, optimum = np.array([4.0, 1.0]), np.array([1.0, 2.0])
    at = stop_of(k, optimum)[-1]
    end = np.asarray(at.measure.value)
    gradient = np.linalg.norm(k * (end - optimum))
    np.testing.assert_allclose(gradient, 0.7 * at.length, atol=1e-9)
    assert at.length > np.linalg.norm(end) + 1e-3
    assert np.abs(end - k * optimum / (k + 0.7)).max() > 1e-2


@pytest.mark.slow
def test_the_length_depends_on_the_metric_of_parameters_alone():
    # Not on the speed, nor on orthogonal coordinates; on others, yes.
    k, optimum = [4.0, 1.0], [1.0, 2.0]
    length = stop_of(k, optimum, 0.0)[-1].length
    np.testing.assert_allclose(
        stop_of(k, optimum, 0.0, scale=5.0)[-1].length, length, atol=1e-8
    )
    turn = jnp.array([[0.6, -0.8], [0.8, 0.6]])
    turned = stop_of(k, optimum, 0.0, matrix=turn)[-1].length
    np.testing.assert_allclose(turned, length, atol=1e-8)
    sheared = stop_of(k, optimum, 0.0, matrix=jnp.diag(jnp.array([2.0, 1.0])))
    assert abs(sheared[-1].length - length) > 0.1


NET = eqx.nn.MLP(1, "scalar", 6, 1, activation=jnp.tanh, key=jax.random.key(3))
INPUTS = jnp.linspace(-1, 1, 5)[:, None]
TARGETS = jnp.sin(3 * INPUTS[:, 0])
NET_FLOW = GradientFlow(Supervised(INPUTS, TARGETS), Euclidean())
GRID = np.linspace(0.0, 5.0, 26)
STRENGTHS = [3.0, 0.5, 1.0]


@eqx.filter_jit
def of_net(lam):
    flow, mu = ArcLengthFlow(NET_FLOW), Traveled(Point(NET))
    stop = ArcRidge(lam)
    return solve(flow, mu, 0.0, 5.0, times=GRID, stop=stop, throw=False, **TIGHT)


def flat(states):
    return np.concatenate(
        [np.reshape(leaf, (len(leaf), -1)) for leaf in jax.tree.leaves(states)], axis=1
    )


@pytest.mark.slow
def test_the_path_of_a_network_is_the_unregularized_one():
    # Before the stop the same states, and the stop where a bisection of the dense
    # output puts it, 1e-6. The chord is never longer than the path.
    free = of_net(jnp.array(0.0))
    everywhere = flat(free.measures.measure.state)
    chords = np.linalg.norm(everywhere - everywhere[0], axis=1)
    assert (chords <= free.measures.length + 1e-12).all()
    flow, mu = ArcLengthFlow(NET_FLOW), Traveled(Point(NET))
    dense = diffrax.diffeqsolve(
        flow.terms(mu),
        TIGHT["solver"],
        0.0,
        5.0,
        None,
        mu.state,
        saveat=diffrax.SaveAt(dense=True),
        stepsize_controller=TIGHT["stepsize_controller"],
    )

    @jax.jit
    def gap(t, lam):
        at = mu.with_state(dense.evaluate(t))
        return flow.speed(at, t) - lam * at.length

    for lam in STRENGTHS:
        sol = of_net(jnp.array(lam))
        assert bool(sol.stopped)
        when = brentq(lambda t: gap(t, lam), 0.0, 5.0, xtol=1e-10)
        np.testing.assert_allclose(sol.times[-1], when, atol=1e-6)
        before = when > GRID
        stopped = flat(sol.measures.measure.state)
        np.testing.assert_allclose(stopped[before], everywhere[before], atol=1e-7)


@pytest.mark.slow
def test_one_run_gives_every_strength():
    # To 1e-5; and a strength that the run does not reach, and infinity.
    path = lambda_path(NET_FLOW, Point(NET), [*STRENGTHS, 1e-9, np.inf], 5.0, **TIGHT)
    assert isinstance(path, LambdaPath)
    assert len(path) == 5
    for k, lam in enumerate(STRENGTHS):
        alone = of_net(jnp.array(lam))[-1]
        np.testing.assert_allclose(path.lengths[k], alone.length, atol=1e-7)
        for one, other in zip(
            jax.tree.leaves(path[k].state),
            jax.tree.leaves(alone.measure.state),
            strict=True,
        ):
            np.testing.assert_allclose(one, other, atol=1e-7)
    np.testing.assert_array_equal(path.stopped, [True, True, True, False, True])
    assert path.times[3] == 5.0
    assert 1e-9 < path.smallest < 0.5
    assert path.lengths[4] == 0.0
    losses = path.evaluate(NET_FLOW.energy)
    np.testing.assert_allclose(losses, path.losses, rtol=1e-12)
    best = path.select(INPUTS, TARGETS)
    assert best.lam == 1e-9
    np.testing.assert_allclose(best.score, losses[3] / 5, rtol=1e-12)


@pytest.mark.slow
def test_a_stationary_start_stops_at_once():
    sol = arc(product(1.0, 0.5), 0.5, 0.3)
    assert bool(sol.stopped)
    assert sol.times[-1] == 0
    assert sol[-1].length == 0
    assert np.isfinite(flat(jax.tree.map(lambda a: a[None], sol[-1].state))).all()
    path = lambda_path(training(0.5), Point(product(1.0, 0.5)), [0.3, 1.0], 5.0)
    np.testing.assert_array_equal(path.lengths, [0.0, 0.0])
    assert path.smallest == np.inf


@pytest.mark.slow
def test_a_stop_at_a_saddle_is_pointed_out():
    # Near the saddle u = v = 0 the gradient is small, and grows.
    with pytest.warns(UserWarning, match="saddle"):
        lambda_path(training(3.0), Point(product(1e-3, 0.0)), [10.0, 5.0], 5.0)


@pytest.mark.parametrize("lam", [-1.0, np.nan])
def test_bad_strengths_are_refused(lam):
    with pytest.raises(ValueError, match="expected lams? >= 0"):
        ArcRidge(lam)
    with pytest.raises(ValueError, match="expected lams? >= 0"):
        lambda_path(NET_FLOW, Point(NET), [1.0, lam], 1.0)


def test_bad_paths_are_refused():
    with pytest.raises(ValueError, match="expected lams"):
        lambda_path(NET_FLOW, Point(NET), 1.0, 1.0)
    with pytest.raises(UnsupportedMeasureError, match="Traveled"):
        solve(NET_FLOW, Point(NET), 0.0, 1.0, stop=ArcRidge(1.0))


def test_what_is_no_traveled_measure_is_refused():
    with pytest.raises(TypeError, match="measure to be a measure"):
        Traveled(1.0)
    with pytest.raises(ValueError, match="length >= 0"):
        Traveled(Point(jnp.ones(2)), -1.0)
