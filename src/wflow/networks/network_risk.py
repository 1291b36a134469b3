"""The risk of a network that is the average of its neurons."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field
from wflow.energies import AbstractEnergy
from wflow.measures import Point, UnsupportedMeasureError


def _inputs(value: Any) -> Array:
    """Inputs that are whole numbers (tokens) stay so."""
    whole = isinstance(value, jax.Array | np.ndarray) and value.dtype.kind in "iu"
    return jnp.asarray(value) if whole else checks.to_real(value, "inputs")


class NetworkRisk(AbstractEnergy):
    r"""Risk of the network averaged over its neurons.

    $F(\mu) = \frac12 \sum_a p_a |\int \sigma(w, x_a)\,d\mu(w) - y_a|^2$: half the mean
    squared error of $f_\mu(x) = \int \sigma(w, x)\,d\mu(w)$. Particles are neurons; the
    Wasserstein velocity is then minus m times the gradient of the finite network.

    ``neuron(w, x)`` gives a scalar or ``(k,)``; ``inputs (a, ...)``; ``targets (a,)``
    or ``(a, k)``; ``probabilities (a,)``, uniform by default.

    Raises:
        TypeError: the neuron is no function, or the data no numbers.
        ValueError: data that are not finite or not as many, probabilities that are
            negative, not finite or all zero; when evaluated, outputs of another shape
            than the targets.

    Reference: Mei, Montanari, Nguyen, PNAS 115 (2018), equation (2).
    """

    neuron: Callable[[Any, Array], Array]
    inputs: Float[Array, "a ..."] = eqx.field(converter=_inputs)
    targets: Float[Array, "a ..."] = eqx.field(converter=real_field("targets"))
    probabilities: Float[Array, " a"] | None = eqx.field(
        converter=real_field("probabilities", optional=True), default=None
    )

    def __check_init__(self) -> None:
        checks.function(self, "neuron", self.neuron, "w, x")
        for name in ("inputs", "targets"):
            shape = jnp.shape(getattr(self, name))
            if not shape or 0 in shape:
                raise ValueError(
                    f"NetworkRisk: expected {name} with a first axis of inputs, found "
                    f"shape {shape}."
                )
            checks.finite(self, name, getattr(self, name))
        count = jnp.shape(self.inputs)[0]
        if jnp.shape(self.targets)[0] != count:
            raise ValueError(
                f"NetworkRisk: expected as many targets as inputs, {count}, found "
                f"{jnp.shape(self.targets)[0]}."
            )
        if self.probabilities is not None:
            checks.shape(self, "probabilities", self.probabilities, (count,))
            checks.weights(self, "probabilities", self.probabilities)

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        if isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Particles, Grid and Gaussian")
        outputs = mu.integrate(
            lambda w: jax.vmap(lambda x: self.neuron(w, x))(self.inputs)
        )
        if outputs.shape != self.targets.shape:
            raise ValueError(
                "NetworkRisk: expected neuron to give outputs of the shape of targets, "
                f"{self.targets.shape}, found {outputs.shape}."
            )
        squares = (outputs - self.targets) ** 2
        per_input = squares.reshape(squares.shape[0], -1).sum(1)
        if self.probabilities is None:
            return jnp.mean(per_input) / 2
        return self.probabilities @ per_input / 2
