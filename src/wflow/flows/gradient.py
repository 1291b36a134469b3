"""First-order motion down an energy."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import instance
from wflow.energies import AbstractEnergy
from wflow.geometries import AbstractGeometry
from wflow.measures import Particles
from wflow.measures.base import Mu, State

from .base import AbstractDissipativeFlow, safe_sqrt


class GradientFlow(AbstractDissipativeFlow[Mu]):
    r"""A measure that moves so that an energy falls, in a geometry.

    $\dot\mu = -K(\mu)\,dF(\mu)$.

    Along it $\frac{d}{dt} F = -\langle dF, K dF\rangle$, the recorded dissipation
    (minus the explicit time dependence of F, where there is one).

    Raises:
        TypeError: no energy, or no geometry, in its place.

    Reference: Ambrosio, Gigli, Savare, Gradient Flows (2008), chapter 11.

    Examples:
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> bowl = wf.Potential(lambda x: x @ x / 2)
        >>> flow = wf.GradientFlow(bowl, wf.Wasserstein())
        >>> cloud = wf.Particles.from_samples(jnp.ones((8, 1)))
        >>> round(float(flow.value(cloud)), 3), round(float(flow.dissipation(cloud)), 3)
        (0.5, 1.0)
        >>> print(f"{wf.solve(flow, cloud, 0.0, 1.0)[-1].mean[0]:.3f}")
        0.368
    """

    energy: AbstractEnergy[Mu]
    geometry: AbstractGeometry[Mu]

    def __check_init__(self) -> None:
        instance(self, "energy", self.energy, AbstractEnergy, "an energy")
        instance(self, "geometry", self.geometry, AbstractGeometry, "a geometry")

    def velocity(self, mu: Mu, t: ArrayLike = 0.0) -> State:
        return self.geometry.velocity(mu, self.energy.differential(mu, t))

    def velocity_at(
        self: "GradientFlow[Particles]",
        mu: Particles,
        points: Float[Array, "m d"],
        t: ArrayLike = 0.0,
    ) -> Float[Array, "m d"]:
        """The velocity that particles at other points would have, without being felt.

        Raises:
            UnsupportedMeasureError: the geometry moves only what makes the field.
        """

        def landscape(points: Array) -> Array:
            return jnp.sum(self.energy.first_variation(mu, points, t))

        return self.geometry.velocity_at(
            mu, self.energy.differential(mu, t), points, jax.grad(landscape)(points)
        )

    def speed(self, mu: Mu, t: ArrayLike = 0.0) -> Float[Array, ""]:
        r"""$|\dot\mu| = \sqrt{\langle dF, K dF\rangle}$, in the flow's geometry."""
        return safe_sqrt(self.dissipation(mu, t))

    def value(self, mu: Mu, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return self.energy.value(mu, t)

    def dissipation(self, mu: Mu, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return self.geometry.dissipation(mu, self.energy.differential(mu, t))
