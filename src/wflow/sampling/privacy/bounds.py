r"""How far two flows from one start can drift apart.

$\rho_t$ and $\rho'_t$ are the spherical Hellinger-Kantorovich flows (transport
$\alpha$, reaction $\beta$) of KL to $\pi \propto e^{-V}$ and $\pi' \propto e^{-V'}$;
$\delta = V - V'$, $r = \log(\rho_t/\rho'_t)$, $h = \log(\rho_t/\pi)$, osc = sup - inf.
All bounds hold at once and in every dimension; none knows the normalizers.

Reference: Mustafi, Mukherjee, arXiv:2605.23879 (2026).
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from wflow.checks import increasing, non_negative, shape, to_real

from .conversions import number


def relaxation(rate: float, t: float) -> float:
    r"""Integral of an exponential decay up to time t.

    $\int_0^t e^{-\mathrm{rate}\,s}ds = (1 - e^{-\mathrm{rate}\,t})/\mathrm{rate}$.

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
    r"""What the transport adds to the bound on the log-ratio.

    $\int_0^t e^{-\beta(t-s)}\,\mathrm{osc}(2\alpha\nabla h'_s\cdot\nabla\delta)$.

    $2\alpha e^{-\beta t} G \sup|\nabla h'_0|\,(1-e^{-\alpha\kappa t})/(\alpha\kappa)$,
    G = sup of the gradient of delta and kappa a lower bound of the Hessian of V': the
    gradient of h' decays at the rate alpha kappa + beta.

    Raises:
        ValueError: an argument is negative or nan.
    """
    owner = "drift_term"
    t, alpha, beta = _scales(owner, t=t, alpha=alpha, beta=beta)
    grad_delta = number(owner, "grad_delta", grad_delta)
    grad_h0 = number(owner, "grad_h0", grad_h0)
    hess_lower = lower_bound(owner, "hess_lower", hess_lower)
    curvature = product(alpha, hess_lower)
    if curvature == -np.inf and t > 0:
        spread = np.inf
    elif curvature >= 0:
        spread = decay(beta * t) * relaxation(curvature, t)
    else:  # one exponential: neither overflows where their product does not
        spread = decay((beta + curvature) * t) * relaxation(-curvature, t)
    return product(2 * alpha, grad_delta, grad_h0, spread)


def source_bound(t: float, beta: float, osc_source: float, drift: float = 0.0) -> float:
    r"""The bound by the source, explicit.

    $\mathrm{osc}(r_t) \le \frac{1-e^{-\beta t}}{\beta} S$ + drift.

    S = osc of $\alpha(\Delta\delta - \nabla V'\cdot\nabla\delta) - \beta\delta$. Needs
    a domain without walls: at a wall r has a slope where delta has one. Equality at
    alpha = 0.

    Raises:
        ValueError: an argument is negative or nan.
    """
    t, beta = _scales("source_bound", t=t, beta=beta)
    osc_source = number("source_bound", "osc_source", osc_source)
    drift = number("source_bound", "drift", drift)
    return product(relaxation(beta, t), osc_source) + drift


def duhamel_bound(
    times: Float[np.ndarray, " T"], beta: float, osc_f: Float[np.ndarray, " T"]
) -> Float[np.ndarray, " T"]:
    r"""The bound by the source.

    $\mathrm{osc}(r_t) \le \int_0^t e^{-\beta(t-s)}\,\mathrm{osc}(f_s)\,ds$.

    f = $\alpha(\Delta\delta + \nabla\log\rho'\cdot\nabla\delta) - \beta\delta$, known
    at ``times`` (from zero); by the trapezoidal rule.

    Raises:
        ValueError: an argument is negative or nan.
    """
    (beta,) = _scales("duhamel_bound", beta=beta)
    increasing("duhamel_bound", "times", times)
    shape("duhamel_bound", "times", times, ("T",))
    times = np.asarray(times, float)
    if times.size == 0 or times[0] != 0:
        raise ValueError(
            "duhamel_bound: expected times from zero on, found "
            f"{times[0] if times.size else 'none'}."
        )
    non_negative("duhamel_bound", "osc_f", osc_f, infinite=True)
    shape("duhamel_bound", "osc_f", osc_f, times.shape)
    return duhamel_integral(times, beta, np.asarray(osc_f, float))


def duhamel_integral(
    times: Float[np.ndarray, " T"], beta: float, osc_f: Float[np.ndarray, " T"]
) -> Float[np.ndarray, " T"]:
    """``duhamel_bound`` of what is known to be right; nan where ``osc_f`` is."""
    # From one time to the next: over a long run the weights of the whole overflow.
    gaps = np.diff(times)
    lasting = np.exp(-beta * gaps)
    total = np.zeros(len(times))
    for k, (gap, stays) in enumerate(zip(gaps, lasting, strict=True)):
        kept = product(stays, total[k]) + gap / 2 * product(stays, osc_f[k])
        total[k + 1] = kept + gap / 2 * osc_f[k + 1]
    return total


def warm_start_bound(
    t: float, beta: float, osc_delta: float, osc_h0: float | tuple[float, float]
) -> float:
    r"""The bound by a warm start.

    $\mathrm{osc}(\delta) + e^{-\beta t}(\mathrm{osc}(h_0)+\mathrm{osc}(h'_0))$.

    One number is both. Needs no derivative; late it is the best, and tends to the
    targets' own distance.

    Raises:
        ValueError: an argument is negative or nan.
    """
    t, beta = _scales("warm_start_bound", t=t, beta=beta)
    osc_delta = number("warm_start_bound", "osc_delta", osc_delta)
    osc_h0 = both("warm_start_bound", "osc_h0", osc_h0)
    return osc_delta + product(decay(beta * t), sum(osc_h0))


def gradient_bound(t: float, beta: float, osc_delta: float, drift: float) -> float:
    r"""The bound by gradients.

    $\mathrm{osc}(r_t) \le (1 + e^{-\beta t})\,\mathrm{osc}(\delta)$ + drift.

    On a space without walls or a convex set with no-flux walls.

    Raises:
        ValueError: an argument is negative or nan.
    """
    t, beta = _scales("gradient_bound", t=t, beta=beta)
    osc_delta = number("gradient_bound", "osc_delta", osc_delta)
    drift = number("gradient_bound", "drift", drift)
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
    r"""The bound on the relative entropy, by gradients.

    $\mathrm{KL}_t \le e^{\mathrm{osc}(h'_0)(1-e^{-\beta t})}\,
    (\frac{\alpha}{4}G^2 + \frac{\beta}{16}\mathrm{osc}(\delta)^2)\,t$.

    With a log-Sobolev constant C of every $\rho'_s$ before t instead,
    $e^{\mathrm{osc}(h'_0)} (\frac{\alpha}{2}G^2 + \frac{\beta}{16}
    \mathrm{osc}(\delta)^2)\,(1-e^{-\alpha C t})/(\alpha C)$.

    Raises:
        ValueError: an argument is negative or nan.
    """
    t, alpha, beta = _scales("kl_bound", t=t, alpha=alpha, beta=beta)
    osc_delta = number("kl_bound", "osc_delta", osc_delta)
    grad_delta = number("kl_bound", "grad_delta", grad_delta)
    osc_h0 = number("kl_bound", "osc_h0", osc_h0)
    reaction = product(beta / 16, osc_delta, osc_delta)
    if log_sobolev is None:
        exponent = product(osc_h0, -np.expm1(-beta * t))
        rate = product(alpha / 4, grad_delta, grad_delta) + reaction
        return product(_growth(exponent), rate, t)
    log_sobolev = number("kl_bound", "log_sobolev", log_sobolev)
    rate = product(alpha / 2, grad_delta, grad_delta) + reaction
    exponent = 0.0 if beta == 0 else osc_h0
    return product(_growth(exponent), rate, relaxation(alpha * log_sobolev, t))


def both(owner: str, name: str, value: float | Sequence[float]) -> tuple[float, float]:
    """A pair of numbers >= 0; one number is both.

    Raises:
        ValueError: there are not one or two, or one is negative or nan.
        TypeError: they are no real numbers.
    """
    if np.shape(value) == ():
        return (number(owner, name, value),) * 2  # pyright: ignore[reportArgumentType]
    if np.shape(value) != (2,):
        raise ValueError(
            f"{owner}: expected {name}, one number or two, found shape "
            f"{np.shape(value)}."
        )
    first, second = value  # pyright: ignore[reportGeneralTypeIssues]
    return number(owner, name, first), number(owner, name, second)


def lower_bound(owner: str, name: str, value: float) -> float:
    """A lower bound of either sign; -inf where none is known.

    Raises:
        ValueError: it is nan or +inf.
        TypeError: it is no real number.
    """
    if type(value) is float and value < math.inf:
        return value
    shape(owner, name, value, ())
    found = float(to_real(value, name))
    if not found < math.inf:
        raise ValueError(f"{owner}: expected {name}, a number or -inf, found {found}.")
    return found


def _scales(owner: str, **values: float) -> list[float]:
    """Times and strengths: finite, and not negative."""
    return [number(owner, name, v, infinite=False) for name, v in values.items()]


def decay(exponent: float) -> float:
    """The factor $e^{-x}$, +inf where it overflows."""
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
