"""The kernel of the outputs, its projectors, and ridge with and without an anchor."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest
from canonical_models import TIGHT, X1, X2, outer, product
from scipy.optimize import minimize_scalar

from wflow.flows import GradientFlow
from wflow.geometries import Euclidean, Riemannian
from wflow.measures import Particles, Point, UnsupportedMeasureError
from wflow.networks import Supervised
from wflow.networks.canonical import NTKMetric, Ridge
from wflow.networks.canonical.metric import PullBack, displacement
from wflow.solvers import solve


NET = eqx.nn.MLP(1, 2, 5, 1, activation=jnp.tanh, key=jax.random.key(1))
X = jnp.linspace(-1, 1, 3)[:, None]
METRIC = NTKMetric(X)
AT = Point(NET)
ORIGIN = Point(jax.tree.map(lambda a: 0.9 * a if eqx.is_array(a) else a, NET))


def flat(tree):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def jacobian():
    def outputs(state):
        return METRIC.outputs(AT.with_state(state))

    rows = jax.tree.leaves(jax.jacrev(outputs)(AT.state))
    return np.concatenate([np.reshape(row, (6, -1)) for row in rows], axis=1)


@pytest.mark.slow
def test_products_and_projectors_against_the_jacobian():
    # Dense by hand; rounding times the condition number of K.
    j = jacobian()
    k = j @ j.T
    away = flat(displacement(AT, ORIGIN))
    np.testing.assert_allclose(METRIC.kernel(AT).as_matrix(), k, atol=1e-12)
    v = jnp.arange(1.0, 7.0)
    lift = j.T @ np.linalg.solve(k, v)

    @jax.jit
    def everything(v):
        moved = displacement(AT, ORIGIN)
        return (
            METRIC.lift(AT, v),
            METRIC.norm_squared(AT, v),
            METRIC.horizontal(AT, moved),
            METRIC.vertical(AT, moved),
            METRIC.vertical_fraction(AT, ORIGIN),
            METRIC.vertical_fraction(AT, AT),
        )

    lifted, square, across, along, fraction, nothing = everything(v)
    scale = np.linalg.norm(lift)
    np.testing.assert_allclose(flat(lifted), lift, atol=1e-9 * scale)
    np.testing.assert_allclose(square, lift @ lift, rtol=1e-8)
    projected = j.T @ np.linalg.solve(k, j @ away)
    np.testing.assert_allclose(flat(across), projected, atol=1e-9)
    np.testing.assert_allclose(j @ flat(along), 0, atol=1e-9)
    part = np.linalg.norm(away - projected) / np.linalg.norm(away)
    np.testing.assert_allclose(fraction, part, rtol=1e-8)
    assert nothing == 0


@pytest.mark.slow
def test_another_geometry_of_the_parameters():
    # K = J G^{-1} J^T, by conjugate gradients to ten digits.
    def metric(value):
        struct = jax.eval_shape(lambda: Point(value).state)
        return lx.TaggedLinearOperator(
            lx.FunctionLinearOperator(
                lambda v: jax.tree.map(lambda a: 4.0 * a, v), struct
            ),
            lx.positive_semidefinite_tag,
        )

    scaled = NTKMetric(X, Riemannian(metric))
    expected = np.asarray(METRIC.kernel(AT).as_matrix()) / 4
    np.testing.assert_allclose(scaled.kernel(AT).as_matrix(), expected, atol=1e-9)


@pytest.mark.slow
def test_many_outputs_go_by_conjugate_gradients():
    # 600 outputs of 700 parameters, linear: K = X X^T.
    key = jax.random.key(2)
    wide = eqx.nn.Linear(700, "scalar", use_bias=False, key=key)
    x = jax.random.normal(key, (600, 700)) + 10 * jnp.eye(600, 700)
    metric, mu = NTKMetric(x), Point(wide)
    v = jnp.sin(jnp.arange(600.0))
    found = eqx.filter_jit(metric.solve)(mu, v)
    expected = np.linalg.solve(x @ x.T, v)
    np.testing.assert_allclose(found, expected, atol=1e-7 * np.abs(expected).max())


@pytest.mark.slow
def test_singular_kernels_are_refused_unless_a_cut_is_stated():
    twice = jnp.array([[1.0, 0.0], [1.0, 0.0]])
    mu, v = Point(product(1.0, 0.5)), jnp.ones(2)
    with pytest.raises(ValueError, match="invertible kernel"):
        NTKMetric(twice).lift(mu, v)
    assert np.isnan(eqx.filter_jit(NTKMetric(twice).solve)(mu, v)).all()
    with pytest.raises(ValueError, match="4 outputs of 3 parameters"):
        NTKMetric(jnp.tile(twice, (2, 1))).lift(mu, jnp.ones(4))
    cut = NTKMetric(twice, rcond=1e-10)
    # K = 1.25 (1 1; 1 1) has the pseudo-inverse (1 1; 1 1)/5.
    np.testing.assert_allclose(cut.solve(mu, v), np.full(2, 0.4), atol=1e-12)


@eqx.filter_jit
def regularized(mu, y, lam, origin, times):
    energy = Supervised(jnp.ones((1, 1)), y[None]) + lam * Ridge(origin)
    flow = GradientFlow(energy, Euclidean())
    return solve(flow, mu, 0.0, times[-1], times=times, throw=False, **TIGHT)


@pytest.mark.slow
def test_anchored_ridge_is_kernel_ridge_in_the_kernel_regime():
    # The law of motion to 1e-8, no vertical part along the path to 1e-10, and vanishing
    # ridge ends where no ridge does.
    start = Point(outer([0.5, -0.2, 0.3], linear=True))
    metric, y = NTKMetric(jnp.ones((1, 1))), jnp.array([1.0, -2.0])
    k = np.asarray(metric.kernel(start).as_matrix())
    f0 = np.asarray(metric.outputs(start))
    times = jnp.array([0.1, 1.0, 30.0])
    ends = []
    for lam in (0.3, 0.0, 1e-9):
        sol = regularized(start, y, jnp.asarray(lam), start, times)
        expected = f0 + k @ np.linalg.solve(k + lam * np.eye(2), y - f0)
        np.testing.assert_allclose(metric.outputs(sol[-1]), expected, atol=1e-8)
        along = flat(metric.vertical(sol[1], displacement(sol[1], start)))
        np.testing.assert_allclose(along, 0, atol=1e-10)
        ends.append(flat(sol[-1].state))
    np.testing.assert_allclose(ends[1], ends[2], atol=1e-8)


def nearest_on_fiber(u0, v0, y):
    found = minimize_scalar(
        lambda u: (u - u0) ** 2 + (y / u - v0) ** 2,
        bracket=(1.02 * u0, 1.5 * u0),
        tol=1e-14,
    )
    return np.array([found.x, y / found.x])


@pytest.mark.slow
def test_vanishing_anchored_ridge_drifts_along_the_fiber():
    # The limit at lambda = 1e-3 and t = 60/lambda, 7 digits given; and predictions at
    # the input that is not trained on. Stiff: an implicit solver.
    lam = 1e-3

    @jax.jit
    def end(u0, w, y):
        start = Point(product(u0, 0.0).__class__(u0, jnp.array([0.0, w])))
        energy = Supervised(X1, y[None]) + lam * Ridge(start)
        return solve(
            GradientFlow(energy, Euclidean()),
            start,
            0.0,
            60.0 / lam,
            solver=diffrax.Kvaerno5(),
            stepsize_controller=diffrax.PIDController(1e-9, 1e-11),
        )[-1].value

    cases = [
        (2.0, 0.0, 1.0, (2.10687754, 0.47452913), (2.10691934, 0.47462662)),
        (1.0, 0.7, 3.0, (2.04769948, 1.46470942), (2.04789661, 1.4649177)),
    ]
    for u0, w, y, given, limit in cases:
        model = end(jnp.asarray(u0), w, jnp.asarray(y))
        np.testing.assert_allclose([model.u, model.v[0]], given, atol=1e-6)
        np.testing.assert_allclose(nearest_on_fiber(u0, 0.0, y), limit, atol=1e-7)
        np.testing.assert_allclose([model.u, model.v[0]], limit, atol=3 * lam)
        np.testing.assert_allclose(model(X2), given[0] * w, atol=1e-6)


def test_the_drift_vanishes_in_the_lazy_limit():
    # The gap between the two limits goes to (y^2/2) c^(-3/2), values given.
    for c, gap in ((1, 1.246e-1), (4, 5.003e-2), (64, 9.756e-4), (1024, 1.5259e-5)):
        u = np.sqrt((c + np.sqrt(c**2 + 4)) / 2)
        apart = np.linalg.norm(nearest_on_fiber(np.sqrt(c), 0.0, 1.0) - [u, 1 / u])
        np.testing.assert_allclose(apart, gap, rtol=2e-2 if c == 1024 else 1e-3)


@pytest.mark.slow
def test_natural_gradient_descends_straight():
    # Riemannian(PullBack): F' = -K (K + d I)^{-1} (F - y); tolerance of CG.
    metric, damping = NTKMetric(X), 1e-3
    energy = Supervised(X, jnp.ones((3, 2)))
    flow = GradientFlow(energy, Riemannian(PullBack(X, damping)))
    rate = metric.push(AT, eqx.filter_jit(flow.velocity)(AT))
    k = np.asarray(metric.kernel(AT).as_matrix())
    away = np.asarray(metric.outputs(AT)) - 1
    expected = -k @ np.linalg.solve(k + damping * np.eye(6), away)
    np.testing.assert_allclose(rate, expected, atol=1e-6)
    with pytest.raises(ValueError, match="damping > 0"):
        PullBack(X, 0.0)


def test_points_of_other_shapes_are_refused():
    other = Point(eqx.nn.MLP(1, 2, 4, 1, key=jax.random.key(0)))
    with pytest.raises(ValueError, match="like those of origin"):
        Ridge(other).value(AT)
    with pytest.raises(ValueError, match="like those of origin"):
        METRIC.vertical_fraction(AT, other)
    with pytest.raises(ValueError, match="floating-point array"):
        Point(jnp.arange(3))
    with pytest.raises(UnsupportedMeasureError):
        Ridge().value(Particles.from_samples(jnp.ones((2, 2))))


@pytest.mark.slow
def test_float32_and_batches_of_points():
    # As the double one to the precision of its kernel.
    single = Point(
        jax.tree.map(lambda a: a.astype(jnp.float32) if eqx.is_array(a) else a, NET)
    )
    x = X[:1].astype(jnp.float32)

    @eqx.filter_jit
    def fractions(mu, origin, scales):
        def fraction(scale):
            state = jax.tree.map(lambda leaf: scale * leaf, mu.state)
            there = mu.with_state(state)
            return NTKMetric(x).vertical_fraction(there, origin)

        return jax.vmap(fraction)(scales), jax.grad(fraction)(scales[0])

    scales = jnp.array([1.1, 1.3])
    low, slope = fractions(single, single, scales.astype(jnp.float32))
    assert low.dtype == slope.dtype == jnp.float32
    high, steep = fractions(AT, AT, scales)
    np.testing.assert_allclose(low, high, atol=1e-4)
    np.testing.assert_allclose(slope, steep, atol=1e-3)
    h = 1e-5
    ends = fractions(AT, AT, jnp.array([1.1 + h, 1.1 - h]))[0]
    np.testing.assert_allclose(steep, (ends[0] - ends[1]) / (2 * h), atol=1e-7)


def test_a_metric_of_other_measures_is_refused():
    with pytest.raises(UnsupportedMeasureError, match="NTKMetric does not act on"):
        METRIC.kernel(Particles.from_samples(jnp.ones((2, 2))))
