"""Exact optimal transport between weighted clouds, by POT's network simplex.

Everything here runs outside ``jit``, in float64, and returns numpy values.
"""

from typing import Any, Literal

import numpy as np
from jaxtyping import ArrayLike, Float

from wflow import checks
from wflow.measures.torus import check_period

from . import inputs


# The simplex needs some n log n pivots; POT's default of 1e5 ends early at n = 2000.
_MAX_PIVOTS = 10_000_000
# Costs, plan and arcs take some 24 bytes a pair: 10 GB.
MOST_PAIRS = 400_000_000
_BYTES = 24


def _weights(
    owner: str, name: str, weights: ArrayLike | None, n: int
) -> Float[np.ndarray, " n"]:
    if weights is None:
        return np.full(n, 1 / n)
    found = inputs.in_double(owner, name, weights)
    checks.shape(owner, name, found, (n,))
    checks.non_negative(owner, name, found)
    # In two steps: a sum of large weights may overflow.
    found = found / (found.max(initial=0) or 1)
    checks.weights(owner, name, found)
    return found / found.sum()


_Clouds = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _clouds(
    owner: str,
    x: ArrayLike,
    y: ArrayLike,
    weights_x: ArrayLike | None,
    weights_y: ArrayLike | None,
) -> _Clouds:
    points = []
    for name, value in (("x", x), ("y", y)):
        found = inputs.in_double(owner, name, value)
        inputs.check_cloud(owner, name, found)
        points.append(found)
    inputs.check_dimensions(owner, *points)
    a = _weights(owner, "weights_x", weights_x, len(points[0]))
    b = _weights(owner, "weights_y", weights_y, len(points[1]))
    return *points, a, b


def _costs(
    owner: str, x: np.ndarray, y: np.ndarray, p: int, period: ArrayLike | None = None
) -> np.ndarray:
    from scipy.spatial.distance import cdist

    pairs = len(x) * len(y)
    if pairs > MOST_PAIRS:
        raise ValueError(
            f"{owner}: {len(x)} and {len(y)} points are {pairs:.2g} pairs, which take "
            f"{pairs * _BYTES / 1e9:.0f} GB of memory; exact transport goes up to "
            f"{MOST_PAIRS:.0e} pairs. Subsample the points."
        )
    if period is None:
        return cdist(x, y, "euclidean" if p == 1 else "sqeuclidean")
    found = inputs.in_double(owner, "period", period)
    check_period(owner, found, x.shape[1])
    squares = np.zeros((len(x), len(y)))
    for a, b, length in zip(x.T, y.T, np.broadcast_to(found, x.shape[1]), strict=True):
        apart = np.abs(a[:, None] - b)
        if np.isfinite(length):
            apart = apart % length
            apart = np.minimum(apart, length - apart)
        squares += apart**2
    return np.sqrt(squares) if p == 1 else squares


def optimal_plan(
    x: Float[ArrayLike, "n d"],
    y: Float[ArrayLike, "m d"],
    weights_x: Float[ArrayLike, " n"] | None = None,
    weights_y: Float[ArrayLike, " m"] | None = None,
    *,
    p: Literal[1, 2] = 2,
    period: ArrayLike | None = None,
) -> Float[np.ndarray, "n m"]:
    r"""The plan $P \ge 0$ of least $\sum_{ij} P_{ij} |x_i - y_j|^p$.

    Args:
        x: points, ``(n, d)``.
        y: points, ``(m, d)``.
        weights_x: weights >= 0, ``(n,)``, normalized here; None is uniform.
        weights_y: likewise, ``(m,)``.
        p: 1 (Euclidean cost) or 2 (squared Euclidean).
        period: of the coordinates, a length or one per axis (infinite where there is
            none): distances are then the shortest ones on a torus.

    Returns:
        The plan, ``(n, m)``, with marginals the normalized weights.

    Raises:
        TypeError: an input is no array of numbers.
        ValueError: a cloud is not ``(n, d)``, has rows that are not finite or another
            dimension; weights are negative or sum to zero; a period is not above zero;
            an input is a tracer; there are more than ``MOST_PAIRS`` (4e8) pairs of
            points.
        RuntimeError: the simplex did not finish.

    Reference: Bonneel et al., ACM Transactions on Graphics 30 (2011); POT, ``ot.emd``.
    """
    owner = "optimal_plan"
    p = inputs.power(owner, p)
    x, y, a, b = _clouds(owner, x, y, weights_x, weights_y)
    return exact_plan(a, b, _costs(owner, x, y, p, period))


def exact_plan(a: np.ndarray, b: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """The plan of least cost between ``a`` and ``b``, of mass one.

    Raises:
        RuntimeError: the simplex did not finish.
    """
    import ot

    plan, log = ot.emd(a, b, cost, numItermax=_MAX_PIVOTS, log=True)
    if log["warning"] is not None:
        raise RuntimeError(f"exact transport did not finish: {log['warning']}")
    return plan


def w1_potentials(
    cost: Float[np.ndarray, "n m"],
    a: Float[np.ndarray, " n"],
    b: Float[np.ndarray, " m"],
) -> tuple[float, Float[np.ndarray, " n"], Float[np.ndarray, " m"]]:
    r"""The least cost between ``a`` and ``b``, and its potentials u and v.

    $u_i + v_j \le c_{ij}$ and $a \cdot u + b \cdot v$ is the least cost.

    Raises:
        RuntimeError: the simplex did not finish.
    """
    import ot

    found, log = ot.emd2(
        a, b, cost, numItermax=_MAX_PIVOTS, log=True, return_matrix=False
    )
    if log["warning"] is not None:
        raise RuntimeError(f"exact transport did not finish: {log['warning']}")
    return float(found), np.asarray(log["u"]), np.asarray(log["v"])


def _cost_of_plan(
    owner: str,
    x: ArrayLike,
    y: ArrayLike,
    weights_x: ArrayLike | None,
    weights_y: ArrayLike | None,
    p: int,
    period: ArrayLike | None,
) -> float:
    x, y, a, b = _clouds(owner, x, y, weights_x, weights_y)
    if period is None and x.shape[1] == 1 and len(x) * len(y) > MOST_PAIRS:
        # On a line the plan is monotone, and sorting finds it.
        import ot

        cost: Any = ot.wasserstein_1d(x[:, 0], y[:, 0], a, b, p=p)
        return float(cost)
    cost = _costs(owner, x, y, p, period)
    return float(np.sum(exact_plan(a, b, cost) * cost))


def w1(
    x: Float[ArrayLike, "n d"],
    y: Float[ArrayLike, "m d"],
    weights_x: Float[ArrayLike, " n"] | None = None,
    weights_y: Float[ArrayLike, " m"] | None = None,
    *,
    period: ArrayLike | None = None,
) -> float:
    r"""The mean distance by which one cloud must be moved to become another.

    The exact $W_1 = \min_P \sum_{ij} P_{ij} |x_i - y_j|$.

    Args:
        x: points, ``(n, d)``.
        y: points, ``(m, d)``.
        weights_x: weights >= 0, ``(n,)``, normalized here; None is uniform.
        weights_y: likewise, ``(m,)``.
        period: of the coordinates, a length or one per axis (infinite where there is
            none): distances are then the shortest ones on a torus.

    Returns:
        The distance, a length.

    The plan P is that of ``optimal_plan``, which says what is refused.
    """
    return _cost_of_plan("w1", x, y, weights_x, weights_y, 1, period)


def w2_squared(
    x: Float[ArrayLike, "n d"],
    y: Float[ArrayLike, "m d"],
    weights_x: Float[ArrayLike, " n"] | None = None,
    weights_y: Float[ArrayLike, " m"] | None = None,
    *,
    period: ArrayLike | None = None,
) -> float:
    r"""The least mean squared distance by which one cloud becomes another.

    The exact $W_2^2 = \min_P \sum_{ij} P_{ij} |x_i - y_j|^2$.

    Args:
        x: points, ``(n, d)``.
        y: points, ``(m, d)``.
        weights_x: weights >= 0, ``(n,)``, normalized here; None is uniform.
        weights_y: likewise, ``(m,)``.
        period: of the coordinates, a length or one per axis (infinite where there is
            none): distances are then the shortest ones on a torus.

    Returns:
        The squared distance, a squared length.

    The plan P is that of ``optimal_plan``, which says what is refused.
    """
    return _cost_of_plan("w2_squared", x, y, weights_x, weights_y, 2, period)


def w2(
    x: Float[ArrayLike, "n d"],
    y: Float[ArrayLike, "m d"],
    weights_x: Float[ArrayLike, " n"] | None = None,
    weights_y: Float[ArrayLike, " m"] | None = None,
    *,
    period: ArrayLike | None = None,
) -> float:
    """The Wasserstein distance of two clouds, exactly.

    $W_2$ is the root of ``w2_squared``.

    Args:
        x: points, ``(n, d)``.
        y: points, ``(m, d)``.
        weights_x: weights >= 0, ``(n,)``, normalized here; None is uniform.
        weights_y: likewise, ``(m,)``.
        period: of the coordinates, a length or one per axis (infinite where there is
            none): distances are then the shortest ones on a torus.

    Returns:
        The distance, a length.

    The plan P is that of ``optimal_plan``, which says what is refused.
    """
    return _cost_of_plan("w2", x, y, weights_x, weights_y, 2, period) ** 0.5


def barycentric_map(
    x: Float[ArrayLike, "n d"],
    y: Float[ArrayLike, "m d"],
    weights_x: Float[ArrayLike, " n"] | None = None,
    weights_y: Float[ArrayLike, " m"] | None = None,
) -> Float[np.ndarray, "n d"]:
    r"""Where optimal transport takes each point of a cloud, on average.

    $x_i \mapsto \sum_j P_{ij} y_j / \sum_j P_{ij}$ for the optimal plan of p = 2.

    The optimal map itself where the plan is one (equal sizes, uniform weights). A point
    of weight zero stays where it is. Arguments and errors as in ``optimal_plan``.
    """
    owner = "barycentric_map"
    x, y, a, b = _clouds(owner, x, y, weights_x, weights_y)
    plan = exact_plan(a, b, _costs(owner, x, y, 2))
    mass = plan.sum(axis=1, keepdims=True)
    return np.where(mass > 0, plan @ y / np.where(mass > 0, mass, 1), x)


def displacement_interpolation(
    x: Float[ArrayLike, "n d"],
    y: Float[ArrayLike, "m d"],
    s: float,
    weights_x: Float[ArrayLike, " n"] | None = None,
    weights_y: Float[ArrayLike, " m"] | None = None,
) -> tuple[Float[np.ndarray, "k d"], Float[np.ndarray, " k"]]:
    r"""A cloud between two others, on the way of optimal transport.

    $\mu_s = \sum_{ij} P_{ij}\,\delta_{(1 - s) x_i + s y_j}$.

    At s = 1/2 the midpoint of the two clouds in $W_2$; s outside [0, 1] extrapolates.
    Arguments and errors as in ``optimal_plan``.

    Returns:
        Points ``(k, d)`` and weights ``(k,)``, one for each pair that carries mass, at
        most n + m - 1 of them.

    Reference: McCann, Advances in Mathematics 128 (1997), definition 1.1.
    """
    owner = "displacement_interpolation"
    checks.shape(owner, "s", s, ())
    checks.finite(owner, "s", s)
    x, y, a, b = _clouds(owner, x, y, weights_x, weights_y)
    plan = exact_plan(a, b, _costs(owner, x, y, 2))
    i, j = np.nonzero(plan)
    return (1 - s) * x[i] + s * y[j], plan[i, j]
