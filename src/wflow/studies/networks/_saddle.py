"""What the studies of small ReLU networks have in common."""

from typing import Annotated

import jax
import numpy as np
from pydantic import Field, model_validator

from wflow.networks.saddle import ReLUData, follow, small_neurons
from wflow.networks.saddle.course import Course
from wflow.networks.saddle.instances import Instance, draw_instances, random_labels
from wflow.networks.saddle.jumps import JumpProcess, limit_of_cover
from wflow.plotting.panels import Curve, Panel
from wflow.studies import (
    Count,
    Decreasing,
    Increasing,
    NonNegative,
    Positive,
    Strict,
    StudyParams,
)


Counts = Annotated[list[Count], Field(min_length=1), Increasing]
# log(1 / scale) of starts.
InverseScales = Annotated[list[Positive], Field(min_length=2), Increasing]
# A step as a share of the largest at which descent can rest.
StepShare = Annotated[float, Field(gt=0, lt=1)]
StepShares = Annotated[list[StepShare], Field(min_length=1), Decreasing]
# Beyond it exp(-scale) is no normal floating-point number.
HELD = 700.0
# Chances in which a count can tell.
_LOW, _HIGH = 0.01, 0.99


class Sizes(Strict):
    """Sizes, uniform between ``low`` and ``high``."""

    low: Positive = 0.5
    high: Positive = 1.5

    @model_validator(mode="after")
    def _ordered(self) -> "Sizes":
        if self.low > self.high:
            raise ValueError(
                f"expected low <= high, found {self.low:g} and {self.high:g}."
            )
        return self

    @property
    def ends(self) -> tuple[float, float]:
        """Both."""
        return self.low, self.high

    def labels(self, key: jax.Array, n: int) -> jax.Array:
        """Labels of such sizes and fair signs."""
        return random_labels(key, n, self.ends)


class InstancesParams(StudyParams):
    """What every study of several instances has.

    Attributes:
        samples: n.
        width: neurons.
        instances: labels and initializations.
        labels: their sizes; signs are fair.
        least_gap: an instance is drawn again until every jump leads its runner-up of
            the same sign and samples by that much slow time.
        inverse_scales: log(1 / scale), increasing; the same draw at every scale.
    """

    samples: Count = 12
    width: Count = 8
    instances: Count = 6
    labels: Sizes = Sizes()
    least_gap: NonNegative = 0.1
    inverse_scales: InverseScales

    def drawn(self, key: jax.Array) -> tuple[list[Instance], int]:
        """The instances, and how many were drawn for them."""
        return draw_instances(
            key,
            self.instances,
            self.samples,
            self.width,
            sizes=self.labels.ends,
            least_gap=self.least_gap,
        )


def ends(
    key: jax.Array, width: int, data: ReLUData, inverse_scale: float
) -> tuple[JumpProcess, Course]:
    """The limit of a draw of neurons, and the flow of it with few saved times."""
    neurons = small_neurons(key, width, data, -inverse_scale)
    limit = limit_of_cover(data, neurons.active, neurons.sign)
    return limit, follow(data, neurons, points=2)


def lateness(halves: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Relative differences of times of jumps.

    0 where the exact run itself does not come to half a jump, infinite where the other
    one alone does not.
    """
    late = np.where(np.isnan(exact), 0, halves / exact - 1)
    return np.where(np.isnan(late), np.inf, late)


def half_way(places: np.ndarray, shares: np.ndarray) -> float:
    """The place at which shares first come to one half, on the line between two.

    The first place if they do there, nan if they never do.
    """
    above = np.flatnonzero(shares >= 0.5)
    if not above.size:
        return float("nan")
    k = int(above[0])
    if k == 0:
        return float(places[0])
    low, high = shares[k - 1], shares[k]
    step = (0.5 - low) / (high - low) * (places[k] - places[k - 1])
    return float(places[k - 1] + step)


def z_scores(counted: np.ndarray, chances: np.ndarray, draws: int) -> np.ndarray:
    """Standard errors from counts to their chances, where a count can tell."""
    tells = (chances > _LOW) & (chances < _HIGH)
    counted, chances = counted[tells], chances[tells]
    return np.abs(counted - chances) / np.sqrt(chances * (1 - chances) / draws)


def slow_panel(curves: list[Curve], number: int, end: float) -> Panel:
    """Losses of a draw in slow time until ``end``, one of three beside each other."""
    return Panel(
        curves,
        r"slow time $\tau = t / \log(1/\lambda)$",
        "" if number % 3 else "loss",
        title=f"draw {number + 1}",
        xlim=(0, end),
        ylim=(0, None),
    )
