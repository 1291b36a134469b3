"""Gaussian laws under the flow of KL to a Gaussian, in closed form."""

import jax
import jax.numpy as jnp
from jaxtyping import ArrayLike

from wflow.checks import instance, known, non_negative, shape
from wflow.measures import Gaussian


# Squarings of the exponential: exponents up to 2^64 decay to zero, none becomes nan.
_MOST_SQUARINGS = 64


def gaussian_shk(
    initial: Gaussian,
    target: Gaussian,
    t: ArrayLike,
    *,
    alpha: ArrayLike = 1.0,
    beta: ArrayLike = 1.0,
) -> Gaussian:
    r"""Exact Gaussian law along a spherical Hellinger-Kantorovich flow, at time t.

    The flow is that of the Kullback-Leibler divergence to ``target``. With $\pi = N(m,
    S)$, $F = e^{-\beta t/2}\,e^{-\alpha t S^{-1}}$ and $T = (2\alpha I + \beta S F^2 +
    \beta(I - F^2)C_0)^{-1}(2\alpha I + \beta S)F$: $C_t = S + F(C_0 - S)T$ and $\mu_t =
    m + e^{-\beta t/2}\,T^\top(\mu_0 - m)$.

    It is $XY^{-1}$ of $\binom{X}{Y} = e^{tH}\binom{C_0}{I}$ for the Hamiltonian matrix
    H of the Riccati equation, taken about its fixed point S, so that no time overflows.
    ``alpha=0`` is the Fisher-Rao flow, ``beta=0`` the Ornstein-Uhlenbeck process.
    Differentiable in t, the strengths, and both laws.

    Args:
        initial: the law at time 0.
        target: the law that it tends to.
        t: the time, 0 or later.
        alpha: strength of the transport.
        beta: strength of the reaction.

    Raises:
        TypeError: a law that is not Gaussian.
        ValueError: a negative time or strength, both strengths zero, or laws of unlike
            dimensions; a covariance that is not positive definite is refused where it
            is made.

    Reference: Liero, Mielke, Tse, Zhu, arXiv:2504.20400 (the equations of the moments).
    """
    for name, law in (("initial", initial), ("target", target)):
        instance("gaussian_shk", name, law, Gaussian, "a Gaussian")
    if initial.dim != target.dim:
        raise ValueError(
            "gaussian_shk: expected initial and target of one dimension, found "
            f"{initial.dim} and {target.dim}."
        )
    _check(t, alpha, beta)
    dtype = jnp.result_type(initial.mean, target.mean)
    t, alpha, beta = (jnp.asarray(value, dtype) for value in (t, alpha, beta))
    eye = jnp.eye(target.dim, dtype=dtype)
    s, c = target.cov, initial.cov
    precision = jnp.linalg.inv(s)
    exponent = -alpha * t * (precision + precision.T) / 2
    half = jnp.exp(-beta * t / 2)
    decay = half * jax.scipy.linalg.expm(exponent, max_squarings=_MOST_SQUARINGS)
    # Nothing here grows in time, and no term takes from another what matters.
    left = decay @ decay
    pivot = 2 * alpha * eye + beta * (s @ left + c - left @ c)
    moved = jnp.linalg.solve(pivot, (2 * alpha * eye + beta * s) @ decay)
    cov = s + decay @ (c - s) @ moved
    gap = half * (initial.mean - target.mean) @ moved
    return initial.with_state((target.mean + gap, (cov + cov.T) / 2))


def _check(t: ArrayLike, alpha: ArrayLike, beta: ArrayLike) -> None:
    for name, value in (("t", t), ("alpha", alpha), ("beta", beta)):
        non_negative("gaussian_shk", name, value)
        shape("gaussian_shk", name, value, ())
    strengths = known(alpha), known(beta)
    if all(strength is not None and strength == 0 for strength in strengths):
        raise ValueError("gaussian_shk: alpha and beta are both zero.")
