"""Laws that are matched to snapshots, and where they take a cloud."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.energies import MLPPotential
from wflow.flows import (
    AbstractContinuousFlow,
    GradientFlow,
    GrowthFlow,
    LagrangianFlow,
    LangevinFlow,
    NeuralRate,
    VelocityFlow,
)
from wflow.geometries import Wasserstein
from wflow.learning import AdamW, Fit, FlowMatching, Snapshots, SplinePath, fit
from wflow.learning.matching_parts import moving
from wflow.learning.matching_paths import AbstractPath
from wflow.learning.paired import Traced
from wflow.measures import Particles, Phase
from wflow.parameters import Learnable
from wflow.parameters.learnable import unwrap
from wflow.solvers.fixed_step import brownian_step, fixed_step

from ._answers import Scene, joined
from .leave_one_out import reversed_time


# Heun's steps in a median gap between snapshots, at first, and how often at most they
# are halved.
_STEPS, _HALVED = 8, 6
# Of the standard error of a mean: how little halving the steps may change.
_SETTLED = 0.02
# Sizes of clouds are rounded up to these, so that few programs are compiled.
_ROUND = 256
_WIDTH, _DEPTH, _TIME = 64, 2, 8


class Field(eqx.Module):
    """A perceptron of a point and the time: a velocity."""

    mlp: eqx.nn.MLP
    time: Any

    def __init__(self, dim: int, time_dim: int, key: PRNGKeyArray):
        """Make a field on R^dim."""
        from wflow.energies.neural import TimeEmbedding

        a, b = jax.random.split(key)
        self.mlp = eqx.nn.MLP(
            dim + time_dim, dim, _WIDTH, _DEPTH, activation=jax.nn.silu, key=a
        )
        self.time = TimeEmbedding(time_dim, key=b) if time_dim else None

    def __call__(self, x: Float[Array, " d"], t: Any) -> Float[Array, " d"]:
        """The velocity at a point."""
        return self.mlp(x if self.time is None else jnp.concatenate([x, self.time(t)]))


@dataclasses.dataclass(frozen=True)
class Law:
    """A kind of law, and how it is matched.

    Attributes:
        name: in words.
        make: the flow of a dimension, a size of the time embedding and a key.
        second: whether it is of second order.
        noisy: whether it is random: it then runs forwards alone.
        grows: whether it changes masses.
    """

    name: str
    make: Callable[[int, int, PRNGKeyArray], AbstractContinuousFlow]
    second: bool = False
    noisy: bool = False
    grows: bool = False

    def flow(
        self, dim: int, *, timed: bool, key: PRNGKeyArray
    ) -> AbstractContinuousFlow:
        """The law on R^dim with fresh parameters; ``timed``, it depends on time."""
        return self.make(dim, _TIME if timed else 0, key)

    def fit(
        self,
        snapshots: Snapshots,
        *,
        timed: bool,
        path: AbstractPath | None,
        steps: int,
        padding: int,
        key: PRNGKeyArray,
        growth: list[Float[np.ndarray, " n"]] | None = None,
        chunk: int | None = None,
        callbacks: Sequence[Callable[[Any], Any]] = (),
    ) -> Fit:
        """The law matched to all of ``snapshots``; of ``padding`` ones the program."""
        law_key, fit_key = jax.random.split(key)
        flow = self.flow(snapshots.dim, timed=timed, key=law_key)
        if self.noisy:
            # Its noise moves points; of points with velocities it would move these.
            s = snapshots
            snapshots = Snapshots(s.times, s.clouds, None, s.weights, s.masses)
        if self.second:
            path = None if moving(snapshots) else SplinePath()
        elif self.noisy or self.grows:
            path = None
        objective = FlowMatching(
            path="auto" if path is None else path,
            padding=padding,
            growth=growth if self.grows else None,
        )
        return fit(
            flow,
            snapshots,
            objective,
            steps=steps,
            chunk=max(steps // 4, 1) if chunk is None else chunk,
            callbacks=callbacks,
            optimizer=AdamW(2e-3),
            key=fit_key,
            progress=False,
        )


def _energy(dim: int, time_dim: int, key: PRNGKeyArray) -> MLPPotential:
    return MLPPotential(dim, width=_WIDTH, depth=_DEPTH, time_dim=time_dim, key=key)


def _gradient(dim: int, time_dim: int, key: PRNGKeyArray) -> AbstractContinuousFlow:
    return GradientFlow(_energy(dim, time_dim, key), Wasserstein())


def _second(dim: int, time_dim: int, key: PRNGKeyArray) -> AbstractContinuousFlow:
    return LagrangianFlow(_energy(dim, time_dim, key), Learnable(0.5))


def _velocity(dim: int, time_dim: int, key: PRNGKeyArray) -> AbstractContinuousFlow:
    return VelocityFlow(Field(dim, time_dim, key))


def _noisy(dim: int, time_dim: int, key: PRNGKeyArray) -> AbstractContinuousFlow:
    return LangevinFlow(_energy(dim, time_dim, key), temperature=0.02)


def _growing(make: Any) -> Any:
    def made(dim: int, time_dim: int, key: PRNGKeyArray) -> AbstractContinuousFlow:
        a, b = jax.random.split(key)
        rate = NeuralRate(dim, time_dim=time_dim, key=b)
        return make(dim, time_dim, a) + GrowthFlow(rate)

    return made


ENERGY = Law("first order, energy", _gradient)
VELOCITY = Law("first order, velocity field", _velocity)
SECOND = Law("second order, energy", _second, second=True)
NOISY = Law("first order, energy and noise", _noisy, noisy=True)
GROWING = Law("first order, energy and growth", _growing(_gradient), grows=True)


@eqx.filter_jit
def _moved(
    flow: Any,
    mu: Particles | Phase,
    start: Array,
    step: Array,
    count: Array,
    level: Array,
    key: PRNGKeyArray | None,
) -> Particles | Phase:
    """``count`` steps, which may be negative ones, of length ``step``.

    Noise is that of steps that were halved ``level`` times.
    """
    flow = unwrap(flow)

    def body(k: Array, mu: Any) -> Any:
        dw = None if key is None else brownian_step(mu.state, step, key, k, level)
        return fixed_step(flow, mu, start + k * step, step, dw=dw)

    return jax.lax.fori_loop(0, count, body, mu)


def restarted(law: Fit, snapshots: Snapshots) -> Fit:
    """A law that was matched, on other snapshots."""
    if not law.kinetic:
        return law.restarted(snapshots, (None,) * len(snapshots))
    # A matched field of velocities is all of them: nothing is corrected.
    if law.correction is not None:
        return law.restarted(snapshots, tuple(np.zeros_like(x) for x in snapshots))
    given = tuple(snapshots.velocity(k) for k in range(len(snapshots)))
    return law.restarted(snapshots, given)


class Arrived(NamedTuple):
    """Points that a law has carried, and their masses, of one in all at first."""

    x: Float[np.ndarray, "n d"]
    mass: Float[np.ndarray, " n"]


def settled(at: Callable[[int], Arrived], spread: float) -> Arrived:
    """``at`` of the first level at which halving the steps changes next to nothing.

    Points that move by an error e change $W_1$ to any other cloud by no more than the
    mean of e. What scores are worth is told by standard errors, of which this is a
    small share.

    Args:
        at: from how often steps are halved to where points arrive.
        spread: of the snapshots.
    """
    found = at(0)
    for level in range(1, _HALVED + 1):
        before, found = found, at(level)
        apart = np.linalg.norm(found.x - before.x, axis=1)
        change = found.mass @ apart + spread * np.abs(found.mass - before.mass).sum()
        if change <= _SETTLED * spread / np.sqrt(len(found.x)) * found.mass.sum():
            break
    return found


def carried(
    fitted: Fit, k: int, time: float, gap: float, seed: int = 0
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"], float]:
    """Points, weights and mass of snapshot ``k`` at ``time``, before or after.

    In steps that are halved until nothing changes any more. Laws without noise run
    either way.
    """
    snapshots, flow = fitted.snapshots, fitted.flow
    x, w = snapshots[k], snapshots.weight(k).astype(np.float64)
    start = float(snapshots.times[k])
    mass = snapshots.mass(k)
    if time == start:
        return x, w, mass
    n = len(x)
    size = -(-n // _ROUND) * _ROUND
    rows = np.arange(size) % n
    dtype = jax.dtypes.canonicalize_dtype(x.dtype)
    # Points that only fill up are copies without weight to speak of.
    logw = np.log(np.maximum(w, np.finfo(np.float32).tiny))[rows]
    logw[n:] = np.log(np.finfo(np.float32).tiny)
    law = Particles(jnp.asarray(x[rows], dtype), jnp.asarray(logw, dtype))
    mu: Particles | Phase = law
    if fitted.kinetic:
        v = fitted.start(k).velocity(0)
        mu = Phase(law, jnp.asarray(np.asarray(v)[rows], dtype))
    first = max(1, int(np.ceil(abs(time - start) / gap * _STEPS)))
    noisy = unwrap(flow).noise(law) is not None and not fitted.kinetic
    key = jax.random.key(seed) if noisy else None

    def at(level: int) -> Arrived:
        count = first * 2**level
        step = jnp.asarray((time - start) / count, dtype)
        whole = jnp.asarray(start, dtype), step, jnp.asarray(count), jnp.asarray(level)
        end = _moved(flow, mu, *whole, key)
        moved = end.measure if isinstance(end, Phase) else end
        weights = np.exp(np.asarray(moved.logw, np.float64)[:n])
        return Arrived(np.asarray(moved.x, np.float64)[:n], weights / w.sum())

    every = np.concatenate(snapshots.clouds).astype(np.float64)
    end = settled(at, float(np.linalg.norm(every.std(axis=0))))
    grown = float(end.mass.sum())
    return end.x, end.mass / grown, mass * grown


@dataclasses.dataclass(frozen=True, eq=False)
class Matched:
    """A law that was matched to the snapshots of a scene.

    Attributes:
        law: its kind.
        fit: to the leading coordinates.
        backwards: of a law with noise the fit in reversed time.
        scene: what it was matched to.
    """

    law: Law
    fit: Fit
    backwards: Fit | None
    scene: Scene

    @classmethod
    def to(
        cls,
        law: Law,
        scene: Scene,
        *,
        between: bool,
        path: AbstractPath | None,
        steps: int,
        padding: int,
        key: PRNGKeyArray,
    ) -> "Matched":
        """Match ``law`` to ``scene``."""
        train = scene.leading
        options: dict[str, Any] = {"timed": between, "path": path, "steps": steps}
        options |= {"padding": padding, "growth": scene.growth}
        found = law.fit(train, key=key, **options)
        back = None
        if law.noisy and between:
            key = jax.random.fold_in(key, 1)
            back = law.fit(reversed_time(train), key=key, **options)
        return cls(law, found, back, scene)

    def side(self, k: int, time: float) -> tuple[Traced, float]:
        """Snapshot ``k`` at another time, and its mass."""
        gap = float(np.median(np.diff(self.scene.snapshots.times)))
        if time < self.fit.snapshots.times[k] and self.backwards is not None:
            last = len(self.scene.snapshots) - 1
            x, w, mass = carried(self.backwards, last - k, -time, gap)
        else:
            x, w, mass = carried(self.fit, k, time, gap)
        return self.scene.carried(k, x, w), mass

    def reach(self, time: float) -> tuple[Traced, float]:
        r"""The population at ``time``, and its mass.

        Between two snapshots $(1 - s)\mu_\mathrm{forwards} + s\mu_\mathrm{backwards}$,
        s the share of the way; after the last one it alone.
        """
        times = self.scene.snapshots.times
        if time >= times[-1]:
            return self.side(len(times) - 1, time)
        k, s = self.scene.around(time)
        (left, before), (right, after) = self.side(k, time), self.side(k + 1, time)
        return joined([left, right], [1 - s, s]), (1 - s) * before + s * after

    def __call__(self, time: float) -> Traced:
        """The population at ``time``."""
        return self.reach(time)[0]
