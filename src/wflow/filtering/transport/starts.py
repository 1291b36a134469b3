"""Where a transport starts: the forecast, or the forecast after a Kalman update."""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow import checks

from .coupling import Labeled
from .pairs import Standardized


Start = Literal["identity", "kalman", "square_root"]


def started(start: Start, pairs: Standardized, members: Labeled) -> Float[Array, "k d"]:
    r"""Where members start on their way to the observations that they carry.

    "identity": at the forecast. "kalman": at $x_i + K(y - y_i)$ for a label y, which in
    linear-Gaussian problems is the end already. "square_root": at the same end without
    simulated errors, $(1 - K C_{xy}^\top)^{1/2} x_i + K (y - \bar y)$.

    Raises:
        ValueError: an unknown start, or "square_root" with too few members to whiten
            the state.
        TypeError: pairs or members are none.
    """
    check_start("started", start)
    checks.instance("started", "pairs", pairs, Standardized, "Standardized pairs")
    checks.instance("started", "members", members, Labeled, "Labeled members")
    match start:
        case "identity":
            return members.x
        case "kalman":
            innovation = members.labels - members.y - members.spare
            return members.x + innovation @ pairs.gain.T
    expected = jnp.mean(pairs.y, axis=1) if pairs.mean is None else pairs.mean
    innovation = members.labels - jnp.mean(expected, axis=0)
    return members.x @ square_root(pairs) + innovation @ pairs.gain.T


def square_root(pairs: Standardized) -> Float[Array, "d d"]:
    r"""The symmetric map of anomalies that gives them Kalman's covariance.

    $A = (1 - K C_{xy}^\top)^{1/2}$, so that $A\,\mathrm{cov}(x)\,A$ is Kalman's. It is
    the limit of the moment flow, the symmetric one.

    Raises:
        ValueError: too few members to whiten the state.
    """
    n, _, d, _ = pairs.sizes
    if n <= d + 1:
        raise ValueError(
            "a square root of the covariance needs more members than components of the "
            f"state plus one, found {n} members and {d} components."
        )
    reduced = jnp.eye(d, dtype=pairs.x.dtype) - pairs.gain @ pairs.cross.T
    return _symmetric_root((reduced + reduced.T) / 2)


def _eigen(matrix: Array) -> tuple[Array, Array]:
    values, vectors = jnp.linalg.eigh(matrix)
    # Of sampled moments, or by rounding, an eigenvalue may fall below zero.
    return jnp.sqrt(jnp.maximum(values, jnp.finfo(values.dtype).eps)), vectors


@jax.custom_jvp
def _symmetric_root(matrix: Float[Array, "d d"]) -> Float[Array, "d d"]:
    root, vectors = _eigen(matrix)
    return vectors * root @ vectors.T


# By the equation A dA + dA A = dM, which does not mind eigenvalues that are equal, as
# the derivative of eigenvectors does.
@_symmetric_root.defjvp
def _(
    primals: tuple[Array], tangents: tuple[Array]
) -> tuple[Float[Array, "d d"], Float[Array, "d d"]]:
    root, vectors = _eigen(primals[0])
    inner = vectors.T @ tangents[0] @ vectors / (root[:, None] + root)
    return vectors * root @ vectors.T, vectors @ inner @ vectors.T


def check_start(owner: object, start: str) -> None:
    """Refuse a start that is not known.

    Raises:
        ValueError: it is not.
    """
    checks.one_of(owner, "start", start, get_args(Start))
