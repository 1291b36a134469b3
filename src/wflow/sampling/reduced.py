"""The discrepancy of nodes whose weights are at their optimum, and its metric."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PyTree

from wflow.checks import (
    finite,
    instance,
    known,
    non_negative,
    positive,
    real_field,
    shape,
    to_real,
)
from wflow.energies import AbstractEnergy
from wflow.geometries import AbstractGeometry
from wflow.kernels import GaussianKernel, gram
from wflow.measures import Particles, UnsupportedMeasureError
from wflow.measures.particles import refuse_period
from wflow.parameters import Learnable

from .embeddings import AbstractEmbedding


def nodes_of(owner: object, mu: Any) -> Float[Array, "n d"]:
    """Positions of particles; their weights are not used."""
    if not isinstance(mu, Particles):
        raise UnsupportedMeasureError(owner, mu, "Particles")
    refuse_period(owner, mu)
    return mu.x


def check_kernel(owner: object, name: str, kernel: Any) -> None:
    """Refuse another kernel than the Gaussian, and a bandwidth out of range.

    Raises:
        TypeError: the kernel is another one.
        ValueError: its bandwidth is not positive, or no invertible matrix.
    """
    instance(owner, name, kernel, GaussianKernel, "a GaussianKernel")
    check_bandwidth(owner, f"{name}.bandwidth", kernel.bandwidth)


def check_bandwidth(owner: object, name: str, h: Any) -> None:
    """Refuse a bandwidth that is not positive, or no invertible matrix.

    Raises:
        ValueError: it is one of these.
    """
    # By numpy: known numbers stay known while a caller is being traced.
    found = known(h)
    if found is None or found.ndim < 2:
        positive(owner, name, h)
        return
    shape(owner, name, h, ("d", "d"))
    finite(owner, name, h)
    if np.linalg.slogdet(found)[0] == 0:
        who = owner if isinstance(owner, str) else type(owner).__name__
        raise ValueError(
            f"{who}: expected {name} > 0 or an invertible matrix, "
            f"found one of rank {np.linalg.matrix_rank(found)}."
        )


class KernelSystem(eqx.Module):
    r"""The equations for the weights of nodes that represent a target best.

    $(K + \lambda I)\,\omega = v_0$; the weights are not normalized. They minimize the
    squared discrepancy of $\sum_i \omega_i\delta_{y_i}$ from the target plus
    $\lambda|\omega|^2$. A ridge $\lambda$ that is given as 0 means the pseudo-inverse.

    Raises:
        TypeError: the kernel is not ``GaussianKernel``, or there is no embedding.
        ValueError: a bandwidth that is not positive (as a matrix: not invertible), or a
            negative ridge.
    """

    embedding: AbstractEmbedding
    kernel: GaussianKernel
    ridge: Float[Array, ""]
    pseudo_inverse: bool = eqx.field(static=True)

    def __init__(
        self,
        embedding: AbstractEmbedding,
        kernel: GaussianKernel,
        ridge: ArrayLike | Learnable = 1e-8,
    ):
        """Make the system of an embedding."""
        instance(self, "embedding", embedding, AbstractEmbedding, "an embedding")
        check_kernel(self, "kernel", kernel)
        ridge = to_real(ridge, "ridge")
        shape(self, "ridge", ridge, ())
        non_negative(self, "ridge", ridge)
        self.embedding = embedding
        self.kernel = kernel
        self.ridge = ridge
        given = None if isinstance(ridge, Learnable) else known(ridge)
        self.pseudo_inverse = given is not None and bool(given == 0)

    def matrix(self, y: Float[Array, "n d"]) -> Float[Array, "n n"]:
        r"""The kernel matrix with its ridge, $K + \lambda I$."""
        ridge = jnp.asarray(self.ridge, y.dtype)
        return gram(self.kernel, y) + ridge * jnp.eye(len(y), dtype=y.dtype)

    def solve(self, matrix: Float[Array, "n n"], b: Float[Array, "n ..."]) -> Array:
        r"""Solution $(K + \lambda I)^{-1} b$ for a right-hand side b."""
        if self.pseudo_inverse:
            return jnp.linalg.pinv(matrix, hermitian=True) @ b
        return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(matrix), b)

    def inverse(self, matrix: Float[Array, "n n"]) -> Float[Array, "n n"]:
        r"""The inverse $(K + \lambda I)^{-1}$."""
        n = len(matrix)
        eye = jnp.eye(n, dtype=matrix.dtype)
        if self.pseudo_inverse:
            return self.solve(matrix, eye)
        # A few columns at a time: for more the linear algebra below starts threads,
        # which on few cores wait for each other far longer than they work.
        root = jnp.linalg.cholesky(matrix)
        half = jax.lax.map(
            lambda b: jax.scipy.linalg.solve_triangular(root, b, lower=True),
            eye,
            batch_size=max(1000 // n, 16),
        )
        return half @ half.T

    def omega(
        self, y: Float[Array, "n d"]
    ) -> tuple[Float[Array, " n"], Float[Array, ""]]:
        r"""Weights $e^{-c}\,\omega$ and the constant c against overflow."""
        log_v0, _ = self.embedding(self.kernel, y)
        top = jax.lax.stop_gradient(jnp.max(log_v0))
        return self.solve(self.matrix(y), jnp.exp(log_v0 - top)), top

    def displacement(self, y: Float[Array, "n d"]) -> Float[Array, "n d"]:
        r"""The mean shift of every node.

        $T(y) - y$ with $T(y)_i = \frac{\sum_j (K^{-1})_{ij} v_0(y_j)(y_j + m(y_j))}
        {\sum_j (K^{-1})_{ij} v_0(y_j)}$, the ridge in K.

        Each row is a signed log-sum-exp of its own: particles far from all mass move
        as they should, where a common shift would give 0/0.
        """
        log_v0, shift = self.embedding(self.kernel, y)
        inverse = self.inverse(self.matrix(y))
        there = inverse != 0
        logs = jnp.log(jnp.abs(jnp.where(there, inverse, 1))) + log_v0
        logs = jnp.where(there, logs, -jnp.inf)
        top = jax.lax.stop_gradient(jnp.max(logs, axis=1, keepdims=True))
        # Differentiable where an entry is 0 or its particle sees nothing.
        there = there & jnp.isfinite(log_v0)
        a = jnp.sign(inverse) * jnp.where(
            there, jnp.exp(jnp.where(there, logs - top, 0)), 0
        )
        # About the mean: far from the origin little cancels.
        center = jnp.mean(y, axis=0)
        target = y - center + shift
        return a @ target / jnp.sum(a, axis=1)[:, None] - (y - center)


class ReducedDiscrepancy(AbstractEnergy):
    r"""How far nodes are from a target when they carry their optimal weights.

    $E(Y) = -\frac{1}{2Z^2}\,v_0(Y)^\top (K + \lambda I)^{-1} v_0(Y)$.

    Half the squared discrepancy to the target of the optimally weighted nodes, less its
    constant $\frac12\iint k\,d\pi\,d\pi$: the particles' own weights do not count.
    ``log_normalizer`` is $\log Z$; another number scales the energy and nothing else.

    Reference: Belhadji, Sharp, Marzouk, arXiv:2605.14142.
    """

    system: KernelSystem
    log_normalizer: Float[Array, ""] = eqx.field(
        converter=real_field("log_normalizer"), default=0.0
    )

    def __check_init__(self) -> None:
        instance(self, "system", self.system, KernelSystem, "a KernelSystem")
        shape(self, "log_normalizer", self.log_normalizer, ())
        finite(self, "log_normalizer", self.log_normalizer)

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        y = nodes_of(self, mu)
        log_v0, _ = self.system.embedding(self.system.kernel, y)
        top = jax.lax.stop_gradient(jnp.max(log_v0))
        v0 = jnp.exp(log_v0 - top)
        square = v0 @ self.system.solve(self.system.matrix(y), v0)
        log_z = jnp.asarray(self.log_normalizer, y.dtype)
        return -square * jnp.exp(2 * (top - log_z)) / 2


class MeanShiftGeometry(AbstractGeometry):
    r"""The geometry in which mean-shift particles follow a gradient flow.

    $\dot Y = -(W (K + \lambda I) W)^{-1}\,dE\,h h^\top$, $W =
    \mathrm{diag}(\omega)/Z$.

    The metric of the particles' positions in which the mean-shift flow is the gradient
    flow of ``ReducedDiscrepancy``; with one length h it is $W K W / h^2$.
    """

    system: KernelSystem
    log_normalizer: Float[Array, ""] = eqx.field(
        converter=real_field("log_normalizer"), default=0.0
    )

    def __check_init__(self) -> None:
        instance(self, "system", self.system, KernelSystem, "a KernelSystem")
        shape(self, "log_normalizer", self.log_normalizer, ())
        finite(self, "log_normalizer", self.log_normalizer)

    def _raise(self, mu: Any, differential: Any) -> Float[Array, "n d"]:
        y, system = nodes_of(self, mu), self.system
        omega, top = system.omega(y)
        omega = omega * jnp.exp(top - jnp.asarray(self.log_normalizer, y.dtype))
        covectors = self.explicit(differential).x / omega[:, None]
        rows = system.solve(system.matrix(y), covectors) / omega[:, None]
        return system.kernel.color(system.kernel.color(rows, adjoint=True))

    def velocity(self, mu: Any, differential: Any) -> PyTree[Array]:
        return -self._raise(mu, differential), jnp.zeros_like(mu.logw)

    def dissipation(self, mu: Any, differential: Any) -> Float[Array, ""]:
        return jnp.sum(differential.x * self._raise(mu, differential))
