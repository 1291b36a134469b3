"""Spherical Hellinger-Kantorovich flows of the Kullback-Leibler divergence."""

import dataclasses
from typing import Literal

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.checks import (
    function,
    instance,
    one_of,
    positive,
    real_field,
    shape,
    within,
)
from wflow.energies import KDE, KLDivergence
from wflow.energies.density import AbstractParticleDensity
from wflow.flows import (
    BirthDeathFlow,
    GradientFlow,
    LangevinFlow,
)
from wflow.flows.base import AbstractFlow
from wflow.geometries import Wasserstein
from wflow.measures import AbstractDensity, Particles
from wflow.measures.resampling import resampled
from wflow.sampling.density import check_density
from wflow.sampling.metropolis import MetropolisLangevinFlow
from wflow.sampling.reweighting import ReweightingFlow
from wflow.sampling.transition_mixture import TransitionMixtureFlow

from .base import (
    AbstractFlowMethod,
    LogDensity,
    MethodState,
    Run,
    check_number,
    check_spread,
    check_strengths,
    is_zero,
    march,
)
from .langevin import mean_acceptance


Transport = Literal["metropolis", "langevin", "probability_flow", "none"]
Reaction = Literal["resampled", "weights", "jumps", "none"]

# Particles of which this share has a jump's exponent above the limit: too long a step.
_LONG_JUMP, _LONG_SHARE = 5.0, 0.5


def _logarithm(
    smoothed: LogDensity | AbstractDensity | None,
) -> LogDensity | None:
    return smoothed.log_density if isinstance(smoothed, AbstractDensity) else smoothed


class SHK(AbstractFlowMethod):
    r"""Sample by moving particles and reweighting them, so that modes exchange mass.

    The spherical Hellinger-Kantorovich flow $\partial_t\rho =
    \alpha\nabla\cdot(\rho\nabla\log\frac\rho\pi) - \beta\rho\,(\log\frac\rho\pi -
    \text{mean})$ on weighted particles. The reaction carries mass between modes that
    the transport would not cross; its density is an estimate, whose smoothing bends the
    target. So the last share ``settle`` of the steps is transport alone: masses of
    modes stay as the reaction left them, and within each mode the particles relax to
    the target itself.

    Attributes:
        step_size: h, in the time of the flow. Langevin steps are stable up to about
            twice the smallest variance of the target (over ``alpha``).
        steps: their number.
        alpha: strength of the transport; 0 is the Fisher-Rao flow, which moves no
            particle.
        beta: strength of the reaction; 0 is the transport alone.
        transport: "metropolis" (Langevin steps that leave the target invariant),
            "langevin" (Euler-Maruyama), "probability_flow" (no noise: minus the score
            of the density estimate), or "none".
        reaction: "resampled" (exact weights, systematic resampling where the effective
            sample size falls below ``resample_below``), "weights" (never resampled),
            "jumps" (births and deaths), or "none".
        density: of the particles, for the reaction and the probability flow.
        smoothed: the logarithm of the target as the density estimate would see it,
            $K_h * \pi$, or that density: removes the bias of a kernel estimate where
            it is known (``GaussianMixture.convolved``).
        settle: share of the steps without reaction at the end.
        resample_below: share of the number of particles.

    Raises:
        ValueError: a step, strength or share out of range, neither transport nor
            reaction, or an unknown one; at the start: particles that coincide in some
            coordinate, or one alone, where their density has to be estimated.
        TypeError: the density, or ``smoothed``, is none.

    References: Lu, Lu, Nolen, arXiv:1905.09863; Lu, Slepcev, Wang, Nonlinearity 36
    (2023). ``smoothed`` after Pampel, Holbach, Hartung, Valsson, Phys. Rev. E 107
    (2023).
    """

    step_size: float = eqx.field(static=True, default=0.05)
    steps: int = eqx.field(static=True, default=1000)
    alpha: Float[Array, ""] = eqx.field(converter=real_field("alpha"), default=1.0)
    beta: Float[Array, ""] = eqx.field(converter=real_field("beta"), default=1.0)
    transport: Transport = eqx.field(static=True, default="metropolis")
    reaction: Reaction = eqx.field(static=True, default="resampled")
    density: AbstractParticleDensity = eqx.field(
        default_factory=lambda: KDE(form="plug_in")
    )
    smoothed: LogDensity | None = eqx.field(converter=_logarithm, default=None)
    settle: float = eqx.field(static=True, default=0.5)
    resample_below: float = eqx.field(static=True, default=0.5)

    def __check_init__(self) -> None:
        check_strengths(self, self.alpha, self.beta)
        one_of(self, "transport", self.transport, Transport.__args__)
        one_of(self, "reaction", self.reaction, Reaction.__args__)
        kind = AbstractParticleDensity
        instance(self, "density", self.density, kind, "a density of particles")
        if self.smoothed is not None:
            function(self, "smoothed", self.smoothed, "one point")
        if not (self.moves or self.reacts):
            raise ValueError(
                "SHK: expected a transport or a reaction, found neither: transport "
                f"{self.transport!r} with alpha {self.alpha}, reaction "
                f"{self.reaction!r} with beta {self.beta}."
            )
        for name in ("settle", "resample_below"):
            shape(self, name, getattr(self, name), ())
            within(self, name, getattr(self, name), 0, 1)

    def check(self, log_density: LogDensity, initial: Particles) -> None:
        if self.smoothed is not None:
            check_density(self, "smoothed", self.smoothed, initial.x[0])
        if not self.reacts and self.transport != "probability_flow":
            return
        by_rule = getattr(self.density, "bandwidth", None) is None
        if by_rule:
            because = "their density is estimated"
            check_number(self, initial, 2, because)
            check_spread(
                self, initial, f"{because}; start them apart, or fix a bandwidth"
            )

    @property
    def moves(self) -> bool:
        """Whether there is transport."""
        return self.transport != "none" and not is_zero(self.alpha)

    @property
    def reacts(self) -> bool:
        """Whether there is a reaction."""
        return self.reaction != "none" and not is_zero(self.beta)

    @property
    def solver(self) -> diffrax.AbstractSolver:
        return diffrax.Euler() if self.transport == "langevin" else diffrax.Heun()

    def cost(self, log_density: LogDensity, dim: int) -> int:
        del log_density, dim
        costs = {"metropolis": 2, "langevin": 1, "probability_flow": 2, "none": 0}
        return costs[self.transport] * self.moves + self.reacts

    def _divergence(self, log_density: LogDensity) -> KLDivergence:
        return KLDivergence(self.smoothed or log_density, self.density)

    def _transport(self, log_density: LogDensity) -> AbstractFlow | None:
        if not self.moves:
            return None
        if self.transport == "metropolis":
            return MetropolisLangevinFlow(log_density, self.alpha)
        if self.transport == "langevin":
            return LangevinFlow(self.alpha * KLDivergence(log_density))
        return GradientFlow(self.alpha * self._divergence(log_density), Wasserstein())

    def _reaction(self, log_density: LogDensity) -> AbstractFlow | None:
        if not self.reacts:
            return None
        energy = self._divergence(log_density)
        if self.reaction == "jumps":
            return BirthDeathFlow(energy, self.beta)
        share = self.resample_below if self.reaction == "resampled" else None
        return ReweightingFlow(energy, self.beta, share)

    def flow(self, log_density: LogDensity, initial: Particles) -> AbstractFlow:
        del initial
        parts = (self._transport(log_density), self._reaction(log_density))
        first, *rest = (part for part in parts if part is not None)
        return first + rest[0] if rest else first

    @property
    def turn(self) -> int:
        """The number of steps after which there is transport alone."""
        both = self.moves and self.reacts
        return self.steps - (round(self.settle * self.steps) if both else 0)

    def init(
        self, log_density: LogDensity, initial: Particles, *, key: PRNGKeyArray
    ) -> MethodState:
        state = super().init(log_density, initial, key=key)
        if self.turn == self.steps:
            return state
        flows = state.motion, self._transport(log_density)
        return dataclasses.replace(state, motion=flows)

    def step(self, state: MethodState, key: PRNGKeyArray) -> MethodState:
        if self.turn == self.steps:
            return super().step(state, key)
        own, resampling = jax.random.split(key)

        def along(flow: AbstractFlow, mu: Particles) -> Particles:
            one = MethodState(mu, state.taken, flow)
            return super(SHK, self).step(one, own).particles

        def settling(mu: Particles) -> Particles:
            if self.reaction == "resampled":
                first = state.taken == self.turn
                mu = jax.lax.cond(first, lambda: resampled(resampling, mu), lambda: mu)
            return along(state.motion[1], mu)

        moved = jax.lax.cond(
            state.taken < self.turn,
            lambda mu: along(state.motion[0], mu),
            settling,
            state.particles,
        )
        return state.moved(moved)

    def run(
        self,
        log_density: LogDensity,
        initial: Particles,
        key: PRNGKeyArray,
        saves: int,
    ) -> Run:
        turn = self.turn
        phases = [(self.flow(log_density, initial), (0, turn))] if turn else []
        if turn < self.steps:
            phases.append((self._transport(log_density), (turn, self.steps)))
        found, mu = [], initial
        for k, (flow, steps) in enumerate(phases):
            own, resampling = jax.random.split(jax.random.fold_in(key, k))
            share = max(1, saves * (steps[1] - steps[0]) // self.steps)
            solution = march(flow, mu, self.step_size, steps, share, own, self.solver)
            found.append(solution)
            mu = solution[-1]
            if self.reaction == "resampled" and k + 1 < len(phases):
                # From here on particles move apart: equal weights lose nothing.
                mu = resampled(resampling, mu)
        measures = jax.tree.map(
            lambda *leaves: jnp.concatenate(leaves), *(s.measures for s in found)
        )
        times = jnp.concatenate([s.times for s in found])
        return self.record(measures, times, log_density, initial)

    def warnings(self, log_density: LogDensity, run: Run) -> list[str]:
        if not self.reacts:
            return []
        found = []
        if self.reaction == "jumps" and bool(
            _long_jumps(self._divergence(log_density), run, self.beta * self.step_size)
        ):
            found.append(
                "SHK: the step is too long for jumps: beta times "
                f"{self.step_size:g} times the excess is above {_LONG_JUMP:g} for more "
                "than half of the particles."
            )
        return found

    def finish(self, run: Run, log_density: LogDensity) -> Run:
        if not (self.moves and self.transport == "metropolis"):
            return run
        rate = mean_acceptance(run.particles, log_density, self.alpha * self.step_size)
        return dataclasses.replace(run, acceptance=rate)


@eqx.filter_jit
def _long_jumps(energy: KLDivergence, run: Run, rate: Array) -> Array:
    """Whether most particles jumped as surely as not at the first saved time."""
    first = jax.tree.map(lambda leaf: leaf[0], run.measures)
    excess = energy.differential(first).w
    excess = excess - first.normalized().w @ excess
    long = rate * jnp.abs(excess) > _LONG_JUMP
    return jnp.mean(long) > _LONG_SHARE


class SMCWFR(AbstractFlowMethod):
    r"""``SHK`` without a bandwidth: the density is that of its own Langevin steps.

    The mixture of transition kernels has bandwidth $\sqrt{2\alpha h}$, so that a short
    ``step_size`` needs many particles.

    Raises:
        ValueError: a step, strength or share out of range.

    Reference: Crucinio, Pathiraja, arXiv:2506.05905, algorithm 1.
    """

    step_size: float = eqx.field(static=True, default=0.05)
    steps: int = eqx.field(static=True, default=1000)
    alpha: Float[Array, ""] = eqx.field(converter=real_field("alpha"), default=1.0)
    beta: Float[Array, ""] = eqx.field(converter=real_field("beta"), default=1.0)
    resample_below: float = eqx.field(static=True, default=0.5)

    def __check_init__(self) -> None:
        check_strengths(self, self.alpha, self.beta)
        positive(self, "alpha", self.alpha)
        shape(self, "resample_below", self.resample_below, ())
        within(self, "resample_below", self.resample_below, 0, 1)

    def cost(self, log_density: LogDensity, dim: int) -> int:
        del log_density, dim
        return 2

    def flow(self, log_density: LogDensity, initial: Particles) -> AbstractFlow:
        del initial
        return TransitionMixtureFlow(
            log_density, self.alpha, self.beta, self.resample_below
        )
