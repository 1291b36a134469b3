"""Motion on a torus, in coordinates that count the turns."""

import equinox as eqx
import numpy as np
import pytest

from wflow.energies import Interaction, Morse, Radial
from wflow.flows import LagrangianFlow
from wflow.measures import Particles, Phase
from wflow.solvers import solve


PERIOD = np.array([2.0, np.inf])
X = np.array([[-0.8, 0.1], [0.7, 0.3], [0.9, -0.2], [-0.6, 0.0]])
# One cluster across the seam; the same one in the plane.
IMAGE = X + np.array([[2.0, 0.0], [0.0, 0.0], [0.0, 0.0], [2.0, 0.0]])
V = np.array([[0.3, 0.0], [-0.1, 0.4], [0.0, 0.2], [0.2, -0.1]])
FLOW = LagrangianFlow(Interaction(Radial(Morse(distance=0.3, length=0.5))), 0.4)


@eqx.filter_jit
def moved(flow, start):
    return solve(flow, start, 0.0, 1.5, dt0=0.05, times=np.array([0.7, 1.5]))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_cluster_across_the_seam_moves_as_in_the_plane(dtype):
    x, image, v = (array.astype(dtype) for array in (X, IMAGE, V))
    torus = moved(FLOW, Phase(Particles.from_samples(x, period=PERIOD), v))
    plane = moved(FLOW, Phase(Particles.from_samples(image), v))
    eps = np.finfo(dtype).eps
    for found, expected in (
        (torus.measures.measure.x - x, plane.measures.measure.x - image),
        (torus.measures.velocity, plane.measures.velocity),
        (torus.energy, plane.energy),
        (torus.dissipation, plane.dissipation),
    ):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, atol=200 * eps, rtol=200 * eps)
    np.testing.assert_array_equal(torus[1].measure.period, PERIOD)
    assert torus.stats["solver"] == "DampedLeapfrog"
