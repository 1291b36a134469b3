r"""How well a law knows individuals, which no distance between clouds can see.

$W_1$ is blind to who became whom. Where that is known, from clones, from rows that are
tracked or from a simulator, it is a test that no training has seen.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Float

from wflow.checks import finite, non_negative, shape, to_numpy


class Followed(NamedTuple):
    """Where individuals are said to be, beside where they are.

    Attributes:
        error: mean distance of an individual from where it is said to be.
        still: the same if nothing had moved.
        cosine: between all displacements that are said and the true ones; zero where
            either are zero.
    """

    error: float
    still: float
    cosine: float


def followed(
    start: Float[ArrayLike, "n d"],
    reached: Float[ArrayLike, "n d"],
    truth: Float[ArrayLike, "n d"],
) -> Followed:
    """Score where tracked individuals arrive, row by row.

    Args:
        start: where they were.
        reached: where a law says that they are.
        truth: where they are.

    Raises:
        ValueError: arrays of different shapes, or that are not finite.
    """
    found = []
    for name, value in (("start", start), ("reached", reached), ("truth", truth)):
        x = to_numpy(value, name).astype(np.float64)
        shape("followed", name, x, found[0].shape if found else ("n", "d"))
        finite("followed", name, x)
        found.append(x)
    begin, end, true = found
    return Followed(
        float(np.linalg.norm(end - true, axis=1).mean()),
        float(np.linalg.norm(begin - true, axis=1).mean()),
        cosine(end - begin, true - begin),
    )


def cosine(found: Float[ArrayLike, "n d"], true: Float[ArrayLike, "n d"]) -> float:
    r"""Of two fields of vectors, $\sum_i u_i v_i / \sqrt{\sum u_i^2 \sum v_i^2}$.

    Each vector counts as much as it is long; zero where one of the two fields is.

    Raises:
        ValueError: arrays of different shapes, or that are not finite.
    """
    u, v = (to_numpy(x, "found").astype(np.float64) for x in (found, true))
    shape("cosine", "true", v, u.shape)
    finite("cosine", "found", u)
    finite("cosine", "true", v)
    sizes = float(np.sum(u**2) * np.sum(v**2))
    return float(np.sum(u * v)) / np.sqrt(sizes) if sizes > 0 else 0.0


Labels = Sequence[Any] | np.ndarray


def kept(plan: Float[ArrayLike, "n m"], before: Labels, after: Labels) -> float:
    """The share of mass that a coupling sends to what has the same label.

    Only the rows whose label is seen among the columns count: a clone that is lost says
    nothing. With labels of clones it says how often a cell is sent to its own kin.

    Args:
        plan: masses >= 0 from each row to each column.
        before: labels of the rows.
        after: labels of the columns.

    Raises:
        ValueError: labels that do not fit the plan, negative masses, or no row whose
            label is seen.

    Reference: Weinreb et al., Science 367 (2020) (clones as a test of trajectories).
    """
    p = to_numpy(plan, "plan").astype(np.float64)
    shape("kept", "plan", p, ("n", "m"))
    non_negative("kept", "plan", p)
    rows, columns = np.asarray(before).astype(str), np.asarray(after).astype(str)
    if (rows.shape, columns.shape) != ((p.shape[0],), (p.shape[1],)):
        raise ValueError(
            f"kept: expected before and after of {p.shape[0]} and {p.shape[1]} labels, "
            f"found shapes {rows.shape} and {columns.shape}."
        )
    seen = np.isin(rows, columns)
    total = float(p[seen].sum())
    if total <= 0:
        raise ValueError("kept: expected plan with mass at a label that is in after.")
    return float(p[seen][rows[seen][:, None] == columns].sum()) / total


def overlap(found: Float[ArrayLike, "n k"], true: Float[ArrayLike, "n k"]) -> float:
    r"""Mean $\sum_k \min(p_{ik}, q_{ik})$ of fate probabilities: one where they agree.

    Raises:
        ValueError: arrays of different shapes, negative or not finite.
    """
    p, q = (to_numpy(x, "found").astype(np.float64) for x in (found, true))
    shape("overlap", "found", p, ("n", "k"))
    shape("overlap", "true", q, p.shape)
    non_negative("overlap", "found", p)
    non_negative("overlap", "true", q)
    return float(np.minimum(p, q).sum(axis=1).mean())
