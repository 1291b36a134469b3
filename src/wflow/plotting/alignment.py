"""How near a head is to the principal direction: in time, with the spike, with L."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from .panels import Curve, Level, Panel, plot_panels
from .style import BASELINES, MODEL, OBSERVED, QUIET


_COLORS = (QUIET, BASELINES[0], OBSERVED, MODEL)


def plot_alignment(
    times: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    rates: Mapping[str, float],
) -> Figure:
    r"""How fast trained heads turn to the principal directions, with predicted slopes.

    $1 - \cos^2$ against time.

    Args:
        times: of all curves.
        curves: values by name, above zero.
        rates: predicted rates, below zero, of some of the curves.
    """
    t = np.asarray(times)
    above, shown = 2.0, []
    for (name, column), color in zip(curves.items(), _COLORS, strict=False):
        values = np.asarray(column)
        shown.append(Curve(t, values, name, color=color, width=2))
        if name in rates:
            # Beside the curve, so that slopes can be compared.
            at = int(np.argmin(np.abs(np.log(values) - np.log(1e-3))))
            near = slice(at, max(at + 2, at + len(t) // 4))
            above *= 2
            line = above * values[at] * np.exp(rates[name] * (t[near] - t[at]))
            label = f"slope {rates[name]:.3g}, predicted"
            style = {"color": color, "style": "--", "width": 1.2}
            shown.append(Curve(t[near], line, label, **style))
    panel = Panel(
        shown,
        "time",
        r"$1 - \cos^2$ to the principal direction",
        title="Alignment along the gradient flow",
        scales=("linear", "log"),
    )
    return plot_panels([panel], width=6.4, height=4.4)


def plot_recovery(
    thetas: Sequence[float],
    heads: Mapping[str, Sequence[float]],
    measured: Sequence[float],
    limit: Sequence[float],
) -> Figure:
    r"""How well heads find a spike, against how strong it is: $\cos^2$.

    Args:
        thetas: strengths.
        heads: values of trained heads by name.
        measured: of one prompt's own PCA.
        limit: what that tends to with the prompt's length and dimension.
    """
    # The larger marker first: the heads lie on each other.
    looks = ((MODEL, 8.0), (OBSERVED, 4.0))
    curves = [
        Curve(thetas, values, name, color=color, style="o-", size=size)
        for (name, values), (color, size) in zip(heads.items(), looks, strict=False)
    ]
    label = "its limit (BBP transition)"
    curves += [
        Curve(thetas, measured, "PCA of one prompt", color=QUIET, style="^", size=6),
        Curve(thetas, limit, label, color="0.35", style="--"),
    ]
    panel = Panel(
        curves,
        r"strength of the spike $\theta$",
        r"$\cos^2$ to the spike",
        title="Training across prompts, and one prompt alone",
        scales=("log", "linear"),
        ylim=(-0.03, 1.03),
        xticks=(thetas, [f"{theta:g}" for theta in thetas]),
    )
    return plot_panels([panel], width=6.4, height=4.4, legend_below=2)


def plot_gap(
    lengths: Sequence[float], columns: Mapping[str, Sequence[float]]
) -> Figure:
    r"""Excess risk of attention heads against the length of the prompt.

    $R_L - (T - \lambda_1)$.

    Args:
        lengths: L.
        columns: ``least`` and ``least_other``, the linear head's least risk with and
            without its own token; ``linear`` and ``softmax``, both heads at the
            infinite prompt's minimum; ``softmax_se``, its standard error.
    """
    sampled, error = map(np.asarray, (columns["softmax"], columns["softmax_se"]))
    at, bars = r"at $e_1/\sqrt{\lambda_1}$", {"low": sampled - 2 * error}
    bars["high"] = sampled + 2 * error
    label, style = (
        f"softmax, sampled, {at} (2 s.e.)",
        {"color": OBSERVED, "style": "o"},
    )
    curves = [
        Curve(lengths, columns["least"], "linear, at its least", width=2),
        Curve(
            lengths,
            columns["least_other"],
            "linear without own token, at its least",
            style="--",
            width=2,
        ),
        Curve(lengths, columns["linear"], f"linear, {at}", color=BASELINES[0], width=2),
        Curve(lengths, sampled, label, **style, **bars),
    ]
    panel = Panel(
        curves,
        "prompt length L",
        r"$R_L - (T - \lambda_1)$",
        title="Risk above that of the infinite prompt",
        levels=[Level(0, color="0.3")],
        scales=("log", "linear"),
    )
    drawn = plot_panels([panel], width=6.4, height=4.4, legend_below=2)
    # Risks lie on both sides of the limit, over several orders of magnitude.
    drawn.axes[0].set_yscale("symlog", linthresh=0.1)
    return drawn
