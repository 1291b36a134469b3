"""The course of a fit."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import ArrayLike, Float
from matplotlib.figure import Figure

from wflow.checks import count, non_negative, positive

from . import given
from .style import CATEGORIES, MODEL, QUIET, figure, plain, tidy


# Curves of a loss at most, and steps that make a median.
_GROUPS, _FEWEST = 6, 10


def running_median(values: Float[ArrayLike, " n"], width: int) -> np.ndarray:
    """Median of the ``width`` values around each, of fewer at the ends.

    Raises:
        TypeError: the values are no real numbers, or the width is not whole.
        ValueError: there is no value, or the width is below one.
    """
    values = given.real("running_median", "values", values, ("n",))
    count("running_median", "width", width)
    half = width // 2
    return np.array(
        [np.median(values[max(0, i - half) : i + half + 1]) for i in range(len(values))]
    )


def by_horizon(
    step: Float[np.ndarray, " n"],
    loss: Float[np.ndarray, " n"],
    horizon: Float[np.ndarray, " n"] | None,
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Running medians of the loss over steps, one for each length of the rollouts.

    Of more than six lengths, neighboring ones are taken together; what has fewer than
    ten steps has no median.
    """
    if horizon is None:
        horizon = np.ones(len(step))
    lengths = np.unique(horizon)
    groups = np.array_split(lengths, min(len(lengths), _GROUPS))
    found = {}
    for group in groups:
        of_group = np.isin(horizon, group)
        if of_group.sum() < _FEWEST:
            continue
        # Fewer steps of one length stand for more of all.
        share = 20 if len(lengths) == 1 else 8
        width = max(5, int(of_group.sum()) // share)
        name = f"median of {width} steps"
        if len(lengths) > 1:
            ends = " to ".join(plain(end) for end in np.unique(group[[0, -1]]))
            name = f"horizon {ends}"
        found[name] = step[of_group], running_median(loss[of_group], width)
    return found


def plot_loss(
    step: Float[ArrayLike, " n"],
    loss: Float[ArrayLike, " n"],
    *,
    horizon: Float[ArrayLike, " n"] | None = None,
    label: str = "loss",
) -> Figure:
    """Loss of every step and its running median, on a logarithmic axis.

    Args:
        step: numbers of the steps.
        loss: losses, > 0 where they are to be seen.
        horizon: intervals that each step's rollout covered: a median for each, since
            losses of long and short rollouts are not alike.
        label: name of the loss, with its unit.

    Raises:
        TypeError: an argument holds something else than real numbers or text.
        ValueError: not one loss, and one horizon, for each step.
    """
    owner = "plot_loss"
    step = given.axis(owner, "step", step)
    loss = given.real(owner, "loss", loss, step.shape)
    if horizon is not None:
        horizon = given.axis(owner, "horizon", horizon, len(step))
    given.text(owner, label=label)
    drawn = figure(6.4, 4.0)
    axes = drawn.subplots()
    axes.scatter(step, loss, s=5, color=QUIET, linewidths=0, label="each step")
    curves = by_horizon(step, loss, horizon)
    for (name, curve), ink in zip(curves.items(), CATEGORIES, strict=False):
        color = MODEL if len(curves) == 1 else ink
        axes.plot(*curve, color=color, linewidth=1.8, label=name)
    axes.legend(frameon=False, fontsize=8)
    if (loss > 0).any():
        axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.set_ylabel(label)
    axes.set_title("Loss")
    tidy(axes)
    return drawn


def plot_friction(
    step: Float[ArrayLike, " n"],
    friction: Float[ArrayLike, " n"],
    *,
    unit: str = "1/time",
    interval: float | None = None,
) -> Figure:
    r"""Friction $\gamma$ over the steps of a training.

    Args:
        step: numbers of the steps.
        friction: values >= 0.
        unit: of the friction.
        interval: the mean time between snapshots. The title then says how much of a
            velocity one interval leaves, $e^{-\gamma\Delta t}$: near 1 the motion is
            inertial, near 0 it is a gradient flow.

    Raises:
        TypeError: an argument holds something else than real numbers or text.
        ValueError: not one friction >= 0 for each step; an interval that is not > 0.
    """
    owner = "plot_friction"
    step = given.axis(owner, "step", step)
    friction = given.real(owner, "friction", friction, step.shape)
    non_negative(owner, "friction", friction)
    given.text(owner, unit=unit)
    if interval is not None:
        interval = given.number(owner, "interval", interval)
        positive(owner, "interval", interval)
    drawn = figure(6.4, 4.0)
    axes = drawn.subplots()
    axes.plot(step, friction, color=MODEL, linewidth=1.8)
    spread = np.ptp(friction)
    if spread < 1e-6 * max(abs(friction[-1]), 1e-12):
        axes.set_ylim(0, 2 * friction[-1] or 1)
    axes.set_xlabel("step")
    axes.set_ylabel(rf"friction $\gamma$ ({unit})")
    title = f"Friction: {friction[-1]:.3g} {unit} at the end"
    if interval is not None:
        kept = np.exp(-friction[-1] * interval)
        title += f"\n{kept:.0%} of a velocity survives an interval between snapshots"
    axes.set_title(title, fontsize=11)
    tidy(axes)
    return drawn


def plot_frictions(
    frictions: Mapping[str, Float[ArrayLike, " n"]], *, unit: str = "1/time"
) -> Figure:
    r"""Frictions of several fits over the steps, on a logarithmic axis.

    Args:
        frictions: values >= 0 by name, one for each step; zeros are not seen.
        unit: of the frictions.

    Raises:
        TypeError: an argument holds something else than real numbers or text.
        ValueError: no friction, or one that is not >= 0.
    """
    owner = "plot_frictions"
    for name, friction in given.named(owner, "frictions", frictions, "values").items():
        what = f"frictions {name!r}"
        non_negative(owner, what, given.real(owner, what, friction, ("n",)))
    given.text(owner, unit=unit)
    drawn = figure(6.4, 4.4)
    axes = drawn.subplots()
    for name, friction in frictions.items():
        friction = np.asarray(friction, np.float64)
        axes.plot(
            np.arange(1, len(friction) + 1),
            friction,
            linewidth=1.6,
            label=f"{name.replace('_', ' ')}: {friction[-1]:.3g}",
        )
    if any((np.asarray(friction) > 0).any() for friction in frictions.values()):
        axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.set_ylabel(rf"friction $\gamma$ ({unit})")
    axes.set_title("Friction")
    axes.legend(frameon=False)
    tidy(axes)
    return drawn
