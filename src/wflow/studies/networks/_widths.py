"""What the studies over the width of networks have in common."""

import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field, model_validator

from wflow.measures import Gaussian
from wflow.networks.chaos import QuadraticRisk, Student, study_widths
from wflow.networks.chaos.conditions import (
    bound_exponent,
    decay_exponent,
    integral_sqrt_loss,
)
from wflow.networks.chaos.widths import Report
from wflow.plotting.panels import Curve
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

    def study(
        self, student: Student, limit: Any, times: Any, key: jax.Array, **more: Any
    ) -> Report:
        """Networks of these widths beside their limit; ``more`` goes to the solver."""
        return study_widths(
            student,
            self.neurons,
            self.networks,
            times,
            limit=limit,
            key=key,
            resamples=self.resamples,
            **more,
        )

    @model_validator(mode="after")
    def _increasing(self) -> "WidthsParams":
        if sorted(set(self.neurons)) != self.neurons:
            raise ValueError("widths: expected increasing neurons.")
        return self


class ReferenceParams(WidthsParams):
    """What every study against a wide reference network has.

    Attributes:
        reference: its neurons.
    """

    reference: Count = 1024

    @model_validator(mode="after")
    def _wide(self) -> "ReferenceParams":
        if self.reference < 4 * self.neurons[-1]:
            raise ValueError(
                f"reference: expected at least 4 x {self.neurons[-1]} neurons, found "
                f"{self.reference}; it would hide the slope."
            )
        return self


def tag(name: str | float) -> str:
    """A name as part of a metric's: 4.5 is 4p5."""
    text = name if isinstance(name, str) else f"{name:g}"
    return text.replace(".", "p").replace(" ", "_")


def saddle_student(dim: int, scale: float) -> Student:
    """Quadratic neurons from N(0, scale I / dim) that learn one direction."""
    start = Gaussian(jnp.zeros(dim), scale * jnp.eye(dim) / dim)
    return Student(QuadraticRisk(jnp.zeros((dim, dim)).at[0, 0].set(1)), start)


def loss_curve(times: np.ndarray, loss: np.ndarray, label: str, color: Any) -> Curve:
    """The loss from the first time after 0, as far as it is no rounding."""
    seen = (times > 0) & (loss > 1e-14)
    return Curve(times[seen], loss[seen], label, color=color)


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


def decay_metrics(times: np.ndarray, loss: np.ndarray) -> dict[str, float]:
    """How fast the loss decays, and what the theorem makes of it."""
    decay = decay_exponent(times, loss)
    return {
        "decay_exponent": decay,
        "bound_exponent": bound_exponent(decay),
        "integral_sqrt_loss": root_integral(times, loss),
    }


def sentence(report: Report, decay: float) -> str:
    """The slope beside what the theorem asks for, and the verdict."""
    (low, high), most = report.interval, -bound_exponent(decay)
    return (
        f"slope {report.slope:.3f} ({low:.3f} to {high:.3f}); the theorem asks for "
        f"{most:.3f} or less at c = {decay:.2f}: {report.verdict(decay)}."
    )
