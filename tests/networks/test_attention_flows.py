"""Flows of attention risks: end points, rates, geometries, saddles, derivatives."""

import warnings

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import Euclidean, GradientFlow, solve
from wflow.geometries import Sphere
from wflow.measures import Point
from wflow.networks.attention import AttentionRisk, alignment, critical_point
from wflow.networks.attention.diagnostics import SaddleWarning
from wflow.networks.attention.geometries import oja, whitened


EIGENVALUES = np.array([3.0, 1.5, 0.8, 0.3])
SIGMA = np.diag(EIGENVALUES)
START = np.array([0.05, 0.2, -0.1, 0.3])
CONTROL = diffrax.PIDController(1e-10, 1e-12)


def flow_of(covariance=SIGMA, length=np.inf, geometry=None):
    return GradientFlow(AttentionRisk(covariance, length), geometry or Euclidean())


@eqx.filter_jit
def moved(flow, start, times):
    """A solution at ``times``; one program for all risks, starts and ends."""
    return solve(
        flow,
        Point(start),
        0.0,
        times[-1],
        times=times,
        stepsize_controller=CONTROL,
        max_steps=16384,
        throw=False,
    ).measures.value


TIMES = jnp.array([3.0, 4.0, 10.0, 30.0])


@pytest.mark.slow
def test_infinite_prompt_ends_at_the_minimum_at_the_predicted_rates():
    path = moved(flow_of(), START, TIMES)
    end = np.abs(path[-1])
    np.testing.assert_allclose(end[0], 1 / np.sqrt(3), atol=1e-8)
    assert (end[1:] < 1e-6).all()
    np.testing.assert_allclose(flow_of().value(Point(path[-1])), 2.6, atol=1e-8)
    slopes = np.log(np.abs(path[1] / path[0]))[1:]
    rates = -2 * EIGENVALUES[1:] * (3 - EIGENVALUES[1:])
    np.testing.assert_allclose(slopes, rates, atol=1e-4)
    found = critical_point(flow_of(), Point(path[-1]))
    assert found.kind == "minimum"
    # Both formulas hold at the minimum itself.
    np.testing.assert_allclose(
        np.sort(found.rates), np.sort([*rates, -8 * 9.0]), rtol=1e-5
    )
    seen = alignment(path[-1], SIGMA)
    np.testing.assert_allclose([seen.cos2, seen.variances[0]], [1, 3], atol=1e-10)
    assert seen.distance < 1e-7
    assert seen.degrees < 1e-3


@pytest.mark.slow
def test_single_mode_is_logistic():
    times = jnp.array([0.02, 0.05, 0.1, 0.2])
    path = moved(flow_of(), np.array([0.2, 0.0, 0.0, 0.0]), times)
    a = 3 * path[:, 0] ** 2
    exact = 1 / (1 + (1 / 0.12 - 1) * np.exp(-8 * 9 * times))
    np.testing.assert_allclose(a, exact, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("length", [1.0, 2.0, 5.0, 50.0])
def test_finite_prompts_change_the_norm_only(length):
    flow = flow_of(length=length)
    end = moved(flow, START, TIMES)[-1]
    np.testing.assert_allclose(np.abs(end), np.abs(flow.energy.minimum), atol=1e-6)


@pytest.mark.slow
def test_geometries_are_the_preconditioned_flows():
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    sigma = turn @ SIGMA @ turn.T
    root = turn @ np.sqrt(SIGMA) @ turn.T
    mu = 0.4 * rng.normal(size=4)
    w = root @ mu
    field = (2 - w @ w) * sigma @ w - (w @ sigma @ w) * w
    geometries = {2: Euclidean(), 0: oja(sigma), -1: whitened(sigma)}
    for name, geometry in geometries.items():
        velocity = velocity_of(flow_of(sigma, geometry=geometry), mu)
        expected = {2: 2 * sigma @ field, 0: field, -1: np.linalg.solve(sigma, field)}
        # Conjugate gradients to 10 digits where a metric is solved.
        atol = 1e-12 if name == 2 else 1e-9
        np.testing.assert_allclose(root @ velocity, expected[name], atol=atol)
    # Oja's rates are gaps of the spectrum, and 4 l_1 of the norm.
    flow = flow_of(geometry=oja(EIGENVALUES))
    found = critical_point(flow, Point(flow.energy.minimum))
    np.testing.assert_allclose(np.sort(found.rates), [-12, -2.7, -2.2, -1.5], rtol=1e-8)


@eqx.filter_jit
def velocity_of(flow, mu):
    return flow.velocity(Point(mu))


@eqx.filter_jit
def gradient_of(flow, mu):
    return flow.energy.differential(Point(mu))


@eqx.filter_jit
def fall(flow, mu):
    """Risk, its rate of change, the dissipation and the squared gradient."""
    velocity = flow.velocity(Point(mu))
    value, rate = jax.jvp(lambda x: flow.value(Point(x)), (mu,), (velocity,))
    return value, rate, flow.dissipation(Point(mu)), velocity @ velocity


@pytest.mark.slow
def test_risk_falls_by_the_squared_gradient():
    flow = flow_of(length=5.0)
    path = moved(flow, START, jnp.array([0.1, 0.3, 0.6, 1.0]))
    values = []
    for mu in path:
        value, rate, dissipation, squared = fall(flow, mu)
        np.testing.assert_allclose([-rate, dissipation], squared, rtol=1e-12)
        values.append(value)
    assert (np.diff(values) < 0).all()


@pytest.mark.slow
def test_two_heads_find_the_subspace():
    start = 0.3 * np.random.default_rng(1).normal(size=(4, 2))
    path = moved(flow_of(), start, TIMES)
    heads = path[-1]
    seen = alignment(heads, SIGMA)
    assert seen.distance < 1e-6
    np.testing.assert_allclose(seen.variances, [3, 1.5], atol=1e-6)
    np.testing.assert_allclose(seen.cos2, 1, atol=1e-9)
    np.testing.assert_allclose(flow_of().value(Point(heads)), 1.1, atol=1e-9)
    np.testing.assert_allclose(
        velocity_of(flow_of(geometry=whitened(EIGENVALUES)), start),
        -np.linalg.solve(2 * SIGMA @ SIGMA, gradient_of(flow_of(), start)),
        rtol=1e-8,
        atol=1e-10,
    )
    # The rotation of the heads moves nothing.
    found = critical_point(flow_of(), Point(heads))
    assert found.kind == "minimum"
    assert abs(found.rate) < 1e-4


def test_time_scales_with_the_covariance():
    path = moved(flow_of(), START, TIMES / 10)
    scaled = moved(flow_of(4 * SIGMA), START / 2, TIMES / 160)
    np.testing.assert_allclose(2 * scaled, path, atol=1e-8)


def test_a_repeated_eigenvalue_keeps_the_direction_inside_its_space():
    repeated = np.diag([3.0, 3.0, 0.8, 0.3])
    start = np.array([0.1, -0.2, 0.3, 0.1])
    end = moved(flow_of(repeated), start, TIMES)[-1]
    np.testing.assert_allclose(
        end[:2] * np.sqrt(3), start[:2] / np.linalg.norm(start[:2]), atol=1e-7
    )
    np.testing.assert_allclose(alignment(end, repeated, k=2).cos2, 1, atol=1e-10)
    # One of the two eigenvectors says nothing.
    assert alignment(end, repeated).cos2 < 0.9


@pytest.mark.slow
@pytest.mark.parametrize(("beta", "tilted"), [(0.32, False), (0.36, True)])
def test_sphere_tilts_above_the_threshold(beta, tilted):
    # beta l_1 < min 2 (l_1 + l_i) / (2 l_1 + l_i): the least eigenvalue tilts first.
    threshold = (2 * (3 + EIGENVALUES[1:]) / (6 + EIGENVALUES[1:])).min() / 3
    assert (beta > threshold) == tilted
    risk = AttentionRisk(SIGMA, beta=beta)
    flow = GradientFlow(risk, Sphere())
    start = Sphere().point(np.array([1.0, 0.3, 0.2, 0.1])).value
    path = moved(flow, start, TIMES)
    np.testing.assert_allclose(np.linalg.norm(path, axis=1), 1, atol=1e-7)
    found = critical_point(flow, Point(path[-1]))
    assert found.kind == "minimum"
    cos2 = float(alignment(path[-1], SIGMA).cos2)
    assert (cos2 < 0.999) == tilted
    if tilted:
        with pytest.warns(SaddleWarning, match="converged to a saddle: negative curv"):
            at_first = critical_point(flow, Point(jnp.eye(4)[0]))
        assert abs(at_first.direction[3]) > 0.99
    else:
        np.testing.assert_allclose(cos2, 1, atol=1e-8)


def test_a_start_without_the_leading_part_ends_at_a_saddle():
    start = START * [0, 1, 1, 1]
    end = moved(flow_of(), start, TIMES)[-1]
    with pytest.warns(SaddleWarning, match="negative curvature along"):
        found = critical_point(flow_of(), Point(end))
    assert found.kind == "saddle"
    np.testing.assert_allclose(np.abs(found.direction), [1, 0, 0, 0], atol=1e-5)
    # 2 l_1 (l_1 - l_2), the rate at which the leading part would grow.
    np.testing.assert_allclose(found.rate, 9, rtol=1e-6)
    with pytest.warns(SaddleWarning, match="converged to a maximum"):
        assert critical_point(flow_of(), Point(jnp.zeros(4))).kind == "maximum"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert critical_point(flow_of(), Point(jnp.asarray(START))).kind == "moving"


@pytest.mark.slow
def test_many_dimensions_without_a_matrix():
    spectrum = np.concatenate([[3.0, 1.5], np.linspace(0.2, 0.8, 600)])
    flow = flow_of(spectrum)
    at = jnp.zeros(602).at[1].set(1 / np.sqrt(1.5))
    with pytest.warns(SaddleWarning, match="converged to a saddle"):
        found = critical_point(flow, Point(at))
    np.testing.assert_allclose(found.rate, 9, rtol=1e-8)
    best = critical_point(flow, Point(flow.energy.minimum))
    # The slowest of 2 l_i (3 - l_i) belongs to 0.2.
    assert best.kind == "minimum"
    np.testing.assert_allclose(best.rate, -2 * 0.2 * 2.8, rtol=1e-6)


@pytest.mark.slow
def test_the_kernel_of_the_covariance_does_not_move():
    flat = np.array([3.0, 1.5, 0.8, 0.0])
    for geometry in (Euclidean(), oja(flat)):
        end = moved(flow_of(flat, geometry=geometry), START, TIMES)[-1]
        np.testing.assert_allclose(end[3], START[3], atol=1e-9)
        seen = alignment(end, flat)
        np.testing.assert_allclose(seen.kernel, START[3], atol=1e-9)
        np.testing.assert_allclose(np.abs(end[0]), 1 / np.sqrt(3), atol=1e-7)


def test_large_starts_are_survived():
    far = moved(flow_of(), 10 * START, TIMES)[-1]
    np.testing.assert_allclose(np.abs(far[0]), 1 / np.sqrt(3), atol=1e-8)


@pytest.mark.slow
def test_single_precision():
    narrow = solve(flow_of(), Point(jnp.asarray(START, jnp.float32)), 0.0, 10.0)
    assert narrow.measures.value.dtype == jnp.float32
    np.testing.assert_allclose(narrow[-1].value[0], 1 / np.sqrt(3), atol=1e-3)


@pytest.mark.slow
def test_end_point_against_perturbation_theory():
    rng = np.random.default_rng(2)
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    sigma = jnp.asarray(turn @ SIGMA @ turn.T)
    change = rng.normal(size=(4, 4))
    change = jnp.asarray(change + change.T)

    def end(covariance):
        flow = flow_of(covariance)
        start = Point(jnp.asarray(turn @ START))
        return solve(
            flow,
            start,
            0.0,
            12.0,
            stepsize_controller=CONTROL,
            adjoint=diffrax.ForwardMode(),
            throw=False,
        )[-1].value

    _, derivative = jax.jvp(end, (sigma,), (change,))
    # mu = e_1 / sqrt(l_1); e_1' = sum_i <e_i, S' e_1> / (l_1 - l_i) e_i.
    e, l = turn, EIGENVALUES
    inner = e.T @ np.asarray(change) @ e[:, 0]
    vector = e[:, 1:] @ (inner[1:] / (l[0] - l[1:])) / np.sqrt(l[0])
    expected = vector - e[:, 0] * inner[0] / (2 * l[0] ** 1.5)
    expected = expected * np.sign(end(sigma) @ e[:, 0])
    # What is left of the slowest mode, (1 + t) exp(-1.62 t), is 5e-8.
    np.testing.assert_allclose(derivative, expected, atol=1e-6)


def test_bad_input_of_diagnostics():
    with pytest.raises(ValueError, match=r"expected mu of shape \(4,\) or \(4, k\)"):
        alignment(np.ones(3), SIGMA)
    with pytest.raises(ValueError, match="expected k from 1 to 4, found 5"):
        alignment(START, SIGMA, k=5)
    with pytest.raises(ValueError, match="expected mu to be a Point of one array"):
        critical_point(flow_of(), Point((jnp.ones(4), jnp.ones(4))))
    with pytest.raises(ValueError, match="expected mu finite, found"):
        critical_point(flow_of(), Point(jnp.full(4, jnp.nan)))
    with pytest.raises(ValueError, match="oja: expected a symmetric covariance"):
        oja(SIGMA + np.triu(np.ones((4, 4)), 1))
    with pytest.raises(ValueError, match="whitened: expected a positive semidefinite"):
        whitened(-SIGMA)
