"""From a bound on one divergence to every other notion of privacy."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import binom

from wflow.measures import Gaussian


# Roots are found to this relative accuracy, and then moved to the safe side by it.
_ACCURACY = 1e-12


def at_least(owner: str, name: str, value: float, least: float) -> float:
    """``value`` as a float; refused where it is less than ``least`` or nan."""
    value = float(value)
    if not value >= least:
        raise ValueError(f"{owner}: expected {name} >= {least:g}, found {value}.")
    return value


def renyi_from_pure(pure: float, order: float) -> float:
    r"""$D_a \le \frac{1}{a-1}\log\frac{\cosh((a-\frac12)\epsilon)}{\cosh(\epsilon/2)}$.

    The Renyi divergence of order a > 1 of randomised response, the largest that pure
    $\epsilon$ allows; at most $\min(\epsilon, a\epsilon^2/2)$.

    Reference: Bun, Steinke, TCC 2016, proposition 3.3.
    """
    pure = at_least("renyi_from_pure", "pure", pure, 0)
    order = _order("renyi_from_pure", order)
    if math.isinf(pure) or math.isinf(order):
        return pure
    return (_log_cosh((order - 0.5) * pure) - _log_cosh(pure / 2)) / (order - 1)


def kl_from_pure(pure: float) -> float:
    r"""$\mathrm{KL} \le \epsilon\tanh(\epsilon/2)$: ``renyi_from_pure`` at order 1."""
    pure = at_least("kl_from_pure", "pure", pure, 0)
    return pure * math.tanh(pure / 2)


def delta_from_pure(pure: float, epsilon: float, *, draws: int = 1) -> float:
    r"""The least $\delta$ for ``draws`` independent draws that are each pure private.

    $\delta = \sum_j (P(j) - e^\epsilon Q(j))^+$ with P and Q the binomial laws of so
    many randomised responses, which no other mechanism exceeds.

    Reference: Kairouz, Oh, Viswanath, ICML 2015, theorem 3.3.
    """
    pure = at_least("delta_from_pure", "pure", pure, 0)
    epsilon = at_least("delta_from_pure", "epsilon", epsilon, 0)
    draws = count("delta_from_pure", draws)
    if math.isinf(pure):
        return 1.0
    j = np.arange(draws + 1)
    p, q = 1 / (1 + math.exp(-pure)), 1 / (1 + math.exp(min(pure, 700.0)))
    logp, logq = binom.logpmf(j, draws, p), binom.logpmf(j, draws, q)
    terms = np.exp(logp) * -np.expm1(np.minimum(epsilon + logq - logp, 0.0))
    return float(min(terms.sum(), 1.0))


def epsilon_from_pure(pure: float, delta: float, *, draws: int = 1) -> float:
    r"""The least $\epsilon$ with ``delta_from_pure`` at most ``delta``."""
    pure = at_least("epsilon_from_pure", "pure", pure, 0)
    delta = _probability("epsilon_from_pure", delta)
    total = count("epsilon_from_pure", draws) * pure
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

    Reference: Asoodeh, Liao, Calmon, Kosut, Sankar, IEEE JSAIT 2 (2021), theorem 3.
    """
    epsilon = at_least("divergence_budget", "epsilon", epsilon, 0)
    delta = _probability("divergence_budget", delta)
    if order != 1:
        order = _order("divergence_budget", order)
    if delta == 0:
        return 0.0
    if delta == 1:
        return math.inf
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
    """
    return _delta("delta_from_kl", kl, epsilon, 1.0)


def delta_from_renyi(divergence: float, epsilon: float, order: float) -> float:
    r"""The least $\delta$ at ``epsilon`` from a Renyi divergence of order a > 1."""
    return _delta(
        "delta_from_renyi", divergence, epsilon, _order("delta_from_renyi", order)
    )


def epsilon_from_kl(kl: float, delta: float) -> float:
    r"""The least $\epsilon$ at ``delta`` that a bound on KL guarantees, sharp."""
    return _epsilon("epsilon_from_kl", kl, delta, 1.0)


def epsilon_from_renyi(divergence: float, delta: float, order: float) -> float:
    r"""The least $\epsilon$ at ``delta`` from a Renyi divergence of order a > 1."""
    return _epsilon(
        "epsilon_from_renyi", divergence, delta, _order("epsilon_from_renyi", order)
    )


def gaussian_renyi(mu: Gaussian, nu: Gaussian, order: float) -> float:
    r"""$D_a(\mu\|\nu)$ of two Gaussians; order 1 is KL.

    $\frac{a}{2} v^T S_a^{-1} v - \frac{1}{2(a-1)}\log\frac{|S_a|}{|S|^{1-a}|S'|^a}$
    with v the gap of the means and $S_a = (1-a)S + aS'$; +inf where $S_a$ is not
    positive. Gaussian flows of two data sets have no finite pure guarantee, but this.

    Reference: Gil, Alajaji, Linder, Information Sciences 249 (2013), table 2.
    """
    a = 1.0 if order == 1 else _order("gaussian_renyi", order)
    v = np.asarray(mu.mean, float) - np.asarray(nu.mean, float)
    s, t = np.asarray(mu.cov, float), np.asarray(nu.cov, float)
    if a == 1:
        ratio = np.linalg.solve(t, s)
        logdet = np.linalg.slogdet(ratio)[1]
        quadratic = v @ np.linalg.solve(t, v)
        return float(quadratic + np.trace(ratio) - len(v) - logdet) / 2
    mixed = (1 - a) * s + a * t
    if math.isinf(a) or np.linalg.eigvalsh(mixed)[0] <= 0:
        return math.inf
    logs = [np.linalg.slogdet(matrix)[1] for matrix in (mixed, s, t)]
    determinants = logs[0] - (1 - a) * logs[1] - a * logs[2]
    quadratic = a * v @ np.linalg.solve(mixed, v)
    return float(quadratic - determinants / (a - 1)) / 2


def count(owner: str, draws: int) -> int:
    """``draws``, refused where it is no whole number from one on."""
    if draws != int(draws) or draws < 1:
        raise ValueError(
            f"{owner}: expected draws, a whole number >= 1, found {draws}."
        )
    return int(draws)


def _order(owner: str, order: float) -> float:
    order = float(order)
    if not order > 1:
        raise ValueError(f"{owner}: expected a Renyi order > 1, found {order}.")
    return order


def _probability(owner: str, delta: float) -> float:
    delta = float(delta)
    if not 0 <= delta <= 1:
        raise ValueError(f"{owner}: expected delta in [0, 1], found {delta}.")
    return delta


def _log_cosh(x: float) -> float:
    if x < 1:
        return math.log1p(2 * math.sinh(x / 2) ** 2)
    return x - math.log(2) + math.log1p(math.exp(-2 * x))


def _bernoulli(p: float, logq: float, order: float) -> float:
    """Divergence of Bernoulli(p) from Bernoulli(q), p >= q > 0."""
    rest = 0.0 if p == 1 else math.log1p(-math.exp(logq))
    if order == 1:
        tail = 0.0 if p == 1 else (1 - p) * (math.log1p(-p) - rest)
        return p * (math.log(p) - logq) + tail
    hit = order * math.log(p) + (1 - order) * logq
    miss = -math.inf if p == 1 else order * math.log1p(-p) + (1 - order) * rest
    return float(np.logaddexp(hit, miss)) / (order - 1)


def _delta(owner: str, divergence: float, epsilon: float, order: float) -> float:
    divergence = at_least(owner, "the divergence", divergence, 0)
    epsilon = at_least(owner, "epsilon", epsilon, 0)
    if divergence == 0 or math.isinf(divergence):
        return 0.0 if divergence == 0 else 1.0
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
    divergence = at_least(owner, "the divergence", divergence, 0)
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
    root: Any = brentq(gap, 0.0, high, xtol=_ACCURACY, rtol=_ACCURACY)
    return min(root * (1 + 1e-9) + 1e-12, high)
