"""How near a head is to the principal direction: in time, with the spike, with L."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .style import BASELINES, MODEL, OBSERVED, QUIET, figure, tidy


if TYPE_CHECKING:
    from matplotlib.figure import Figure


_COLOURS = (QUIET, BASELINES[0], OBSERVED, MODEL)


def plot_alignment(
    times: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    rates: Mapping[str, float],
) -> "Figure":
    r"""$1 - \cos^2$ against time, with the slopes that are predicted of it.

    Args:
        times: of all curves.
        curves: values by name, above zero.
        rates: predicted rates, below zero, of some of the curves.
    """
    drawn = figure(6.4, 4.4)
    axes = drawn.subplots()
    t = np.asarray(times)
    above = 2.0
    for (name, column), colour in zip(curves.items(), _COLOURS, strict=False):
        values = np.asarray(column)
        axes.plot(t, values, color=colour, linewidth=2, label=name)
        if name in rates:
            # Beside the curve, so that slopes can be compared.
            at = int(np.argmin(np.abs(np.log(values) - np.log(1e-3))))
            near = slice(at, max(at + 2, at + len(t) // 4))
            above *= 2
            line = above * values[at] * np.exp(rates[name] * (t[near] - t[at]))
            label = f"slope {rates[name]:.3g}, predicted"
            axes.plot(t[near], line, "--", color=colour, linewidth=1.2, label=label)
    axes.set_yscale("log")
    axes.set_xlabel("time")
    axes.set_ylabel(r"$1 - \cos^2$ to the principal direction")
    axes.set_title("Alignment along the gradient flow")
    axes.legend(frameon=False, fontsize="small")
    tidy(axes)
    return drawn


def plot_recovery(
    thetas: Sequence[float],
    heads: Mapping[str, Sequence[float]],
    prompt: Mapping[str, Sequence[float]],
) -> "Figure":
    r"""$\cos^2$ against the strength of the spike.

    Args:
        thetas: strengths.
        heads: values of trained heads by name.
        prompt: of one prompt's own PCA: ``measured`` and in the ``limit``.
    """
    drawn = figure(6.4, 4.8)
    axes = drawn.subplots()
    # The larger marker first: the heads lie on each other.
    for (name, values), (colour, size) in zip(
        heads.items(), ((MODEL, 8), (OBSERVED, 4)), strict=False
    ):
        axes.plot(thetas, values, "o-", color=colour, ms=size, label=name)
    axes.plot(thetas, prompt["measured"], "^", color=QUIET, label="PCA of one prompt")
    axes.plot(
        thetas, prompt["limit"], "--", color="0.35", label="its limit (BBP transition)"
    )
    axes.set_xscale("log")
    axes.set_xticks(list(thetas), [f"{theta:g}" for theta in thetas])
    axes.minorticks_off()
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel(r"strength of the spike $\theta$")
    axes.set_ylabel(r"$\cos^2$ to the spike")
    axes.set_title("Training across prompts, and one prompt alone")
    drawn.legend(loc="outside lower center", ncols=2, frameon=False)
    tidy(axes)
    return drawn


def plot_gap(columns: Mapping[str, Sequence[float]]) -> "Figure":
    r"""$R_L - (T - \lambda_1)$ against the prompt's length.

    Args:
        columns: ``length``; ``least`` and ``least_other``, the linear head's least risk
            with and without its own token; ``linear`` and ``softmax``, both heads at
            the infinite prompt's minimum; ``softmax_se``, its standard error.
    """
    drawn = figure(6.4, 4.8)
    axes = drawn.subplots()
    lengths = columns["length"]
    lines = {
        "least": ("linear, at its least", MODEL, "-"),
        "least_other": ("linear without own token, at its least", MODEL, "--"),
        "linear": (r"linear, at $e_1/\sqrt{\lambda_1}$", BASELINES[0], "-"),
    }
    for name, (label, colour, style) in lines.items():
        axes.plot(lengths, columns[name], style, color=colour, lw=2, label=label)
    axes.errorbar(
        lengths,
        columns["softmax"],
        2 * np.asarray(columns["softmax_se"]),
        fmt="o",
        color=OBSERVED,
        ms=4,
        capsize=2,
        label=r"softmax, sampled, at $e_1/\sqrt{\lambda_1}$ (2 s.e.)",
    )
    axes.axhline(0, color="0.3", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=0.1)
    axes.set_xlabel("prompt length L")
    axes.set_ylabel(r"$R_L - (T - \lambda_1)$")
    axes.set_title("Risk above that of the infinite prompt")
    drawn.legend(loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    tidy(axes)
    return drawn
