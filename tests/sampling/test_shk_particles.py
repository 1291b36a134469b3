"""Spherical HK flows of particles and grids: modes, limits, bias, conservation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import solve
from wflow.energies import KDE, KLDivergence
from wflow.flows import (
    BirthDeathFlow,
    GradientFlow,
    LangevinFlow,
)
from wflow.geometries import FisherRao, HellingerKantorovich, Wasserstein
from wflow.measures import Gaussian, GaussianMixture, Grid, Particles
from wflow.sampling import ReweightingFlow


KEY = jax.random.key(0)
# Two modes so far apart that nothing diffuses from one to the other.
APART = GaussianMixture([[-4.0], [4.0]], np.ones((2, 1, 1)), [0.5, 0.5])
# All but a tenth starts on the left; either mode is in equilibrium by itself.
LEFT = 0.9


def left_share(t, beta=1.0):
    """The share p: logit p_t = e^{-beta t} logit p_0, that of the target being zero."""
    return 1 / (1 + np.exp(-np.exp(-beta * t) * np.log(LEFT / (1 - LEFT))))


def start_on_grid(cells):
    start = GaussianMixture(APART.means, APART.covs, [LEFT, 1 - LEFT])
    return Grid.from_log_density(start.log_density, -10.0, 10.0, (cells,))


def left_mass(mu):
    return float(jnp.sum(jnp.where(mu.centers[..., 0] < 0, mu.density, 0))) * float(
        mu.cell_volume
    )


@pytest.mark.slow
def test_logit_law_on_a_grid():
    # Up to the rate of tunneling, 3e-4 by t = 3.
    kl = KLDivergence(APART.log_density)
    times = np.array([0.5, 1.0, 2.0, 3.0])
    start = start_on_grid(160)
    flow = GradientFlow(kl, HellingerKantorovich(1.0, 1.0))
    solution = solve(flow, start, 0.0, 3.0, times=times, max_steps=100_000)
    found = [left_mass(solution[k]) for k in range(4)]
    np.testing.assert_allclose(found, left_share(times), atol=3e-4)
    # Transport alone has moved nothing by then.
    langevin = GradientFlow(kl, Wasserstein())
    stuck = solve(langevin, start, 0.0, 3.0, max_steps=100_000)[-1]
    assert left_mass(stuck) == pytest.approx(LEFT, abs=1e-3)
    # KL falls like e^{-2 t} late, whatever the barrier.
    energy = np.asarray(solution.energy)
    assert np.log(energy[2] / energy[3]) == pytest.approx(2.0, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("reaction", ["weights", "births"])
def test_logit_law_on_particles(reaction):
    # 1000 particles, steps of 0.01, bandwidth 0.3; three seeds out of three.
    target = KLDivergence(APART.log_density, KDE(0.3, "plug_in"))
    jump = ReweightingFlow(target) if reaction == "weights" else BirthDeathFlow(target)
    flow = LangevinFlow(KLDivergence(APART.log_density)) + jump

    @jax.jit
    def share(key):
        x = jax.random.normal(key, (1000, 1))
        x = x + jnp.where(jnp.arange(1000) < 1000 * LEFT, -4.0, 4.0)[:, None]
        start = Particles.from_samples(x)
        mu = solve(flow, start, 0.0, 1.0, dt0=0.01, splitting="lie", key=key)[-1]
        return jnp.where(mu.x[:, 0] < 0, mu.w, 0).sum(), mu.mass

    for seed in range(3):
        left, mass = share(jax.random.key(seed))
        np.testing.assert_allclose(mass, 1, rtol=1e-10)
        assert float(left) == pytest.approx(left_share(1.0), abs=0.025)


# The bias of the kernel: at rest is the target's deconvolution, or with the correction
# the target.


def deconvolved(target, h, t=30.0):
    """Weights on a fine lattice of points at rest, under reaction alone."""
    x = np.linspace(-6.0, 6.0, 121)[:, None]
    start = Particles.from_samples(x, np.exp(-(x[:, 0] ** 2) / (2 * 0.4)))
    flow = ReweightingFlow(KLDivergence(target.log_density, KDE(h, "plug_in")))
    return solve(flow, start.normalized(), 0.0, t, dt0=0.25)[-1]


@pytest.mark.slow
def test_kernel_bias_and_its_correction():
    # The kernel smooths the particles to the target N(0, 1): variance 1 - h^2.
    h, target = 0.5, Gaussian([0.0], [[1.0]])
    biased = deconvolved(target, h)
    np.testing.assert_allclose(biased.cov[0, 0], 1 - h**2, atol=1e-4)
    # KL to the smoothed target, log(pi / K*pi) added to every excess, is at rest at pi.
    smoothed = Gaussian([0.0], [[1.0 + h**2]])
    np.testing.assert_allclose(deconvolved(smoothed, h).cov[0, 0], 1.0, atol=1e-4)
    excess = KLDivergence(smoothed.log_density, KDE(h, "plug_in")).differential(
        deconvolved(smoothed, h)
    )
    inside = np.abs(np.linspace(-6, 6, 121)) < 3
    np.testing.assert_allclose(excess.w[inside], excess.w[60], atol=1e-3)


@pytest.mark.slow
def test_correction_keeps_a_mixture():
    # Started at the target, particles stay only with the correction: of transport by
    # the probability flow as well as of the reaction. 60 quantiles of each mode.
    h = 0.4
    target = GaussianMixture([[-2.0], [2.0]], [[[1.0]], [[0.5]]], [0.3, 0.7])
    smoothed = GaussianMixture(target.means, target.covs + h**2, target.weights)
    z = np.asarray(jax.scipy.stats.norm.ppf((np.arange(60) + 0.5) / 60))
    x = np.concatenate([-2 + z, 2 + 0.5**0.5 * z])[:, None]
    start = Particles.from_samples(x, np.repeat([0.3, 0.7], 60) / 60)

    def spread_at_rest(law):
        kl = KLDivergence(law.log_density, KDE(h, "plug_in"))
        flow = GradientFlow(kl, HellingerKantorovich(1.0, 1.0))
        mu = solve(flow, start, 0.0, 3.0, dt0=0.02)[-1]
        right = mu.x[:, 0] > 0
        w = jnp.where(right, mu.w, 0)
        mean = w @ mu.x[:, 0] / w.sum()
        return float(w @ (mu.x[:, 0] - mean) ** 2 / w.sum()), float(w.sum())

    variance, share = spread_at_rest(smoothed)
    assert variance == pytest.approx(0.5, abs=0.02)
    assert share == pytest.approx(0.7, abs=0.01)
    shrunk, _ = spread_at_rest(target)
    assert shrunk == pytest.approx(0.5 - h**2, abs=0.05)


# Conservation and limits.


def bump(x):
    return -2 * jnp.sum((x - 0.4) ** 2)


def wells(x):
    return -jnp.sum((x**2 - 1) ** 2)


SHAPES = {1: (48,), 3: (8, 8, 6)}


@pytest.mark.slow
@pytest.mark.parametrize("dim", list(SHAPES))
@pytest.mark.parametrize("splits", [False, True])
def test_grids_stay_positive_and_keep_their_mass(dim, splits):
    kl = KLDivergence(wells)
    start = Grid.from_log_density(bump, -2.0, 2.0, SHAPES[dim])
    if splits:
        flow = GradientFlow(kl, Wasserstein()) + ReweightingFlow(kl)
        solution = solve(flow, start, 0.0, 1.0, times=[0.1, 1.0], dt0=0.0025)
    else:
        flow = GradientFlow(kl, HellingerKantorovich())
        solution = solve(flow, start, 0.0, 1.0, times=[0.1, 1.0])
    for k in range(2):
        mu = solution[k]
        assert float(mu.density.min()) >= 0
        np.testing.assert_allclose(mu.mass, 1, rtol=1e-9)
    energies = [float(kl.value(mu)) for mu in (start, solution[0], solution[1])]
    assert energies[0] > energies[1] > energies[2]
    # The target's own cells have the least.
    least = float(kl.value(Grid.from_log_density(wells, -2.0, 2.0, SHAPES[dim])))
    assert energies[2] - least >= -1e-9


@pytest.mark.slow
def test_no_transport_is_the_closed_form_of_the_reaction():
    kl = KLDivergence(wells)
    start = Grid.from_log_density(bump, -2.0, 2.0, (48,))
    mu = solve(GradientFlow(kl, HellingerKantorovich(0.0, 1.3)), start, 0.0, 0.7)[-1]
    exact = ReweightingFlow(kl, 1.3).jump(start, 0.0, 0.7, KEY)
    # The solver's tolerance is 1e-7.
    np.testing.assert_allclose(mu.density, exact.density, atol=1e-6)
    # Particles do not move, and follow Fisher-Rao in their weights.
    cloud = Particles.from_samples(start.sample(KEY, 30))
    kl = KLDivergence(wells, KDE(0.3, "plug_in"))
    dx, rate = GradientFlow(kl, HellingerKantorovich(0.0, 1.3)).velocity(cloud)
    np.testing.assert_array_equal(dx, 0)
    alone = GradientFlow(kl, FisherRao()).velocity(cloud)[1]
    np.testing.assert_allclose(rate, 1.3 * alone, rtol=1e-12)
    steady = solve(ReweightingFlow(kl, 1.3), cloud, 0.0, 1.0, dt0=0.1)[-1]
    np.testing.assert_array_equal(steady.x, cloud.x)
    assert np.ptp(np.asarray(steady.logw)) > 0.1


@pytest.mark.slow
def test_no_reaction_is_the_transport():
    kl = KLDivergence(wells)
    start = Grid.from_log_density(bump, -2.0, 2.0, (48,))
    flow = GradientFlow(kl, HellingerKantorovich(0.7, 0.0))
    expected = 0.7 * GradientFlow(kl, Wasserstein()).velocity(start)
    np.testing.assert_allclose(flow.velocity(start), expected, rtol=1e-12, atol=1e-12)
    # On particles weights stand still, whatever the way of the reaction.
    cloud = Particles.from_samples(start.sample(KEY, 30))
    estimate = KLDivergence(wells, KDE(0.3, "plug_in"))
    rate = GradientFlow(estimate, HellingerKantorovich(0.7, 0.0)).velocity(cloud)[1]
    np.testing.assert_array_equal(rate, 0)
    langevin = LangevinFlow(kl)
    alone = solve(
        langevin + ReweightingFlow(estimate, 0.0), cloud, 0, 0.2, dt0=0.1, key=KEY
    )
    np.testing.assert_allclose(alone[-1].logw, cloud.logw, atol=1e-12)
    births = solve(
        langevin + BirthDeathFlow(estimate, 0.0), cloud, 0, 0.2, dt0=0.1, key=KEY
    )
    assert len(np.unique(np.asarray(births[-1].x))) == 30
