"""Scores of several clouds against one truth, and what chance makes of differences."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.distance import cdist

from wflow.transport.exact import w1_potentials


# Points of a cloud that are compared at most; larger ones are thinned at random.
MOST = 2000
# What a difference says, by its sign; lower is better.
WORDS = {-1: "beats", 0: "cannot be told from", 1: "loses to"}
# Draws of the bootstrap, and the quantile of a normal law for intervals of 95 %.
_DRAWS, _QUANTILE = 400, 1.96
# Seeds of clouds that are of no snapshot.
_APART = 2**32


class Traced(NamedTuple):
    """A weighted cloud, and the observed point that each of its points comes from.

    Attributes:
        x: points.
        w: weights that sum to one.
        source: the snapshot of the observed point.
        row: its row there.
    """

    x: Float[np.ndarray, "n d"]
    w: Float[np.ndarray, " n"]
    source: Int[np.ndarray, " n"]
    row: Int[np.ndarray, " n"]

    @classmethod
    def of(
        cls,
        x: Float[np.ndarray, "n d"],
        w: Float[np.ndarray, " n"],
        source: int,
    ) -> "Traced":
        """All points of snapshot ``source``, in its order."""
        w = np.asarray(w, np.float64)
        rows = np.arange(len(x))
        x = np.asarray(x, np.float64)
        return cls(x, w / w.sum(), np.full(len(x), source), rows)

    def leading(self, count: int) -> "Traced":
        """The first coordinates alone."""
        return self._replace(x=self.x[:, :count])

    def thinned(self, most: int | None) -> "Traced":
        """At most so many points, drawn without replacement."""
        if most is None or len(self.x) <= most:
            return self
        kept = np.sort(np.random.default_rng(0).permutation(len(self.x))[:most])
        x, w, source, row = (column[kept] for column in self)
        return Traced(x, w / w.sum(), source, row)


class Interval(NamedTuple):
    """A number, and where it lies with a confidence of 95 %."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, draws: Float[np.ndarray, " R"]) -> "Interval":
        """Of the value and its bootstrap."""
        half = _QUANTILE * float(np.std(draws))
        return cls(float(value), float(value) - half, float(value) + half)

    @property
    def error(self) -> float:
        """The standard error."""
        return (self.high - self.value) / _QUANTILE

    @property
    def sign(self) -> int:
        """-1 or 1 where zero lies outside, else 0."""
        return int(self.low > 0) - int(self.high < 0)


class Drawn(NamedTuple):
    """A score and its bootstrap draws; of several cases the mean."""

    value: float
    draws: Float[np.ndarray, " R"]

    @classmethod
    def mean(cls, scores: Sequence["Drawn"]) -> "Drawn":
        """Of scores of several cases, drawn together."""
        value = float(np.mean([score.value for score in scores]))
        return cls(value, np.mean([score.draws for score in scores], axis=0))

    def minus(self, other: "Drawn") -> Interval:
        """The difference, paired: what both owe to the same points cancels."""
        return Interval.of(self.value - other.value, self.draws - other.draws)


class Chances:
    r"""Weights of the Bayesian bootstrap, one for each observed point and draw.

    Independent standard exponentials; an observed point has the same ones in every
    cloud that it is in, so that differences of scores are paired.

    Args:
        tracked: the rows of all snapshots are the same individuals, whose weights are
            then the same at all times; those of a source below zero are of none.

    Reference: Rubin, Annals of Statistics 9 (1981).
    """

    def __init__(self, *, tracked: bool = False, seed: int = 0):
        """Make the weights of a seed."""
        self.tracked, self.seed = tracked, seed
        self._known: dict[int, Float[np.ndarray, "n R"]] = {}

    def __call__(self, cloud: Traced) -> Float[np.ndarray, "n R"]:
        """Weights of the points of ``cloud``, which sum to one in every draw."""
        found = np.empty((len(cloud.x), _DRAWS))
        for source in np.unique(cloud.source):
            rows = cloud.source == source
            alike = self.tracked and source >= 0
            key = 0 if alike else int(source) + _APART * (source < 0)
            found[rows] = self._rows(key, cloud.row[rows].max() + 1)[cloud.row[rows]]
        found *= cloud.w[:, None]
        return found / found.sum(axis=0)

    def alike(self, cloud: Traced, other: Traced) -> Bool[np.ndarray, "n m"] | None:
        """Which points of two clouds are of one individual; None where none is known.

        Averages of distances leave these pairs out: they are no independent draws.
        """
        if not self.tracked:
            return None
        one, two = (np.where(c.source >= 0, c.row, -1) for c in (cloud, other))
        return (one[:, None] == two) & (one >= 0)[:, None]

    def _rows(self, key: int, count: int) -> Float[np.ndarray, "n R"]:
        known = self._known.get(key)
        if known is None or len(known) < count:
            rng = np.random.default_rng([self.seed, key])
            # Row by row: more rows do not change the first ones.
            known = self._known[key] = rng.exponential(size=(count, _DRAWS))
        return known


def check_tracked(owner: str, sizes: Sequence[int]) -> None:
    """Refuse snapshots whose rows cannot be the same individuals.

    Raises:
        ValueError: they have different numbers of points.
    """
    if len(set(sizes)) > 1:
        raise ValueError(
            f"{owner}: expected tracked rows, the same individuals at all times, found "
            f"{', '.join(map(str, sizes))} points."
        )


class Scores(NamedTuple):
    r"""Distances of a cloud to the truth.

    Attributes:
        w1: exact $W_1$, with the draws of its linearization $a\cdot u + b\cdot v$, u
            and v its potentials held.
        energy: $2E|X-Y| - E|X-X'| - E|Y-Y'|$ without bias, so that it is zero on
            average, not positive, for two samples of one law. It may be negative.
    """

    w1: Drawn
    energy: Drawn


class Truth:
    r"""An observed cloud that others are scored against.

    Args:
        cloud: the observed one.
        chances: the weights of the bootstrap.
        most: points that $W_1$ is computed on, larger clouds are thinned to so many;
            None takes all. The energy distance is that of ``MOST`` at most.

    Reference: del Barrio, Gonzalez-Sanz, Loubes, Annales de l'IHP 60 (2024) (why the
    potentials tell the variance of transport costs); Szekely, Rizzo, J. Statist. Plann.
    Inference 143 (2013) (energy distance).
    """

    def __init__(self, cloud: Traced, chances: Chances, most: int | None = MOST):
        """Hold the cloud and its own part of the distances."""
        self.chances, self.most = chances, most
        self.cloud = cloud.thinned(most)
        few = self.cloud.thinned(MOST)
        self._weights = chances(self.cloud)
        self._few = few, chances(few)
        self._within = self._own(*self._few)

    def w1(self, cloud: Traced) -> Drawn:
        """The exact $W_1$ of ``cloud``."""
        cloud = cloud.thinned(self.most)
        return self._w1(cdist(cloud.x, self.cloud.x), cloud, self.chances(cloud))

    def _w1(
        self, cost: np.ndarray, cloud: Traced, weights: Float[np.ndarray, "n R"]
    ) -> Drawn:
        value, u, v = w1_potentials(cost, cloud.w, self.cloud.w)
        return Drawn(value, u @ weights + v @ self._weights)

    def scores(self, cloud: Traced) -> Scores:
        """The distances of ``cloud``."""
        cloud = cloud.thinned(self.most)
        cost, weights = cdist(cloud.x, self.cloud.x), self.chances(cloud)
        transported = self._w1(cost, cloud, weights)
        truth, drawn = self._few
        few = cloud.thinned(MOST)
        if len(few.x) < len(cloud.x) or len(truth.x) < len(self.cloud.x):
            cost, weights = cdist(few.x, truth.x), self.chances(few)
        within, own = self._within, self._own(few, weights)
        alike = self.chances.alike(few, truth)
        across = _across(cost, (few.w, truth.w), (weights, drawn), alike)
        energy = Drawn(
            2 * across.value - own.value - within.value,
            2 * across.draws - own.draws - within.draws,
        )
        return Scores(transported, energy)

    def _own(self, cloud: Traced, weights: Float[np.ndarray, "n R"]) -> Drawn:
        alike = self.chances.alike(cloud, cloud)
        if alike is None:
            return _within(cloud, weights)
        apart = cdist(cloud.x, cloud.x)
        # A point that nobody is known to be is not another one all the same.
        np.fill_diagonal(alike, True)
        return _across(apart, (cloud.w, cloud.w), (weights, weights), alike)


def _across(
    cost: Float[np.ndarray, "n m"],
    values: tuple[np.ndarray, np.ndarray],
    draws: tuple[np.ndarray, np.ndarray],
    alike: Bool[np.ndarray, "n m"] | None,
) -> Drawn:
    """Mean distance between points of two clouds, without pairs that are ``alike``."""
    if alike is not None:
        cost = np.where(alike, 0.0, cost)

    def mean(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        sums = np.einsum("n...,n...->...", a, cost @ b)
        if alike is None:
            return sums
        left = np.einsum("n...,n...->...", a, (~alike).astype(np.float64) @ b)
        return sums / np.maximum(left, np.finfo(float).tiny)

    return Drawn(float(mean(*values)), mean(*draws))


def _within(cloud: Traced, weights: Float[np.ndarray, "n R"]) -> Drawn:
    """Mean distance between different points of one cloud."""
    apart = cdist(cloud.x, cloud.x)

    def mean(w: np.ndarray, sums: np.ndarray) -> np.ndarray:
        return sums / np.maximum(1 - np.sum(w**2, axis=0), np.finfo(float).tiny)

    sums = np.einsum("nr,nr->r", weights, apart @ weights)
    value = mean(cloud.w, cloud.w @ apart @ cloud.w)
    return Drawn(float(value), mean(weights, sums))


class Difference(NamedTuple):
    """How two answers to the same truth differ; negative where the first is nearer.

    Attributes:
        w1: in exact $W_1$.
        energy: in the energy distance.
    """

    w1: Interval
    energy: Interval

    @property
    def sign(self) -> int:
        """-1 or 1 where neither interval has zero in it and both say the same, else 0.

        $W_1$ alone prefers, of two samples, the one that is drawn together, most of all
        where there are many coordinates; the energy distance does not.
        """
        return self.w1.sign if self.w1.sign == self.energy.sign else 0

    @property
    def word(self) -> str:
        """The verb that the intervals allow."""
        return WORDS[self.sign]


def difference(one: Sequence[Scores], other: Sequence[Scores]) -> Difference:
    """Of the mean scores of two answers to the same cases."""
    pair = (one, other)
    w1 = [Drawn.mean([score.w1 for score in scores]) for scores in pair]
    energy = [Drawn.mean([score.energy for score in scores]) for scores in pair]
    return Difference(w1[0].minus(w1[1]), energy[0].minus(energy[1]))


def verdict(
    opening: str,
    told: Mapping[str, int],
    shown: Mapping[str, str],
    every: str = "every baseline",
) -> str:
    """A sentence on what beats what.

    Args:
        opening: what is judged, the subject of the sentence.
        told: for every other answer the sign of ``Difference``.
        shown: how each of them is written.
        every: all of them in two words.
    """
    groups = {
        sign: [shown[name] for name, found in told.items() if found == sign]
        for sign in WORDS
    }
    parts = []
    for sign, names in groups.items():
        if names:
            all_of = f"{every}: " if len(names) == len(told) > 1 and sign else ""
            parts.append(f"{WORDS[sign]} {all_of}{enumerated(names, sign)}")
    return f"{opening} {', '.join(parts)}."


def enumerated(items: Sequence[str], sign: int = 1) -> str:
    """Items in a sentence, the last one after a word."""
    *most, last = items
    return f"{', '.join(most)} {'and' if sign else 'or'} {last}" if most else last
