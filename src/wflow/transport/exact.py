"""Exact optimal transport between weighted clouds, by POT's network simplex.

Everything here runs outside ``jit``, in float64, and returns numpy values.
"""

from typing import Literal

import numpy as np
from jax.core import Tracer
from jaxtyping import ArrayLike, Float


# The simplex needs some n log n pivots; POT's default of 1e5 ends early at n = 2000.
_MAX_PIVOTS = 10_000_000


def _cloud(name: str, points: ArrayLike) -> np.ndarray:
    if isinstance(points, Tracer):
        raise ValueError(
            f"{name} is a tracer: exact transport runs outside jit, grad and vmap; "
            "inside them use sinkhorn_divergence."
        )
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or len(points) == 0:
        raise ValueError(
            f"expected {name} of shape (n, d), n >= 1, found {points.shape}."
        )
    bad = int(np.sum(~np.isfinite(points).all(axis=1)))
    if bad:
        raise ValueError(f"{bad} of {len(points)} rows of {name} are not finite.")
    return points


def _weights(name: str, weights: ArrayLike | None, n: int) -> np.ndarray:
    if weights is None:
        return np.full(n, 1 / n)
    if isinstance(weights, Tracer):
        raise ValueError(f"{name} is a tracer: exact transport runs outside jit.")
    weights = np.asarray(weights, np.float64)
    if weights.shape != (n,):
        raise ValueError(f"expected {name} of shape ({n},), found {weights.shape}.")
    if not np.isfinite(weights).all():
        raise ValueError(f"{name} are not finite.")
    if (weights < 0).any():
        raise ValueError(f"{name} are negative at {int((weights < 0).sum())} points.")
    if weights.sum() == 0:
        raise ValueError(f"{name} sum to zero.")
    return weights / weights.sum()


def _problem(
    x: ArrayLike,
    y: ArrayLike,
    weights_x: ArrayLike | None,
    weights_y: ArrayLike | None,
    p: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    from scipy.spatial.distance import cdist

    x, y = _cloud("x", x), _cloud("y", y)
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"expected x and y of one dimension, found {x.shape[1]} and {y.shape[1]}."
        )
    if p not in (1, 2):
        raise ValueError(f"expected p 1 or 2, found {p!r}.")
    a, b = (
        _weights("weights_x", weights_x, len(x)),
        _weights("weights_y", weights_y, len(y)),
    )
    cost = cdist(x, y, "euclidean" if p == 1 else "sqeuclidean")
    return x, y, a, b, cost


def optimal_plan(
    x: Float[ArrayLike, "n d"],
    y: Float[ArrayLike, "m d"],
    weights_x: Float[ArrayLike, " n"] | None = None,
    weights_y: Float[ArrayLike, " m"] | None = None,
    *,
    p: Literal[1, 2] = 2,
) -> Float[np.ndarray, "n m"]:
    r"""The plan $P \ge 0$ of least $\sum_{ij} P_{ij} |x_i - y_j|^p$.

    Args:
        x: points, ``(n, d)``.
        y: points, ``(m, d)``.
        weights_x: weights >= 0, ``(n,)``, normalised here; None is uniform.
        weights_y: likewise, ``(m,)``.
        p: 1 (Euclidean cost) or 2 (squared Euclidean).

    Returns:
        The plan, ``(n, m)``, with marginals the normalised weights.

    Raises:
        ValueError: a cloud is not ``(n, d)``, has rows that are not finite or another
            dimension; weights are negative or sum to zero; an input is a tracer.
        RuntimeError: the simplex did not finish.

    Reference: Bonneel et al., ACM Transactions on Graphics 30 (2011); POT, ``ot.emd``.
    """
    *_, a, b, cost = _problem(x, y, weights_x, weights_y, p)
    return _solve(a, b, cost)


def _solve(a: np.ndarray, b: np.ndarray, cost: np.ndarray) -> np.ndarray:
    import ot

    plan, log = ot.emd(a, b, cost, numItermax=_MAX_PIVOTS, log=True)
    if log["warning"] is not None:
        raise RuntimeError(f"exact transport did not finish: {log['warning']}")
    return plan


def _cost_of_plan(
    x: ArrayLike,
    y: ArrayLike,
    weights_x: ArrayLike | None,
    weights_y: ArrayLike | None,
    p: int,
) -> float:
    *_, a, b, cost = _problem(x, y, weights_x, weights_y, p)
    return float(np.sum(_solve(a, b, cost) * cost))


def w1(
    x: Float[ArrayLike, "n d"],
    y: Float[ArrayLike, "m d"],
    weights_x: Float[ArrayLike, " n"] | None = None,
    weights_y: Float[ArrayLike, " m"] | None = None,
) -> float:
    r"""$W_1 = \min_P \sum_{ij} P_{ij} |x_i - y_j|$; see ``optimal_plan``."""
    return _cost_of_plan(x, y, weights_x, weights_y, 1)


def w2_squared(
    x: Float[ArrayLike, "n d"],
    y: Float[ArrayLike, "m d"],
    weights_x: Float[ArrayLike, " n"] | None = None,
    weights_y: Float[ArrayLike, " m"] | None = None,
) -> float:
    r"""$W_2^2 = \min_P \sum_{ij} P_{ij} |x_i - y_j|^2$; see ``optimal_plan``."""
    return _cost_of_plan(x, y, weights_x, weights_y, 2)


def w2(
    x: Float[ArrayLike, "n d"],
    y: Float[ArrayLike, "m d"],
    weights_x: Float[ArrayLike, " n"] | None = None,
    weights_y: Float[ArrayLike, " m"] | None = None,
) -> float:
    r"""$W_2$, the root of ``w2_squared``."""
    return w2_squared(x, y, weights_x, weights_y) ** 0.5


def barycentric_map(
    x: Float[ArrayLike, "n d"],
    y: Float[ArrayLike, "m d"],
    weights_x: Float[ArrayLike, " n"] | None = None,
    weights_y: Float[ArrayLike, " m"] | None = None,
) -> Float[np.ndarray, "n d"]:
    r"""$x_i \mapsto \sum_j P_{ij} y_j / \sum_j P_{ij}$ for the optimal plan of p = 2.

    The optimal map itself where the plan is one (equal sizes, uniform weights). A point
    of weight zero stays where it is. Arguments and errors as in ``optimal_plan``.
    """
    x, y, a, b, cost = _problem(x, y, weights_x, weights_y, 2)
    plan = _solve(a, b, cost)
    mass = plan.sum(axis=1, keepdims=True)
    return np.where(mass > 0, plan @ y / np.where(mass > 0, mass, 1), x)


def displacement_interpolation(
    x: Float[ArrayLike, "n d"],
    y: Float[ArrayLike, "m d"],
    s: float,
    weights_x: Float[ArrayLike, " n"] | None = None,
    weights_y: Float[ArrayLike, " m"] | None = None,
) -> tuple[Float[np.ndarray, "k d"], Float[np.ndarray, " k"]]:
    r"""$\mu_s = \sum_{ij} P_{ij}\,\delta_{(1 - s) x_i + s y_j}$.

    At s = 1/2 the midpoint of the two clouds in $W_2$; s outside [0, 1] extrapolates.
    Arguments and errors as in ``optimal_plan``.

    Returns:
        Points ``(k, d)`` and weights ``(k,)``, one for each pair that carries mass, at
        most n + m - 1 of them.

    Reference: McCann, Advances in Mathematics 128 (1997), definition 1.1.
    """
    x, y, a, b, cost = _problem(x, y, weights_x, weights_y, 2)
    plan = _solve(a, b, cost)
    i, j = np.nonzero(plan)
    return (1 - s) * x[i] + s * y[j], plan[i, j]
