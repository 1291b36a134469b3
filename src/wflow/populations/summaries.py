"""Numbers that summarize a population: functions of points and weights."""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from wflow.checks import count, instance, shape, to_numpy, within
from wflow.learning import Snapshots
from wflow.learning.bands import check_statistics
from wflow.learning.clock import shown


class AbstractSummary(abc.ABC):
    """A statistic in the unit of the coordinate ``axis``."""

    axis: int

    @abc.abstractmethod
    def __call__(
        self, x: Float[np.ndarray, "n d"], weights: Float[np.ndarray, " n"]
    ) -> float:
        """The number of points ``x``; weights are normalized."""


@dataclasses.dataclass(frozen=True)
class Mean(AbstractSummary):
    """The mean of a coordinate.

    Raises:
        TypeError: axis is not whole.
        ValueError: axis < 0.
    """

    axis: int

    def __post_init__(self) -> None:
        count(self, "axis", self.axis, 0)

    def __call__(self, x: np.ndarray, weights: np.ndarray) -> float:
        return _mean(_column(self, x), weights)


@dataclasses.dataclass(frozen=True)
class Deviation(AbstractSummary):
    """The standard deviation of a coordinate.

    Raises:
        TypeError: axis is not whole.
        ValueError: axis < 0.
    """

    axis: int

    def __post_init__(self) -> None:
        count(self, "axis", self.axis, 0)

    def __call__(self, x: np.ndarray, weights: np.ndarray) -> float:
        column = _column(self, x)
        return _mean((column - _mean(column, weights)) ** 2, weights) ** 0.5


@dataclasses.dataclass(frozen=True)
class Quantile(AbstractSummary):
    """A quantile of a coordinate, linear between points at the middle of their weight.

    Raises:
        TypeError: axis is not whole.
        ValueError: axis < 0, or a share outside (0, 1).

    Reference: Hyndman and Fan, American Statistician 50 (1996), definition 5.
    """

    axis: int
    share: float

    def __post_init__(self) -> None:
        count(self, "axis", self.axis, 0)
        shape(self, "share", self.share, ())
        within(self, "share", self.share, 0, 1, closed="neither")

    def __call__(self, x: np.ndarray, weights: np.ndarray) -> float:
        column = _column(self, x)
        if np.isnan(column).any():
            return float("nan")
        order = np.argsort(column)
        below = np.cumsum(weights[order], dtype=np.float64)
        middles = (below - weights[order] / 2) / below[-1]
        return float(np.interp(self.share, middles, column[order]))


@dataclasses.dataclass(frozen=True)
class Share:
    """The share of the population in a box, open where an end is infinite.

    Raises:
        TypeError: ends that are no numbers.
        ValueError: ends that are nan, not ``(d,)``, or not in order.
    """

    low: Sequence[float]
    high: Sequence[float]

    def __post_init__(self) -> None:
        low, high = to_numpy(self.low, "low"), to_numpy(self.high, "high")
        if low.ndim != 1 or low.shape != high.shape or not low.size:
            raise ValueError(
                f"Share: expected low and high of shape (d,), found {low.shape} and "
                f"{high.shape}."
            )
        for name, ends in (("low", low), ("high", high)):
            if np.isnan(ends).any():
                raise ValueError(
                    f"Share: expected {name} of numbers or infinity, found nan."
                )
        if not (low <= high).all():
            raise ValueError(
                f"Share: expected low <= high, found {low.tolist()} and "
                f"{high.tolist()}."
            )

    def __call__(self, x: np.ndarray, weights: np.ndarray) -> float:
        shape("Share", "low", self.low, x.shape[1:])
        inside = ((x >= self.low) & (x <= self.high)).all(axis=1)
        return _mean(inside, weights)


def total_mass(x: np.ndarray, weights: np.ndarray) -> float:
    """The size of the population.

    Raises:
        ValueError: weights that are not one for each point.
    """
    weights = to_numpy(weights, "weights")
    if weights.shape != np.shape(x)[:1]:
        raise ValueError(
            f"total_mass: expected weights of shape (n,) for x of shape (n, d), found "
            f"{weights.shape} and {np.shape(x)}."
        )
    return float(np.sum(weights, dtype=np.float64))


def summaries(
    labels: Sequence[str], quantiles: Sequence[float] = (0.1, 0.25, 0.5, 0.75, 0.9)
) -> dict[str, AbstractSummary]:
    """Mean, standard deviation and quantiles of every coordinate, by name.

    Raises:
        TypeError: labels that are no list of texts.
        ValueError: two labels that are the same, or a quantile outside (0, 1).
    """
    instance("summaries", "labels", labels, (list, tuple), "a list of texts")
    for label in labels:
        instance("summaries", "labels", label, str, "a list of texts")
    if len(set(labels)) < len(labels):
        raise ValueError(f"summaries: expected different labels, found {list(labels)}.")
    asked = to_numpy(quantiles, "quantiles")
    shape("summaries", "quantiles", asked, ("Q",))
    within("summaries", "quantiles", asked, 0, 1, closed="neither")
    found: dict[str, AbstractSummary] = {}
    for axis, label in enumerate(labels):
        found[f"mean of {label}"] = Mean(axis)
        found[f"standard deviation of {label}"] = Deviation(axis)
        for share in asked.tolist():
            found[f"{shown(100 * share)} % quantile of {label}"] = Quantile(axis, share)
    return found


def units(
    statistics: Mapping[str, AbstractSummary], snapshots: Snapshots
) -> Float[np.ndarray, " S"]:
    """Pooled standard deviation of the coordinate of every statistic.

    Raises:
        TypeError: statistics without an axis, or no snapshots.
        ValueError: no statistic, or a coordinate that the snapshots lack.
    """
    check_statistics("units", statistics)
    instance("units", "snapshots", snapshots, Snapshots, "Snapshots")
    for name, summary in statistics.items():
        axis: Any = getattr(summary, "axis", None)
        count("units", f"the axis of statistics[{name!r}]", axis, 0)
        if axis >= snapshots.dim:
            raise ValueError(
                f"units: expected the axis of statistics[{name!r}] below "
                f"{snapshots.dim}, found {axis}."
            )
    spread = snapshots.standardize()[1].std
    return np.array([spread[summary.axis] for summary in statistics.values()])


def _column(summary: AbstractSummary, x: np.ndarray) -> np.ndarray:
    """The coordinate of a summary."""
    if np.ndim(x) != 2 or summary.axis >= x.shape[1]:
        raise ValueError(
            f"{type(summary).__name__}: expected axis of points (n, d), d > axis, "
            f"found axis {summary.axis} and points of shape {np.shape(x)}."
        )
    return x[:, summary.axis]


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    total = np.sum(weights, dtype=np.float64)
    return float(np.dot(values.astype(np.float64), weights) / total)
