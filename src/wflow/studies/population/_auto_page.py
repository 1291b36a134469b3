"""What a page shows of a choice: motion, what was found, what was chosen and why."""

import dataclasses
from typing import Any

import numpy as np

from wflow.io.base import SnapshotFile
from wflow.io.cells import Cells
from wflow.io.look_anndata import is_embedding
from wflow.learning import Snapshots
from wflow.plotting import Embedding
from wflow.plotting.report.blocks import Block, Section, Words
from wflow.plotting.report.charts import loss_chart
from wflow.populations import BestFit

from . import _page


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
) -> list[Section]:
    """Motion, the choice, the data and the trainings."""
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
    found = [
        Section(
            "The population in motion",
            _page.motion(_scene(p, best, data, axes, held, cells, labels)),
        ),
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


def _pictures(snapshots: Snapshots, cells: Cells) -> dict[str, Any]:
    """The embeddings that the cells have, with the places of the snapshots."""
    at, found = np.cumsum(snapshots.sizes)[:-1], {}
    x = np.concatenate(snapshots.clouds).astype(np.float64)
    for name, places in cells.obsm.items():
        usable = is_embedding(name) and places.shape[1] == 2
        if usable and np.isfinite(places).all() and len(x) > Embedding.neighbors:
            found[name] = (Embedding(x, places), np.split(places, at))
    return found
