"""What a page shows of a choice: motion, what was found, what was chosen and why."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wflow.io.base import SnapshotFile
from wflow.io.cells import Cells
from wflow.io.look_anndata import is_embedding
from wflow.learning import Snapshots
from wflow.plotting import Embedding
from wflow.plotting.report.blocks import Block, Section, Table, Words
from wflow.plotting.report.charts import loss_chart
from wflow.plotting.report.diagram import Stream, flow_chart
from wflow.plotting.style import categories
from wflow.populations import BestFit
from wflow.studies._tables import read_rows

from . import _auto, _page
from ._auto_rows import FATES
from ._times import time_text


# Of a motion.
_TIMES = 33
_LOSS = "error of the rates (1: nothing moves)"
_TRAINED = {"between": "Between snapshots", "beyond": "After the last snapshot"}


def sections(
    p: Any,
    best: BestFit,
    data: SnapshotFile,
    cells: Cells | None,
    labels: np.ndarray | None,
    folder: Path,
) -> list[Section]:
    """Motion, what becomes of types, the choice, the data and the trainings.

    What becomes of types is in a table of the run's ``folder``, where there are any.
    """
    axes = {
        "labels": p.data.axes.labels or data.layout.coordinates(best.snapshots.dim),
        "equal": p.data.axes.equal,
        "time_label": p.data.time.label,
    }
    held = np.setdiff1d(data.snapshots.times, best.snapshots.times).tolist()
    training: list[Block] = []
    for question, fitted in best.fits.items():
        training += [
            Words([f"{_TRAINED[question]}:"]),
            loss_chart(fitted.history["step"], fitted.history["loss"], label=_LOSS),
        ]
    scene = _scene(p, best, data, axes, held, cells, labels)
    found = [Section("The population in motion", _page.motion(scene))]
    table = folder / FATES
    if table.is_file():
        fates = read_rows(table)
        title = f"What becomes of each {p.annotation}"
        found.append(Section(title, _becoming(p, best, scene, fates)))
    found += [
        Section("What was chosen, and why", [Words(best.reasons)]),
        Section("What was found in the data", [_page.found(data, held, axes)]),
    ]
    return [*found, Section("Training", training)] if training else found


def _scene(
    p: Any,
    best: BestFit,
    data: SnapshotFile,
    axes: dict[str, Any],
    held: list[float],
    cells: Cells | None,
    labels: np.ndarray | None,
) -> _page.Scene:
    """Forecasts from the first snapshot's time to the last one's."""
    snapshots, last = best.snapshots, float(data.snapshots.times[-1])
    times = np.linspace(snapshots.times[0], last, _TIMES)
    moved = best.forecast(times)
    note = "Between two snapshots from both of them, by what was chosen"
    note += "; after the last one from that." if held and last in held else "."
    scene = _page.Scene(
        data,
        held,
        axes,
        moved,
        [best.velocity(x, float(t)) for x, t in zip(moved, times, strict=True)],
        growing=snapshots.masses is not None,
        note=note,
    )
    offset = np.concatenate([[0], np.cumsum(snapshots.sizes)])
    groups, row = None, "row" if cells is None else "cell"
    if labels is not None:
        groups = []
        for time in times:
            source, place = best.origins(float(time))
            groups.append(labels[offset[source] + place].tolist())
        note += f" Colored by {p.annotation} of the {row} that a point is from."
    pictures = {} if cells is None else _pictures(snapshots, cells)
    return dataclasses.replace(scene, note=note, groups=groups, pictures=pictures)


def _becoming(
    p: Any, best: BestFit, scene: _page.Scene, fates: Sequence[Mapping[str, str]]
) -> list[Block]:
    """Mass from type to type: from snapshot to snapshot, and from first to last."""
    times = best.snapshots.times
    at = lambda text: int(np.abs(times - float(text)).argmin())
    steps = [
        (at(row["to_time"]), Stream(at(row["from_time"]), row["from"], row["to"], mass))
        for row in fates
        if (mass := float(row["mass"])) > 0
    ]
    streams = [stream for end, stream in steps if end == stream.stage + 1]
    stages = [f"{p.data.time.label} {time_text(float(t), times)}" for t in times]
    inks = categories([kind for groups in scene.groups or () for kind in groups])
    note = (
        f"{_auto.said_by(best)} Widths are masses; what is less than half a percent is "
        "left out. Each step starts from what was observed, which need not be what "
        "arrives from the step before."
    )
    whole = [s for end, s in steps if s.stage == 0 and end == len(times) - 1]
    columns = sorted({stream.end for stream in whole})
    rows = {kind: [0.0] * len(columns) for kind in sorted({s.start for s in whole})}
    for stream in whole:
        rows[stream.start][columns.index(stream.end)] = stream.mass
    title = f"Mass from each type at {stages[0]} (rows) to each at {stages[-1]}"
    shown = Table(title, columns, rows, ranked=False)
    return [flow_chart(stages, streams, inks, note), shown]


def _pictures(snapshots: Snapshots, cells: Cells) -> dict[str, Any]:
    """The embeddings that the cells have, with the places of the snapshots."""
    at, found = np.cumsum(snapshots.sizes)[:-1], {}
    x = np.concatenate(snapshots.clouds).astype(np.float64)
    for name, places in cells.obsm.items():
        usable = is_embedding(name) and places.shape[1] == 2
        if usable and np.isfinite(places).all() and len(x) > Embedding.neighbors:
            found[name] = (Embedding(x, places), np.split(places, at))
    return found
