"""One kernel at several lengths at once."""

import functools
import operator

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow import checks
from wflow.checks import real_field
from wflow.parameters.learnable import unwrap

from .base import AbstractRadialKernel


class ScaleMixture(AbstractRadialKernel):
    r"""A sum of one kernel at several widths.

    $k(x, y) = \sum_s w_s\,\varphi(|z|^2 / s^2)$, with z and $\varphi$ of a kernel.

    Short scales resolve, long ones reach: the forces of a Gaussian alone vanish three
    bandwidths away. Squared discrepancies add up, $\sum_s w_s\,\mathrm{MMD}_s^2$.

    Attributes:
        kernel: whose bandwidth the scales multiply.
        scales: s, ``(S,)``, above 0.
        weights: w, ``(S,)``, not negative; None is 1/S each.

    Raises:
        TypeError: the kernel is not radial.
        ValueError: other shapes or signs, no scale, or weights that are all zero.

    Reference: Gretton, Sejdinovic, Strathmann et al., NeurIPS 2012 (discrepancies by
    combinations of kernels).
    """

    kernel: AbstractRadialKernel
    scales: Float[Array, " S"] = eqx.field(
        converter=real_field("scales"), default=(0.5, 1.0, 2.0)
    )
    weights: Float[Array, " S"] | None = eqx.field(
        converter=real_field("weights", optional=True), default=None
    )

    def __check_init__(self) -> None:
        checks.instance(
            self, "kernel", self.kernel, AbstractRadialKernel, "a radial kernel"
        )
        scales, weights = unwrap((self.scales, self.weights))
        shape = jnp.shape(scales)
        if len(shape) != 1 or shape[0] == 0:
            raise ValueError(
                "ScaleMixture: expected scales of shape (S,) with S >= 1, found "
                f"{shape}."
            )
        if weights is not None and jnp.shape(weights) != shape:
            raise ValueError(
                f"ScaleMixture: expected weights of shape {shape}, found "
                f"{jnp.shape(weights)}."
            )
        checks.positive(self, "scales", scales)
        if weights is not None:
            checks.weights(self, "weights", weights)

    @property
    def bandwidth(self) -> Array:
        return self.kernel.bandwidth

    def profile(self, r2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        scales = jnp.asarray(self.scales, r2.dtype)
        even = jnp.full_like(scales, 1 / len(scales))
        weights = even if self.weights is None else jnp.asarray(self.weights, r2.dtype)
        pairs = zip(scales, weights, strict=True)
        profiles = [w * self.kernel.profile(r2 / s**2) for s, w in pairs]
        return functools.reduce(operator.add, profiles)
