"""What all members of an ensemble get wrong alike, measured in the past."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize_scalar

from wflow.checks import count as whole
from wflow.checks import (
    finite,
    function,
    instance,
    non_negative,
    one_of,
    positive,
    shape,
)
from wflow.learning import Ensemble, Snapshots
from wflow.learning.bands import Part, Prediction, check_statistics
from wflow.learning.clock import shown

from ._coverage import check_predictions, observations
from .summaries import AbstractSummary, units


# How an error may grow with the lead, the slowest first.
_POWERS = (1.0, 2.0)


@dataclasses.dataclass(frozen=True)
class ModelError:
    r"""An error of the model with standard deviation $b h^p \sigma$ at lead h.

    $\sigma$ is the unit of a statistic, the pooled standard deviation of its
    coordinate.

    Attributes:
        rate: b, per unit of time to the power.
        degrees: how many numbers tell b.
        power: p, 1 for a velocity that is wrong, 2 for an acceleration.

    Raises:
        ValueError: rate < 0, degrees <= 0, power <= 0.
    """

    rate: float
    degrees: float
    power: float = 1.0

    def __post_init__(self) -> None:
        shape(self, "rate", self.rate, ())
        non_negative(self, "rate", self.rate)
        shape(self, "degrees", self.degrees, ())
        positive(self, "degrees", self.degrees, infinite=True)
        shape(self, "power", self.power, ())
        positive(self, "power", self.power)

    def added(
        self,
        predictions: Mapping[str, Prediction],
        origin: float,
        unit: Float[np.ndarray, " S"],
    ) -> dict[str, Prediction]:
        """``predictions`` made at time ``origin``, with the part ``"model"``.

        Raises:
            ValueError: an origin after the first time, or units that are not > 0 and
                one for each prediction.
        """
        check_predictions("added", predictions)
        shape("added", "unit", unit, (len(predictions),))
        positive("added", "unit", unit)
        shape("added", "origin", origin, ())
        finite("added", "origin", origin)
        for prediction in predictions.values():
            first = prediction.times[0]
            if first < origin:
                raise ValueError(
                    f"added: expected origin at or before {shown(first, origin)}, the "
                    f"first time, found {shown(origin, first)}."
                )
        return {
            name: prediction.with_part(
                "model",
                Part(
                    (self.rate * (prediction.times - origin) ** self.power * scale)
                    ** 2,
                    self.degrees,
                ),
            )
            for (name, prediction), scale in zip(predictions.items(), unit, strict=True)
        }


def backtest(
    fitter: Callable[[Snapshots], Ensemble],
    snapshots: Snapshots,
    origins: Sequence[int],
    statistics: Mapping[str, AbstractSummary],
    *,
    longest: int | None = None,
    substeps: int = 5,
    followed: bool = False,
) -> ModelError:
    """How far forecasts made in the past went astray beyond their bands.

    Errors grow with the lead or with its square, whichever the past ones are likelier
    of; with its square only where forecasts were made over several leads.

    Args:
        fitter: makes the ensemble of some snapshots.
        snapshots: the training snapshots; the held-out ones have no place here.
        origins: numbers of first snapshots to forecast from, each at least two.
        statistics: by name.
        longest: the most snapshots that an origin forecasts; None is all the others.
        substeps: steps of the forecasts in one step of training.
        followed: see ``Ensemble.forecast``.

    Raises:
        ValueError: no origin, or one with fewer than two snapshots or none to forecast.
    """
    if not isinstance(fitter, type):
        function("backtest", "fitter", fitter, "Snapshots")
    instance("backtest", "snapshots", snapshots, Snapshots, "Snapshots")
    check_statistics("backtest", statistics)
    whole("backtest", "substeps", substeps)
    one_of("backtest", "followed", followed, (True, False))
    if longest is not None:
        whole("backtest", "longest", longest)
    count = len(snapshots)
    instance(
        "backtest", "origins", origins, (Sequence, np.ndarray), "a list of numbers"
    )
    for k in origins:
        whole("backtest", "origins", k, 2)
    if not len(origins) or not all(k < count for k in origins):
        raise ValueError(
            f"backtest: expected origins from 2 to {count - 1}, found {list(origins)}."
        )
    errors, variances, leads, scales = [], [], [], []
    clouds = 0
    for k in origins:
        train = snapshots.take(range(k))
        last = count if longest is None else min(count, k + longest)
        truth = snapshots.take(range(k, last))
        unit = units(statistics, train)
        ensemble = fitter(train)
        if not callable(getattr(ensemble, "predict", None)):
            raise TypeError(
                "backtest: expected fitter to return an Ensemble, found "
                f"{type(ensemble).__name__}."
            )
        predictions = ensemble.predict(
            dict(statistics),
            truth.times,
            sizes=None if followed else truth.sizes,
            substeps=substeps,
            followed=followed,
        )
        lead = truth.times - train.times[-1]
        observed = observations(statistics, truth)
        for prediction, values, scale in zip(
            predictions.values(), observed, unit, strict=True
        ):
            errors.append(values - prediction.center)
            variances.append(prediction.deviation**2)
            leads.append(lead)
            scales.append(np.full(len(lead), scale))
        clouds += len(truth)
    e, v, h, s = map(np.concatenate, (errors, variances, leads, scales))
    powers = _POWERS if len(np.unique(h)) > 1 else _POWERS[:1]
    power = min(powers, key=lambda p: _cost(error_rate(e, v, h**p * s), e, v, h**p * s))
    return ModelError(error_rate(e, v, h**power * s), clouds, power)


def usual_origins(trained: int, held_out: int) -> list[int]:
    """The origin of a backtest where none is asked for, of ``trained`` snapshots.

    It leaves as many to forecast as will be, and at least half of them, and two, to
    train on; there is none where that leaves nothing to forecast.
    """
    first = max(2, trained - held_out, (trained + 1) // 2)
    return [first] if first < trained else []


def _cost(
    b: float,
    errors: Float[np.ndarray, " m"],
    variances: Float[np.ndarray, " m"],
    scales: Float[np.ndarray, " m"],
) -> float:
    """Minus twice the log-likelihood of a rate, but for a constant."""
    # A band of no width at all is that of a statistic that is known.
    floor = 1e-12 * np.mean(scales**2)
    total = variances + b**2 * scales**2 + floor
    return float(np.sum(np.log(total) + errors**2 / total))


def error_rate(
    errors: Float[np.ndarray, " m"],
    variances: Float[np.ndarray, " m"],
    scales: Float[np.ndarray, " m"],
) -> float:
    r"""The most likely $b \ge 0$ of $e_i \sim N(0, V_i + b^2 s_i^2)$."""

    def cost(b: float) -> float:
        return _cost(b, errors, variances, scales)

    top = 2 * float(np.max(np.abs(errors) / scales))
    if top == 0:
        return 0.0
    found = minimize_scalar(cost, bounds=(0, top), method="bounded")
    return float(found.x) if cost(float(found.x)) < cost(0.0) else 0.0
