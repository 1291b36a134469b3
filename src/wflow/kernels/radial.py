"""The radial kernels; ``bandwidth`` h is that of ``AbstractRadialKernel``."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field, to_real
from wflow.parameters.learnable import unwrap

from .base import AbstractRadialKernel


def _root(r2: Array) -> Array:
    """The distance of its square.

    $r$, with derivative zero (the symmetric subgradient of r in space) at 0.
    """
    # Not r2 > 0, which would make nan a distance of zero.
    together = r2 <= 0
    return jnp.where(together, 0, jnp.sqrt(jnp.where(together, 1, r2)))


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


class GaussianKernel(AbstractRadialKernel):
    r"""The bell curve of the distance.

    $k = \exp(-r^2 / (2 h^2))$; ``bandwidth`` h.
    """

    bandwidth: Float[Array, "..."] = eqx.field(converter=real_field("bandwidth"))

    def profile(self, r2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.exp(-r2 / 2)


def _exponent(value: ArrayLike) -> Any:
    """Python's numbers stay what they are: known when the program is compiled."""
    if isinstance(value, int | float):
        return float(value)
    return to_real(value, "exponent")


class InverseMultiquadric(AbstractRadialKernel):
    """A bell with heavy tails, so that far points still feel each other.

    $k = (1 + r^2 / h^2)^{-s}$; ``bandwidth`` h, ``exponent`` s.

    An exponent that is to be differentiated or swept is given as an array; the number
    1/2 is a root, much faster than a power.

    Raises:
        ValueError: a bandwidth as for every radial kernel, or an exponent that is not
            one finite number above zero.

    Reference: Gorham, Mackey, ICML 2017, theorem 8 (0 < s < 1 controls convergence of
    the kernel Stein discrepancy).
    """

    bandwidth: Float[Array, "..."] = eqx.field(converter=real_field("bandwidth"))
    exponent: Float[Array, ""] | float = eqx.field(converter=_exponent, default=0.5)

    def __check_init__(self) -> None:
        checks.shape(self, "exponent", unwrap(self.exponent), ())
        checks.positive(self, "exponent", self.exponent)

    def profile(self, r2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        if isinstance(self.exponent, float) and self.exponent == 0.5:
            return jax.lax.rsqrt(1 + r2)
        # Not as a power, which compiled code takes element by element.
        return jnp.exp(-jnp.asarray(self.exponent, r2.dtype) * jnp.log(1 + r2))


class LaplaceKernel(AbstractRadialKernel):
    """An exponential of the distance, with a kink where points meet.

    $k = e^{-r / h}$; ``bandwidth`` h.

    Not differentiable at r = 0, where its gradient is taken as zero.
    """

    bandwidth: Float[Array, "..."] = eqx.field(converter=real_field("bandwidth"))

    def profile(self, r2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return _exp_root(r2)


class Matern32(AbstractRadialKernel):
    r"""A kernel whose functions have one derivative: between Laplace and Gaussian.

    $k = (1 + \sqrt3 r/h)\,e^{-\sqrt3 r/h}$; ``bandwidth`` h.

    Reference: Rasmussen, Williams, Gaussian Processes (2006), equation (4.17).
    """

    bandwidth: Float[Array, "..."] = eqx.field(converter=real_field("bandwidth"))

    def profile(self, r2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return _matern32(3 * r2)


class Matern52(AbstractRadialKernel):
    r"""A kernel whose functions have two derivatives.

    $k = (1 + \sqrt5 r/h + 5r^2/(3h^2))\,e^{-\sqrt5 r/h}$; ``bandwidth`` h.

    Reference: Rasmussen, Williams, Gaussian Processes (2006), equation (4.17).
    """

    bandwidth: Float[Array, "..."] = eqx.field(converter=real_field("bandwidth"))

    def profile(self, r2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return _matern52(5 * r2)


class EnergyDistance(AbstractRadialKernel):
    r"""Minus the distance: the kernel of the energy distance.

    $k = -r / h$; ``bandwidth`` h is one.

    Only conditionally positive definite: $\sum_{ij} b_i b_j k(x_i, x_j) \ge 0$ when the
    coefficients sum to zero, as for the difference of two measures of equal mass: their
    squared discrepancy is the energy distance $2E|X-Y| - E|X-X'| - E|Y-Y'|$ over h.

    Reference: Sejdinovic, Sriperumbudur, Gretton, Fukumizu, Annals of Statistics 41
    (2013), section 3.
    """

    bandwidth: Float[Array, "..."] = eqx.field(
        converter=real_field("bandwidth"), default=1.0
    )

    def profile(self, r2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -_root(r2)


class Kronecker(AbstractRadialKernel):
    """One where points agree, else zero: for coordinates with isolated values.

    Values are told apart where they differ by the ``bandwidth`` h or more; points are
    the same within half of it. Its derivative is zero.
    """

    bandwidth: Float[Array, "..."] = eqx.field(
        converter=real_field("bandwidth"), default=1.0
    )

    def profile(self, r2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.where(jnp.isnan(r2), r2, (r2 < 0.25).astype(r2.dtype))
