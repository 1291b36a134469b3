"""What the theorem asks of the mean-field loss, and what it then promises."""

import numpy as np
from jaxtyping import ArrayLike, Float


# A loss that falls by less than this power of time stands still.
_STANDSTILL = 0.05


def integral_sqrt_loss(
    times: Float[ArrayLike, " T"], loss: Float[ArrayLike, " T"]
) -> float:
    r"""$\int \sqrt{L_t}\,dt$ over the times given, by trapezia."""
    return float(np.trapezoid(np.sqrt(np.maximum(loss, 0)), times))


def decay_exponent(
    times: Float[ArrayLike, " T"],
    loss: Float[ArrayLike, " T"],
    *,
    decades: float = 1.0,
    floor: float = 1e-10,
) -> float:
    r"""C of $L_t \sim t^{-c}$: least squares over the last decade above a floor.

    Raises:
        ValueError: fewer than three losses in the window.
    """
    t, value = np.asarray(times, float), np.asarray(loss, float)
    clean = (t > 0) & (value > floor)
    last = t[clean].max(initial=0)
    window = clean & (t >= last / 10**decades)
    if window.sum() < 3:
        raise ValueError(
            f"decay_exponent: expected at least 3 losses above {floor:g} in the last "
            f"{decades:g} decades of time, found {int(window.sum())}."
        )
    return float(-np.polyfit(np.log(t[window]), np.log(value[window]), 1)[0])


def bound_exponent(decay: float) -> float:
    r"""$\min(1, c/6)$: $\sup_t E\|\Delta_t\|^2 \lesssim \mathrm{poly}(d)\,m^{-\cdot}$.

    An upper bound, not known to be attained.

    Reference: Glasgow, Bruna, arXiv:2605.22010 (abstract).
    """
    return min(1.0, max(0.0, decay) / 6)


def gronwall_factor(rate: float, horizon: float) -> float:
    r"""$e^{2 C T}$, by which a squared gap grows at most at the Lipschitz rate C."""
    return float(np.exp(2 * rate * horizon))


def verdict(slope: float, error: float, decay: float) -> str:
    """What a fitted slope in m says about the theorem.

    "loss floor" where the loss stands still (an exponent within .05 of 0: too few
    neurons for the teacher, or noise), "not uniform in time" where it grows; "outside
    hypothesis" for c <= 2, where its root is not integrable; else "consistent" or
    "inconsistent", two standard errors allowed.
    """
    if abs(decay) <= _STANDSTILL:
        return "loss floor"
    if decay < 0:
        return "not uniform in time"
    if decay <= 2:
        return "outside hypothesis"
    holds = -slope >= bound_exponent(decay) - 2 * error
    return "consistent" if holds else "inconsistent"
