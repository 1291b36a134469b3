"""Weighted nodes: how far they are from a density, and where they lie."""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.figure import Figure

from .panels import Curve, Panel, plot_panels, shades
from .style import MODEL, OBSERVED, figure


# Of the density, from peak to the last contour, as logarithms.
_LEVELS = -np.array([8.0, 6, 4.5, 3, 2, 1, 0.3])
_CELLS = 161

Nodes = tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, " n"]]


def plot_discrepancies(
    sizes: Sequence[int],
    spreads: Mapping[str, Float[np.ndarray, "sizes runs"]],
    expected: float,
    *,
    models: Sequence[str],
) -> Figure:
    """Medians of runs with bars from least to largest, both axes logarithmic.

    Args:
        sizes: numbers of nodes.
        spreads: squared discrepancies of every run, by name.
        expected: that of independent draws, times their number.
        models: names that stand out.
    """
    n = np.asarray(sizes)
    others = [name for name in spreads if name not in models]
    # The warm half of the map.
    warm = shades(2 * len(models), "plasma")[len(models) :]
    colors = dict(zip(models, warm, strict=True))
    colors |= dict(zip(others, shades(len(others)), strict=True))
    curves = []
    for k, (name, found) in enumerate(spreads.items()):
        runs = np.ma.masked_invalid(found)
        middle, low, high = (
            np.ma.filled(over(runs, axis=1), np.nan)
            for over in (np.ma.median, np.ma.min, np.ma.max)
        )
        # Side by side, so that bars do not hide each other.
        beside = n * 1.012 ** (k - len(spreads) / 2)
        color, width = colors[name], 1.8 if name in models else 0.9
        marker = "osD^vd*+x"[k % 9]
        curves += [
            Curve(beside, middle, color=color, width=width),
            Curve(beside, middle, name, color=color, style=marker, low=low, high=high),
        ]
    level = Curve(n, expected / n, "iid, expected", color="0.2", style="_--")
    panel = Panel(
        [*curves, level],
        "number of nodes",
        "squared discrepancy",
        title="Squared discrepancy of weighted nodes from the target",
        scales=("log", "log"),
        xticks=(sizes, [str(size) for size in sizes]),
    )
    return plot_panels([panel], width=8.2, height=5.0, legend_below=6)


def plot_nodes(
    log_density: Callable[[Array], Array],
    clouds: Mapping[str, Nodes],
    *,
    title: str,
) -> Figure:
    """A frame a cloud: contours of the density, and dots with areas as their weights.

    Args:
        log_density: of one point ``(2,)``.
        clouds: nodes and their weights, of either sign, by name.
        title: of the figure.
    """
    evaluate = jax.vmap(log_density)
    columns = min(4, len(clouds))
    rows = -(-len(clouds) // columns)
    low, high = _ends(evaluate, np.concatenate([x for x, _ in clouds.values()]))
    x, y = (np.linspace(a, b, _CELLS) for a, b in zip(low, high, strict=True))
    points = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    logs = np.asarray(evaluate(jnp.asarray(points))).reshape(_CELLS, _CELLS)
    drawn = figure(2.7 * columns + 0.4, 2.7 * rows + 0.7)
    frames = drawn.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).flat
    for axes in frames[len(clouds) :]:
        axes.set_axis_off()
    for axes, (name, (nodes, w)) in zip(frames, clouds.items(), strict=False):
        levels = logs.max() + _LEVELS
        axes.contourf(x, y, logs, levels, cmap="Greys", extend="max", alpha=0.5)
        area = (25 * np.abs(w) * len(w)).clip(2, 400)
        style = {"edgecolors": "white", "linewidths": 0.4, "alpha": 0.85}
        for sign, color in ((w >= 0, MODEL), (w < 0, OBSERVED)):
            axes.scatter(*nodes[sign].T, s=area[sign], color=color, **style)
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
        axes.set_title(name, fontsize="small")
        axes.tick_params(labelsize="x-small")
    handles = [
        frames[0].scatter([], [], s=40, color=color, label=label)
        for color, label in ((MODEL, "weight > 0"), (OBSERVED, "weight < 0"))
    ]
    drawn.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    drawn.suptitle(title)
    return drawn


def _ends(
    evaluate: Callable[[Array], Array], nodes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The part of the plane where the density is, as far as nodes have been."""
    nodes = nodes[np.isfinite(nodes).all(axis=1)]
    logs = np.asarray(evaluate(jnp.asarray(nodes)))
    inside = nodes[logs > logs.max() + 1.5 * _LEVELS[0]]
    low, high = inside.min(axis=0), inside.max(axis=0)
    margin = 0.08 * np.max(high - low)
    return low - margin, high + margin
