"""What a kernel is."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from wflow import checks
from wflow.parameters.learnable import unwrap


class AbstractKernel(eqx.Module):
    r"""A similarity of two points, made of their squared distances.

    $k(x, y) = \varphi(|z_1|^2, \ldots, |z_B|^2)$, one distance for each block of
    coordinates.

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
        """The kernel at two points.

        Raises:
            ValueError: they are not two points of one dimension.
        """
        x, y = checks.to_real(x, "x"), checks.to_real(y, "y")
        if x.ndim != 1 or x.shape != y.shape:
            raise ValueError(
                f"{type(self).__name__}: expected points x and y of one shape (d,), "
                f"found {x.shape} and {y.shape}."
            )
        return self.profile(*(jnp.sum(z**2) for z in self.blocks(x - y)))


class AbstractRadialKernel(AbstractKernel):
    r"""A kernel that feels the scaled distance of two points alone.

    $k(x, y) = \varphi(|z|^2)$ with $z = (x - y) / h$.

    ``bandwidth`` h is a length, scalar or one per coordinate ``(d,)`` (infinity takes a
    coordinate out); or an invertible matrix ``(d, d)`` with $z = h^{-1}(x - y)$, such
    as the Cholesky factor of a covariance.

    Raises:
        ValueError: a bandwidth of another shape, with an entry that is nan or not above
            zero, or a matrix that is not invertible.
    """

    bandwidth: eqx.AbstractVar[
        Float[Array, ""] | Float[Array, " d"] | Float[Array, "d d"]
    ]

    def __check_init__(self) -> None:
        check_bandwidth(self, self.bandwidth, infinite=True)

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
        h = self._fitting(x)
        if h.ndim < 2:
            return x / h
        return jnp.linalg.solve(h.T if adjoint else h, x.T).T

    def color(
        self, z: Float[Array, "*n d"], *, adjoint: bool = False
    ) -> Float[Array, "*n d"]:
        r"""$h z$ of every row, with ``adjoint=True`` $h^\top z$: undoes ``whiten``."""
        h = self._fitting(z)
        if h.ndim < 2:
            return z * h
        return z @ (h if adjoint else h.T)

    def _fitting(self, x: Float[Array, "*n d"]) -> Array:
        """The bandwidth in the precision of points, whose dimension it must have."""
        return self._in_dimension(jnp.asarray(self.bandwidth, x.dtype), x.shape[-1])

    def _in_dimension(self, h: Array, d: int) -> Array:
        if h.ndim and h.shape[-1] != d:
            raise ValueError(
                f"{type(self).__name__}: expected bandwidth to be a number or of shape "
                f"({d},) or ({d}, {d}) for points of dimension {d}, found {h.shape}."
            )
        return h

    def log_volume(self, dim: int) -> Float[Array, ""]:
        r"""$\log|\det h|$ in ``dim`` dimensions."""
        h = self._in_dimension(jnp.asarray(self.bandwidth), dim)
        if h.ndim < 2:
            return jnp.sum(jnp.log(jnp.broadcast_to(h, (dim,))))
        return jnp.linalg.slogdet(h)[1]


def check_bandwidth(owner: Any, bandwidth: Any, *, infinite: bool = False) -> None:
    """Refuse what is no length, no lengths ``(d,)`` and no invertible ``(d, d)``.

    Raises:
        ValueError: it is not, or an entry is nan, or infinite unless ``infinite``.
    """
    name = type(owner).__name__
    shape = jnp.shape(unwrap(bandwidth))
    if len(shape) > 2 or 0 in shape or (len(shape) == 2 and shape[0] != shape[1]):
        raise ValueError(
            f"{name}: expected bandwidth to be a number or of shape (d,) or (d, d), "
            f"found shape {shape}."
        )
    if len(shape) < 2:
        checks.positive(owner, "bandwidth", bandwidth, infinite=infinite)
        return
    checks.finite(owner, "bandwidth", bandwidth)
    matrix = checks.known(bandwidth)
    if matrix is not None and not _invertible(matrix):
        raise ValueError(
            f"{name}: expected bandwidth to be an invertible matrix, found one that is "
            "singular."
        )


def _invertible(matrix: np.ndarray) -> bool:
    """Whether a matrix is, with rows and columns brought to one length."""
    matrix = matrix.astype(np.float64)
    for axis in (0, 1):
        length = np.linalg.norm(matrix, axis=axis, keepdims=True)
        if not (length > 0).all():
            return False
        matrix = matrix / length
    least = np.linalg.svd(matrix, compute_uv=False)[-1]
    return bool(least > len(matrix) * np.finfo(np.float64).eps)
