"""Particles that repel each other, and ensembles that precondition themselves."""

import equinox as eqx
from jaxtyping import Array, Float

from wflow.checks import instance, one_of, positive, real_field, shape
from wflow.energies import KLDivergence
from wflow.flows import GradientFlow
from wflow.flows.base import AbstractFlow
from wflow.geometries import Stein
from wflow.kernels import AbstractKernel, MedianGaussian
from wflow.measures import Particles
from wflow.sampling.ensemble import (
    ALDIFlow,
    ConsensusFlow,
    GradientFreeALDIFlow,
)

from .base import (
    AbstractFlowMethod,
    LogDensity,
    check_apart,
    check_number,
    check_spread,
)


class SVGD(AbstractFlowMethod):
    r"""Stein variational gradient descent: particles that climb and repel each other.

    $\dot x_i = \sum_j w_j [k(x_j, x_i)\nabla\log\pi(x_j) + \nabla_1 k(x_j, x_i)]$.

    ``kernel`` is one, or a rule that makes one of the positions at every step.

    Raises:
        ValueError: a step or number of steps that is not positive; at the start: fewer
            than two particles, or all at one place.
        TypeError: the kernel is none.

    Reference: Liu, Wang, NeurIPS 2016, equation (8).
    """

    step_size: float = eqx.field(static=True, default=0.05)
    steps: int = eqx.field(static=True, default=1000)
    kernel: AbstractKernel | MedianGaussian = eqx.field(default_factory=MedianGaussian)

    def __check_init__(self) -> None:
        kinds = (AbstractKernel, MedianGaussian)
        instance(self, "kernel", self.kernel, kinds, "a kernel, or a rule for one")

    def check(self, log_density: LogDensity, initial: Particles) -> None:
        check_number(self, initial, 2, "one alone climbs to a mode, see find_modes")
        check_apart(self, initial, "they would move as one; start them apart")

    def cost(self, log_density: LogDensity, dim: int) -> int:
        del log_density, dim
        return 1

    def flow(self, log_density: LogDensity, initial: Particles) -> AbstractFlow:
        del initial
        return GradientFlow(KLDivergence(log_density), Stein(self.kernel))


class ALDI(AbstractFlowMethod):
    """Langevin dynamics preconditioned by the ensemble: scales need not be known.

    Affine invariant, by Euler-Maruyama steps. With ``gradient_free`` the log-density
    must be a ``GaussianInverseProblem``, whose forward model is evaluated in place of
    gradients. Take more than d + 1 particles.

    Raises:
        ValueError: a step or number of steps that is not positive; at the start: no
            more particles than dimensions, or particles that coincide in one.
        TypeError: gradient-free, and the target is not a ``GaussianInverseProblem``.

    Reference: Garbuno-Inigo, Nuesken, Reich, SIAM J. Appl. Dyn. Syst. 19 (2020).
    """

    step_size: float = eqx.field(static=True, default=0.05)
    steps: int = eqx.field(static=True, default=1000)
    gradient_free: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        one_of(self, "gradient_free", self.gradient_free, (False, True))

    def check(self, log_density: LogDensity, initial: Particles) -> None:
        check_span(self, initial)

    def cost(self, log_density: LogDensity, dim: int) -> int:
        del log_density, dim
        return 1

    def flow(self, log_density: LogDensity, initial: Particles) -> AbstractFlow:
        del initial
        if self.gradient_free:
            return GradientFreeALDIFlow(log_density)
        return ALDIFlow(log_density)


class CBS(AbstractFlowMethod):
    """Consensus-based sampling: densities only, exact for Gaussian targets.

    A target of several modes is seen as the Gaussian around the one that wins.

    Raises:
        ValueError: a step, number of steps or inverse temperature that is not positive;
            at the start: no more particles than dimensions, or particles that coincide
            in one.

    Reference: Carrillo, Hoffmann, Stuart, Vaes, Stud. Appl. Math. 148 (2022).
    """

    step_size: float = eqx.field(static=True, default=0.05)
    steps: int = eqx.field(static=True, default=1000)
    inverse_temperature: Float[Array, ""] = eqx.field(
        converter=real_field("inverse_temperature"), default=1.0
    )

    def __check_init__(self) -> None:
        shape(self, "inverse_temperature", self.inverse_temperature, ())
        positive(self, "inverse_temperature", self.inverse_temperature)

    def check(self, log_density: LogDensity, initial: Particles) -> None:
        check_span(self, initial)

    def cost(self, log_density: LogDensity, dim: int) -> int:
        del log_density, dim
        return 1

    def flow(self, log_density: LogDensity, initial: Particles) -> AbstractFlow:
        del initial
        return ConsensusFlow(log_density, self.inverse_temperature)


def check_span(owner: object, initial: Particles) -> None:
    """Refuse an ensemble that cannot leave the plane in which it starts.

    Raises:
        ValueError: it has no more particles than dimensions, or they coincide in one.
    """
    because = "they move in the plane that they span"
    check_number(owner, initial, initial.dim + 1, because)
    check_spread(owner, initial, f"{because}; start them apart")
