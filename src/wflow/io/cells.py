"""What a .h5ad says of the cells that forecasts start from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .anndata_file import array_of, element, frame_of, needs_anndata, opened
from .base import MAX_BYTES, USUAL, Layout, readable
from .refusals import SnapshotFileError, reading
from .times import gathered, to_times


if TYPE_CHECKING:
    import pandas as pd


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
    with opened(path) as file:
        obs = frame_of(path, file, max_bytes)
        times, rows = gathered(
            to_times(path, layout.time, np.asarray(obs[layout.time]))
        )
        x = array_of(path, file, layout.positions, max_bytes)[:, : snapshot.shape[1]]
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
            found = element(path, file, f"varm/{name}", max_bytes)
            if isinstance(found, np.ndarray) and found.ndim == 2:
                varm[name], genes = found, len(found)
        index = pd.Index([str(k) for k in range(genes)])
        if genes and "var" in file:
            index = element(path, file, "var", max_bytes).index
        uns = {
            name: element(path, file, f"uns/{name}", max_bytes)
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
    needs_anndata(path)
    import anndata

    with reading(path):
        data = anndata.read_h5ad(path)
    times = to_times(path, layout.time, np.asarray(data.obs[layout.time]))
    nearest = np.abs(times - time)
    obs = data.obs[nearest == nearest.min()]
    return Cells(obs, data.var, dict(data.varm), dict(data.uns))
