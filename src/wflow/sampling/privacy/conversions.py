"""From a bound on one divergence to every other notion of privacy."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import binom

from wflow.checks import count, instance, non_negative, shape, within
from wflow.measures import Gaussian


# Roots are found to this relative accuracy, and then moved to the safe side by it.
_ACCURACY = 1e-12


def number(owner: str, name: str, value: float, *, infinite: bool = True) -> float:
    """``value`` as a float; refused where it is below zero, nan or no number.

    Raises:
        ValueError: it is negative or nan, or infinite though it must not be.
        TypeError: it is no real number.
    """
    if type(value) is float and 0 <= value < math.inf:
        return value  # accountants ask thousands of times
    shape(owner, name, value, ())
    non_negative(owner, name, value, infinite=infinite)
    return float(value)


def renyi_from_pure(pure: float, order: float) -> float:
    r"""Renyi divergence that pure privacy allows at most.

    $D_a \le \frac{1}{a-1}\log\frac{\cosh((a-\frac12)\epsilon)}{\cosh(\epsilon/2)}$.

    That of order a > 1 of randomized response, the largest that pure $\epsilon$ allows;
    at most $\min(\epsilon, a\epsilon^2/2)$.

    Raises:
        ValueError: an argument out of range, or nan.

    Reference: Bun, Steinke, TCC 2016, proposition 3.3.
    """
    pure = number("renyi_from_pure", "pure", pure)
    order = _order("renyi_from_pure", order)
    if math.isinf(pure) or math.isinf(order):
        return pure
    above = (order - 1) * pure
    if above < 1:  # the logarithms below differ by less and less towards order 1
        growth = 2 * math.sinh(above / 2) ** 2 + math.sinh(above) * math.tanh(pure / 2)
        return math.log1p(growth) / (order - 1)
    return (_log_cosh((order - 0.5) * pure) - _log_cosh(pure / 2)) / (order - 1)


def kl_from_pure(pure: float) -> float:
    r"""Kullback-Leibler divergence that pure privacy allows at most.

    $\mathrm{KL} \le \epsilon\tanh(\epsilon/2)$: ``renyi_from_pure`` at order 1.

    Raises:
        ValueError: ``pure`` is negative or nan.
    """
    pure = number("kl_from_pure", "pure", pure)
    return pure * math.tanh(pure / 2)


def delta_from_pure(pure: float, epsilon: float, *, draws: int = 1) -> float:
    r"""The least $\delta$ for ``draws`` independent draws that are each pure private.

    $\delta = \sum_j (P(j) - e^\epsilon Q(j))^+$ with P and Q the binomial laws of so
    many randomized responses, which no other mechanism exceeds.

    Raises:
        ValueError: an argument out of range, or nan.

    Reference: Kairouz, Oh, Viswanath, ICML 2015, theorem 3.3.
    """
    pure = number("delta_from_pure", "pure", pure)
    epsilon = number("delta_from_pure", "epsilon", epsilon)
    draws = draw_count("delta_from_pure", draws)
    if math.isinf(pure):
        return 1.0
    j = np.arange(draws + 1)
    # The laws' log-ratio as it is, not as a difference: small deltas are a matter of
    # its last digits.
    ratio = pure * (2 * j - draws)
    terms = binom.pmf(j, draws, 1 / (1 + math.exp(-pure)))
    terms = terms * -np.expm1(np.minimum(epsilon - ratio, 0.0))
    return float(min(terms.sum(), 1.0))


def epsilon_from_pure(pure: float, delta: float, *, draws: int = 1) -> float:
    r"""The least $\epsilon$ with ``delta_from_pure`` at most ``delta``.

    At most the pure level of all draws together, which it is for ``delta`` of 0.

    Raises:
        ValueError: an argument out of range, or nan.
    """
    pure = number("epsilon_from_pure", "pure", pure)
    delta = _probability("epsilon_from_pure", delta)
    total = draw_count("epsilon_from_pure", draws) * pure
    if math.isinf(pure) or delta == 0:
        return total
    return _least(
        lambda epsilon: delta - delta_from_pure(pure, epsilon, draws=draws), total
    )


def divergence_budget(epsilon: float, delta: float, order: float = 1.0) -> float:
    r"""The largest divergence that guarantees $(\epsilon, \delta)$ privacy.

    $\min_q D_a(\delta + e^\epsilon q\,\|\,q)$ over Bernoulli laws: a test that breaks
    the guarantee shows two of them, and no divergence grows by looking at a test only.
    So the conversion is sharp. Order 1 is KL.

    Raises:
        ValueError: an argument out of range, or nan.

    Reference: Asoodeh, Liao, Calmon, Kosut, Sankar, IEEE JSAIT 2 (2021), theorem 3.
    """
    epsilon = number("divergence_budget", "epsilon", epsilon)
    delta = _probability("divergence_budget", delta)
    order = _order("divergence_budget", order, kl=True)
    if delta == 0:
        return 0.0
    if delta == 1 or math.isinf(epsilon):
        return math.inf
    if math.isinf(order):
        return (epsilon - math.log1p(-delta)) * (1 - _ACCURACY)
    # Convex in q (order 1) or so after an exponential: one minimum, found in log q.
    top = math.log1p(-delta) - epsilon

    def divergence(logq: float) -> float:
        return _bernoulli(min(delta + math.exp(epsilon + logq), 1.0), logq, order)

    # Where q is this small, p is delta and the divergence decreases in q.
    low = min(top, math.log(delta) - epsilon) - 60
    found = minimize_scalar(
        divergence, bounds=(low, top), method="bounded", options={"xatol": 1e-9}
    )
    return float(min(found.fun, divergence(top))) * (1 - _ACCURACY)


def delta_from_kl(kl: float, epsilon: float) -> float:
    r"""The least $\delta$ at ``epsilon`` that a bound on KL guarantees, sharp.

    At $\epsilon = 0$ a bound on total variation, at most $\sqrt{\mathrm{KL}/2}$.

    Raises:
        ValueError: an argument out of range, or nan.
    """
    kl = number("delta_from_kl", "kl", kl)
    return _delta("delta_from_kl", kl, epsilon, 1.0)


def delta_from_renyi(divergence: float, epsilon: float, order: float) -> float:
    r"""The least $\delta$ at ``epsilon`` from a Renyi divergence of order a > 1.

    Raises:
        ValueError: an argument out of range, or nan.
    """
    return _delta(
        "delta_from_renyi", divergence, epsilon, _order("delta_from_renyi", order)
    )


def epsilon_from_kl(kl: float, delta: float) -> float:
    r"""The least $\epsilon$ at ``delta`` that a bound on KL guarantees, sharp.

    Raises:
        ValueError: an argument out of range, or nan.
    """
    kl = number("epsilon_from_kl", "kl", kl)
    return _epsilon("epsilon_from_kl", kl, delta, 1.0)


def epsilon_from_renyi(divergence: float, delta: float, order: float) -> float:
    r"""The least $\epsilon$ at ``delta`` from a Renyi divergence of order a > 1.

    Raises:
        ValueError: an argument out of range, or nan.
    """
    return _epsilon(
        "epsilon_from_renyi", divergence, delta, _order("epsilon_from_renyi", order)
    )


def gaussian_renyi(mu: Gaussian, nu: Gaussian, order: float) -> float:
    r"""Renyi divergence of two Gaussians, the privacy of Gaussian flows.

    $D_a(\mu\|\nu)$ of two Gaussians; order 1 is KL.

    $\frac{a}{2} v^T S_a^{-1} v - \frac{1}{2(a-1)}\log\frac{|S_a|}{|S|^{1-a}|S'|^a}$
    with v the gap of the means and $S_a = (1-a)S + aS'$; +inf where $S_a$ is not
    positive. Gaussian flows of two data sets have no finite pure guarantee, but this.

    Raises:
        TypeError: a law that is not Gaussian.
        ValueError: an order below 1, or laws of unlike dimensions.

    Reference: Gil, Alajaji, Linder, Information Sciences 249 (2013), table 2.
    """
    for name, law in (("mu", mu), ("nu", nu)):
        instance("gaussian_renyi", name, law, Gaussian, "a Gaussian")
    shape("gaussian_renyi", "nu.mean", nu.mean, (mu.dim,))
    above = _order("gaussian_renyi", order, kl=True) - 1
    v = np.asarray(mu.mean, float) - np.asarray(nu.mean, float)
    s, t = np.asarray(mu.cov, float), np.asarray(nu.cov, float)
    if not v.any() and (s == t).all():
        return 0.0
    # In coordinates in which S' is the identity and S is diagonal.
    ratios, basis = eigh(s, t)
    squares = (v @ basis) ** 2
    if math.isinf(above):
        if ratios.max() >= 1:
            return math.inf
        return float(np.sum(squares / (1 - ratios)) - np.sum(np.log(ratios))) / 2
    excess = ratios - 1
    mixed = 1 - above * excess
    if mixed.min() <= 0:
        return math.inf
    # Its limit at order 1 is a term of the Kullback-Leibler divergence.
    logs = -np.log1p(-above * excess) / above if above > 0 else excess
    quadratic = (1 + above) * np.sum(squares / mixed)
    return float(quadratic + np.sum(logs - np.log(ratios))) / 2


def draw_count(owner: str, draws: int) -> int:
    """``draws``, refused where it is no whole number from one on."""
    count(owner, "draws", draws)
    return int(draws)


def _order(owner: str, order: float, *, kl: bool = False) -> float:
    """An order above one; one itself where ``kl`` has a meaning."""
    shape(owner, "order", order, ())
    within(owner, "order", order, 1, math.inf, closed="both" if kl else "high")
    return float(order)


def _probability(owner: str, delta: float) -> float:
    shape(owner, "delta", delta, ())
    within(owner, "delta", delta, 0, 1)
    return float(delta)


def _log_cosh(x: float) -> float:
    if x < 1:
        return math.log1p(2 * math.sinh(x / 2) ** 2)
    return x - math.log(2) + math.log1p(math.exp(-2 * x))


def _bernoulli(p: float, logq: float, order: float) -> float:
    """Divergence of Bernoulli(p) from Bernoulli(q), p >= q > 0."""
    rest = 0.0 if p == 1 else math.log1p(-math.exp(logq))
    ratio = math.log(p) - logq
    other = 0.0 if p == 1 else math.log1p(-p) - rest
    if order == 1:
        return p * ratio + (1 - p) * other
    above = order - 1
    if above * max(ratio, -other) < 1:  # here the logarithms below cancel
        gain = p * math.expm1(above * ratio) + (1 - p) * math.expm1(above * other)
        return math.log1p(gain) / above
    hit = order * math.log(p) + (1 - order) * logq
    miss = -math.inf if p == 1 else order * math.log1p(-p) + (1 - order) * rest
    return float(np.logaddexp(hit, miss)) / (order - 1)


def _delta(owner: str, divergence: float, epsilon: float, order: float) -> float:
    divergence = number(owner, "divergence", divergence)
    epsilon = number(owner, "epsilon", epsilon)
    if divergence == 0 or math.isinf(epsilon):
        return 0.0
    if math.isinf(divergence):
        return 1.0
    # In log delta: guarantees of interest are small.
    low = -700.0
    if divergence_budget(epsilon, math.exp(low), order) >= divergence:
        return math.exp(low)
    gap = lambda log: divergence_budget(epsilon, math.exp(log), order) - divergence
    high = -1e-15
    if gap(high) <= 0:
        return 1.0
    root = brentq(gap, low, high, xtol=1e-13, rtol=_ACCURACY)
    return min(math.exp(root) * (1 + 1e-9), 1.0)


def _epsilon(owner: str, divergence: float, delta: float, order: float) -> float:
    divergence = number(owner, "divergence", divergence)
    delta = _probability(owner, delta)
    if divergence == 0 or delta == 1:
        return 0.0
    if math.isinf(divergence) or delta == 0:
        return math.inf
    gap = lambda epsilon: divergence_budget(epsilon, delta, order) - divergence
    high = 1.0
    while gap(high) < 0:
        high *= 2
        if high > 1e6:
            return math.inf
    return _least(gap, high)


def _least(gap: Callable[[float], float], high: float) -> float:
    """The least argument in [0, high] where an increasing ``gap`` is not negative."""
    if gap(0.0) >= 0:
        return 0.0
    if gap(high) <= 0:
        return high
    root: Any = brentq(gap, 0.0, high, xtol=_ACCURACY, rtol=_ACCURACY)
    return min(root * (1 + 1e-9) + 1e-12, high)
