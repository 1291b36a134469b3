"""What a kernel is."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float


class AbstractKernel(eqx.Module):
    r"""$k(x, y) = \varphi(|z|^2)$ with $z = (x - y) / h$: radial in scaled coordinates.

    ``bandwidth`` h is a length, scalar or one per coordinate ``(d,)``. A kernel is
    nothing but its ``profile``, whose derivatives must be finite at 0.
    """

    bandwidth: eqx.AbstractVar[Float[Array, ""] | Float[Array, " d"]]

    @abc.abstractmethod
    def profile(self, r2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        r"""$\varphi$ at squared scaled distances, elementwise."""

    def __call__(
        self, x: Float[Array, " d"], y: Float[Array, " d"]
    ) -> Float[Array, ""]:
        """The kernel at two points."""
        h = jnp.asarray(self.bandwidth, x.dtype)
        return self.profile(jnp.sum(((x - y) / h) ** 2))
