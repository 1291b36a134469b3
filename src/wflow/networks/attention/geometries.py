"""Geometries in which the risk's flow is Oja's, or has the spectrum divided out."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import one_of, real_field
from wflow.geometries import Riemannian

from .covariance import checked_covariance, multiply


class CovarianceMetric(eqx.Module):
    r"""The constant metric $G = 2\Sigma^p$ on ``(d,)`` or ``(d, k)``, matrix-free.

    Attributes:
        covariance: Sigma as a matrix or as eigenvalues.
        power: p, 1 or 2.

    Raises:
        ValueError: the covariance is none, or another power.
    """

    covariance: Float[Array, "d ..."] = eqx.field(converter=real_field("covariance"))
    power: Literal[1, 2] = eqx.field(static=True)

    def __check_init__(self) -> None:
        checked_covariance(self.covariance, "CovarianceMetric")
        one_of(self, "power", self.power, (1, 2))

    def __call__(self, value: Float[Array, "d ..."]) -> lx.AbstractLinearOperator:
        def product(vector: Array) -> Array:
            for _ in range(self.power):
                vector = multiply(self.covariance, vector)
            return 2 * vector

        structure = jax.ShapeDtypeStruct(jnp.shape(value), value.dtype)
        return lx.FunctionLinearOperator(
            product, structure, lx.positive_semidefinite_tag
        )


def oja(covariance: Float[ArrayLike, "d ..."]) -> Riemannian:
    r"""The geometry in which training a head is Oja's rule for principal components.

    $\dot\mu = -\frac12\Sigma^{-1}\nabla R$: for $w = \Sigma^{1/2}\mu$ and infinite
    prompts $\dot w = (2 - |w|^2)\Sigma w - (w^\top\Sigma w)w$, Oja's at $|w| = 1$.
    Directions are lost at the rates $\lambda_1 - \lambda_i$. Where Sigma is singular,
    what mu has in its kernel stays.

    Raises:
        ValueError: the covariance is none.

    Reference: Oja, J. Math. Biology 15 (1982), equation (9); Xu, Neural Networks 6
    (1993).
    """
    return Riemannian(CovarianceMetric(checked_covariance(covariance, "oja"), 1))


def whitened(covariance: Float[ArrayLike, "d ..."]) -> Riemannian:
    r"""The geometry in which small eigenvalues slow the training of a head no more.

    $\dot\mu = -\frac12\Sigma^{-2}\nabla R$: for $w = \Sigma^{1/2}\mu$ and infinite
    prompts $\dot w = (2 - |w|^2)w - \Sigma^{-1}(w^\top\Sigma w)w$. Directions are lost
    at the rates $\lambda_1/\lambda_i - 1$: fast, but stiff.

    Raises:
        ValueError: the covariance is none.
    """
    return Riemannian(CovarianceMetric(checked_covariance(covariance, "whitened"), 2))
