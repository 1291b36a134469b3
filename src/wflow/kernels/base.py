"""What a kernel is."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float


class AbstractKernel(eqx.Module):
    r"""$k(x, y) = \varphi(|z_1|^2, \ldots, |z_B|^2)$, a function of squared distances,
    one for each block of coordinates.

    A kernel is nothing but its ``blocks``, which are linear in the points, and its
    ``profile``, whose derivatives must be finite at 0.
    """

    @abc.abstractmethod
    def profile(self, *r2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        r"""$\varphi$ at squared scaled distances, one array per block, elementwise."""

    @abc.abstractmethod
    def blocks(self, x: Float[Array, "*n d"]) -> tuple[Float[Array, "*n b"], ...]:
        """Points (or differences of points) in the kernel's coordinates, by blocks."""

    @abc.abstractmethod
    def unblock(self, gradients: tuple[Float[Array, "*n b"], ...]) -> Array:
        """Gradients in the kernel's coordinates to one in space: adjoint of blocks."""

    def __call__(
        self, x: Float[Array, " d"], y: Float[Array, " d"]
    ) -> Float[Array, ""]:
        """The kernel at two points."""
        return self.profile(*(jnp.sum(z**2) for z in self.blocks(x - y)))


class AbstractRadialKernel(AbstractKernel):
    r"""$k(x, y) = \varphi(|z|^2)$ with $z = (x - y) / h$: radial in scaled coordinates.

    ``bandwidth`` h is a length, scalar or one per coordinate ``(d,)`` (infinity takes a
    coordinate out); or an invertible matrix ``(d, d)`` with $z = h^{-1}(x - y)$, such
    as the Cholesky factor of a covariance.
    """

    bandwidth: eqx.AbstractVar[
        Float[Array, ""] | Float[Array, " d"] | Float[Array, "d d"]
    ]

    @abc.abstractmethod
    def profile(self, r2: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        r"""$\varphi$ at squared scaled distances, elementwise."""

    def blocks(self, x: Float[Array, "*n d"]) -> tuple[Float[Array, "*n d"]]:
        return (self.whiten(x),)

    def unblock(self, gradients: tuple[Float[Array, "*n d"]]) -> Array:
        return self.whiten(gradients[0], adjoint=True)

    def whiten(
        self, x: Float[Array, "*n d"], *, adjoint: bool = False
    ) -> Float[Array, "*n d"]:
        r"""$h^{-1}x$ of every row: into the kernel's coordinates.

        With ``adjoint=True`` $h^{-\top}x$: gradients in the kernel's coordinates to
        gradients in space.
        """
        h = jnp.asarray(self.bandwidth, x.dtype)
        if h.ndim < 2:
            return x / h
        return jnp.linalg.solve(h.T if adjoint else h, x.T).T

    def colour(
        self, z: Float[Array, "*n d"], *, adjoint: bool = False
    ) -> Float[Array, "*n d"]:
        r"""$h z$ of every row, with ``adjoint=True`` $h^\top z$: undoes ``whiten``."""
        h = jnp.asarray(self.bandwidth, z.dtype)
        if h.ndim < 2:
            return z * h
        return z @ (h if adjoint else h.T)

    def log_volume(self, dim: int) -> Float[Array, ""]:
        r"""$\log|\det h|$ in ``dim`` dimensions."""
        h = jnp.asarray(self.bandwidth)
        if h.ndim < 2:
            return jnp.sum(jnp.log(jnp.broadcast_to(h, (dim,))))
        return jnp.linalg.slogdet(h)[1]
