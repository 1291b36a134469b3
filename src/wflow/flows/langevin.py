"""Noisy motion: over- and underdamped Langevin dynamics."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import instance, real_field
from wflow.energies import AbstractEnergy
from wflow.geometries.wasserstein import per_mass
from wflow.measures import Particles, Phase, UnsupportedMeasureError
from wflow.measures.base import State

from .base import AbstractDissipativeFlow
from .kinetic import AbstractKineticFlow, check_scalar
from .noise import Noise


_TEMPERATURE = (
    "LangevinFlow: expected the temperature either as temperature= or as an entropy "
    "without a density in the energy"
)


class LangevinFlow(
    AbstractKineticFlow[Particles | Phase], AbstractDissipativeFlow[Particles | Phase]
):
    r"""Noisy particles at a temperature, with inertia or without.

    $dx = f\,dt + \sqrt{2\tau}\,dW$ on Particles; on a Phase of Particles
    $dx = v\,dt,\ dv = (f - \gamma v)\,dt + \sqrt{2\gamma\tau}\,dW$.

    $f = -\nabla\frac{\delta F}{\delta\mu}$. Every particle is one sample: the law of
    many follows the gradient flow of $F + \tau\int\rho\log\rho$. The temperature
    $\tau$ is given here, or handed over by an energy with an entropy (such as
    ``KLDivergence``), never both. The recorded energy is F, which has no number where
    it holds such an entropy.

    Raises:
        ImplicitEntropyError: the recorded energy is asked for, and F holds an entropy.
        ValueError: a negative temperature or friction.
        TypeError: the temperature is given twice, or not at all; ``energy`` is none.

    Reference: Pavliotis, Stochastic Processes and Applications (2014), (4.2), (6.1).

    Examples:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> target = wf.KLDivergence(lambda x: -x @ x / 2)
        >>> start = wf.Particles.from_samples(jnp.zeros((500, 1)))
        >>> flow = wf.LangevinFlow(target)
        >>> end = wf.solve(flow, start, 0.0, 4.0, key=jax.random.key(0))[-1]
        >>> print(jnp.abs(end.cov - 1) < 0.2)
        [[ True]]
    """

    energy: AbstractEnergy[Particles]
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

    def _particles(self, mu: Particles | Phase) -> Particles:
        law = mu.measure if isinstance(mu, Phase) else mu
        if not isinstance(law, Particles):
            raise UnsupportedMeasureError(self, law, "Particles and Phase of Particles")
        return law

    def _temperature(self, law: Particles, t: ArrayLike) -> Float[Array, ""]:
        if self.temperature is not None:
            return self.temperature
        entropy = self.energy.differential(law, t).entropy
        if entropy is None:
            raise TypeError(f"{_TEMPERATURE}, found neither.")
        return entropy

    def force(self, law: Particles, t: ArrayLike = 0.0) -> Float[Array, "n d"]:
        differential = self.energy.differential(law, t)
        if (differential.entropy is None) == (self.temperature is None):
            found = "neither" if self.temperature is None else "both"
            raise TypeError(f"{_TEMPERATURE}, found {found}.")
        return -per_mass(differential.x, law.w)

    def velocity(self, mu: Particles | Phase, t: ArrayLike = 0.0) -> State:
        if isinstance(mu, Phase):
            return super().velocity(mu, t)
        law = self._particles(mu)
        return self.force(law, t), jnp.zeros_like(law.logw)

    def noise(self, mu: Particles | Phase, t: ArrayLike = 0.0) -> Noise:
        tau = self._temperature(self._particles(mu), t)
        factor = self.friction if isinstance(mu, Phase) else 1
        return Noise(jnp.sqrt(2 * factor * tau))

    def records(self, mu: Particles | Phase, t: ArrayLike = 0.0) -> dict[str, Array]:
        numbers = {"temperature": self._temperature(self._particles(mu), t)}
        if isinstance(mu, Phase):
            numbers["friction"] = self.friction
        return numbers

    def value(self, mu: Particles | Phase, t: ArrayLike = 0.0) -> Float[Array, ""]:
        law = self._particles(mu)
        kinetic = mu.kinetic_energy if isinstance(mu, Phase) else 0
        return kinetic + self.energy.value(law, t)

    def dissipation(
        self, mu: Particles | Phase, t: ArrayLike = 0.0
    ) -> Float[Array, ""]:
        law = self._particles(mu)
        if isinstance(mu, Phase):
            return 2 * self.friction * mu.kinetic_energy
        dx = self.energy.differential(law, t).x
        return jnp.sum(dx * per_mass(dx, law.w))
