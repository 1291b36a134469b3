"""What an AnnData file says of the cells of a run, and of forecasts of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.learning import Snapshots

from .anndata_file import array_of, element, frame_of, needs_anndata, opened
from .base import MAX_BYTES, USUAL, Layout, readable
from .findings import MOST_LABELS
from .genes import gene_origin
from .labels import nearest, votes
from .refusals import reading
from .rows import rows_of
from .times import gathered, to_times


if TYPE_CHECKING:
    import pandas as pd

# Numbers of genes that are written at most.
_MOST_GENES = 2**28
# The column of ``.var`` that brings forecasts back to genes.
ORIGIN = "wflow_origin"
# The entry of ``.uns["wflow"]`` that names the columns which a law has added.
LEARNED = "learned"


@dataclass(frozen=True)
class Cells:
    """What a file says of its cells, and its loadings.

    Attributes:
        obs: a row for each cell.
        var: a row for each gene; where forecasts can be brought back to them, those
            of the origin.
        obsm: the representation that moves, and embeddings in the plane.
        varm: loadings: arrays with a row for each gene.
        uns: what belongs to the representation (``pca``).
        genes: a row for each cell, where they are known.
        rows: the row of the file that each cell is, where it was read from one.
    """

    obs: "pd.DataFrame"
    var: "pd.DataFrame"
    obsm: dict[str, np.ndarray] = field(default_factory=dict)
    varm: dict[str, Any] = field(default_factory=dict)
    uns: dict[str, Any] = field(default_factory=dict)
    genes: np.ndarray | None = None
    rows: np.ndarray | None = None

    def forecast(
        self, layout: Layout, times: Sequence[float], moved: Sequence["Moved"]
    ) -> "Cells":
        """What can be said of moved cells, row by row.

        ``source`` is the observed cell that a row starts from, whose other columns it
        has; labels are those of most of the nearest observed cells, and
        ``<label>_confidence`` is their share.
        """
        import pandas as pd

        observed = self.obsm[layout.positions]
        # What a law says of a cell is not true of where it goes.
        learned = [*map(str, self.uns.get("wflow", {}).get(LEARNED, ())), layout.time]
        labels = [str(name) for name in self.obs if _is_label(self.obs[name])]
        labels = [name for name in labels if name != layout.time]
        parts, genes = [], []
        for time, cloud in zip(times, moved, strict=True):
            start = self.obs.iloc[cloud.rows].drop(columns=learned)
            part = start.assign(**{f"source_{layout.time}": self._times(layout, cloud)})
            if "source" not in self.obs:
                part = part.assign(source=start.index.astype(str))
            part.index = pd.Index(
                [f"{name}@{time:.12g}-{k}" for k, name in enumerate(start.index)]
            )
            near = nearest(observed, cloud.x)
            for name in labels:
                found, share = _votes(self.obs[name], near)
                part[name], part[f"{name}_confidence"] = found, share
            parts.append(part)
            genes.append(self._genes(cloud.x))
        known = [g for g in genes if g is not None]
        whole = np.concatenate(known) if len(known) == len(genes) else None
        return replace(self, obs=pd.concat(parts), obsm={}, genes=whole, rows=None)

    def _times(self, layout: Layout, cloud: "Moved") -> np.ndarray:
        return np.asarray(self.obs[layout.time])[cloud.rows]

    def _genes(self, x: np.ndarray) -> np.ndarray | None:
        """Genes out of principal components, by the loadings."""
        if ORIGIN not in self.var or len(x) * len(self.var) > _MOST_GENES:
            return None
        loadings = self.varm["PCs"][:, : x.shape[1]]
        return (x @ loadings.T + np.asarray(self.var[ORIGIN])).astype(np.float32)


@dataclass(frozen=True)
class Moved:
    """A forecast cloud, and the observed cell that each of its points starts from."""

    x: np.ndarray
    rows: np.ndarray


def _is_label(column: "pd.Series") -> bool:
    return column.dtype.kind not in "iufcMm" and column.nunique() <= MOST_LABELS


def _votes(column: "pd.Series", near: np.ndarray) -> tuple[Any, np.ndarray]:
    """The label of most of the nearest cells, and their share."""
    import pandas as pd

    kept = column.astype("category")
    names = kept.cat.categories
    best, share = votes(np.asarray(kept.cat.codes), len(names), near)
    return pd.Categorical.from_codes(best, categories=names), share


def read_cells(
    path: str | Path,
    layout: Layout,
    snapshots: Snapshots,
    *,
    max_bytes: int = MAX_BYTES,
) -> Cells:
    """What the file says of the cells of snapshots, in the order of their rows.

    Args:
        path: an AnnData file, from which ``read_h5ad`` made ``layout``.
        layout: where time and positions are.
        snapshots: as they were read, their rows in any order.
        max_bytes: as in ``read_h5ad``.

    Raises:
        SnapshotFileError: the points are not those of the file.
    """
    path = readable("read_cells", path, USUAL, max_bytes)
    with opened(path) as file:
        obs = frame_of(path, file, max_bytes)
        known = gathered(to_times(path, layout.time, np.asarray(obs[layout.time])))
        x = array_of(path, file, layout.positions, max_bytes)[:, : snapshots.dim]
        order = rows_of(path, layout, x, snapshots, *known)
        import pandas as pd

        from .look_anndata import is_embedding

        genes = 0
        varm: dict[str, Any] = {}
        for name in file.get("varm", ()):
            found = element(path, file, f"varm/{name}", max_bytes)
            if isinstance(found, np.ndarray) and found.ndim == 2:
                varm[name], genes = found, len(found)
        index = pd.Index([str(k) for k in range(genes)])
        if genes and "var" in file:
            index = element(path, file, "var", max_bytes).index
        var = pd.DataFrame(index=index)
        if layout.positions == "X_pca" and "PCs" in varm:
            origin = gene_origin(file, varm["PCs"], x, max_bytes)
            var = var if origin is None else var.assign(**{ORIGIN: origin})
        uns = {
            name: element(path, file, f"uns/{name}", max_bytes)
            for name in file.get("uns", ())
            if name == "pca"
        }
        obsm = {layout.positions: x[order]}
        for name in file["obsm"]:
            if is_embedding(name) and name != layout.positions:
                obsm[name] = array_of(path, file, name, max_bytes)[order, :2]
        rows = np.array(order)
        return Cells(obs.iloc[order], var, obsm, varm, uns, rows=rows)


def save_cells(
    path: str | Path,
    cells: Cells,
    more: Mapping[str, np.ndarray] | None = None,
    columns: Mapping[str, np.ndarray] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Keep what a file says of its cells, for ``load_cells`` and as AnnData.

    Args:
        path: of the .h5ad to write.
        cells: what to keep.
        more: arrays for ``.obsm``, a row for each cell.
        columns: for ``.obs``.
        settings: for ``.uns["wflow"]``.
    """
    import anndata
    import pandas as pd

    obs = cells.obs.assign(**(columns or {}))
    obs.index = obs.index.astype(str)
    if not obs.index.is_unique:
        obs.index = pd.Index([f"{name}-{k}" for k, name in enumerate(obs.index)])
    with reading(path):
        anndata.AnnData(
            obs=obs,
            var=cells.var,
            obsm={**cells.obsm, **(more or {})},
            varm=cells.varm,
            uns={
                **cells.uns,
                "wflow": {**(settings or {}), LEARNED: list(columns or {})},
            },
        ).write_h5ad(path)


def load_cells(path: str | Path) -> Cells:
    """The cells that ``save_cells`` kept."""
    path = readable("load_cells", path, USUAL, MAX_BYTES)
    needs_anndata(path)
    import anndata

    with reading(path):
        data = anndata.read_h5ad(path)
    obsm = {name: np.asarray(array) for name, array in data.obsm.items()}
    return Cells(data.obs, data.var, obsm, dict(data.varm), dict(data.uns))
