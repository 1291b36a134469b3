"""Numbers that summarise a population: functions of points and weights."""

import abc
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from wflow.learning import Snapshots


class AbstractSummary(abc.ABC):
    """A statistic in the unit of the coordinate ``axis``."""

    axis: int

    @abc.abstractmethod
    def __call__(
        self, x: Float[np.ndarray, "n d"], weights: Float[np.ndarray, " n"]
    ) -> float:
        """The number of points ``x``; weights are normalised."""


@dataclasses.dataclass(frozen=True)
class Mean(AbstractSummary):
    """The mean of a coordinate."""

    axis: int

    def __call__(self, x: np.ndarray, weights: np.ndarray) -> float:
        return _mean(x[:, self.axis], weights)


@dataclasses.dataclass(frozen=True)
class Deviation(AbstractSummary):
    """The standard deviation of a coordinate."""

    axis: int

    def __call__(self, x: np.ndarray, weights: np.ndarray) -> float:
        column = x[:, self.axis]
        return _mean((column - _mean(column, weights)) ** 2, weights) ** 0.5


@dataclasses.dataclass(frozen=True)
class Quantile(AbstractSummary):
    """A quantile of a coordinate, linear between points at the middle of their weight.

    Reference: Hyndman and Fan, American Statistician 50 (1996), definition 5.
    """

    axis: int
    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"Quantile: expected share in (0, 1), found {self.share}.")

    def __call__(self, x: np.ndarray, weights: np.ndarray) -> float:
        order = np.argsort(x[:, self.axis])
        below = np.cumsum(weights[order], dtype=np.float64)
        middles = (below - weights[order] / 2) / below[-1]
        return float(np.interp(self.share, middles, x[order, self.axis]))


@dataclasses.dataclass(frozen=True)
class Share:
    """The share of the population in a box."""

    low: Sequence[float]
    high: Sequence[float]

    def __call__(self, x: np.ndarray, weights: np.ndarray) -> float:
        inside = ((x >= self.low) & (x <= self.high)).all(axis=1)
        return _mean(inside, weights)


def total_mass(x: np.ndarray, weights: np.ndarray) -> float:
    """The size of the population."""
    del x
    return float(np.sum(weights, dtype=np.float64))


def summaries(
    labels: Sequence[str], quantiles: Sequence[float] = (0.1, 0.25, 0.5, 0.75, 0.9)
) -> dict[str, AbstractSummary]:
    """Mean, standard deviation and quantiles of every coordinate, by name."""
    found: dict[str, AbstractSummary] = {}
    for axis, label in enumerate(labels):
        found[f"mean of {label}"] = Mean(axis)
        found[f"standard deviation of {label}"] = Deviation(axis)
        for share in quantiles:
            found[f"{100 * share:g} % quantile of {label}"] = Quantile(axis, share)
    return found


def units(
    statistics: Mapping[str, AbstractSummary], snapshots: Snapshots
) -> Float[np.ndarray, " S"]:
    """Pooled standard deviation of the coordinate of every statistic."""
    spread = snapshots.standardise()[1].std
    return np.array([spread[summary.axis] for summary in statistics.values()])


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    total = np.sum(weights, dtype=np.float64)
    return float(np.dot(values.astype(np.float64), weights) / total)
