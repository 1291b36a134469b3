"""One training step, and many of them compiled as one program."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from wflow.flows import split_growth
from wflow.parameters import unwrap

from .average import averaged
from .horizons import AbstractHorizon
from .optimizers import Optimizer, transformation
from .rollouts import Rollout, Task
from .trained import groups


class TrainState(NamedTuple):
    """What training changes; ``step`` counts the steps done."""

    params: PyTree[Array]
    optimizer: PyTree[Array]
    average: PyTree[Array]
    step: Int[Array, ""]


class Record(NamedTuple):
    """What is written down of a step; of a chunk, with a leading axis of steps."""

    loss: Float[Array, "..."]
    friction: Float[Array, "..."]
    horizon: Int[Array, "..."]
    start: Int[Array, "..."]
    grad_norm: Float[Array, "..."]
    converged: Bool[Array, "..."]


def no_records(size: int, dtype: np.dtype) -> Record:
    """Room for the records of ``size`` steps."""
    number, count = np.zeros(size, dtype), np.zeros(size, np.int32)
    return Record(number, number, count, count, number, np.zeros(size, bool))


class Trainer(eqx.Module):
    """The rules of a training; two with the same static fields share a program."""

    rollout: Rollout
    horizon: AbstractHorizon
    optimizer: Optimizer = eqx.field(static=True)
    steps: int = eqx.field(static=True)
    batch: int | None = eqx.field(static=True, default=None)
    decay: float = eqx.field(static=True, default=0.99)
    clip: float | None = eqx.field(static=True, default=1.0)

    def init(self, params: PyTree[Array]) -> TrainState:
        """The state before the first step."""
        optimizer = self._transformation(params).init(params)
        return TrainState(params, optimizer, params, jnp.zeros((), jnp.int32))

    def _transformation(self, params: PyTree[Array]) -> optax.GradientTransformation:
        return transformation(self.optimizer, groups(params), self.steps, self.clip)

    def step(
        self, state: TrainState, held: PyTree, task: Task, key: PRNGKeyArray
    ) -> tuple[TrainState, Record, Bool[Array, ""]]:
        """One step; the state stays as it is if a number is not finite.

        Its random choices depend on ``key`` and ``state.step`` alone.
        """
        start_key, horizon_key, batch_key = jax.random.split(
            jax.random.fold_in(key, state.step), 3
        )
        many = len(task.start_index)
        start = jax.random.randint(start_key, (), 0, many, jnp.int32)
        longest = len(task.targets.x) - task.start_index[start]
        dtype = task.starts.x.dtype
        progress = state.step.astype(dtype) / self.steps
        horizon = self.horizon(horizon_key, progress, longest).astype(jnp.int32)

        def loss(params: PyTree[Array]) -> tuple[Array, Array]:
            model = eqx.combine(params, held)
            out = self.rollout(model, task, start, horizon, self.batch, batch_key)
            return out.value, out.converged

        (value, converged), gradient = jax.value_and_grad(loss, has_aux=True)(
            state.params
        )
        norm = optax.tree.norm(gradient)
        finite = jnp.isfinite(value) & jnp.isfinite(norm)
        updates, optimizer = self._transformation(state.params).update(
            gradient, state.optimizer, state.params
        )
        params = optax.apply_updates(state.params, updates)
        count = state.step + 1
        average = averaged(
            state.average, params, count, self.decay, groups(state.params)
        )
        new = TrainState(params, optimizer, average, count)
        moving, _ = split_growth(unwrap(eqx.combine(state.params, held).flow))
        friction = moving.friction
        record = Record(value, friction.astype(dtype), horizon, start, norm, converged)
        kept = jax.tree.map(lambda a, b: jnp.where(finite, a, b), new, state)
        return kept, record, finite


@eqx.filter_jit
def train_chunk(
    trainer: Trainer,
    state: TrainState,
    held: PyTree,
    task: Task,
    key: PRNGKeyArray,
    todo: Int[Array, ""],
    size: int,
) -> tuple[TrainState, Record, Bool[Array, ""]]:
    """``todo`` <= ``size`` steps, stopping before one that is not finite.

    The number of steps is not compiled in: a shorter last chunk is the same program,
    and none at all just compiles. Returns the state, the records of ``size`` steps, of
    which the first are filled, and whether all was finite.
    """
    records = jax.tree.map(jnp.asarray, no_records(size, task.starts.x.dtype))

    def proceed(carry: Any) -> Bool[Array, ""]:
        _, _, done, finite = carry
        return (done < todo) & finite

    def body(carry: Any) -> Any:
        state, records, done, _ = carry
        state, record, finite = trainer.step(state, held, task, key)
        records = jax.tree.map(lambda all, new: all.at[done].set(new), records, record)
        return state, records, done + 1, finite

    start = (state, records, jnp.zeros((), todo.dtype), jnp.ones((), bool))
    state, records, _, finite = jax.lax.while_loop(proceed, body, start)
    return state, records, finite
