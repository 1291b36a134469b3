"""Snapshots in .h5ad files (AnnData)."""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.checks import instance
from wflow.learning import Snapshots

from .base import (
    MAX_BYTES,
    USUAL,
    Keys,
    Layout,
    SnapshotFile,
    SnapshotFileError,
    bounded,
    by_time,
    check_coordinates,
    gathered,
    leading,
    like,
    names,
    note,
    numbers,
    pick,
    quoted,
    readable,
    reading,
    to_rows,
    writing,
)
from .times import pick_time, to_times


if TYPE_CHECKING:
    import pandas as pd


H5AD = Layout("h5ad", positions="X_pca", velocities="X_pca_velocity", weights="weight")

# Distinct values up to which a column of .obs may be labels of times.
_LABELS = 50


def _needs_anndata(path: str | Path) -> None:
    try:
        import anndata  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path}: .h5ad files need the package anndata, which comes with "
            "pip install 'wflow-jax[anndata]'."
        ) from error


def read_h5ad(
    path: str | Path, keys: Keys = USUAL, *, max_bytes: int = MAX_BYTES
) -> SnapshotFile:
    """Read snapshots from an AnnData file, one cell per row.

    The time is in ``.obs`` (``t``, ``time``, ``day``, ...; numbers, or labels with one
    unit around each number, such as D0 and D2), the representation in ``.obsm``
    (``X_pca``, or the only one there is; dense or sparse), optionally its velocities in
    ``.obsm`` (``X_pca_velocity``, or scVelo's ``velocity_pca``) and weights in ``.obs``
    (``weight``). Nothing else is read: the genes only if ``keys.positions`` is ``X``.

    Args:
        path: the file.
        keys: names that differ from the usual ones.
        max_bytes: most bytes that ``.obs`` and the representations may have, looked at
            before they are read.

    Raises:
        SnapshotFileError: the file is no .h5ad, lacks a name, or has several that may
            be meant; labels of the time that are no numbers; a coordinate that is nan
            throughout; more than ``max_bytes``.
        ModuleNotFoundError: the package anndata is not installed.
    """
    path = readable("read_h5ad", path, keys, max_bytes)
    with _opened(path) as file:
        return _read(path, file, keys, max_bytes)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    _needs_anndata(path)
    import h5py

    with reading(path), path.open("rb"):
        pass
    try:
        with h5py.File(path, "r") as file:
            groups = [name for name in ("obs", "obsm") if name in file]
            if groups != ["obs", "obsm"]:
                raise SnapshotFileError(
                    path,
                    f"is not a readable .h5ad file: expected obs and obsm, found "
                    f"{names(file)}.",
                )
            if not all(isinstance(file[name], h5py.Group) for name in groups):
                raise SnapshotFileError(
                    path,
                    "was written by an anndata older than 0.7; read it with anndata "
                    "and write it again.",
                )
            yield file
    except SnapshotFileError:
        raise
    except _damages() as error:
        # What HDF5 and anndata say of damaged files is long, and of their own insides.
        raise SnapshotFileError(path, "is not a readable .h5ad file.") from error


def _damages() -> tuple[type[Exception], ...]:
    """What h5py, anndata and pandas raise at a damaged file."""
    errors = [OSError, LookupError, AttributeError, RuntimeError, TypeError, ValueError]
    with contextlib.suppress(ImportError):
        from anndata._io.specs.registry import IORegistryError

        errors.append(IORegistryError)
    return (*errors, MemoryError)


def _size(element: Any) -> int:
    """Bytes that an element will take; of a sparse matrix those of all entries."""
    import h5py

    if isinstance(element, h5py.Dataset):
        # What is not yet in double precision will be.
        return int(np.prod(element.shape, dtype=object)) * max(
            8, element.dtype.itemsize
        )
    if "shape" in element.attrs:
        return 8 * int(np.prod([int(n) for n in element.attrs["shape"]], dtype=object))
    return sum(_size(element[name]) for name in element)


def _element(path: Path, file: Any, name: str, max_bytes: int) -> Any:
    """One element of the file, if it is not too large."""
    from anndata.io import read_elem

    bounded(path, name, _size(file[name]), max_bytes)
    with warnings.catch_warnings():
        # Files of older versions say less, but enough.
        warnings.filterwarnings("ignore", ".*without encoding metadata")
        return read_elem(file[name])


def _frame(path: Path, file: Any, max_bytes: int) -> "pd.DataFrame":
    import pandas as pd

    found = _element(path, file, "obs", max_bytes)
    if not isinstance(found, pd.DataFrame):
        raise SnapshotFileError(
            path, f"expected .obs to be a table, found a {type(found).__name__}."
        )
    return found


def _array(path: Path, file: Any, key: str, max_bytes: int) -> np.ndarray:
    """An array of .obsm, or the genes, dense."""
    name = key if key == "X" and "X" not in file["obsm"] else f"obsm/{key}"
    found = _element(path, file, name, max_bytes)
    if hasattr(found, "toarray"):
        found = found.toarray()
    array = numbers(path, key, np.asarray(found))
    if array.ndim != 2 or 0 in array.shape:
        raise SnapshotFileError(
            path, f"key {key!r}: expected shape (cells, d), found {array.shape}."
        )
    return array


def _read(path: Path, file: Any, keys: Keys, max_bytes: int) -> SnapshotFile:
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
    obs = _frame(path, file, max_bytes)
    columns = [str(name) for name in obs.columns]
    time = pick_time(
        path,
        "the time in .obs",
        keys.time,
        columns,
        lambda name: np.asarray(obs[name]),
        lambda: (name for name in columns if _may_be_labels(path, name, obs[name])),
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
    for key in columns:
        if key.casefold() in ("mass", "masses") and key != weight:
            note(
                path,
                f"{key!r} in .obs is not read; if it is a weight, name it with weights "
                "(data.keys.weights), masses with data.masses.",
            )

    def representation(key: str) -> np.ndarray:
        array = _array(path, file, key, max_bytes)
        return leading(path, key, array, keys.columns)

    x = representation(positions)
    v = None if velocities is None else representation(velocities)
    if v is not None and v.shape != x.shape:
        raise SnapshotFileError(
            path, f"key {velocities!r}: expected shape {x.shape}, found {v.shape}."
        )
    check_coordinates(path, x, positions)
    w = None if weight is None else _as_numbers(path, weight, obs[weight])
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
    return SnapshotFile(by_time(path, t, x, v, w, name=time), layout)


def _may_be_labels(path: Path, name: str, column: "pd.Series") -> bool:
    """Whether a column holds a few whole numbers, or labels that are times."""
    values = np.asarray(column)
    if values.dtype.kind == "b" or not 1 < column.nunique() <= _LABELS:
        return False
    try:
        times = to_times(path, name, values)
    except SnapshotFileError:
        return False
    return bool(values.dtype.kind not in "f" or (times == np.floor(times)).all())


def _as_numbers(path: str | Path, name: str, column: Any) -> np.ndarray:
    try:
        return np.asarray(column.astype(str), str).astype(np.float64)
    except ValueError:
        raise SnapshotFileError(
            path,
            f"{name!r} in .obs: expected numbers, found "
            f"{quoted(dict.fromkeys(column))}.",
        ) from None


@dataclass(frozen=True)
class Cells:
    """What a .h5ad says of its cells beside their coordinates, and its loadings.

    Attributes:
        obs: a row for each cell.
        var: a row for each gene, without columns.
        varm: loadings: arrays with a row for each gene.
        uns: what belongs to the representation (``pca``).
    """

    obs: "pd.DataFrame"
    var: "pd.DataFrame"
    varm: dict[str, Any] = field(default_factory=dict)
    uns: dict[str, Any] = field(default_factory=dict)

    def started(self, times: Sequence[float], column: str) -> "Cells":
        """These cells once for each of ``times``, which go where their time was.

        ``source`` is the name of the cell that a row starts from.
        """
        import pandas as pd

        parts = []
        for time in times:
            part = self.obs.drop(columns=column, errors="ignore")
            if "source" not in part:
                part = part.assign(source=part.index.astype(str))
            part.index = pd.Index([f"{name}@{time:.12g}" for name in self.obs.index])
            parts.append(part)
        return Cells(pd.concat(parts), self.var, self.varm, self.uns)


def read_cells(
    path: str | Path,
    layout: Layout,
    snapshot: np.ndarray,
    time: float,
    *,
    max_bytes: int = MAX_BYTES,
) -> Cells:
    """What the file says of the cells of one snapshot, in the order of its rows.

    Args:
        path: a .h5ad, from which ``read_h5ad`` made ``layout``.
        layout: where time and positions are.
        snapshot: its points, as they were read, in any order.
        time: of the snapshot.
        max_bytes: as in ``read_h5ad``.

    Raises:
        SnapshotFileError: the points are not those of the file.
    """
    path = readable("read_cells", path, USUAL, max_bytes)
    with _opened(path) as file:
        obs = _frame(path, file, max_bytes)
        times, rows = gathered(
            to_times(path, layout.time, np.asarray(obs[layout.time]))
        )
        x = _array(path, file, layout.positions, max_bytes)[:, : snapshot.shape[1]]
        candidates = rows[int(np.abs(times - time).argmin())]
        places: dict[bytes, list[int]] = {}
        for row in candidates[::-1]:
            places.setdefault(x[row].tobytes(), []).append(int(row))
        wanted = np.ascontiguousarray(snapshot, np.float64)
        try:
            order = [places[point.tobytes()].pop() for point in wanted]
        except (KeyError, IndexError):
            raise SnapshotFileError(
                path, f"its cells at {layout.time!r} = {time:.12g} have changed."
            ) from None
        import pandas as pd

        genes = 0
        varm: dict[str, Any] = {}
        for name in file.get("varm", ()):
            found = _element(path, file, f"varm/{name}", max_bytes)
            if isinstance(found, np.ndarray) and found.ndim == 2:
                varm[name], genes = found, len(found)
        index = pd.Index([str(k) for k in range(genes)])
        if genes and "var" in file:
            index = _element(path, file, "var", max_bytes).index
        uns = {
            name: _element(path, file, f"uns/{name}", max_bytes)
            for name in file.get("uns", ())
            if name == "pca"
        }
        return Cells(obs.iloc[order], pd.DataFrame(index=index), varm, uns)


def save_cells(path: str | Path, cells: Sequence[Cells]) -> None:
    """Keep what several snapshots of one file say, for ``load_cells``."""
    import anndata
    import pandas as pd

    obs = pd.concat([part.obs for part in cells])
    obs.index = obs.index.astype(str)
    if not obs.index.is_unique:
        obs.index = pd.Index([f"{name}-{k}" for k, name in enumerate(obs.index)])
    first = cells[0]
    with reading(path):
        anndata.AnnData(
            obs=obs, var=first.var, varm=first.varm, uns=first.uns
        ).write_h5ad(path)


def load_cells(path: str | Path, layout: Layout, time: float) -> Cells:
    """The kept cells of the snapshot at ``time``."""
    path = readable("load_cells", path, USUAL, MAX_BYTES)
    _needs_anndata(path)
    import anndata

    with reading(path):
        data = anndata.read_h5ad(path)
    times = to_times(path, layout.time, np.asarray(data.obs[layout.time]))
    nearest = np.abs(times - time)
    obs = data.obs[nearest == nearest.min()]
    return Cells(obs, data.var, dict(data.varm), dict(data.uns))


def write_h5ad(
    path: str | Path,
    snapshots: Snapshots,
    layout: Layout = H5AD,
    cells: Cells | None = None,
) -> None:
    """Write ``snapshots`` as an AnnData file without genes: time in ``.obs``.

    Args:
        path: the file.
        snapshots: what to write.
        layout: names, from ``read_h5ad``.
        cells: what else goes with every row, and the loadings.

    Raises:
        SnapshotFileError: the system does not let the file be written.
        ModuleNotFoundError: the package anndata is not installed.
    """
    if cells is not None:
        instance("write_h5ad", "cells", cells, Cells, "Cells")
    with writing("write_h5ad", path, snapshots, layout) as partial:
        _needs_anndata(path)
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
            else {"var": cells.var, "varm": cells.varm, "uns": cells.uns}
        )
        anndata.AnnData(obs=obs, obsm=obsm, **more).write_h5ad(partial)
