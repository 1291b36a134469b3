"""The snapshots of a file, kept in the run that they trained."""

import dataclasses
import json
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.studies._folder import RunDirectory
from wflow.studies._tables import damaged

from . import data_schema, schema
from .data import Dataset


if TYPE_CHECKING:
    from wflow.io import Layout
    from wflow.learning import Snapshots


def keep(
    config: schema.PopulationConfig, directory: RunDirectory, data: Dataset
) -> None:
    """Copy snapshots that came from a file: the run needs the file no more.

    What a config can make anew is not copied.
    """
    if not isinstance(config.data, data_schema.FileData):
        return
    snapshots = data.snapshots
    layout = json.dumps(dataclasses.asdict(data.layout))
    arrays: dict[str, Any] = {"layout": np.array(layout), "times": snapshots.times}
    for name in ("clouds", "velocities", "weights"):
        for k, entry in enumerate(getattr(snapshots, name) or ()):
            if entry is not None:
                arrays[f"{name}_{k}"] = entry
    if snapshots.masses is not None:
        arrays["masses"] = snapshots.masses
    directory.write_data(arrays)


def read_kept(
    config: schema.PopulationConfig, directory: RunDirectory
) -> Dataset | None:
    """What ``keep`` copied, None where it copied nothing.

    Raises:
        CommandError: the copy is damaged.
    """
    path = directory.data
    if not isinstance(config.data, data_schema.FileData) or not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        layout = layout_of(json.loads(str(arrays["layout"])))
        snapshots = _snapshots(arrays)
    except (
        *(AttributeError, EOFError, KeyError, OSError, RuntimeError, TypeError),
        *(ValueError, zipfile.BadZipFile, zlib.error),
    ) as error:
        raise damaged(path, "expected the snapshots of the run") from error
    return Dataset(snapshots, layout, config.data.time, config.data.axes)


def _snapshots(arrays: dict[str, np.ndarray]) -> "Snapshots":
    from wflow.learning import Snapshots

    count = range(len(arrays["times"]))

    def entries(name: str) -> list[np.ndarray | None] | None:
        found = [arrays.get(f"{name}_{k}") for k in count]
        return None if all(entry is None for entry in found) else found

    return Snapshots(
        arrays["times"],
        [arrays[f"clouds_{k}"] for k in count],
        entries("velocities"),
        entries("weights"),
        arrays.get("masses"),
    )


def layout_of(found: dict[str, Any]) -> "Layout":
    """The layout that ``dataclasses.asdict`` made, from JSON."""
    from wflow.io import Layout

    columns = found["columns"]
    return Layout(**{**found, "columns": None if columns is None else tuple(columns)})
