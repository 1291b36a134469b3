"""A motion as a chart and the numbers that its slider puts into it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from wflow.plotting.style import MODEL, OBSERVED, OTHERS, categories, plain

from .blocks import Motion
from .charts import axis, extent, names, rounded, shown
from .thinning import CLOUD, FRAMES, PATHS, SNAPSHOTS, counted, few


def frames(motion: Motion) -> dict[str, Any]:
    """Traces, layout, times and positions, as the script of a page reads them.

    The first trace is what was observed; then comes one for each group of points.
    """
    at = few(len(motion.clouds), FRAMES)
    times = np.asarray(motion.times, np.float64)[at]
    clouds = [np.asarray(motion.clouds[k], np.float64) for k in at]
    rows = [few(len(cloud), PATHS) for cloud in clouds]
    planes = [
        _plane(cloud[which], time)
        for cloud, which, time in zip(clouds, rows, times, strict=True)
    ]
    snapshots = few(len(motion.observed), SNAPSHOTS)
    seen = [float(motion.observed_times[k]) for k in snapshots]
    observed = []
    for k, time in zip(snapshots, seen, strict=True):
        cloud = np.asarray(motion.observed[k], np.float64)
        observed.append(_plane(cloud[few(len(cloud), CLOUD)], time))
    pooled = np.concatenate([*planes, *observed])
    scale = [extent(pooled[:, k]) or 1.0 for k in range(2)]
    labels = names(motion.labels, clouds[0].shape[-1], motion.time_label)
    inks, kinds = _groups(motion, at, rows)
    return {
        "traces": [_observed(), *(_moving(*ink) for ink in inks.items())],
        "layout": _layout(labels, pooled, scale, motion.equal),
        "groups": kinds,
        "times": [plain(float(f"{time:.5g}")) for time in times],
        "label": motion.time_label,
        "x": [rounded(plane[:, 0], scale[0]) for plane in planes],
        "y": [rounded(plane[:, 1], scale[1]) for plane in planes],
        "size": _sizes(motion, at, rows),
        "observed": [
            {
                "x": rounded(cloud[:, 0], scale[0]),
                "y": rounded(cloud[:, 1], scale[1]),
                "name": plain(float(f"{time:.5g}")),
                "held": any(np.isclose(time, held) for held in motion.held_out),
            }
            for cloud, time in zip(observed, seen, strict=True)
        ],
        "nearest": [
            int(np.abs(np.asarray(seen) - time).argmin()) if seen else -1
            for time in times
        ],
    }


def note(motion: Motion) -> str:
    """What is drawn, and how much of it."""
    most = max(map(len, motion.clouds))
    drawn = counted(min(PATHS, most), most, "points")
    words = [motion.note, f"{drawn}, {min(FRAMES, len(motion.clouds))} times."]
    sizes = [len(cloud) for cloud in motion.observed]
    if sizes and max(sizes) > CLOUD:
        words.append(f"Of a snapshot {CLOUD} points at most are drawn.")
    if len(sizes) > SNAPSHOTS:
        words.append(f"{counted(SNAPSHOTS, len(sizes), 'snapshots')}.")
    return " ".join(filter(None, words))


def _plane(cloud: np.ndarray, time: float) -> np.ndarray:
    """The first two coordinates, or the only one over time."""
    if cloud.shape[-1] > 1:
        return cloud[:, :2]
    return np.column_stack([np.full(len(cloud), time), cloud[:, 0]])


def _groups(
    motion: Motion, at: np.ndarray, rows: Sequence[np.ndarray]
) -> tuple[dict[str, str], list[list[int]] | None]:
    """Colors of the groups, and at each time the number of every point's group."""
    if motion.groups is None:
        return {"model": MODEL}, None
    names = [
        [str(motion.groups[k][row]) for row in which]
        for k, which in zip(at, rows, strict=True)
    ]
    inks = categories([name for each in names for name in each])
    numbers = {name: k for k, name in enumerate(inks)}
    others = numbers.get(OTHERS, 0)
    return inks, [[numbers.get(name, others) for name in each] for each in names]


def _sizes(
    motion: Motion, at: np.ndarray, rows: Sequence[np.ndarray]
) -> list[Any] | None:
    """Widths of the dots: areas are as the weights, against the mean of the start."""
    if motion.weights is None:
        return None
    usual = float(np.mean(motion.weights[0])) or 1.0
    weights = [
        np.maximum(np.asarray(motion.weights[k], np.float64)[which], 0.0)
        for k, which in zip(at, rows, strict=True)
    ]
    return [rounded(np.clip(6 * np.sqrt(w / usual), 1, 24), 1e2) for w in weights]


def _observed() -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "observed",
        "marker": {
            "symbol": "circle-open",
            "size": 7,
            "color": OBSERVED,
            "opacity": 0.55,
        },
        "hoverinfo": "skip",
    }


def _moving(name: str, color: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": shown(name),
        "marker": {"size": 6, "color": color, "opacity": 0.8},
        "hoverinfo": "skip",
    }


def _layout(
    labels: tuple[str, str], pooled: np.ndarray, scale: list[float], equal: bool
) -> dict[str, Any]:
    known = pooled[np.isfinite(pooled).all(axis=1)]
    low, high = known.min(axis=0), known.max(axis=0)
    across, up = (
        axis(
            label,
            range=[float(low[k] - 0.04 * scale[k]), float(high[k] + 0.04 * scale[k])],
        )
        for k, label in enumerate(labels)
    )
    if equal:
        up |= {"scaleanchor": "x", "scaleratio": 1}
        across["constrain"] = "domain"
    return {"xaxis": across, "yaxis": up}
