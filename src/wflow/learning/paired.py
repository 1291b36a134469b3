"""Scores of several clouds against one truth, and what chance makes of differences."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.distance import cdist

from wflow.transport.exact import w1_potentials


# Points of a cloud that are compared at most; larger ones are thinned at random.
MOST = 2000
# Draws of the bootstrap, and the quantile of a normal law for intervals of 95 %.
_DRAWS, _QUANTILE = 400, 1.96


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

    def thinned(self, most: int) -> "Traced":
        """At most so many points, drawn without replacement."""
        if len(self.x) <= most:
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
            then the same at all times.

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
            key = 0 if self.tracked else int(source)
            found[rows] = self._rows(key, cloud.row[rows].max() + 1)[cloud.row[rows]]
        found *= cloud.w[:, None]
        return found / found.sum(axis=0)

    def _rows(self, key: int, count: int) -> Float[np.ndarray, "n R"]:
        known = self._known.get(key)
        if known is None or len(known) < count:
            rng = np.random.default_rng([self.seed, key])
            # Row by row: more rows do not change the first ones.
            known = self._known[key] = rng.exponential(size=(count, _DRAWS))
        return known


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

    Clouds of more than ``MOST`` points are thinned to so many.

    Reference: del Barrio, Gonzalez-Sanz, Loubes, Annales de l'IHP 60 (2024) (why the
    potentials tell the variance of transport costs); Szekely, Rizzo, J. Statist. Plann.
    Inference 143 (2013) (energy distance).
    """

    def __init__(self, cloud: Traced, chances: Chances):
        """Hold the cloud and its own part of the distances."""
        self.cloud, self.chances = cloud.thinned(MOST), chances
        self._weights = chances(self.cloud)
        self._within = _within(self.cloud, self._weights)

    def scores(self, cloud: Traced) -> Scores:
        """The distances of ``cloud``."""
        cloud, truth = cloud.thinned(MOST), self.cloud
        weights = self.chances(cloud)
        cost = cdist(cloud.x, truth.x)
        value, u, v = w1_potentials(cost, cloud.w, truth.w)
        transported = Drawn(value, u @ weights + v @ self._weights)
        within, own = self._within, _within(cloud, weights)
        across = np.einsum("nr,nr->r", weights, cost @ self._weights)
        energy = Drawn(
            2 * float(cloud.w @ cost @ truth.w) - own.value - within.value,
            2 * across - own.draws - within.draws,
        )
        return Scores(transported, energy)


def _within(cloud: Traced, weights: Float[np.ndarray, "n R"]) -> Drawn:
    """Mean distance between different points of one cloud."""
    apart = cdist(cloud.x, cloud.x)

    def mean(w: np.ndarray, sums: np.ndarray) -> np.ndarray:
        return sums / np.maximum(1 - np.sum(w**2, axis=0), np.finfo(float).tiny)

    sums = np.einsum("nr,nr->r", weights, apart @ weights)
    value = mean(cloud.w, cloud.w @ apart @ cloud.w)
    return Drawn(float(value), mean(weights, sums))


def differences(
    scores: Mapping[str, Drawn], name: str, others: Sequence[str]
) -> dict[str, Interval]:
    """Of the score of ``name`` and each of the ``others``."""
    return {other: scores[name].minus(scores[other]) for other in others}
