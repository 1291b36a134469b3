"""How often what was observed lies in the bands, and how wide these are."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from wflow.checks import instance, positive, shape, to_numpy, within
from wflow.learning import Snapshots
from wflow.learning.bands import Part, Prediction, check_statistics, evaluated
from wflow.learning.clock import read_times, shown

from .summaries import AbstractSummary


@dataclasses.dataclass(frozen=True, eq=False)
class Coverage:
    """Bands of S statistics at T times beside what was observed.

    A band may hold everything by being wide: read the share of those held beside the
    width, and the interval score, which no band can improve but by being right.

    Attributes:
        names: of the statistics.
        times: of the observations.
        level: probability that each band claims.
        observed: the statistics of the observed clouds.
        low: lower ends of the bands.
        high: upper ends of the bands.
        unit: of each statistic, in which widths and scores are given.

    Raises:
        ValueError: a level outside (0, 1), units that are not > 0, or arrays of other
            shapes.
    """

    names: tuple[str, ...]
    times: Float[np.ndarray, " T"]
    level: float
    observed: Float[np.ndarray, "S T"]
    low: Float[np.ndarray, "S T"]
    high: Float[np.ndarray, "S T"]
    unit: Float[np.ndarray, " S"]

    def __post_init__(self) -> None:
        times = read_times("Coverage", "times", self.times)
        instance(self, "names", self.names, (tuple, list), "a tuple of names")
        shape(self, "level", self.level, ())
        within(self, "level", self.level, 0, 1, closed="neither")
        for name in ("observed", "low", "high"):
            found = to_numpy(getattr(self, name), name)
            if found.shape != (len(self.names), times.size):
                raise ValueError(
                    f"Coverage: expected {name} of shape ({len(self.names)}, "
                    f"{times.size}), as many as names and times, found {found.shape}."
                )
        shape(self, "unit", to_numpy(self.unit, "unit"), (len(self.names),))
        positive(self, "unit", self.unit)

    @property
    def covered(self) -> Bool[np.ndarray, "S T"]:
        """Which observations lie in their band."""
        return (self.low <= self.observed) & (self.observed <= self.high)

    @property
    def share(self) -> float:
        """The share of those that do, to be compared with ``level``."""
        return float(self.covered.mean())

    @property
    def shares(self) -> Float[np.ndarray, " T"]:
        """The same at each time."""
        return self.covered.mean(axis=0)

    @property
    def count(self) -> int:
        """How many there are; those of one cloud are not independent."""
        return self.observed.size

    @property
    def width(self) -> float:
        """Mean width of the bands, in units."""
        return float(self.widths.mean())

    @property
    def widths(self) -> Float[np.ndarray, " T"]:
        """The same at each time."""
        return np.mean((self.high - self.low) / self.unit[:, None], axis=0)

    @property
    def interval_scores(self) -> Float[np.ndarray, "S T"]:
        r"""Interval score of each band, in units: lower is better.

        $(u - l) + \frac{2}{\alpha} d$ for each band, in units; lower is better.

        d is how far the observation lies outside the band $[l, u]$, and
        $1 - \alpha$ its level.

        Reference: Gneiting and Raftery, JASA 102 (2007), section 6.2.
        """
        outside = np.maximum(self.low - self.observed, self.observed - self.high)
        penalty = 2 / (1 - self.level) * np.maximum(outside, 0)
        return (self.high - self.low + penalty) / self.unit[:, None]

    @property
    def interval_score(self) -> float:
        """Mean of ``interval_scores``."""
        return float(np.mean(self.interval_scores))


def coverage(
    predictions: Mapping[str, Prediction],
    observed: Float[np.ndarray, "S T"],
    unit: Float[np.ndarray, " S"],
    level: float = 0.9,
) -> Coverage:
    """How often what came true lay in the forecast bands, and how wide they were.

    Args:
        predictions: by name, all at the same times.
        observed: what came true, rows in the order of the predictions, ``(S, T)``.
        unit: of every statistic, ``(S,)``.
        level: share of the truth that a band should hold, in (0, 1).

    Raises:
        ValueError: no predictions, or at different times; a level outside (0, 1); units
            that are not > 0; observations of another shape.
    """
    check_predictions("coverage", predictions)
    bands = [prediction.band(level) for prediction in predictions.values()]
    return Coverage(
        tuple(predictions),
        bands[0].times,
        level,
        np.asarray(observed),
        np.array([band.low for band in bands]),
        np.array([band.high for band in bands]),
        np.asarray(unit),
    )


def check_predictions(owner: str, predictions: Any) -> None:
    """Refuse what is no mapping of predictions for the same times, or an empty one.

    Raises:
        TypeError: it is none.
        ValueError: it is empty, or the times differ.
    """
    what = "a mapping of Prediction by name"
    instance(owner, "predictions", predictions, Mapping, what)
    if not predictions:
        raise ValueError(f"{owner}: expected predictions, at least one, found none.")
    found = list(predictions.values())
    for prediction in found:
        instance(owner, "predictions", prediction, Prediction, what)
        if not np.array_equal(prediction.times, found[0].times):
            raise ValueError(
                f"{owner}: expected predictions for the same times, found others."
            )


def observations(
    statistics: Mapping[str, AbstractSummary], snapshots: Snapshots
) -> Float[np.ndarray, "S T"]:
    """Every statistic of every snapshot.

    Raises:
        ValueError: no statistics.
    """
    check_statistics("observations", statistics)
    return np.array([evaluated(summary, snapshots) for summary in statistics.values()])


def persistence_bands(
    statistics: Mapping[str, AbstractSummary],
    snapshots: Snapshots,
    times: Sequence[float],
) -> dict[str, Prediction]:
    r"""No model: a statistic stays what it was at the last snapshot.

    Its error at lead h has the standard deviation $h r$, r the root mean square of the
    past changes per time.

    Raises:
        ValueError: fewer than two snapshots; times that do not increase, or before the
            last snapshot.
    """
    instance("persistence_bands", "snapshots", snapshots, Snapshots, "Snapshots")
    if len(snapshots) < 2:
        raise ValueError("persistence_bands: expected two snapshots at least, found 1.")
    return _trivial(statistics, snapshots, times, trend=False)


def trend_bands(
    statistics: Mapping[str, AbstractSummary],
    snapshots: Snapshots,
    times: Sequence[float],
) -> dict[str, Prediction]:
    r"""No model: a statistic goes on changing as it did between the last two snapshots.

    Its error at lead h has the standard deviation $h r$, r the root mean square of the
    past differences of one rate of change and the next.

    Raises:
        ValueError: fewer than three snapshots; times that do not increase, or before
            the last snapshot.
    """
    instance("trend_bands", "snapshots", snapshots, Snapshots, "Snapshots")
    if len(snapshots) < 3:
        raise ValueError(
            f"trend_bands: expected at least three snapshots, found {len(snapshots)}."
        )
    return _trivial(statistics, snapshots, times, trend=True)


def _trivial(
    statistics: Mapping[str, AbstractSummary],
    snapshots: Snapshots,
    times: Sequence[float],
    trend: bool,
) -> dict[str, Prediction]:
    owner = "trend_bands" if trend else "persistence_bands"
    check_statistics(owner, statistics)
    at, last = read_times(owner, "times", times), snapshots.times[-1]
    if at[0] < last:
        raise ValueError(
            f"{owner}: expected times from {shown(last, at[0])} on, that of the last "
            f"snapshot, found {shown(at[0], last)}."
        )
    lead = at - snapshots.times[-1]
    found = {}
    for name, summary in statistics.items():
        past = evaluated(summary, snapshots)
        rates = np.diff(past) / np.diff(snapshots.times)
        errors = np.diff(rates) if trend else rates
        center = past[-1] + lead * (rates[-1] if trend else 0)
        part = Part(lead**2 * np.mean(errors**2), len(errors))
        found[name] = Prediction(at, center, {"past errors": part})
    return found
