"""The loss of a training rollout."""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from wflow.flows import LagrangianFlow
from wflow.measures import Particles, Phase
from wflow.parameters import Learnable, unwrap
from wflow.solve import KineticState, rollout, start_rollout

from .losses import AbstractLoss
from .stacks import Stack


class Model(eqx.Module):
    """What is trained: the law of motion and, if learned, the start velocities."""

    flow: LagrangianFlow
    velocities: Float[Array, "S n d"] | Learnable


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
    ``start_index``; ``targets[m]`` ends interval m of the grid.
    """

    starts: Stack
    start_index: Int[Array, " S"]
    start_times: Float[Array, " S"]
    targets: Stack
    grid: Grid


class RolloutLoss(NamedTuple):
    """Mean loss over the snapshots of a rollout, and whether every one converged."""

    value: Float[Array, ""]
    converged: Bool[Array, ""]


class Rollout(eqx.Module):
    """How a rollout is made and scored."""

    loss: AbstractLoss
    consistent: bool = eqx.field(static=True, default=True)
    stop_gradient_force: bool = eqx.field(static=True, default=False)

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

        def score(x: Array, interval: Array) -> tuple[Array, Array]:
            y, weights_y = targets.x[interval], targets.weights[interval]
            return _score(x, self.loss, weights, y, weights_y)

        # Checkpointed as a whole: else the branch saves the parameters at each step.
        @jax.checkpoint
        def move(active: Array, state: KineticState, step: Grid) -> KineticState:
            return jax.lax.cond(active, advance, lambda state, _: state, state, step)

        def body(carry: tuple, step: Grid) -> tuple[tuple, None]:
            state, total, converged = carry
            active = (step.interval >= first_interval) & (step.interval < end_interval)
            state = move(active, state, step)
            value, fine = jax.lax.cond(
                active & step.last,
                score,
                lambda x, interval: (jnp.zeros((), x.dtype), jnp.ones((), bool)),
                state.x,
                step.interval,
            )
            return (state, total + value, converged & fine), None

        carry = (state, jnp.zeros((), x.dtype), jnp.ones((), bool))
        (_, total, converged), _ = jax.lax.scan(body, carry, task.grid)
        return RolloutLoss(total / horizon.astype(total.dtype), converged)


@eqx.filter_custom_vjp
def _score(x: Array, loss: AbstractLoss, *clouds: Array) -> tuple[Array, Array]:
    """``loss`` with its gradient in x taken on the way forward.

    Backpropagation then keeps one array (n, d) for each snapshot, not the plans.
    """
    return tuple(loss(x, *clouds))


@_score.def_fwd
def _(perturbed: Any, x: Array, loss: AbstractLoss, *clouds: Array) -> tuple:
    del perturbed
    (value, converged), gradient = jax.value_and_grad(
        lambda x: tuple(loss(x, *clouds)), has_aux=True
    )(x)
    return (value, converged), gradient


@_score.def_bwd
def _(gradient: Array, cotangents: tuple, *rest: Any) -> Array:
    del rest
    return cotangents[0] * gradient
