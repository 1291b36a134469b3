"""The figures of population tasks."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from wflow.energies import AbstractEnergy
from wflow.learning import Fit, Snapshots
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
from wflow.populations import interaction_profile
from wflow.populations.reading import pair_distances, parts
from wflow.studies import ScoreTable

from . import _fields
from ._data import true_energy
from ._setting import Setting
from ._times import time_text


# Points of a pair potential.
DISTANCES = 200


def course(setting: Setting, fitted: Fit) -> dict[str, Figure]:
    """Snapshots, loss, friction, and the energy as far as it can be drawn."""
    data, history, shown = setting.data.snapshots, fitted.history, setting.shown
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
            label=_fields.loss_label(setting, fitted),
        ),
    }
    if "friction" in history:
        drawn["friction"] = plot_friction(
            history["step"],
            history["friction"],
            unit=_fields.per_unit(setting),
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
    field = _fields.landscape_of(setting, fitted, energy)
    return plot_landscape(
        field.x,
        field.y,
        field.values,
        field.force,
        cloud=field.cloud,
        time=field.time,
        title=title,
        **setting.axes,
    )


def growth(setting: Setting, fitted: Fit) -> Figure:
    """Rate of growth at the time of the last training snapshot, d = 2."""
    field = _fields.growth_of(setting, fitted)
    return plot_growth(
        field.x,
        field.y,
        field.values,
        cloud=field.cloud,
        time=field.time,
        unit=f"per {setting.p.data.time.label}",
        **setting.axes,
    )


def masses(setting: Setting, models: Mapping[str, Fit]) -> Figure:
    """Total mass of every model, from the first snapshot on, and as observed."""
    train = setting.split.train
    curves = {
        name: _fields.masses_of(setting, fitted) for name, fitted in models.items()
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
        score_unit=setting.unit if setting.p.data.standardize else "",
        weights=predicted.weights,
        title=title,
        **setting.axes,
    )


def scores(setting: Setting, table: ScoreTable) -> Figure:
    """Bars of the model and of every baseline, with the noise of a score."""
    return plot_scores(
        table.columns,
        table.rows,
        models=table.models,
        label=f"$W_1$ ({setting.unit})",
        floor=table.floor,
    )
