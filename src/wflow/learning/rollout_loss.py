"""The loss of training rollouts."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from wflow.checks import cast, real_field
from wflow.flows import AbstractContinuousFlow
from wflow.measures import Particles, Phase
from wflow.parameters import Learnable
from wflow.parameters.learnable import unwrap

from .horizons import AbstractHorizon
from .losses import AbstractLoss
from .objective import AbstractTrainingLoss, Motion, Step
from .snapshots import Snapshots
from .stacks import Stack
from .steppers import stepper
from .velocity_fields import corrected


class Model(NamedTuple):
    """What is trained: the law of motion and, if learned, the start velocities.

    ``correction``, a network of points and time, is added to the ``velocities``. A law
    of first order has neither.
    """

    flow: AbstractContinuousFlow
    velocities: Float[Array, "S n d"] | Learnable | None = None
    correction: Callable[[Array, Array], Array] | None = None


class Grid(NamedTuple):
    """The steps of a rollout through all snapshots, one row each."""

    time: Float[Array, " M"]
    length: Float[Array, " M"]
    interval: Int[Array, " M"]
    last: Bool[Array, " M"]


def step_grid(times: Float[np.ndarray, " T"], longest: float, dtype: np.dtype) -> Grid:
    """Steps of at most ``longest``, equal within each interval between ``times``."""
    gaps = np.diff(times)
    # A gap of whole steps is not lengthened by rounding.
    counts = [math.ceil(gap / longest * (1 - 1e-9)) for gap in gaps]
    interval = np.repeat(np.arange(len(gaps)), counts)
    within = np.concatenate([np.arange(n) for n in counts])
    length = (gaps / counts)[interval]
    return Grid(
        jnp.asarray(times[interval] + within * length, dtype),
        jnp.asarray(length, dtype),
        jnp.asarray(interval),
        jnp.asarray(within == np.asarray(counts)[interval] - 1),
    )


class Task(NamedTuple):
    """What a rollout is compared with.

    ``starts`` are the clouds that rollouts may begin at, of the snapshots
    ``start_index``; ``targets[m]`` ends interval m of the grid. ``masses`` are those of
    all snapshots, None is one throughout.
    """

    starts: Stack
    start_index: Int[Array, " S"]
    start_times: Float[Array, " S"]
    targets: Stack
    grid: Grid
    masses: Float[Array, " T"] | None = None

    def mass(self, k: Int[Array, ""]) -> Float[Array, ""] | float:
        """Size of the population at snapshot ``k``."""
        return 1.0 if self.masses is None else self.masses[k]


class RolloutLoss(NamedTuple):
    """Mean loss over the snapshots of a rollout, and whether every one converged."""

    value: Float[Array, ""]
    converged: Bool[Array, ""]


class Rollout(eqx.Module):
    """How a rollout is made and scored; see ``Rollouts`` for the penalties."""

    loss: AbstractLoss
    growth_penalty: Float[Array, ""] = eqx.field(
        converter=real_field("growth_penalty"), default=0.0
    )
    consistent: bool = eqx.field(static=True, default=True)
    stop_gradient_force: bool = eqx.field(static=True, default=False)
    acceleration_penalty: Float[Array, ""] = eqx.field(
        converter=real_field("acceleration_penalty"), default=0.0
    )
    velocity_scale: Float[Array, ""] | None = None

    def __call__(
        self,
        model: Model,
        task: Task,
        start: Int[Array, ""],
        horizon: Int[Array, ""],
        batch: int | None = None,
        key: PRNGKeyArray | None = None,
    ) -> RolloutLoss:
        r"""$\frac1k \sum_{m=1}^k \ell(\hat\mu(t_{s+m}), \mu_{s+m})$.

        From start number ``start`` over ``horizon`` snapshots. Integration beyond the
        horizon is skipped, not masked: a short rollout costs little, compiled once.

        With ``batch``, random ``batch`` rows of the start and of every target. The key
        is of these rows, and of the noise of a flow that has any.
        """
        flow = unwrap(model.flow)
        x, weights = task.starts.x[start], task.starts.weights[start]
        v = None if model.velocities is None else unwrap(model.velocities)[start]
        targets = task.targets
        if batch is not None:
            first, second = jax.random.split(key)
            if batch < task.starts.size:
                one = Stack(x[None], weights[None])
                rows = one.rows(first, batch)
                one = one.take(rows)
                x, weights = one.x[0], one.weights[0]
                v = None if v is None else v[rows[0]]
            if batch < targets.size:
                targets = targets.subset(second, batch)
        if v is not None and model.correction is not None:
            v = v + model.correction(x, task.start_times[start])
        weights = weights * task.mass(task.start_index[start])
        law = Particles.from_samples(x, weights)
        mu = law if v is None else Phase(law, v)
        way = stepper(flow, mu, self.consistent, self.stop_gradient_force)
        first_interval = task.start_index[start]
        end_interval = first_interval + horizon
        noise = jax.random.key(0) if key is None else jax.random.fold_in(key, 2)

        def score(state: Any, interval: Array) -> tuple[Array, Array]:
            y, weights_y = targets.x[interval], targets.weights[interval]
            weights_y = weights_y * task.mass(interval + 1)
            x, v, logw = way.parts(state)
            if self.velocity_scale is not None and v is not None:
                x = jnp.concatenate(
                    [x, self.velocity_scale.astype(x.dtype) * v], axis=1
                )
            return _score((x, logw), self.loss, weights, y, weights_y)

        def action(old: Array, new: Array, h: Array) -> Array:
            share = jax.nn.softmax((old + new) / 2)
            coefficient = self.growth_penalty.astype(h.dtype)
            return coefficient * (share @ (new - old) ** 2) / h

        def bending(old: Array, new: Array, h: Array) -> Array:
            coefficient = self.acceleration_penalty.astype(h.dtype)
            share = weights / weights.sum()
            return coefficient * (share @ jnp.sum((new - old) ** 2, axis=1)) / h

        def advance(state: Any, step: Grid, number: Array) -> Any:
            own = jax.random.fold_in(noise, number)
            return way.step(state, step.time, step.length, own)

        ways = [lambda state, *_: state, advance]
        if self.velocity_scale is None and way.coasts:
            # No one asks for the velocity at the end: its force is a whole one saved.
            ways.append(lambda state, step, _: way.coast(state, step.length))

        # Checkpointed as a whole: else the branch saves the parameters at each step.
        @jax.checkpoint
        def move(active: Array, state: Any, step: Grid, number: Array) -> Any:
            ends = step.last & (step.interval == end_interval - 1)
            ends = ends & (self.acceleration_penalty == 0)
            branch = jnp.where(active, 1 + ends, 0)
            branch = jnp.minimum(branch, len(ways) - 1)
            return jax.lax.switch(branch, ways, state, step, number)

        def body(carry: tuple, row: tuple[Grid, Array]) -> tuple[tuple, None]:
            (state, total, converged), (step, number) = carry, row
            active = (step.interval >= first_interval) & (step.interval < end_interval)
            _, v, logw = way.parts(state)
            state = move(active, state, step, number)
            _, new_v, new_logw = way.parts(state)
            if v is not None:
                total = total + bending(v, new_v, step.length)
            if logw is not None:
                total = total + action(logw, new_logw, step.length)
            value, fine = jax.lax.cond(
                active & step.last,
                score,
                lambda state, _: (jnp.zeros((), x.dtype), jnp.ones((), bool)),
                state,
                step.interval,
            )
            return (state, total + value, converged & fine), None

        begin = way.init(mu, task.start_times[start])
        carry = (begin, jnp.zeros((), x.dtype), jnp.ones((), bool))
        rows = (task.grid, jnp.arange(len(task.grid.time)))
        (_, total, converged), _ = jax.lax.scan(body, carry, rows)
        return RolloutLoss(total / horizon.astype(total.dtype), converged)


class RolloutTraining(AbstractTrainingLoss):
    """Rollouts from random starts over random horizons.

    Attributes:
        rollout: how one is made and scored.
        task: what they start from and are compared with.
        horizon: how far they go.
        batch: rows of every cloud in a step; None is all.
        started: start velocities of the starts, ``Learnable`` if they are trained; None
            for a law of first order.
        correction: a network that is added to them.
        given: velocities of every snapshot that a forecast starts with, padded, where
            they are ``known``.
        begins: numbers of the snapshots that rollouts start from.
        time_step: the longest step.
        held: the same task for the points kept out of training, if any.
    """

    rollout: Rollout
    task: Task
    horizon: AbstractHorizon
    batch: int | None = eqx.field(static=True)
    started: Float[Array, "S n d"] | Learnable | None
    correction: Any
    given: Float[np.ndarray, "T n d"]
    known: Bool[np.ndarray, " T"]
    begins: Int[np.ndarray, " S"]
    time_step: np.ndarray
    held: Task | None = None

    def start(self, flow: AbstractContinuousFlow) -> Model:
        return cast(Model(flow, self.started, self.correction), self._dtype)

    def __call__(
        self, model: Model, step: Step, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], dict[str, Array]]:
        start_key, horizon_key, batch_key = jax.random.split(key, 3)
        task = self.task
        many = len(task.start_index)
        start = jax.random.randint(start_key, (), 0, many, jnp.int32)
        longest = len(task.targets.x) - task.start_index[start]
        progress = step.number.astype(self._dtype) / step.total
        horizon = self.horizon(horizon_key, progress, longest).astype(jnp.int32)
        found = self.rollout(model, task, start, horizon, self.batch, batch_key)
        records = {
            "horizon": horizon,
            "start": task.start_index[start],
            "converged": found.converged,
            **records_of(model.flow, first_start(task, model.velocities)),
        }
        return found.value, records

    def validate(self, model: Model, key: PRNGKeyArray) -> Float[Array, ""] | None:
        """The mean loss from every start to the snapshot after it."""
        if self.held is None:
            return None
        task, one = self.held, jnp.ones((), jnp.int32)
        along = lambda k: self.rollout(model, task, k, one, None, key).value
        return jnp.mean(jax.lax.map(along, jnp.arange(len(task.start_index))))

    def motion(self, model: Model, snapshots: Snapshots) -> Motion:
        rows = np.array(self.given)
        if model.velocities is not None:
            started = np.asarray(unwrap(model.velocities))
            rows[self.begins, : started.shape[1]] = started
        velocities = tuple(
            v[: len(x)] if known else None
            for v, x, known in zip(rows, snapshots, self.known, strict=True)
        )
        return Motion(
            corrected(model.correction, snapshots, velocities),
            float(self.time_step),
            self.rollout.consistent,
            model.correction,
        )

    @property
    def _dtype(self) -> np.dtype:
        return self.task.starts.x.dtype


def first_start(
    task: Task, velocities: Float[Array, "S n d"] | Learnable | None
) -> Particles | Phase:
    """The first of the measures that rollouts start from."""
    law = Particles.from_samples(task.starts.x[0], task.starts.weights[0])
    return law if velocities is None else Phase(law, unwrap(velocities)[0])


def records_of(flow: Any, mu: Any) -> dict[str, Array]:
    """The numbers that a law writes down of itself, at ``mu``."""
    found = unwrap(flow).records(mu)
    return {name: jnp.asarray(value, mu.dtype) for name, value in found.items()}


# What is compared (positions, perhaps velocities); log-weights where there is growth.
_Moved = tuple[Array, Array | None]


@eqx.filter_custom_vjp
def _score(
    moved: _Moved, loss: AbstractLoss, weights: Array, *target: Array
) -> tuple[Array, Array]:
    """``loss`` with its gradient in what moved taken on the way forward.

    Backpropagation then keeps arrays (n, d) and (n,) for each snapshot, not the plans.
    ``weights`` are those of clouds that do not grow.
    """
    return _compared(moved, loss, weights, *target)


def _compared(
    moved: _Moved, loss: AbstractLoss, weights: Array, *target: Array
) -> tuple[Array, Array]:
    x, logw = moved
    return tuple(loss(x, weights if logw is None else jnp.exp(logw), *target))


@_score.def_fwd
def _(perturbed: Any, moved: _Moved, *rest: Any) -> tuple:
    del perturbed
    return jax.value_and_grad(_compared, has_aux=True)(moved, *rest)


@_score.def_bwd
def _(gradient: _Moved, cotangents: tuple, *rest: Any) -> _Moved:
    del rest
    return jax.tree.map(lambda leaf: cotangents[0] * leaf, gradient)
