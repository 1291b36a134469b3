"""A shallow network that learns: its risk, the law of its start and its flow."""

import warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.energies import AbstractEnergy
from wflow.flows import AbstractContinuousFlow, GradientFlow, LangevinFlow
from wflow.geometries import Wasserstein
from wflow.measures import Gaussian, Particles

from .risks import AbstractRisk
from .sampled import Neuron, SampledRisk


class UniformSphere(eqx.Module):
    """The uniform law on the unit sphere of R^dim."""

    dim: int = eqx.field(static=True)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n d"]:
        """``n`` independent draws."""
        x = jax.random.normal(key, (n, self.dim))
        return x / jnp.linalg.norm(x, axis=1, keepdims=True)


class Student(eqx.Module):
    r"""m neurons drawn from ``start``, moved by the Wasserstein flow of an energy.

    Attributes:
        risk: measures functions and their distance.
        start: $\rho_0$, anything with ``sample(key, n)``.
        energy: what the flow lowers; None is the risk. With an entropy neurons are
            noisy: ``LangevinFlow`` on Particles, its limit on a Gaussian.

    Warns:
        UserWarning: all neurons start at the origin, or they are not smooth.
    """

    risk: AbstractRisk
    start: Any
    energy: AbstractEnergy | None = None

    def __check_init__(self) -> None:
        if isinstance(self.risk, SampledRisk):
            neuron = self.risk.network.neuron
            if isinstance(neuron, Neuron) and not neuron.regular:
                warnings.warn(
                    f"Student: {neuron.activation} neurons are not smooth, as theorems "
                    "on their mean-field limit ask.",
                    stacklevel=2,
                )
        start = self.start
        if not isinstance(start, Gaussian):
            return
        if isinstance(start.mean, Tracer) or isinstance(start.cov, Tracer):
            return
        size = np.max(np.abs(start.mean)) + np.max(np.abs(start.cov))
        if size < 1e-30:
            warnings.warn(
                "Student: neurons start at the origin, where the start is a critical "
                "point of the risk; they may never move.",
                stacklevel=2,
            )

    def network(self, key: PRNGKeyArray, m: int) -> Any:
        """A network of m neurons at its start, as the least measure that moves alike.

        Raises:
            ValueError: m < 1.
        """
        if m < 1:
            raise ValueError(f"Student: expected m >= 1 neurons, found {m}.")
        particles = Particles.from_samples(self.start.sample(key, m))
        return particles if self.noisy else self.risk.closure(particles)

    @property
    def noisy(self) -> bool:
        """Whether neurons feel noise."""
        energy = self.energy
        if energy is None:
            return False
        one = Particles(jnp.zeros((1, 1)), jnp.zeros(1))
        return energy.implicit_entropy(one) is not None

    def flow(self, mu: Any) -> AbstractContinuousFlow:
        """The law of motion of a network, or of its limit."""
        energy = self.risk if self.energy is None else self.energy
        if self.noisy and isinstance(mu, Particles):
            return LangevinFlow(energy)
        return GradientFlow(energy, Wasserstein())
