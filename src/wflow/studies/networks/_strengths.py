"""The strengths of a penalty over which studies of regularization run."""

from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from wflow.studies import HERE, Positive, Strict


class Strengths(Strict):
    """Strengths of a penalty, evenly spaced in their logarithm.

    Attributes:
        low: the least.
        high: the largest.
        count: how many.
    """

    low: Positive = 1e-4
    high: Positive = 10.0
    count: Annotated[int, Field(ge=2)] = 11

    @model_validator(mode="after")
    def _ordered(self) -> "Strengths":
        if not self.low < self.high:
            raise ValueError(f"{HERE}.low: expected low < high.")
        return self

    def values(self) -> list[float]:
        """From the least to the largest."""
        return np.geomspace(self.low, self.high, self.count).tolist()
