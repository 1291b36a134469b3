"""Second-order motion: a damped Wasserstein Lagrangian."""

import equinox as eqx
import jax
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import instance, one_of, real_field
from wflow.energies import AbstractEnergy
from wflow.measures import Gaussian, Grid, Particles, Phase, UnsupportedMeasureError
from wflow.measures.base import State
from wflow.measures.phase import AffineVelocity, Law

from .base import AbstractDissipativeFlow
from .kinetic import AbstractKineticFlow, check_scalar, particle_force
from .leapfrog import FORCE_SCALINGS, ForceScaling, force_factor


class LagrangianFlow(AbstractKineticFlow[Phase], AbstractDissipativeFlow[Phase]):
    r"""Particles with inertia and friction in the force of an energy.

    $\dot x = v,\quad \dot v = s(\gamma) f(x) - \gamma v,\quad
    f = -\nabla\frac{\delta F}{\delta\mu}$, on a ``Phase``.

    The Euler-Lagrange equations of $e^{\gamma t}(\frac12\int|v|^2 d\mu - sF(\mu))$.
    ``force_scaling="inertial"`` is s = 1; ``"unified"`` is $s = 1 + \gamma$, which
    joins Newton's law ($\gamma = 0$) to the gradient flow of F ($\gamma \to \infty$)
    in the same time. ``friction`` (1/time) is a number >= 0 or a ``Learnable``. With
    ``FisherInformation`` in the energy and no friction it is Schroedinger's equation.

    The recorded energy is $\frac12\int|v|^2 d\mu + sF$, its dissipation
    $\gamma\int|v|^2 d\mu$.

    Raises:
        ValueError: negative friction or an unknown ``force_scaling``.
        TypeError: ``energy`` is none.

    Reference: Guan, Atanackovic, Neklyudov, arXiv:2605.08550, section 3 (inertial; the
    unified form is that of its integrator).

    Examples:
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> bowl = wf.Potential(lambda x: x @ x / 2)
        >>> start = wf.Phase.at_rest(wf.Particles.from_samples(jnp.ones((8, 1))))
        >>> swing = wf.solve(wf.LagrangianFlow(bowl), start, 0.0, jnp.pi)[-1]
        >>> print(jnp.round(swing.measure.mean, 2))  # the other side of the bowl
        [-1.]
    """

    energy: AbstractEnergy[Law]
    friction: Float[Array, ""] = eqx.field(
        converter=real_field("friction"), default=0.0
    )
    force_scaling: ForceScaling = eqx.field(static=True, default="inertial")

    def __check_init__(self) -> None:
        instance(self, "energy", self.energy, AbstractEnergy, "an energy")
        check_scalar(self, "friction", self.friction)
        one_of(self, "force_scaling", self.force_scaling, FORCE_SCALINGS)

    def _phase(self, mu: Phase) -> Phase:
        if not isinstance(mu, Phase):
            raise UnsupportedMeasureError(
                self, mu, "Phase (a measure with a velocity); see Phase.at_rest"
            )
        return mu

    @property
    def _factor(self) -> Float[Array, ""]:
        return force_factor(self.friction, self.force_scaling)

    def force(self, law: Particles, t: ArrayLike = 0.0) -> Float[Array, "n d"]:
        return particle_force(self.energy, law, t)

    def velocity(self, mu: Phase, t: ArrayLike = 0.0) -> State:
        mu = self._phase(mu)
        law, v = mu.measure, mu.velocity
        match law:
            case Particles():
                return super().velocity(mu, t)
            case Gaussian():
                g, curvature = self.energy.differential(law, t)
                slope = v.slope @ v.slope + 2 * self._factor * curvature
                moved = v.slope @ law.cov
                return (v.mean, moved + moved.T), AffineVelocity(
                    -self._factor * g - self.friction * v.mean,
                    -slope - self.friction * v.slope,
                )
            case Grid():
                # Hamilton's equations of the discrete energy, so that it is conserved.
                def kinetic(density: Array, potential: Array) -> Array:
                    return Phase(law.with_state(density), potential).kinetic_energy

                rho, phi = jax.grad(kinetic, (0, 1))(law.density, v)
                first_variation = self.energy.differential(law, t)
                return phi / law.cell_volume, (
                    -rho / law.cell_volume
                    - self._factor * first_variation
                    - self.friction * v
                )

    def records(self, mu: Phase, t: ArrayLike = 0.0) -> dict[str, Array]:
        del mu, t
        return {"friction": self.friction}

    def value(self, mu: Phase, t: ArrayLike = 0.0) -> Float[Array, ""]:
        mu = self._phase(mu)
        return mu.kinetic_energy + self._factor * self.energy.value(mu.measure, t)

    def dissipation(self, mu: Phase, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return 2 * self.friction * self._phase(mu).kinetic_energy
