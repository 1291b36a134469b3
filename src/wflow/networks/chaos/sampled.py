"""Risks on a finite set of inputs."""

from collections.abc import Callable
from typing import Any, Literal, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import instance, known, one_of, real_field, shape, to_real
from wflow.energies import AbstractEnergy
from wflow.measures import Particles
from wflow.networks.network_risk import NetworkRisk

from .risks import AbstractRisk, check_teacher, second_moment


Activation = Literal["tanh", "erf", "relu"]

_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "erf": lambda s: jax.scipy.special.erf(s / 2**0.5),
    "relu": jax.nn.relu,
}


class Neuron(eqx.Module):
    r"""One hidden unit and its output weight, $\sigma(w, x) = a\,\phi(b\cdot x)$.

    With $w = (a, b)$, the particle that a mean-field network is made of.

    Attributes:
        activation: $\phi$, "tanh", "erf" ($\mathrm{erf}(s/\sqrt2)$) or "relu"; the last
            has no second derivative, which theorems on the mean-field limit ask for.
    """

    activation: Activation = "tanh"

    def __check_init__(self) -> None:
        one_of(self, "activation", self.activation, _ACTIVATIONS)

    @property
    def regular(self) -> bool:
        """Whether the neuron is smooth."""
        return self.activation != "relu"

    def __call__(
        self, w: Float[Array, " p"], x: Float[Array, " d"]
    ) -> Float[Array, ""]:
        return w[0] * _ACTIVATIONS[self.activation](w[1:] @ x)


class SampledQuadraticRisk(AbstractEnergy):
    r"""The quadratic risk over N inputs: $\frac{1}{2N}\sum_a (x_a^\top(M-M^*)x_a)^2$.

    Attributes:
        inputs: ``(N, d)``.
        teacher: $M^*$.

    Raises:
        ValueError: a teacher that is not symmetric and positive semidefinite, or an
            input at which its value is not finite.
    """

    inputs: Float[Array, "N d"] = eqx.field(converter=real_field("inputs"))
    teacher: Float[Array, "d d"] = eqx.field(converter=real_field("teacher"))

    def __check_init__(self) -> None:
        check_teacher(self, self.teacher)
        d = self.teacher.shape[0]
        shape(self, "inputs", self.inputs, ("N", d))
        if not len(self.inputs):
            raise ValueError("SampledQuadraticRisk: expected inputs, found none.")
        inputs = known(self.inputs)
        if inputs is not None:
            finite = np.isfinite(inputs).all(axis=1)
            if not finite.all():
                raise ValueError(
                    "SampledQuadraticRisk: expected inputs at which the target is "
                    f"finite, found one not finite at sample {int(np.argmin(finite))}."
                )

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        error = second_moment(self, mu) - self.teacher
        return jnp.mean(jnp.sum((self.inputs @ error) * self.inputs, axis=1) ** 2) / 2


class SampledRisk(AbstractRisk):
    r"""The risk of any neurons on a fixed set of inputs.

    Attributes:
        network: neurons, inputs, targets and probabilities.

    Raises:
        TypeError: no ``NetworkRisk``, which checks what it holds.
    """

    network: NetworkRisk

    def __check_init__(self) -> None:
        instance(self, "network", self.network, NetworkRisk, "a NetworkRisk")

    @classmethod
    def of(
        cls, neuron: Neuron, inputs: Float[ArrayLike, "N d"], teacher: Particles
    ) -> Self:
        r"""The risk whose targets are a network's: $y = \sum_j w_j\,\sigma(v_j, x)$.

        Args:
            neuron: $\sigma$, of student and teacher.
            inputs: ``(N, d)``, of equal probability.
            teacher: its neurons ``(k, 1 + d)`` and their weights.

        Raises:
            TypeError: a teacher that is not Particles.
            ValueError: inputs of another shape, or none.
        """
        instance("SampledRisk", "neuron", neuron, Neuron, "a Neuron")
        instance("SampledRisk", "teacher", teacher, Particles, "Particles")
        inputs = to_real(inputs, "inputs")
        shape("SampledRisk", "inputs", inputs, ("N", teacher.dim - 1))
        output = lambda x: teacher.integrate(lambda w: neuron(w, x))
        return cls(NetworkRisk(neuron, inputs, jax.vmap(output)(inputs)))

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return self.network.value(mu, t)

    def gap(self, mu: Any, nu: Any) -> Float[Array, ""]:
        # The risk with the other network for a teacher.
        zero = eqx.tree_at(lambda risk: risk.targets, self.network, self._outputs(nu))
        return 2 * zero.value(mu)

    def _outputs(self, mu: Any) -> Float[Array, "a ..."]:
        neuron, inputs = self.network.neuron, self.network.inputs
        return mu.integrate(lambda w: eqx.filter_vmap(lambda x: neuron(w, x))(inputs))


def alignment(mu: Particles, teacher: Particles) -> Float[Array, ""]:
    r"""How much of a network points as the neurons of its teacher do.

    $\sum_i s_i \max_j |\cos(b_i, b_j^*)| / \sum_i s_i$, $s_i = w_i |a_i| |b_i|$, with
    neurons $(a, b)$.

    Raises:
        TypeError: either is not Particles.
        ValueError: they differ in dimension.
    """
    instance("alignment", "mu", mu, Particles, "Particles")
    instance("alignment", "teacher", teacher, Particles, "Particles")
    if mu.dim != teacher.dim or mu.dim < 2:
        raise ValueError(
            "alignment: expected mu and teacher of one dimension >= 2, found "
            f"{mu.dim} and {teacher.dim}."
        )
    b, target = mu.x[:, 1:], teacher.x[:, 1:]
    length = jnp.linalg.norm(b, axis=1)
    unit = b / jnp.where(length > 0, length, 1)[:, None]
    cosines = unit @ (target / jnp.linalg.norm(target, axis=1, keepdims=True)).T
    share = mu.w * jnp.abs(mu.x[:, 0]) * length
    return share @ jnp.max(jnp.abs(cosines), axis=1) / jnp.sum(share)
