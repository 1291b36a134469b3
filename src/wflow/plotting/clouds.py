"""Snapshots and forecasts as clouds of points."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wflow.checks import instance
from wflow.checks import weights as check_weights

from . import given
from .style import (
    MODEL,
    OBSERVED,
    OTHERS,
    QUIET,
    categories,
    coordinates,
    figure,
    plain,
    tidy,
    time_colors,
)


def _plane(
    axes: Axes, labels: Sequence[str] | None, dim: int, equal: bool, time_label: str
) -> None:
    """Label the plane that clouds are drawn in: the first two coordinates."""
    names = coordinates(labels, dim)
    axes.set_xlabel(names[0] if dim > 1 else time_label)
    axes.set_ylabel(names[1] if dim > 1 else names[0])
    if equal and dim > 1:
        axes.set_aspect("equal", adjustable="datalim")
    tidy(axes)


def _points(cloud: ArrayLike, time: float) -> tuple[np.ndarray, np.ndarray]:
    cloud = np.asarray(cloud)
    if cloud.shape[1] == 1:
        return np.full(len(cloud), time), cloud[:, 0]
    return cloud[:, 0], cloud[:, 1]


def _relative(weights: ArrayLike) -> np.ndarray:
    weights = np.asarray(weights, np.float64)
    return weights / weights.mean()


def plot_snapshots(
    times: Sequence[float],
    clouds: Sequence[Float[ArrayLike, "n d"]],
    *,
    held_out: Sequence[float] = (),
    labels: Sequence[str] | None = None,
    time_label: str = "time",
    equal: bool = False,
    groups: Sequence[Sequence[str]] | None = None,
) -> Figure:
    """All snapshots in one plane, colored by time or by the groups of their points.

    Of more than two coordinates the first two are drawn; of one, its value over time.
    An embedding is drawn by giving its places for the clouds.

    Args:
        times: ``(T,)``.
        clouds: points at each time.
        held_out: times that were kept from training, drawn as crosses.
        labels: names of the d coordinates, with units.
        time_label: name of the time, with unit.
        equal: one length for both axes: where positions are physical.
        groups: of every point of each cloud the name of its group, such as a type; of
            more than eight groups the rarest share a color.

    Raises:
        TypeError: an argument holds something else than real numbers or text.
        ValueError: not one cloud ``(n, d)`` for each time; names that are not d; not
            one group for each point.
    """
    owner = "plot_snapshots"
    times = given.axis(owner, "times", times).tolist()
    shown = given.clouds(owner, "clouds", clouds, len(times))
    clouds = [cloud for cloud in shown if cloud is not None]
    if np.size(held_out):
        held_out = given.axis(owner, "held_out", held_out).tolist()
    given.text(owner, time_label=time_label)
    given.switch(owner, equal=equal)
    dim = clouds[0].shape[1]
    coordinates(labels, dim)
    kinds = _kinds(owner, groups, [len(cloud) for cloud in clouds])
    inks = {} if kinds is None else categories(np.concatenate(kinds).tolist())
    drawn = figure(6.4, 4.8)
    axes = drawn.subplots()
    shade = time_colors(times)
    for k, (time, cloud) in enumerate(zip(times, clouds, strict=True)):
        kept = time not in held_out
        style = {"marker": "o", "linewidths": 0} if kept else {"marker": "x"}
        axes.scatter(
            *_points(cloud, time),
            s=14 if kept else 12,
            color=shade.to_rgba(time) if kinds is None else _colored(kinds[k], inks),
            alpha=0.75,
            **(style if kept else {**style, "linewidths": 0.9}),
        )
    if len(held_out):
        axes.scatter([], [], marker="o", color="0.3", s=14, label="training")
        axes.scatter([], [], marker="x", color="0.3", s=12, label="held out")
        axes.legend(frameon=False)
    _plane(axes, labels, dim, equal, time_label)
    axes.set_title("Snapshots")
    if inks:
        drawn.legend(handles=_handles(inks), loc="outside right upper", frameon=False)
        return drawn
    bar = drawn.colorbar(shade, ax=axes, label=time_label)
    if len(times) <= 12:
        bar.set_ticks(list(times), labels=[plain(time) for time in times])
    return drawn


def _kinds(owner: str, groups: Any, sizes: Sequence[int]) -> list[np.ndarray] | None:
    """The group of every point, as text."""
    if groups is None:
        return None
    entries = given.listed(owner, "groups", groups, len(sizes), "names for each cloud")
    found = []
    for k, (entry, size) in enumerate(zip(entries, sizes, strict=True)):
        what = "a name for each point"
        names = given.listed(owner, f"groups {k}", entry, size, what)
        for name in names:
            instance(owner, f"groups {k}", name, str, what)
        found.append(np.array(names))
    return found


def _colored(kinds: np.ndarray, inks: Mapping[str, str]) -> list[str]:
    return [inks.get(kind, inks.get(OTHERS, QUIET)) for kind in kinds.tolist()]


def _handles(inks: Mapping[str, str]) -> list[Line2D]:
    return [
        Line2D([], [], linestyle="none", marker="o", color=ink, label=name)
        for name, ink in inks.items()
    ]


def _starts(start: Any, count: int, dim: int) -> list[np.ndarray] | None:
    """A cloud for each panel, where one or as many are given."""
    if start is None:
        return None
    entries = given.listed("plot_forecasts", "start", start, None, "a cloud or several")
    if np.shape(entries[0])[1:] == ():
        return [given.real("plot_forecasts", "start", start, ("n", dim))] * count
    clouds = given.clouds("plot_forecasts", "start", start, count, dim)
    return [cloud for cloud in clouds if cloud is not None]


def plot_forecasts(
    times: Sequence[float],
    observed: Sequence[Float[ArrayLike, "n d"] | None],
    predicted: Sequence[Float[ArrayLike, "m d"]],
    *,
    start: Sequence[Float[ArrayLike, "k d"]] | Float[ArrayLike, "k d"] | None = None,
    start_label: str = "start",
    predicted_label: str = "model",
    scores: Sequence[float | None] | None = None,
    score_unit: str = "",
    weights: Sequence[Float[ArrayLike, " m"]] | None = None,
    groups: Sequence[Sequence[str]] | None = None,
    title: str = "Forecasts",
    labels: Sequence[str] | None = None,
    time_label: str = "time",
    equal: bool = False,
) -> Figure:
    """Predicted over observed clouds, one panel for every time.

    Args:
        times: the predicted times.
        observed: the snapshots there, None where there is none.
        predicted: the model's clouds.
        start: where the model started, one cloud or one for every panel.
        start_label: name of that in the legend.
        predicted_label: name of what is predicted.
        scores: distances (W1) that are written into the panels, None for none.
        score_unit: of the scores, where it is not that of the axes.
        weights: of the predicted points; their areas are in proportion.
        groups: of every predicted point the name of its group, which colors it.
        title: over all panels.
        labels: names of the d coordinates, with units.
        time_label: name of the time, with unit.
        equal: one length for both axes: where positions are physical.

    Raises:
        TypeError: an argument holds something else than real numbers or text.
        ValueError: not one entry for each time; clouds of another dimension; weights
            that do not match their cloud, or that are no weights; not one group for
            each point; names that are not d.
    """
    owner = "plot_forecasts"
    times = given.axis(owner, "times", times).tolist()
    clouds = given.clouds(owner, "predicted", predicted, len(times))
    predicted = [cloud for cloud in clouds if cloud is not None]
    dim = predicted[0].shape[1]
    observed = given.clouds(owner, "observed", observed, len(times), dim, missing=True)
    start = _starts(start, len(times), dim)
    if scores is not None:
        what = "a score or None for each time"
        scores = given.listed(owner, "scores", scores, len(times), what)
        for score in scores:
            given.real(owner, "scores", 0.0 if score is None else score, ())
    if weights is not None:
        what = "weights for each time"
        weights = given.listed(owner, "weights", weights, len(times), what)
        for k, entry in enumerate(weights):
            given.real(owner, f"weights {k}", entry, (len(predicted[k]),))
            check_weights(owner, f"weights {k}", np.asarray(entry))
    kinds = _kinds(owner, groups, [len(cloud) for cloud in predicted])
    inks = {} if kinds is None else categories(np.concatenate(kinds).tolist())
    given.text(owner, start_label=start_label, title=title, time_label=time_label)
    given.text(owner, score_unit=score_unit, predicted_label=predicted_label)
    given.switch(owner, equal=equal)
    coordinates(labels, dim)
    columns = min(len(times), 4)
    rows = -(-len(times) // columns)
    drawn = figure(3.4 * columns + 0.4, 3.2 * rows + 0.9)
    panels = drawn.subplots(
        rows, columns, sharex=not equal, sharey=not equal, squeeze=False
    )
    for panel in panels.flat[len(times) :]:
        panel.remove()
    for i, (time, panel) in enumerate(zip(times, panels.flat, strict=False)):
        if start is not None:
            cloud = start[i]
            panel.scatter(
                *_points(cloud, time), s=7, color=QUIET, alpha=0.6, label=start_label
            )
        if (seen := observed[i]) is not None:
            panel.scatter(
                *_points(seen, time),
                s=16,
                facecolors="none",
                edgecolors=OBSERVED,
                linewidths=0.8,
                label="observed",
            )
        panel.scatter(
            *_points(predicted[i], time),
            s=9 if weights is None else 9 * _relative(weights[i]),
            color=MODEL if kinds is None else _colored(kinds[i], inks),
            alpha=0.8,
            linewidths=0,
            label=predicted_label if kinds is None else None,
        )
        score = "" if scores is None or scores[i] is None else f"{scores[i]:.3g}"
        heading = f"{time_label} {plain(time)}"
        heading += f"   $W_1$ = {score} {score_unit}".rstrip() if score else ""
        panel.set_title(heading, fontsize=10)
        _plane(panel, labels, dim, equal, time_label)
        if not equal:
            panel.label_outer()
    handles = [*panels.flat[0].get_legend_handles_labels()[0], *_handles(inks)]
    drawn.legend(
        handles=handles,
        loc="outside lower center",
        ncols=min(len(handles), 1 + 2 * columns),
        frameon=False,
    )
    drawn.suptitle(title)
    return drawn
