"""A network that learns one task after another, and how both are scored."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.networks import Supervised
from wflow.networks.calibration import calibration_error
from wflow.networks.similarity import cka


class Layer(eqx.Module):
    """W x + b."""

    w: Float[Array, "k d"]
    b: Float[Array, " k"]

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, " k"]:
        return self.w @ x + self.b


class Network(eqx.Module):
    """Hidden tanh layers, and a head; one output is a number."""

    hidden: tuple[Layer, ...]
    head: Layer

    def features(self, x: Float[Array, " d"]) -> Float[Array, " width"]:
        """What the head sees."""
        for layer in self.hidden:
            x = jnp.tanh(layer(x))
        return x

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, "..."]:
        out = self.head(self.features(x))
        return out[0] if out.shape == (1,) else out


def initial(key: PRNGKeyArray, inputs: int, width: int, outputs: int) -> Network:
    """Two hidden layers; weights of variance 1 / inputs of their layer."""
    shapes = ((width, inputs), (width, width), (outputs, width))
    layers = [
        Layer(jax.random.normal(k, shape) / shape[1] ** 0.5, jnp.zeros(shape[0]))
        for k, shape in zip(jax.random.split(key, 3), shapes, strict=True)
    ]
    return Network(tuple(layers[:2]), layers[2])


class Held(NamedTuple):
    """Clean data that no training sees, and the network before it was tuned."""

    new: Supervised
    old: Supervised
    before: Network


Score = Callable[[Network, Held], Array]


def scores(*, labels: bool, fresh: bool) -> dict[str, Score]:
    """By name; with ``labels`` calibration too, of a ``fresh`` head or of the old."""

    def error(model: Network, held: Held) -> Array:
        return _error(model, held.new)

    def forgetting(model: Network, held: Held) -> Array:
        """Error on the old task, with the old head where the new one is fresh."""
        head = held.before.head if fresh else model.head
        return _error(Network(model.hidden, head), held.old)

    def drift(model: Network, held: Held) -> Array:
        """One minus the linear CKA of the last features, before and after."""
        x = held.new.x
        return 1 - cka(jax.vmap(held.before.features)(x), jax.vmap(model.features)(x))

    def calibration(model: Network, held: Held) -> Array:
        probabilities = jax.nn.softmax(jax.vmap(model)(held.new.x))
        return calibration_error(probabilities, held.new.y)

    found: dict[str, Score] = {"error": error, "old_error": forgetting, "drift": drift}
    return {**found, "ece": calibration} if labels else found


def _error(model: Network, data: Supervised) -> Array:
    """Share of wrong labels, or the mean square error of numbers."""
    outputs = jax.vmap(model)(data.x)
    if outputs.ndim == 1:
        return jnp.mean((outputs - data.y) ** 2)
    return jnp.mean(jnp.argmax(outputs, -1) != data.y).astype(outputs.dtype)
