"""Points carried by the field of particles that do not feel them."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import solve
from wflow.energies import MMD, AbstractEnergy, Interaction, Potential
from wflow.flows import GradientFlow, NoiseInjectionFlow, TracerFlow
from wflow.geometries import FisherRao, Stein, Wasserstein
from wflow.kernels import GaussianKernel, InverseMultiquadric
from wflow.measures import (
    GaussianMixture,
    Particles,
    Traced,
    UnsupportedMeasureError,
)


RNG = np.random.default_rng(0)
KEY = jax.random.key(0)
MU = Particles.from_samples(RNG.normal(size=(8, 2)), RNG.uniform(0.05, 0.2, 8))
POINTS = jnp.asarray(RNG.normal(size=(5, 2)))
MORE = jnp.concatenate([POINTS, MU.x])
TARGET = Particles.from_samples(RNG.normal(size=(9, 2)))
MIXTURE = GaussianMixture(
    RNG.normal(size=(2, 2)), np.stack([np.eye(2), 0.5 * np.eye(2)]), [0.4, 0.6]
)
ENERGY = MMD(InverseMultiquadric(0.7), TARGET)
PAIR = Interaction(lambda x, y: jnp.sum((x - y) ** 2) / (1 + (x @ y) ** 2))


@eqx.filter_jit
def velocity(flow, mu):
    return flow.velocity(mu)


@eqx.filter_jit
def solved(flow, mu):
    return solve(flow, mu, 0.0, 1.0, dt0=0.1, solver=diffrax.Euler(), key=KEY)[-1]


@pytest.mark.parametrize(
    "energy",
    [ENERGY, MMD(GaussianKernel(0.7), MIXTURE), 0.3 * ENERGY + Potential(jnp.sum)],
    ids=["particles", "mixture", "sum"],
)
def test_first_variation_in_closed_form_is_the_derivative_in_a_mass(energy):
    # The contract's own form adds atoms of weight zero and differentiates.
    both = eqx.filter_jit(
        lambda energy: (
            AbstractEnergy.first_variation(energy, MU, POINTS),
            energy.first_variation(MU, POINTS),
        )
    )
    generic, found = both(energy)
    np.testing.assert_allclose(found, generic, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("energy", [ENERGY, PAIR], ids=["mmd", "interaction"])
@pytest.mark.parametrize("geometry", [Wasserstein(), Stein(GaussianKernel(0.8))])
def test_tracers_on_particles_move_with_them(energy, geometry):
    flow = TracerFlow(GradientFlow(energy, geometry))
    (dx, _), dq = velocity(flow, Traced(MU, MU.x))
    np.testing.assert_allclose(dq, dx, rtol=1e-9, atol=1e-13)


@pytest.mark.slow
def test_particles_do_not_feel_tracers():
    inner = GradientFlow(ENERGY, Wasserstein())
    end = solved(TracerFlow(inner), Traced(MU, MORE))
    alone = solved(inner, MU)
    np.testing.assert_allclose(end.measure.x, alone.x, rtol=1e-13)
    np.testing.assert_allclose(end.tracers[5:], alone.x, rtol=1e-10)


@pytest.mark.slow
def test_solve_under_jit_scan_and_vmap():
    flow = TracerFlow(GradientFlow(ENERGY, Wasserstein()))

    def twice(points, factor):
        def again(mu, _):
            faster = TracerFlow(GradientFlow(factor * ENERGY, Wasserstein()))
            end = solve(faster, mu, 0.0, 1.0, dt0=0.1, solver=diffrax.Euler())[-1]
            return end, end.tracers

        return jax.lax.scan(again, Traced(MU, points), None, length=2)[1]

    found = jax.jit(jax.vmap(twice, (None, 0)))(MORE, jnp.array([1.0, 0.5]))
    first = solved(flow, Traced(MU, MORE))
    second = solved(flow, first)
    np.testing.assert_allclose(found[0, 0], first.tracers, rtol=1e-11)
    np.testing.assert_allclose(found[0, 1], second.tracers, rtol=1e-11)
    # Half the speed for twice the time, but for the error of Euler's steps.
    np.testing.assert_allclose(found[1, 1], first.tracers, atol=1e-3)


@pytest.mark.slow
def test_gradient_through_tracers_against_finite_differences():
    @jax.jit
    @jax.value_and_grad
    def end(h):
        flow = TracerFlow(GradientFlow(MMD(GaussianKernel(h), TARGET), Wasserstein()))
        mu = Traced(MU, POINTS)
        return jnp.sum(
            solve(flow, mu, 0.0, 1.0, dt0=0.25, solver=diffrax.Euler())[-1].tracers ** 2
        )

    difference = (end(0.8 + 1e-6)[0] - end(0.8 - 1e-6)[0]) / 2e-6
    np.testing.assert_allclose(end(0.8)[1], difference, rtol=1e-6)


@pytest.mark.slow
def test_noise_is_injected_into_both():
    # Of the potential |x|^2 / 2: x - h (x + b xi) with a level of each coordinate.
    level = jnp.array([0.4, 0.0])
    flow = NoiseInjectionFlow(Potential(lambda x: jnp.sum(x**2) / 2), level)
    jump = eqx.filter_jit(lambda flow, mu: flow.jump(mu, 0.0, 0.1, KEY))
    end = jump(flow, Traced(MU, POINTS))
    for before, after in ((MU.x, end.measure.x), (POINTS, end.tracers)):
        shaken = 0.9 * np.asarray(before) - np.asarray(after)
        np.testing.assert_allclose(shaken[:, 1], 0, atol=1e-14)
        assert np.all(shaken[:, 0] != 0)
    still = NoiseInjectionFlow(ENERGY, 0.0, Stein(GaussianKernel(0.8)))
    moved = jump(still, Traced(MU, POINTS))
    (dx, _), dq = velocity(
        TracerFlow(GradientFlow(ENERGY, Stein(GaussianKernel(0.8)))), Traced(MU, POINTS)
    )
    np.testing.assert_allclose(moved.measure.x, MU.x + 0.1 * dx, rtol=1e-11)
    np.testing.assert_allclose(moved.tracers, POINTS + 0.1 * dq, rtol=1e-11)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"tracers of shape \(m, 2\), found \(5, 1\)"):
        Traced(MU, POINTS[:, :1])
    with pytest.raises(UnsupportedMeasureError, match="acts on Traced"):
        velocity(TracerFlow(GradientFlow(ENERGY, Wasserstein())), MU)
    with pytest.raises(UnsupportedMeasureError, match="not on tracers"):
        velocity(TracerFlow(GradientFlow(ENERGY, FisherRao())), Traced(MU, POINTS))


@pytest.mark.slow
def test_float32():
    mu = Traced(
        Particles(MU.x.astype(jnp.float32), MU.logw.astype(jnp.float32)),
        POINTS.astype(jnp.float32),
    )
    end = solved(TracerFlow(GradientFlow(ENERGY, Wasserstein())), mu)
    assert end.tracers.dtype == end.measure.x.dtype == jnp.float32
