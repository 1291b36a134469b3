"""The training loss of a model on data."""

from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field
from wflow.energies import AbstractEnergy
from wflow.measures import Point, UnsupportedMeasureError


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


def _targets(value: Any) -> Array:
    """Labels, which are whole numbers, stay so."""
    if isinstance(value, list | tuple):
        whole = all(isinstance(entry, int) for entry in jax.tree.leaves(value))
        value = np.asarray(value) if whole else value
    whole = isinstance(value, jax.Array | np.ndarray) and value.dtype.kind in "iub"
    return jnp.asarray(value) if whole else checks.to_real(value, "y")


class Supervised(AbstractEnergy):
    r"""The loss of a model on labeled data, as an energy of its parameters.

    $F(\theta) = \ell(f_\theta(x), y)$ on a ``Point(model)``. The model maps one input
    ``(...)`` to one output. ``loss`` is "square" ($\frac12\sum|f - y|^2$),
    "mean_square" (half the mean over all entries), "cross_entropy" (mean over inputs; y
    are labels ``(n,)``, outputs logits), or a function of the outputs ``(n, ...)`` and
    y. Losses sum or average over inputs as they say: a ridge strength beside
    "mean_square" is 1/n of the one beside "square".

    Attributes:
        x: inputs ``(n, ...)``.
        y: targets ``(n, ...)``, of the shape of the outputs; or labels ``(n,)``.
        loss: the name of a loss, or a function of outputs and targets.

    Raises:
        TypeError: the data are no numbers.
        ValueError: an unknown loss, unequal numbers of inputs and targets, data that
            are not finite; when evaluated, outputs that do not fit the targets or a
            model with dropout or a running state, whose outputs are not a function of
            its parameters (see ``equinox.nn.inference_mode``).
    """

    x: Float[Array, "n ..."] = eqx.field(converter=real_field("x"))
    y: Array = eqx.field(converter=_targets)
    loss: Loss | Callable[[Array, Array], Array] = eqx.field(default="square")

    def __check_init__(self) -> None:
        if not callable(self.loss):
            checks.one_of(self, "loss", self.loss, _LOSSES)
        for name, data in (("x", self.x), ("y", self.y)):
            if not hasattr(data, "shape"):
                return  # a template whose data are taken out
            if len(data.shape) == 0 or data.shape[0] == 0:
                raise ValueError(
                    f"Supervised: expected {name} with a first axis of inputs, found "
                    f"shape {data.shape}."
                )
            checks.finite(self, name, data)
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
                f"Supervised: expected y with targets of shape {shape} for outputs of "
                f"shape {outputs.shape}, found {y.shape}."
            )
        loss = self.loss if callable(self.loss) else _LOSSES[self.loss]
        return checks.one_number(self, "loss", loss(outputs, y))


def predictions(
    model: Callable[[Array], Array], x: Float[Array, "n ..."]
) -> Float[Array, "n ..."]:
    """Outputs of a model at every input.

    Raises:
        TypeError: the model is no function, or the inputs no numbers.
        ValueError: the model has dropout that is on, or a running state, or there is no
            axis of inputs.
    """
    checks.function("predictions", "model", model, "x")
    x = x if isinstance(x, jax.Array) else checks.to_real(x, "x")
    if x.ndim == 0:
        raise ValueError(
            "predictions: expected x with a first axis of inputs, found shape ()."
        )

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
