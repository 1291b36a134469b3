"""The coupling transport along the steepest descent of a kernel space."""

import diffrax
import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wflow import checks
from wflow.checks import real_field
from wflow.energies import MMD
from wflow.filtering.base import check_number
from wflow.flows import GradientFlow, TracerFlow
from wflow.geometries import Block, Stein
from wflow.kernels import (
    AbstractRadialKernel,
    GaussianKernel,
    InverseMultiquadric,
    ProductKernel,
)
from wflow.measures import Particles, Traced

from .base import AbstractTransport, check_kernels
from .coupling import Labeled, passengers, product_cloud
from .pairs import Standardized
from .starts import Start, check_start, started
from .wasserstein import carried


class SteinTransport(AbstractTransport):
    r"""``CouplingTransport`` with smoothed velocities: one smooth map for all members.

    $v(u) = -E_\mu[\kappa(u, U)\,\nabla_z f(U)]$, $\kappa = \kappa_x \kappa_y$. The map
    is smooth in state and observation; members are not told from each other below the
    width of $\kappa$.

    Attributes:
        kernel_x: $k_x$, of states.
        kernel_y: $k_y$, of observations.
        average_x: $\kappa_x$.
        average_y: $\kappa_y$.
        start: as in ``CouplingTransport``.
        steps: number of Euler steps.
        step: length of a step.
        permutations: product cloud of so many times the ensemble.
        inflation: of the forecast, about its mean.

    Raises:
        ValueError: a number out of range, or an unknown start.
        TypeError: a part that breaks its contract, or a count that is no whole
            number.

    Reference: as for ``CouplingTransport``; Liu, NeurIPS 2017, equation (5).
    """

    kernel_x: AbstractRadialKernel = eqx.field(
        default_factory=lambda: InverseMultiquadric(0.5)
    )
    kernel_y: AbstractRadialKernel = eqx.field(
        default_factory=lambda: InverseMultiquadric(0.5)
    )
    average_x: AbstractRadialKernel = eqx.field(
        default_factory=lambda: GaussianKernel(0.5)
    )
    average_y: AbstractRadialKernel = eqx.field(
        default_factory=lambda: GaussianKernel(0.5)
    )
    start: Start = eqx.field(static=True, default="kalman")
    steps: int = eqx.field(static=True, default=60)
    step: Float[Array, ""] = eqx.field(converter=real_field("step"), default=1.0)
    permutations: int = eqx.field(static=True, default=2)
    inflation: Float[Array, ""] = eqx.field(
        converter=real_field("inflation"), default=1.0
    )

    def __check_init__(self) -> None:
        check_start(self, self.start)
        check_kernels(self, "kernel_x", "kernel_y", "average_x", "average_y")
        checks.count(self, "steps", self.steps)
        checks.count(self, "permutations", self.permutations)
        check_number(self, "step", self.step)
        check_number(self, "inflation", self.inflation)

    def flow(self, pairs: Standardized, key: PRNGKeyArray) -> tuple[TracerFlow, Traced]:
        """The declaration of the motion of points (z, c), and where it starts."""
        _, m, d, p = pairs.sizes

        def points(members: Labeled) -> Array:
            z = started(self.start, pairs, members)
            return jnp.concatenate([z, members.labels], axis=1)

        joint = jnp.concatenate(
            [jnp.repeat(pairs.x, m, axis=0), pairs.y.reshape(-1, p)], axis=1
        )
        energy = MMD(
            ProductKernel((self.kernel_x, self.kernel_y), (d, p)),
            Particles.from_samples(joint),
        )
        average = ProductKernel((self.average_x, self.average_y), (d, p))
        flow = GradientFlow(self.step * energy, Block(Stein(average), d))
        cloud = points(product_cloud(pairs, self.permutations, key))
        measure = Traced(Particles.from_samples(cloud), points(passengers(pairs)))
        return TracerFlow(flow), measure

    def transport(self, pairs: Standardized, key: PRNGKeyArray) -> Float[Array, "n d"]:
        flow, measure = self.flow(pairs, key)
        q = carried(flow, measure, self.steps, diffrax.Euler(), key)
        return q[:, : pairs.x.shape[1]]
