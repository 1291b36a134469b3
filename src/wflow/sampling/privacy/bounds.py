r"""How far two flows from one start can drift apart.

$\rho_t$ and $\rho'_t$ are the spherical Hellinger-Kantorovich flows (transport
$\alpha$, reaction $\beta$) of KL to $\pi \propto e^{-V}$ and $\pi' \propto e^{-V'}$;
$\delta = V - V'$, $r = \log(\rho_t/\rho'_t)$, $h = \log(\rho_t/\pi)$, osc = sup - inf.
All bounds hold at once and in every dimension; none knows the normalisers.

Reference: Mustafi, Mukherjee, arXiv:2605.23879 (2026).
"""

import numpy as np
from jaxtyping import Float
from scipy.integrate import cumulative_trapezoid


def relaxation(rate: float, t: float) -> float:
    r"""$\int_0^t e^{-\mathrm{rate}\,s}ds = (1 - e^{-\mathrm{rate}\,t})/\mathrm{rate}$.

    t where the rate is zero; grows where it is negative.
    """
    if rate == 0 or t == 0:
        return t
    with np.errstate(over="ignore"):
        return float(-np.expm1(-rate * t) / rate)


def drift_term(
    t: float,
    alpha: float,
    beta: float,
    grad_delta: float,
    grad_h0: float,
    hess_lower: float,
) -> float:
    r"""$\int_0^t e^{-\beta(t-s)}\,\mathrm{osc}(2\alpha\nabla h'_s\cdot\nabla\delta)$.

    $2\alpha e^{-\beta t} G \sup|\nabla h'_0|\,(1-e^{-\alpha\kappa t})/(\alpha\kappa)$,
    G = sup of the gradient of delta and kappa a lower bound of the Hessian of V': the
    gradient of h' decays at the rate alpha kappa + beta.
    """
    curvature = product(alpha, hess_lower)
    if curvature == -np.inf and t > 0:
        spread = np.inf
    elif curvature >= 0:
        spread = decay(beta * t) * relaxation(curvature, t)
    else:  # one exponential: neither overflows where their product does not
        spread = decay((beta + curvature) * t) * relaxation(-curvature, t)
    return product(2 * alpha, grad_delta, grad_h0, spread)


def source_bound(t: float, beta: float, osc_source: float, drift: float = 0.0) -> float:
    r"""B1, explicit: $\mathrm{osc}(r_t) \le \frac{1-e^{-\beta t}}{\beta} S$ + drift.

    S = osc of $\alpha(\Delta\delta - \nabla V'\cdot\nabla\delta) - \beta\delta$. Needs
    a domain without walls: at a wall r has a slope where delta has one. Equality at
    alpha = 0.
    """
    return product(relaxation(beta, t), osc_source) + drift


def duhamel_bound(
    times: Float[np.ndarray, " T"], beta: float, osc_f: Float[np.ndarray, " T"]
) -> Float[np.ndarray, " T"]:
    r"""B1: $\mathrm{osc}(r_t) \le \int_0^t e^{-\beta(t-s)}\,\mathrm{osc}(f_s)\,ds$.

    f = $\alpha(\Delta\delta + \nabla\log\rho'\cdot\nabla\delta) - \beta\delta$, known
    at ``times`` (from zero); by the trapezoidal rule.
    """
    weighted = np.exp(beta * (times - times[-1])) * osc_f
    total = cumulative_trapezoid(weighted, times, initial=0.0)
    return total * np.exp(beta * (times[-1] - times))


def warm_start_bound(
    t: float, beta: float, osc_delta: float, osc_h0: tuple[float, float]
) -> float:
    r"""B2: $\mathrm{osc}(\delta) + e^{-\beta t}(\mathrm{osc}(h_0)+\mathrm{osc}(h'_0))$.

    Needs no derivative; late it is the best, and tends to the targets' own distance.
    """
    return osc_delta + product(decay(beta * t), sum(osc_h0))


def gradient_bound(t: float, beta: float, osc_delta: float, drift: float) -> float:
    r"""B3: $\mathrm{osc}(r_t) \le (1 + e^{-\beta t})\,\mathrm{osc}(\delta)$ + drift.

    On a space without walls or a convex set with no-flux walls.
    """
    return product(1 + decay(beta * t), osc_delta) + drift


def kl_bound(
    t: float,
    alpha: float,
    beta: float,
    osc_delta: float,
    grad_delta: float,
    osc_h0: float,
    log_sobolev: float | None = None,
) -> float:
    r"""B4: $\mathrm{KL}_t \le e^{\mathrm{osc}(h'_0)(1-e^{-\beta t})}\,
    (\frac{\alpha}{4}G^2 + \frac{\beta}{16}\mathrm{osc}(\delta)^2)\,t$.

    With a log-Sobolev constant C of every $\rho'_s$ before t instead B5,
    $e^{\mathrm{osc}(h'_0)} (\frac{\alpha}{2}G^2 + \frac{\beta}{16}
    \mathrm{osc}(\delta)^2)\,(1-e^{-\alpha C t})/(\alpha C)$.
    """
    reaction = product(beta / 16, osc_delta, osc_delta)
    if log_sobolev is None:
        exponent = product(osc_h0, -np.expm1(-beta * t))
        rate = product(alpha / 4, grad_delta, grad_delta) + reaction
        return product(_growth(exponent), rate, t)
    rate = product(alpha / 2, grad_delta, grad_delta) + reaction
    exponent = 0.0 if beta == 0 else osc_h0
    return product(_growth(exponent), rate, relaxation(alpha * log_sobolev, t))


def decay(exponent: float) -> float:
    """$e^{-x}$, +inf where it overflows."""
    with np.errstate(over="ignore"):
        return float(np.exp(-exponent))


def product(*factors: float) -> float:
    """A product in which zero wins over infinity: what does not act costs nothing."""
    if any(factor == 0 for factor in factors):
        return 0.0
    with np.errstate(over="ignore"):
        return float(np.prod(factors))


def _growth(exponent: float) -> float:
    return decay(-exponent)
