"""Pairs of points of neighboring snapshots, drawn from plans, and chains of them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from .snapshots import Snapshots


Coupling = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]

# Of the largest entry of a row or column: what is smaller is left out of a plan.
_LEAST = 1e-6


class Plan(NamedTuple):
    r"""Pairs (i, j) of rows, and the mass that each has at its start and at its end.

    A semi-coupling: the masses at the start sum to those of the points of the first
    cloud, those at the end to those of the second, whatever the coupling was.

    Reference: Chizat, Peyre, Schmitzer, Vialard, J. Funct. Anal. 274 (2018), (3.1).
    """

    i: Int[np.ndarray, " P"]
    j: Int[np.ndarray, " P"]
    start: Float[np.ndarray, " P"]
    end: Float[np.ndarray, " P"]


def ballistic(
    snapshots: Snapshots, k: int, j: int
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "m d"]]:
    r"""Where two points with velocities would meet halfway.

    $x + \frac h2 v$ and $y - \frac h2 u$.

    Their distance is the least change of velocity on a way from (x, v) to (y, u) but
    for what the velocities themselves ask for. Without velocities just x and y.
    """
    x, y = (snapshots[index].astype(np.float64) for index in (k, j))
    v, u = snapshots.velocity(k), snapshots.velocity(j)
    if v is None or u is None:
        return x, y
    half = (snapshots.times[j] - snapshots.times[k]) / 2
    return x + half * v, y - half * u


def plan_between(
    coupling: Coupling,
    snapshots: Snapshots,
    k: int,
    j: int,
    block: int,
    rng: np.random.Generator,
    growth: Float[np.ndarray, " n"] | None = None,
) -> Plan:
    """The plan from snapshot ``k`` to ``j``, their masses in those of the first one.

    Clouds of more than ``block`` points are split at random into parts, drawn by
    weight, and the parts are coupled. With ``growth`` rates of the points of ``k``,
    which are known up to a common one, what is coupled is what these leave of them.
    """
    x, y = ballistic(snapshots, k, j)
    a, b = (masses(snapshots, index) for index in (k, j))
    before = np.ones(len(a))
    if growth is not None:
        grown = growth * (snapshots.times[j] - snapshots.times[k])
        factor = np.exp(grown - grown.max())
        factor *= b.sum() / (a @ factor)
        a, before = a * factor, 1 / factor
    if max(len(x), len(y)) <= block:
        plan = _semi(coupling(x, y, a, b), a, b)
        return plan._replace(start=plan.start * before[plan.i])
    parts = -(-max(len(x), len(y)) // block)
    size = -(-max(len(x), len(y)) // parts)
    rows = [
        rng.permutation(systematic(w, parts * size, rng)).reshape(parts, size)
        for w in (a, b)
    ]
    mass = [np.full(size, w.sum() / (parts * size)) for w in (a, b)]
    plans = []
    for left, right in zip(*rows, strict=True):
        part = _semi(coupling(x[left], y[right], *mass), *mass)
        i = left[part.i]
        start = part.start * before[i]
        plans.append(part._replace(i=i, j=right[part.j], start=start))
    return Plan(*(np.concatenate(column) for column in zip(*plans, strict=True)))


def masses(snapshots: Snapshots, k: int) -> Float[np.ndarray, " n"]:
    """Masses of the points of a snapshot, in that of the first snapshot."""
    weights = snapshots.weight(k).astype(np.float64)
    return weights / weights.sum() * snapshots.mass(k) / snapshots.mass(0)


def _semi(plan: np.ndarray, a: np.ndarray, b: np.ndarray) -> Plan:
    r"""The plan with either marginal met.

    $P_{ij} a_i / \sum_j P_{ij}$ and $P_{ij} b_j / \sum_i P_{ij}$, without dust.
    """
    plan = np.asarray(plan, np.float64)
    if plan.shape != (len(a), len(b)) or not (np.isfinite(plan) & (plan >= 0)).all():
        raise ValueError(
            "FlowMatching: expected coupling to give finite masses >= 0 of shape "
            f"{(len(a), len(b))}, found shape {plan.shape}."
        )
    most = np.minimum(plan.max(axis=1, keepdims=True), plan.max(axis=0))
    i, j = np.nonzero((plan > _LEAST * most) & (a[:, None] > 0) & (b > 0))
    mass = plan[i, j]
    for rows, weights, cloud in ((i, a, "first"), (j, b, "second")):
        alone = (weights > 0) & (np.bincount(rows, mass, len(weights)) <= 0)
        if alone.any():
            raise ValueError(
                "FlowMatching: expected coupling to pair every point, found none for "
                f"point {int(np.argmax(alone))} of the {cloud} cloud; a larger length "
                "or penalty reaches further."
            )
    return Plan(
        i,
        j,
        mass * (a / np.bincount(i, mass, len(a)).clip(np.finfo(float).tiny))[i],
        mass * (b / np.bincount(j, mass, len(b)).clip(np.finfo(float).tiny))[j],
    )


def systematic(
    weights: Float[np.ndarray, " n"], size: int, rng: np.random.Generator
) -> Int[np.ndarray, " size"]:
    """``size`` rows in increasing order, row i some ``size`` w_i times, but for one.

    Reference: Kitagawa, J. Comput. Graph. Stat. 5 (1996), section 3.
    """
    edges = np.cumsum(weights) / np.sum(weights)
    places = (np.arange(size) + rng.random()) / size
    return np.minimum(np.searchsorted(edges, places, "right"), len(weights) - 1)


def continued(
    rows: Int[np.ndarray, " P"],
    source: Int[np.ndarray, " E"],
    target: Int[np.ndarray, " E"],
    mass: Float[np.ndarray, " E"],
    rng: np.random.Generator,
) -> Int[np.ndarray, " P"]:
    """For each of ``rows`` a target, with the chance of its pair among its source's.

    Draws that share a row are spread evenly over its pairs.
    """
    order = np.argsort(source, kind="stable")
    edges = np.concatenate([[0.0], np.cumsum(mass[order])])
    first = np.searchsorted(source[order], np.arange(rows.max() + 2))
    low, high = edges[first[:-1]], edges[first[1:]]
    shuffled = rng.permutation(len(rows))
    sorted_rows = shuffled[np.argsort(rows[shuffled], kind="stable")]
    row = rows[sorted_rows]
    counts = np.bincount(row)
    rank = np.arange(len(row)) - (np.cumsum(counts) - counts)[row]
    way = (rank + rng.random(len(counts))[row]) / counts[row]
    places = low[row] + way * (high - low)[row]
    found = np.searchsorted(edges, places, "right") - 1
    found = np.clip(found, first[row], first[row + 1] - 1)
    drawn = np.empty_like(rows)
    drawn[sorted_rows] = target[order][found]
    return drawn


class Pairs(NamedTuple):
    """Pairs drawn from the plan of one interval, and the plans of all of them.

    ``start`` and ``end`` are masses whose means are those of the population.
    """

    snapshots: Snapshots
    plans: list[Plan]
    k: int
    i: Int[np.ndarray, " P"]
    j: Int[np.ndarray, " P"]
    start: Float[np.ndarray, " P"]
    end: Float[np.ndarray, " P"]
    rng: np.random.Generator

    @property
    def ends(self) -> tuple[Float[np.ndarray, "P d"], Float[np.ndarray, "P d"]]:
        """Where the pairs are at the start and at the end of the interval."""
        x, y = self.snapshots[self.k], self.snapshots[self.k + 1]
        return x[self.i].astype(np.float64), y[self.j].astype(np.float64)

    @property
    def chords(self) -> Float[np.ndarray, "P d"]:
        """Mean velocities."""
        x, y = self.ends
        gap = self.snapshots.times[self.k + 1] - self.snapshots.times[self.k]
        return (y - x) / gap

    def chains(self) -> Float[np.ndarray, "T P d"]:
        """Places at all times of Markov chains through all plans and these pairs."""
        rows = {self.k: self.i, self.k + 1: self.j}
        for k in range(self.k + 1, len(self.plans)):
            plan = self.plans[k]
            rows[k + 1] = continued(rows[k], plan.i, plan.j, plan.start, self.rng)
        for k in range(self.k - 1, -1, -1):
            plan = self.plans[k]
            rows[k] = continued(rows[k + 1], plan.j, plan.i, plan.end, self.rng)
        clouds = self.snapshots.clouds
        return np.stack([clouds[k][rows[k]] for k in sorted(rows)]).astype(np.float64)


def drawn(
    snapshots: Snapshots,
    plans: list[Plan],
    k: int,
    size: int,
    rng: np.random.Generator,
    among: np.ndarray | None = None,
) -> Pairs:
    """``size`` pairs of interval ``k``, by the mean of their shares at both ends.

    ``among`` says which pairs of the plan may be drawn.
    """
    plan = plans[k]
    kept = np.arange(len(plan.i)) if among is None else np.flatnonzero(among)
    start, end = plan.start[kept], plan.end[kept]
    share = (start / plan.start.sum() + end / plan.end.sum()) / 2
    rows = systematic(share, size, rng)
    density = share[rows] / share.sum()
    scale = [
        total.sum() / part.sum()
        for total, part in ((plan.start, start), (plan.end, end))
    ]
    return Pairs(
        snapshots,
        plans,
        k,
        plan.i[kept][rows],
        plan.j[kept][rows],
        start[rows] / density * scale[0],
        end[rows] / density * scale[1],
        rng,
    )
