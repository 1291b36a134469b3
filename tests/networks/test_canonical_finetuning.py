"""Ends of fine-tuning on a spring, where every one of them is known."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.measures import Point
from wflow.networks import Supervised
from wflow.networks.canonical.finetuning import descend, finetune


# Of the loss K (w - TARGET)^2 / 2, from START with steps of RATE.
K, TARGET, START, RATE, STEPS = 2.0, 1.5, 0.5, 0.01, 1500


class Slope(eqx.Module):
    """w x; what else a model holds does not move."""

    w: jax.Array
    name: str

    def __call__(self, x):
        return self.w * x


X = jnp.sqrt(jnp.array([K]))
ORIGIN = Point(Slope(jnp.array(START), "spring"))
LOSS = Supervised(X, TARGET * X)


def test_descent_of_a_spring():
    end = descend(LOSS, ORIGIN, rate=RATE, steps=20)
    expected = TARGET + (START - TARGET) * (1 - RATE * K) ** 20
    np.testing.assert_allclose(end.value.w, expected, rtol=1e-13)
    assert end.value.name == "spring"


@pytest.fixture(scope="module")
def ends():
    # The validation loss is least at 1.1, on the way.
    validation = Supervised(X, 1.1 * X)
    strengths = jnp.array([0.5, 2.0, 10.0])
    return strengths, finetune(
        ORIGIN, LOSS, validation, strengths, rate=RATE, steps=STEPS
    )


def test_ridges_end_at_their_closed_forms(ends):
    strengths, found = ends
    np.testing.assert_allclose(found.unregularized.value.w, TARGET, rtol=1e-12)
    pull = strengths / (K + strengths)
    anchored = TARGET + pull * (START - TARGET)
    np.testing.assert_allclose(found.anchored.value.w, anchored, rtol=1e-12)
    np.testing.assert_allclose(found.standard.value.w, (1 - pull) * TARGET, rtol=1e-12)


def test_arc_ridge_is_anchored_ridge_up_to_a_step(ends):
    strengths, found = ends
    # In one dimension the two agree; the run is looked at after every step.
    exact = TARGET + strengths / (K + strengths) * (START - TARGET)
    gap = found.arc.value.w - exact
    assert np.all((gap >= 0) & (gap <= RATE * K * (TARGET - START)))
    assert found.reached.all()


def test_early_stopping_is_the_best_of_the_run(ends):
    _, found = ends
    path = TARGET + (START - TARGET) * (1 - RATE * K) ** np.arange(STEPS)
    best = path[np.argmin(np.abs(path - 1.1))]
    np.testing.assert_allclose(found.early_stopping.value.w, best, rtol=1e-12)


def test_a_strength_that_is_not_reached_keeps_the_end():
    found = finetune(ORIGIN, LOSS, LOSS, [1e-6, 1e6], rate=RATE, steps=3)
    assert found.reached.tolist() == [False, True]
    np.testing.assert_allclose(found.arc.value.w[0], found.unregularized.value.w)
    # The first step of the run is its start: arc ridge sees it after one move.
    first = START + RATE * K * (TARGET - START)
    np.testing.assert_allclose(found.arc.value.w[1], first, rtol=1e-12)


def test_what_no_run_can_have_is_refused():
    for words, change in {
        "strengths": {"strengths": [-1.0]},
        "rate": {"rate": 0.0},
        "steps": {"steps": 0},
        "start": {"start": ORIGIN.value},
    }.items():
        whole = {"start": ORIGIN, "strengths": [1.0], "rate": RATE, "steps": 2}
        with pytest.raises((TypeError, ValueError), match=f"finetune: .*{words}"):
            finetune(train=LOSS, validation=LOSS, **{**whole, **change})
