"""Small fluctuations of quadratic networks, pushed through the flow, not sampled."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import covariance, instance, to_real
from wflow.measures import Gaussian

from .risks import QuadraticRisk, squared_norm
from .student import Student
from .tangent import symmetric_units
from .widths import check_grid, follow


def _directions(cov: Float[Array, "d d"]) -> Float[Array, "k d d"]:
    r"""Fluctuations of $\sqrt m(M^m_0 - S)$ that are independent, of variance 1.

    $S^{1/2} E S^{1/2}$ over symmetric unit matrices E, those on the diagonal times the
    root of 2.
    """
    i, j = np.triu_indices(cov.shape[0])
    units = symmetric_units(cov.shape[0], cov.dtype)
    units = jnp.where((i == j)[:, None, None], 2**0.5, 1) * units
    values, vectors = jnp.linalg.eigh(cov)
    root = (vectors * jnp.sqrt(jnp.maximum(values, 0))) @ vectors.T
    return root @ units @ root


def sampling_variance(cov: Float[Array, "d d"]) -> Float[Array, ""]:
    r"""Squared error of a network of m fresh neurons, times m.

    $m\,E\|f_{\rho^m} - f_\rho\|^2$ of draws from $\rho = N(0, S)$.

    Raises:
        ValueError: a covariance that is not symmetric and positive definite.
    """
    cov = to_real(cov, "cov")
    covariance("sampling_variance", "cov", cov)
    return jnp.sum(jax.vmap(squared_norm)(_directions(cov)))


def _moments(student: Student, times: np.ndarray, cov: Array) -> Float[Array, "T d d"]:
    start = Gaussian(jnp.zeros(cov.shape[0], cov.dtype), cov)
    solution = follow(student, start, times, adjoint=diffrax.ForwardMode())
    return solution.measures.cov


def clt_variance(student: Student, times: Float[ArrayLike, " T"]) -> Float[Array, " T"]:
    r"""Squared error of wide networks along their training, times the width.

    $\lim_m m\,E\|\Delta_t\|^2 = \sum_e \|D\Phi_t[e]\|^2$ for quadratic neurons.
    $\Phi_t$ is the flow of second moments; e are the independent fluctuations of the
    start, a centered Gaussian.

    Raises:
        TypeError: the risk is not ``QuadraticRisk``, or the start not a Gaussian.
    """
    return _variance(student, _checked("clt_variance", student), _static(times))


@eqx.filter_jit
def _variance(student: Student, cov: Array, grid: tuple[float, ...]) -> Array:
    times = np.asarray(grid)
    push = lambda e: jax.jvp(lambda c: _moments(student, times, c), (cov,), (e,))[1]
    pushed = jax.vmap(push)(_directions(cov))
    return jnp.sum(jax.vmap(jax.vmap(squared_norm))(pushed), axis=0)


def clt_bias(student: Student, times: Float[ArrayLike, " T"]) -> Float[Array, "T d d"]:
    r"""Bias of wide networks along their training, times the width: the weak error.

    $\lim_m m\,E[M^m_t - M_t] = \frac12\sum_e D^2\Phi_t[e, e]$.

    Raises:
        TypeError: as ``clt_variance``.
    """
    return _bias(student, _checked("clt_bias", student), _static(times))


@eqx.filter_jit
def _bias(student: Student, cov: Array, grid: tuple[float, ...]) -> Array:
    times = np.asarray(grid)
    flow = lambda c: _moments(student, times, c)

    def second(e: Array) -> Array:
        first = lambda c: jax.jvp(flow, (c,), (e,))[1]
        return jax.jvp(first, (cov,), (e,))[1]

    return jnp.sum(jax.vmap(second)(_directions(cov)), axis=0) / 2


def _static(times: Float[ArrayLike, " T"]) -> tuple[float, ...]:
    """The saved times as the compiled solve takes them: known, not traced."""
    return tuple(check_grid(times).tolist())


def _checked(name: str, student: Student) -> Array:
    instance(name, "student", student, Student, "a Student")
    start: Any = student.start
    if not isinstance(student.risk, QuadraticRisk) or not isinstance(start, Gaussian):
        raise TypeError(
            f"{name}: expected QuadraticRisk and a Gaussian start, found "
            f"{type(student.risk).__name__} and {type(start).__name__}."
        )
    return start.cov
