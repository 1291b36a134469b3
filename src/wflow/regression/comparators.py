"""Spectral filters that no renewal law has, to compare with."""

from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field


class EarlyStopping(eqx.Module):
    r"""Early stopping as a shrinkage, to compare laws of resets with.

    $h(\mu) = 1 - e^{-\mu t}$: the gradient flow from the origin, stopped at t. Its age
    is always t. A stationary age has a nonincreasing density, so this is the filter of
    no renewal law; the nearest is ``Deterministic``.

    Attributes:
        time: t.

    Raises:
        ValueError: a time that is not positive.

    Reference: Ali, Kolter, Tibshirani, AISTATS 2019 (arXiv:1810.10082), who bound its
    risk by that of ridge at the penalty 1 / t.
    """

    time: Float[Array, ""] = eqx.field(converter=real_field("time"))

    def __check_init__(self) -> None:
        checks.shape(self, "time", self.time, ())
        checks.positive(self, "time", self.time)

    def filter(self, mu: ArrayLike) -> Array:
        return -jnp.expm1(-checks.to_real(mu, "mu") * self.time)

    def filter_ratio(self, mu: ArrayLike) -> Array:
        mu = checks.to_real(mu, "mu")
        positive = mu > 0
        safe = jnp.where(positive, mu, 1.0)
        return jnp.where(positive, self.filter(safe) / safe, self.time)

    def age_laplace(self, s: ArrayLike) -> Array:
        return jnp.exp(-checks.to_real(s, "s") * self.time)

    def with_mean(self, mean: ArrayLike) -> Self:
        return type(self)(mean)


def principal_components(
    curvature: Float[Array, " p"], count: ArrayLike
) -> Float[Array, " p"]:
    """Shrinkage that keeps the ``count`` largest curvatures and drops the others.

    Raises:
        ValueError: curvatures that are not (p,), negative or not finite, or a count
            that is negative.
        TypeError: a count that is not whole.
    """
    owner = "principal_components"
    curvature = checks.to_real(curvature, "curvature")
    checks.shape(owner, "curvature", curvature, ("p",))
    checks.non_negative(owner, "curvature", curvature)
    found = checks.known(count)
    checks.shape(owner, "count", count, ())
    if found is not None or not isinstance(count, jax.Array):
        checks.count(owner, "count", count if found is None else found.item(), 0)
    rank = jnp.argsort(jnp.argsort(-curvature))
    return jnp.where((rank < count) & (curvature > 0), 1.0, 0.0)
