"""What the studies over the width have in common: numbers, columns, sentences."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np


if TYPE_CHECKING:
    from wflow.networks.chaos import Report


def tag(name: str | float) -> str:
    """A name as part of a metric's: 4.5 is 4p5."""
    text = name if isinstance(name, str) else f"{name:g}"
    return text.replace(".", "p").replace(" ", "_")


def slope_metrics(report: "Report", suffix: str = "") -> dict[str, float]:
    """The fitted slope, its interval and the largest growth."""
    low, high = report.interval
    return {
        f"slope{suffix}": report.slope,
        f"slope_low{suffix}": low,
        f"slope_high{suffix}": high,
        f"amplification{suffix}": float(report.amplification[-1]),
    }


def case_columns(
    reports: Sequence["Report"], losses: Sequence[np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """Case, time, loss of the limit, interval of the slope, gaps of every width."""
    if losses is None:
        losses = [np.asarray(report.loss) for report in reports]
    columns = {
        "case": np.repeat(
            np.arange(len(reports)), [len(report.times) for report in reports]
        ),
        "time": np.concatenate([report.times for report in reports]),
        "loss": np.concatenate(list(losses)),
    }
    for name, end in (("slope_low", 0), ("slope_high", 1)):
        columns[name] = np.concatenate(
            [np.full(len(report.times), report.interval[end]) for report in reports]
        )
    for k, m in enumerate(reports[0].widths):
        columns[f"gap_{m}"] = np.concatenate([report.mean[k] for report in reports])
    return columns


def of_case(columns: dict[str, np.ndarray], case: int) -> dict[str, np.ndarray]:
    """The rows of one case."""
    rows = columns["case"] == case
    return {name: column[rows] for name, column in columns.items()}


def fitted(widths: Sequence[float], sups: Sequence[float]) -> float:
    """Least squares of log sup on log m."""
    return float(np.polyfit(np.log(widths), np.log(sups), 1)[0])


def root_integral(times: np.ndarray, loss: np.ndarray) -> float:
    """The integral of the loss's root over a run.

    That it diverges beyond is said by the verdict, "outside hypothesis".
    """
    from wflow.networks.chaos import integral_sqrt_loss

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "integral_sqrt_loss", UserWarning)
        return integral_sqrt_loss(times, loss)


def sentence(report: "Report", decay: float, bound: float) -> str:
    """The slope beside what the theorem asks for, and the verdict."""
    low, high = report.interval
    return (
        f"slope {report.slope:.3f} ({low:.3f} to {high:.3f}); the theorem asks for "
        f"{-bound:.3f} or less at c = {decay:.2f}: {report.verdict(decay)}."
    )
