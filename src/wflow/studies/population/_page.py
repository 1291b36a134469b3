"""What a page shows of a law and its data: motion, landscape, training."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wflow.io.base import SnapshotFile
from wflow.learning import Fit, Snapshots
from wflow.plotting import Embedding
from wflow.plotting.report.blocks import Block, Chart, Facts, Motion, Section, Words
from wflow.plotting.report.charts import line_chart, loss_chart, names
from wflow.plotting.report.plane import field_chart, stream_chart
from wflow.solvers import SolveError

from . import _fields
from ._setting import Setting
from ._times import time_text


# Of a motion; snapshots that are listed one by one.
TIMES, LISTED = 41, 40


@dataclasses.dataclass(frozen=True)
class Scene:
    """A law from the first snapshot on, and what was observed, in the data's units.

    Attributes:
        data: all snapshots, and how their file was laid out.
        held_out: times of those that were kept from training.
        axes: ``labels``, ``equal`` and ``time_label`` of figures.
        moved: the law's clouds, at many times.
        velocities: theirs; by default those of the paths that they are.
        growing: whether the law changes weights.
        groups: of every point of ``moved`` the name of its group.
        pictures: embeddings in the plane by their names in the file, with the places of
            the snapshots that are not held out.
        note: where the clouds start, and by which law.
    """

    data: SnapshotFile
    held_out: Sequence[float]
    axes: Mapping[str, Any]
    moved: Snapshots
    velocities: Sequence[np.ndarray] | None = None
    growing: bool = False
    groups: Sequence[Sequence[str]] | None = None
    pictures: Mapping[str, tuple[Embedding, Sequence[np.ndarray]]] = dataclasses.field(
        default_factory=dict
    )
    note: str = ""


def sections(setting: Setting, fitted: Fit) -> list[Section]:
    """The law of ``fitted`` on the snapshots of ``setting``."""
    try:
        moving = motion(scene_of(setting, fitted))
    except SolveError as error:
        moving = [Words([f"No motion is shown: from the first snapshot on, {error}"])]
    held = np.setdiff1d(setting.shown.test.times, setting.shown.train.times)
    return [
        Section("The population in motion", moving),
        Section("What drives it", fields(setting, fitted)),
        Section(
            "What was found in the data", [found(setting.data, held, setting.axes)]
        ),
        Section("Training", training(setting, fitted)),
    ]


def scene_of(setting: Setting, fitted: Fit) -> Scene:
    """One rollout from the first training snapshot to the last of all."""
    data, shown, units = setting.data.snapshots, setting.shown, setting.units
    train, clock = setting.split.train, setting.p.data.time.label
    first, last = float(train.times[0]), units.to_model_time(data.times[-1])
    times = np.linspace(first, max(last, float(train.times[-1])), TIMES)
    moved = fitted.forecast(times, "initial", substeps=setting.p.evaluation.substeps)
    begin, end = shown.train.times[0], shown.train.times[-1]
    note = f"By the model, from {clock} {begin:g}."
    if data.times[-1] > end:
        note += f" It was trained up to {clock} {end:g}."
    return Scene(
        setting.data,
        np.setdiff1d(shown.test.times, shown.train.times).tolist(),
        setting.axes,
        units.to_data(moved),
        growing=fitted.growth is not None,
        note=note,
    )


def motion(scene: Scene) -> list[Block]:
    """The population under a slider, and its streams, in every picture of it."""
    data, moved = scene.data.snapshots, scene.moved
    weights = None
    if scene.growing:
        weights = [moved.weight(k) * moved.mass(k) for k in range(len(moved))]
    moving = Motion(
        moved.times,
        moved.clouds,
        observed_times=data.times.tolist(),
        observed=data.clouds,
        held_out=scene.held_out,
        groups=scene.groups,
        weights=weights,
        velocities=scene.velocities,
        note=scene.note,
        **scene.axes,
    )
    blocks: list[Block] = [moving]
    if data.dim > 1:
        blocks.append(stream_chart(moving))
    for given, (embedding, places) in scene.pictures.items():
        name = given.removeprefix("X_")
        shown = dataclasses.replace(
            moving,
            clouds=[embedding.embed(cloud) for cloud in moved],
            observed=_placed(scene, embedding, places),
            labels=[f"{name} 1", f"{name} 2"],
            equal=False,
            velocities=scene.velocities
            and [
                embedding.embed_velocities(cloud, velocity)
                for cloud, velocity in zip(moved, scene.velocities, strict=True)
            ],
            note=f"{scene.note} Placed among the nearest cells.".strip(),
        )
        blocks += [Words([f"In {name}:"]), shown, stream_chart(shown)]
    return blocks


def _placed(
    scene: Scene, embedding: Embedding, places: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """All snapshots in a picture: held-out ones lie among their nearest cells."""
    known, snapshots = iter(places), scene.data.snapshots
    return [
        embedding.embed(cloud) if time in scene.held_out else next(known)
        for time, cloud in zip(snapshots.times, snapshots, strict=True)
    ]


def fields(setting: Setting, fitted: Fit) -> list[Block]:
    """Landscape, force and growth, where there is a plane to draw them on."""
    if setting.data.snapshots.dim != 2:
        return []
    clock = setting.p.data.time.label
    labels = names(setting.axes["labels"], 2, clock)
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


def found(data: SnapshotFile, held_out: Any, axes: Mapping[str, Any]) -> Facts:
    """Every snapshot, its points, its mass, and whether it was trained on."""
    snapshots, layout, clock = data.snapshots, data.layout, axes["time_label"]
    sizes, times = snapshots.sizes, snapshots.times
    each = " to ".join(map(str, sorted({min(sizes), max(sizes)})))
    facts = [
        ("snapshots", f"{len(snapshots)}, at {clock} {times[0]:g} to {times[-1]:g}"),
        ("points", f"{sum(sizes)} in all, {each} at each"),
        ("coordinates", _coordinates(snapshots.dim, axes["labels"])),
        ("velocities", "given" if snapshots.velocities is not None else "none"),
        (
            "masses",
            "given" if snapshots.masses is not None else "none: the mass is fixed",
        ),
    ]
    if layout.positions:
        facts.insert(2, ("positions from", str(layout.positions)))
    for k, (time, size) in enumerate(zip(times, sizes, strict=True)):
        if len(times) > LISTED:
            break
        text = f"{size} points, {'held out' if time in held_out else 'training'}"
        if snapshots.masses is not None:
            text += f", mass {snapshots.masses[k]:.4g}"
        facts.append((f"{clock} {time_text(time, times)}", text))
    return Facts([(name, value, "") for name, value in facts])


def _coordinates(dim: int, labels: Sequence[str] | None) -> str:
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
