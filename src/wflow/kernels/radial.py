"""The radial kernels; their ``bandwidth`` h is that of ``AbstractKernel``."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow.measures import inexact

from .base import AbstractKernel


def _root(r2: Array) -> Array:
    """$r$, with derivative zero (the symmetric subgradient of r in space) at 0."""
    apart = r2 > 0
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, r2, 1)), 0)


def _exp_root(r2: Array) -> Array:
    return jnp.exp(-_root(r2))


# Each profile's derivative is a multiple of the one before. Written so, derivatives at
# 0 are the true ones, which automatic differentiation through the root would miss.
@jax.custom_jvp
def _matern32(r2: Array) -> Array:
    r = _root(r2)
    return (1 + r) * jnp.exp(-r)


@_matern32.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (r2,), (dr2,) = primals, tangents
    return _matern32(r2), -_exp_root(r2) * dr2 / 2


@jax.custom_jvp
def _matern52(r2: Array) -> Array:
    r = _root(r2)
    return (1 + r + r2 / 3) * jnp.exp(-r)


@_matern52.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (r2,), (dr2,) = primals, tangents
    return _matern52(r2), -_matern32(r2) * dr2 / 6


class Gaussian(AbstractKernel):
    r"""$k = \exp(-r^2 / (2 h^2))$; ``bandwidth`` h."""

    bandwidth: Float[Array, "..."] = eqx.field(converter=inexact)

    def profile(self, r2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.exp(-r2 / 2)


class InverseMultiquadric(AbstractKernel):
    r"""$k = (1 + r^2 / h^2)^{-s}$; ``bandwidth`` h, ``exponent`` s.

    Reference: Gorham, Mackey, ICML 2017, theorem 8 (0 < s < 1 controls convergence of
    the kernel Stein discrepancy).
    """

    bandwidth: Float[Array, "..."] = eqx.field(converter=inexact)
    exponent: Float[Array, ""] = eqx.field(converter=inexact, default=0.5)

    def profile(self, r2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return (1 + r2) ** -jnp.asarray(self.exponent, r2.dtype)


class Laplace(AbstractKernel):
    r"""$k = e^{-r / h}$; ``bandwidth`` h.

    Not differentiable at r = 0, where its gradient is taken as zero.
    """

    bandwidth: Float[Array, "..."] = eqx.field(converter=inexact)

    def profile(self, r2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return _exp_root(r2)


class Matern32(AbstractKernel):
    r"""$k = (1 + \sqrt3 r/h)\,e^{-\sqrt3 r/h}$; ``bandwidth`` h.

    Reference: Rasmussen, Williams, Gaussian Processes (2006), equation (4.17).
    """

    bandwidth: Float[Array, "..."] = eqx.field(converter=inexact)

    def profile(self, r2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return _matern32(3 * r2)


class Matern52(AbstractKernel):
    r"""$k = (1 + \sqrt5 r/h + 5r^2/(3h^2))\,e^{-\sqrt5 r/h}$; ``bandwidth`` h as above.

    Reference: Rasmussen, Williams, Gaussian Processes (2006), equation (4.17).
    """

    bandwidth: Float[Array, "..."] = eqx.field(converter=inexact)

    def profile(self, r2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return _matern52(5 * r2)


class EnergyDistance(AbstractKernel):
    r"""$k = -r / h$: the kernel of the energy distance; ``bandwidth`` h is one.

    Only conditionally positive definite: $\sum_{ij} b_i b_j k(x_i, x_j) \ge 0$ when the
    coefficients sum to zero, as for the difference of two measures of equal mass: their
    squared discrepancy is the energy distance $2E|X-Y| - E|X-X'| - E|Y-Y'|$ over h.

    Reference: Sejdinovic, Sriperumbudur, Gretton, Fukumizu, Annals of Statistics 41
    (2013), section 3.
    """

    bandwidth: Float[Array, "..."] = eqx.field(converter=inexact, default=1.0)

    def profile(self, r2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -_root(r2)
