"""What the user's file says of the rows of a run, beside where they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wflow.io.anndata_file import opened
from wflow.io.base import Layout
from wflow.io.cells import Cells, read_cells
from wflow.io.genes import expression
from wflow.io.labels import Labels, nearest, read_labels, votes
from wflow.io.parquet import ParquetSource
from wflow.io.refusals import READ, format_of
from wflow.io.text import Source
from wflow.learning import Snapshots
from wflow.populations import BestFit
from wflow.studies._folder import RunDirectory
from wflow.studies._tables import read_rows

from ._params import FileData


# Cells, with what was learned of them, of a run on a table.
ROWS = "rows.csv"
# The column of the number that a row has in the user's table.
_NUMBER = "row"


@dataclass(frozen=True)
class Said:
    """What was asked of a file.

    Attributes:
        columns: of every training row, by name.
        labels: the same of a table, and which row of it each is.
    """

    columns: dict[str, np.ndarray]
    labels: Labels | None = None


def cells_of(data: Any, layout: Layout, train: Snapshots) -> Cells | None:
    """What the file of ``data`` says of training cells, where it is an AnnData."""
    if layout.format != "h5ad" or not isinstance(data, FileData) or not data.path:
        return None
    return read_cells(data.path, layout, train, max_bytes=data.max_bytes)


def check_column(path: str | None, key: str, name: str) -> None:
    """Refuse a column that the file does not have.

    Raises:
        ValueError: it has none of that name, or no columns at all.
    """
    format = None if path is None else format_of(Path(path), READ)
    if path is None or format == "npz":
        raise ValueError(
            f"{key}: expected data with columns, a table or an AnnData, found others."
        )
    if format == "h5ad":
        with opened(Path(path)) as file:
            known = name in file["obs"]
    else:
        parquet = Path(path).suffix.lower() == ".parquet"
        known = name in (ParquetSource if parquet else Source).of(Path(path)).header
    if not known:
        where = "of .obs" if format == "h5ad" else "of the table"
        raise ValueError(f"{path}: {key}: expected a column {where}, found {name!r}.")


def said_of(
    data: Any,
    layout: Layout,
    train: Snapshots,
    cells: Cells | None,
    names: Sequence[str],
) -> Said:
    """These columns of the training rows."""
    if not names:
        return Said({})
    if cells is not None:
        return Said({name: np.asarray(cells.obs[name]) for name in names})
    options = {"max_bytes": data.max_bytes}
    labels = read_labels(data.path, layout, train, names, **options)
    columns = {name: np.array(column) for name, column in labels.columns.items()}
    return Said(columns, labels)


def genes_of(data: Any, cells: Cells, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The expression of some genes in the training cells, by name."""
    with opened(Path(data.path)) as file:
        found = expression(Path(data.path), file, names, data.max_bytes)[cells.rows]
    return {name: found[:, k] for k, name in enumerate(names)}


def write_rows(
    directory: RunDirectory,
    layout: Layout,
    best: BestFit,
    labels: Labels,
    velocity: np.ndarray,
    learned: dict[str, np.ndarray],
) -> None:
    """The rows of a table with what was learned of each beside them."""
    snapshots, names = best.snapshots, list(layout.columns or ())
    x = np.concatenate(snapshots.clouds)
    directory.write_table(
        ROWS,
        {
            _NUMBER: labels.rows.tolist(),
            layout.time: np.repeat(snapshots.times, snapshots.sizes).tolist(),
            **{name: x[:, k].tolist() for k, name in enumerate(names)},
            **{f"v_{name}": velocity[:, k].tolist() for k, name in enumerate(names)},
            **labels.columns,
            **{name: column.tolist() for name, column in learned.items()},
        },
    )


def forecast_columns(
    directory: RunDirectory,
    layout: Layout,
    best: BestFit,
    annotation: str,
    times: Sequence[float],
    clouds: Sequence[np.ndarray],
) -> dict[str, list[Any]]:
    """What can be said of forecast rows of a table, by its rows.

    Where each starts from, and what most of the nearest observed rows are.
    """
    rows = read_rows(directory.path / ROWS)
    names, codes = np.unique([row[annotation] for row in rows], return_inverse=True)
    observed = np.concatenate(best.snapshots.clouds).astype(float)
    offset = np.concatenate([[0], np.cumsum(best.snapshots.sizes)])
    found: dict[str, list[Any]] = {
        "source": [],
        f"source_{layout.time}": [],
        annotation: [],
        f"{annotation}_confidence": [],
    }
    for time, cloud in zip(times, clouds, strict=True):
        source, row = best.origins(time)
        label, share = votes(codes.ravel(), len(names), nearest(observed, cloud))
        parts = (
            [int(rows[k][_NUMBER]) for k in offset[source] + row],
            best.snapshots.times[source].tolist(),
            names[label].tolist(),
            share.tolist(),
        )
        for column, part in zip(found.values(), parts, strict=True):
            column.extend(part)
    return found


def kept_labels(
    directory: RunDirectory, cells: Cells | None, name: str | None
) -> np.ndarray | None:
    """A column of the training rows of a finished run."""
    if name is None:
        return None
    if cells is not None:
        return np.asarray(cells.obs[name].astype(str))
    path = directory.path / ROWS
    if not path.is_file():
        return None
    return np.array([row[name] for row in read_rows(path)])
