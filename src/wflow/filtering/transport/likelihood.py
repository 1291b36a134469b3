"""Transport to the ensemble weighted by the likelihood of the one observation."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wflow import checks
from wflow.checks import real_field
from wflow.energies import MMD
from wflow.filtering.base import check_number
from wflow.filtering.observations import (
    AbstractObservation,
    GaussianObservation,
    log_likelihoods,
    require_likelihood,
)
from wflow.flows import GradientFlow
from wflow.geometries import Wasserstein
from wflow.kernels import AbstractRadialKernel, EnergyDistance
from wflow.measures import Particles
from wflow.solvers import solve

from .base import (
    AbstractTransport,
    check_kernels,
    simulated,
)
from .coupling import passengers
from .pairs import Pairs, Standardized
from .starts import Start, check_start, started


class LikelihoodTransport(AbstractTransport):
    r"""Move members to those that explain the observation: a filter without copies.

    The flow of half the squared discrepancy to $\sum_j w_j \delta_{x_j}$,
    $w_j \propto p(y^*|x_j)$. The members repel each other and are drawn to the forecast
    members that explain the observation: equal weights, like a resampled particle
    filter, without its copies. No product cloud; observations are simulated for the
    Kalman start alone.

    Attributes:
        kernel_x: of states, in standard units.
        start: "kalman", "square_root" or "identity".
        steps: number of Euler steps.
        step: length of a step.
        inflation: of the forecast, about its mean.

    Raises:
        ValueError: a number out of range, or an unknown start.
        TypeError: a part that does not fulfill its contract, steps that is no whole
            number; in the analysis, an observation without a likelihood.

    Reference: Zeng, Jiang, arXiv:2407.11518 (the target there, for a trained map).
    """

    kernel_x: AbstractRadialKernel = eqx.field(default_factory=EnergyDistance)
    start: Start = eqx.field(static=True, default="kalman")
    steps: int = eqx.field(static=True, default=60)
    step: Float[Array, ""] = eqx.field(converter=real_field("step"), default=0.1)
    inflation: Float[Array, ""] = eqx.field(
        converter=real_field("inflation"), default=1.0
    )

    def __check_init__(self) -> None:
        check_start(self, self.start)
        check_kernels(self, "kernel_x")
        checks.count(self, "steps", self.steps)
        check_number(self, "step", self.step)
        check_number(self, "inflation", self.inflation)

    def pairs(
        self,
        x: Float[Array, "n d"],
        observed: Float[Array, " p"],
        observation: AbstractObservation,
        key: PRNGKeyArray,
    ) -> Pairs:
        law = require_likelihood(self, observation)
        y = simulated(law, x, 1, key)
        if isinstance(law, GaussianObservation):
            return Pairs.of(x, y, observed, jax.vmap(law.mean)(x), law.cov)
        likelihood = log_likelihoods(law, observed, x)
        return Pairs.of(x, y, observed, log_likelihood=likelihood)

    def transport(self, pairs: Standardized, key: PRNGKeyArray) -> Float[Array, "n d"]:
        del key
        if pairs.log_likelihood is None:
            raise TypeError(
                "LikelihoodTransport: simulated observations alone do not say the "
                "likelihood; take CouplingTransport."
            )
        target = Particles(pairs.x, jax.nn.log_softmax(pairs.log_likelihood))
        step = self.step.astype(pairs.x.dtype)
        flow = GradientFlow(MMD(self.kernel_x, target), Wasserstein(step))
        q = started(self.start, pairs, passengers(pairs))
        solution = solve(
            flow,
            Particles.from_samples(q),
            0.0,
            float(self.steps),
            dt0=1.0,
            solver=diffrax.Euler(),
            throw=False,
        )
        return jnp.asarray(solution[-1].x)
