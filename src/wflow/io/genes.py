"""Genes of an AnnData file, read in parts: some of them, and what leads back to all."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .anndata_file import element, is_array
from .refusals import SnapshotFileError, bounded, quoted


# Cells that are read at once, and that tell whether loadings belong to the genes.
_ROWS, _PROBED = 4096, 200
# Share by which components out of genes may differ from those of the file.
_APART = 0.05


def gene_origin(
    file: Any, loadings: np.ndarray, x: np.ndarray, max_bytes: int
) -> np.ndarray | None:
    r"""The genes of the origin of the components, ``x @ loadings.T`` away from others.

    $\bar g - \bar x L^T$, so that the mean cell of the file comes out right, whatever
    cells the components were made of. None where the file has no genes, more than
    ``max_bytes`` of them, or others than those that the components were made of.
    """
    if "X" not in file:
        return None
    genes, size = _opened(file["X"])
    count = len(x)
    if genes is None or size > max_bytes or genes.shape != (count, len(loadings)):
        return None
    total = np.zeros(len(loadings))
    for begin in range(0, count, _ROWS):
        total += np.asarray(genes[begin : begin + _ROWS].sum(axis=0)).ravel()
    mean, center = total / count, x.mean(axis=0)
    kept = loadings[:, : x.shape[1]]
    rows = np.unique(np.linspace(0, count - 1, min(count, _PROBED)).astype(int))
    probed = np.concatenate([_dense(genes[row : row + 1]) for row in rows])
    found, wanted = (probed - mean) @ kept, x[rows] - center
    apart = np.linalg.norm(found - wanted) / max(np.linalg.norm(wanted), 1e-300)
    return mean - center @ kept.T if apart < _APART else None


def _opened(element: Any) -> tuple[Any, int]:
    """The matrix, not read yet, and its bytes."""
    if is_array(element):
        return element, int(np.prod(element.shape)) * element.dtype.itemsize
    kind = element.attrs.get("encoding-type", "")
    if kind != "csr_matrix":
        return None, 0
    from anndata.io import sparse_dataset

    return sparse_dataset(element), element["data"].shape[0] * 12


def _dense(part: Any) -> np.ndarray:
    return part.toarray() if hasattr(part, "toarray") else np.asarray(part)


def expression(
    path: Path, file: Any, names: Sequence[str], max_bytes: int
) -> np.ndarray:
    """The levels of these genes in all cells of the file, ``(cells, genes)``.

    Raises:
        SnapshotFileError: a gene that is not there, or no genes that can be read.
    """
    genes = [str(name) for name in element(path, file, "var", max_bytes).index]
    missing = [name for name in names if name not in genes]
    if missing:
        raise SnapshotFileError(path, f"expected genes {quoted(missing)}, found none.")
    matrix, _ = _opened(file["X"]) if "X" in file else (None, 0)
    if matrix is None:
        raise SnapshotFileError(
            path, "expected genes in .X, dense or in rows, found none."
        )
    bounded(path, "the genes", 8 * matrix.shape[0] * len(names), max_bytes)
    places = [genes.index(name) for name in names]
    parts = [
        _dense(matrix[begin : begin + _ROWS])[:, places]
        for begin in range(0, matrix.shape[0], _ROWS)
    ]
    return np.concatenate(parts).astype(np.float64)
