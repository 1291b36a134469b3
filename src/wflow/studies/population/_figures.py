"""The figures of population tasks."""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from wflow.energies import AbstractEnergy
from wflow.learning import Fit, MassAndShape, Sinkhorn, Snapshots
from wflow.measures import Particles
from wflow.plotting import (
    plot_forecasts,
    plot_friction,
    plot_growth,
    plot_interaction,
    plot_landscape,
    plot_loss,
    plot_masses,
    plot_scores,
    plot_snapshots,
)
from wflow.populations import force_field, interaction_profile, landscape
from wflow.populations.fields import growth_field, lattice
from wflow.populations.reading import pair_distances, parts
from wflow.studies import ScoreTable

from ._data import true_energy
from ._setting import Setting
from ._times import time_text


# Points of a landscape along each axis, and of a pair potential.
LATTICE, DISTANCES = 60, 200


def course(setting: Setting, fitted: Fit) -> dict[str, Figure]:
    """Snapshots, loss, friction, and the energy as far as it can be drawn."""
    data, history, shown = setting.data.snapshots, fitted.history, setting.shown
    clock = setting.p.data.time
    per = f"{clock.unit:g} {clock.label}s" if clock.unit != 1 else clock.label
    drawn = {
        "snapshots": plot_snapshots(
            data.times,
            data.clouds,
            held_out=np.setdiff1d(shown.test.times, shown.train.times),
            **setting.axes,
        ),
        "loss": plot_loss(
            history["step"],
            history["loss"],
            horizon=history.get("horizon"),
            label=_loss_label(setting, fitted),
        ),
    }
    if "friction" in history:
        drawn["friction"] = plot_friction(
            history["step"],
            history["friction"],
            unit=f"per {per}",
            interval=float(np.mean(np.diff(fitted.snapshots.times))),
        )
    energy = fitted.mechanics.energy
    if data.dim == 2:
        drawn["landscape"] = _landscape(setting, fitted, energy)
        external, *others = parts(energy)
        if external is not None and any(part is not None for part in others):
            title = "External potential and its force"
            drawn["external"] = _landscape(setting, fitted, external, title)
    pair = _interaction(setting, fitted)
    return drawn if pair is None else {**drawn, "interaction": pair}


def _loss_label(setting: Setting, fitted: Fit) -> str:
    if "horizon" not in fitted.history:
        return "error of the rates (1: nothing moves)"
    loss = setting.p.options().get("loss") or Sinkhorn()
    loss = loss.shape if isinstance(loss, MassAndShape) else loss
    sinkhorn = isinstance(loss, Sinkhorn)
    power = "squared " if sinkhorn and loss.p == 2 else ""
    name = "Sinkhorn divergence" if sinkhorn else "distance"
    mass = "" if fitted.growth is None else " + error of the mass"
    return f"{name} ({power}{setting.unit}){mass}"


def _interaction(setting: Setting, fitted: Fit) -> Figure | None:
    """The pair potential of the fitted energy, if it has one, in the model's units."""
    train = fitted.snapshots
    energy, truth = fitted.mechanics.energy, true_energy(setting.p)
    observed = pair_distances(train)
    r = np.linspace(0, np.quantile(observed, 0.995), DISTANCES, dtype=train.dtype)
    profile = interaction_profile(energy, r, dim=train.dim)
    if profile is None:
        return None
    true = truth and interaction_profile(truth, r, dim=train.dim)
    return plot_interaction(
        *profile,
        true_potential=None if true is None else true.potential,
        true_force=None if true is None else true.force,
        observed=observed,
        unit=setting.unit,
    )


def _landscape(
    setting: Setting,
    fitted: Fit,
    energy: AbstractEnergy,
    title: str = "Energy landscape and force",
) -> Figure:
    """Landscape and force of ``energy`` at the last training snapshot, d = 2."""
    train, t = fitted.snapshots, fitted.snapshots.times[-1]
    weights = jnp.asarray(train.weight(len(train) - 1))
    cloud = Particles.from_samples(jnp.asarray(train[-1]), weights)
    axes, points = lattice(train, LATTICE, margin=0.06)
    time = jnp.asarray(t, train.dtype)
    force = force_field(energy, cloud, points, time).reshape(LATTICE, LATTICE, 2)
    return plot_landscape(
        *_shown(setting, axes),
        _picture(landscape(energy, cloud, points, time)),
        # The direction of the model's force, which lives in its own units.
        force.swapaxes(0, 1) * setting.units.std,
        cloud=setting.shown.train[-1],
        time=setting.units.to_data_time(t),
        title=title,
        **setting.axes,
    )


def growth(setting: Setting, fitted: Fit) -> Figure:
    """Rate of growth at the time of the last training snapshot, d = 2."""
    train, units = fitted.snapshots, setting.units
    axes, points = lattice(train, LATTICE, margin=0.06)
    rates = growth_field(fitted.growth, points, train.times[-1]) / units.unit
    return plot_growth(
        *_shown(setting, axes),
        _picture(rates),
        cloud=np.concatenate(setting.shown.train.clouds),
        time=units.to_data_time(train.times[-1]),
        unit=f"per {setting.p.data.time.label}",
        **setting.axes,
    )


def _shown(
    setting: Setting, axes: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The axes of a lattice in the data's units."""
    (x, y), std, mean = axes, setting.units.std, setting.units.mean
    return x * std[0] + mean[0], y * std[1] + mean[1]


def _picture(values: np.ndarray) -> np.ndarray:
    """Values on a lattice, which runs along y fastest, as a picture, along x."""
    return values.reshape(LATTICE, LATTICE).T


def masses(setting: Setting, models: Mapping[str, Fit]) -> Figure:
    """Total mass of every model, from the first snapshot on, and as observed."""
    train = setting.split.train
    times = np.linspace(train.times[0], train.times[-1], 61)
    shown = [setting.units.to_data_time(time) for time in times]
    curves = {
        name: (shown, fitted.forecast(times, "initial", substeps=1).masses)
        for name, fitted in models.items()
    }
    label = setting.p.data.time.label
    observed = setting.shown.train.times
    return plot_masses(observed, train.masses, curves, time_label=label)


def predictions(
    setting: Setting,
    predicted: Snapshots,
    starts: Sequence[int],
    scores: Sequence[float | None],
    title: str,
) -> Figure:
    """Predicted clouds (model's units) over the held-out ones.

    ``starts`` are indices of the training snapshots that the predictions began at.
    """
    train, test, _ = setting.shown
    time = f"{setting.p.data.time.label} {time_text(train.times[starts[0]])}"
    return plot_forecasts(
        test.times,
        test.clouds,
        setting.units.to_data(predicted).clouds,
        start=[train[k] for k in starts],
        start_label=f"start ({time})" if len(set(starts)) == 1 else "start",
        scores=scores,
        weights=predicted.weights,
        title=title,
        **setting.axes,
    )


def scores(setting: Setting, table: ScoreTable) -> Figure:
    """Bars of the model and of every baseline."""
    label = f"$W_1$ ({setting.unit})"
    return plot_scores(table.columns, table.rows, models=table.models, label=label)
