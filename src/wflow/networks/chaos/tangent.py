"""The tangent kernel of quadratic networks, and what it says of steps and of growth."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from wflow.checks import covariance, finite, instance, non_negative, shape, to_real

from .risks import QuadraticRisk, squared_norm


def stretch(b: Float[Array, "d d"]) -> Float[Array, "d d"]:
    r"""The operator $S(B) = 2B + \mathrm{tr}(B) I$ of quadratic neurons.

    $\langle B, C\rangle = \mathrm{tr}(S(B)C)$.
    """
    return 2 * b + jnp.trace(b) * jnp.eye(b.shape[0], dtype=b.dtype)


def tangent_kernel(
    moment: Float[Array, "d d"], b: Float[Array, "d d"]
) -> Float[Array, "d d"]:
    r"""The tangent kernel of quadratic neurons: how their function moves.

    $T_M B = 2(M S(B) + S(B) M)$; functions move by $\dot f = -T_M(f - f^*)$.

    Raises:
        ValueError: matrices of other shapes.
    """
    moment, b = to_real(moment, "moment"), to_real(b, "b")
    shape("tangent_kernel", "moment", moment, ("d", "d"))
    shape("tangent_kernel", "b", b, np.shape(moment))
    s = stretch(b)
    return 2 * (moment @ s + s @ moment)


def symmetric_units(d: int, dtype: np.dtype | str) -> Float[Array, "k d d"]:
    """The d (d + 1) / 2 symmetric matrices with one pair of ones."""
    i, j = np.triu_indices(d)
    units = np.zeros((len(i), d, d))
    units[np.arange(len(i)), i, j] = units[np.arange(len(i)), j, i] = 1
    return jnp.asarray(units, dtype)


def _matrix(moment: Float[Array, "d d"]) -> Float[Array, "k k"]:
    """The tangent kernel on the entries of symmetric matrices."""
    i, j = np.triu_indices(moment.shape[0])
    units = symmetric_units(moment.shape[0], moment.dtype)
    return jax.vmap(lambda b: tangent_kernel(moment, b)[i, j])(units).T


def tangent_rates(moment: Float[Array, "d d"]) -> Float[Array, " k"]:
    r"""Eigenvalues of the tangent kernel on symmetric matrices, increasing.

    Near $M^*$ gradient descent is stable where the step is below 2 over the largest.

    Raises:
        ValueError: a moment that is not symmetric and positive semidefinite.
    """
    moment = to_real(moment, "moment")
    shape("tangent_rates", "moment", moment, ("d", "d"))
    covariance("tangent_rates", "moment", moment, singular=True)
    return jnp.sort(jnp.linalg.eigvals(_matrix(moment)).real)


def stable_step(risk: QuadraticRisk) -> Float[Array, ""]:
    r"""The largest step at which descent stays at the teacher.

    $2/\lambda_{\max}(T_{M^*})$.

    Raises:
        TypeError: the risk is not ``QuadraticRisk``.
    """
    instance("stable_step", "risk", risk, QuadraticRisk, "a QuadraticRisk")
    return 2 / tangent_rates(risk.teacher)[-1]


def frozen_kernel_loss(
    risk: QuadraticRisk, start: Float[Array, "d d"], times: Float[Array, " T"]
) -> Float[Array, " T"]:
    r"""Loss of $\dot f = -T_{M_0}(f - f^*)$: the network linearized at its start.

    Raises:
        TypeError: the risk is not ``QuadraticRisk``.
        ValueError: a start of another shape or that is no second moment, or negative
            times.

    Reference: Jacot, Gabriel, Hongler, NeurIPS 2018, section 5.
    """
    instance("frozen_kernel_loss", "risk", risk, QuadraticRisk, "a QuadraticRisk")
    start, times = to_real(start, "start"), to_real(times, "times")
    shape("frozen_kernel_loss", "start", start, risk.teacher.shape)
    covariance("frozen_kernel_loss", "start", start, singular=True)
    shape("frozen_kernel_loss", "times", times, ("T",))
    non_negative("frozen_kernel_loss", "times", times)
    i, j = np.triu_indices(start.shape[0])
    matrix, error = _matrix(start), (start - risk.teacher)[i, j]

    def loss(t: Array) -> Array:
        entries = jax.scipy.linalg.expm(-t * matrix) @ error
        return squared_norm(
            jnp.zeros_like(start).at[i, j].set(entries).at[j, i].set(entries)
        )

    return jax.lax.map(loss, times)


def lipschitz_rate(
    risk: QuadraticRisk, moments: Float[Array, "T d d"]
) -> Float[Array, ""]:
    r"""The largest $|D\dot M|$ at the moments given, in the norm of functions.

    Raises:
        TypeError: the risk is not ``QuadraticRisk``.
        ValueError: moments of another shape or not finite, or none.
    """
    instance("lipschitz_rate", "risk", risk, QuadraticRisk, "a QuadraticRisk")
    moments = to_real(moments, "moments")
    shape("lipschitz_rate", "moments", moments, ("T", *risk.teacher.shape))
    finite("lipschitz_rate", "moments", moments)
    if not len(moments):
        raise ValueError("lipschitz_rate: expected moments, found none.")
    return _lipschitz_rate(risk, moments)


@eqx.filter_jit
def _lipschitz_rate(
    risk: QuadraticRisk, moments: Float[Array, "T d d"]
) -> Float[Array, ""]:
    basis = symmetric_units(moments.shape[-1], moments.dtype)
    inner = lambda a, b: jnp.sum(a * stretch(b))
    pairs = lambda x, y: jax.vmap(lambda a: jax.vmap(lambda b: inner(a, b))(y))(x)
    # Columns of the inverse root: an orthonormal basis of functions.
    root = jnp.linalg.cholesky(pairs(basis, basis))
    normal = jax.scipy.linalg.solve_triangular(
        root, basis.reshape(len(basis), -1), lower=True
    ).reshape(basis.shape)

    def rate(m: Array) -> Array:
        s = stretch(m - risk.teacher)
        move = lambda b: tangent_kernel(m, b) + 2 * (s @ b + b @ s)
        return jnp.linalg.norm(pairs(normal, jax.vmap(move)(normal)), 2)

    return jnp.max(jax.vmap(rate)(moments))
