"""Transport: the Wasserstein-2 geometry."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from wflow.checks import to_real
from wflow.measures import (
    Gaussian,
    Grid,
    Particles,
    UnsupportedMeasureError,
    logarithmic_mean,
)

from .base import AbstractGeometry


def per_mass(
    differential: Float[Array, "n d"], w: Float[Array, " n"]
) -> Float[Array, "n d"]:
    r"""$\nabla(\delta F/\delta\mu)(x_i) = w_i^{-1}\,\partial F/\partial x_i$.

    Zero where the weight is zero or subnormal (padding), with finite derivatives.
    """
    heavy = w >= jnp.finfo(w.dtype).tiny
    return jnp.where(heavy[:, None], differential / jnp.where(heavy, w, 1)[:, None], 0)


def _as_mobility(mobility: Any) -> Any:
    return (
        mobility
        if mobility is None or callable(mobility)
        else to_real(mobility, "mobility")
    )


class Wasserstein(AbstractGeometry):
    r"""$\partial_t\mu = \nabla\cdot(\mu M \nabla\frac{\delta F}{\delta\mu})$.

    ``mobility`` M is None (the identity), a scalar, ``(d,)`` (diagonal) or ``(d, d)``
    (symmetric), or on Particles a function of the point that returns one of these. On a
    Grid a scalar or ``(d,)``, fluxes with the logarithmic mean at faces.

    Reference: Otto, Comm. PDE 26 (2001), section 1.3; grid: Maas, J. Funct. Anal. 261
    (2011).
    """

    mobility: Float[Array, "..."] | Callable[[Array], Array] | None = eqx.field(
        converter=_as_mobility, default=None
    )

    def _apply(self, covectors: Float[Array, "n d"], x: Array | None = None) -> Array:
        """M times each row."""
        mobility = self.mobility
        if mobility is None:
            return covectors
        if callable(mobility):
            if x is None:
                raise TypeError(
                    "Wasserstein: a mobility that is a function of the point acts on "
                    "Particles only."
                )
            return jax.vmap(lambda p, c: _times(mobility(p), c))(x, covectors)
        return jax.vmap(lambda c: _times(mobility, c))(covectors)

    def _axis_mobility(self, grid: Grid) -> Float[Array, " d"]:
        if self.mobility is None:
            return jnp.ones(grid.dim, grid.dtype)
        if callable(self.mobility) or jnp.ndim(self.mobility) > 1:
            raise TypeError(
                "Wasserstein: on a Grid the mobility is a scalar or one number per "
                "axis."
            )
        return jnp.broadcast_to(jnp.asarray(self.mobility, grid.dtype), (grid.dim,))

    def velocity(self, mu: Any, differential: Any) -> PyTree[Array]:
        match mu:
            case Particles():
                covectors = per_mass(self.explicit(differential).x, mu.w)
                return -self._apply(covectors, mu.x), jnp.zeros_like(mu.logw)
            case Grid():
                mobility = self._axis_mobility(mu)
                return sum(
                    mu.divergence(
                        mobility[axis]
                        * logarithmic_mean(*mu.face_values(mu.density, axis))
                        * mu.face_gradient(differential, axis),
                        axis,
                    )
                    for axis in range(mu.dim)
                )
            case Gaussian():
                # x' = -M (g + 2 G (x - m)), so S' = -2 (M G S + S G M).
                half = self._apply(differential.cov).T @ mu.cov
                return -self._apply(differential.mean[None])[0], -2 * (half + half.T)
        raise UnsupportedMeasureError(self, mu, "Particles, Grid and Gaussian")

    def velocity_at(
        self,
        mu: Any,
        differential: Any,
        points: Float[Array, "m d"],
        covectors: Float[Array, "m d"],
    ) -> Float[Array, "m d"]:
        self.explicit(differential)
        return -self._apply(covectors, points)

    def dissipation(self, mu: Any, differential: Any) -> Float[Array, ""]:
        match mu:
            case Particles():
                covectors = per_mass(self.explicit(differential).x, mu.w)
                return mu.w @ jnp.sum(covectors * self._apply(covectors, mu.x), axis=1)
            case Grid():
                mobility = self._axis_mobility(mu)
                faces = [
                    mobility[axis]
                    * jnp.sum(
                        logarithmic_mean(*mu.face_values(mu.density, axis))
                        * mu.face_gradient(differential, axis) ** 2
                    )
                    for axis in range(mu.dim)
                ]
                return mu.cell_volume * sum(faces)
            case Gaussian():
                mean, cov = differential
                moved = self._apply(cov).T @ mu.cov
                return mean @ self._apply(mean[None])[0] + 4 * jnp.sum(cov * moved)
        raise UnsupportedMeasureError(self, mu, "Particles, Grid and Gaussian")


def _times(mobility: Array, covector: Float[Array, " d"]) -> Float[Array, " d"]:
    mobility = jnp.asarray(mobility, covector.dtype)
    return mobility @ covector if mobility.ndim == 2 else mobility * covector
