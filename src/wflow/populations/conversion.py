"""Between the units of the data and those of a model."""

import dataclasses
from typing import Any, Self

import numpy as np
from jaxtyping import Float

from wflow.checks import finite, one_of, positive, shape
from wflow.learning import Snapshots
from wflow.learning.snapshots import Standardization

from .summaries import AbstractSummary, Deviation


@dataclasses.dataclass(frozen=True, eq=False)
class Units:
    r"""The units of a model, in those of the data: $(x - m) / s$ and $(t - t_0) / u$.

    Attributes:
        mean: m; zeros and a std of ones leave space as it is.
        std: s.
        origin: $t_0$.
        unit: u.
        dtype: of what the model sees.

    Raises:
        ValueError: arrays that are not ``(d,)``, a std or unit that is not > 0, what is
            not finite, or another dtype than that of a float.
    """

    mean: Float[np.ndarray, " d"]
    std: Float[np.ndarray, " d"]
    origin: float
    unit: float
    dtype: str

    def __post_init__(self) -> None:
        # In double precision, and as it is checked there.
        space = Standardization(self.mean, self.std)
        object.__setattr__(self, "mean", space.mean)
        object.__setattr__(self, "std", space.std)
        for name in ("origin", "unit"):
            shape(self, name, getattr(self, name), ())
            finite(self, name, getattr(self, name))
        positive(self, "unit", self.unit)
        one_of(self, "dtype", self.dtype, ("float32", "float64"))

    @classmethod
    def of(
        cls,
        train: Snapshots,
        *,
        standardize: bool,
        origin: float,
        unit: float,
        dtype: str,
    ) -> Self:
        """Units in which ``train``, pooled, is standard, if so wished."""
        mean, std = np.zeros(train.dim), np.ones(train.dim)
        if standardize:
            space = train.standardize()[1]
            mean, std = space.mean, space.std
        return cls(mean, std, float(origin), unit, dtype)

    @property
    def plain(self) -> dict[str, Any]:
        """The fields as numbers, lists and text."""
        found = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {**found, "mean": self.mean.tolist(), "std": self.std.tolist()}

    def to_model_time(self, time: float) -> float:
        """Model time of a time in the data's units."""
        return (time - self.origin) / self.unit

    def to_data_time(self, time: float) -> float:
        """Time in the data's units of a model time."""
        return float(time) * self.unit + self.origin

    def to_model(self, snapshots: Snapshots) -> Snapshots:
        """``snapshots`` in the model's units."""
        times = (snapshots.times - self.origin) / self.unit
        space = Standardization(self.mean, self.std)
        return _retimed(space.apply(snapshots), times, self.unit, self.dtype)

    def to_data(self, snapshots: Snapshots) -> Snapshots:
        """``snapshots`` in the data's units."""
        times = snapshots.times * self.unit + self.origin
        snapshots = _retimed(snapshots, times, 1 / self.unit, "float64")
        return Standardization(self.mean, self.std).invert(snapshots)

    def to_data_value(
        self, summary: AbstractSummary, value: Float[np.ndarray, "..."]
    ) -> Float[np.ndarray, "..."]:
        """Values of ``summary`` in the data's units."""
        moved = 0.0 if isinstance(summary, Deviation) else self.mean[summary.axis]
        return value * self.std[summary.axis] + moved


def _retimed(snapshots: Snapshots, times: Any, unit: float, dtype: str) -> Snapshots:
    given = snapshots.velocities
    return Snapshots(
        times,
        [cloud.astype(dtype) for cloud in snapshots.clouds],
        given and [None if v is None else (v * unit).astype(dtype) for v in given],
        snapshots.weights,
        snapshots.masses,
        snapshots.sharding,
    )
