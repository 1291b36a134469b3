"""What a page shows of a law and its data: motion, landscape, training."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from wflow.learning import Fit
from wflow.plotting.report.blocks import Block, Chart, Facts, Motion, Section, Words
from wflow.plotting.report.charts import (
    field_chart,
    line_chart,
    loss_chart,
    names,
    stream_chart,
)
from wflow.solvers import SolveError

from . import _fields
from ._setting import Setting
from ._times import time_text


# Of a motion; snapshots that are listed one by one.
TIMES, LISTED = 41, 40


def sections(setting: Setting, fitted: Fit) -> list[Section]:
    """The law of ``fitted`` on the snapshots of ``setting``."""
    return [
        Section("The population in motion", motion(setting, fitted)),
        Section("What drives it", fields(setting, fitted)),
        Section("What was found in the data", found(setting)),
        Section("Training", training(setting, fitted)),
    ]


def motion(setting: Setting, fitted: Fit) -> list[Block]:
    """Paths from the first training snapshot to the last of all, and their streams."""
    data, shown = setting.data.snapshots, setting.shown
    train, clock = setting.split.train, setting.p.data.time.label
    first, last = float(train.times[0]), setting.units.to_model_time(data.times[-1])
    times = np.linspace(first, max(last, float(train.times[-1])), TIMES)
    try:
        moved = fitted.forecast(
            times, "initial", substeps=setting.p.evaluation.substeps
        )
    except SolveError as error:
        return [Words([f"No motion is shown: from the first snapshot on, {error}"])]
    clouds = setting.units.to_data(moved)
    begin, end = shown.train.times[0], shown.train.times[-1]
    note = f"By the model, from {clock} {begin:g}."
    if data.times[-1] > end:
        note += f" It was trained up to {clock} {end:g}."
    weights = None
    if fitted.growth is not None:
        weights = [moved.weight(k) * moved.mass(k) for k in range(TIMES)]
    moving = Motion(
        np.array([setting.units.to_data_time(time) for time in times]),
        clouds.clouds,
        observed_times=data.times.tolist(),
        observed=data.clouds,
        held_out=np.setdiff1d(shown.test.times, shown.train.times).tolist(),
        weights=weights,
        note=note,
        **setting.axes,
    )
    if data.dim == 1:
        return [moving]
    return [moving, stream_chart(moving)]


def fields(setting: Setting, fitted: Fit) -> list[Block]:
    """Landscape, force and growth, where there is a plane to draw them on."""
    if setting.data.snapshots.dim != 2:
        return []
    clock = setting.p.data.time.label
    labels = names(setting.p.data.axes.labels, 2, clock)
    blocks: list[Block] = []
    energy = getattr(fitted.mechanics, "energy", None)
    if energy is not None:
        field = _fields.landscape_of(setting, fitted, energy)
        blocks.append(_chart(setting, field, labels))
    if fitted.growth is not None:
        rates = _fields.growth_of(setting, fitted)
        blocks.append(_chart(setting, rates, labels))
    return blocks


def _chart(setting: Setting, field: _fields.Field, labels: tuple[str, str]) -> Chart:
    clock, growth = setting.p.data.time.label, field.force is None
    return field_chart(
        field.x,
        field.y,
        field.values,
        force=field.force,
        cloud=field.cloud,
        labels=labels,
        label=f"growth rate (per {clock})" if growth else "potential (lowest point 0)",
        title="Growth" if growth else "Energy landscape and force",
        note=f"At {clock} {field.time:g}.",
        diverging=growth,
        equal=setting.p.data.axes.equal,
    )


def found(setting: Setting) -> list[Block]:
    """Every snapshot, its points, its mass, and whether it was trained on."""
    data, shown = setting.data.snapshots, setting.shown
    clock, layout = setting.p.data.time.label, setting.data.layout
    facts = [
        (
            "snapshots",
            f"{len(data)}, at {clock} {data.times[0]:g} to {data.times[-1]:g}",
        ),
        ("points", f"{sum(data.sizes)} in all, {min(data.sizes)} to {max(data.sizes)}"),
        ("coordinates", _coordinates(setting)),
        ("velocities", "given" if data.velocities is not None else "none"),
        ("masses", "given" if data.masses is not None else "none: the mass is fixed"),
    ]
    if layout.positions:
        facts.insert(2, ("positions from", str(layout.positions)))
    if len(data) > LISTED:
        return [_facts(facts)]
    held = np.setdiff1d(shown.test.times, shown.train.times)
    for k, (time, size) in enumerate(zip(data.times, data.sizes, strict=True)):
        text = f"{size} points, {'held out' if time in held else 'training'}"
        if data.masses is not None:
            text += f", mass {data.masses[k]:.4g}"
        facts.append((f"{clock} {time_text(time, data.times)}", text))
    return [_facts(facts)]


def _facts(rows: Sequence[tuple[str, str]]) -> Facts:
    return Facts([(name, value, "") for name, value in rows])


def _coordinates(setting: Setting) -> str:
    labels: Any = setting.p.data.axes.labels
    dim = setting.data.snapshots.dim
    if labels is None:
        return str(dim)
    return f"{dim}: {', '.join(labels[:8])}{', ...' * (dim > 8)}"


def training(setting: Setting, fitted: Fit) -> list[Block]:
    """Loss by the length of the rollouts, and friction, over the steps."""
    history = fitted.history
    blocks: list[Block] = [
        loss_chart(
            history["step"],
            history["loss"],
            horizon=history.get("horizon"),
            label=_fields.loss_label(setting, fitted),
        )
    ]
    if "friction" in history:
        unit = _fields.per_unit(setting)
        friction = history["friction"]
        blocks.append(
            line_chart(
                {"friction": (history["step"], friction)},
                "step",
                f"friction ({unit})",
                title="Friction",
                note=f"{friction[-1]:.3g} {unit} at the end.",
            )
        )
    if fitted.growth is not None:
        curve = _fields.masses_of(setting, fitted)
        observed = setting.shown.train.times, setting.split.train.masses
        blocks.append(
            line_chart(
                {"model": curve},
                setting.p.data.time.label,
                "total mass",
                dots={} if observed[1] is None else {"observed": observed},
                title="Size of the population",
                log=True,
            )
        )
    return blocks
