"""How often what was observed lies in the bands, and how wide these are."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from wflow.learning import Part, Prediction, Snapshots, evaluated

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
    """

    names: tuple[str, ...]
    times: Float[np.ndarray, " T"]
    level: float
    observed: Float[np.ndarray, "S T"]
    low: Float[np.ndarray, "S T"]
    high: Float[np.ndarray, "S T"]
    unit: Float[np.ndarray, " S"]

    @property
    def covered(self) -> Bool[np.ndarray, "S T"]:
        """Which observations lie in their band."""
        return (self.low <= self.observed) & (self.observed <= self.high)

    @property
    def share(self) -> float:
        """The share of those that do, to be compared with ``level``."""
        return float(self.covered.mean())

    @property
    def count(self) -> int:
        """How many there are; those of one cloud are not independent."""
        return self.observed.size

    @property
    def width(self) -> float:
        """Mean width of the bands, in units."""
        return float(np.mean((self.high - self.low) / self.unit[:, None]))

    @property
    def interval_scores(self) -> Float[np.ndarray, "S T"]:
        r"""$(u - l) + \frac{2}{\alpha} d$ for each band, in units; lower is better.

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
    """Coverage of the bands of ``predictions``, rows of ``observed`` in their order."""
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


def observations(
    statistics: Mapping[str, AbstractSummary], snapshots: Snapshots
) -> Float[np.ndarray, "S T"]:
    """Every statistic of every snapshot."""
    return np.array([evaluated(summary, snapshots) for summary in statistics.values()])


def persistence_bands(
    statistics: Mapping[str, AbstractSummary],
    snapshots: Snapshots,
    times: Sequence[float],
) -> dict[str, Prediction]:
    r"""No model: a statistic stays what it was at the last snapshot.

    Its error at lead h has the standard deviation $h r$, r the root mean square of the
    past changes per time.
    """
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
        ValueError: fewer than three snapshots.
    """
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
    at = np.asarray(times, np.float64)
    lead = at - snapshots.times[-1]
    found = {}
    for name, summary in statistics.items():
        past = evaluated(summary, snapshots)
        rates = np.diff(past) / np.diff(snapshots.times)
        errors = np.diff(rates) if trend else rates
        centre = past[-1] + lead * (rates[-1] if trend else 0)
        part = Part(lead**2 * np.mean(errors**2), len(errors))
        found[name] = Prediction(at, centre, {"past errors": part})
    return found
