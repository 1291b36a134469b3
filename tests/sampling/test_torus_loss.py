"""A loss on the torus: suprema by hand against a grid."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.measures import Grid
from wflow.sampling.privacy import PrivacyAccountant
from wflow.sampling.privacy.torus import TorusLoss


POINTS = np.random.default_rng(1).uniform(0, 2 * math.pi, (4, 2))


def test_loss_of_one_person():
    theta = jnp.array([0.3, 2.0])
    s = np.cos(np.asarray(theta) - POINTS).sum(1)
    exact = np.mean(np.log1p(np.exp(-s)))
    assert TorusLoss(POINTS)(theta) == pytest.approx(exact, rel=1e-12)
    assert TorusLoss(POINTS).sensitivity == 0.5


@pytest.mark.slow
@pytest.mark.parametrize("points", [POINTS, np.ones((4, 2))])
def test_the_certificate_holds_for_every_pair(points):
    # The second set, all in one place, attains the steepest potential.
    epsilon, alpha, beta = 0.8, 0.3, 1.1
    loss = TorusLoss(points)
    certified = loss.accountant(epsilon, alpha, beta)
    start = Grid.from_log_density(
        lambda x: 0.0 * x[0], 0.0, 2 * math.pi, (48, 48), "periodic"
    )
    pair = PrivacyAccountant.on_grid(
        start,
        loss.mechanism(epsilon),
        loss.without(0).mechanism(epsilon),
        alpha=alpha,
        beta=beta,
    )
    for name in ("osc_delta", "grad_delta", "osc_source"):
        assert getattr(pair, name) <= getattr(certified, name) * (1 + 1e-9)
    slopes = jax.vmap(jax.grad(loss.mechanism(epsilon)))(start.centers.reshape(-1, 2))
    steepest = float(jnp.max(jnp.linalg.norm(slopes, axis=1)))
    assert steepest <= certified.grad_h0 * (1 + 1e-9)
    assert max(pair.osc_h0) <= max(certified.osc_h0) * (1 + 1e-9)
    assert pair.hess_lower >= certified.hess_lower * (1 + 1e-9)
    if points is not POINTS:
        # Suprema over cell centers, up to 1% below those in between.
        assert steepest == pytest.approx(certified.grad_h0, rel=0.01)


def test_a_neighbor_has_one_other_person():
    theta = jnp.array([0.3, 2.0])
    loss, other = TorusLoss(POINTS), TorusLoss(POINTS).without(2)
    s = np.cos(np.asarray(theta) - POINTS[2]).sum()
    # At the opposite point both cosines change their signs.
    change = (np.log1p(np.exp(s)) - np.log1p(np.exp(-s))) / 4
    assert other(theta) - loss(theta) == pytest.approx(change, rel=1e-12)
    assert abs(change) <= loss.sensitivity
    with pytest.raises(ValueError, match="expected person < 4, found 4"):
        loss.without(4)


@pytest.mark.slow
def test_float32_losses():
    theta = jnp.array([0.3, 2.0], jnp.float32)
    loss = TorusLoss(POINTS.astype(np.float32))
    value, slope = jax.value_and_grad(loss.mechanism(np.float32(0.8)))(theta)
    assert value.dtype == slope.dtype == jnp.float32
