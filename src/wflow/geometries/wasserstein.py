"""Transport: the Wasserstein-2 geometry."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow import checks
from wflow.checks import to_real
from wflow.measures import Gaussian, Grid, Particles, UnsupportedMeasureError
from wflow.measures.base import Differential, State
from wflow.measures.grid import logarithmic_mean
from wflow.measures.phase import Law
from wflow.parameters.learnable import unwrap

from .base import AbstractGeometry


def per_mass(
    differential: Float[Array, "n d"], w: Float[Array, " n"]
) -> Float[Array, "n d"]:
    r"""Slopes of an energy by unit of mass, from slopes by particle.

    $\nabla(\delta F/\delta\mu)(x_i) = w_i^{-1}\,\partial F/\partial x_i$.

    Zero where the weight is zero or subnormal (padding), with finite derivatives; nan
    where it is nan.

    Raises:
        ValueError: not one weight for each row.
    """
    differential, w = to_real(differential, "differential"), to_real(w, "w")
    checks.shape("per_mass", "differential", differential, ("n", "d"))
    checks.shape("per_mass", "w", w, differential.shape[:1])
    light = w < jnp.finfo(w.dtype).tiny
    return jnp.where(light[:, None], 0, differential / jnp.where(light, 1, w)[:, None])


def _as_mobility(mobility: Any) -> Any:
    return (
        mobility
        if mobility is None or callable(mobility)
        else to_real(mobility, "mobility")
    )


class Wasserstein(AbstractGeometry[Law]):
    r"""Transport: mass moves down the slope of the energy, none is made or lost.

    $\partial_t\mu = \nabla\cdot(\mu M \nabla\frac{\delta F}{\delta\mu})$.

    ``mobility`` M is None (the identity), a scalar, ``(d,)`` (diagonal) or ``(d, d)``
    (symmetric), or on Particles a function of the point that returns one of these. On a
    Grid a scalar or ``(d,)``, fluxes with the logarithmic mean at faces.

    Reference: Otto, Comm. PDE 26 (2001), section 1.3; grid: Maas, J. Funct. Anal. 261
    (2011).

    Raises:
        ValueError: a mobility of another shape, one that is negative or not finite, or
            a matrix that is not symmetric and positive semidefinite; when evaluated,
            one that does not fit the points.
        TypeError: it is neither numbers nor a function.

    Examples:
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> bowl = wf.Potential(lambda x: x @ x / 2)
        >>> cloud = wf.Particles.from_samples([[1.0, 2.0]])
        >>> print(wf.GradientFlow(bowl, wf.Wasserstein()).velocity(cloud)[0])
        [[-1. -2.]]
        >>> along = wf.Wasserstein(mobility=jnp.array([1.0, 0.0]))
        >>> print(wf.GradientFlow(bowl, along).velocity(cloud)[0])
        [[-1. -0.]]
    """

    mobility: Float[Array, "..."] | Callable[[Array], Array] | None = eqx.field(
        converter=_as_mobility, default=None
    )

    def __check_init__(self) -> None:
        if self.mobility is None:
            return
        if callable(self.mobility):
            checks.function(self, "mobility", self.mobility, "x")
            return
        shape = jnp.shape(unwrap(self.mobility))
        if len(shape) > 2 or 0 in shape or (len(shape) == 2 and shape[0] != shape[1]):
            raise ValueError(
                "Wasserstein: expected mobility to be a number or of shape (d,) or "
                f"(d, d), found shape {shape}."
            )
        if len(shape) == 2:
            checks.covariance(self, "mobility", self.mobility, singular=True)
        else:
            checks.non_negative(self, "mobility", self.mobility)

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
        mobility = jnp.asarray(self.mobility, grid.dtype)
        if mobility.shape not in ((), (grid.dim,)):
            raise ValueError(
                "Wasserstein: expected mobility to be a number or of shape "
                f"({grid.dim},) on a Grid of {grid.dim} axes, found {mobility.shape}."
            )
        return jnp.broadcast_to(mobility, (grid.dim,))

    def velocity(self, mu: Law, differential: Differential) -> State:
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
        mu: Particles,
        differential: Differential,
        points: Float[Array, "m d"],
        covectors: Float[Array, "m d"],
    ) -> Float[Array, "m d"]:
        self.explicit(differential)
        return -self._apply(covectors, points)

    def dissipation(self, mu: Law, differential: Differential) -> Float[Array, ""]:
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
    d = covector.shape[0]
    if mobility.shape not in ((), (d,), (d, d)):
        raise ValueError(
            f"Wasserstein: expected mobility to be a number or of shape ({d},) or "
            f"({d}, {d}) for points of dimension {d}, found {mobility.shape}."
        )
    return mobility @ covector if mobility.ndim == 2 else mobility * covector
