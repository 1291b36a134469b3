"""Genes of an AnnData file, read in parts: what brings components back to them."""

from typing import Any

import numpy as np

from .anndata_file import is_array


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
