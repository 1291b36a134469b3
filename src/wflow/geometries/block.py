"""Only some coordinates move."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow import checks
from wflow.measures import Particles, UnsupportedMeasureError
from wflow.measures.base import Differential, State
from wflow.measures.particles import ParticlesDifferential

from .base import AbstractGeometry


class Block(AbstractGeometry[Particles]):
    r"""Motion of the leading coordinates of every point, the others frozen.

    $K = P\,K_0\,P$ on Particles, P the projection on the first ``moving`` coordinates.

    With ``Wasserstein()`` this is conditional transport, points (x, y) with y frozen,
    $\dot x = -\nabla_x \frac{\delta F}{\delta\mu}(x, y)$; its mobility may depend on
    y. With ``Stein(kernel)`` the force is averaged over all (x, y).

    Attributes:
        geometry: $K_0$.
        moving: number of leading coordinates that move.

    Raises:
        TypeError: the geometry is none, or ``moving`` no whole number.
        ValueError: ``moving < 1``, or more than the points have.

    Reference: Hagemann, Hertrich, Altekrueger, Beinert, Chemseddine, Steidl,
    arXiv:2310.03054, section 3 (for the discrepancy, y frozen).
    """

    geometry: AbstractGeometry[Particles]
    moving: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        checks.instance(self, "geometry", self.geometry, AbstractGeometry, "a geometry")
        checks.count(self, "moving", self.moving)

    def _project(self, rows: Float[Array, "n d"]) -> Float[Array, "n d"]:
        n, d = rows.shape
        if self.moving > d:
            raise ValueError(
                f"Block: expected moving <= {d}, the dimension of the points, found "
                f"{self.moving}."
            )
        still = jnp.zeros((n, d - self.moving), rows.dtype)
        return jnp.concatenate([rows[:, : self.moving], still], axis=1)

    def _restrict(
        self, mu: Particles, differential: Differential
    ) -> ParticlesDifferential:
        if not isinstance(mu, Particles):
            raise UnsupportedMeasureError(self, mu, "Particles")
        return differential._replace(x=self._project(differential.x))

    def velocity(self, mu: Particles, differential: Differential) -> State:
        restricted = self._restrict(mu, differential)
        dx, dlogw = self.geometry.velocity(mu, restricted)
        return self._project(dx), dlogw

    def velocity_at(
        self,
        mu: Particles,
        differential: Differential,
        points: Float[Array, "m d"],
        covectors: Float[Array, "m d"],
    ) -> Float[Array, "m d"]:
        velocity = self.geometry.velocity_at(
            mu, self._restrict(mu, differential), points, self._project(covectors)
        )
        return self._project(velocity)

    def dissipation(
        self, mu: Particles, differential: Differential
    ) -> Float[Array, ""]:
        return self.geometry.dissipation(mu, self._restrict(mu, differential))
