"""Boxes of a config."""

from pydantic import model_validator

from wflow.studies import HERE, Strict


class Box(Strict):
    """From ``low`` to ``high`` on every axis."""

    low: float
    high: float

    @model_validator(mode="after")
    def _long(self) -> "Box":
        if not self.low < self.high:
            raise ValueError(f"{HERE}.low: expected low < high.")
        return self
