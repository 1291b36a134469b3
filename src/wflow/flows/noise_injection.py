"""Descent with the force read off at shaken positions."""

import equinox as eqx
import jax
from jaxtyping import Array, ArrayLike, PRNGKeyArray

from wflow.checks import instance
from wflow.energies import AbstractEnergy
from wflow.geometries import AbstractGeometry, Wasserstein
from wflow.measures import Particles, Traced, UnsupportedMeasureError

from .base import (
    AbstractJumpFlow,
    Strength,
    check_strength,
    strength_at,
    strength_field,
)
from .gradient import GradientFlow


class NoiseInjectionFlow(AbstractJumpFlow[Particles | Traced]):
    r"""Descent along forces that are felt at randomly shaken places.

    $x_i \leftarrow x_i - h\nabla\frac{\delta F}{\delta\mu}(x_i + b\,\xi_i)$,
    $\xi_i \sim N(0, I)$: an Euler step of the gradient flow of F.

    Unlike Langevin noise it does not move the target: where F has its minimum the force
    vanishes everywhere. It frees particles that a discrepancy with a short kernel has
    lost. ``level`` b is a length or one per coordinate, a number or a schedule (a
    function of time). In another ``geometry`` than Wasserstein's the velocity is its
    own, at the shaken points; tracers of a ``Traced`` measure are shaken too.

    Raises:
        ValueError: a negative level.
        TypeError: no energy, or no geometry, in its place.

    Reference: Arbel, Korba, Salim, Gretton, NeurIPS 2019, equation (17).
    """

    energy: AbstractEnergy[Particles]
    level: Strength = strength_field("level", default=1.0)
    geometry: AbstractGeometry[Particles] = eqx.field(default_factory=Wasserstein)

    def __check_init__(self) -> None:
        instance(self, "energy", self.energy, AbstractEnergy, "an energy")
        instance(self, "geometry", self.geometry, AbstractGeometry, "a geometry")
        check_strength(self, "level", self.level, scalar=False)

    def jump(
        self, mu: Particles | Traced, t: ArrayLike, dt: ArrayLike, key: PRNGKeyArray
    ) -> Particles | Traced:
        if isinstance(mu, Traced):
            first, second = jax.random.split(key)
            x = self._step(mu.measure, mu.measure.x, t, dt, first)
            tracers = self._step(mu.measure, mu.tracers, t, dt, second)
            return mu.with_state(((x, mu.measure.logw), tracers))
        if not isinstance(mu, Particles):
            raise UnsupportedMeasureError(self, mu, "Particles and Traced")
        return mu.with_state((self._step(mu, mu.x, t, dt, key), mu.logw))

    def _step(
        self,
        mu: Particles,
        points: Array,
        t: ArrayLike,
        dt: ArrayLike,
        key: PRNGKeyArray,
    ) -> Array:
        level = strength_at(self.level, t, mu.dtype)
        if level.shape not in ((), (mu.dim,)):
            raise ValueError(
                f"NoiseInjectionFlow: expected level to be one number or {mu.dim}, one "
                f"per coordinate, found shape {level.shape}."
            )
        shaken = points + level * jax.random.normal(key, points.shape, mu.dtype)
        flow = GradientFlow(self.energy, self.geometry)
        return points + dt * flow.velocity_at(mu, shaken, t)
