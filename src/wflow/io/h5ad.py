"""Snapshots in .h5ad files (AnnData)."""

from pathlib import Path
from typing import Any

import numpy as np

from wflow.checks import instance
from wflow.learning import Snapshots

from .anndata_file import array_of, frame_of, needs_anndata, opened
from .base import (
    MAX_BYTES,
    USUAL,
    Keys,
    Layout,
    SnapshotFile,
    leading,
    like,
    readable,
    writing,
)
from .cells import Cells
from .refusals import SnapshotFileError, check_coordinates, note, pick, quoted
from .rows import by_time, to_rows
from .stored import stored_anndata
from .times import may_be_labels, pick_time, to_times


H5AD = Layout("h5ad", positions="X_pca", velocities="X_pca_velocity", weights="weight")


def read_h5ad(
    path: str | Path,
    keys: Keys = USUAL,
    *,
    max_bytes: int = MAX_BYTES,
    in_memory: bool | None = None,
) -> SnapshotFile:
    """Read snapshots from an AnnData file, one cell per row.

    The time is in ``.obs`` (``t``, ``time``, ``day``, ...; numbers, or labels with one
    unit around each number, such as D0 and D2), the representation in ``.obsm``
    (``X_pca``, or the only one there is; dense or sparse), optionally its velocities in
    ``.obsm`` (``X_pca_velocity``, or scVelo's ``velocity_pca``) and weights in ``.obs``
    (``weight``). Nothing else is read: the genes only if ``keys.positions`` is ``X``,
    masses if ``keys.masses`` says where in ``.obs``. A .zarr folder is read alike.

    Args:
        path: the file.
        keys: names that differ from the usual ones.
        max_bytes: most bytes that ``.obs`` and the representations may have, looked at
            before they are read.
        in_memory: as of ``read_snapshots``.

    Raises:
        SnapshotFileError: the file is no AnnData, lacks a name, or has several that may
            be meant; labels of the time that are no numbers; a coordinate that is nan
            throughout; more than ``max_bytes``.
        ModuleNotFoundError: the package anndata is not installed.
    """
    path = readable("read_h5ad", path, keys, max_bytes, in_memory)
    with opened(path) as file:
        return _read(path, file, keys, max_bytes, in_memory)


def _read(
    path: Path, file: Any, keys: Keys, max_bytes: int, in_memory: bool | None
) -> SnapshotFile:
    found = list(file["obsm"])
    only = tuple(found) if len(found) == 1 else ()
    genes = keys.positions == "X" and "X" not in found and "X" in file
    positions = (
        "X"
        if genes
        else pick(
            path,
            "a representation in .obsm",
            keys.positions,
            ("X_pca",) if "X_pca" in found else ("X_pca", *only),
            found,
            "positions",
        )
    )
    if positions is None:
        raise AssertionError
    stored = stored_anndata(path, file, keys, positions, in_memory)
    if stored is not None:
        return stored
    basis = positions.removeprefix("X_")
    velocities = pick(
        path,
        "velocities in .obsm",
        keys.velocities,
        (f"{positions}_velocity", f"velocity_{basis}"),
        found,
        "velocities",
        required=False,
    )
    obs = frame_of(path, file, max_bytes)
    columns = [str(name) for name in obs.columns]
    time = pick_time(
        path,
        "the time in .obs",
        keys.time,
        columns,
        lambda name: np.asarray(obs[name]),
        lambda: (
            name for name in columns if may_be_labels(path, name, np.asarray(obs[name]))
        ),
    )
    if time is None:
        raise AssertionError
    weight = pick(
        path,
        "weights in .obs",
        keys.weights,
        ("weight", "weights"),
        columns,
        "weights",
        required=False,
    )
    mass = pick(
        path, "masses in .obs", keys.masses, (), columns, "masses", required=False
    )
    for key in columns:
        if key.casefold() in ("mass", "masses") and key not in (weight, mass):
            note(
                path,
                f"{key!r} in .obs is not read; if it is a weight, name it with weights "
                "(data.keys.weights), if it is the size of the population at each time "
                "with masses (data.keys.masses).",
            )

    def representation(key: str) -> np.ndarray:
        array = array_of(path, file, key, max_bytes)
        return leading(path, key, array, keys.columns)

    x = representation(positions)
    v = None if velocities is None else representation(velocities)
    if v is not None and v.shape != x.shape:
        raise SnapshotFileError(
            path, f"key {velocities!r}: expected shape {x.shape}, found {v.shape}."
        )
    check_coordinates(path, x, positions)
    w = None if weight is None else _as_numbers(path, weight, obs[weight])
    m = None if mass is None else _as_numbers(path, mass, obs[mass])
    layout = Layout(
        "h5ad",
        time=time,
        positions=positions,
        velocities=velocities or f"{positions}_velocity",
        weights=weight or "weight",
    )
    t = to_times(path, time, np.asarray(obs[time]))
    if len(t) != len(x):
        raise SnapshotFileError(
            path,
            f"key {positions!r}: expected {len(t)} rows, one for each of .obs, found "
            f"{len(x)}.",
        )
    return SnapshotFile(by_time(path, t, x, v, w, m, time, True), layout)


def _as_numbers(path: str | Path, name: str, column: Any) -> np.ndarray:
    try:
        return np.asarray(column.astype(str), str).astype(np.float64)
    except ValueError:
        raise SnapshotFileError(
            path,
            f"{name!r} in .obs: expected numbers, found "
            f"{quoted(dict.fromkeys(column))}.",
        ) from None


def write_h5ad(
    path: str | Path,
    snapshots: Snapshots,
    layout: Layout = H5AD,
    cells: Cells | None = None,
) -> None:
    """Write ``snapshots`` as an AnnData file: time in ``.obs``.

    Args:
        path: the file.
        snapshots: what to write.
        layout: names, from ``read_h5ad``.
        cells: what else goes with every row, its genes among it, and the loadings.

    Raises:
        SnapshotFileError: the system does not let the file be written.
        ModuleNotFoundError: the package anndata is not installed.
    """
    if cells is not None:
        instance("write_h5ad", "cells", cells, Cells, "Cells")
    with writing("write_h5ad", path, snapshots, layout) as partial:
        needs_anndata(path)
        import anndata
        import pandas as pd

        layout = like(layout, H5AD)
        t, x, v, weights = to_rows(snapshots)
        obsm = {layout.positions or H5AD.positions: x}
        if v is not None:
            obsm[layout.velocities or H5AD.velocities] = v
        index = [str(i) for i in range(len(t))]
        obs = pd.DataFrame(index=index) if cells is None else cells.obs.copy()
        obs[layout.time] = t
        if weights is not None:
            obs[layout.weights or H5AD.weights] = weights
        more = (
            {}
            if cells is None
            else {
                "X": cells.genes,
                "var": cells.var,
                "varm": cells.varm,
                "uns": cells.uns,
            }
        )
        anndata.AnnData(obs=obs, obsm=obsm, **more).write_h5ad(partial)
