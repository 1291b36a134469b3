"""Hostile input of saddle-to-saddle learning, and ends that the oracles leave open."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import Potential
from wflow.flows import GradientFlow
from wflow.geometries import Euclidean
from wflow.measures import Point
from wflow.networks.saddle import (
    ReLUData,
    ReLUFlow,
    follow,
    jump_process,
    small_neurons,
)
from wflow.networks.saddle.course import course_of
from wflow.networks.saddle.cover import sample_cover
from wflow.networks.saddle.data import positive_part
from wflow.networks.saddle.descent import descend
from wflow.networks.saddle.jumps import limit_of_cover
from wflow.networks.saddle.neurons import LogNeurons, from_weights
from wflow.networks.saddle.norms import min_norm_squared
from wflow.networks.saddle.plateaus import plateau_motion, time_to_level
from wflow.networks.saddle.staircases import half_times
from wflow.solvers import SolveError, solve


Y = np.array([1.0, 2.0, 2.0, -1.5])
SIGN = jnp.array([1, 1, -1])
ON = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]], bool)
# One program of ``follow`` for all tests.
FEW = {"stretches": 8, "points": 40, "max_steps": 1024}


def hand(level, on=ON):
    p = np.where(on, 0.3, -0.3)
    return LogNeurons(jnp.full(3, level), p, jnp.zeros(3), SIGN)


@pytest.mark.slow
def test_lengths_turn_a_neuron_as_it_jumps():
    """Ends with |x| other than 1: R from y / |x|, while rates have y |x|.

    At exp(-400) the runner-up takes less than 1e-9 of any jump.
    """
    data = ReLUData.orthogonal(Y, norms=[1.0, 1.5, 2.0, 1.2])
    start = hand(-400.0)
    limit = jump_process(data, start)
    assert float(jnp.max(limit.contamination(-400.0))) < 1e-9
    course = follow(data, start, **FEW)
    found = np.exp(2 * np.asarray(course.final.level))[limit.neuron]
    np.testing.assert_allclose(found, limit.value, rtol=1e-5)
    final = float(course.final.norm_squared(data))
    assert final == pytest.approx(float(limit.norm_squared), rel=1e-5)
    # 1/400 times the logarithms of the prefactors, of order one.
    halves = np.asarray(half_times(course, limit)) / 400
    np.testing.assert_allclose(halves, limit.tau, atol=0.02)


@pytest.mark.slow
def test_what_no_neuron_covers_stays_as_loss():
    """The flow ends at (1/2N) sum of the squared labels that are left."""
    data = ReLUData.orthogonal(Y)
    on = ON.copy()
    on[1, 2] = False
    start = hand(-60.0, on)
    with pytest.warns(UserWarning, match="no neuron can fit 1 of 4 samples"):
        limit = jump_process(data, start)
    course = follow(data, start, **FEW)
    assert bool(course.finished)
    np.testing.assert_allclose(course.residual[-1], [0, 0, 2, 0], atol=1e-4)
    np.testing.assert_allclose(course.loss[-1], 4 / 8, rtol=1e-6)
    np.testing.assert_allclose(limit.plateau_losses[3], 4 / 8, rtol=1e-12)


@pytest.mark.slow
def test_a_dominated_start_has_the_same_limit():
    """|a| > |w|: rates are those of the limit, which asks for signs and units alone."""
    data = ReLUData.orthogonal(Y)
    halves = []
    for scale in (200.0, 400.0):
        start = hand(-scale)
        dominated = eqx.tree_at(lambda s: s.ratio, start, 0.4 * start.ratio)
        assert (np.asarray(dominated.squared_ratio(data)) < 0.2).all()
        limit = jump_process(data, dominated)
        course = follow(data, dominated, **FEW)
        halves.append(np.asarray(half_times(course, limit)) / scale)
    # Of first order in 1 / scale, which extrapolation removes.
    np.testing.assert_allclose(2 * halves[1] - halves[0], limit.tau, atol=1e-4)


def test_jumps_come_between_their_bounds():
    r"""$N/|y|_2 \leq \tau_1$, and none after $N/\min|y|$: a neuron that still wants a
    sample has always grown by its share at least.
    """

    def one(key):
        sizes, signs, of_cover = jax.random.split(key, 3)
        y = jax.random.uniform(sizes, (100,), minval=0.5, maxval=1.5)
        y = y * jax.random.rademacher(signs, (100,), y.dtype)
        limit = limit_of_cover(ReLUData.orthogonal(y), *sample_cover(of_cover, 40, 100))
        last = jnp.max(jnp.where(limit.neuron >= 0, limit.tau, 0))
        bounds = 100 / jnp.linalg.norm(y), 100 / jnp.min(jnp.abs(y))
        return limit.tau[0], last, *bounds

    first, last, early, late = jax.jit(jax.vmap(one))(
        jax.random.split(jax.random.key(4), 16)
    )
    assert (np.asarray(first) >= np.asarray(early)).all()
    assert (np.asarray(last) <= np.asarray(late)).all()
    # Of the orders sqrt(n) and n.
    assert np.mean(first) < 2 * 100**0.5
    assert np.mean(last) > 2 * 100**0.5


def test_trial_steps_cannot_overflow():
    """A level of 1e4 in a stage: the velocity is finite all the same."""
    flow = ReLUFlow(ReLUData.orthogonal(Y))
    wild = hand(1e4)
    wild = eqx.tree_at(lambda s: s.ratio, wild, 1e200 * wild.ratio)
    velocity = flow.velocity(Point(wild))
    assert all(
        np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(velocity)
    )
    assert float(flow.cap) > 0.5 * np.log(2.8284271)


def test_a_unit_at_zero_is_off():
    assert float(jax.grad(positive_part)(0.0)) == 0
    flow = ReLUFlow(ReLUData.orthogonal(Y))
    start = eqx.tree_at(lambda s: s.ratio, hand(-3.0), hand(-3.0).ratio.at[0].set(0.0))
    velocity = flow.velocity(Point(start))
    np.testing.assert_array_equal(velocity.ratio[0], 0)
    assert float(velocity.level[0]) == 0


@pytest.mark.slow
def test_single_precision_at_1e4():
    """Levels are stored, not their exponentials, which underflow to an exact 0."""
    data = ReLUData.orthogonal(Y.astype(np.float32))
    neurons = small_neurons(jax.random.key(0), 5, data, -1e4)
    assert neurons.level.dtype == jnp.float32
    np.testing.assert_array_equal(neurons.output, 0)
    assert float(neurons.norm_squared(data)) == 0
    np.testing.assert_allclose(neurons.squared_ratio(data), 1, rtol=1e-5)
    velocity = ReLUFlow(data).velocity(Point(neurons))
    assert np.isfinite(np.asarray(velocity.ratio)).all()


def test_cosines_up_to_rounding_are_orthogonal():
    """1e-8, or 1e-5 in float32: below they are rounding, above an error."""
    for dtype, edge in ((np.float64, 1e-8), (np.float32, 1e-5)):
        for cosine, orthogonal in ((edge / 3, True), (3 * edge, False)):
            x = np.eye(4, dtype=dtype)
            x[0, 3] = cosine
            data = ReLUData.from_inputs(x, Y.astype(dtype))
            assert (data.gram.ndim == 1) == orthogonal


def tilted():
    x = np.eye(4)
    x[2] = x[0]
    return ReLUData.from_inputs(x, Y)


@pytest.mark.parametrize(
    "call",
    [
        lambda data: jump_process(data, hand(-50.0)),
        lambda data: follow(data, hand(-50.0)),
        lambda data: plateau_motion(data, hand(-50.0), data.y, 1.0),
        lambda data: time_to_level(data, hand(-50.0), data.y, 0.0),
        min_norm_squared,
    ],
)
def test_duplicates_are_refused_by_what_needs_orthogonality(call):
    with pytest.raises(ValueError, match="inputs 0 and 2 have the cosine 1"):
        call(tilted())


def test_refusals():
    data = ReLUData.orthogonal(Y)
    with pytest.raises(ValueError, match="expected log_scale finite, found nan"):
        small_neurons(jax.random.key(0), 3, data, np.nan)
    with pytest.raises(ValueError, match=r"y\[2\] = -inf is not finite"):
        ReLUData.from_inputs(np.eye(4), [1.0, 1.0, -np.inf, 1.0])


@pytest.mark.slow
def test_courses_that_are_none():
    data = ReLUData.orthogonal(Y)
    with pytest.raises(SolveError, match="not at rest after 1 stretches"):
        follow(data, hand(-400.0), stretches=1, points=2, max_steps=1024)
    other = GradientFlow(Potential(lambda x: jnp.sum(x**2)), Euclidean())
    with pytest.raises(TypeError, match="expected solution to be that of a ReLUFlow"):
        course_of(solve(other, Point(jnp.ones(2)), 0.0, 0.1))


@pytest.mark.slow
@pytest.mark.parametrize("excess", [1e-3, 1.0, 100.0])
def test_neurons_whose_sign_may_flip_are_refused_in_logarithms(excess):
    data = ReLUData.orthogonal(jnp.array([1.0, -1.2]))
    weights = 0.01 * jnp.array([[-0.5, 1.0], [1.0, -0.5]])
    output = 0.01 * jnp.array([1.0, 1.0])
    balanced = from_weights(data, output, weights)
    follow(data, balanced, stretches=1, points=2, throw=False)
    ReLUFlow(data).check(Point(balanced))
    start = from_weights(data, output, (1 + excess) * weights)
    calls = (
        lambda: follow(data, start),
        lambda: plateau_motion(data, start, data.y, 1.0),
        lambda: time_to_level(data, start, data.y, 0.0),
        lambda: ReLUFlow(data).check(Point(start)),
        lambda: jump_process(data, start),
    )
    for call in calls:
        with pytest.raises(ValueError, match=r"\|a\| < \|w\|.*use descend"):
            call()
    # What is off never moves, and does not count.
    ReLUFlow(data).check(Point(from_weights(data, output, [[-0.05, 0.008]] * 2)))
    # Plain descent has no such bound.
    assert np.isfinite(descend(data, start, 0.1, points=2, stride=2).loss).all()


def test_a_sum_asks_its_parts_of_the_start():
    data = ReLUData.orthogonal(jnp.array([1.0, -1.2]))
    start = from_weights(data, [0.01], [[0.02, -0.02]])
    flow = ReLUFlow(data) + ReLUFlow(data)
    for law in (ReLUFlow(data), flow):
        with pytest.raises(ValueError, match=r"\|a\| < \|w\|"):
            solve(law, Point(start), 0.0, 1.0)
