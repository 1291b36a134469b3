"""A shallow network that learns: its risk, the law of its start and its flow."""

import warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.checks import count, instance, known
from wflow.energies import AbstractEnergy
from wflow.flows import AbstractContinuousFlow, GradientFlow, LangevinFlow
from wflow.geometries import Wasserstein
from wflow.measures import Gaussian, Particles

from .risks import AbstractRisk
from .sampled import Neuron, SampledRisk


class UniformSphere(eqx.Module):
    """The uniform law on the unit sphere of R^dim."""

    dim: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        count(self, "dim", self.dim)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n d"]:
        """``n`` independent draws."""
        count(self, "n", n)
        x = jax.random.normal(key, (n, self.dim))
        return x / jnp.linalg.norm(x, axis=1, keepdims=True)


class Student(eqx.Module):
    r"""A finite network to be compared with its limit of infinite width.

    It has m neurons drawn from ``start``, moved by the Wasserstein flow of an energy.

    Attributes:
        risk: measures functions and their distance.
        start: $\rho_0$, anything with ``sample(key, n)``.
        energy: what the flow lowers; None is the risk. With an entropy neurons are
            noisy: ``LangevinFlow`` on Particles, its limit on a Gaussian.

    Raises:
        TypeError: a risk or an energy that is none, or a start without ``sample``.

    Warns:
        UserWarning: all neurons start at the origin, or they are not smooth.
    """

    risk: AbstractRisk
    start: Any
    energy: AbstractEnergy | None = None

    def __check_init__(self) -> None:
        instance(self, "risk", self.risk, AbstractRisk, "a risk of neurons")
        if self.energy is not None:
            instance(self, "energy", self.energy, AbstractEnergy, "an energy")
        if not callable(getattr(self.start, "sample", None)):
            raise TypeError(
                "Student: expected start to be a law with sample(key, n), found "
                f"{type(self.start).__name__}."
            )
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
        mean, cov = known(start.mean), known(start.cov)
        if mean is None or cov is None:
            return
        size = np.max(np.abs(mean)) + np.max(np.abs(cov))
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
        count(self, "m", m)
        particles = Particles.from_samples(self.start.sample(key, m))
        return particles if self._noisy(particles) else self.risk.closure(particles)

    def _noisy(self, particles: Particles) -> bool:
        """Whether neurons feel noise: their energy holds an entropy."""
        if self.energy is None:
            return False
        found = eqx.filter_eval_shape(self.energy.differential, particles)
        return found.entropy is not None

    def flow(self, mu: Any) -> AbstractContinuousFlow:
        """The law of motion of a network, or of its limit."""
        energy = self.risk if self.energy is None else self.energy
        if isinstance(mu, Particles) and self._noisy(mu):
            return LangevinFlow(energy)
        return GradientFlow(energy, Wasserstein())
