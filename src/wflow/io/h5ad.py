"""Snapshots in .h5ad files (AnnData)."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from wflow.learning import Snapshots

from .base import (
    TIME_KEYS,
    USUAL,
    Keys,
    Layout,
    SnapshotFile,
    SnapshotFileError,
    by_time,
    leading,
    names,
    numbers,
    pick,
    to_rows,
)


H5AD = Layout("h5ad", positions="X_pca", velocities="X_pca_velocity", weights="weight")


def _anndata(path: str | Path) -> ModuleType:
    try:
        import anndata
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path}: .h5ad files need the package anndata, which comes with "
            "pip install 'wflow-jax[anndata]'."
        ) from error
    return anndata


def read_h5ad(path: str | Path, keys: Keys = USUAL) -> SnapshotFile:
    """Read snapshots from an AnnData file, one cell per row.

    The time is in ``.obs`` (``t``, ``time``, ...; numbers, or categories that read as
    numbers), the representation in ``.obsm`` (``X_pca``, or the only one there is),
    optionally its velocities in ``.obsm`` and weights in ``.obs`` (``weight``).

    Raises:
        SnapshotFileError: the file is no .h5ad, or lacks a name.
        ModuleNotFoundError: the package anndata is not installed.
    """
    anndata = _anndata(path)
    try:
        data = anndata.read_h5ad(path)
    except OSError:
        raise SnapshotFileError(path, "is not a readable .h5ad file.") from None
    found = list(data.obsm.keys())
    only = found if len(found) == 1 else []
    positions = pick(
        path, "a representation in .obsm", keys.positions, ("X_pca", *only), found
    )
    velocities = pick(
        path,
        "velocities in .obsm",
        keys.velocities,
        (f"{positions}_velocity",),
        found,
        required=False,
    )
    columns = list(data.obs.columns)
    time = pick(path, "the time in .obs", keys.time, TIME_KEYS, columns)
    weight = pick(
        path,
        "weights in .obs",
        keys.weights,
        ("weight", "weights"),
        columns,
        required=False,
    )

    def representation(key: str) -> np.ndarray:
        array = numbers(path, key, np.asarray(data.obsm[key]))
        return leading(path, key, array, keys.columns)

    x = representation(positions)
    v = None if velocities is None else representation(velocities)
    if v is not None and v.shape != x.shape:
        raise SnapshotFileError(
            path, f"key {velocities!r}: expected shape {x.shape}, found {v.shape}."
        )
    w = None if weight is None else _as_numbers(path, weight, data.obs[weight])
    layout = Layout(
        "h5ad",
        time=time,
        positions=positions,
        velocities=velocities or f"{positions}_velocity",
        weights=weight or "weight",
    )
    t = _as_numbers(path, time, data.obs[time])
    return SnapshotFile(by_time(path, t, x, v, w), layout)


def _as_numbers(path: str | Path, name: str, column: Any) -> np.ndarray:
    try:
        return np.asarray(column.astype(str), str).astype(np.float64)
    except ValueError:
        raise SnapshotFileError(
            path,
            f"{name!r} in .obs: expected numbers, found "
            f"{names(repr(value) for value in dict.fromkeys(column))}.",
        ) from None


def write_h5ad(path: str | Path, snapshots: Snapshots, layout: Layout = H5AD) -> None:
    """Write ``snapshots`` as an AnnData file without genes: time in ``.obs``."""
    anndata = _anndata(path)
    import pandas as pd

    t, x, v, weights = to_rows(snapshots)
    obsm = {layout.positions: x}
    if v is not None:
        obsm[layout.velocities] = v
    obs = {layout.time: t}
    if weights is not None:
        obs[layout.weights] = weights
    index = [str(i) for i in range(len(t))]
    anndata.AnnData(obs=pd.DataFrame(obs, index=index), obsm=obsm).write_h5ad(path)
