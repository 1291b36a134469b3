"""What figures and pages of a fit are drawn from, in the data's units."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from wflow.energies import AbstractEnergy
from wflow.learning import Fit, MassAndShape, Sinkhorn
from wflow.measures import Particles
from wflow.populations import force_field, landscape
from wflow.populations.fields import growth_field, lattice

from ._setting import Setting


# Points of a field along each axis, and of a curve of masses.
LATTICE, CURVE = 48, 61


class Field(NamedTuple):
    """A function on a plane, the points that it was taken at, and when.

    Attributes:
        x, y: axes.
        values: at (y, x).
        force: there, of an energy.
        cloud: points in the data's units.
        time: in the data's units.
    """

    x: Float[np.ndarray, " nx"]
    y: Float[np.ndarray, " ny"]
    values: Float[np.ndarray, "ny nx"]
    force: Float[np.ndarray, "ny nx 2"] | None
    cloud: Float[np.ndarray, "n 2"]
    time: float


def landscape_of(setting: Setting, fitted: Fit, energy: AbstractEnergy) -> Field:
    """Landscape and force of ``energy`` at the last training snapshot, d = 2."""
    train, t = fitted.snapshots, fitted.snapshots.times[-1]
    weights = jnp.asarray(train.weight(len(train) - 1))
    cloud = Particles.from_samples(jnp.asarray(train[-1]), weights)
    axes, points = lattice(train, LATTICE, margin=0.06)
    time = jnp.asarray(t, train.dtype)
    force = force_field(energy, cloud, points, time).reshape(LATTICE, LATTICE, 2)
    values = _picture(landscape(energy, cloud, points, time))
    known = np.isfinite(values)
    return Field(
        *_shown(setting, axes),
        values - (values[known].min() if known.any() else 0.0),
        # The direction of the model's force, which lives in its own units.
        force.swapaxes(0, 1) * setting.units.std,
        setting.shown.train[-1],
        setting.units.to_data_time(t),
    )


def growth_of(setting: Setting, fitted: Fit) -> Field:
    """Rate of growth at the time of the last training snapshot, d = 2."""
    train, units = fitted.snapshots, setting.units
    growth = fitted.growth
    if growth is None:
        raise ValueError("the law has no growth.")
    axes, points = lattice(train, LATTICE, margin=0.06)
    rates = growth_field(growth, points, train.times[-1]) / units.unit
    return Field(
        *_shown(setting, axes),
        _picture(rates),
        None,
        np.concatenate(setting.shown.train.clouds),
        units.to_data_time(train.times[-1]),
    )


def masses_of(setting: Setting, fitted: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Times, and the total mass there, from the first training snapshot on."""
    train = setting.split.train
    times = np.linspace(train.times[0], train.times[-1], CURVE)
    shown = np.array([setting.units.to_data_time(time) for time in times])
    found = fitted.forecast(times, "initial", substeps=1)
    return shown, np.array([found.mass(k) for k in range(CURVE)])


def loss_label(setting: Setting, fitted: Fit) -> str:
    """Name and unit of the loss that the fit was trained with."""
    if "horizon" not in fitted.history:
        return "error of the rates (1: nothing moves)"
    loss = setting.p.options().get("loss") or Sinkhorn()
    loss = loss.shape if isinstance(loss, MassAndShape) else loss
    sinkhorn = isinstance(loss, Sinkhorn)
    power = "squared " if sinkhorn and loss.p == 2 else ""
    name = "Sinkhorn divergence" if sinkhorn else "distance"
    mass = "" if fitted.growth is None else " + error of the mass"
    return f"{name} ({power}{setting.unit}){mass}"


def per_unit(setting: Setting) -> str:
    """What rates of the model are in, such as a friction."""
    clock = setting.p.data.time
    return (
        f"per {clock.label}"
        if clock.unit == 1
        else f"per {clock.unit:g} {clock.label}s"
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
