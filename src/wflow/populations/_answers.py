"""What needs no model: clouds between snapshots and after them, with their origins."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from wflow.learning import ExactOT, Snapshots, SplinePath, StraightPath
from wflow.learning.baselines import constant_velocity
from wflow.learning.matching_paths import AbstractPath, Coupled, cubic
from wflow.learning.paired import Traced
from wflow.learning.pairs import drawn, plan_between


# Points of a cloud that plans without a model are made of.
_POINTS = 2000
# Pairs that an answer between two snapshots consists of.
_PAIRS = 1000


class Scene(NamedTuple):
    """Snapshots that an answer may look at.

    Attributes:
        snapshots: in the units of the model.
        sources: of each of them its index among all snapshots.
        components: the leading coordinates that move; of the others each point keeps
            the values of the cell that it comes from.
        growth: rates of the points of every snapshot, as far as they are known.
    """

    snapshots: Snapshots
    sources: tuple[int, ...]
    components: int
    growth: list[Float[np.ndarray, " n"]] | None = None

    @property
    def leading(self) -> Snapshots:
        """The coordinates that move."""
        s = self.snapshots
        given = s.velocities and [
            None if v is None else v[:, : self.components] for v in s.velocities
        ]
        clouds = [x[:, : self.components] for x in s.clouds]
        return Snapshots(s.times, clouds, given, s.weights, s.masses)

    def without(self, indices: list[int]) -> "Scene":
        """The scene that lacks some snapshots."""
        kept = [k for k in range(len(self.snapshots)) if k not in indices]
        sources = tuple(self.sources[k] for k in kept)
        return self._replace(
            snapshots=self.snapshots.take(kept),
            sources=sources,
            growth=self.growth and [self.growth[k] for k in kept],
        )

    def cloud(self, k: int) -> Traced:
        """Snapshot ``k``, traced."""
        s = self.snapshots
        return Traced.of(s[k], s.weight(k), self.sources[k])

    def carried(self, k: int, x: Float[np.ndarray, "n k"], w: np.ndarray) -> Traced:
        """Snapshot ``k`` with its leading coordinates moved to ``x``."""
        return _completed(self.cloud(k), x, w)

    def around(self, time: float) -> tuple[int, float]:
        """The snapshot before a time between two, and the share of the way there."""
        k = min(self.snapshots.before(time), len(self.snapshots) - 2)
        before, after = self.snapshots.times[k : k + 2]
        return k, float((time - before) / (after - before))


def _completed(start: Traced, x: np.ndarray, w: np.ndarray) -> Traced:
    rest = start.x[:, x.shape[1] :]
    x = np.concatenate([np.asarray(x, np.float64), rest], axis=1)
    w = np.asarray(w, np.float64)
    return start._replace(x=x, w=w / w.sum())


def joined(clouds: list[Traced], shares: list[float]) -> Traced:
    """Clouds as one, each with its share of the weight."""
    kept = [(c, a) for c, a in zip(clouds, shares, strict=True) if a > 0]
    columns = zip(*(c._replace(w=a * c.w) for c, a in kept), strict=True)
    return Traced(*map(np.concatenate, columns))


# From a scene to a function of the time.
Reach = Callable[[float], Traced]


def nothing_moves(scene: Scene) -> Reach:
    """The snapshot that is nearest in time, of two the one before."""

    def at(time: float) -> Traced:
        return scene.cloud(int(np.argmin(np.abs(scene.snapshots.times - time))))

    return at


def mixed(scene: Scene) -> Reach:
    """Both snapshots beside a time, by how near they are; none of their points move."""

    def at(time: float) -> Traced:
        k, s = scene.around(time)
        return joined([scene.cloud(k), scene.cloud(k + 1)], [1 - s, s])

    return at


def mean_shift(scene: Scene) -> Reach:
    """The last snapshot, shifted at the velocity of the last two means."""

    def at(time: float) -> Traced:
        s, k = scene.leading, len(scene.snapshots) - 1
        mean, before = (s.weight(i) @ s[i] for i in (k, k - 1))
        velocity = (mean - before) / (s.times[k] - s.times[k - 1])
        moved = s[k] + (time - s.times[k]) * velocity
        return scene.carried(k, moved, s.weight(k))

    return at


def momentum(scene: Scene) -> Reach:
    """The last snapshot at its velocities, given or by optimal transport."""

    def at(time: float) -> Traced:
        s, k = scene.leading, len(scene.snapshots) - 1
        return scene.carried(k, *constant_velocity(s, k, time))

    return at


def along(path: AbstractPath) -> Callable[[Scene], Reach]:
    """Pairs of neighbors on a path, nothing trained."""

    def make(scene: Scene) -> Reach:
        s, rng = scene.leading, np.random.default_rng(0)
        count = len(s)
        plans = [
            plan_between(ExactOT(), s, k, k + 1, _POINTS, rng) for k in range(count - 1)
        ]

        def at(time: float) -> Traced:
            k, way = scene.around(time)
            size = max(_PAIRS, max(s.sizes[k : k + 2]))
            pairs = drawn(s, plans, k, size, np.random.default_rng(0))
            ((v0, v1),) = path.slopes([pairs], jax.random.key(0))
            gap = s.times[k + 1] - s.times[k]
            coupled = Coupled(*pairs.ends, v0, v1, pairs.start, pairs.end, gap)
            place = cubic(coupled, way)
            mass = np.asarray(place.logm, np.float64)
            # What does not move is that of the cell before or after, by nearness.
            late = np.random.default_rng(1).random(size) < way
            sides = [scene.cloud(k), scene.cloud(k + 1)]
            rows = np.where(late, pairs.j, pairs.i)
            full = np.where(late[:, None], sides[1].x[pairs.j], sides[0].x[pairs.i])
            source = np.where(late, scene.sources[k + 1], scene.sources[k])
            start = Traced(full, np.ones(size), source, rows)
            return _completed(start, np.asarray(place.x), np.exp(mass - mass.max()))

        return at

    return make


STRAIGHT, SPLINE = StraightPath(), SplinePath()
