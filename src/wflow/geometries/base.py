"""The contract of a geometry."""

import abc
from typing import Generic

import equinox as eqx
from jaxtyping import Array, Float

from wflow.measures import Particles, UnsupportedMeasureError
from wflow.measures.base import Differential, ImplicitEntropyError, Mu, State
from wflow.measures.particles import ParticlesDifferential


class AbstractGeometry(eqx.Module, Generic[Mu]):
    r"""An Onsager operator $K(\mu)$: symmetric, $\geq 0$, differential to motion.

    It acts on measures of type Mu.
    """

    @abc.abstractmethod
    def velocity(self, mu: Mu, differential: Differential) -> State:
        r"""$-K(\mu)\,dF$, shaped like ``mu.state``.

        Raises:
            UnsupportedMeasureError: the geometry does not act on this measure.
            ImplicitEntropyError: the differential holds an entropy without a density.
        """

    @abc.abstractmethod
    def dissipation(self, mu: Mu, differential: Differential) -> Float[Array, ""]:
        r"""$\langle dF, K(\mu)\,dF\rangle$, minus the energy's rate of change."""

    def velocity_at(
        self,
        mu: Particles,
        differential: Differential,
        points: Float[Array, "m d"],
        covectors: Float[Array, "m d"],
    ) -> Float[Array, "m d"]:
        r"""The velocity that points would have in the field of ``mu``.

        Args:
            mu: Particles, which make the field.
            differential: the energy's there.
            points: anywhere, ``(m, d)``.
            covectors: $\nabla(\delta F/\delta\mu)$ at the points, ``(m, d)``.

        Raises:
            UnsupportedMeasureError: the geometry moves only what makes the field.
        """
        del differential, points, covectors
        raise UnsupportedMeasureError(self, mu, "what makes the field, not on tracers")

    def explicit(self, differential: Differential) -> Differential:
        """The differential, refused if it holds an entropy without a density."""
        if (
            isinstance(differential, ParticlesDifferential)
            and differential.entropy is not None
        ):
            raise ImplicitEntropyError(self)
        return differential
