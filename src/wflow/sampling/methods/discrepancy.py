"""Flows of the discrepancy to the target's mean embedding."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import (
    function,
    instance,
    known,
    non_negative,
    positive,
    real_field,
    shape,
)
from wflow.energies import AbstractEnergy
from wflow.flows import GradientFlow, NoiseInjectionFlow
from wflow.flows.base import AbstractFlow
from wflow.geometries import HellingerKantorovich
from wflow.kernels import GaussianKernel
from wflow.measures import Particles
from wflow.sampling.discrepancy import EmbeddedDiscrepancy
from wflow.sampling.embeddings import AbstractEmbedding, FredholmEmbedding
from wflow.sampling.msip import MSIP
from wflow.sampling.quadrature import optimal_quadrature
from wflow.sampling.reduced import check_bandwidth

from .base import AbstractFlowMethod, LogDensity, MethodState, Run, check_strengths


# The target's embedding, or what makes one of a log-density.
Embed = AbstractEmbedding | Callable[[LogDensity], AbstractEmbedding]


class _Embedded(AbstractFlowMethod):
    """What the methods share: a kernel, an embedding, a ridge for optimal weights."""

    bandwidth: eqx.AbstractVar[Float[Array, "..."]]
    embedding: eqx.AbstractVar[Embed]
    ridge: eqx.AbstractVar[float]

    def __check_init__(self) -> None:
        check_bandwidth(self, "bandwidth", self.bandwidth)
        # A class that makes one is as good as a function.
        if not callable(self.embedding):
            function(self, "embedding", self.embedding, "the log-density")
        shape(self, "ridge", self.ridge, ())
        non_negative(self, "ridge", self.ridge)

    def embedded(self, log_density: LogDensity) -> AbstractEmbedding:
        """The target's embedding.

        Raises:
            TypeError: what should make one does not.
        """
        if isinstance(self.embedding, AbstractEmbedding):
            return self.embedding
        found = self.embedding(log_density)
        instance(self, "embedding", found, AbstractEmbedding, "to make an embedding")
        return found

    def cost(self, log_density: LogDensity, dim: int) -> int:
        return self.embedded(log_density).cost(dim)


class MeanShift(_Embedded):
    r"""Mean-shift interacting particles: few nodes with optimal weights, a quadrature.

    $Y \leftarrow (1 - h)\,Y + h\,T(Y)$; the weights may be negative.

    Attributes:
        step_size: h, the damping; wide kernels need 2/n or so.
        steps: their number.
        bandwidth: of the Gaussian kernel, a number, ``(d,)`` or ``(d, d)``.
        embedding: makes the embedding of a log-density, such as ``FredholmEmbedding``
            (a gradient each particle and step) or ``GradientFreeEmbedding``; or is it,
            such as ``ExactEmbedding(mixture)``.
        ridge: added to the diagonal of the kernel matrix.
        max_shift: as in ``MSIP``.

    Raises:
        ValueError: a number out of range, or a start that ``MSIP.check`` refuses.

    Reference: Belhadji, Sharp, Marzouk, arXiv:2605.14142.
    """

    step_size: float = eqx.field(static=True, default=0.1)
    steps: int = eqx.field(static=True, default=500)
    bandwidth: Float[Array, "..."] = eqx.field(
        converter=real_field("bandwidth"), default=1.0
    )
    embedding: Embed = FredholmEmbedding
    ridge: float = eqx.field(static=True, default=1e-8)
    max_shift: float | None = eqx.field(static=True, default=None)

    def __check_init__(self) -> None:
        if self.max_shift is not None:
            shape(self, "max_shift", self.max_shift, ())
            positive(self, "max_shift", self.max_shift, infinite=True)

    def flow(self, log_density: LogDensity, initial: Particles) -> MSIP:
        del initial
        return self._flow(log_density, 0.0)

    def _flow(self, log_density: LogDensity, log_normalizer: ArrayLike) -> MSIP:
        kernel = GaussianKernel(self.bandwidth)
        return MSIP(
            self.embedded(log_density),
            kernel,
            self.ridge,
            log_normalizer,
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
    """Equally weighted particles that lower the maximum mean discrepancy to a target.

    The gradient flow of half its square, with noise injected. The target's normalizer
    is needed: it is estimated from the start, by the optimal weights of the initial
    particles. ``noise`` is a length, 0 for none; it falls linearly to 0 over the steps.

    Raises:
        ValueError: a number out of range.

    Reference: Arbel, Korba, Salim, Gretton, NeurIPS 2019.
    """

    step_size: float = eqx.field(static=True, default=0.1)
    steps: int = eqx.field(static=True, default=1000)
    bandwidth: Float[Array, "..."] = eqx.field(
        converter=real_field("bandwidth"), default=1.0
    )
    embedding: Embed = FredholmEmbedding
    ridge: float = eqx.field(static=True, default=1e-8)
    noise: Float[Array, ""] = eqx.field(converter=real_field("noise"), default=0.0)

    def __check_init__(self) -> None:
        shape(self, "noise", self.noise, ())
        non_negative(self, "noise", self.noise)

    def energy(self, log_density: LogDensity, initial: Particles) -> AbstractEnergy:
        return _discrepancy(self, log_density, initial)

    def flow(self, log_density: LogDensity, initial: Particles) -> NoiseInjectionFlow:
        level = Falling(self.noise, jnp.asarray(self.steps * self.step_size))
        return NoiseInjectionFlow(self.energy(log_density, initial), level)

    def step(self, state: MethodState, key: PRNGKeyArray) -> MethodState:
        # One step begins at time 0, where the level would be that of the first.
        level = state.motion.level(state.taken * self.step_size)
        now = NoiseInjectionFlow(state.motion.energy, level)
        one = dataclasses.replace(state, motion=now)
        return state.moved(super().step(one, key).particles)


class WFRMMD(_Embedded):
    """Weighted particles that lower the discrepancy by moving and by changing weight.

    The Wasserstein-Fisher-Rao flow of half its square, with positive weights. Strengths
    ``alpha`` of the transport and ``beta`` of the reaction; the normalizer as in
    ``MMDFlow``.

    Raises:
        ValueError: a number out of range.

    Reference: Belhadji, Sharp, Marzouk, arXiv:2502.10600.
    """

    step_size: float = eqx.field(static=True, default=0.1)
    steps: int = eqx.field(static=True, default=1000)
    bandwidth: Float[Array, "..."] = eqx.field(
        converter=real_field("bandwidth"), default=1.0
    )
    embedding: Embed = FredholmEmbedding
    ridge: float = eqx.field(static=True, default=1e-8)
    alpha: Float[Array, ""] = eqx.field(converter=real_field("alpha"), default=1.0)
    beta: Float[Array, ""] = eqx.field(converter=real_field("beta"), default=1.0)

    def __check_init__(self) -> None:
        check_strengths(self, self.alpha, self.beta)

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
    embedding = method.embedded(log_density)
    kernel = GaussianKernel(method.bandwidth)
    start = optimal_quadrature(initial, embedding, kernel, method.ridge)
    log_z = known(start.log_evidence)
    if log_z is not None and not np.isfinite(log_z):
        raise ValueError(
            f"{method.name}: no estimate of the target's normalizer from the initial "
            f"particles (their optimal weights sum to {log_z:.3g} in logarithm); start "
            "more of them near the target, or take a shorter bandwidth or more ridge."
        )
    return EmbeddedDiscrepancy(embedding, kernel, start.log_evidence)
