"""What a sampling method is: a flow, run from given particles."""

import abc
from collections.abc import Callable

import diffrax
import equinox as eqx
import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.energies import KDE, AbstractEnergy, KLDivergence
from wflow.flows import AbstractFlow, AbstractJumpFlow
from wflow.measures import Particles
from wflow.sampling.quadrature import Quadrature
from wflow.solve import Solution, solve


LogDensity = Callable[[Float[Array, " d"]], Float[Array, ""]]


class Run(eqx.Module):
    """What a method did: populations at the saved times, and what they cost.

    Attributes:
        measures: Particles with a leading axis of saved times, the last one the result.
        times: of the flow (of chains: steps), ``(saves,)``.
        energy: the energy that the method lowers, or an estimate of the Kullback-
            Leibler divergence up to the target's constant, ``(saves,)``.
        evaluations: of the log-density, with or without its gradient.
        quadrature: signed weights of the last particles, of methods that have them.
        acceptance: mean probability to accept at the end, of methods that reject.
    """

    measures: Particles
    times: Float[Array, " saves"]
    energy: Float[Array, " saves"]
    evaluations: int = eqx.field(static=True)
    quadrature: Quadrature | None = None
    acceptance: Float[Array, ""] | None = None

    @property
    def particles(self) -> Particles:
        """The last particles."""
        return jax.tree.map(lambda leaf: leaf[-1], self.measures)


class AbstractMethod(eqx.Module):
    """A way to move particles to a target; what it needs is in its fields."""

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

    def warnings(self, log_density: LogDensity, run: Run) -> list[str]:
        """Sentences on what makes the result of a run doubtful."""
        del log_density, run
        return []


class AbstractFlowMethod(AbstractMethod):
    """A method that takes ``steps`` steps of length ``step`` along one flow."""

    step: eqx.AbstractVar[float]
    steps: eqx.AbstractVar[int]

    @abc.abstractmethod
    def flow(self, log_density: LogDensity, initial: Particles) -> AbstractFlow:
        """The declaration of the motion."""

    def __check_init__(self) -> None:
        check_count(self, steps=self.steps)
        check_positive(self, step=self.step)

    @abc.abstractmethod
    def cost(self, log_density: LogDensity, dim: int) -> int:
        """Evaluations of the log-density for each particle and step."""

    @property
    def solver(self) -> diffrax.AbstractSolver:
        """Of the continuous part."""
        return diffrax.Euler()

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
            flow, initial, self.step, (0, self.steps), saves, key, self.solver
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


def march(
    flow: AbstractFlow,
    initial: Particles,
    step: float,
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
        step * first,
        step * last,
        times=step * np.arange(first + apart, last + 1, apart),
        dt0=step,
        solver=None if isinstance(flow, AbstractJumpFlow) else solver,
        splitting="lie",
        key=key,
    )


def kl_estimate(log_density: LogDensity) -> AbstractEnergy:
    r"""$\int\log(\hat\rho/\pi)\,d\mu$ with a kernel estimate of bandwidth by rule."""
    return KLDivergence(log_density, KDE())


@eqx.filter_jit
def energies(energy: AbstractEnergy, measures: Particles) -> Float[Array, " saves"]:
    """The energy of every measure along the leading axis."""
    return jax.lax.map(energy.value, measures)


def check_count(owner: object, **counts: int) -> None:
    """Refuse numbers of things that are not at least one.

    Raises:
        ValueError: one is below.
    """
    for name, count in counts.items():
        if count < 1:
            raise ValueError(
                f"{type(owner).__name__}: expected {name} >= 1, found {count}."
            )


def check_positive(owner: object, **values: float) -> None:
    """Refuse numbers that are not above zero.

    Raises:
        ValueError: one is not.
    """
    for name, value in values.items():
        if not isinstance(value, Tracer) and not 0 < float(value) < np.inf:
            raise ValueError(
                f"{type(owner).__name__}: expected {name} > 0, found {value}."
            )
