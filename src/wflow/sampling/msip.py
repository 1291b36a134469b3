"""Mean-shift interacting particles: as a flow, a damped iteration, a fixed point."""

import warnings
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PyTree

from wflow.checks import (
    finite,
    known,
    positive,
    shape,
    to_real,
)
from wflow.flows import AbstractDissipativeFlow
from wflow.kernels import GaussianKernel
from wflow.measures import Particles
from wflow.parameters import Learnable
from wflow.parameters.learnable import unwrap

from .embeddings import AbstractEmbedding
from .quadrature import Quadrature, quadrature_of
from .reduced import (
    KernelSystem,
    MeanShiftGeometry,
    ReducedDiscrepancy,
    nodes_of,
)


# In float32 a smaller ridge drowns in the rounding of the kernel matrix.
_RIDGE_FLOAT32 = 1e-6


class MSIP(AbstractDissipativeFlow):
    r"""Mean-shift interacting particles: nodes that spread out into a quadrature rule.

    $\dot Y = T(Y) - Y$ with $T(Y)_i = \frac{\sum_j (K^{-1})_{ij} v_0(y_j) (y_j +
    m(y_j))}{\sum_j (K^{-1})_{ij} v_0(y_j)}$ on Particles.

    The gradient flow of ``energy`` (a ``ReducedDiscrepancy``) in ``geometry`` (a
    ``MeanShiftGeometry``), in a form that does not underflow; exactly so where the
    embedding's mean shift is a gradient: exact, or gradient-informed or Fredholm with
    gamma = 1. The particles' weights stand still and do not count: ``quadrature`` gives
    the optimal ones. A constant in the log-density changes no motion.

    Explicit Euler with step h, ``solve(..., solver=diffrax.Euler(), dt0=h)``, is the
    damped iteration. Wide kernels make the flow stiff: ``diffrax.Kvaerno5()``.

    Args:
        embedding: of the target, such as ``GradientFreeEmbedding(log_density)``.
        kernel: ``GaussianKernel``; a matrix for a bandwidth makes it anisotropic.
        ridge: added to the diagonal of the kernel matrix; 0 is the pseudo-inverse.
        log_normalizer: scales the recorded energy, so that it does not overflow where
            log-densities are far from 0 (``Quadrature.log_evidence`` is an estimate).
        max_shift: a longer $T(Y)_i - y_i$ is shortened to it. A node whose weight
            passes through zero would else leap far away.

    Raises:
        TypeError: the kernel is not ``GaussianKernel``.
        ValueError: a bandwidth or ``max_shift`` that is not positive, or a negative
            ridge.

    Reference: Belhadji, Sharp, Marzouk, arXiv:2605.14142.
    """

    system: KernelSystem
    log_normalizer: Float[Array, ""]
    max_shift: Float[Array, ""] | None

    def __init__(
        self,
        embedding: AbstractEmbedding,
        kernel: GaussianKernel,
        ridge: ArrayLike | Learnable = 1e-8,
        log_normalizer: ArrayLike = 0.0,
        max_shift: ArrayLike | None = None,
    ):
        """Make the flow to the target of an embedding."""
        self.system = KernelSystem(embedding, kernel, ridge)
        self.log_normalizer = to_real(log_normalizer, "log_normalizer")
        self.max_shift = None if max_shift is None else to_real(max_shift, "max_shift")

    def __check_init__(self) -> None:
        shape(self, "log_normalizer", self.log_normalizer, ())
        finite(self, "log_normalizer", self.log_normalizer)
        if self.max_shift is not None:
            shape(self, "max_shift", self.max_shift, ())
            positive(self, "max_shift", self.max_shift, infinite=True)

    @property
    def energy(self) -> ReducedDiscrepancy:
        """The energy that the flow lowers."""
        return ReducedDiscrepancy(self.system, self.log_normalizer)

    @property
    def geometry(self) -> MeanShiftGeometry:
        """The metric in which the flow is its gradient flow."""
        return MeanShiftGeometry(self.system, self.log_normalizer)

    def velocity(self, mu: Any, t: ArrayLike = 0.0) -> PyTree[Array]:
        del t
        y = nodes_of(self, mu)
        return self.displacement(y), jnp.zeros_like(mu.logw)

    def displacement(self, y: Float[Array, "n d"]) -> Float[Array, "n d"]:
        """The mean shifts $T(Y) - Y$, none longer than ``max_shift``."""
        shift = self.system.displacement(y)
        if self.max_shift is None:
            return shift
        longest = jnp.asarray(self.max_shift, y.dtype)
        squares = jnp.sum(shift**2, axis=1, keepdims=True)
        # The root only where it is taken: at rest it has no slope.
        long = squares > longest**2
        return shift * jnp.where(
            long, longest / jnp.sqrt(jnp.where(long, squares, 1)), 1
        )

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return self.energy.value(mu, t)

    def dissipation(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        velocity, _ = self.velocity(mu, t)
        return -jnp.sum(self.energy.differential(mu, t).x * velocity)

    def residual(self, mu: Particles) -> Float[Array, ""]:
        r"""The largest displacement $\max_i |T(Y)_i - y_i|$, zero at rest."""
        return largest(self.velocity(mu)[0])

    def quadrature(self, mu: Particles) -> Quadrature:
        """The particles with their optimal weights; see ``optimal_quadrature``."""
        return quadrature_of(self.system, mu)

    def check(self, mu: Any) -> None:
        """Refuse a start that cannot move as it should. Nothing is done under ``jit``.

        Raises:
            ValueError: a particle or its embedding is not finite (the first is named),
                no particle sees the target, or particles coincide without a ridge.

        Warns:
            UserWarning: particles coincide, or the ridge is too small for float32.
        """
        y = nodes_of(self, mu)
        system = unwrap(self.system)
        points, ridge = known(y), known(system.ridge)
        if points is None or ridge is None:
            return
        whole = np.isfinite(points).all(axis=1)
        if not whole.all():
            raise ValueError(f"MSIP: particle {np.argmin(whole)} is not finite.")
        embedded = _embed(system, y)
        log_v0, shift = (known(part) for part in embedded)
        if log_v0 is None or shift is None:
            return
        if np.isneginf(log_v0).all():
            raise ValueError(
                "MSIP: no particle sees the target: its log-density is -inf around "
                "every one."
            )
        whole = np.isfinite(log_v0) & np.isfinite(shift).all(axis=1)
        if not whole.all():
            i = int(np.argmin(whole))
            raise ValueError(
                "MSIP: the log-density or its gradient is not finite around particle "
                f"{i} at {points[i].tolist()}."
            )
        pair = _coinciding(points)
        if pair is not None:
            told = f"MSIP: particles {pair[0]} and {pair[1]} coincide"
            if system.pseudo_inverse:
                raise ValueError(
                    f"{told} and the ridge is 0; move them apart, or give a ridge."
                )
            warnings.warn(f"{told}; they will move as one.", stacklevel=3)
        if y.dtype == jnp.float32 and 0 < float(ridge) < _RIDGE_FLOAT32:
            warnings.warn(
                f"MSIP: ridge {float(ridge):.1g} is below the rounding of a "
                "float32 kernel matrix; take 1e-4 or float64.",
                stacklevel=3,
            )


def _coinciding(points: np.ndarray) -> tuple[int, int] | None:
    """Indices of two equal points, the first that there are."""
    _, first, own = np.unique(points, axis=0, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[own.ravel()] != np.arange(len(points)))
    if not again.size:
        return None
    return int(first[own.ravel()[again[0]]]), int(again[0])


@eqx.filter_jit
def _embed(system: KernelSystem, y: Array) -> tuple[Array, Array]:
    return system.embedding(system.kernel, y)


def largest(displacement: Float[Array, "n d"]) -> Float[Array, ""]:
    """The longest of the displacements."""
    return jnp.sqrt(jnp.max(jnp.sum(displacement**2, axis=1)))
