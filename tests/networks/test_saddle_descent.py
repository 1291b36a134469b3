"""Plain gradient descent beside the flow that it approximates."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wflow.networks.saddle import ReLUData, follow, small_neurons
from wflow.networks.saddle.descent import descend, stable_step
from wflow.networks.saddle.jumps import limit_of_cover
from wflow.networks.saddle.neurons import LogNeurons, from_weights
from wflow.networks.saddle.norms import tangent_kernel
from wflow.networks.saddle.staircases import half_times
from wflow.solvers import SolveError


Y = np.array([1.0, 2.0, 2.0, -1.5])
SIGN = jnp.array([1, 1, -1])
ON = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]], bool)


def hand(level):
    p = np.where(ON, 0.5, -0.5)
    return LogNeurons(jnp.full(3, level), p, jnp.zeros(3), SIGN)


@pytest.mark.slow
def test_steps_are_those_of_optax():
    """Seven steps in (a, w) by autodiff, inputs that are not orthogonal, d > n."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 6))
    data = ReLUData.from_inputs(x, Y)
    a = rng.uniform(0.5, 1, 3) * np.array([1, -1, 1])
    w = 0.3 * rng.normal(size=(3, 6))
    rest = np.linalg.norm(w - (w @ np.linalg.pinv(x)) @ x, axis=1)
    course = descend(
        data, from_weights(data, a, w @ x.T, rest), 0.05, points=7, stride=1
    )

    def loss(weights):
        a, w = weights
        return jnp.sum((Y - jax.nn.relu(x @ w.T) @ a) ** 2) / 8

    optimizer = optax.sgd(0.05)

    def one(carry, _):
        weights, state = carry
        value, slope = jax.value_and_grad(loss)(weights)
        updates, state = optimizer.update(slope, state)
        return (optax.apply_updates(weights, updates), state), value

    weights = jnp.asarray(a), jnp.asarray(w)
    (last, _), values = jax.jit(
        lambda w: jax.lax.scan(one, (w, optimizer.init(w)), length=7)
    )(weights)
    np.testing.assert_allclose(course.loss[:-1], values, rtol=1e-12)
    np.testing.assert_allclose(course.final.output, last[0], rtol=1e-12)
    activation = course.final.ratio * np.exp(course.final.level)[:, None]
    np.testing.assert_allclose(activation, last[1] @ x.T, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(
        course.final.norm_squared(data),
        np.sum(last[0] ** 2) + np.sum(last[1] ** 2),
        rtol=1e-10,
    )
    np.testing.assert_allclose(course.times, 0.05 * np.arange(8), rtol=1e-12)


def test_plateaus_are_late_by_half_a_rate():
    """An aligned neuron grows by 1 + eta g a step, exactly, as small as 1e-100."""
    y, step = np.array([1.0, 0.5, 2.0]), 0.3
    size = np.sqrt(y @ y)
    data = ReLUData.orthogonal(y)
    level = -100 * np.log(10)
    neurons = LogNeurons([level], y[None] / size, jnp.zeros(1), jnp.array([1]))
    course = descend(data, neurons, step, points=10, stride=20)
    grown = level + 20 * np.arange(11) * np.log1p(step * size / 3)
    np.testing.assert_allclose(course.neurons.level[:, 0], grown, rtol=1e-12)


@pytest.mark.slow
def test_first_order_in_the_step():
    """Jumps from exp(-20) against ``follow``: the error halves with the step.

    Its size is the share eta g / 2 by which the growth of the first jump is late.
    """
    data = ReLUData.orthogonal(Y)
    limit = limit_of_cover(data, jnp.asarray(ON), SIGN)
    exact = np.asarray(half_times(follow(data, hand(-20.0)), limit))
    errors = []
    for step, stride in ((0.08, 25), (0.04, 50)):
        course = descend(data, hand(-20.0), step, points=60, stride=stride)
        assert bool(course.finished)
        errors.append(np.asarray(half_times(course, limit)) / exact - 1)
    # The next order is some eta g = 0.06 of the first.
    np.testing.assert_allclose(errors[0] / errors[1], 2, atol=0.15)
    rate = 8**0.5 / 4
    assert errors[1][0] == pytest.approx(0.04 * rate / 2, rel=0.1)


def test_balance_drifts_by_the_step_squared():
    """a^2 - |w|^2 after one step: eta^2 times the difference of squared gradients."""
    data = ReLUData.orthogonal(Y)
    neurons = small_neurons(jax.random.key(2), 3, data, -0.5)
    drifts = []
    for step in (0.1, 0.05):
        course = descend(data, neurons, step, points=1, stride=1)
        squares = course.final.output**2 * (1 - course.final.squared_ratio(data))
        drifts.append(np.asarray(squares))
    a, u = neurons.output, neurons.ratio * jnp.exp(neurons.level)[:, None]
    residual = Y - neurons.predict()
    of_a = np.maximum(u, 0) @ residual / 4
    of_w = np.asarray(a)[:, None] * np.where(u > 0, residual, 0) / 4
    expected = 0.1**2 * (of_a**2 - np.sum(of_w**2, axis=1))
    np.testing.assert_allclose(drifts[0], expected, atol=1e-14)
    np.testing.assert_allclose(drifts[0], 4 * drifts[1], atol=1e-14)


@pytest.mark.slow
def test_stable_step():
    """Twice over the curvature at the minimum; beyond it descent does not rest."""
    data = ReLUData.orthogonal([1.0, 0.5, 2.0])
    size = np.sqrt(5.25)
    aligned = LogNeurons([-2.0], data.y[None] / size, jnp.zeros(1), jnp.array([1]))
    ends = {}
    for share in (0.9, 1.2):
        course = descend(data, aligned, share * stable_step(data), points=60, stride=25)
        ends[share] = course
    rested = ends[0.9]
    assert bool(rested.finished)
    curvature = np.linalg.eigvalsh(tangent_kernel(data, rested.final))[-1] / 3
    assert float(stable_step(data)) == pytest.approx(2 / curvature, rel=1e-9)
    assert not bool(ends[1.2].finished)
    assert float(ends[1.2].loss[-1]) > 1e-3
    # Lengths: no curvature above the bound. Cosines: the largest eigenvalue counts.
    long = ReLUData.orthogonal([1.0, 0.5, 2.0], norms=[1.0, 2.0, 1.5])
    neurons = LogNeurons([-2.0], [[0.2, 0.2, 0.5]], jnp.zeros(1), jnp.array([1]))
    end = descend(long, neurons, 0.5 * stable_step(long), points=60, stride=25)
    top = np.linalg.eigvalsh(tangent_kernel(long, end.final))[-1] / 3
    assert bool(end.finished)
    assert top <= 2 / float(stable_step(long)) * (1 + 1e-9)
    gram = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    tilted = ReLUData(data.y, gram, data.normalizer)
    assert float(stable_step(tilted)) == pytest.approx(float(stable_step(data)) / 2)


@pytest.mark.slow
def test_maps_differentiates_and_single_precision():
    data = ReLUData.orthogonal(Y)

    def norm(step):
        course = descend(data, hand(-3.0), step, points=10, stride=20)
        return course.final.norm_squared(data)

    h = 1e-5
    steps = jnp.array([0.2, 0.2 + h, 0.2 - h])
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(norm)))(steps)
    # Central differences are wrong by h^2.
    assert float(slopes[0]) == pytest.approx(
        float(values[1] - values[2]) / (2 * h), rel=1e-5
    )
    narrow, start = jax.tree.map(
        lambda leaf: leaf.astype(jnp.float32) if eqx.is_inexact_array(leaf) else leaf,
        (data, hand(-3.0)),
    )
    course = descend(narrow, start, 0.2, points=10, stride=20)
    assert course.final.level.dtype == jnp.float32
    assert float(course.final.norm_squared(narrow)) == pytest.approx(
        float(values[0]), rel=1e-4
    )


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"step": 0.0}, ValueError, "step > 0, found 0.0"),
        ({"points": 0}, ValueError, "points >= 1, found 0"),
        ({"level": -1000.0}, ValueError, r"neuron 0 starts at exp\(-1000\)"),
        ({"level": 400.0}, SolveError, "not finite after 20 steps of 0.1"),
    ],
)
def test_refused(change, error, message):
    arguments = {"level": -20.0, "step": 0.1, "points": 2, **change}
    with pytest.raises(error, match=message):
        descend(
            ReLUData.orthogonal(Y),
            hand(arguments["level"]),
            arguments["step"],
            points=arguments["points"],
        )
