"""Results beside the cells that they belong to, as AnnData."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from wflow.io.base import Layout
from wflow.io.cells import Cells, save_cells
from wflow.learning import Fit, Snapshots
from wflow.measures import Particles
from wflow.parameters.learnable import unwrap
from wflow.populations import BestFit, landscape
from wflow.populations.conversion import Units
from wflow.populations.fields import growth_field
from wflow.studies._folder import RunDirectory


def write_cells(
    directory: RunDirectory,
    cells: Cells,
    fitted: BestFit | tuple[Fit, Units],
    layout: Layout,
    settings: dict[str, Any],
    more: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Keep the cells with what was learned of each, where other tools look for it.

    ``.obsm["velocity_<representation>"]``; ``growth_rate`` and ``potential`` in
    ``.obs``, and ``more`` columns; the config in ``.uns["wflow"]``.
    """
    basis = layout.positions.removeprefix("X_")
    velocity, columns = learned(fitted)
    save_cells(
        directory.claim(directory.cells),
        cells,
        {f"velocity_{basis}": velocity},
        {**columns, **(more or {})},
        _plain(settings),
    )


def learned(
    fitted: BestFit | tuple[Fit, Units],
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Of every training row its velocity, and columns of what else is known of it."""
    return _of_best(fitted) if isinstance(fitted, BestFit) else _of_fit(*fitted)


def _of_best(best: BestFit) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    snapshots = best.snapshots
    timed = list(zip(snapshots.clouds, snapshots.times, strict=True))
    velocity = np.concatenate([best.velocity(x, float(t)) for x, t in timed])
    columns = {}
    growth = [best.growth(x, float(t)) for x, t in timed]
    known = [rate for rate in growth if rate is not None]
    if len(known) == len(growth):
        columns["growth_rate"] = np.concatenate(known)
    if best.fit is not None:
        potential = _potential(best.fit)
        if potential is not None:
            columns["potential"] = potential
    return velocity, columns


def _of_fit(fitted: Fit, units: Units) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    snapshots = fitted.snapshots
    velocities, columns = [], {}
    for k, time in enumerate(snapshots.times):
        if fitted.kinetic:
            found = fitted.start(k).velocity(0)
        else:
            mu, t = _particles(snapshots, k), jnp.asarray(time, snapshots.dtype)
            found = unwrap(fitted.flow).velocity(mu, t)[0]
        velocities.append(np.asarray(found) * units.std / units.unit)
    if fitted.growth is not None:
        rates = [
            growth_field(fitted.growth, x, t) / units.unit
            for x, t in zip(snapshots.clouds, snapshots.times, strict=True)
        ]
        columns["growth_rate"] = np.concatenate(rates)
    potential = _potential(fitted)
    if potential is not None:
        columns["potential"] = potential
    return np.concatenate(velocities), columns


def _particles(snapshots: Snapshots, k: int) -> Particles:
    weights = jnp.asarray(snapshots.weight(k), snapshots.dtype)
    return Particles.from_samples(jnp.asarray(snapshots[k]), weights)


def _potential(fitted: Fit) -> np.ndarray | None:
    """That of every cell at its time, up to a constant; None of laws without one."""
    energy = getattr(fitted.mechanics, "energy", None)
    if energy is None:
        return None
    snapshots = fitted.snapshots
    found = [
        landscape(energy, _particles(snapshots, k), x, float(snapshots.times[k]))
        for k, x in enumerate(snapshots)
    ]
    return np.concatenate(found)


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """What AnnData can write: no None, and lists as text."""
    found = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            found[name] = _plain(value)
        elif value is not None:
            found[name] = value if isinstance(value, str | int | float) else str(value)
    return found
