r"""What privacy costs in accuracy: $\mathbb E_{\rho_t}V - \min V$ along the flow.

The part $\mathbb E_\pi V - \min V$ is intrinsic to a draw from $\pi \propto e^{-V}$:
d/2 for a quadratic V, at most d for any convex one on $\mathbb R^d$. The rest is what
the run has not converged yet.

Reference: Mustafi, Mukherjee, arXiv:2605.23879 (2026).
"""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow.checks import count, instance, shape
from wflow.measures import Gaussian

from .bounds import decay, product
from .conversions import number


def warm_start_kl(t: float, beta: float, osc_h0: float) -> float:
    r"""Divergence from the target at time t, from the start's log-ratio.

    $\mathrm{KL}(\rho_t\|\pi) \le e^{-\beta t}\,\mathrm{osc}(\log(\rho_0/\pi))$.

    Raises:
        ValueError: a negative argument, or nan.
    """
    t = number("warm_start_kl", "t", t, infinite=False)
    beta = number("warm_start_kl", "beta", beta, infinite=False)
    return product(number("warm_start_kl", "osc_h0", osc_h0), decay(beta * t))


def utility_bound(kl: float, osc_v: float, intrinsic: float) -> float:
    r"""Bound on the expected excess of a potential under a law near the target.

    $\mathbb E_{\rho}V - \min V \le (\mathbb E_\pi V - \min V) +
    \mathrm{osc}(V)\sqrt{\mathrm{KL}(\rho\|\pi)/2}$.

    By Pinsker's inequality: ``kl`` is KL or a bound on it, ``intrinsic`` the first
    part. +inf where V is unbounded; see ``quadratic_utility_bound`` there.

    Raises:
        ValueError: a negative argument, or nan.
    """
    kl = number("utility_bound", "kl", kl)
    osc_v = number("utility_bound", "osc_v", osc_v)
    intrinsic = number("utility_bound", "intrinsic", intrinsic)
    return intrinsic + product(osc_v, math.sqrt(kl / 2))


def quadratic_utility_bound(kl: float, dim: int) -> float:
    r"""The same for a quadratic potential, which is not bounded.

    $\mathbb E_{\rho}V - \min V \le (\sqrt{d/2} + \sqrt{\mathrm{KL}(\rho\|\pi)})^2$
    for a quadratic V.

    In coordinates in which $\pi$ is standard normal the left side is half the second
    moment, and the root of that moment is at most $\sqrt d + W_2(\rho, \pi)$.

    Raises:
        ValueError: a negative ``kl``, or nan, or ``dim`` below 1.

    Reference: Talagrand, GAFA 6 (1996), theorem 1.1, for $W_2^2 \le 2\,\mathrm{KL}$.
    """
    kl = number("quadratic_utility_bound", "kl", kl)
    count("quadratic_utility_bound", "dim", dim)
    return (math.sqrt(dim / 2) + math.sqrt(kl)) ** 2


def gaussian_utility(mu: Gaussian, target: Gaussian) -> Float[Array, ""]:
    r"""Expected excess of a quadratic potential under a Gaussian, exactly.

    $\mathbb E_\mu V - \min V = \frac12\mathrm{tr}(S^{-1}C) +
    \frac12|m_\mu - m|^2_{S^{-1}}$ for $V = -\log N(m, S)$.

    With ``gaussian_shk`` the exact utility of the flow.

    Raises:
        TypeError: a law that is not Gaussian.
        ValueError: laws of unlike dimensions.
    """
    for name, law in (("mu", mu), ("target", target)):
        instance("gaussian_utility", name, law, Gaussian, "a Gaussian")
    shape("gaussian_utility", "target.mean", target.mean, (mu.dim,))
    gap = mu.mean - target.mean
    second = mu.cov + jnp.outer(gap, gap)
    return jnp.trace(jnp.linalg.solve(target.cov, second)) / 2
