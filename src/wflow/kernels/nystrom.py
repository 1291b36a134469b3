"""Nystrom's approximation of a kernel: sums over pairs by way of landmarks."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field

from .approximate import AbstractPairSum, refuse_torus, weighted_points
from .base import AbstractKernel
from .sums import gram


class Nystrom(AbstractPairSum):
    r"""A kernel seen from some landmarks, so that n points cost n and not n squared.

    $\hat k(x, y) = k(x, Z)\,k(Z, Z)^{-1}\,k(Z, y)$ with m landmarks Z: exact at them,
    below k on the diagonal, good where points are near landmarks. As the ``pair`` of an
    ``Interaction`` it costs $n m^2 + m^3$. ``error`` is a bound, not an estimate: it
    grows as points leave the landmarks, whatever the kernel.

    Args:
        kernel: a positive definite one.
        landmarks: Z, ``(m, d)``; some of the points, as a rule.

    Raises:
        TypeError: no kernel.
        ValueError: landmarks that are not ``(m, d)``, and a kernel that is not positive
            definite there.

    Examples:
        >>> import jax
        >>> import wflow as wf
        >>> from wflow.kernels import GaussianKernel, Nystrom
        >>> x = jax.random.normal(jax.random.key(0), (1000, 2))
        >>> cloud, kernel = wf.Particles.from_samples(x), GaussianKernel(2.0)
        >>> exact = wf.Interaction(kernel).value(cloud)
        >>> seen = wf.Interaction(Nystrom(kernel, x[:50])).value(cloud)
        >>> print(abs(seen - exact) < 1e-3)
        True

    Reference: Williams, Seeger, NeurIPS 2000.
    """

    kernel: AbstractKernel
    landmarks: Float[Array, "m d"] = eqx.field(converter=real_field("landmarks"))

    def __check_init__(self) -> None:
        checks.instance(self, "kernel", self.kernel, AbstractKernel, "a kernel")
        if jnp.ndim(self.landmarks) != 2 or 0 in jnp.shape(self.landmarks):
            raise ValueError(
                "Nystrom: expected landmarks (m, d), found shape "
                f"{jnp.shape(self.landmarks)}."
            )
        checks.finite(self, "landmarks", self.landmarks)
        factor = checks.known(self._factor())
        if factor is not None and not np.isfinite(factor).all():
            raise ValueError(
                "Nystrom: expected a kernel that is positive definite at the landmarks,"
                f" found {type(self.kernel).__name__}, which is not."
            )

    def __call__(
        self, x: Float[Array, " d"], y: Float[Array, " d"]
    ) -> Float[Array, ""]:
        """The kernel at two points, as the landmarks have it."""
        x, y = checks.to_real(x, "x"), checks.to_real(y, "y")
        one, other = self._features(jnp.stack([x, y]))
        return one @ other

    def double_sum(
        self,
        x: Float[Array, "n d"],
        w: Float[Array, " n"],
        period: Float[ArrayLike, "..."] | None = None,
    ) -> Float[Array, ""]:
        refuse_torus(self, period)
        x, w = weighted_points(self, x, w)
        return jnp.sum((w @ self._features(x)) ** 2)

    def diagonal(self, x: Float[Array, "n d"]) -> Float[Array, " n"]:
        return jnp.sum(self._features(x) ** 2, axis=1)

    def error(self, x: Float[Array, "n d"], w: Float[Array, " n"]) -> Float[Array, ""]:
        r"""What the sum over all pairs $\sum_{ij} w_i w_j k(x_i, x_j)$ lacks, at most.

        $\bigl(\sum_i |w_i| \sqrt{k(x_i, x_i) - \hat k(x_i, x_i)}\bigr)^2$, since what
        is missing is a kernel itself.

        Args:
            x: points, ``(n, d)``.
            w: their weights, ``(n,)``.

        Raises:
            ValueError: they do not fit each other or the landmarks.
        """
        x, w = weighted_points(self, x, w)
        itself = jax.vmap(lambda at: self.kernel(at, at))(x)
        lacks = jnp.maximum(itself - self.diagonal(x), 0)
        return jnp.sum(jnp.abs(w) * jnp.sqrt(lacks)) ** 2

    def _factor(self) -> Float[Array, "m m"]:
        """The Cholesky factor of the landmarks' matrix, lifted by its rounding."""
        among = gram(self.kernel, self.landmarks)
        m = len(among)
        rounding = 4 * m * jnp.finfo(among.dtype).eps * jnp.max(jnp.diagonal(among))
        return jnp.linalg.cholesky(among + rounding * jnp.eye(m, dtype=among.dtype))

    def _features(self, x: Float[Array, "n d"]) -> Float[Array, "n m"]:
        if x.shape[-1] != self.landmarks.shape[1]:
            raise ValueError(
                f"Nystrom: expected points of dimension {self.landmarks.shape[1]}, "
                f"that of the landmarks, found {x.shape[-1]}."
            )
        seen = gram(self.kernel, jnp.asarray(self.landmarks, x.dtype), x)
        factor = jnp.asarray(self._factor(), x.dtype)
        return jax.scipy.linalg.solve_triangular(factor, seen, lower=True).T
