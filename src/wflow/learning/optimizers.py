"""The optimizer that fits use by default."""

from typing import Any, Literal, Protocol

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, Int, PyTree

from wflow.checks import non_negative, one_of, positive, shape, within


class AdamW(eqx.Module):
    """AdamW with one group for networks and one for every ``Learnable``.

    The latter, the friction and learned velocities among them, have the learning rate
    ``scalar_learning_rate``; a positive one moves in its logarithm. Weight decay acts
    on networks only. ``schedule="cosine"`` lowers both learning rates to a hundredth
    over the training; ``warmup`` raises them from zero over that share of it.
    ``scalar_b2`` is the decay of the mean square of a scalar's gradient: below 0.999 it
    forgets the large gradients of the first steps sooner, and the scalar moves on.

    Raises:
        ValueError: a rate, decay or warm-up out of range, or an unknown schedule.

    Reference: Loshchilov and Hutter, ICLR 2019.
    """

    learning_rate: float = 1e-2
    scalar_learning_rate: float = 1e-2
    weight_decay: float = 1e-3
    schedule: Literal["constant", "cosine"] = eqx.field(static=True, default="cosine")
    warmup: float = eqx.field(static=True, default=0.0)
    scalar_b2: float = 0.999

    def __check_init__(self) -> None:
        for name in ("learning_rate", "scalar_learning_rate", "weight_decay"):
            shape(self, name, getattr(self, name), ())
            non_negative(self, name, getattr(self, name))
        for name in ("warmup", "scalar_b2"):
            shape(self, name, getattr(self, name), ())
            within(self, name, getattr(self, name), 0, 1, closed="low")
        one_of(self, "schedule", self.schedule, ("constant", "cosine"))

    def transformation(self, groups: Any, steps: int) -> optax.GradientTransformation:
        """The optax transformation for parameters in ``groups`` and ``steps`` steps."""
        network = optax.adamw(
            self._rate(self.learning_rate, steps), weight_decay=self.weight_decay
        )
        rate = self._rate(self.scalar_learning_rate, steps)
        scalar = optax.adam(rate, b2=self.scalar_b2)
        return optax.partition({"network": network, "scalar": scalar}, groups)

    def rates(
        self, numbers: Int[np.ndarray, " k"], steps: int
    ) -> Float[np.ndarray, " k"]:
        """The learning rate of networks at steps of these numbers, from 0."""
        schedule = self._rate(self.learning_rate, steps)
        found = np.asarray(schedule(jnp.asarray(numbers)))
        return np.broadcast_to(found, numbers.shape)

    def _rate(self, peak: float, steps: int) -> optax.Schedule:
        rising = round(self.warmup * steps)
        after = optax.constant_schedule(peak)
        if self.schedule == "cosine":
            after = optax.cosine_decay_schedule(peak, max(steps - rising, 1), 1e-2)
        if not rising:
            return after
        # From one step's share, not from zero, which would waste the first step.
        start = optax.linear_schedule(peak / (rising + 1), peak, rising)
        return optax.join_schedules([start, after], [rising])


# What ``fit`` takes.
Optimizer = AdamW | optax.GradientTransformation


class Scheduled(Protocol):
    """An optimizer that has to know what it moves, and for how long."""

    def transformation(self, groups: Any, steps: int) -> optax.GradientTransformation:
        """The optax transformation for parameters in ``groups`` and ``steps`` steps."""
        ...


def learning_rates(
    optimizer: Optimizer,
    state: PyTree,
    numbers: Int[np.ndarray, " k"],
    steps: int,
) -> Float[np.ndarray, " k"] | None:
    """Learning rates of steps; None of a transformation that does not say its own.

    Those of ``optax.inject_hyperparams`` say it in their state, that of the last step.
    """
    if isinstance(optimizer, AdamW):
        return optimizer.rates(numbers, steps)
    found = optax.tree.get_all_with_path(state, "learning_rate")
    return np.full(numbers.shape, float(found[0][1])) if found else None


def transformation(
    optimizer: optax.GradientTransformation | Scheduled,
    groups: Any,
    steps: int,
    clip: float | None,
) -> optax.GradientTransformation:
    """``optimizer`` for parameters in ``groups``, after clipping by the global norm.

    Raises:
        ValueError: clip <= 0.
    """
    if not isinstance(optimizer, optax.GradientTransformation):
        optimizer = optimizer.transformation(groups, steps)
    if clip is None:
        return optimizer
    shape("fit", "clip", clip, ())
    positive("fit", "clip", clip, infinite=True)
    return optax.chain(optax.clip_by_global_norm(clip), optimizer)
