"""Averages over the cycles of a filter, with their errors."""

from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Float
from scipy.special import stdtrit

from wflow import checks


# Fewer batches have no deviation that says anything.
_FEWEST = 4


class Average(NamedTuple):
    """A mean over time, and the interval that it is known to.

    Attributes:
        mean: over the cycles that count.
        low, high: ends of the interval; nan where there are too few cycles.
        error: standard error of the mean.
    """

    mean: float
    low: float
    high: float
    error: float

    def __str__(self) -> str:
        return f"{self.mean:.4g} ({self.low:.4g} to {self.high:.4g})"


def time_average(
    series: Float[ArrayLike, " T"], burn_in: int = 0, level: float = 0.95
) -> Average:
    r"""The mean of a correlated series after its burn-in, with a confidence interval.

    By batch means: the cycles that count are cut into $b = \lfloor\sqrt n\rfloor$
    batches, whose means are nearly independent; their deviation over $\sqrt b$ is the
    standard error, and Student's law of $b - 1$ degrees of freedom gives the interval.

    Args:
        series: a number for each cycle, ``(T,)``.
        burn_in: how many cycles at the start do not count.
        level: of the interval, in (0, 1).

    Raises:
        ValueError: no cycle counts, or a level outside (0, 1).

    Reference: Flegal, Jones, Ann. Statist. 38 (2010), section 2.1.
    """
    checks.count("time_average", "burn_in", burn_in, least=0)
    checks.within("time_average", "level", level, 0, 1)
    series = np.asarray(series, float)
    if burn_in >= len(series):
        raise ValueError(
            f"time_average: expected burn_in below {len(series)}, the number of "
            f"cycles, found {burn_in}."
        )
    late = series[burn_in:]
    n = len(late)
    mean, batches = float(late.mean()), int(n**0.5)
    if batches < _FEWEST:
        return Average(mean, np.nan, np.nan, np.nan)
    size = n // batches
    # The first cycles that fill no batch are nearest to the burn-in.
    means = late[n - size * batches :].reshape(batches, size).mean(axis=1)
    error = float(means.std(ddof=1) / batches**0.5)
    reach = error * float(stdtrit(batches - 1, (1 + level) / 2))
    return Average(mean, mean - reach, mean + reach, error)
