"""What a head has found, and whether a flow has come to rest at a minimum."""

import math
import warnings
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float
from scipy.sparse.linalg import LinearOperator, eigs

from wflow.checks import count, finite, instance, known, positive, shape, to_real
from wflow.flows import AbstractContinuousFlow
from wflow.measures import Point

from .covariance import checked_covariance, eigenpairs, multiply


# Up to here the linearized flow is a matrix; beyond it only acts.
_DENSE = 512
# Of the largest rate: what is taken for zero.
_FLAT = 1e-6


class SaddleWarning(UserWarning):
    """A flow has come to rest at a saddle."""


class Alignment(NamedTuple):
    r"""A head's parameter M beside the leading eigenspace of Sigma.

    ``cos2`` is the smallest squared cosine between the columns' span and the leading
    eigenspace, $\langle\mu, e_1\rangle^2/|\mu|^2$ for one head and a simple eigenvalue;
    ``distance`` $= \|Q - \Pi_k\|_F$ with $Q = \Sigma^{1/2}MM^\top\Sigma^{1/2}$, which
    heads determine where columns are determined up to a rotation only; ``variances``
    ``(k,)`` the eigenvalues of the pencil $(M^\top\Sigma^2M, M^\top\Sigma M)$, the
    Rayleigh quotient b/a for one head, which tend to the leading eigenvalues from
    below; ``kernel`` the norm of what lies in the kernel of Sigma, which never moves.
    """

    cos2: Float[Array, ""]
    distance: Float[Array, ""]
    variances: Float[Array, " k"]
    kernel: Float[Array, ""]

    @property
    def degrees(self) -> Float[Array, ""]:
        """The largest angle in degrees."""
        return jnp.degrees(jnp.arccos(jnp.sqrt(jnp.minimum(self.cos2, 1))))


def alignment(
    mu: Float[ArrayLike, "d ..."],
    covariance: Float[ArrayLike, "d ..."],
    k: int | None = None,
) -> Alignment:
    """How well ``mu`` spans the eigenspace of the ``k`` largest eigenvalues.

    On a solution: ``solution.evaluate(lambda mu, t: alignment(mu.value, covariance))``.

    Args:
        mu: ``(d,)``, or ``(d, heads)``.
        covariance: Sigma as a matrix or as eigenvalues.
        k: by default the number of heads. Where the eigenvalue after the heads' is
            repeated, give the whole multiplicity: alignment with one of several
            eigenvectors has no meaning.

    Raises:
        ValueError: shapes that do not fit, k below the number of heads or above d, or a
            head that is zero; under a transformation ``cos2`` is not a number then.
    """
    mu, covariance = to_real(mu, "mu"), checked_covariance(covariance, "alignment")
    d = covariance.shape[0]
    if mu.ndim not in (1, 2) or mu.shape[0] != d:
        raise ValueError(
            f"alignment: expected mu of shape ({d},) or ({d}, k), found {mu.shape}."
        )
    columns = mu.reshape(d, -1)
    heads = columns.shape[1]
    finite("alignment", "mu", columns)
    k = heads if k is None else k
    count("alignment", "k", k)
    if not heads <= k <= d:
        raise ValueError(f"alignment: expected k from {heads} to {d}, found {k}.")
    found = known(columns)
    if found is not None and not np.any(found, axis=0).all():
        raise ValueError(
            "alignment: expected mu without heads that are zero, which have no "
            f"direction; found head {int(np.argmin(np.any(found, axis=0)))} zero."
        )
    return _alignment(columns, covariance, k)


@eqx.filter_jit
def _alignment(columns: Array, covariance: Array, k: int) -> Alignment:
    d = covariance.shape[0]
    values, vectors = eigenpairs(covariance)
    leading = vectors[:, :k]
    basis = jnp.linalg.qr(columns)[0]
    cosines = jnp.linalg.svd(leading.T @ basis, compute_uv=False)
    w = jnp.sqrt(jnp.maximum(values, 0))[:, None] * (vectors.T @ columns)
    target = jnp.diag((jnp.arange(d) < k).astype(w.dtype))
    flat = values <= d * jnp.finfo(values.dtype).eps * values[0]
    # A zero column has no direction, whatever the decomposition puts in its place.
    real = jnp.all(jnp.any(columns != 0, axis=0))
    return Alignment(
        jnp.where(real, jnp.min(cosines) ** 2, jnp.nan),
        jnp.linalg.norm(w @ w.T - target),
        pencil(columns, covariance)[0],
        jnp.linalg.norm(flat[:, None] * (vectors.T @ columns)),
    )


def pencil(
    columns: Float[Array, "d k"], covariance: Float[Array, "d ..."]
) -> tuple[Float[Array, " k"], Float[Array, "k k"]]:
    r"""How the heads see the covariance: eigenvalues and vectors of their pencil.

    $M^\top\Sigma^2M\,c = \lambda\,M^\top\Sigma M\,c$, the largest first, and their c as
    columns with $c^\top M^\top\Sigma Mc = 1$.
    """
    image = multiply(covariance, columns)
    factor = jnp.linalg.cholesky(columns.T @ image)
    half = jax.scipy.linalg.solve_triangular(factor, image.T, lower=True)
    values, vectors = jnp.linalg.eigh(half @ half.T)
    turned = jax.scipy.linalg.solve_triangular(factor.T, vectors)
    return values[::-1], turned[:, ::-1]


class CriticalPoint(NamedTuple):
    """Where a flow is at rest.

    ``kind`` is "minimum", "saddle", "maximum" or "moving"; ``speed`` the norm of the
    velocity there; ``rate`` the largest growth rate of a small displacement, below zero
    at a strict minimum up to what a symmetry leaves in place; ``direction`` the
    displacement with that rate, shaped like the point; ``rates`` all of them, or the
    largest alone above 512 dimensions.
    """

    kind: str
    speed: float
    rate: float
    direction: np.ndarray
    rates: np.ndarray


def critical_point(
    flow: AbstractContinuousFlow, mu: Point, *, tol: float = 1e-5
) -> CriticalPoint:
    r"""Whether ``flow`` rests at ``mu``, and whether the rest is a minimum.

    The velocity is linearized, $J = D(-G^{-1}\nabla R)$: in the Euclidean geometry
    minus the Hessian, in the others its like, so that rates are those of the flow.

    Args:
        flow: usually a ``GradientFlow``.
        mu: a Point of one array.
        tol: at rest is what would move less than this share of its size (of 1 where it
            is smaller) in the time of the fastest rate.

    Warns:
        SaddleWarning: it rests at a saddle or a maximum.

    Raises:
        ValueError: the Point holds anything but one array, or is not finite.
    """
    instance("critical_point", "flow", flow, AbstractContinuousFlow, "a flow")
    instance("critical_point", "mu", mu, Point, "a Point")
    shape("critical_point", "tol", tol, ())
    positive("critical_point", "tol", tol)
    leaves = jax.tree.leaves(mu.value)
    if len(leaves) != 1 or leaves[0] is not mu.value:
        raise ValueError(
            "critical_point: expected mu to be a Point of one array, found "
            f"{len(leaves)} of them."
        )
    value = to_real(mu.value, "mu")
    finite("critical_point", "mu", value)
    size = math.prod(value.shape)
    speed = float(jnp.linalg.norm(_velocity(flow, value)))
    if size <= _DENSE:
        jacobian = np.asarray(_jacobian(flow, value)).reshape(size, size)
        rates, directions = np.linalg.eig(jacobian)
        fastest = np.abs(rates).max()
    else:
        push = lambda v: np.asarray(_push(flow, value, jnp.asarray(v, value.dtype)))
        operator: Any = LinearOperator((size, size), push)
        fastest = np.abs(eigs(operator, 1, which="LM", return_eigenvectors=False)).max()
        found: Any = eigs(operator, 1, which="LR")
        rates, directions = found
    order = np.argsort(-rates.real)
    rates, first = rates.real[order], order[0]
    direction = directions[:, first].real
    direction = (direction / np.linalg.norm(direction)).reshape(value.shape)
    scale = max(float(jnp.linalg.norm(value)), 1.0)
    if speed > tol * fastest * scale:
        kind = "moving"
    elif rates[0] <= _FLAT * fastest:
        kind = "minimum"
    elif size <= _DENSE and rates[-1] >= -_FLAT * fastest:
        kind = "maximum"
    else:
        kind = "saddle"
    if kind in ("saddle", "maximum"):
        shown = np.array2string(direction, precision=3, threshold=8)
        warnings.warn(
            f"critical_point: converged to a {kind}: negative curvature along {shown}, "
            f"where a displacement grows at the rate {rates[0]:.3g}. Start with a part "
            "in that direction.",
            SaddleWarning,
            stacklevel=2,
        )
    return CriticalPoint(kind, speed, float(rates[0]), direction, rates)


@eqx.filter_jit
def _velocity(flow: Any, value: Array) -> Array:
    return flow.velocity(Point(value))


@eqx.filter_jit
def _jacobian(flow: Any, value: Array) -> Array:
    return jax.jacfwd(lambda x: flow.velocity(Point(x)))(value)


@eqx.filter_jit
def _push(flow: Any, value: Array, vector: Array) -> Array:
    velocity = lambda x: flow.velocity(Point(x))
    return jax.jvp(velocity, (value,), (vector.reshape(value.shape),))[1].ravel()
