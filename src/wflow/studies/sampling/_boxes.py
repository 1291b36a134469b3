"""Boxes of a config."""

from pydantic import model_validator

from wflow.studies import HERE, Strict


class Box(Strict):
    """From ``low`` to ``high`` on every axis."""

    low: float
    high: float

    @property
    def ends(self) -> tuple[float, float]:
        """Both, as the library takes them."""
        return self.low, self.high

    @model_validator(mode="after")
    def _long(self) -> "Box":
        if not self.low < self.high:
            raise ValueError(f"{HERE}.low: expected low < high.")
        return self
