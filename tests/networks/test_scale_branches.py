"""Scales that branches share, and what their flow loses in single precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.flows import GradientFlow
from wflow.geometries import Euclidean
from wflow.measures import Point
from wflow.networks.scale import Recipe, ScaledLinear, train
from wflow.networks.scale.analysis import invariants, sharpness
from wflow.networks.scale.corpus import Corpus
from wflow.networks.scale.energies import EffectiveLoss, LinearRegression
from wflow.networks.scale.scales import DirectScale, MagnitudeDirection
from wflow.solvers import solve


KEY = jax.random.key(0)
# Curvatures and targets of two scalar branches: one sharp, one far.
CURVATURES, AIMS = np.array([1.0, 0.05]), np.array([0.5, 8.0])


def loss(matrix):
    return jnp.sum(CURVATURES * (matrix[:, 0] - AIMS) ** 2) / 2


def at_minimum(shared):
    r"""Where the flow from W = 0, g = 1 ends: $\sum_b w_b^2 - g^2 = -1$, or each."""
    square = np.sum(AIMS**2) if shared else AIMS**2
    g = np.broadcast_to(np.sqrt((1 + np.sqrt(1 + 4 * square)) / 2), 2)
    weights = {"sharp": AIMS[:1, None] / g[0], "far": AIMS[1:, None] / g[1]}
    vectors = g[:1] if shared else g
    return ScaledLinear.of(weights, [DirectScale(value[None]) for value in vectors])


@pytest.mark.slow
def test_a_shared_scale_inflates_the_sharp_branch():
    """At the minima to which both flows come, with one loss of the matrices.

    Separate scales have the curvature h sqrt(1 + 4 M^2) in each branch. The shared one
    has at least h_1 g^2 in the sharp branch, where g^2 answers for the far one. A step
    between the two limits of stability keeps the one and loses the other.
    """
    energy = EffectiveLoss(loss)
    apart, shared = at_minimum(shared=False), at_minimum(shared=True)
    for layer in (apart, shared):
        np.testing.assert_allclose(layer.matrix()[:, 0], AIMS, rtol=1e-12)
        for kept in invariants(layer).values():
            np.testing.assert_allclose(kept, -1, atol=1e-10)
    calm, sharp = (float(sharpness(energy, Point(layer))) for layer in (apart, shared))
    exact = np.max(CURVATURES * np.sqrt(1 + 4 * AIMS**2))
    assert calm == pytest.approx(exact, rel=1e-10)
    assert shared.scales_in is not None
    g = float(shared.scales_in[0].vector[0])
    assert sharp > CURVATURES[0] * g**2
    assert sharp > 4 * calm

    step = 4 / (calm + sharp)
    flow = GradientFlow(energy, Euclidean())

    @jax.jit
    def descend(state, like):
        def once(state, _):
            velocity = flow.velocity(like.with_state(state))
            return jax.tree.map(lambda a, v: a + step * v, state, velocity), None

        return jax.lax.scan(once, state, length=300)[0]

    shifts, losses = [], []
    for layer in (apart, shared):
        mu = Point(layer)
        near = jax.tree.map(lambda leaf: leaf * (1 + 1e-3), mu.state)
        end = mu.with_state(descend(near, mu))
        losses.append(float(energy.value(end)))
        gaps = jax.tree.map(lambda a, b: jnp.max(jnp.abs(a - b)), end.state, mu.state)
        shifts.append(max(map(float, jax.tree.leaves(gaps))))
    assert losses[0] < 1e-12
    assert shifts[0] < 0.05
    # It is thrown out, to a flatter minimum or for good.
    assert not shifts[1] < 0.5


@pytest.mark.slow
def test_single_precision_loses_the_invariants_slowly():
    """About 1e-5 of their size, as the notes say; 1e-10 needs float64."""
    rng = np.random.default_rng(0)
    energy = LinearRegression(
        rng.normal(size=(20, 4)).astype(np.float32),
        rng.normal(size=(20, 3)).astype(np.float32),
    )
    layer = ScaledLinear.of(
        0.3 * rng.normal(size=(3, 4)).astype(np.float32),
        [DirectScale(np.ones(4, np.float32))],
    )
    end = solve(GradientFlow(energy, Euclidean()), Point(layer), 0.0, 2.0)[-1].value
    assert end.weight.dtype == jnp.float32
    [before], [after] = invariants(layer).values(), invariants(end).values()
    drift = float(jnp.max(jnp.abs(after - before)))
    assert drift < 1e-4


def test_directions_that_are_not_finite():
    with pytest.raises(ValueError, match="direction finite"):
        MagnitudeDirection(1.0, [1.0, np.inf])
    with pytest.raises(ValueError, match="magnitude of real"):
        MagnitudeDirection(1.0 + 1j, [1.0, 1.0])


def test_training_refuses_negative_decay_and_rates():
    text = Corpus(np.zeros(90, np.uint8), np.zeros(80, np.uint8), 170, "")
    with pytest.raises(ValueError, match="weight_decay >= 0, found -0.1"):
        train(None, text, None, 1e-3, Recipe(weight_decay=-0.1), key=KEY)
    with pytest.raises(ValueError, match="rate > 0, found 0.0"):
        train(None, text, None, 0.0, Recipe(), key=KEY)
