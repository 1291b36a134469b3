"""Forecasts by a choice, written as the file that it was made of."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wflow.io import SnapshotFileError, write_snapshots
from wflow.io.cells import Moved, load_cells
from wflow.learning import Snapshots
from wflow.populations import BestFit
from wflow.studies._folder import RunDirectory

from ._auto_params import Params
from ._said import forecast_columns
from ._saved import read_context
from ._times import time_text


def written(
    config: Params,
    directory: RunDirectory,
    best: BestFit,
    train: Snapshots,
    times: Sequence[float],
    out: Path,
) -> Path:
    """Write forecasts at ``times`` to ``out``, with what is known of their rows.

    Raises:
        ValueError: times before the snapshots, or a file that cannot be written.
    """
    _, layout = read_context(directory)
    if times[0] < train.times[0]:
        first = time_text(train.times[0])
        raise ValueError(
            f"--times: forecasts begin at {config.data.time.label} {first}, found "
            f"{time_text(times[0])}."
        )
    clouds, cells = best.forecast(times), None
    if layout.format == "h5ad" and directory.cells.is_file():
        offset = np.concatenate([[0], np.cumsum(train.sizes)])
        moved = []
        for time, cloud in zip(times, clouds, strict=True):
            source, row = best.origins(time)
            moved.append(Moved(np.asarray(cloud, float), offset[source] + row))
        cells = load_cells(directory.cells).forecast(layout, times, moved)
    elif layout.format == "csv" and config.annotation is not None:
        shown = list(clouds.clouds)
        told = (directory, layout, best, config.annotation)
        cells = forecast_columns(*told, times, shown)
    try:
        return write_snapshots(out, clouds, layout, cells=cells)
    except (SnapshotFileError, ModuleNotFoundError) as error:
        raise ValueError(str(error)) from error
