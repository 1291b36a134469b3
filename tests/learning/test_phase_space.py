"""Clouds compared in phase space, as points (x, s v)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oscillator import trained

from wflow.energies import MLPPotential
from wflow.flows import LagrangianFlow
from wflow.learning import Sinkhorn, Snapshots
from wflow.transport import sinkhorn_divergence


SCALE, BLUR = 0.7, 0.5
rng = np.random.default_rng(0)
X, V = rng.normal(size=(2, 2, 9, 2))
SNAPSHOTS = Snapshots([0.0, 1.0], list(X), list(V))


def train(snapshots, **options):
    energy = MLPPotential(2, width=2, depth=1, key=jax.random.key(0))
    return trained(
        LagrangianFlow(0.0 * energy),
        snapshots,
        steps=1,
        key=jax.random.key(1),
        loss=Sinkhorn(blur=BLUR),
        progress=False,
        **options,
    )


@pytest.mark.slow
def test_loss_is_the_divergence_of_positions_and_velocities():
    """Without a force the first rollout is free flight, and its loss is known."""
    found = train(SNAPSHOTS, velocity_scale=SCALE).history["loss"][0]
    flown = jnp.concatenate([X[0] + V[0], SCALE * V[0]], axis=1)
    target = jnp.concatenate([X[1], SCALE * V[1]], axis=1)
    expected = sinkhorn_divergence(flown, target, blur=BLUR).value
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_refusals():
    with pytest.raises(ValueError, match="velocity_scale > 0, found -1"):
        train(SNAPSHOTS, velocity_scale=-1.0)
    lacking = Snapshots([0.0, 1.0], list(X), [V[0], None])
    with pytest.raises(ValueError, match="snapshot 1 has none"):
        train(lacking, velocity_scale=SCALE)
