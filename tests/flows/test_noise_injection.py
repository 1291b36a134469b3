"""Descent with the force read off at shaken positions."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import solve
from wflow.energies import MMD, Potential
from wflow.flows import GradientFlow, NoiseInjectionFlow
from wflow.geometries import Wasserstein
from wflow.kernels import GaussianKernel
from wflow.measures import Gaussian, Particles, UnsupportedMeasureError


KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(30, 2))
MU = Particles.from_samples(X, np.linspace(0.5, 1.5, 30))
TARGET = Gaussian([1.0, 0.0], [[0.5, 0.1], [0.1, 0.3]])
ENERGY = MMD(GaussianKernel(0.7), TARGET)


@eqx.filter_jit
def jump(flow, mu, t=0.0, h=0.1, key=KEY):
    return flow.jump(mu, t, h, key)


def test_without_noise_it_is_an_euler_step():
    velocity = eqx.filter_jit(GradientFlow(ENERGY, Wasserstein()).velocity)(MU)[0]
    mu = jump(NoiseInjectionFlow(ENERGY, 0.0), MU)
    np.testing.assert_allclose(mu.x, X + 0.1 * velocity, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(mu.logw, MU.logw)


def test_the_force_is_that_of_shaken_points():
    # Of the potential |x|^2 / 2: x - h (x + b xi), exactly.
    flow = NoiseInjectionFlow(Potential(lambda x: jnp.sum(x**2) / 2), 0.4)
    moved = np.asarray(jump(flow, MU).x)
    xi = (0.9 * X - moved) / (0.1 * 0.4)
    expected = jax.random.normal(KEY, X.shape)
    np.testing.assert_allclose(xi, expected, rtol=1e-9, atol=1e-9)


def test_the_mean_force_is_smoothed():
    # Averaged over the noise, the force is that of the landscape smoothed with b.
    particle = Particles.from_samples(np.array([[0.3, -0.2]]))
    flow = NoiseInjectionFlow(Potential(lambda x: jnp.sum(jnp.cos(x))), 0.8)
    keys = jax.random.split(KEY, 20_000)
    moved = jax.jit(jax.vmap(lambda key: flow.jump(particle, 0.0, 1.0, key).x[0]))(keys)
    force = np.exp(-(0.8**2) / 2) * np.sin([0.3, -0.2])
    # Five standard errors of a force of at most one.
    np.testing.assert_allclose(
        moved.mean(0) - np.array([0.3, -0.2]), force, atol=5 / 20_000**0.5
    )


def test_the_target_does_not_move():
    # Where a discrepancy is zero its landscape is flat, at shaken points as well.
    cloud = Particles.from_samples(X)
    energy = MMD(GaussianKernel(0.5), cloud)
    mu = solve(NoiseInjectionFlow(energy, 1.0), cloud, 0.0, 2.0, dt0=0.2, key=KEY)[-1]
    np.testing.assert_allclose(mu.x, X, atol=1e-12)


class Falling(eqx.Module):
    """A level that falls to zero, so that nothing is blurred in the end."""

    start: jax.Array

    def __call__(self, t):
        return self.start * jnp.maximum(0, 1 - t / 250)


def test_it_frees_particles_that_are_stuck():
    # Far from the target, with a short kernel, descent alone leaves half behind.
    start = Particles.from_samples(0.3 * X + np.array([-3.0, 0.0]))
    energy = MMD(GaussianKernel(0.7), TARGET)
    value = eqx.filter_jit(energy.value)
    stuck, freed = (
        float(
            value(
                solve(
                    NoiseInjectionFlow(energy, Falling(jnp.asarray(level))),
                    start,
                    0.0,
                    300.0,
                    dt0=1.0,
                    key=KEY,
                )[-1]
            )
        )
        for level in (0.0, 2.5)
    )
    assert freed < 0.5 * stuck


def test_float32_and_gradient():
    single = Particles(MU.x.astype(jnp.float32), MU.logw.astype(jnp.float32))
    assert jump(NoiseInjectionFlow(ENERGY, jnp.float32(0.3)), single).x.dtype == (
        jnp.float32
    )

    @jax.jit
    @jax.value_and_grad
    def end(level):
        return jnp.sum(NoiseInjectionFlow(ENERGY, level).jump(MU, 0.0, 0.5, KEY).x ** 2)

    difference = (end(0.3 + 1e-5)[0] - end(0.3 - 1e-5)[0]) / 2e-5
    np.testing.assert_allclose(end(0.3)[1], difference, rtol=1e-6)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="level >= 0, found -0.5"):
        NoiseInjectionFlow(ENERGY, -0.5)
    with pytest.raises(UnsupportedMeasureError, match="Gaussian"):
        NoiseInjectionFlow(ENERGY).jump(TARGET, 0.0, 0.1, KEY)
