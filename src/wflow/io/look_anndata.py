"""Look at an AnnData file: its ``.obs``, and the names of all else."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .anndata_file import frame_of, is_array, opened
from .findings import (
    MASSES,
    MOST_LABELS,
    Findings,
    is_batch,
    once_in_each,
    same_in_each,
)
from .refusals import SnapshotFileError, names, pick
from .times import may_be_labels, normal, pick_time, snapshot_rows, to_times


if TYPE_CHECKING:
    import pandas as pd

# Representations to move in, the better ones first.
_PREFERRED = ("X_pca", "X_scvi", "X_pca_harmony", "X_harmony", "X_mnn", "X_lsi")
# For the eye: distances there mean little.
_EMBEDDINGS = (
    "emb",
    "umap",
    "tsne",
    "draw_graph",
    "phate",
    "diffmap",
    "force",
    "spatial",
)
# Genes that may be moved as they are, where there is no representation.
_FEW_GENES = 200
# Most bytes of .obs.
_MAX_BYTES = 2**33


def is_embedding(name: str) -> bool:
    """Whether a representation is one for the eye."""
    return any(word in name.casefold() for word in _EMBEDDINGS)


def look_anndata(path: Path, time: str | None, representation: str | None) -> Findings:
    """What a .h5ad or .zarr holds; of its arrays the shapes alone are read."""
    with opened(path) as file:
        obs = frame_of(path, file, _MAX_BYTES)
        columns = [str(name) for name in obs.columns]
        time = pick_time(
            path,
            "the time in .obs",
            time,
            columns,
            lambda name: np.asarray(obs[name]),
            lambda: (n for n in columns if may_be_labels(path, n, np.asarray(obs[n]))),
        )
        if time is None:
            raise AssertionError
        times, rows = snapshot_rows(
            path, to_times(path, time, np.asarray(obs[time])), time
        )
        shapes = {name: _columns(file["obsm"][name]) for name in file["obsm"]}
        shapes = {name: width for name, width in shapes.items() if width}
        genes = _columns(file["X"]) if "X" in file else 0
        positions = _positions(path, representation, shapes, genes)
        velocities = pick(
            path,
            "velocities in .obsm",
            None,
            (f"{positions}_velocity", f"velocity_{positions.removeprefix('X_')}"),
            shapes,
            "velocities",
            required=False,
        )
        found = _Columns(obs, time, rows)
        loadings = "varm" in file and "PCs" in file["varm"]
        left_out = [
            (f".obsm {name!r}", _why_not(name))
            for name in shapes
            if name not in (positions, velocities)
        ]
        if genes and positions != "X":
            why = "the representation moves"
            why += "; forecasts come back to genes by the loadings .varm['PCs']"
            without = ", without loadings in .varm['PCs'] forecasts have no genes"
            left_out.append(
                (
                    f".X, {genes} genes",
                    why if loadings else why.partition(";")[0] + without,
                )
            )
        left_out += [
            (f".layers {name!r}", "not needed") for name in file.get("layers", ())
        ]
        return Findings(
            path,
            "AnnData",
            "cell",
            time,
            tuple(times.tolist()),
            tuple(map(len, rows)),
            positions,
            genes if positions == "X" else shapes[positions],
            shapes,
            velocities=velocities,
            weights=found.weights,
            masses=found.masses,
            annotations=found.annotations,
            batches=found.batches,
            individuals=found.individuals,
            left_out=(*left_out, *found.left_out),
        )


def _columns(element: Any) -> int:
    """The width of a matrix, 0 where it is none."""
    if hasattr(element, "columns"):
        return 0
    shape = element.shape if is_array(element) else element.attrs.get("shape", ())
    return int(shape[1]) if len(shape) == 2 else 0


def _positions(
    path: Path, wanted: str | None, shapes: dict[str, int], genes: int
) -> str:
    if wanted is not None:
        if wanted in shapes or (wanted == "X" and genes):
            return wanted
        raise SnapshotFileError(
            path, f"expected a representation {wanted!r}, found {names(shapes)}."
        )
    known = {name.casefold(): name for name in shapes}
    for name in map(str.casefold, _PREFERRED):
        if name in known:
            return known[name]
    rest = [n for n in shapes if not is_embedding(n) and "velocity" not in n.casefold()]
    if rest:
        return rest[0]
    if 0 < genes <= _FEW_GENES:
        return "X"
    embeddings = [name for name in shapes if "velocity" not in name.casefold()]
    if embeddings:
        return embeddings[0]
    raise SnapshotFileError(
        path,
        f"has {genes} genes and no representation in .obsm: compute one, as with "
        "scanpy.pp.pca(adata), and write the file again.",
    )


def _why_not(name: str) -> str:
    return "an embedding, for pictures" if is_embedding(name) else "another one moves"


class _Columns:
    """The columns of .obs beside the time."""

    def __init__(self, obs: "pd.DataFrame", time: str, rows: list[np.ndarray]):
        self.weights: str | None = None
        self.masses: str | None = None
        self.annotations: dict[str, int] = {}
        self.batches: dict[str, int] = {}
        self.individuals: str | None = None
        self.left_out: list[tuple[str, str]] = []
        for name in map(str, obs.columns):
            if name != time:
                self._take(name, obs[name], rows)

    def _take(self, name: str, column: "pd.Series", rows: list[np.ndarray]) -> None:
        kind, count = column.dtype.kind, int(column.nunique())
        numeric = kind in "iuf"
        place = f".obs {name!r}"
        if numeric and normal(name) in ("weight", "weights"):
            self.weights = name
        elif numeric and normal(name) in MASSES:
            values = np.asarray(column, float)
            if self.masses is None and same_in_each(values, rows):
                self.masses = name
            else:
                why = "not one number at each time, as the size of a population is"
                self.left_out.append((place, why))
        elif is_batch(name) and 1 < count <= MOST_LABELS:
            self.batches[name] = count
        elif numeric:
            self.left_out.append((place, "numbers of single cells"))
        elif not numeric and once_in_each(column.astype(str), rows):
            self.individuals = self.individuals or name
        elif 1 < count <= MOST_LABELS:
            self.annotations[name] = count
        else:
            what = "one value everywhere" if count < 2 else f"{count} different labels"
            self.left_out.append((place, what))
