"""The training loss: its gradient, its padding, its skipping."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oscillator import TIMES, random_like, weighted

from wflow.flows import LagrangianFlow
from wflow.learning import Sinkhorn, Snapshots
from wflow.learning.rollout_loss import Model, Rollout, Task, step_grid
from wflow.learning.stacks import padded, stacked
from wflow.learning.trained import split
from wflow.measures import Particles, Phase
from wflow.parameters import Learnable
from wflow.parameters.learnable import unwrap
from wflow.solvers._rollout import rollout, start_rollout
from wflow.transport import sinkhorn_divergence


LOSS = Sinkhorn(blur=0.5, threshold=1e-12)
EVERY = jnp.asarray(3, jnp.int32)
FIRST = jnp.asarray(0, jnp.int32)


def task_of(snapshots, longest=0.5):
    starts = snapshots.take(range(3))
    targets = snapshots.take(range(1, 4))
    return Task(
        stacked(starts),
        jnp.arange(3),
        jnp.asarray(TIMES[:3]),
        stacked(targets),
        step_grid(TIMES, longest, np.dtype(float)),
    )


def model_of(snapshots, flow):
    n = max(snapshots.take(range(3)).sizes)
    v = np.stack([padded(snapshots.velocity(k), n) for k in range(3)])
    return Model(flow, Learnable(v, positive=False))


@pytest.fixture(scope="module")
def loss():
    """Loss and gradient; compiled once for each kind of gradient."""

    @eqx.filter_jit
    def call(params, held, task, start, horizon, stop):
        def value(params):
            rule = Rollout(LOSS, stop_gradient_force=stop)
            return rule(eqx.combine(params, held), task, start, horizon).value

        return jax.value_and_grad(value)(params)

    return call


@pytest.fixture(scope="module")
def setting(snapshots, timed_flow):
    unequal = weighted(snapshots)
    params, held = split(model_of(unequal, timed_flow))
    return unequal, params, held, task_of(unequal)


def shifted(params, direction, h):
    return jax.tree.map(lambda p, d: p + h * d, params, direction)


def directional(gradient, direction):
    terms = jax.tree.map(lambda a, b: jnp.sum(a * b), gradient, direction)
    return sum(jax.tree.leaves(terms))


@pytest.mark.slow
@pytest.mark.parametrize("part", ["network", "friction", "velocities", "all"])
def test_gradient_is_that_of_the_loss(loss, setting, part):
    _, params, held, task = setting
    direction = random_like(params, 3)
    zero = jax.tree.map(jnp.zeros_like, params)
    if part != "all":
        where = {
            "network": lambda m: m.flow.energy,
            "friction": lambda m: m.flow.friction,
            "velocities": lambda m: m.velocities,
        }[part]
        direction = eqx.tree_at(where, zero, where(direction))
    for start, horizon in ((0, 3), (1, 2)):
        place = jnp.asarray(start, jnp.int32), jnp.asarray(horizon, jnp.int32)
        value = lambda h: loss(
            shifted(params, direction, h), held, task, *place, False
        )[0]
        _, gradient = loss(params, held, task, *place, False)
        h = 1e-3
        # Fourth order, so that the step may be long and rounding small.
        slope = 8 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))
        found = directional(gradient, direction)
        np.testing.assert_allclose(found, slope / (12 * h), rtol=1e-6)


@eqx.filter_jit
def one_step(flow, law, state, t):
    return rollout(flow, law, state, t, 0.5, 1)


@eqx.filter_jit
def divergence(law, x, y, weights):
    return sinkhorn_divergence(
        x, y, weights_x=law.w, weights_y=weights, blur=0.5, threshold=1e-12
    ).value


@pytest.mark.slow
def test_value_is_the_mean_of_divergences(loss, setting):
    """Against a rollout step by step and clouds that are not padded."""
    snapshots, params, held, task = setting
    found, _ = loss(params, held, task, FIRST, EVERY, False)
    flow = unwrap(eqx.combine(params, held).flow)
    law = Particles.from_samples(snapshots[0], snapshots.weight(0))
    v, t = jnp.asarray(snapshots.velocity(0)), 0.0
    state = eqx.filter_jit(start_rollout)(flow, Phase(law, v), t)
    terms = []
    for m in range(1, 4):
        # Steps of 0.5: the middle interval takes two.
        while t < TIMES[m]:
            state, t = one_step(flow, law, state, t), t + 0.5
        y, weights = jnp.asarray(snapshots[m]), jnp.asarray(snapshots.weight(m))
        terms.append(divergence(law, state.x, y, weights))
    np.testing.assert_allclose(found, np.mean(terms), rtol=1e-10)


@pytest.mark.slow
def test_stopped_gradient_agrees_for_one_step_only(loss, setting):
    _, params, held, task = setting
    for steps, place in ((1, (0, 1)), (4, (0, 3))):
        place = [jnp.asarray(i, jnp.int32) for i in place]
        value, true = loss(params, held, task, *place, False)
        same, stopped = loss(params, held, task, *place, True)
        np.testing.assert_allclose(value, same, rtol=1e-14)
        true, stopped = (
            np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(g.flow)])
            for g in (true, stopped)
        )
        difference = np.linalg.norm(true - stopped) / np.linalg.norm(true)
        assert difference < 1e-12 if steps == 1 else difference > 1e-3


@pytest.mark.slow
def test_order_of_rows_does_not_count(loss, setting, timed_flow):
    snapshots, params, held, task = setting
    rng = np.random.default_rng(5)
    rows = [rng.permutation(n) for n in snapshots.sizes]
    shuffled = Snapshots(
        TIMES,
        [x[r] for x, r in zip(snapshots, rows, strict=True)],
        [snapshots.velocity(k)[r] for k, r in enumerate(rows)],
        [snapshots.weight(k)[r] for k, r in enumerate(rows)],
    )
    other, _ = split(model_of(shuffled, timed_flow))
    expected, gradient = loss(params, held, task, FIRST, EVERY, False)
    found, changed = loss(other, held, task_of(shuffled), FIRST, EVERY, False)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    for a, b in zip(
        jax.tree.leaves(gradient.flow), jax.tree.leaves(changed.flow), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-12)


def test_steps_meet_every_snapshot():
    grid = step_grid(np.array([0.0, 0.3, 1.0]), 0.3, np.dtype(float))
    np.testing.assert_array_equal(grid.interval, [0, 1, 1, 1])
    np.testing.assert_allclose(grid.length, [0.3, 0.7 / 3, 0.7 / 3, 0.7 / 3])
    np.testing.assert_allclose(grid.time, [0, 0.3, 0.3 + 0.7 / 3, 0.3 + 1.4 / 3])
    np.testing.assert_array_equal(grid.last, [True, False, False, True])
    # Rounding makes no extra step.
    assert len(step_grid(np.array([0.0, 0.1, 0.4]), 0.1, np.dtype(float)).time) == 4


@pytest.mark.slow
def test_batch_is_random_rows_with_their_velocity(snapshots):
    """Free flight of a batch lands in the batch's straight lines."""
    from wflow.energies import Potential

    x, u = snapshots[0], np.array([1.0, 2.0])
    moved = Snapshots([0.0, 1.0], [x, x + u], [np.tile(u, (len(x), 1)), None])
    free = LagrangianFlow(Potential(lambda x: 0.0 * x[0]))
    task = Task(
        stacked(moved.take([0])),
        jnp.arange(1),
        jnp.zeros(1),
        stacked(moved.take([1])),
        step_grid(moved.times, 1.0, np.dtype(float)),
    )
    model = Model(free, jnp.asarray(moved.velocity(0)[None]))

    @jax.jit
    def value(key, one):
        return Rollout(LOSS)(model, task, FIRST, one, 6, key).value

    one = jnp.asarray(1, jnp.int32)
    found = [value(jax.random.key(k), one) for k in range(5)]
    assert len(set(map(float, found))) == 5
    full = jax.jit(lambda one: Rollout(LOSS)(model, task, FIRST, one).value)(one)
    np.testing.assert_allclose(full, 0, atol=1e-10)
