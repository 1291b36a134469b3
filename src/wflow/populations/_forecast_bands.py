"""Bands of what an ensemble forecasts, beside those that need no model."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from wflow.checks import count, instance, one_of
from wflow.learning import Ensemble, Snapshots
from wflow.learning.bands import Prediction, check_statistics
from wflow.learning.clock import shown

from ._backtest import ModelError
from ._coverage import (
    Coverage,
    coverage,
    observations,
    persistence_bands,
    trend_bands,
)
from .summaries import AbstractSummary, units


@dataclasses.dataclass(frozen=True, eq=False)
class ForecastBands:
    """Predictions of S statistics at T times, and what was observed there.

    Attributes:
        statistics: by name.
        predictions: by kind, then by the name of the statistic: of the ``"model"``,
            with its past errors where they are known, of its ``"members"`` without
            them, of ``"persistence"`` and ``"trend"``.
        observed: the statistics of the observed clouds.
        unit: of each statistic.
        error: what all members get wrong alike, where it is known.
    """

    statistics: Mapping[str, AbstractSummary]
    predictions: Mapping[str, Mapping[str, Prediction]]
    observed: Float[np.ndarray, "S T"]
    unit: Float[np.ndarray, " S"]
    error: ModelError | None = None

    def coverages(self, level: float) -> dict[str, Coverage]:
        """Coverage of the bands of that level, for each kind of prediction.

        Raises:
            ValueError: level outside (0, 1).
        """
        return {
            name: coverage(found, self.observed, self.unit, level)
            for name, found in self.predictions.items()
        }


def forecast_bands(
    ensemble: Ensemble,
    test: Snapshots,
    statistics: Mapping[str, AbstractSummary],
    error: ModelError | None = None,
    *,
    substeps: int = 5,
    followed: bool = False,
) -> ForecastBands:
    """Forecasts with bands: what is expected at later times, and how surely.

    At the times of ``test``, from the last training snapshot, beside a trend and the
    last value. The trend needs three training snapshots, and is left out of fewer.

    Args:
        ensemble: fits of the training snapshots.
        test: later snapshots.
        statistics: by name.
        error: what all members get wrong alike; see ``backtest``.
        substeps: steps of the forecasts in one step of training.
        followed: see ``Ensemble.forecast``; otherwise the bands are those of samples
            as large as the snapshots of ``test``.

    Raises:
        TypeError: no ensemble, no snapshots, an error that is none.
        ValueError: no statistic, or snapshots before the last of training.
    """
    owner = "forecast_bands"
    instance(owner, "ensemble", ensemble, Ensemble, "an Ensemble")
    instance(owner, "test", test, Snapshots, "Snapshots")
    check_statistics(owner, statistics)
    if error is not None:
        instance(owner, "error", error, ModelError, "a ModelError")
    count(owner, "substeps", substeps)
    one_of(owner, "followed", followed, (True, False))
    train = ensemble.snapshots
    last, first = train.times[-1], test.times[0]
    if first < last:
        raise ValueError(
            f"{owner}: expected test from {shown(last, first)} on, that of the last "
            f"training snapshot, found {shown(first, last)}."
        )
    unit = units(statistics, train)
    own = ensemble.predict(
        dict(statistics),
        test.times,
        sizes=None if followed else test.sizes,
        substeps=substeps,
        followed=followed,
    )
    found = {"model": own}
    if error is not None:
        found = {
            "model": error.added(own, float(train.times[-1]), unit),
            "members": own,
        }
    found["persistence"] = persistence_bands(statistics, train, test.times)
    if len(train) > 2:
        found["trend"] = trend_bands(statistics, train, test.times)
    observed = observations(statistics, test)
    return ForecastBands(statistics, found, observed, unit, error)
