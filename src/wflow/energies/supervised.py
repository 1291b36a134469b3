"""The training loss of a model on data."""

from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import real_field
from wflow.measures import Point, UnsupportedMeasureError

from .base import AbstractEnergy


Loss = Literal["square", "mean_square", "cross_entropy"]


def _square(outputs: Array, y: Array) -> Array:
    return jnp.sum((outputs - y) ** 2) / 2


def _mean_square(outputs: Array, y: Array) -> Array:
    return jnp.mean((outputs - y) ** 2) / 2


def _cross_entropy(outputs: Array, y: Array) -> Array:
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(outputs, y))


_LOSSES: dict[str, Callable[[Array, Array], Array]] = {
    "square": _square,
    "mean_square": _mean_square,
    "cross_entropy": _cross_entropy,
}


class Supervised(AbstractEnergy):
    r"""$F(\theta) = \ell(f_\theta(x), y)$ for a model, on a ``Point(model)``.

    The model maps one input ``(...)`` to one output. ``loss`` is "square"
    ($\frac12\sum|f - y|^2$), "mean_square" (half the mean over all entries),
    "cross_entropy" (mean over inputs; y are labels ``(n,)``, outputs logits), or a
    function of the outputs ``(n, ...)`` and y. Losses sum or average over inputs as
    they say: a ridge strength beside "mean_square" is 1/n of the one beside "square".

    Attributes:
        x: inputs ``(n, ...)``.
        y: targets ``(n, ...)``, of the shape of the outputs; or labels ``(n,)``.
        loss: the name of a loss, or a function of outputs and targets.

    Raises:
        ValueError: an unknown loss, unequal numbers of inputs and targets, data that
            are not finite; when evaluated, outputs that do not fit the targets or a
            model with dropout or a running state, whose outputs are not a function of
            its parameters (see ``equinox.nn.inference_mode``).
    """

    x: Float[Array, "n ..."] = eqx.field(converter=real_field("x"))
    y: Array = eqx.field(converter=jnp.asarray)
    loss: Loss | Callable[[Array, Array], Array] = eqx.field(default="square")

    def __check_init__(self) -> None:
        if not callable(self.loss) and self.loss not in _LOSSES:
            raise ValueError(
                "Supervised: expected loss to be a function or one of "
                f"{', '.join(map(repr, _LOSSES))}, found {self.loss!r}."
            )
        for name, data in (("x", self.x), ("y", self.y)):
            if not eqx.is_array(data) or isinstance(data, jax.core.Tracer):
                return
            if data.ndim == 0 or data.shape[0] == 0:
                raise ValueError(
                    f"Supervised: expected {name} with a first axis of inputs, found "
                    f"shape {data.shape}."
                )
            if not np.isfinite(np.asarray(data)).all():
                raise ValueError(f"Supervised: {name} holds nan or infinity.")
        if self.x.shape[0] != self.y.shape[0]:
            raise ValueError(
                f"Supervised: expected as many targets as inputs, found x of shape "
                f"{self.x.shape} and y of shape {self.y.shape}."
            )

    def outputs(self, model: Callable[[Array], Array]) -> Float[Array, "n ..."]:
        """What the model says at the inputs."""
        return predictions(model, self.x)

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        if not isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Point")
        outputs, y = self.outputs(mu.value), self.y
        labels = self.loss == "cross_entropy"
        shape = outputs.shape[:-1] if labels else outputs.shape
        if shape != y.shape and not callable(self.loss):
            raise ValueError(
                f"Supervised: expected targets of shape {shape} for outputs of shape "
                f"{outputs.shape}, found {y.shape}."
            )
        loss = self.loss if callable(self.loss) else _LOSSES[self.loss]
        return loss(outputs, y)


def predictions(
    model: Callable[[Array], Array], x: Float[Array, "n ..."]
) -> Float[Array, "n ..."]:
    """Outputs of a model at every input.

    Raises:
        ValueError: the model has dropout that is on, or a running state.
    """

    def impure(part: Any) -> bool:
        dropout = isinstance(part, eqx.nn.Dropout) and not part.inference
        return dropout or isinstance(part, eqx.nn.StateIndex)

    for part in jax.tree.leaves(model, is_leaf=impure):
        if impure(part):
            raise ValueError(
                f"predictions: the model holds a {type(part).__name__}, so its outputs "
                "are no function of its parameters; freeze it "
                "(equinox.nn.inference_mode) or take it out."
            )
    return jax.vmap(model)(x)
