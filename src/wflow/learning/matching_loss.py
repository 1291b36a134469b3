"""The loss of a flow on conditional paths."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jaxtyping import Array, Bool, Float, PRNGKeyArray, PyTree

from wflow.measures import Particles, Phase
from wflow.parameters.learnable import unwrap

from .matching_paths import AbstractPath, Coupled, Moment
from .objective import AbstractTrainingLoss, Motion, Step
from .own_paths import own_path
from .pairs import Pairs
from .snapshots import Snapshots
from .velocity_fields import VelocityNetwork


# Steps' worth of measures that a validation looks at.
_VALIDATED = 4
# Shares of an interval at which the sizes of the targets are looked at.
_LOOKS = (0.1, 0.3, 0.5, 0.7, 0.9)
# Of the mean velocity squared: targets below are rounding.
_LEAST = 1e-6


class Pool(NamedTuple):
    """Pairs of all intervals: ``Coupled`` with a leading axis, and the start times."""

    coupled: Coupled
    start: Float[Array, " K"]

    @classmethod
    def of(
        cls,
        pairs: list[Pairs],
        path: AbstractPath,
        key: PRNGKeyArray,
        dtype: Any,
        size: int = 0,
    ) -> "Pool":
        """The pool of ``pairs``, of one number in every interval.

        Intervals without length, which are never drawn, fill it up to ``size``.
        """
        times = pairs[0].snapshots.times
        narrow = lambda *parts: tuple(np.asarray(part, dtype) for part in parts)
        rows = [
            narrow(*part.ends, *slopes, part.start, part.end, times[k + 1] - times[k])
            for k, (part, slopes) in enumerate(
                zip(pairs, path.slopes(pairs, key), strict=True)
            )
        ]
        starts = list(times[:-1])
        while len(rows) < size:
            rows.append((*rows[-1][:-1], 0.0))
            starts.append(times[-1])
        stacked = map(np.stack, zip(*rows, strict=True))
        coupled = Coupled._make(jnp.asarray(row, dtype) for row in stacked)
        return cls(coupled, jnp.asarray(starts, dtype))

    def at(
        self, way: Float[Array, ""], size: int, key: PRNGKeyArray
    ) -> tuple[Coupled, Float[Array, ""], Float[Array, ""]]:
        """``size`` random pairs that are on their way at the share ``way`` of all time.

        And when their interval begins, and the share of it that has passed.
        """
        gaps = self.coupled.h
        passed = jnp.cumsum(gaps)
        elapsed = way * passed[-1]
        last = jnp.searchsorted(passed, passed[-1])
        k = jnp.minimum(jnp.searchsorted(passed, elapsed, side="right"), last)
        s = (elapsed - (passed[k] - gaps[k])) / gaps[k]
        # Inside, where bridges have a score.
        tiny = jnp.finfo(gaps.dtype).eps
        s = jnp.clip(s, tiny, 1 - tiny)
        rows = jax.random.randint(key, (size,), 0, self.coupled.x0.shape[1])
        *points, _ = self.coupled
        picked = Coupled._make([*(leaf[k, rows] for leaf in points), gaps[k]])
        return picked, self.start[k], s


class Units(NamedTuple):
    """Mean squares of what is met: velocities, the target, and growth."""

    velocity: Float[Array, ""]
    target: Float[Array, ""]
    growth: Float[Array, ""]

    @classmethod
    def of(cls, pool: Pool, path: AbstractPath, kinetic: bool) -> "Units":
        """The units of a pool; by what moves where a target is zero throughout."""
        coupled = pool.coupled
        velocity, target, growth = _looked(path, coupled, kinetic)
        duration = jnp.sum(coupled.h)
        real = coupled.h > 0
        spread = jnp.var(coupled.x0, axis=1).sum(-1)
        still = jnp.mean(spread, where=real) / duration**2
        velocity = jnp.where(velocity > _LEAST * still, velocity, still)
        least = velocity / jnp.mean(coupled.h, where=real) ** 2 if kinetic else velocity
        return cls(
            velocity,
            jnp.where(target > _LEAST * least, target, least),
            jnp.where(growth > _LEAST / duration**2, growth, 1 / duration**2),
        )


@eqx.filter_jit
def _looked(path: AbstractPath, coupled: Coupled, kinetic: bool) -> tuple[Array, ...]:
    """Mean squares of velocity, target and growth, over intervals that have length."""
    keys = jax.random.split(jax.random.key(0), len(_LOOKS))
    real = coupled.h > 0
    coupled = coupled._replace(h=jnp.where(real, coupled.h, 1))

    def square(values: Array, logm: Array) -> Array:
        mass = jnp.where(real[:, None], jnp.exp(logm), 0)
        return jnp.sum(mass * values) / jnp.sum(mass)

    def look(s: Array, key: PRNGKeyArray) -> tuple[Array, ...]:
        at = jax.vmap(lambda pairs: path.sample(pairs, s, key))(coupled)
        target = at.a if kinetic else at.v
        return tuple(
            square(values, at.logm)
            for values in (
                jnp.sum(at.v**2, axis=-1),
                jnp.sum(target**2, axis=-1),
                at.growth**2,
            )
        )

    sums = jax.vmap(look)(jnp.asarray(_LOOKS, coupled.h.dtype), keys)
    return jax.tree.map(jnp.mean, sums)


class MatchingTraining(AbstractTrainingLoss):
    """What ``FlowMatching`` lowers; see there.

    Attributes:
        path: from pairs to places, velocities and growth.
        pool: pairs to train on.
        held: pairs kept for validation, if any.
        units: that errors are counted in.
        network: a start for the velocity field, where the law needs one.
        points: of a measure.
        moments: measures of a step.
        kinetic: whether the flow moves a ``Phase``.
        grows: whether it changes weights.
        own: share of the steps, the last ones, whose paths are the flow's own.
        sharding: of the measures of a step over devices, if any.
    """

    path: AbstractPath
    pool: Pool
    held: Pool | None
    units: Units
    network: VelocityNetwork | None
    points: int = eqx.field(static=True)
    moments: int = eqx.field(static=True)
    kinetic: bool = eqx.field(static=True)
    grows: bool = eqx.field(static=True)
    own: float = eqx.field(static=True)
    sharding: NamedSharding | None = eqx.field(static=True, default=None)

    def start(self, flow: PyTree) -> PyTree:
        return flow if self.network is None else (flow, self.network)

    def __call__(
        self, model: PyTree, step: Step, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], dict[str, Array]]:
        # Known where it is the same at all steps: the other paths are not compiled.
        late = (
            self.own == 1
            or self.own > 0
            and step.number >= round((1 - self.own) * step.total)
        )
        errors = self._errors(model, self.pool, self.moments, late, key)
        return sum(errors.values()), errors

    def validate(self, model: PyTree, key: PRNGKeyArray) -> Float[Array, ""] | None:
        if self.held is None:
            return None
        # From first to last by one measure, so that scores of all steps compare.
        own, many = self.own > 0, _VALIDATED * self.moments
        return sum(self._errors(model, self.held, many, own, key).values())

    def motion(self, model: PyTree, snapshots: Snapshots) -> Motion:
        given = tuple(snapshots.velocity(k) for k in range(len(snapshots)))
        if not self.kinetic:
            return Motion((None,) * len(snapshots))
        if self.network is None:
            return Motion(given)
        _, network = model
        velocities = tuple(
            np.asarray(network(jnp.asarray(x), t), snapshots.dtype)
            for x, t in zip(snapshots.clouds, snapshots.times, strict=True)
        )
        return Motion(velocities, correction=network)

    def _errors(
        self,
        model: PyTree,
        pool: Pool,
        moments: int,
        late: Bool[Array, ""] | bool,
        key: PRNGKeyArray,
    ) -> dict[str, Array]:
        """Mean squares in units of what is met, over times spread evenly.

        ``late`` says whether the paths are the flow's own.
        """
        flow, network = (model, None) if self.network is None else model
        flow = unwrap(flow)
        first, second = jax.random.split(key)
        dtype = pool.start.dtype
        ways = (jnp.arange(moments) + jax.random.uniform(first, (), dtype)) / moments

        def given(pairs: Coupled, start: Array, s: Array, key: PRNGKeyArray) -> Moment:
            del start
            return self.path.sample(pairs, s, key)

        def own(pairs: Coupled, start: Array, s: Array, key: PRNGKeyArray) -> Moment:
            del key
            return own_path(still, pairs, start, s, self.kinetic, self.grows)

        def one(
            moment: Moment, pairs: Coupled, start: Array, s: Array
        ) -> dict[str, Array]:
            errors = self._error(flow, network, moment, start + s * pairs.h)
            if moment.score is None:
                return errors
            # By the inverse of the variance of what a bridge asks for.
            return jax.tree.map(lambda error: 4 * s * (1 - s) * error, errors)

        keys = jax.vmap(jax.random.split)(jax.random.split(second, moments))
        pick = lambda way, key: pool.at(way, self.points, key)
        ways = ways.astype(dtype)
        if self.sharding is not None:
            # The measures of a step are spread, and what is made of them with them.
            ways = jax.lax.with_sharding_constraint(ways, self.sharding)
        picked = jax.vmap(pick)(ways, keys[:, 0])
        # A path is data: nothing is learned through how it was made.
        arrays, rest = eqx.partition(flow, eqx.is_array)
        still = eqx.combine(jax.lax.stop_gradient(arrays), rest)
        ways_of = (jax.vmap(own), jax.vmap(given))
        if isinstance(late, bool):
            met = ways_of[0 if late else 1](*picked, keys[:, 1])
        else:
            met = jax.lax.cond(late, *ways_of, *picked, keys[:, 1])
        return jax.tree.map(jnp.mean, jax.vmap(one)(met, *picked))

    def _error(
        self, flow: Any, network: Any, moment: Moment, t: Float[Array, ""]
    ) -> dict[str, Array]:
        x, v, a, logm, growth, score = moment
        law = Particles(x, logm - jnp.log(len(x)))
        share = jnp.exp(logm) / jnp.sum(jnp.exp(logm))
        square = lambda rate, target: share @ jnp.sum((rate - target) ** 2, axis=1)
        errors = {}
        if self.kinetic:
            (_, rate), bent = flow.velocity(Phase(law, v), t)
            errors["acceleration_error"] = square(bent, a) / self.units.target
            if network is not None:
                met = square(network(x, t), v) / self.units.velocity
                errors["velocity_error"] = met
        else:
            moved, rate = flow.velocity(law, t)
            if score is not None:
                noise = flow.noise(law, t)
                if noise is not None:
                    v = v + noise.on(law)[0] ** 2 / 2 * score
            errors["velocity_error"] = square(moved, v) / self.units.target
        if self.grows:
            errors["growth_error"] = share @ (rate - growth) ** 2 / self.units.growth
        return errors
