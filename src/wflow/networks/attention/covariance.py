"""Covariances of tokens, as a matrix, as eigenvalues or from data."""

import warnings

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import finite, known, to_real


# Relative tolerances of what is taken for a rounding error.
_ASYMMETRY, _NEGATIVE = 1e-8, 1e-10
# A mean with this share of the second moment is no sampling error.
_MEAN_SHARE = 0.01


class UncenteredWarning(UserWarning):
    """Tokens have a mean, so that softmax and linear heads differ in the limit."""


def checked_covariance(
    covariance: Float[ArrayLike, "d d"] | Float[ArrayLike, " d"], owner: str
) -> Float[Array, "d d"] | Float[Array, " d"]:
    """The covariance as an array: a matrix, or the eigenvalues of a diagonal one.

    Raises:
        ValueError: it is of another shape, not finite, not symmetric or not positive
            semidefinite.
    """
    covariance = to_real(covariance, "covariance")
    shape = jnp.shape(covariance)
    if len(shape) not in (1, 2) or len(set(shape)) != 1 or shape[0] == 0:
        raise ValueError(
            f"{owner}: expected a covariance (d, d) or eigenvalues (d,), found shape "
            f"{shape}."
        )
    found = known(covariance)
    if found is None:
        return covariance
    finite(owner, "covariance", found)
    scale = float(np.abs(found).max())
    rounding = float(np.finfo(found.dtype).eps)
    if found.ndim == 2:
        gap = float(np.abs(found - found.T).max())
        if gap > max(_ASYMMETRY, 8 * rounding) * scale:
            raise ValueError(
                f"{owner}: expected a symmetric covariance, found entries that differ "
                f"from their transposed ones by {gap:.3g}."
            )
    least = float((np.linalg.eigvalsh(found) if found.ndim == 2 else found).min())
    if least < -max(_NEGATIVE, 8 * len(found) * rounding) * scale:
        raise ValueError(
            f"{owner}: expected a positive semidefinite covariance, found the "
            f"eigenvalue {least:.3g}."
        )
    return covariance


def multiply(
    covariance: Float[Array, "d d"] | Float[Array, " d"], value: Float[Array, "d ..."]
) -> Float[Array, "d ..."]:
    r"""The product $\Sigma v$, column by column."""
    if covariance.ndim == 2:
        return covariance @ value
    return jnp.expand_dims(covariance, tuple(range(1, value.ndim))) * value


def trace(covariance: Float[Array, "d d"] | Float[Array, " d"]) -> Float[Array, ""]:
    r"""The trace $\operatorname{tr}\Sigma$."""
    return jnp.sum(covariance) if covariance.ndim == 1 else jnp.trace(covariance)


def eigenpairs(
    covariance: Float[Array, "d d"] | Float[Array, " d"],
) -> tuple[Float[Array, " d"], Float[Array, "d d"]]:
    """Eigenvalues, the largest first, and their eigenvectors as columns."""
    if covariance.ndim == 1:
        order = jnp.argsort(-covariance, stable=True)
        return covariance[order], jnp.eye(len(covariance), dtype=covariance.dtype)[
            :, order
        ]
    values, vectors = jnp.linalg.eigh(covariance)
    return values[::-1], vectors[:, ::-1]


def square_root(
    covariance: Float[ArrayLike, "d d"] | Float[ArrayLike, " d"],
) -> Float[Array, "d d"]:
    r"""The symmetric $\Sigma^{1/2}$, of a singular covariance too."""
    values, vectors = eigenpairs(checked_covariance(covariance, "square_root"))
    return (vectors * jnp.sqrt(jnp.maximum(values, 0))) @ vectors.T


def second_moment(
    rows: Float[ArrayLike, "n d"], *, center: bool = False
) -> Float[Array, "d d"]:
    r"""Second moment $S = X^\top X / n$ of tokens in rows, centered or not.

    Warns:
        UncenteredWarning: the mean counts and stays. With a mean c the softmax head
            tends to $c + \Sigma t$, the linear one does not.

    Raises:
        ValueError: no rows, or entries that are not finite.
    """
    rows = to_real(rows, "rows")
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(
            f"second_moment: expected rows (n, d), found shape {rows.shape}."
        )
    mean = jnp.mean(rows, axis=0)
    if center:
        rows = rows - mean
    moment = rows.T @ rows / rows.shape[0]
    found = known(moment)
    if found is None:
        return moment
    finite("second_moment", "rows", rows)
    share = float(mean @ mean) / max(float(np.trace(found)), np.finfo(float).tiny)
    if not center and share > max(_MEAN_SHARE, 8 / len(rows)):
        warnings.warn(
            f"second_moment: the mean of rows holds {share:.0%} of their second "
            "moment; softmax and linear heads agree on centered tokens only "
            "(center=True).",
            UncenteredWarning,
            stacklevel=2,
        )
    return moment
