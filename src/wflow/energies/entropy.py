"""Energies of a density: entropy, Fisher information, Kullback-Leibler divergence."""

import abc
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field
from wflow.measures import Gaussian, Grid, Particles, Phase, UnsupportedMeasureError
from wflow.measures.base import Differential, ImplicitEntropyError
from wflow.measures.particles import ParticlesDifferential
from wflow.measures.phase import Law

from .base import AbstractEnergy, mass_derivative, within
from .density import AbstractParticleDensity, gaussian_entropy
from .potential import Potential


def _check_density(owner: object, density: object) -> None:
    if density is not None:
        checks.instance(
            owner, "density", density, AbstractParticleDensity, "a particle density"
        )


class _AbstractDensityEnergy(AbstractEnergy[Law]):
    """An energy of a density, a part of which is no variable at Particles."""

    density: eqx.AbstractVar[AbstractParticleDensity | None]

    @abc.abstractmethod
    def _held(self, mu: Law, held: Particles | None = None) -> Float[Array, ""]:
        """The value at ``mu``; what is no variable of it is computed from ``held``."""

    def value(self, mu: Law, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        return self._held(mu)

    def differential(self, mu: Law | Phase, t: ArrayLike = 0.0) -> Differential:
        del t
        law = within(mu)
        held = law if isinstance(law, Particles) else None
        return law.differential(lambda nu: self._held(nu, held))[1]

    def first_variation(
        self, mu: Particles, points: Float[Array, "m d"], t: ArrayLike = 0.0
    ) -> Float[Array, " m"]:
        del t
        return mass_derivative(lambda nu: self._held(nu, mu), mu, points)


class Entropy(_AbstractDensityEnergy):
    r"""The negative entropy, which spreads a population as heat spreads.

    $F(\mu) = \tau \int \rho\log\rho\,dx$, the negative Boltzmann entropy.

    Exact on Grid and Gaussian. Particles need a ``density``; without one the
    coefficient stays implicit (see ``ImplicitEntropyError``).

    Raises:
        TypeError: the density is none of particles.
        ValueError: a temperature that is negative, not finite or not one number.

    Examples:
        >>> import wflow as wf
        >>> heat = wf.GradientFlow(wf.Entropy(), wf.Wasserstein())
        >>> start = wf.Gaussian([0.0], [[1.0]])
        >>> print(f"{wf.solve(heat, start, 0.0, 1.0)[-1].cov[0, 0]:.3f}")  # 1 + 2 t
        3.000
    """

    temperature: Float[Array, ""] = eqx.field(
        converter=real_field("temperature"), default=1.0
    )
    density: AbstractParticleDensity | None = None

    def __check_init__(self) -> None:
        checks.shape(self, "temperature", self.temperature, ())
        checks.non_negative(self, "temperature", self.temperature)
        _check_density(self, self.density)

    def _held(self, mu: Law, held: Particles | None = None) -> Float[Array, ""]:
        match mu:
            case Grid():
                integral = jnp.sum(_entropy_density(mu.density)) * mu.cell_volume
            case Gaussian():
                integral = gaussian_entropy(mu.cov)
            case Particles() if self.density is not None:
                integral = self.density.entropy(mu, held)
            case Particles():
                raise ImplicitEntropyError(self)
            case _:
                raise UnsupportedMeasureError(self, mu, "Particles, Grid and Gaussian")
        return self.temperature * integral

    def differential(self, mu: Law | Phase, t: ArrayLike = 0.0) -> Differential:
        law = within(mu)
        if isinstance(law, Particles) and self.density is None:
            still = jnp.zeros_like(law.x), jnp.zeros_like(law.logw)
            return ParticlesDifferential(*still, entropy=self.temperature)
        return super().differential(mu, t)

    def first_variation(
        self, mu: Particles, points: Float[Array, "m d"], t: ArrayLike = 0.0
    ) -> Float[Array, " m"]:
        if self.density is None:
            return jnp.zeros(points.shape[0], mu.dtype)
        return super().first_variation(mu, points, t)


def _entropy_density(rho: Float[Array, "*cells"]) -> Float[Array, "*cells"]:
    r"""The density of the entropy, tangent where a cell is all but empty.

    $\rho\log\rho$, below the smallest normal number its tangent there.

    Its derivative is $\log\rho + 1$ with the floor in the logarithm alone, as in the
    logarithmic mean: the heat equation stays exact where cells are empty.
    """
    tiny = jnp.finfo(rho.dtype).tiny
    normal = rho > tiny
    log_rho = jnp.log(jnp.where(normal, rho, tiny))
    return rho * log_rho + jnp.where(normal, 0, rho - tiny)


class FisherInformation(_AbstractDensityEnergy):
    r"""The roughness of a density: the quantum potential.

    $F(\mu) = \frac{\hbar^2}{8} \int |\nabla\log\rho|^2 d\mu$.

    The quantum potential: a frictionless ``LagrangianFlow`` of it plus
    $\int V d\mu$ is the Schroedinger equation in Madelung's variables. On a grid it is
    $\frac{\hbar^2}{2}\int|\nabla\sqrt\rho|^2$ at faces; on particles it needs a
    density.

    Raises:
        TypeError: the density is none of particles.
        ValueError: a constant that is negative, not finite or not one number.

    Reference: von Renesse, Canad. Math. Bull. 55 (2012), theorem 3.1.
    """

    hbar: Float[Array, ""] = eqx.field(converter=real_field("hbar"), default=1.0)
    density: AbstractParticleDensity | None = None

    def __check_init__(self) -> None:
        checks.shape(self, "hbar", self.hbar, ())
        checks.non_negative(self, "hbar", self.hbar)
        _check_density(self, self.density)

    def _held(self, mu: Law, held: Particles | None = None) -> Float[Array, ""]:
        match mu:
            case Grid():
                root = jnp.sqrt(jnp.maximum(mu.density, jnp.finfo(mu.dtype).tiny))
                squares = [
                    jnp.sum(mu.face_gradient(root, axis) ** 2) for axis in range(mu.dim)
                ]
                information = 4 * mu.cell_volume * sum(squares)
            case Gaussian():
                information = jnp.trace(jnp.linalg.inv(mu.cov))
            case Particles() if self.density is not None:
                information = self.density.fisher_information(mu, held)
            case Particles():
                raise ImplicitEntropyError(self)
            case _:
                raise UnsupportedMeasureError(self, mu, "Particles, Grid and Gaussian")
        return self.hbar**2 / 8 * information


class KLDivergence(AbstractEnergy[Law]):
    r"""How far a measure is from a target density, such as a posterior.

    $F(\mu) = \int \log(\rho/\pi)\,d\mu$ for a target $\pi$ known up to a factor.

    ``log_density`` is $\log\pi$ at one point; its constant shifts the value only. On
    particles the entropy is implicit unless a ``density`` is given.

    Raises:
        TypeError: ``log_density`` is no function, or the density none of particles.
        ValueError: when evaluated, a log-density that is not one real number.

    Examples:
        >>> import wflow as wf
        >>> target = wf.KLDivergence(wf.Gaussian([0.0], [[1.0]]).log_density)
        >>> print(round(float(target.value(wf.Gaussian([2.0], [[1.0]]))), 3))  # 2^2 / 2
        2.0
    """

    log_density: Callable[[Array], Array]
    density: AbstractParticleDensity | None = None

    def __check_init__(self) -> None:
        checks.function(self, "log_density", self.log_density, "x")
        _check_density(self, self.density)

    def _parts(self) -> AbstractEnergy:
        potential = Potential(self._log_density)
        return Entropy(density=self.density) - potential

    def _log_density(self, x: Array) -> Float[Array, ""]:
        return checks.one_number(self, "log_density", self.log_density(x))

    def value(self, mu: Law, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return self._parts().value(mu, t)

    def differential(self, mu: Law | Phase, t: ArrayLike = 0.0) -> Differential:
        return self._parts().differential(mu, t)

    def first_variation(
        self, mu: Particles, points: Float[Array, "m d"], t: ArrayLike = 0.0
    ) -> Float[Array, " m"]:
        return self._parts().first_variation(mu, points, t)
