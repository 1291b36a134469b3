"""Flows of the discrepancy to the target's mean embedding."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import real_field
from wflow.energies import AbstractEnergy
from wflow.flows import AbstractFlow, GradientFlow, NoiseInjectionFlow
from wflow.geometries import HellingerKantorovich
from wflow.kernels import Gaussian as GaussianKernel
from wflow.measures import Particles
from wflow.sampling.discrepancy import EmbeddedDiscrepancy
from wflow.sampling.embeddings import AbstractEmbedding, FredholmEmbedding
from wflow.sampling.msip import MSIP
from wflow.sampling.quadrature import optimal_quadrature

from .base import AbstractFlowMethod, LogDensity, Run


# Makes the embedding of a log-density; one that ignores it knows the target otherwise.
Embed = Callable[[LogDensity], AbstractEmbedding]


class _Embedded(AbstractFlowMethod):
    """What the methods share: a kernel, an embedding, a ridge for optimal weights."""

    bandwidth: eqx.AbstractVar[Float[Array, "..."]]
    embedding: eqx.AbstractVar[Embed]
    ridge: eqx.AbstractVar[float]

    def cost(self, log_density: LogDensity, dim: int) -> int:
        return self.embedding(log_density).cost(dim)


class MeanShift(_Embedded):
    r"""Mean-shift interacting particles, $Y \leftarrow (1 - h)\,Y + h\,T(Y)$, and the
    optimal signed weights of the nodes: a quadrature.

    Attributes:
        step: h, the damping; wide kernels need 2/n or so.
        steps: their number.
        bandwidth: of the Gaussian kernel, a number, ``(d,)`` or ``(d, d)``.
        embedding: makes the embedding of a log-density, such as ``FredholmEmbedding``
            (a gradient each particle and step) or ``GradientFreeEmbedding``.
        ridge: added to the diagonal of the kernel matrix.
        max_shift: as in ``MSIP``.

    Raises:
        ValueError: a number out of range, or a start that ``MSIP.check`` refuses.

    Reference: Belhadji, Sharp, Marzouk, arXiv:2605.14142.
    """

    step: float = eqx.field(static=True, default=0.1)
    steps: int = eqx.field(static=True, default=500)
    bandwidth: Float[Array, "..."] = eqx.field(
        converter=real_field("bandwidth"), default=1.0
    )
    embedding: Embed = eqx.field(static=True, default=FredholmEmbedding)
    ridge: float = eqx.field(static=True, default=1e-8)
    max_shift: float | None = eqx.field(static=True, default=None)

    def flow(self, log_density: LogDensity, initial: Particles) -> MSIP:
        flow = self._flow(log_density, 0.0)
        flow.check(initial)
        return flow

    def _flow(self, log_density: LogDensity, log_normaliser: ArrayLike) -> MSIP:
        kernel = GaussianKernel(self.bandwidth)
        return MSIP(
            self.embedding(log_density),
            kernel,
            self.ridge,
            log_normaliser,
            self.max_shift,
        )

    def energy(self, log_density: LogDensity, initial: Particles) -> AbstractEnergy:
        # Scaled by the largest embedding at the start, so that it does not overflow.
        flow = self._flow(log_density, 0.0)
        log_v0, _ = flow.system.embedding(flow.system.kernel, initial.x)
        return self._flow(log_density, jnp.max(log_v0)).energy

    def finish(self, run: Run, log_density: LogDensity) -> Run:
        quadrature = self._flow(log_density, 0.0).quadrature(run.particles)
        return dataclasses.replace(run, quadrature=quadrature)


class MMDFlow(_Embedded):
    r"""Gradient flow of half the squared discrepancy, equal weights, noise injected.

    The target's normaliser is needed: it is estimated from the start, by the optimal
    weights of the initial particles. ``noise`` is a length, 0 for none; it falls
    linearly to 0 over the steps.

    Raises:
        ValueError: a number out of range.

    Reference: Arbel, Korba, Salim, Gretton, NeurIPS 2019.
    """

    step: float = eqx.field(static=True, default=0.1)
    steps: int = eqx.field(static=True, default=1000)
    bandwidth: Float[Array, "..."] = eqx.field(
        converter=real_field("bandwidth"), default=1.0
    )
    embedding: Embed = eqx.field(static=True, default=FredholmEmbedding)
    ridge: float = eqx.field(static=True, default=1e-8)
    noise: Float[Array, ""] = eqx.field(converter=real_field("noise"), default=0.0)

    def energy(self, log_density: LogDensity, initial: Particles) -> AbstractEnergy:
        return _discrepancy(self, log_density, initial)

    def flow(self, log_density: LogDensity, initial: Particles) -> AbstractFlow:
        level = Falling(self.noise, jnp.asarray(self.steps * self.step))
        return NoiseInjectionFlow(self.energy(log_density, initial), level)


class WFRMMD(_Embedded):
    r"""Wasserstein-Fisher-Rao flow of half the squared discrepancy, positive weights.

    Strengths ``alpha`` of the transport and ``beta`` of the reaction; the normaliser as
    in ``MMDFlow``.

    Raises:
        ValueError: a number out of range.

    Reference: Belhadji, Sharp, Marzouk, arXiv:2502.10600.
    """

    step: float = eqx.field(static=True, default=0.1)
    steps: int = eqx.field(static=True, default=1000)
    bandwidth: Float[Array, "..."] = eqx.field(
        converter=real_field("bandwidth"), default=1.0
    )
    embedding: Embed = eqx.field(static=True, default=FredholmEmbedding)
    ridge: float = eqx.field(static=True, default=1e-8)
    alpha: Float[Array, ""] = eqx.field(converter=real_field("alpha"), default=1.0)
    beta: Float[Array, ""] = eqx.field(converter=real_field("beta"), default=1.0)

    def energy(self, log_density: LogDensity, initial: Particles) -> AbstractEnergy:
        return _discrepancy(self, log_density, initial)

    def flow(self, log_density: LogDensity, initial: Particles) -> AbstractFlow:
        energy: Any = self.energy(log_density, initial)
        return GradientFlow(energy, HellingerKantorovich(self.alpha, self.beta))


class Falling(eqx.Module):
    """A level that falls linearly to 0 at ``end``."""

    start: Float[Array, ""]
    end: Float[Array, ""]

    def __call__(self, t: ArrayLike) -> Array:
        return self.start * jnp.maximum(1 - t / self.end, 0)


def _discrepancy(
    method: _Embedded, log_density: LogDensity, initial: Particles
) -> EmbeddedDiscrepancy:
    embedding = method.embedding(log_density)
    kernel = GaussianKernel(method.bandwidth)
    start = optimal_quadrature(initial, embedding, kernel, method.ridge)
    return EmbeddedDiscrepancy(embedding, kernel, start.log_evidence)
