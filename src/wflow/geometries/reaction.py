"""Reaction, alone and with transport: Fisher-Rao and Hellinger-Kantorovich."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field, to_real
from wflow.measures import Gaussian, Grid, Particles, UnsupportedMeasureError
from wflow.measures.base import Differential, State
from wflow.measures.phase import Law

from .base import AbstractGeometry
from .wasserstein import Wasserstein


_GAUSSIAN_MASS = "Particles and Grid; on Gaussian only with conserve_mass=True"


class FisherRao(AbstractGeometry[Law]):
    r"""Growth where the energy is low, decay where it is high, without motion.

    $\partial_t\mu = -\mu\,(\frac{\delta F}{\delta\mu} - \text{mean})$.

    ``conserve_mass=False`` drops the mean: masses then grow and shrink. On Particles
    the log-weights move; on a Gaussian the law stays Gaussian for quadratic first
    variations.

    Reference: Lu, Lu, Nolen, arXiv:1905.09863, equation (1.5) without transport.

    Examples:
        >>> import wflow as wf
        >>> flow = wf.GradientFlow(wf.Potential(lambda x: x[0]), wf.FisherRao())
        >>> cloud = wf.Particles.from_samples([[0.0], [1.0]])
        >>> end = wf.solve(flow, cloud, 0.0, 1.0)[-1]
        >>> print(f"{end.w[0]:.3f} {end.w[1]:.3f}")  # 1 to exp(-1), where they were
        0.731 0.269
    """

    conserve_mass: bool = eqx.field(static=True, default=True)

    def __check_init__(self) -> None:
        checks.one_of(self, "conserve_mass", self.conserve_mass, (True, False))

    def _rate(self, first_variation: Array, masses: Array) -> Array:
        """Minus the growth rate of every atom."""
        if not self.conserve_mass:
            return first_variation
        return first_variation - jnp.sum(masses * first_variation) / jnp.sum(masses)

    def velocity(self, mu: Law, differential: Differential) -> State:
        match mu:
            case Particles():
                rate = self._rate(self.explicit(differential).w, mu.w)
                return jnp.zeros_like(mu.x), -rate
            case Grid():
                # A cell that a trial step made negative has no mass to react: its
                # logarithm would drive it away from zero.
                density = jnp.maximum(mu.density, 0)
                return -density * self._rate(differential, density)
            case Gaussian() if self.conserve_mass:
                return (
                    -mu.cov @ differential.mean,
                    -2 * mu.cov @ differential.cov @ mu.cov,
                )
        raise UnsupportedMeasureError(self, mu, _GAUSSIAN_MASS)

    def dissipation(self, mu: Law, differential: Differential) -> Float[Array, ""]:
        match mu:
            case Particles():
                return mu.w @ self._rate(self.explicit(differential).w, mu.w) ** 2
            case Grid():
                rate = self._rate(differential, mu.density)
                return jnp.sum(mu.density * rate**2) * mu.cell_volume
            case Gaussian() if self.conserve_mass:
                g, moved = differential.mean, differential.cov @ mu.cov
                return g @ mu.cov @ g + 2 * jnp.trace(moved @ moved)
        raise UnsupportedMeasureError(self, mu, _GAUSSIAN_MASS)


class HellingerKantorovich(AbstractGeometry[Law]):
    r"""Transport and growth at once: mass moves, and fades or grows in place.

    $K = \alpha K_{W} + \beta K_{FR}$: transport and reaction together.

    $\partial_t\mu = \alpha\nabla\cdot(\mu\nabla\frac{\delta F}{\delta\mu})
    - \beta\mu(\frac{\delta F}{\delta\mu} - \text{mean})$: spherical
    Hellinger-Kantorovich, also Wasserstein-Fisher-Rao. ``alpha=0`` is Fisher-Rao,
    ``beta=0`` Wasserstein; ``conserve_mass=False`` drops the mean.

    Raises:
        ValueError: a strength that is negative, not finite or not one number, or both
            zero.

    Reference: Liero, Mielke, Savare, Inventiones 211 (2018), section 1.

    Examples:
        >>> import wflow as wf
        >>> target = wf.KLDivergence(lambda x: -x @ x / 2)
        >>> start = wf.Gaussian([3.0], [[1.0]])
        >>> flow = wf.GradientFlow(target, wf.HellingerKantorovich(1.0, 1.0))
        >>> end = wf.solve(flow, start, 0.0, 1.0)[-1]
        >>> print(round(float(end.mean[0]), 3))  # by transport alone 1.104
        0.406
    """

    alpha: Float[Array, ""] = eqx.field(converter=real_field("alpha"))
    beta: Float[Array, ""] = eqx.field(converter=real_field("beta"))
    transport: Wasserstein
    reaction: FisherRao

    def __init__(
        self,
        alpha: ArrayLike = 1.0,
        beta: ArrayLike = 1.0,
        *,
        conserve_mass: bool = True,
    ):
        """Make the geometry with strengths ``alpha >= 0`` and ``beta >= 0``."""
        self.alpha = to_real(alpha, "alpha")
        self.beta = to_real(beta, "beta")
        for name in ("alpha", "beta"):
            checks.shape(self, name, getattr(self, name), ())
            checks.non_negative(self, name, getattr(self, name))
        known = checks.known(self.alpha), checks.known(self.beta)
        if all(strength is not None and strength == 0 for strength in known):
            raise ValueError(
                "HellingerKantorovich: expected alpha or beta > 0, found both zero."
            )
        self.transport = Wasserstein()
        self.reaction = FisherRao(conserve_mass)

    def _checked(self, mu: Law, differential: Differential) -> Differential:
        """The differential, refused in this geometry's own name."""
        gaussian = isinstance(mu, Gaussian) and self.reaction.conserve_mass
        if not (gaussian or isinstance(mu, Particles | Grid)):
            raise UnsupportedMeasureError(self, mu, _GAUSSIAN_MASS)
        return self.explicit(differential)

    def velocity(self, mu: Law, differential: Differential) -> State:
        differential = self._checked(mu, differential)
        transport = self.transport.velocity(mu, differential)
        reaction = self.reaction.velocity(mu, differential)
        return jax.tree.map(
            lambda a, b: self.alpha * a + self.beta * b, transport, reaction
        )

    def dissipation(self, mu: Law, differential: Differential) -> Float[Array, ""]:
        differential = self._checked(mu, differential)
        return self.alpha * self.transport.dissipation(
            mu, differential
        ) + self.beta * self.reaction.dissipation(mu, differential)
