"""What a sampling method is: a flow, run from given particles."""

import abc
from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PRNGKeyArray

from wflow.checks import count, instance, known, non_negative, positive, shape
from wflow.energies import KDE, AbstractEnergy, KLDivergence
from wflow.flows import AbstractJumpFlow
from wflow.flows.base import AbstractFlow
from wflow.measures import Particles
from wflow.sampling.density import check_density
from wflow.sampling.quadrature import Quadrature
from wflow.solvers import Solution, solve


# Particles that have a density estimate; the spread, in roundings, that is none.
_FEWEST = 2
_ROUNDING = 16

LogDensity = Callable[[Float[Array, " d"]], Float[Array, ""]]


class Run(eqx.Module):
    """What a method did: populations at the saved times, and what they cost.

    Attributes:
        measures: Particles with a leading axis of saved times, the last one the result.
        times: of the flow (of chains: steps), ``(saves,)``.
        energy: the energy that the method lowers, or an estimate of the Kullback-
            Leibler divergence up to the target's constant (nan of a single particle),
            ``(saves,)``.
        evaluations: of the log-density, with or without its gradient.
        quadrature: signed weights of the last particles, of methods that have them.
        acceptance: mean probability to accept at the end, of methods that reject.
        warmup: states of chains while they were adapted, ``(chains, draws, d)``.
        statistics: of every draw of chains, by name in ArviZ, ``(chains, draws)``.
    """

    measures: Particles
    times: Float[Array, " saves"]
    energy: Float[Array, " saves"]
    evaluations: int = eqx.field(static=True)
    quadrature: Quadrature | None = None
    acceptance: Float[Array, ""] | None = None
    warmup: Float[Array, "chains draws d"] | None = None
    statistics: dict[str, Array] | None = None

    @property
    def particles(self) -> Particles:
        """The last particles."""
        return jax.tree.map(lambda leaf: leaf[-1], self.measures)


class MethodState(eqx.Module):
    """Where a sampling method stands between two of its steps.

    Attributes:
        particles: their positions and weights now.
        taken: how many steps were taken, ``()``.
        motion: what moves them, made by ``init``: flows of the target's log-density, or
            the states of adapted chains. Functions may be among its leaves: compile
            with ``eqx.filter_jit``.
    """

    particles: Particles
    taken: Int[Array, ""]
    motion: Any

    def moved(self, particles: Particles, motion: Any = None) -> "MethodState":
        """The state one step later."""
        motion = self.motion if motion is None else motion
        return MethodState(particles, self.taken + 1, motion)


def start_state(particles: Particles, motion: Any) -> MethodState:
    """The state before the first step."""
    return MethodState(particles, jnp.zeros((), int), motion)


class AbstractMethod(eqx.Module):
    """A way to move particles to a target; what it needs is in its fields.

    ``sample`` runs it; ``init`` and ``step`` drive it by hand, one step at a time:

        method = ULA(step_size=0.1)
        state = method.init(log_density, particles, key=key)
        for k in range(1000):
            state = step(state, jax.random.fold_in(key, k))

    with ``step = eqx.filter_jit(method.step)``.
    """

    def chain_count(self, n: int) -> int | None:
        """How many Markov chains ``n`` particles are: one each, or they take turns.

        None where particles interact, and are no chains.
        """
        del n
        return None

    @property
    def name(self) -> str:
        """What messages and tables call it."""
        return type(self).__name__

    @abc.abstractmethod
    def run(
        self,
        log_density: LogDensity,
        initial: Particles,
        key: PRNGKeyArray,
        saves: int,
    ) -> Run:
        """Particles from ``initial`` towards the density, at ``saves`` times."""

    @abc.abstractmethod
    def init(
        self, log_density: LogDensity, initial: Particles, *, key: PRNGKeyArray
    ) -> MethodState:
        """The state from which ``step`` goes on.

        Args:
            log_density: logarithm of the target's density at one point ``(d,)``.
            initial: where particles start.
            key: of what a method draws before its first step, if it does.

        Raises:
            ValueError: a start from which the method cannot sample.
        """

    @abc.abstractmethod
    def step(self, state: MethodState, key: PRNGKeyArray) -> MethodState:
        """The state after one step. Other numbers are drawn than by ``sample``."""

    def check(self, log_density: LogDensity, initial: Particles) -> None:
        """Refuse a start from which the method cannot sample.

        Raises:
            ValueError: there are too few particles, or they coincide.
        """
        del log_density, initial

    def warnings(self, log_density: LogDensity, run: Run) -> list[str]:
        """Sentences on what makes the result of a run doubtful."""
        del log_density, run
        return []


class AbstractFlowMethod(AbstractMethod):
    """A method that takes ``steps`` steps of length ``step_size`` along one flow."""

    step_size: eqx.AbstractVar[float]
    steps: eqx.AbstractVar[int]

    @abc.abstractmethod
    def flow(self, log_density: LogDensity, initial: Particles) -> AbstractFlow:
        """The declaration of the motion."""

    def __check_init__(self) -> None:
        count(self, "steps", self.steps)
        shape(self, "step_size", self.step_size, ())
        positive(self, "step_size", self.step_size)

    @abc.abstractmethod
    def cost(self, log_density: LogDensity, dim: int) -> int:
        """Evaluations of the log-density for each particle and step."""

    @property
    def solver(self) -> diffrax.AbstractSolver:
        """Of the continuous part."""
        return diffrax.Euler()

    def init(
        self, log_density: LogDensity, initial: Particles, *, key: PRNGKeyArray
    ) -> MethodState:
        del key
        initial = check_initial(self, log_density, initial)
        return start_state(initial, self.flow(log_density, initial))

    def step(self, state: MethodState, key: PRNGKeyArray) -> MethodState:
        moved = march(
            state.motion, state.particles, self.step_size, (0, 1), 1, key, self.solver
        )
        return state.moved(moved[-1])

    def energy(self, log_density: LogDensity, initial: Particles) -> AbstractEnergy:
        """What the curve of energy shows."""
        del initial
        return kl_estimate(log_density)

    def run(
        self,
        log_density: LogDensity,
        initial: Particles,
        key: PRNGKeyArray,
        saves: int,
    ) -> Run:
        flow = self.flow(log_density, initial)
        solution = march(
            flow, initial, self.step_size, (0, self.steps), saves, key, self.solver
        )
        return self.record(solution.measures, solution.times, log_density, initial)

    def record(
        self,
        measures: Particles,
        times: Float[Array, " saves"],
        log_density: LogDensity,
        initial: Particles,
    ) -> Run:
        """The run whose populations are these."""
        energy = self.energy(log_density, initial)
        cost = initial.n * self.steps * self.cost(log_density, initial.dim)
        run = Run(measures, times, energies(energy, measures), cost)
        return self.finish(run, log_density)

    def finish(self, run: Run, log_density: LogDensity) -> Run:
        """Whatever else the method knows at the end."""
        del log_density
        return run


def check_initial(
    method: AbstractMethod, log_density: LogDensity, initial: Particles
) -> Particles:
    """Particles from which the method can start.

    Raises:
        TypeError: they are none.
        ValueError: the method cannot sample from them, or the log-density is no real
            number at the first.
    """
    instance(method, "initial", initial, Particles, "Particles")
    check_density(method, "log_density", log_density, initial.x[0])
    method.check(log_density, initial)
    return initial


def march(
    flow: AbstractFlow,
    initial: Particles,
    step_size: float,
    steps: tuple[int, int],
    saves: int,
    key: PRNGKeyArray,
    solver: diffrax.AbstractSolver,
) -> Solution:
    """From one number of fixed steps to another, at most ``saves`` of them saved.

    These lie evenly, the last one is among them. A splitting is Lie's: one evaluation
    of the transport a step.
    """
    first, last = steps
    n = last - first
    apart = next(k for k in range(1, n + 1) if n % k == 0 and n // k <= saves)
    return solve(
        flow,
        initial,
        step_size * first,
        step_size * last,
        times=step_size * np.arange(first + apart, last + 1, apart),
        dt0=step_size,
        solver=None if isinstance(flow, AbstractJumpFlow) else solver,
        splitting="lie",
        key=key,
    )


def kl_estimate(log_density: LogDensity) -> AbstractEnergy:
    r"""Estimate of the Kullback-Leibler divergence of particles from a target.

    $\int\log(\hat\rho/\pi)\,d\mu$ with a kernel estimate of bandwidth by rule: nan
    where particles have no such estimate, one alone or all at one place.
    """
    return _Estimate(KLDivergence(log_density, KDE()))


class _Estimate(AbstractEnergy):
    """A divergence of particles with a spread; a run does not end for want of one."""

    divergence: KLDivergence

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        if mu.n < _FEWEST:
            return jnp.full((), jnp.nan, mu.dtype)
        flat = jnp.any(_flat(mu.x, mu.normalized().w))
        # The rule for the bandwidth would refuse them, inside of compiled code.
        apart = jnp.arange(mu.x.size, dtype=mu.dtype).reshape(mu.x.shape)
        x, logw = jnp.where(flat, apart, mu.x), jnp.where(flat, 0, mu.logw)
        return jnp.where(
            flat, jnp.nan, self.divergence.value(mu.with_state((x, logw)), t)
        )


def _flat(x: Float[Array, "n d"], w: Float[Array, " n"]) -> Bool[Array, " d"]:
    """Coordinates in which particles of positive weight coincide, up to rounding."""
    lowest = jnp.min(jnp.where(w[:, None] > 0, x, jnp.inf), axis=0)
    highest = jnp.max(jnp.where(w[:, None] > 0, x, -jnp.inf), axis=0)
    size = jnp.maximum(jnp.abs(lowest), jnp.abs(highest))
    return highest - lowest <= _ROUNDING * jnp.finfo(x.dtype).eps * size


@eqx.filter_jit
def energies(energy: AbstractEnergy, measures: Particles) -> Float[Array, " saves"]:
    """The energy of every measure along the leading axis."""
    return jax.lax.map(energy.value, measures)


def check_number(
    owner: object, initial: Particles, least: int, because: str = "they interact"
) -> None:
    """Refuse a start of too few particles.

    Raises:
        ValueError: there are fewer than ``least``.
    """
    if initial.n < least:
        raise ValueError(
            f"{type(owner).__name__}: expected at least {least} particles in "
            f"{initial.dim} dimensions, found {initial.n}: {because}."
        )


def check_apart(owner: object, initial: Particles, because: str) -> None:
    """Refuse a start whose particles are all at one place.

    Raises:
        ValueError: they are.
    """
    flat = known(_flat(initial.x, initial.w))
    if flat is not None and flat.all():
        raise ValueError(
            f"{type(owner).__name__}: the initial particles all coincide; {because}."
        )


def check_spread(owner: object, initial: Particles, because: str) -> None:
    """Refuse a start whose particles coincide in some coordinate.

    Raises:
        ValueError: they do; the sentence says in which.
    """
    flat = known(_flat(initial.x, initial.w))
    if flat is not None and flat.any():
        raise ValueError(
            f"{type(owner).__name__}: the initial particles coincide in coordinate "
            f"{int(np.argmax(flat))}; {because}."
        )


def check_strengths(
    owner: object, alpha: Float[Array, ""], beta: Float[Array, ""]
) -> None:
    """Refuse strengths below zero, and no strength at all.

    Raises:
        ValueError: one is negative or not finite, or both are zero.
    """
    for name, value in (("alpha", alpha), ("beta", beta)):
        shape(owner, name, value, ())
        non_negative(owner, name, value)
    if is_zero(alpha) and is_zero(beta):
        raise ValueError(f"{type(owner).__name__}: alpha and beta are both zero.")


def is_zero(strength: Float[Array, ""]) -> bool:
    """Whether a strength is known to be zero."""
    found = known(strength)
    return found is not None and bool(found == 0)
