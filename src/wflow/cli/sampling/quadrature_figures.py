"""Discrepancies against numbers of nodes, and the nodes themselves."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np


if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Of the density, from peak to the last contour, as logarithms.
_LEVELS = -np.array([8.0, 6, 4.5, 3, 2, 1, 0.3])


def plot_discrepancies(
    spreads: Mapping[str, Mapping[int, Sequence[float]]],
    expected: Mapping[int, float],
    *,
    models: Sequence[str],
    title: str,
) -> "Figure":
    """Medians of runs with bars from least to largest, both axes logarithmic.

    Args:
        spreads: squared discrepancies by name and number of nodes, one for each run.
        expected: that of independent draws, by number of nodes.
        models: names that stand out.
        title: of the figure.
    """
    from matplotlib import colormaps

    from wflow.plotting.style import figure, tidy

    drawn = figure(8.2, 5.0)
    axes = drawn.subplots()
    others = [name for name in spreads if name not in models]
    warm = colormaps["autumn"](np.linspace(0.0, 0.6, len(models)))
    cool = colormaps["viridis"](np.linspace(0.0, 0.8, len(others)))
    colours = dict(zip([*models, *others], [*warm, *cool], strict=True))
    markers = "osD^vP*XhpH<>"
    n = np.array(sorted(expected))
    for k, (name, by_size) in enumerate(spreads.items()):
        values = [np.asarray(by_size[size], float) for size in n]
        values = [v[np.isfinite(v)] if np.isfinite(v).any() else v for v in values]
        middle = np.array([np.median(v) for v in values])
        low, high = (np.array([f(v) for v in values]) for f in (np.min, np.max))
        # Side by side, so that bars do not hide each other.
        shifted = n * 1.012 ** (k - len(spreads) / 2)
        main = name in models
        axes.errorbar(
            shifted,
            middle,
            np.stack([middle - low, high - middle]),
            color=colours[name],
            marker=markers[k % len(markers)],
            markersize=5 if main else 4,
            linewidth=1.8 if main else 0.9,
            elinewidth=0.8,
            capsize=2,
            label=name,
            zorder=3 if main else 2,
        )
    axes.plot(
        n,
        [expected[size] for size in n],
        "--",
        color="0.2",
        linewidth=1.2,
        marker="_",
        label="iid, expected",
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(n, [str(size) for size in n])
    axes.minorticks_off()
    axes.set_xlabel("number of nodes")
    axes.set_ylabel("squared discrepancy")
    axes.set_title(title)
    tidy(axes)
    drawn.legend(loc="outside right upper", frameon=False, fontsize="small")
    return drawn


def plot_nodes(
    log_density: Callable[[Any], Any],
    clouds: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    *,
    title: str,
) -> "Figure":
    """Nodes in the plane over contours of the density, areas as their weights.

    Args:
        log_density: of one point ``(2,)``.
        clouds: both coordinates and the weights of the nodes, by name.
        title: of the figure.
    """
    import jax
    import jax.numpy as jnp

    from wflow.plotting.style import MODEL, OBSERVED, figure

    columns = min(4, len(clouds))
    rows = -(-len(clouds) // columns)
    low, high = _frame(log_density, clouds)
    x, y = (np.linspace(a, b, 161) for a, b in zip(low, high, strict=True))
    points = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    logs = np.asarray(jax.vmap(log_density)(jnp.asarray(points))).reshape(161, 161)
    levels = logs.max() + _LEVELS
    drawn = figure(2.7 * columns + 0.4, 2.7 * rows + 0.7)
    grid = drawn.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.flat[len(clouds) :]:
        axes.set_axis_off()
    for axes, (name, (x1, x2, w)) in zip(grid.flat, clouds.items(), strict=False):
        axes.contourf(x, y, logs, levels, cmap="Greys", extend="max", alpha=0.5)
        area = 25 * np.abs(w) * len(w)
        for sign, colour in ((w >= 0, MODEL), (w < 0, OBSERVED)):
            axes.scatter(
                x1[sign],
                x2[sign],
                s=area[sign].clip(2, 400),
                color=colour,
                edgecolors="white",
                linewidths=0.4,
                alpha=0.85,
            )
        axes.set_xlim(low[0], high[0])
        axes.set_ylim(low[1], high[1])
        axes.set_aspect("equal")
        axes.set_title(name, fontsize="small")
        axes.tick_params(labelsize="x-small")
    handles = [
        grid.flat[0].scatter([], [], s=40, color=colour, label=label)
        for colour, label in ((MODEL, "weight > 0"), (OBSERVED, "weight < 0"))
    ]
    drawn.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    drawn.suptitle(title)
    return drawn


def _frame(
    log_density: Callable[[Any], Any],
    clouds: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray]:
    """The part of the plane where the density is, as far as nodes have been."""
    import jax
    import jax.numpy as jnp

    nodes = np.concatenate([np.stack(c[:2], axis=1) for c in clouds.values()])
    nodes = nodes[np.isfinite(nodes).all(axis=1)]
    logs = np.asarray(jax.vmap(log_density)(jnp.asarray(nodes)))
    inside = nodes[logs > logs.max() + 1.5 * _LEVELS[0]]
    low, high = inside.min(axis=0), inside.max(axis=0)
    margin = 0.08 * np.max(high - low)
    return low - margin, high + margin
