"""The sphere of parameters: a projection, tangent motion, and its refusals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import GradientFlow, Particles, solve
from wflow.energies import Potential
from wflow.geometries import Sphere
from wflow.measures import Point, UnsupportedMeasureError


A = np.diag([3.0, 1.0, 0.2]) + 0.1
FLOW = GradientFlow(Potential(lambda u: -jnp.sum(u * (A @ u)) / 2), Sphere())


@eqx.filter_jit
def act(mu, covector):
    geometry = Sphere()
    return geometry.velocity(mu, covector), geometry.dissipation(mu, covector)


@pytest.mark.parametrize("shape", [(3,), (3, 2)])
def test_velocity_is_the_projection_of_every_column(shape):
    rng = np.random.default_rng(0)
    value, covector = rng.normal(size=(2, *shape))
    velocity, dissipation = act(Point(jnp.asarray(value)), jnp.asarray(covector))
    unit = value / np.linalg.norm(value, axis=0)
    expected = -(covector - unit * np.sum(unit * covector, axis=0))
    np.testing.assert_allclose(velocity, expected, atol=1e-14)
    np.testing.assert_allclose(dissipation, np.sum(expected**2), rtol=1e-13)
    np.testing.assert_allclose(np.sum(velocity * value, axis=0), 0, atol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize(
    "dtype", [np.float64, pytest.param(np.float32, marks=pytest.mark.slow)]
)
def test_flow_ends_at_the_leading_eigenvector_and_keeps_the_norm(dtype):
    start = Sphere().point(np.array([0.2, 1.0, -0.5], dtype))
    solution = solve(FLOW, start, 0.0, 12.0, times=np.linspace(1.0, 12.0, 12))
    norms = jnp.linalg.norm(solution.measures.value, axis=1)
    # The solver's tolerance: 1e-7 relative in float64, 1e-4 in float32.
    tolerance = 1e-7 if dtype is np.float64 else 1e-3
    np.testing.assert_allclose(norms, 1, atol=tolerance)
    assert solution.measures.value.dtype == dtype
    top = np.linalg.eigh(A)[1][:, -1]
    # exp(-2 t) of the gap is 1e-10 of the squared sine.
    assert (solution[-1].value @ top) ** 2 / norms[-1] ** 2 > 1 - 1e-6
    rate, dissipation = fall(start)
    np.testing.assert_allclose(rate, -dissipation, rtol=1e3 * np.finfo(dtype).eps)


@eqx.filter_jit
def fall(mu):
    """The energy's rate of change along the flow, and the recorded dissipation."""
    velocity = FLOW.velocity(mu)
    _, rate = jax.jvp(lambda u: FLOW.value(Point(u)), (mu.value,), (velocity,))
    return rate, FLOW.dissipation(mu)


def test_directions_are_needed():
    with pytest.raises(ValueError, match="Sphere: expected a value whose columns"):
        Sphere().point(jnp.zeros(3))
    with pytest.raises(ValueError, match=r"found norms \[nan\]"):
        Sphere().point(jnp.array([[1.0], [jnp.nan]]))
    with pytest.raises(ValueError, match="columns have a direction"):
        FLOW.velocity(Point(jnp.zeros(3)))
    with pytest.raises(UnsupportedMeasureError, match="Sphere does not act on Part"):
        Sphere().velocity(Particles.from_samples(jnp.ones((2, 3))), None)
    with pytest.raises(UnsupportedMeasureError, match="Sphere does not act on Part"):
        Sphere().dissipation(Particles.from_samples(jnp.ones((2, 3))), None)
