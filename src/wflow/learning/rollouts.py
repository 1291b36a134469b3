"""The loss of a training rollout."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from wflow.checks import real_field
from wflow.flows import LagrangianFlow, SumFlow, split_growth
from wflow.measures import Particles, Phase
from wflow.parameters import Learnable, unwrap
from wflow.solvers import KineticState, leapfrog_step, rollout, start_rollout

from .losses import AbstractLoss
from .stacks import Stack


class Model(eqx.Module):
    """What is trained: the law of motion and, if learned, the start velocities.

    ``correction``, a network of points and time, is added to the ``velocities``.
    """

    flow: LagrangianFlow | SumFlow
    velocities: Float[Array, "S n d"] | Learnable
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
    """How a rollout is made and scored; see ``fit`` for the penalties."""

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

    def _shown(self, state: KineticState) -> Float[Array, "n c"]:
        """What is compared with a target: positions, or positions and velocities."""
        if self.velocity_scale is None:
            return state.x
        scaled = self.velocity_scale.astype(state.v.dtype) * state.v
        return jnp.concatenate([state.x, scaled], axis=1)

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

        With ``batch``, random ``batch`` rows of the start and of every target.
        """
        flow = unwrap(model.flow)
        x, weights = task.starts.x[start], task.starts.weights[start]
        v = unwrap(model.velocities)[start]
        targets = task.targets
        if batch is not None:
            first, second = jax.random.split(key)
            if batch < task.starts.size:
                one = Stack(x[None], weights[None])
                rows = one.rows(first, batch)
                one = one.take(rows)
                x, weights, v = one.x[0], one.weights[0], v[rows[0]]
            if batch < targets.size:
                targets = targets.subset(second, batch)
        if model.correction is not None:
            v = v + model.correction(x, task.start_times[start])
        weights = weights * task.mass(task.start_index[start])
        law = Particles.from_samples(x, weights)
        state = start_rollout(
            flow,
            Phase(law, v),
            task.start_times[start],
            stop_gradient_force=self.stop_gradient_force,
        )
        first_interval = task.start_index[start]
        end_interval = first_interval + horizon

        def advance(state: KineticState, step: Grid) -> KineticState:
            return rollout(
                flow,
                law,
                state,
                step.time,
                step.length,
                1,
                consistent=self.consistent,
                stop_gradient_force=self.stop_gradient_force,
            )

        moving, growth = split_growth(flow)

        def coast(state: KineticState, step: Grid) -> KineticState:
            """The same positions without the force there, half a kick short."""
            return leapfrog_step(
                jnp.zeros_like,
                state,
                step.length,
                moving.friction,
                moving.force_scaling,
                self.consistent,
            )

        def score(state: KineticState, interval: Array) -> tuple[Array, Array]:
            y, weights_y = targets.x[interval], targets.weights[interval]
            weights_y = weights_y * task.mass(interval + 1)
            moved = self._shown(state), state.logw
            return _score(moved, self.loss, weights, y, weights_y)

        def action(old: Array, new: Array, h: Array) -> Array:
            share = jax.nn.softmax((old + new) / 2)
            coefficient = self.growth_penalty.astype(h.dtype)
            return coefficient * (share @ (new - old) ** 2) / h

        def bending(old: Array, new: Array, h: Array) -> Array:
            coefficient = self.acceleration_penalty.astype(h.dtype)
            share = weights / weights.sum()
            return coefficient * (share @ jnp.sum((new - old) ** 2, axis=1)) / h

        ways = [lambda state, _: state, advance]
        if self.velocity_scale is None and growth is None:
            # No one asks for the velocity at the end: its force is a whole one saved.
            ways.append(coast)

        # Checkpointed as a whole: else the branch saves the parameters at each step.
        @jax.checkpoint
        def move(active: Array, state: KineticState, step: Grid) -> KineticState:
            ends = step.last & (step.interval == end_interval - 1)
            ends = ends & (self.acceleration_penalty == 0)
            way = jnp.where(active, 1 + ends, 0)
            return jax.lax.switch(jnp.minimum(way, len(ways) - 1), ways, state, step)

        def body(carry: tuple, step: Grid) -> tuple[tuple, None]:
            state, total, converged = carry
            active = (step.interval >= first_interval) & (step.interval < end_interval)
            before, state = state, move(active, state, step)
            total = total + bending(before.v, state.v, step.length)
            if state.logw is not None:
                total = total + action(before.logw, state.logw, step.length)
            value, fine = jax.lax.cond(
                active & step.last,
                score,
                lambda state, _: (jnp.zeros((), x.dtype), jnp.ones((), bool)),
                state,
                step.interval,
            )
            return (state, total + value, converged & fine), None

        carry = (state, jnp.zeros((), x.dtype), jnp.ones((), bool))
        (_, total, converged), _ = jax.lax.scan(body, carry, task.grid)
        return RolloutLoss(total / horizon.astype(total.dtype), converged)


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
