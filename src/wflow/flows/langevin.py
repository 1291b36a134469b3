"""Noisy motion: over- and underdamped Langevin dynamics."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree

from wflow.checks import instance, real_field
from wflow.energies import AbstractEnergy
from wflow.geometries import per_mass
from wflow.measures import Particles, Phase, UnsupportedMeasureError

from .base import AbstractDissipativeFlow
from .kinetic import AbstractKineticFlow, check_scalar
from .noise import Noise


class LangevinFlow(AbstractKineticFlow, AbstractDissipativeFlow):
    r"""$dx = f\,dt + \sqrt{2\tau}\,dW$ on Particles; on a Phase of Particles
    $dx = v\,dt,\ dv = (f - \gamma v)\,dt + \sqrt{2\gamma\tau}\,dW$.

    $f = -\nabla\frac{\delta F}{\delta\mu}$. Every particle is one sample: the law of
    many follows the gradient flow of $F + \tau\int\rho\log\rho$. The temperature
    $\tau$ is given here, or handed over by an energy with an entropy (such as
    ``KLDivergence``), never both. The recorded energy is F without the entropy.

    Raises:
        ValueError: a negative temperature or friction.
        TypeError: the temperature is given twice, or not at all; ``energy`` is none.

    Reference: Pavliotis, Stochastic Processes and Applications (2014), (4.2), (6.1).
    """

    energy: AbstractEnergy
    temperature: Float[Array, ""] | None = eqx.field(
        converter=real_field("temperature", optional=True), default=None
    )
    friction: Float[Array, ""] = eqx.field(
        converter=real_field("friction"), default=1.0
    )

    def __check_init__(self) -> None:
        instance(self, "energy", self.energy, AbstractEnergy, "an energy")
        check_scalar(self, "friction", self.friction)
        if self.temperature is not None:
            check_scalar(self, "temperature", self.temperature)

    def _particles(self, mu: Any) -> Particles:
        law = mu.measure if isinstance(mu, Phase) else mu
        if not isinstance(law, Particles):
            raise UnsupportedMeasureError(self, law, "Particles and Phase of Particles")
        return law

    def _temperature(self, law: Particles) -> Float[Array, ""]:
        implicit = self.energy.implicit_entropy(law)
        if (implicit is None) == (self.temperature is None):
            found = "found both" if self.temperature is not None else "found neither"
            raise TypeError(
                "LangevinFlow: expected the temperature either as temperature= or as "
                f"an entropy without a density in the energy, {found}."
            )
        return implicit if self.temperature is None else self.temperature

    def force(self, law: Particles, t: ArrayLike = 0.0) -> Float[Array, "n d"]:
        self._temperature(law)
        return -per_mass(self.energy.differential(law, t).x, law.w)

    def velocity(self, mu: Any, t: ArrayLike = 0.0) -> PyTree[Array]:
        if isinstance(mu, Phase):
            return super().velocity(mu, t)
        law = self._particles(mu)
        return self.force(law, t), jnp.zeros_like(law.logw)

    def noise(self, mu: Any, t: ArrayLike = 0.0) -> Noise:
        del t
        tau = self._temperature(self._particles(mu))
        factor = self.friction if isinstance(mu, Phase) else 1
        return Noise(jnp.sqrt(2 * factor * tau))

    def records(self, mu: Any, t: ArrayLike = 0.0) -> dict[str, Array]:
        del t
        numbers = {"temperature": self._temperature(self._particles(mu))}
        return (
            numbers | {"friction": self.friction} if isinstance(mu, Phase) else numbers
        )

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        law = self._particles(mu)
        kinetic = mu.kinetic_energy if isinstance(mu, Phase) else 0
        return kinetic + self.energy.explicit(law, t)

    def dissipation(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        law = self._particles(mu)
        if isinstance(mu, Phase):
            return 2 * self.friction * mu.kinetic_energy
        dx = self.energy.differential(law, t).x
        return jnp.sum(dx * per_mass(dx, law.w))
