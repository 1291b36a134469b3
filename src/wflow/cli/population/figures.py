"""The figures of a population task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import ScoreTable

from .reading import draw_interaction
from .study import Study
from .times import time_text


if TYPE_CHECKING:
    from wflow.energies import AbstractEnergy
    from wflow.learning import Fit, Snapshots

# Points of the landscape along each axis.
LATTICE = 60


def draw_course(study: Study, fitted: "Fit", directory: RunDirectory) -> list[Path]:
    """Snapshots, loss, friction, landscape."""
    from wflow.plotting import plot_friction, plot_loss, plot_snapshots
    from wflow.populations import parts

    data, clock = study.data, study.data.clock
    history = fitted.history
    snapshots = plot_snapshots(
        data.snapshots.times,
        data.snapshots.clouds,
        held_out=np.setdiff1d(study.shown.test.times, study.shown.train.times),
        labels=data.axes.labels,
        time_label=clock.label,
        equal=data.axes.equal,
    )
    unit = (
        "standardised units" if study.config.data.standardise else "units of the data"
    )
    part = study.config.fit.loss
    power = "squared " if part.kind == "sinkhorn" and part.p == 2 else ""
    name = "Sinkhorn divergence" if part.kind == "sinkhorn" else "distance"
    mass = "" if fitted.growth is None else " + error of the mass"
    loss = plot_loss(
        history["step"],
        history["loss"],
        horizon=history["horizon"],
        label=f"{name} ({power}{unit}){mass}",
    )
    per = f"{clock.unit:g} {clock.label}s" if clock.unit != 1 else clock.label
    friction = plot_friction(
        history["step"],
        history["friction"],
        unit=f"per {per}",
        interval=float(np.mean(np.diff(fitted.snapshots.times))),
    )
    drawn = {"snapshots": snapshots, "loss": loss, "friction": friction}
    paths = [directory.write_figure(name, figure) for name, figure in drawn.items()]
    if data.snapshots.dim == 2:
        paths.append(draw_landscape(study, fitted, directory))
        external, *others = parts(fitted.mechanics.energy)
        if external is not None and any(part is not None for part in others):
            title = "External potential and its force"
            paths.append(
                draw_landscape(study, fitted, directory, external, "external", title)
            )
    return [*paths, *draw_interaction(study, fitted, directory)]


def draw_landscape(
    study: Study,
    fitted: "Fit",
    directory: RunDirectory,
    energy: "AbstractEnergy | None" = None,
    name: str = "landscape",
    title: str = "Energy landscape and force",
) -> Path:
    """Landscape and force of ``energy`` at the last training snapshot, d = 2.

    By default of the whole energy of the fit.
    """
    import jax.numpy as jnp

    from wflow.measures import Particles
    from wflow.plotting import plot_landscape
    from wflow.populations import force_field, landscape, lattice

    train, units, data = fitted.snapshots, study.units, study.data
    cloud = Particles.from_samples(
        jnp.asarray(train[-1]), jnp.asarray(train.weight(len(train) - 1))
    )
    t = jnp.asarray(train.times[-1], train.dtype)
    (x, y), points = lattice(train, LATTICE, margin=0.06)
    energy = fitted.mechanics.energy if energy is None else energy
    values = landscape(energy, cloud, points, t).reshape(LATTICE, LATTICE)
    force = force_field(energy, cloud, points, t).reshape(LATTICE, LATTICE, 2)
    figure = plot_landscape(
        x * units.std[0] + units.mean[0],
        y * units.std[1] + units.mean[1],
        # The lattice runs along y fastest, a picture along x.
        values.T,
        # The direction of the model's force, which lives in its own units.
        force.swapaxes(0, 1) * units.std,
        cloud=study.shown.train[-1],
        time=units.to_data_time(train.times[-1]),
        labels=data.axes.labels,
        time_label=data.clock.label,
        equal=data.axes.equal,
        title=title,
    )
    return directory.write_figure(name, figure)


def draw_growth(study: Study, fitted: "Fit", directory: RunDirectory) -> Path:
    """Rate of growth at the time of the last training snapshot, d = 2."""
    from wflow.plotting import plot_growth
    from wflow.populations import growth_field, lattice

    train, units, data = fitted.snapshots, study.units, study.data
    (x, y), points = lattice(train, LATTICE, margin=0.06)
    rates = growth_field(fitted.growth, points, train.times[-1]) / units.unit
    figure = plot_growth(
        x * units.std[0] + units.mean[0],
        y * units.std[1] + units.mean[1],
        # The lattice runs along y fastest, a picture along x.
        rates.reshape(LATTICE, LATTICE).T,
        cloud=np.concatenate(study.shown.train.clouds),
        time=units.to_data_time(train.times[-1]),
        unit=f"per {data.clock.label}",
        labels=data.axes.labels,
        time_label=data.clock.label,
        equal=data.axes.equal,
    )
    return directory.write_figure("growth", figure)


def draw_masses(
    study: Study, models: Mapping[str, "Fit"], directory: RunDirectory
) -> Path:
    """Total mass of every model, from the first snapshot on, and as observed."""
    from wflow.plotting import plot_masses

    train = study.split.train
    times = np.linspace(train.times[0], train.times[-1], 61)
    shown = [study.units.to_data_time(time) for time in times]
    curves = {
        name: (shown, fitted.forecast(times, "initial", substeps=1).masses)
        for name, fitted in models.items()
    }
    figure = plot_masses(
        study.shown.train.times,
        train.masses,
        curves,
        time_label=study.data.clock.label,
    )
    return directory.write_figure("masses", figure)


def draw_predictions(
    study: Study,
    predicted: "Snapshots",
    starts: Sequence[int],
    scores: Sequence[float | None],
    name: str,
    title: str,
    directory: RunDirectory,
) -> Path:
    """Predicted clouds (model's units) over the held-out ones.

    ``starts`` are indices of the training snapshots that the predictions began at.
    """
    from wflow.plotting import plot_forecasts

    data, (train, test, _) = study.data, study.shown
    label = f"start ({data.clock.label} {time_text(train.times[starts[0]])})"
    figure = plot_forecasts(
        test.times,
        test.clouds,
        study.units.to_data(predicted).clouds,
        start=[train[k] for k in starts],
        start_label=label if len(set(starts)) == 1 else "start",
        scores=scores,
        weights=predicted.weights,
        title=title,
        labels=data.axes.labels,
        time_label=data.clock.label,
        equal=data.axes.equal,
    )
    return directory.write_figure(name, figure)


def draw_scores(study: Study, table: ScoreTable, directory: RunDirectory) -> Path:
    """Bars of the model and of every baseline."""
    from wflow.plotting import plot_scores

    figure = plot_scores(
        table.columns,
        table.rows,
        models=table.models,
        label=f"$W_1$ ({study.score_title.partition(', ')[2]})",
    )
    return directory.write_figure("scores", figure)
