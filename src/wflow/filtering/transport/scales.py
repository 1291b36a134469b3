"""Standard units: whitened by the ensemble's own covariance."""

from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow import checks


# Added to the diagonal of a correlation matrix, against rounding.
_JITTER = 1e-9


class Scale(eqx.Module):
    r"""Standard units of an ensemble, in which components are whitened and tapered.

    $z = L^{-1} D (y - \bar y)/\sigma$ with $L L^\top = D C D + (1 - D^2)$.

    C is the correlation matrix and $D^2$ the diagonal of weights in [0, 1]: with weight
    one this whitens, and a component of weight zero is absent: it is zero and whitens
    nothing else. Between them it counts as a component with more noise of its own,
    total variance $1/D^2$ instead of one. Constant components are absent. Where an
    ensemble of n members is too small for the covariance of p components
    (n <= p + 1), L is the identity.

    Attributes:
        mean: of the ensemble, ``(p,)``.
        sd: standard deviations, one for absent components, ``(p,)``.
        taper: weights, zero for absent components, ``(p,)``.
        root: L, ``(p, p)``.
        total: $L^{-1}(D C D + 1 - D^2)L^{-\top}$, ``(p, p)``: the identity, or where L
            is, the matrix itself.

    Raises:
        ValueError: shapes that do not fit together, numbers that are not finite, sd not
            above 0, or taper outside [0, 1].
    """

    mean: Float[Array, " p"]
    sd: Float[Array, " p"]
    taper: Float[Array, " p"]
    root: Float[Array, "p p"]
    total: Float[Array, "p p"]

    def __check_init__(self) -> None:
        check_array(self, "mean", ("p",))
        (p,) = jnp.shape(self.mean)
        for name in ("sd", "taper"):
            check_array(self, name, (p,))
        for name in ("root", "total"):
            check_array(self, name, (p, p))
        checks.positive(self, "sd", self.sd)
        checks.within(self, "taper", self.taper, 0, 1)

    @classmethod
    def fit(cls, rows: Float[Array, "n *m p"], weights: Float[Array, " p"]) -> Self:
        """The units of an ensemble, or of m draws for every member."""
        n, p = rows.shape[0], rows.shape[-1]
        rows = rows.reshape(-1, p)
        mean = jnp.mean(rows, axis=0)
        centered = rows - mean
        cov = centered.T @ centered / (len(rows) - 1)
        sd, varies = _deviations(rows, cov)
        taper = jnp.where(varies, weights, 0)
        d = _root(taper) / sd
        eye = jnp.eye(p, dtype=rows.dtype)
        jitter = jnp.maximum(_JITTER, 10 * jnp.finfo(rows.dtype).eps)
        matrix = d[:, None] * cov * d + jnp.diag(1 - taper + jitter)
        if n <= p + 1:
            return cls(mean, sd, taper, eye, matrix)
        return cls(mean, sd, taper, jnp.linalg.cholesky(matrix), eye)

    def __call__(self, rows: Float[Array, "*n p"]) -> Float[Array, "*n p"]:
        """Into standard units."""
        return self.whiten(_root(self.taper) * (rows - self.mean) / self.sd)

    def whiten(self, scaled: Float[Array, "*n p"]) -> Float[Array, "*n p"]:
        """Every row in whitened units, $L^{-1}$ of it."""
        flat = scaled.reshape(-1, scaled.shape[-1])
        z = jax.scipy.linalg.solve_triangular(self.root, flat.T, lower=True).T
        return z.reshape(scaled.shape)

    def undo(self, z: Float[Array, "n p"]) -> Float[Array, "n p"]:
        """Out of standard units; of components that are tapered, nothing is undone."""
        return self.mean + self.sd * (z @ self.root.T)

    def of_errors(self, cov: Float[Array, "p p"], tapered: bool) -> Float[Array, "p p"]:
        """Covariance in standard units of errors of covariance ``cov``.

        Those of the components as they are tapered here, or else whole errors, so that
        a taper stands for errors of variance $1/D^2$ times as large; then the identity
        for absent components.
        """
        felt = self.taper > 0
        factor = _root(self.taper) if tapered else felt.astype(self.sd.dtype)
        d = factor / self.sd
        scaled = d[:, None] * cov.astype(d.dtype) * d
        if not tapered:
            scaled = scaled + jnp.diag((~felt).astype(d.dtype))
        return self.whiten(self.whiten(scaled).T)


def check_array(owner: object, name: str, expected: tuple[int | str, ...]) -> None:
    """Refuse a field of another shape, without entries or not finite.

    Raises:
        ValueError: it is.
    """
    value = getattr(owner, name)
    checks.shape(owner, name, value, expected)
    shape = jnp.shape(value)
    if 0 in shape:
        raise ValueError(
            f"{type(owner).__name__}: expected {name} of at least one entry, found "
            f"shape {shape}."
        )
    checks.finite(owner, name, value)


def _root(weights: Array) -> Array:
    """A square root whose derivative at zero is zero."""
    positive = weights > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, weights, 1)), 0)


def _deviations(rows: Array, cov: Array) -> tuple[Array, Array]:
    """Standard deviations, one where a component is constant but for rounding."""
    variance = jnp.diagonal(cov)
    rounding = 8 * jnp.finfo(rows.dtype).eps * jnp.max(jnp.abs(rows), axis=0)
    varies = variance > rounding**2
    return jnp.sqrt(jnp.where(varies, variance, 1)), varies
