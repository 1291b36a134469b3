"""The baseline that the flow replaces: a block-triangular map, trained."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from wflow import checks
from wflow.checks import real_field
from wflow.filtering.base import check_number
from wflow.kernels import AbstractRadialKernel, InverseMultiquadric
from wflow.learning.training import Trainer
from wflow.measures import Particles

from .attraction import Simulated
from .base import AbstractTransport, check_kernels
from .coupling import Labeled, passengers, product_cloud
from .joint import ConditionalMMD
from .pairs import Standardized


class TrainedTransport(AbstractTransport):
    r"""The joint discrepancy lowered by a trained network, for comparisons.

    $x_i \leftarrow S_\theta(x_i, y^*)$, $S_\theta(x, y) = x + g_\theta(x, y)$, with
    $\theta$ of a small network trained to lower the joint discrepancy by Adam. Not
    convex in $\theta$, and much slower than the flow.

    Attributes:
        kernel_x: $k_x$, of states.
        kernel_y: $k_y$, of observations.
        width: hidden units of each layer (hyperbolic tangents).
        depth: hidden layers; the last layer starts at zero, the map at the identity.
        steps: of Adam.
        learning_rate: of Adam.
        permutations: product cloud of so many times the ensemble.
        inflation: of the forecast, about its mean.

    Raises:
        ValueError: a number out of range.
        TypeError: a kernel that is none, or a count that is no whole number.

    Reference: after Zeng, Jiang, Sun, Xiao, arXiv:2605.13174, which states the problem.
    """

    kernel_x: AbstractRadialKernel = eqx.field(
        default_factory=lambda: InverseMultiquadric(0.5)
    )
    kernel_y: AbstractRadialKernel = eqx.field(
        default_factory=lambda: InverseMultiquadric(0.5)
    )
    width: int = eqx.field(static=True, default=32)
    depth: int = eqx.field(static=True, default=2)
    steps: int = eqx.field(static=True, default=300)
    learning_rate: Float[Array, ""] = eqx.field(
        converter=real_field("learning_rate"), default=1e-2
    )
    permutations: int = eqx.field(static=True, default=2)
    inflation: Float[Array, ""] = eqx.field(
        converter=real_field("inflation"), default=1.0
    )

    def __check_init__(self) -> None:
        for name in ("width", "depth", "steps", "permutations"):
            checks.count(self, name, getattr(self, name))
        check_kernels(self, "kernel_x", "kernel_y")
        check_number(self, "learning_rate", self.learning_rate)
        check_number(self, "inflation", self.inflation)

    def transport(self, pairs: Standardized, key: PRNGKeyArray) -> Float[Array, "n d"]:
        _, _, d, p = pairs.sizes
        for_cloud, for_network = jax.random.split(key)
        cloud = product_cloud(pairs, self.permutations, for_cloud)
        energy = ConditionalMMD.of(
            self.kernel_x,
            self.kernel_y,
            Simulated(self.kernel_y, pairs.y),
            pairs.x,
            cloud.labels,
            pairs.observed,
        )
        network = eqx.nn.MLP(
            d + p,
            d,
            self.width,
            self.depth,
            activation=jnp.tanh,
            dtype=pairs.x.dtype,
            key=for_network,
        )
        network = eqx.tree_at(
            lambda net: (net.layers[-1].weight, net.layers[-1].bias),
            network,
            replace_fn=jnp.zeros_like,
        )
        params, static = eqx.partition(network, eqx.is_inexact_array)
        optimizer = optax.adam(self.learning_rate.astype(pairs.x.dtype))

        def moved(params: eqx.nn.MLP, members: Labeled) -> Array:
            points = jnp.concatenate([members.x, members.labels], axis=1)
            return members.x + jax.vmap(eqx.combine(params, static))(points)

        def loss(params: eqx.nn.MLP, *_: Any) -> tuple[Array, dict]:
            carried = Particles.from_samples(moved(params, cloud))
            return 2 * energy.value(carried), {}

        # The loss draws nothing: a key is what steps have.
        end, _ = Trainer(loss, optimizer, self.steps).run(params, for_network)
        return moved(end.params, passengers(pairs))
