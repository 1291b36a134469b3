"""Charts of what lies on a plane: a function, its arrows, and streams."""

from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Float

from wflow.plotting import streams
from wflow.plotting.style import CATEGORIES

from .blocks import Chart, Motion
from .charts import axis, extent, names, rounded, shown
from .thinning import CLOUD, counted, few


# From the least to the greatest, with white at zero: safe for all color vision.
# Reference: PuOr of colorbrewer2.org.
_DIVERGING = ("#2d004b", "#8073ac", "#f7f7f7", "#e08214", "#7f3b08")


def field_chart(
    x: ArrayLike,
    y: ArrayLike,
    values: Float[ArrayLike, "ny nx"],
    *,
    force: Float[ArrayLike, "ny nx 2"] | None = None,
    cloud: Float[ArrayLike, "n 2"] | None = None,
    labels: tuple[str, str],
    label: str,
    title: str,
    note: str = "",
    diverging: bool = False,
    equal: bool = False,
) -> Chart:
    """A function on the plane in color, with arrows, and the points it was taken at."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    values = np.asarray(values, np.float64)
    scale = extent(values)
    contour: dict[str, Any] = {
        "type": "contour",
        "x": rounded(x, extent(x)),
        "y": rounded(y, extent(y)),
        "z": rounded(values, scale),
        "colorscale": [[k / 4, ink] for k, ink in enumerate(_DIVERGING)]
        if diverging
        else "YlGnBu",
        "reversescale": not diverging,
        "ncontours": 24,
        "line": {"width": 0.3, "color": "white"},
        "colorbar": {
            "title": {"text": shown(label), "side": "right"},
            "thickness": 12,
            "len": 1,
        },
        "hovertemplate": "%{x:.4g}, %{y:.4g}<br>%{z:.4g}<extra></extra>",
    }
    if diverging:
        largest = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
        contour |= {"zmin": -largest, "zmax": largest, "zmid": 0}
    traces = [contour]
    if cloud is not None:
        at = few(len(np.asarray(cloud)), CLOUD)
        shown_cloud = np.asarray(cloud, np.float64)[at]
        note = " ".join(
            filter(None, [note, counted(len(at), len(np.asarray(cloud)), "points.")])
        )
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "points",
                "x": rounded(shown_cloud[:, 0], extent(x)),
                "y": rounded(shown_cloud[:, 1], extent(y)),
                "marker": {
                    "size": 5,
                    "color": "#f2a65a",
                    "line": {"width": 0.5, "color": "#333"},
                },
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
    if force is not None:
        traces.append(_arrows(x, y, np.asarray(force, np.float64)))
    return Chart(traces, _plane(labels, equal, x, y), title, note, 440)


def _plane(
    labels: tuple[str, str], equal: bool, x: np.ndarray, y: np.ndarray
) -> dict[str, Any]:
    across = axis(labels[0], range=[float(x.min()), float(x.max())])
    up = axis(labels[1], range=[float(y.min()), float(y.max())])
    if equal:
        up |= {"scaleanchor": "x", "scaleratio": 1}
        across["constrain"] = "domain"
    return {"xaxis": across, "yaxis": up}


def _arrows(x: np.ndarray, y: np.ndarray, force: np.ndarray) -> dict[str, Any]:
    """Arrows at some of the places, the longest as long as their spacing."""
    columns, rows = (np.arange(len(c))[:: max(1, len(c) // 16)][1:] for c in (x, y))
    shafts = force[np.ix_(rows, columns)]
    spacing = np.array(
        [extent(c[k]) / max(len(k) - 1, 1) for c, k in ((x, columns), (y, rows))]
    )
    lengths = np.linalg.norm(shafts / np.where(spacing > 0, spacing, 1), axis=-1)
    longest = np.max(lengths, initial=0.0, where=np.isfinite(lengths)) or 1.0
    tails = np.stack(np.meshgrid(x[columns], y[rows]), -1).reshape(-1, 2)
    tips = tails + (shafts / longest).reshape(-1, 2)
    # Nothing is drawn where the force is too short to see.
    kept = lengths.ravel() > 0.02 * longest
    broken = np.full((int(kept.sum()), 2), np.nan)
    path = np.stack([tails[kept], tips[kept], broken], axis=1).reshape(-1, 2)
    return _arrowed(path, [0, 7, 0] * int(kept.sum()), x, y)


def _arrowed(
    path: np.ndarray, heads: list[int], x: np.ndarray, y: np.ndarray, width: float = 1
) -> dict[str, Any]:
    """A line with heads of these sizes at its places, on the plane of x and y."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": rounded(path[:, 0], extent(x)),
        "y": rounded(path[:, 1], extent(y)),
        "line": {"color": "#222", "width": width},
        "marker": {
            "symbol": "arrow",
            "angleref": "previous",
            "size": heads,
            "color": "#222",
            "line": {"width": 0},
        },
        "hoverinfo": "skip",
        "showlegend": False,
    }


def stream_chart(motion: Motion, title: str = "Where the population streams") -> Chart:
    """Lines along the mean velocity of the paths, and the snapshots by their time."""
    if motion.velocities is None:
        paths = np.asarray(motion.clouds, np.float64)[..., :2]
        clock = np.asarray(motion.times, np.float64)
        velocities = np.gradient(paths, clock, axis=0).reshape(-1, 2)
    else:
        velocities = np.concatenate([v[:, :2] for v in motion.velocities])
    points = np.concatenate([np.asarray(x)[:, :2] for x in motion.clouds])
    lattice = streams.averaged(points, velocities)
    x, y, _ = lattice
    traces: list[dict[str, Any]] = []
    if len(motion.observed):
        at = few(len(motion.observed), len(CATEGORIES) * 5)
        parts = [np.asarray(motion.observed[k], np.float64)[:, :2] for k in at]
        parts = [part[few(len(part), CLOUD)] for part in parts]
        times = [float(motion.observed_times[k]) for k in at]
        seen = np.concatenate(parts)
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "observed",
                "x": rounded(seen[:, 0], extent(x)),
                "y": rounded(seen[:, 1], extent(y)),
                "marker": {
                    "size": 4,
                    "opacity": 0.5,
                    "color": [
                        time
                        for time, part in zip(times, parts, strict=True)
                        for _ in part
                    ],
                    "colorscale": "Viridis",
                    "colorbar": {
                        "title": {"text": shown(motion.time_label), "side": "right"},
                        "thickness": 12,
                    },
                },
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
    for line in streams.lines(lattice):
        line = line[few(len(line), 40)]
        middle = len(line) // 2
        size = [0] * len(line)
        size[middle] = 9
        traces.append(_arrowed(line, size, x, y, 1.2))
    labels = names(motion.labels, np.shape(motion.clouds[0])[1], motion.time_label)
    note = "Mean velocity of the model's points over all times, where there are any."
    return Chart(traces, _plane(labels, motion.equal, x, y), title, note, 440)
