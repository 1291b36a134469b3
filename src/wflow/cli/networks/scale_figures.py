"""Figures of scale vectors: preconditioners, validation curves, decay on norms."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np


if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLES = {"equal": "-", "none": "--", "matrix_only": ":"}
_SAID = {
    "equal": "decay on W and g",
    "none": "no decay",
    "matrix_only": "decay on W alone",
}


def plot_flows(columns: Mapping[str, Sequence[float]], title: str) -> "Figure":
    """Eigenvalues of the preconditioner, the loss, and the sharpness against time.

    Args:
        columns: as ``run_flows`` gives them.
        title: of the figure.
    """
    from matplotlib.ticker import LogLocator

    from wflow.plotting.style import MODEL, OBSERVED, QUIET, figure, tidy

    drawn = figure(10.5, 3.5)
    left, middle, right = drawn.subplots(1, 3)
    t = np.asarray(columns["t"])
    count = sum(name.startswith("along_") for name in columns)
    # The darker, the more the channel says.
    for j in range(count):
        strength = 0.25 + 0.75 * (j + 1) / count
        along, across = columns[f"along_{j}"], columns[f"across_{j}"]
        first = j == count - 1
        left.plot(
            t,
            along,
            color=MODEL,
            alpha=strength,
            label=r"along $M_j$: $g_j^2 + |W_j|^2$" if first else None,
        )
        left.plot(
            t,
            across,
            "--",
            color=OBSERVED,
            alpha=strength,
            label=r"across: $g_j^2$" if first else None,
        )
    left.axhline(1, color=QUIET, linewidth=1, label="without scales")
    left.set_ylabel(r"eigenvalues of $P_j$; darker: more signal")
    left.set_xlabel("time")
    left.set_title("Preconditioner")
    left.set_ylim(0, 1.35 * left.get_ylim()[1])
    left.legend(frameon=False, fontsize="small", loc="upper left")
    middle.plot(t, columns["excess_scaled"], color=MODEL, label="with scales")
    middle.plot(t, columns["excess_plain"], "--", color=QUIET, label="without")
    middle.set_yscale("log")
    middle.set_xlabel("time")
    middle.set_ylabel("loss above its minimum")
    middle.set_title("Loss from one start")
    middle.legend(frameon=False, fontsize="small")
    for name, style in _STYLES.items():
        right.plot(
            np.asarray(columns["late_t"])[1:],
            np.asarray(columns[f"sharpness_{name}"])[1:],
            style,
            color=MODEL if name == "equal" else OBSERVED,
            label=_SAID[name],
        )
    right.set_xscale("log")
    right.set_yscale("log")
    right.set_xlabel("time")
    right.set_ylabel("largest curvature of the data loss")
    right.set_title("Sharpness")
    right.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    right.yaxis.set_major_formatter("{x:g}")
    right.yaxis.set_minor_formatter("")
    right.legend(frameon=False, fontsize="small")
    for axes in (left, middle, right):
        tidy(axes)
    drawn.suptitle(title)
    return drawn


_INKS = (
    *("#7a7a7a", "#9ecae1", "#4292c6", "#2ca25f"),
    *("#807dba", "#c1440e", "#e8a07c", "#b8860b"),
)


def plot_curves(
    curves: Mapping[str, Sequence[float]],
    names: Sequence[str],
    gaps: Mapping[str, Sequence[float]],
    title: str,
) -> "Figure":
    """Validation against steps, and the paired differences at the end.

    Args:
        curves: ``step``, and ``<name>_seed<k>`` for every run.
        names: of the variants, the baseline first.
        gaps: for every other variant its end minus the baseline's, seed by seed.
        title: of the figure.
    """
    from wflow.plotting.style import figure, tidy

    drawn = figure(10.5, 4.0)
    left, right = drawn.subplots(1, 2)
    steps = np.asarray(curves["step"])
    for name, ink in zip(names, _inks(len(names)), strict=True):
        runs = np.array(
            [curves[key] for key in curves if key.startswith(f"{name}_seed")]
        )
        mean = runs.mean(0)
        left.plot(steps, mean, color=ink, label=name.replace("_", " "))
    left.set_xlabel("step")
    left.set_ylabel("validation, nats per byte")
    left.set_title("Mean over seeds")
    left.set_yscale("log")
    ticks = [1.6, 1.8, 2.0, 2.4, 2.8]
    left.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    left.minorticks_off()
    left.legend(frameon=False, fontsize="small")
    for k, (ink, values) in enumerate(
        zip(_inks(len(names))[1:], gaps.values(), strict=True)
    ):
        shift = np.linspace(-0.12, 0.12, len(values)) if len(values) > 1 else [0.0]
        right.plot(np.full(len(values), k) + shift, values, "o", color=ink, ms=4)
        if len(values) > 1:
            error = np.std(values, ddof=1) / np.sqrt(len(values))
            right.errorbar(
                k, np.mean(values), error, fmt="_", color="0.15", ms=22, capsize=4
            )
    right.axhline(0, color="0.3", linewidth=0.8)
    right.set_xticks(range(len(gaps)), [name.replace("_", "\n") for name in gaps])
    right.set_ylabel(f"difference from {names[0]}, nats per byte")
    right.set_title("Pair by pair, with the standard error of the mean")
    for axes in (left, right):
        tidy(axes)
    drawn.suptitle(title)
    return drawn


def plot_norms(
    decays: Sequence[float],
    losses: Mapping[str, np.ndarray],
    scales: Mapping[str, np.ndarray],
    target: float,
    floors: Sequence[float],
) -> "Figure":
    """Test loss and mean scale against decay, of both placements.

    Args:
        decays: on the scale.
        losses: by placement, ``(decays, seeds)``.
        scales: likewise.
        target: of every entry of the scale.
        floors: of the loss behind a norm, for every decay.
    """
    from wflow.plotting.style import MODEL, OBSERVED, figure, tidy

    drawn = figure(9.0, 3.6)
    left, right = drawn.subplots(1, 2)
    at = np.arange(len(decays))
    for name, inked, shift in (("out", MODEL, 0.06), ("in", OBSERVED, -0.06)):
        for axes, values in ((left, losses[name]), (right, scales[name])):
            said = "Output-Norm" if name == "out" else "Input-Norm"
            axes.plot(at + shift, values.mean(1), "-", color=inked, label=said)
            for run in values.T:
                axes.plot(at + shift, run, "o", color=inked, ms=4, alpha=0.6)
    predicted = "Output-Norm, predicted for a perfect fit"
    left.plot(at, floors, "k_", ms=18, label=predicted)
    right.plot(at, [target / (1 + decay) for decay in decays], "k_", ms=18)
    left.set_ylabel("test loss")
    right.set_ylabel(r"mean of $g$")
    left.legend(frameon=False, fontsize="small", loc="upper left")
    for axes in (left, right):
        axes.set_xticks(at, [f"{decay:g}" for decay in decays])
        axes.set_xlabel(r"decay on $g$")
        tidy(axes)
    drawn.suptitle("Decay on the scale of a norm, the teacher's form known")
    return drawn


def _inks(count: int) -> list[str]:
    return [_INKS[k % len(_INKS)] for k in range(count)]
