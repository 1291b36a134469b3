"""The trainer alone: closed forms of gradient descent, its loop and its bits."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wflow.learning.loop import Loop, TrainingError
from wflow.learning.optimizers import AdamW, learning_rates
from wflow.learning.training import Trainer
from wflow.parameters import Learnable


KEY = jax.random.key(0)
RATE, STEPS = 0.1, 8


class Bowl(eqx.Module):
    """|x - c|^2 / 2, with a score on the side."""

    center: jax.Array

    def __call__(self, x, step, key):
        del key
        return jnp.sum((x - self.center) ** 2) / 2, {"at": x, "number": step.number}

    def validate(self, x, key):
        del key
        return jnp.sum(x**2)


def trainer(**options):
    return Trainer(Bowl(jnp.ones(2)), optax.sgd(RATE), STEPS, **options)


def test_gradient_descent_of_a_bowl():
    end, records = jax.jit(lambda x: trainer().run(x, KEY))(jnp.array([3.0, -1.0]))
    path = 1 + np.outer((1 - RATE) ** np.arange(STEPS + 1), [2.0, -2.0])
    np.testing.assert_allclose(end.params, path[-1], rtol=1e-13)
    np.testing.assert_allclose(records["at"], path[:-1], rtol=1e-13)
    np.testing.assert_array_equal(records["number"], np.arange(STEPS))
    away = np.linalg.norm(path[:-1] - 1, axis=1)
    np.testing.assert_allclose(records["loss"], away**2 / 2, rtol=1e-13)
    np.testing.assert_allclose(records["grad_norm"], away, rtol=1e-13)
    assert end.average is None


def test_numbers_of_a_training_are_not_compiled_in():
    """Another learning rate, decay, average or clip runs the program that is there."""
    traces, start = [], (eqx.nn.Linear(2, 1, key=KEY), Learnable(jnp.array(1.0)))

    class Counted(eqx.Module):
        def __call__(self, model, step, key):
            del step, key
            traces.append(model)
            return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(model)), {}

    loss, ends = Counted(), []
    for rate, decay, average, clip in (
        (1e-2, 1e-3, 0.99, 1.0),
        (5e-2, 1e-3, 0.99, 1.0),
        (1e-2, 1e-1, 0.99, 1.0),
        (1e-2, 1e-3, 0.5, 1.0),
        (1e-2, 1e-3, 0.99, 1e-9),
    ):
        optimizer = AdamW(rate, scalar_learning_rate=rate, weight_decay=decay)
        one = Trainer(loss, optimizer, STEPS, decay=average, clip=clip)
        memory, _ = Loop("train", one, KEY, 4).run(start)
        ends.append(float(memory.state.average[0].weight[0, 0]))
        if len(ends) == 1:
            first = len(traces)
    assert first > 0
    assert len(traces) == first
    assert len(set(ends)) == len(ends)


def test_a_retraction_keeps_parameters_where_they_belong():
    one = trainer(retract=lambda x: x / jnp.linalg.norm(x), clip=0.01)
    end, records = jax.jit(lambda x: one.run(x, KEY))(jnp.array([0.6, -0.8]))
    np.testing.assert_allclose(jnp.linalg.norm(end.params), 1, rtol=1e-14)
    # Clipped steps of a thousandth turn by less than that.
    turned = np.linalg.norm(np.diff(records["at"], axis=0), axis=1)
    assert ((turned > 0) & (turned <= 1e-3)).all()


def test_the_loop_is_the_scan_and_stops_by_the_score_of_the_loss():
    start, one = jnp.array([3.0, -1.0]), trainer(decay=0.5)
    memory, timing = Loop("train", one, KEY, 3).run(start)
    end, records = jax.jit(lambda x: one.run(x, KEY))(start)
    np.testing.assert_allclose(memory.state.params, end.params, rtol=1e-14)
    np.testing.assert_allclose(memory.state.average, end.average, rtol=1e-14)
    np.testing.assert_allclose(memory.records["loss"], records["loss"], rtol=1e-14)
    assert timing.compiling > 0
    # The score falls while -1 nears zero, and rises on the way on to one.
    np.testing.assert_array_equal(memory.scores[:, 0], [0, 3, 6, 8])
    early = trainer()
    stopped, _ = Loop("train", early, KEY, 1, patience=2).run(jnp.array([-0.5, -0.5]))
    best = np.argmin(stopped.scores[:, 1])
    assert stopped.step == stopped.scores[best, 0] + 2 < STEPS
    path = 1 - 1.5 * (1 - RATE) ** stopped.scores[best, 0]
    np.testing.assert_allclose(stopped.chosen, [path, path], rtol=1e-13)


def test_a_number_that_is_not_finite_is_named():
    with pytest.raises(TrainingError, match="train: step 1 is not finite: loss inf"):
        Loop("train", trainer(), KEY, 3).run(jnp.array([1e200, 0.0]))


def test_learning_rates_are_those_of_the_schedule():
    numbers = np.arange(3, 6)
    found = learning_rates(AdamW(0.2, schedule="constant"), None, numbers, 10)
    np.testing.assert_allclose(found, 0.2)
    # Cosine: a (1 + cos(pi k / K)) / 2 of what lies above a hundredth.
    shape = 0.99 * (1 + np.cos(np.pi * numbers / 10)) / 2 + 0.01
    found = learning_rates(AdamW(0.2), None, numbers, 10)
    np.testing.assert_allclose(found, 0.2 * shape, rtol=1e-6)
    said = optax.inject_hyperparams(optax.sgd)(learning_rate=0.3)
    state = said.init(jnp.zeros(2))
    np.testing.assert_allclose(learning_rates(said, state, numbers, 10), 0.3)
    plain = optax.sgd(0.3)
    assert learning_rates(plain, plain.init(jnp.zeros(2)), numbers, 10) is None
