"""What several tests of flows start from."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from wflow.energies import (
    Entropy,
    Potential,
)
from wflow.flows import (
    GradientFlow,
)
from wflow.geometries import (
    Wasserstein,
)


def half_square(x):
    return jnp.sum(x**2) / 2


@eqx.filter_jit
def velocity(flow, mu):
    return flow.velocity(mu)


class GaussianLogDensity(eqx.Module):
    """An unnormalized Gaussian log-density, whose targets share their programs."""

    mean: jax.Array
    precision: jax.Array

    def __call__(self, x):
        return -(x - self.mean) @ self.precision @ (x - self.mean) / 2


def shk_closed_form(s, c0, alpha, beta, t):
    """Variance and contraction of the mean, in one dimension."""
    x0, a = c0 / s, 2 * alpha / s
    lam = a + beta
    growth = np.exp(lam * t)
    denominator = beta * (1 - x0) + (a + beta * x0) * growth
    x = ((a + beta * x0) * growth - a * (1 - x0)) / denominator
    return s * x, lam * np.exp(alpha * t / s) / denominator


COV2 = jnp.array([[1.0, 0.3], [0.3, 0.5]])


CURVATURE = jnp.array([[2.0, 0.6], [0.6, 0.5]])


LINEAR = jnp.array([1.0, -0.5])


DIFFUSION = jnp.array([[0.3, 0.1], [0.1, 0.2]])


ORIGIN = jnp.array([0.2, 0.4])


def quadratic(x):
    return x @ CURVATURE @ x / 2 - LINEAR @ x


def ornstein_uhlenbeck():
    """dx = -(A x - b) dt + Q^{1/2} dW, on a Gaussian."""
    return GradientFlow(Potential(quadratic), Wasserstein()) + GradientFlow(
        Entropy(0.5), Wasserstein(DIFFUSION)
    )
