"""What the theorem asks of the mean-field loss, and what it then promises."""

import warnings

import numpy as np
from jaxtyping import ArrayLike, Float

from wflow.checks import (
    finite,
    increasing,
    non_negative,
    positive,
    shape,
    within,
)


# A loss that falls by less than this power of time stands still.
_STANDSTILL = 0.05
# Of a fitted exponent.
_ROUNDING = 1e-6


def integral_sqrt_loss(
    times: Float[ArrayLike, " T"], loss: Float[ArrayLike, " T"]
) -> float:
    r"""Integral of the root of a loss, which the theorems ask to be finite.

    $\int \sqrt{L_t}\,dt$ over the times given, by trapezia.

    Args:
        times: ``(T,)``, increasing.
        loss: ``(T,)``, not negative.

    Warns:
        UserWarning: the loss falls like $t^{-c}$ with $c \leq 2$ at the end, so that
            the integral over all times diverges.

    Raises:
        ValueError: times that do not increase, or losses of another shape, negative or
            not finite.
    """
    t, value = _series("integral_sqrt_loss", times, loss)
    try:
        decay = decay_exponent(t, value, floor=0.0)
    except ValueError:
        decay = np.inf  # Too short to have an exponent.
    if decay <= 2 + _ROUNDING:
        warnings.warn(
            f"integral_sqrt_loss: over the last decade of times the loss falls like "
            f"t^-{decay:.2g}; at t^-2 or slower the integral over all times diverges, "
            "and this is its part up to the last of the times.",
            stacklevel=2,
        )
    return float(np.trapezoid(np.sqrt(value), t))


def decay_exponent(
    times: Float[ArrayLike, " T"],
    loss: Float[ArrayLike, " T"],
    *,
    decades: float = 1.0,
    floor: float = 1e-10,
) -> float:
    r"""C of $L_t \sim t^{-c}$: least squares over the last decade above a floor.

    Args:
        times: ``(T,)``, increasing.
        loss: ``(T,)``, not negative.
        decades: of time, in the window.
        floor: losses at or below it are left out.

    Raises:
        ValueError: fewer than three losses in the window, times that do not increase,
            losses of another shape, negative or not finite, or numbers out of range.
    """
    t, value = _series("decay_exponent", times, loss)
    shape("decay_exponent", "decades", decades, ())
    positive("decay_exponent", "decades", decades)
    shape("decay_exponent", "floor", floor, ())
    non_negative("decay_exponent", "floor", floor)
    clean = (t > 0) & (value > floor)
    last = t[clean].max(initial=0)
    window = clean & (t >= last / 10**decades)
    if window.sum() < 3:
        raise ValueError(
            f"decay_exponent: expected loss to have at least 3 entries above {floor:g} "
            f"in the last {decades:g} decades of time, found {int(window.sum())}."
        )
    return float(-np.polyfit(np.log(t[window]), np.log(value[window]), 1)[0])


def _series(
    owner: str, times: ArrayLike, loss: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Times and losses, checked."""
    shape(owner, "times", times, ("T",))
    increasing(owner, "times", times)
    shape(owner, "loss", loss, np.shape(times))
    non_negative(owner, "loss", loss)
    return np.asarray(times, float), np.asarray(loss, float)


def bound_exponent(decay: float) -> float:
    r"""Exponent of the width in the bound for a loss that falls as a power of time.

    $\min(1, c/6)$: $\sup_t E\|\Delta_t\|^2 \lesssim \mathrm{poly}(d)\,m^{-\cdot}$. An
    upper bound, not known to be attained.

    Args:
        decay: c; infinite where the loss falls faster than any power.

    Raises:
        ValueError: a decay that is nan.

    Reference: Glasgow, Bruna, arXiv:2605.22010 (abstract).
    """
    shape("bound_exponent", "decay", decay, ())
    within("bound_exponent", "decay", decay, -np.inf, np.inf)
    return min(1.0, max(0.0, float(decay)) / 6)


def gronwall_factor(rate: float, horizon: float) -> float:
    """How much a gap between two networks can grow, by Gronwall's argument.

    $e^{2 C T}$ for a squared gap at the Lipschitz rate C.

    Raises:
        ValueError: a rate or a horizon that is negative or not finite.
    """
    for name, value in (("rate", rate), ("horizon", horizon)):
        shape("gronwall_factor", name, value, ())
        non_negative("gronwall_factor", name, value)
    return float(np.exp(2 * rate * horizon))


def verdict(slope: float, error: float, decay: float) -> str:
    """What a fitted slope in m says about the theorem.

    "loss floor" where the loss stands still (an exponent within .05 of 0: too few
    neurons for the teacher, or noise), "not uniform in time" where it grows; "outside
    hypothesis" for c <= 2, where its root is not integrable; else "consistent" or
    "inconsistent", two standard errors allowed.

    Args:
        slope: of the log of the squared gap on log m.
        error: its standard error.
        decay: the exponent c of the loss; infinite where it falls faster than any
            power.

    Raises:
        ValueError: a slope that is not finite, an error that is negative or not finite,
            or a decay that is nan.
    """
    for name, value in (("slope", slope), ("error", error), ("decay", decay)):
        shape("verdict", name, value, ())
    finite("verdict", "slope", slope)
    non_negative("verdict", "error", error)
    within("verdict", "decay", decay, -np.inf, np.inf)
    if abs(decay) <= _STANDSTILL:
        return "loss floor"
    if decay < 0:
        return "not uniform in time"
    if decay <= 2:
        return "outside hypothesis"
    holds = -slope >= bound_exponent(decay) - 2 * error
    return "consistent" if holds else "inconsistent"
