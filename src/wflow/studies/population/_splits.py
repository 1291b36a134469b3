"""Which snapshots are trained on."""

import abc
from typing import Annotated, Literal

from pydantic import Field

from wflow.learning import Snapshots
from wflow.populations.protocols import (
    Split,
    forecast_split,
    full_split,
    interpolation_split,
)
from wflow.studies import Count, Strict

from ._times import time_text


class AbstractSplit(Strict, abc.ABC):
    """Tells training from test snapshots; times are in the data's units."""

    @abc.abstractmethod
    def _of(self, snapshots: Snapshots) -> Split: ...

    def of(self, snapshots: Snapshots) -> Split:
        """Training and test snapshots.

        Raises:
            ValueError: fewer than two to train on, or none to test on.
        """
        try:
            return self._of(snapshots)
        except ValueError as error:
            problem = str(error).partition(": ")[2]
            first, last = map(time_text, snapshots.times[[0, -1]])
            raise ValueError(
                f"split: {problem} The snapshots have times {first} to {last}."
            ) from error


class Until(AbstractSplit):
    """Train on the snapshots up to ``time``."""

    kind: Literal["until"]
    time: float

    def _of(self, snapshots: Snapshots) -> Split:
        return forecast_split(snapshots, until=self.time)


class Last(AbstractSplit):
    """Forecast the last ``count`` snapshots."""

    kind: Literal["last"]
    count: Count = 1

    def _of(self, snapshots: Snapshots) -> Split:
        return forecast_split(snapshots, held_out=self.count)


class Fraction(AbstractSplit):
    """Train on the first share of the snapshots, at least two."""

    kind: Literal["fraction"]
    train: Annotated[float, Field(gt=0, lt=1)]

    def _of(self, snapshots: Snapshots) -> Split:
        return forecast_split(snapshots, fraction=self.train)


class Holdout(AbstractSplit):
    """Snapshots (counted from 0) that are kept from training."""

    kind: Literal["holdout"]
    snapshots: Annotated[list[Count], Field(min_length=1)]

    def _of(self, snapshots: Snapshots) -> Split:
        return interpolation_split(snapshots, self.snapshots)


class All(AbstractSplit):
    """Every snapshot trains, and is reached from the first."""

    kind: Literal["all"]

    def _of(self, snapshots: Snapshots) -> Split:
        return full_split(snapshots)


Forecast = Annotated[Until | Last | Fraction, Field(discriminator="kind")]
