"""What the studies over the width of networks have in common."""

import warnings
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from wflow.networks.chaos import Report, integral_sqrt_loss
from wflow.studies import Arrays, Count, Strict, StudyParams


Seeds = Annotated[int, Field(ge=2)]
# The fields of a report that are arrays.
_FIELDS = ("times", "mean", "error", "sup", "slope", "interval", "sups", "loss")


class Width(Strict):
    """Networks of m neurons, and how many of them."""

    neurons: Count
    seeds: Seeds


class WidthsParams(StudyParams):
    """What every study over the width has.

    Attributes:
        widths: increasing.
        resamples: of seeds, for intervals.
    """

    widths: Annotated[list[Width], Field(min_length=2)]
    resamples: Count = 1000

    @property
    def neurons(self) -> list[int]:
        """The widths alone."""
        return [width.neurons for width in self.widths]

    @property
    def networks(self) -> list[int]:
        """How many of every width."""
        return [width.seeds for width in self.widths]

    @model_validator(mode="after")
    def _increasing(self) -> "WidthsParams":
        if sorted(set(self.neurons)) != self.neurons:
            raise ValueError("widths: expected increasing neurons.")
        return self


def report_arrays(report: Report, name: str = "") -> dict[str, np.ndarray]:
    """The arrays of a report, their names behind ``name``."""
    kept = report._asdict()
    return {f"{name}{k}": np.asarray(kept[k]) for k in _FIELDS if kept[k] is not None}


def report_of(widths: Sequence[int], arrays: Arrays, name: str = "") -> Report:
    """The report that ``report_arrays`` took apart."""
    kept = {k: arrays[f"{name}{k}"] for k in _FIELDS if f"{name}{k}" in arrays}
    low, high = kept["interval"].tolist()
    scalars = {"slope": float(kept["slope"]), "interval": (low, high)}
    return Report(np.array(widths), **{**kept, **scalars})


def slope_metrics(report: Report, suffix: str = "") -> dict[str, float]:
    """The fitted slope, its interval and the largest growth."""
    low, high = report.interval
    return {
        f"slope{suffix}": report.slope,
        f"slope_low{suffix}": low,
        f"slope_high{suffix}": high,
        f"amplification{suffix}": float(report.amplification[-1]),
    }


def root_integral(times: np.ndarray, loss: np.ndarray) -> float:
    """The integral of the loss's root over a run.

    That it diverges beyond is said by the verdict, "outside hypothesis".
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "integral_sqrt_loss", UserWarning)
        return integral_sqrt_loss(times, loss)


def sentence(report: Report, decay: float, bound: float) -> str:
    """The slope beside what the theorem asks for, and the verdict."""
    low, high = report.interval
    return (
        f"slope {report.slope:.3f} ({low:.3f} to {high:.3f}); the theorem asks for "
        f"{-bound:.3f} or less at c = {decay:.2f}: {report.verdict(decay)}."
    )
