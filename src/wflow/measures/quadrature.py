"""Nodes and weights for the standard normal law."""

import numpy as np


# Gauss-Hermite nodes per axis up to this dimension, degree-5 cubature above.
_NODES = 8
_TENSOR_DIM = 4


def standard_quadrature(dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes ``(q, dim)`` and weights ``(q,)`` for the standard normal law.

    Tensor Gauss-Hermite (exact to degree 15 per axis) up to dimension 4; above, the
    cubature with 2 dim^2 + 1 nodes, exact to degree 5.

    Reference: Stroud, Approximate Calculation of Multiple Integrals (1971), E_n^{r^2}
    5-2.
    """
    if dim <= _TENSOR_DIM:
        z, w = np.polynomial.hermite_e.hermegauss(_NODES)
        w = w / w.sum()
        nodes = np.stack(np.meshgrid(*[z] * dim, indexing="ij"), -1).reshape(-1, dim)
        weights = np.prod(
            np.stack(np.meshgrid(*[w] * dim, indexing="ij"), -1).reshape(-1, dim), -1
        )
        return nodes, weights
    eye = np.eye(dim)
    axis = np.sqrt(dim + 2) * np.concatenate([eye, -eye])
    i, j = np.triu_indices(dim, 1)
    pairs = np.sqrt((dim + 2) / 2) * np.concatenate(
        [a * eye[i] + b * eye[j] for a in (1, -1) for b in (1, -1)]
    )
    nodes = np.concatenate([np.zeros((1, dim)), axis, pairs])
    weights = np.concatenate(
        [
            [2 / (dim + 2)],
            np.full(len(axis), (4 - dim) / (2 * (dim + 2) ** 2)),
            np.full(len(pairs), 1 / (dim + 2) ** 2),
        ]
    )
    return nodes, weights
