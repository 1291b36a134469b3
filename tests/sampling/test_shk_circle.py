"""One spherical HK flow on a circle: dissipation, and bounds of its log-ratio."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import solve
from wflow.energies import KLDivergence
from wflow.flows import GradientFlow
from wflow.geometries import HellingerKantorovich
from wflow.measures import Grid
from wflow.sampling import ReweightingFlow
from wflow.sampling.privacy.ratio import log_ratio, oscillation


CELLS = 64


def target(x):
    return -1.5 * jnp.cos(x[0]) - 0.8 * jnp.cos(2 * x[0] + 0.3)


def neighbor(x):
    return target(x) + 0.25 * jnp.sin(x[0] + 0.5) + 0.1 * jnp.cos(3 * x[0])


def circle(log_density):
    return Grid.from_log_density(log_density, 0.0, 2 * math.pi, (CELLS,), "periodic")


START = circle(lambda x: -0.9 * jnp.cos(x[0] - 1))
KL = KLDivergence(target)
TIMES = np.array([0.05, 0.1, 0.2, 0.475, 0.5, 0.525, 1.0, 2.0, 4.0])


@pytest.fixture(scope="module")
def solution():
    flow = GradientFlow(KL, HellingerKantorovich(1.0, 1.0))
    return solve(flow, START, 0.0, 4.0, times=TIMES, max_steps=100_000)


def log_ratios(solution):
    """log(rho_t / pi) at the start and at the saved times, ``(T + 1, cells)``."""
    density = np.concatenate([[START.density], solution.measures.density])
    return np.log(density) - np.log(np.asarray(circle(target).density))


def slope(h):
    """The derivative of a periodic function by its Fourier series."""
    modes = np.fft.rfft(h) * 1j * np.arange(CELLS // 2 + 1)
    modes[..., -1] = 0
    return np.fft.irfft(modes, CELLS)


@pytest.mark.slow
def test_dissipation(solution):
    # d KL / dt = -E |grad h|^2 - Var h, by a central difference of step 0.05 in time
    # and a spectral derivative in space; within two per cent.
    energy = np.asarray(solution.energy)
    rate = (energy[5] - energy[3]) / 0.05
    h = log_ratios(solution)[5]
    share = np.asarray(solution[4].density * solution[4].cell_volume)
    variance = share @ h**2 - (share @ h) ** 2
    np.testing.assert_allclose(rate, -share @ slope(h) ** 2 - variance, rtol=0.02)
    np.testing.assert_allclose(solution.dissipation[4], -rate, rtol=0.02)
    assert np.all(np.diff(energy) < 0)
    masses = solution.measures.density.sum(1) * START.cell_volume
    np.testing.assert_allclose(masses, 1, atol=1e-6)


@pytest.mark.slow
def test_bounds_of_the_log_ratio(solution):
    # The oscillation and the lowest value decay at rate beta, whatever the transport;
    # the slope at kappa + beta with the least curvature kappa < 0. All up to the
    # discretization, a thousandth.
    h = log_ratios(solution)
    x = np.linspace(0, 2 * math.pi, 2001)
    kappa = np.min(-1.5 * np.cos(x) - 3.2 * np.cos(2 * x + 0.3))
    assert kappa < 0
    late = np.exp(-TIMES)
    assert np.all(np.ptp(h[1:], axis=1) <= 1.001 * late * np.ptp(h[0]))
    assert np.all(h[1:].min(1) >= 1.001 * late * h[0].min())
    steepest = np.abs(slope(h)).max(1)
    assert np.all(steepest[1:] <= 1.001 * np.exp(-(kappa + 1) * TIMES) * steepest[0])


@pytest.mark.slow
def test_rates_of_convergence(solution):
    # KL <= osc(h_0) e^{-t}; and no slower than e^{-2t} in the end, by the reaction.
    h, energy = log_ratios(solution), np.asarray(solution.energy)
    rest = float(KL.value(circle(target)))
    divergence = energy - rest
    assert np.all(divergence <= np.ptp(h[0]) * np.exp(-TIMES))
    assert np.log(divergence[6] / divergence[7]) > 2


def test_reaction_alone_is_exact():
    # The log-ratio of two flows is (1 - e^{-t}) times that of their targets.
    key = jax.random.key(0)
    one, other = (
        ReweightingFlow(KLDivergence(log_density)).jump(START, 0.0, 1.0, key)
        for log_density in (target, neighbor)
    )
    delta = oscillation(log_ratio(circle(target), circle(neighbor)))
    exact = (1 - math.exp(-1)) * delta
    np.testing.assert_allclose(oscillation(log_ratio(one, other)), exact, atol=1e-10)
