"""The geometry of an effective matrix whose scale vector moves along."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import finite, positive, real_field, shape, to_real
from wflow.geometries import AbstractGeometry
from wflow.measures import Point, UnsupportedMeasureError


class ScaleVector(AbstractGeometry):
    r"""The geometry that a scale vector gives to the matrix which it multiplies.

    $\dot M_j = -P_j\,\nabla_{M_j}\ell$, $P_j = g_j^2 I + \rho W_j W_j^T$: what
    Euclidean motion of W and g (the latter at $\rho$ times the rate) is for the
    effective matrix $M = W D_g$ alone, since $c_j = \rho\lVert W_j\rVert^2 - g_j^2$
    does not change: with $k_j = \sqrt{c_j^2 + 4\rho\lVert M_j\rVert^2}$ the
    preconditioner has the eigenvalue $k_j$ along $M_j$ and $g_j^2 = (k_j - c_j)/2$
    across. Acts on a ``Point`` whose value is M, ``(m, d)``. A column that is zero has
    lost the direction of $W_j$ where $c_j > 0$: the flow is undefined there, and
    ``sharp`` is not a number.

    Attributes:
        c: the imbalance, a scalar or ``(d,)``.
        rho: the learning rate of g over that of W.

    Raises:
        ValueError: c is missing or not finite, or rho is not positive.

    The setting is that of arXiv:2605.26895.
    """

    c: Float[Array, "*d"] = eqx.field(converter=real_field("c"))
    rho: Float[Array, ""] = eqx.field(converter=real_field("rho"))

    def __init__(self, c: ArrayLike | None = None, rho: ArrayLike = 1.0):
        """Take the imbalance at the start, as ``imbalance`` of a layer gives it."""
        if c is None:
            raise ValueError(
                "ScaleVector: expected c, the imbalance |W_j|^2 - g_j^2 at the start: "
                "the effective matrix alone does not tell how it is divided."
            )
        self.c, self.rho = to_real(c, "c"), to_real(rho, "rho")
        if self.c.ndim > 1 or not self.c.size:
            raise ValueError(
                "ScaleVector: expected c to be a number or of shape (d,), found shape "
                f"{self.c.shape}."
            )
        finite(self, "c", self.c)
        shape(self, "rho", self.rho, ())
        positive(self, "rho", self.rho)

    def eigenvalues(
        self, matrix: Float[Array, "m d"]
    ) -> tuple[Float[Array, " d"], Float[Array, " d"]]:
        """Speeds along and across the column $M_j$: $k_j$ and $g_j^2$."""
        square = self.c**2 + 4 * self.rho * jnp.sum(matrix**2, axis=0)
        # The root has no slope where the channel is dead, and is not differentiated.
        along = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
        # By the form that does not cancel: both have the product rho |M|^2.
        larger = (along + jnp.where(self.c > 0, self.c, -self.c)) / 2
        safe = jnp.where(larger > 0, larger, 1)
        smaller = self.rho * jnp.sum(matrix**2, axis=0) / safe
        return along, jnp.where(self.c > 0, smaller, larger)

    def sharp(
        self, matrix: Float[Array, "m d"], covector: Float[Array, "m d"]
    ) -> Float[Array, "m d"]:
        """P(M) times a covector, column by column."""
        along, across = self.eigenvalues(matrix)
        return across * covector + self._outer(matrix, covector, along, across)

    def flat(
        self, matrix: Float[Array, "m d"], vector: Float[Array, "m d"]
    ) -> Float[Array, "m d"]:
        """The inverse of P(M) times a vector, by Sherman and Morrison."""
        along, across = self.eigenvalues(matrix)
        turned = self._outer(matrix, vector, along, across)
        return (vector - turned / along) / across

    def velocity(self, mu: Any, differential: Any) -> Float[Array, "m d"]:
        return -self.sharp(self._matrix(mu), differential)

    def dissipation(self, mu: Any, differential: Any) -> Float[Array, ""]:
        return jnp.sum(differential * self.sharp(self._matrix(mu), differential))

    def _matrix(self, mu: Any) -> Float[Array, "m d"]:
        value: Any = mu.value if isinstance(mu, Point) else None
        if not eqx.is_array(value) or value.ndim != 2:
            raise UnsupportedMeasureError(self, mu, "a Point whose value is (m, d)")
        if self.c.ndim and self.c.shape != value.shape[1:]:
            raise ValueError(
                f"ScaleVector: expected c to be a scalar or of shape "
                f"{value.shape[1:]}, found {self.c.shape}."
            )
        return value

    def _outer(
        self,
        matrix: Float[Array, "m d"],
        other: Float[Array, "m d"],
        along: Float[Array, " d"],
        across: Float[Array, " d"],
    ) -> Float[Array, "m d"]:
        r"""The product $\rho W_j W_j^T$ times a column."""
        inner = jnp.sum(matrix * other, axis=0)
        norm = jnp.sum(matrix**2, axis=0)
        # Where c > 0 through the unit vector, which has no limit at zero; elsewhere by
        # g^2 > 0, but for the dead channel c = 0, M = 0 that does not move.
        dead = (norm == 0) & (self.c == 0)
        below = jnp.where(self.c > 0, norm, jnp.where(dead, 1, across))
        factor = jnp.where(self.c > 0, along - across, self.rho)
        return matrix * (factor * inner / below)
