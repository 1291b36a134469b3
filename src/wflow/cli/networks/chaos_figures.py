"""Figures of the propagation-of-chaos studies."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from wflow.plotting.style import MODEL, OBSERVED, QUIET, figure, tidy


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _label(axes: "Axes", x: str, y: str, *, legend: bool = True) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    tidy(axes)
    if legend:
        axes.legend(frameon=False, fontsize=8)


def _shades(count: int) -> np.ndarray:
    from matplotlib import colormaps

    return colormaps["viridis"](np.linspace(0.05, 0.85, count))


def _loss(axes: "Axes", times: np.ndarray, loss: np.ndarray, **style: object) -> None:
    """The loss from the first time after 0, as far as it is no rounding."""
    seen = (times > 0) & (loss > 1e-14)
    axes.loglog(times[seen], loss[seen], **style)


def plot_exponents(
    decays: Sequence[float],
    slopes: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    losses: Sequence[tuple[np.ndarray, np.ndarray]],
) -> "Figure":
    """Losses of the limit, and slopes in m against the decay exponent."""
    drawn = figure(9, 3.6)
    left, right = drawn.subplots(1, 2)
    for shade, c, (times, loss) in zip(
        _shades(len(decays)), decays, losses, strict=True
    ):
        _loss(left, times, loss, color=shade, label=f"c = {c:.2f}")
    _label(left, "time", "loss of the limit")
    grid = np.linspace(0, max(decays) + 0.5, 200)
    right.plot(grid, np.minimum(1, grid / 6), color=OBSERVED, label="min(1, c/6)")
    right.axvspan(0, 2, color="0.94", label="outside the hypothesis")
    rate = -np.asarray(slopes)
    ends = -np.asarray(intervals)[:, ::-1]
    right.errorbar(
        decays,
        rate,
        yerr=np.abs(ends.T - rate),
        fmt="o",
        color=MODEL,
        label="measured",
    )
    right.set_ylim(0, 1.2)
    right.set_xlim(0, grid[-1])
    _label(right, "decay exponent c of the loss", "-slope of the supremum in m")
    return drawn


def plot_cases(
    widths: Sequence[float],
    cases: Mapping[str, Mapping[str, np.ndarray]],
) -> "Figure":
    """Loss of the limit over time, and suprema over the width, for every case.

    Args:
        widths: m.
        cases: for a name the columns time, loss, and gap_m of every width.
    """
    drawn = figure(9.5, 3.8)
    left, right = drawn.subplots(1, 2)
    for shade, (name, columns) in zip(_shades(len(cases)), cases.items(), strict=True):
        left.semilogy(columns["time"], columns["loss"], color=shade, label=name)
        sups = [columns[f"gap_{m:g}"].max() for m in widths]
        right.loglog(widths, sups, "o-", color=shade, label=name)
    _label(left, "time", "loss of the limit", legend=False)
    _label(right, "width m", r"$\sup_t E\|\Delta_t\|^2$")
    return drawn


def plot_teacher(
    widths: Sequence[float], columns: Mapping[str, np.ndarray]
) -> "Figure":
    """Loss beside the frozen features', alignment, and gaps times m."""
    drawn = figure(11, 3.4)
    loss, along, gaps = drawn.subplots(1, 3)
    times = columns["time"]
    _loss(loss, times, columns["loss"], color=MODEL, label="all weights")
    _loss(loss, times, columns["frozen"], color=QUIET, label="output weights alone")
    _label(loss, "time", "loss of the reference")
    along.semilogx(times[1:], columns["alignment"][1:], color=MODEL)
    along.axhline(columns["alignment"][0], color=QUIET, label="at the start")
    along.set_ylim(0, 1)
    _label(along, "time", "alignment with the teacher")
    for shade, m in zip(_shades(len(widths)), widths, strict=True):
        row = m * columns[f"gap_{m:g}"]
        gaps.loglog(times[1:], row[1:], color=shade, label=f"m = {m:g}")
    _label(gaps, "time", r"$m\,E\|\Delta_t\|^2$")
    return drawn


def plot_samples_steps(
    samples: Sequence[float],
    gaps: Sequence[float],
    steps: Sequence[float],
    errors: Sequence[float],
) -> "Figure":
    """Suprema against the number of inputs, and against the step."""
    drawn = figure(8, 3.4)
    left, right = drawn.subplots(1, 2)
    for axes, x, y, slope in (
        (left, samples, gaps, -1.0),
        (right, steps, errors, 1.0),
    ):
        x, y = np.asarray(x, float), np.asarray(y, float)
        line = np.exp(np.mean(np.log(y) - slope * np.log(x))) * x**slope
        axes.loglog(x, line, color=QUIET, label=f"slope {slope:g}")
        axes.loglog(x, y, "o", color=MODEL)
        axes.set_xticks(x, [f"{value:g}" for value in x], minor=False)
        axes.set_xticks([], minor=True)
    _label(left, "inputs N", r"$E\sup_t\|f^N_t - f_t\|^2$")
    _label(right, r"step $\eta$", r"$E\sup_t\|f^\eta_t - f_t\|$")
    return drawn


def plot_noisy(
    temperatures: Sequence[float],
    widths: Sequence[float],
    cases: Sequence[Mapping[str, np.ndarray]],
) -> "Figure":
    """Losses over time, losses at the end, and gaps times m with and without noise.

    Args:
        temperatures: 0 first.
        widths: m.
        cases: the columns of every temperature; gaps for the first and the last.
    """
    drawn = figure(11, 3.4)
    loss, end, gaps = drawn.subplots(1, 3)
    shades = _shades(len(temperatures))
    for shade, tau, columns in zip(shades, temperatures, cases, strict=True):
        _loss(loss, columns["time"], columns["loss"], color=shade, label=f"{tau:g}")
    _label(loss, "time", "loss of the limit")
    ends = [columns["loss"][-1] for columns in cases]
    end.loglog(temperatures[1:], ends[1:], "o-", color=MODEL, label="with noise")
    end.axhline(ends[0], color=QUIET, label="without")
    _label(end, "temperature", "loss at the end")
    for columns, shade, name in (
        (cases[0], OBSERVED, "without noise"),
        (cases[-1], MODEL, "with noise"),
    ):
        for k, m in enumerate(widths):
            gaps.plot(
                columns["time"],
                m * columns[f"gap_{m:g}"],
                color=shade,
                alpha=0.35 + 0.65 * (k + 1) / len(widths),
                label=name if k + 1 == len(widths) else None,
            )
    _label(gaps, "time", r"$m\,E\|\Delta_t\|^2$")
    return drawn
