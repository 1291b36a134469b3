"""Arc ridge as an Optax transformation: where it stops, and that it leaves the path."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from canonical_models import TIGHT

from wflow.flows import GradientFlow
from wflow.geometries import Euclidean
from wflow.measures import Point
from wflow.networks import Supervised
from wflow.networks.canonical import ArcLengthFlow, ArcRidge, Traveled, arc_ridge
from wflow.solvers import solve


K, TARGET = 2.0, 1.5


@eqx.filter_jit
def descend(gradient, start, inner, strength, decay, steps, noise=0.0):
    """Weights and state after ``steps``, and the weights on the way."""
    optimizer = arc_ridge(inner, strength, decay=decay)

    def step(carry, key):
        params, state = carry
        jitter = noise * jax.random.normal(key, params.shape, params.dtype)
        moves, state = optimizer.update(gradient(params) + jitter, state, params)
        params = optax.apply_updates(params, moves)
        return (params, state), params

    keys = jax.random.split(jax.random.key(0), steps)
    (params, state), path = jax.lax.scan(step, (start, optimizer.init(start)), keys)
    return params, state, path


def spring(x):
    """Gradient of K (x - TARGET)^2 / 2."""
    return K * (x - TARGET)


@pytest.mark.parametrize(
    "inner",
    [optax.sgd(0.05), optax.sgd(0.7), optax.sgd(0.02, momentum=0.5), optax.adam(0.01)],
    ids=["sgd", "overshooting", "momentum", "adam"],
)
def test_a_spring_stops_at_the_closed_form(inner):
    # Slope and length are linear in x, so that the last interpolation is exact.
    strength = jnp.array(0.7)
    x, state, _ = descend(spring, jnp.zeros(1), inner, strength, 0.0, 600)
    np.testing.assert_allclose(x, [K * TARGET / (K + 0.7)], rtol=1e-12)
    np.testing.assert_allclose(state.arc, x[0], rtol=1e-12)
    assert state.stopped
    # Long after the stop the state still tells of it.
    np.testing.assert_allclose(state.strength, 0.7, rtol=1e-12)
    np.testing.assert_allclose(state.average, x, rtol=1e-12)


def test_equal_curvature_in_all_directions_gives_ridge():
    # The path is straight, whatever the step, so that nothing is left of its size.
    target = jnp.array([1.5, -1.0, 0.2])
    x, state, _ = descend(
        lambda x: K * (x - target),
        jnp.zeros(3),
        optax.sgd(0.05),
        jnp.array(0.7),
        0.0,
        600,
    )
    np.testing.assert_allclose(x, K * target / (K + 0.7), rtol=1e-12)
    np.testing.assert_allclose(state.arc, jnp.linalg.norm(x), rtol=1e-12)


def test_strengths_under_vmap_and_their_limits():
    strengths = jnp.array([0.0, 0.1, 0.7, 1e3, jnp.inf])

    def run(strength):
        x, state, _ = descend(spring, jnp.zeros(1), optax.sgd(0.05), strength, 0.0, 400)
        return x[0], state.stopped

    x, stopped = jax.vmap(run)(strengths)
    exact = [TARGET, *(K * TARGET / (K + s) for s in strengths[1:4]), 0.0]
    # Without a penalty the descent itself is left with 0.9^400.
    np.testing.assert_allclose(x, exact, atol=1e-12)
    assert stopped.tolist() == [False, True, True, True, True]


@pytest.mark.slow
def test_the_stop_is_differentiable_in_the_strength():
    def end(strength):
        return descend(spring, jnp.zeros(1), optax.sgd(0.05), strength, 0.0, 400)[0][0]

    found, h = jax.grad(end)(jnp.array(0.7)), 1e-5
    difference = (end(jnp.array(0.7 + h)) - end(jnp.array(0.7 - h))) / (2 * h)
    # The error of central differences of order h^2.
    np.testing.assert_allclose(found, difference, rtol=1e-8)
    np.testing.assert_allclose(found, -K * TARGET / (K + 0.7) ** 2, rtol=1e-12)


SCALES = jnp.array([4.0, 1.0, 0.25])


def bowl(x):
    """Gradient of an anisotropic quadratic."""
    return SCALES * (x - 1)


def test_the_path_is_the_unregularized_one():
    inner, start = optax.sgd(0.05), jnp.zeros(3)
    _, state, path = descend(bowl, start, inner, jnp.array(0.5), 0.0, 400)
    *_, plain = descend(bowl, start, inner, jnp.array(0.0), 0.0, 400)
    same = np.all(path == plain, axis=1)
    moving = int(np.sum(same))
    # Bit for bit up to the stop; from then on the weights rest.
    assert state.stopped
    assert 0 < moving < 400
    assert same[:moving].all()
    np.testing.assert_array_equal(path[moving + 1 :], path[moving:-1])


class Weights(eqx.Module):
    """Linear outputs, of curvature SCALES on the inputs below."""

    w: jax.Array

    def __call__(self, x):
        return x @ self.w


@pytest.mark.slow
def test_small_steps_end_where_the_flow_does():
    strengths, start = jnp.array([0.1, 0.5, 2.0]), jnp.zeros(3)
    inputs = jnp.diag(jnp.sqrt(SCALES))
    flow = GradientFlow(Supervised(inputs, jnp.sqrt(SCALES)), Euclidean())

    @jax.jit
    @jax.vmap
    def continuous(strength):
        mu, stop = Traveled(Point(Weights(start))), ArcRidge(strength)
        sol = solve(ArcLengthFlow(flow), mu, 0.0, 50.0, stop=stop, throw=False, **TIGHT)
        return sol[-1].measure.value.w

    @jax.jit
    @jax.vmap
    def discrete(strength, rate):
        return descend(bowl, start, optax.sgd(rate), strength, 0.0, 4000)[0]

    exact = continuous(strengths)
    rates = (0.04, 0.02, 0.01)
    errors = [
        np.abs(discrete(strengths, jnp.full(3, rate)) - exact).max() for rate in rates
    ]
    # Explicit steps are of first order: half the step, half the error.
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    np.testing.assert_allclose(orders, 1, atol=0.1)
    assert errors[-1] < 5e-3


def test_one_run_tells_every_strength():
    rate = 0.01
    optimizer = arc_ridge(optax.sgd(rate), 0.0)

    def step(carry, _):
        params, state = carry
        moves, state = optimizer.update(bowl(params), state, params)
        return (optax.apply_updates(params, moves), state), (state.strength, params)

    start = jnp.zeros(3), optimizer.init(jnp.zeros(3))
    _, (levels, path) = jax.jit(lambda c: jax.lax.scan(step, c, None, length=400))(
        start
    )
    assert np.isinf(levels[0])
    assert np.all(np.diff(levels[1:]) < 0)
    stop, *_ = descend(bowl, jnp.zeros(3), optax.sgd(rate), jnp.array(2.0), 0.0, 400)
    first = path[int(np.argmax(levels <= 2.0))]
    # The stop lies on the step that ends there.
    assert np.linalg.norm(first - stop) < 1.01 * rate * np.linalg.norm(bowl(stop))


@pytest.mark.slow
def test_averages_measure_a_jittering_path():
    # Jitter of many directions makes the raw path long, and arc ridge stop soon.
    scales = jnp.ones(200)
    target = jnp.zeros(200).at[0].set(3.0)

    def gradient(x):
        return scales * (x - target)

    exact = 3.0 / 1.5
    (raw, _, _), (averaged, state, _) = (
        descend(gradient, jnp.zeros(200), optax.sgd(0.01), jnp.array(0.5), d, 1500, 0.3)
        for d in (0.0, 0.98)
    )
    assert raw[0] < 0.75 * exact
    # The noise of the slope, 0.3 / sqrt(100), and a tenth of jitter left in the length.
    assert abs(averaged[0] - exact) < 0.12 * exact
    # Hundreds of steps after the stop the average rests with the weights.
    np.testing.assert_allclose(state.average, averaged, atol=1e-12)
    np.testing.assert_allclose(state.strength, 0.5, rtol=1e-12)


def test_float32_and_pytrees_with_gaps():
    params = {"w": jnp.zeros(2, jnp.float32), "name": None, "b": jnp.float32(0)}
    optimizer = arc_ridge(optax.sgd(0.05), 0.7)

    @jax.jit
    def step(carry, _):
        params, state = carry
        gradient = jax.tree.map(lambda leaf: K * (leaf - TARGET), params)
        moves, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, moves), state), None

    start = params, optimizer.init(params)
    (params, state), _ = jax.lax.scan(step, start, None, length=200)
    assert params["w"].dtype == state.arc.dtype == jnp.float32
    # Rounding of a float32 sum of some dozens of steps.
    np.testing.assert_allclose(params["w"], K * TARGET / (K + 0.7), rtol=1e-5)


def test_lengths_of_half_precision_are_summed_in_float32():
    # A hundredth of the gap is less than bfloat16 resolves near one.
    start = jnp.full(1, 1.0, jnp.bfloat16)
    x, state, _ = descend(
        lambda x: K * (x - 0), start, optax.sgd(0.01), jnp.array(0.0), 0.99, 400
    )
    assert x.dtype == jnp.bfloat16
    assert state.average.dtype == state.arc.dtype == jnp.float32
    np.testing.assert_allclose(state.arc, 1 - state.average[0], rtol=1e-5)
    assert state.arc > 0.5


def test_a_stationary_start_stays():
    x, state, _ = descend(
        spring, jnp.full(1, TARGET), optax.sgd(0.05), jnp.array(0.1), 0.0, 400
    )
    np.testing.assert_array_equal(x, TARGET)
    assert state.stopped
    assert state.arc == 0
    assert np.isinf(state.strength)


@pytest.mark.parametrize("strength", [-1.0, np.nan])
def test_a_bad_strength_is_refused(strength):
    with pytest.raises(ValueError, match="expected strength >= 0, found"):
        arc_ridge(optax.sgd(0.1), strength)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match=r"one strength, found .* shape \(2,\)"):
        arc_ridge(optax.sgd(0.1), jnp.ones(2))
    with pytest.raises(ValueError, match=r"decay in \[0, 1\), found 1"):
        arc_ridge(optax.sgd(0.1), 0.1, decay=1.0)
    optimizer = arc_ridge(optax.sgd(0.1), 0.1)
    with pytest.raises(ValueError, match=r"found \['int.*equinox\.filter"):
        optimizer.init({"n": jnp.zeros(2, int)})
    state = optimizer.init(jnp.zeros(2))
    with pytest.raises(ValueError, match="expected params as an argument"):
        optimizer.update(jnp.ones(2), state)
    with pytest.raises(ValueError, match="like those of init"):
        optimizer.update(jnp.ones(3), state, jnp.ones(3))
