"""The trainer: parameters, a loss, an optimizer and a key; nothing else."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from .average import averaged
from .objective import Step
from .optimizers import AdamW, Scheduled, transformation
from .trained import groups


# What is written down of a step, by name; of several, with a leading axis.
Records = dict[str, Array]
# (model, step, key of the step) to a loss and records.
Loss = Callable[[PyTree, Step, PRNGKeyArray], tuple[Float[Array, ""], Records]]


class TrainState(NamedTuple):
    """What training changes; ``step`` counts the steps done.

    ``average`` is that of the parameters, None where none is asked for.
    """

    params: PyTree[Array]
    optimizer: PyTree[Array]
    average: PyTree[Array] | None
    step: Int[Array, ""]

    @property
    def chosen(self) -> PyTree[Array]:
        """The average, or the parameters where there is none."""
        return self.params if self.average is None else self.average


def _leaf(value: Any) -> Any:
    """A number as an array without a type of its own: another is no other program."""
    if value is None or isinstance(value, Tracer):
        return value
    return jnp.asarray(float(value))


def _leaves(optimizer: Any) -> Any:
    """The numbers of ``AdamW`` likewise; other optimizers may have to know theirs."""
    return jax.tree.map(_leaf, optimizer) if isinstance(optimizer, AdamW) else optimizer


class Trainer(eqx.Module):
    r"""The one training loop: a loss, an optimizer, a number of steps.

    $\theta_{t+1} = R(\theta_t + u(\nabla\ell_t(\theta_t)))$, u the optimizer.

    Attributes:
        loss: of a model, a ``Step`` and the key of that step, with records.
        optimizer: of optax, or what has a ``transformation`` of groups and steps.
        steps: of the whole training.
        held: what completes parameters to a model; None where they are one.
        decay: of the average of the parameters; None takes none.
        clip: largest global norm of a gradient; None does not clip.
        retract: R, what brings parameters back to where they belong after each step.
    """

    loss: Loss
    optimizer: optax.GradientTransformation | Scheduled = eqx.field(converter=_leaves)
    steps: int = eqx.field(static=True)
    held: PyTree = None
    decay: Float[Array, ""] | float | None = eqx.field(converter=_leaf, default=None)
    clip: Float[Array, ""] | float | None = eqx.field(converter=_leaf, default=None)
    retract: Callable[[PyTree], PyTree] | None = None

    def model(self, params: PyTree[Array]) -> PyTree:
        """The model of these parameters."""
        return params if self.held is None else eqx.combine(params, self.held)

    def init(self, params: PyTree[Array]) -> TrainState:
        """The state before the first step."""
        optimizer = self._transformation(params).init(params)
        average = None if self.decay is None else params
        return TrainState(params, optimizer, average, jnp.zeros((), jnp.int32))

    def run(
        self, params: PyTree[Array], key: PRNGKeyArray
    ) -> tuple[TrainState, Records]:
        """All steps as one scan, for a training inside a compiled function."""

        def body(state: TrainState, _: None) -> tuple[TrainState, Records]:
            return self.step(state, key)

        return jax.lax.scan(body, self.init(params), None, length=self.steps)

    def step(self, state: TrainState, key: PRNGKeyArray) -> tuple[TrainState, Records]:
        """One step, whose random choices depend on ``key`` and its number alone.

        The records hold ``loss`` and ``grad_norm``, before the step, and what the loss
        writes down.
        """

        def loss(params: PyTree[Array]) -> tuple[Array, Records]:
            return self._value(params, state.step, key)

        (value, records), gradient = jax.value_and_grad(loss, has_aux=True)(
            state.params
        )
        records = {"loss": value, "grad_norm": optax.tree.norm(gradient), **records}
        updates, optimizer = self._transformation(state.params).update(
            gradient, state.optimizer, state.params
        )
        params = optax.apply_updates(state.params, updates)
        if self.retract is not None:
            params = self.retract(params)
        count, average = state.step + 1, None
        if self.decay is not None:
            average = averaged(
                state.average, params, count, self.decay, groups(state.params)
            )
        return TrainState(params, optimizer, average, count), records

    def _value(
        self, params: PyTree[Array], number: Array, key: PRNGKeyArray
    ) -> tuple[Array, Records]:
        own = jax.random.fold_in(key, number)
        return self.loss(self.model(params), Step(number, self.steps), own)

    def _transformation(self, params: PyTree[Array]) -> optax.GradientTransformation:
        return transformation(self.optimizer, groups(params), self.steps, self.clip)


@eqx.filter_jit
def train_chunk(
    trainer: Trainer,
    state: TrainState,
    key: PRNGKeyArray,
    todo: Int[Array, ""],
    size: int,
) -> tuple[TrainState, Records, Bool[Array, ""], Float[Array, ""] | None]:
    """``todo`` <= ``size`` steps, stopping before one that is not finite.

    The number of steps is not compiled in: a shorter last chunk is the same program,
    and none at all just compiles. Returns the state, the records of ``size`` steps, of
    which the first are filled, whether all was finite, and the loss's own score of
    what is chosen, if it has one.
    """
    # Traced once: for the shapes of what it records, and as the body of the loop. A
    # method of the trainer would be hashed with its arrays.
    step = jax.jit(lambda state, key: trainer.step(state, key))

    def proceed(carry: Any) -> Bool[Array, ""]:
        _, _, done, finite = carry
        return (done < todo) & finite

    def body(carry: Any) -> Any:
        state, rows, done, _ = carry
        new, records = step(state, key)
        finite = jnp.isfinite(records["loss"]) & jnp.isfinite(records["grad_norm"])
        kept = jax.tree.map(lambda a, b: jnp.where(finite, a, b), new, state)
        rows = jax.tree.map(lambda all, one: all.at[done].set(one), rows, records)
        return kept, rows, done + 1, finite

    _, shapes = jax.eval_shape(step, state, key)
    rows = jax.tree.map(lambda one: jnp.zeros((size, *one.shape), one.dtype), shapes)
    start = (state, rows, jnp.zeros((), todo.dtype), jnp.ones((), bool))
    state, rows, _, finite = jax.lax.while_loop(proceed, body, start)
    validate = getattr(trainer.loss, "validate", None)
    score = None
    if validate is not None:
        score = validate(trainer.model(state.chosen), key)
    return state, rows, finite, score
