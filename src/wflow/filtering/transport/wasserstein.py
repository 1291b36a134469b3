"""The coupling transport: an MMD flow from the product law to the joint law."""

import math
import warnings
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow import checks
from wflow.checks import real_field
from wflow.filtering.base import check_number
from wflow.filtering.observations import AbstractObservation
from wflow.flows import GradientFlow, NoiseInjectionFlow, TracerFlow
from wflow.flows.base import AbstractFlow
from wflow.geometries import Block, Wasserstein
from wflow.kernels import (
    AbstractRadialKernel,
    EnergyDistance,
    GaussianKernel,
    InverseMultiquadric,
)
from wflow.measures import Particles, Traced
from wflow.solvers import solve

from .base import AbstractTransport, check_kernels
from .coupling import passengers, product_cloud
from .joint import ConditionalMMD, Floored, sampling_floor
from .pairs import Pairs, Standardized
from .starts import Start, check_start, started
from .targets import AbstractTarget, LikelihoodFree


# Density of simulated observations below which the speed does not grow any more.
_LEAST_DENSITY = 1e-6


class CouplingTransport(AbstractTransport):
    r"""Transport filter: members flow to the posterior, no likelihood is needed.

    The flow of half the squared discrepancy of joint laws, observations held still. A
    cloud $(z_m, c_m)$ of the product law $\pi_X \otimes \pi_Y$ moves to the pairs
    $(x_j, y_j)$ of the joint law, $\dot z = -\rho(c)^{-1} \nabla_z f(z, c)$ with the
    witness function $f = \int k\,d(\mu - \pi)$, $k = k_x k_y$. *Passengers*, the
    members with the actual observation as their label, are carried along and end as the
    analyzed ensemble. If the joint law were met exactly, theirs would be the posterior
    for almost every observation; of one observation a small discrepancy alone says
    nothing.

    Everything is in standard units of the ensemble and its simulated observations; time
    counts Euler steps.

    Attributes:
        kernel_x: $k_x$, of states; one of long range, or what is far stays there.
        kernel_y: $k_y$, of observations, likewise.
        start: "kalman" for filters, "square_root", or "identity", where posteriors have
            several modes.
        steps: number of steps.
        step: length of a step, in standard units.
        permutations: product cloud of so many times the ensemble.
        target: ``LikelihoodFree()``, or ``RaoBlackwellized()`` with Gaussian errors.
        inflation: of the forecast, about its mean.
        noise: level of noise injected into the force at the start, falling linearly to
            zero; None for none.
        normalize_density: divide speeds by the density $\rho$ of simulated observations
            at the label, so that rare ones are assimilated as fast.
        stop_at_floor: stop where the discrepancy is that of a sample.
        solver: Diffrax solver with fixed steps (without noise).

    Raises:
        ValueError: a number out of range, or an unknown start.
        TypeError: a part that breaks its contract, or a count that is no whole
            number.

    Reference: after Zeng, Jiang, Sun, Xiao, arXiv:2605.13174; Arbel, Korba, Salim,
    Gretton, NeurIPS 2019, equation (1); Hagemann et al., arXiv:2310.03054.
    """

    kernel_x: AbstractRadialKernel = eqx.field(default_factory=EnergyDistance)
    kernel_y: AbstractRadialKernel = eqx.field(
        default_factory=lambda: InverseMultiquadric(0.5)
    )
    start: Start = eqx.field(static=True, default="kalman")
    steps: int = eqx.field(static=True, default=60)
    step: Float[Array, ""] = eqx.field(converter=real_field("step"), default=0.1)
    permutations: int = eqx.field(static=True, default=2)
    target: AbstractTarget = eqx.field(default_factory=LikelihoodFree)
    inflation: Float[Array, ""] = eqx.field(
        converter=real_field("inflation"), default=1.0
    )
    noise: Float[Array, ""] | None = eqx.field(
        converter=real_field("noise", optional=True), default=None
    )
    normalize_density: bool = eqx.field(static=True, default=True)
    stop_at_floor: bool = eqx.field(static=True, default=False)
    solver: diffrax.AbstractSolver = eqx.field(default_factory=diffrax.Euler)

    def __check_init__(self) -> None:
        check_start(self, self.start)
        check_kernels(self, "kernel_x", "kernel_y")
        checks.count(self, "steps", self.steps)
        checks.count(self, "permutations", self.permutations)
        check_number(self, "step", self.step)
        check_number(self, "inflation", self.inflation)
        checks.instance(
            self, "target", self.target, AbstractTarget, "a target (LikelihoodFree())"
        )
        self.target.check_kernel(self.kernel_y)
        checks.instance(
            self,
            "solver",
            self.solver,
            diffrax.AbstractSolver,
            "a solver of Diffrax",
        )
        for name in ("normalize_density", "stop_at_floor"):
            checks.one_of(self, name, getattr(self, name), (True, False))
        if self.noise is not None:
            checks.non_negative(self, "noise", self.noise)
            checks.shape(self, "noise", self.noise, ())
        if not self.normalize_density:
            _check_step(self, self.kernel_x, self.step)

    def pairs(
        self,
        x: Float[Array, "n d"],
        observed: Float[Array, " p"],
        observation: AbstractObservation,
        key: PRNGKeyArray,
    ) -> Pairs:
        return self.target.pairs(x, observed, observation, key)

    def flow(
        self, pairs: Standardized, key: PRNGKeyArray
    ) -> tuple[AbstractFlow, Traced]:
        """The declaration of the motion, and where it starts.

        Points are states with their speed behind them, which does not move.
        """
        n, _, d, _ = pairs.sizes
        cloud = product_cloud(pairs, self.permutations, key)
        z = started(self.start, pairs, cloud)
        q = started(self.start, pairs, passengers(pairs))
        attraction = self.target.attraction(pairs, self.kernel_y)
        energy = ConditionalMMD.of(
            self.kernel_x,
            self.kernel_y,
            attraction,
            pairs.x,
            cloud.labels,
            pairs.observed,
        )
        speed, own = self._speeds(energy)
        measure = Traced(
            Particles.from_samples(jnp.column_stack([z, speed])),
            jnp.column_stack([q, jnp.broadcast_to(own, n)]),
        )
        if self.stop_at_floor:
            floor = sampling_floor(self.kernel_x, attraction, pairs.x)
            energy = Floored(energy, floor)
        geometry = Block(Wasserstein(lambda point: point[-1]), d)
        if self.noise is None:
            return TracerFlow(GradientFlow(energy, geometry)), measure
        level = _Falling(self.noise * (jnp.arange(d + 1) < d), self.steps)
        return NoiseInjectionFlow(energy, level, geometry), measure

    def transport(self, pairs: Standardized, key: PRNGKeyArray) -> Float[Array, "n d"]:
        for_cloud, for_noise = jax.random.split(key)
        flow, measure = self.flow(pairs, for_cloud)
        q = carried(flow, measure, self.steps, self.solver, for_noise)
        return q[:, : pairs.x.shape[1]]

    def _speeds(self, energy: ConditionalMMD) -> tuple[Array, Array]:
        """Of labels and of the observation."""
        step = self.step.astype(energy.target.dtype)
        if not self.normalize_density:
            return jnp.broadcast_to(step, energy.across.shape[0]), step
        densities = jnp.mean(energy.across, 1), jnp.mean(energy.observed_across)
        first, second = (step / jnp.maximum(rho, _LEAST_DENSITY) for rho in densities)
        return first, second


def carried(
    flow: AbstractFlow,
    measure: Traced,
    steps: int,
    solver: diffrax.AbstractSolver,
    key: PRNGKeyArray,
) -> Float[Array, "n d"]:
    """The tracers after so many steps of length one."""
    jumps = isinstance(flow, NoiseInjectionFlow)
    solution = solve(
        flow,
        measure,
        0.0,
        float(steps),
        dt0=1.0,
        solver=None if jumps else solver,
        splitting="lie",
        key=key if jumps else None,
        throw=False,
    )
    return solution[-1].tracers


class _Falling(eqx.Module):
    """A level that falls linearly to zero over the steps."""

    start: Float[Array, "..."]
    steps: int = eqx.field(static=True)

    def __call__(self, t: ArrayLike) -> Array:
        return self.start * jnp.maximum(1 - t / self.steps, 0)


def smoothness(kernel: GaussianKernel) -> Float[Array, ""]:
    r"""The smoothness of the joint discrepancy, which bounds an Euler step.

    $L = (1 + 2 e^{-3/2}) / l_x^2$: the energy is L-smooth in the cloud's states, for a
    Gaussian kernel of states and $|k_y| \le 1$; an Euler step $\gamma \le 1/L$ lowers
    it by $\gamma (1 - \gamma L/2) \int |v|^2 d\mu$ at least.

    Raises:
        TypeError: kernel is no Gaussian one.
    """
    checks.instance("smoothness", "kernel", kernel, GaussianKernel, "a Gaussian kernel")
    return (1 + 2 * math.exp(-1.5)) / jnp.min(jnp.asarray(kernel.bandwidth)) ** 2


def _check_step(owner: object, kernel: Any, step: Any) -> None:
    length = checks.known(step)
    if length is None or not isinstance(kernel, GaussianKernel):
        return
    bandwidth = checks.known(kernel.bandwidth)
    if bandwidth is None or bandwidth.ndim > 1:
        return
    bound = 2 / float(smoothness(GaussianKernel(bandwidth)))
    if float(length) > bound:
        warnings.warn(
            f"{type(owner).__name__}: a step of {float(length):.3g} is above 2/L = "
            f"{bound:.3g}, from which on the discrepancy may grow.",
            stacklevel=4,
        )
