"""Diagonal networks: the flow solved, coordinate by coordinate."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import (
    count,
    finite,
    increasing,
    instance,
    non_negative,
    positive,
    shape,
    to_real,
)

from .risks import DiagonalRisk


def residual_at(
    risk: DiagonalRisk, start: Float[Array, " D"], t: ArrayLike
) -> Float[Array, " D"]:
    r"""How far a function is from the teacher at a time, in closed form.

    $g = f - f^* = g_0 f^* E / (f_0 - g_0 E)$, $E = e^{-4\kappa f^* t}$, not by
    subtraction, which would lose all digits of a small residual.

    Args:
        risk: the diagonal risk.
        start: $f_0$, ``(D,)``.
        t: the time, 0 or later.

    Raises:
        ValueError: a start of another shape than the teacher's, not positive or not
            finite, or a negative time.
    """
    start = _checked_start("residual_at", risk, start)
    shape("residual_at", "t", t, ())
    non_negative("residual_at", "t", t)
    g = start - risk.teacher
    decay = jnp.exp(-4 * risk.probabilities * risk.teacher * t)
    return g * risk.teacher * decay / (start - g * decay)


def _checked_start(owner: str, risk: DiagonalRisk, start: ArrayLike) -> Array:
    """Outputs at the start: second moments of neurons, so above zero."""
    instance(owner, "risk", risk, DiagonalRisk, "a DiagonalRisk")
    start = to_real(start, "start")
    shape(owner, "start", start, risk.teacher.shape)
    positive(owner, "start", start)
    return start


def power_law(
    dim: int, spectrum: float, source: float
) -> tuple[DiagonalRisk, Float[Array, " D"]]:
    r"""A risk and a start whose loss falls as a power of time that can be chosen.

    $\kappa_k \propto k^{-p}$, $f^* = 1$, $f_k(0) = 1 + k^{-u}/2$: $L_t \sim t^{-c}$
    with $c = (p + 2u - 1)/p$ where $1 \ll 4\kappa_1 t$ and $4\kappa_D t \ll 1$.

    Args:
        dim: D.
        spectrum: p > 1.
        source: u.

    Raises:
        ValueError: dim < 1, or exponents that are not finite.
    """
    count("power_law", "dim", dim)
    for name, value in (("spectrum", spectrum), ("source", source)):
        shape("power_law", name, value, ())
        finite("power_law", name, value)
    k = jnp.arange(1, dim + 1, dtype=jnp.result_type(float))
    kappa = k**-spectrum
    return DiagonalRisk(kappa / kappa.sum(), jnp.ones(dim, k.dtype)), 1 + k**-source / 2


def diagonal_gaps(
    risk: DiagonalRisk,
    start: Float[Array, " D"],
    m: int,
    times: Float[ArrayLike, " T"],
    key: PRNGKeyArray,
    seeds: int,
) -> Float[Array, "seeds T"]:
    r"""Squared gaps of m neurons of law N(0, diag f): $f^m_k(0) = f_k(0)\chi^2_m/m$.

    Raises:
        ValueError: m or seeds below 1, times that are negative or do not increase, or a
            start as in ``residual_at``.
    """
    start = _checked_start("diagonal_gaps", risk, start)
    count("diagonal_gaps", "m", m)
    count("diagonal_gaps", "seeds", seeds)
    shape("diagonal_gaps", "times", times, ("T",))
    non_negative("diagonal_gaps", "times", times)
    increasing("diagonal_gaps", "times", times)
    if not len(times):
        raise ValueError("diagonal_gaps: expected times, found none.")
    at = jax.vmap(lambda f, t: residual_at(risk, f, t), (None, 0))
    limit = at(start, jnp.asarray(times))

    def one(key: PRNGKeyArray) -> Array:
        chi = jax.random.chisquare(key, m, start.shape, start.dtype) / m
        return (at(start * chi, jnp.asarray(times)) - limit) ** 2 @ risk.probabilities

    return jax.lax.map(one, jax.random.split(key, seeds), batch_size=64)
