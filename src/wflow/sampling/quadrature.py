"""Nodes with signed weights: what they integrate, and how well."""

import warnings
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import finite, known, shape, to_real
from wflow.checks import function as check_function
from wflow.energies import MMD, KernelSteinDiscrepancy
from wflow.kernels import AbstractKernel, GaussianKernel
from wflow.measures import Gaussian, GaussianMixture, Particles

from .density import check_density
from .embeddings import AbstractEmbedding
from .reduced import KernelSystem, check_bandwidth, nodes_of


# Weights beyond this, or a sum that cancels to below it, are warned of.
_LARGE = 100.0


class Quadrature(eqx.Module):
    r"""Nodes and weights whose sums stand for integrals under the target.

    $\sum_i w_i\,\delta_{y_i}$ with $\sum_i w_i = 1$; weights may be negative.

    ``condition`` is that of the kernel matrix, ridge included, and ``log_evidence`` is
    $\log\sum_i\omega_i$, an estimate of the logarithm of the target's normalizer (nan
    where the sum is negative).
    """

    nodes: Float[Array, "n d"]
    weights: Float[Array, " n"]
    condition: Float[Array, ""]
    log_evidence: Float[Array, ""]

    def expect(self, function: Callable[[Array], Array]) -> Array:
        r"""The integral $\sum_i w_i f(y_i)$ of a function of one point."""
        check_function(self, "function", function, "one point")
        return jnp.tensordot(self.weights, jax.vmap(function)(self.nodes), axes=1)

    @property
    def mean(self) -> Float[Array, " d"]:
        """Mean of the target."""
        return self.weights @ self.nodes

    @property
    def cov(self) -> Float[Array, "d d"]:
        """Covariance of the target; weights of both signs may make it indefinite."""
        centered = self.nodes - self.mean
        return (self.weights[:, None] * centered).T @ centered

    @property
    def ess(self) -> Float[Array, ""]:
        r"""The number of equal weights that vary as much, $1/\sum_i w_i^2$."""
        return 1 / jnp.sum(self.weights**2)

    @property
    def max_abs_weight(self) -> Float[Array, ""]:
        """The largest weight, whatever its sign."""
        return jnp.max(jnp.abs(self.weights))

    def _measure(self) -> Particles:
        nothing = jnp.full_like(self.weights, -jnp.inf)
        return Particles(self.nodes, nothing, signed=self.weights)

    def mmd2(
        self,
        target: Particles | Gaussian | GaussianMixture | Float[Array, "m d"],
        kernel: AbstractKernel | ArrayLike,
    ) -> Float[Array, ""]:
        """Squared discrepancy from a target: a law, or samples ``(m, d)`` of it.

        ``kernel`` is a kernel or the bandwidth of a Gaussian one.
        """
        dim = self.nodes.shape[1]
        if not isinstance(target, Particles | Gaussian | GaussianMixture):
            target = to_real(target, "target")
            shape("mmd2", "target", target, ("m", dim))
            target = Particles.from_samples(target)
        return 2 * MMD(kernel_of("mmd2", kernel, dim), target).value(self._measure())

    def ksd(
        self,
        log_density: Callable[[Array], Array],
        kernel: AbstractKernel | ArrayLike = 1.0,
    ) -> Float[Array, ""]:
        """Kernel Stein discrepancy: how far off, without a reference.

        ``kernel`` is a kernel (twice differentiable) or the bandwidth of a Gaussian.
        """
        check_density("ksd", "log_density", log_density, self.nodes[0])
        kernel = kernel_of("ksd", kernel, self.nodes.shape[1])
        energy = KernelSteinDiscrepancy(kernel, log_density)
        return jnp.sqrt(jnp.maximum(2 * energy.value(self._measure()), 0))


def kernel_of(
    owner: str, kernel: AbstractKernel | ArrayLike, dim: int
) -> AbstractKernel:
    """A kernel, or the Gaussian one of a bandwidth.

    Raises:
        ValueError: a bandwidth that is not positive or does not fit the dimension.
        TypeError: it is neither.
    """
    if isinstance(kernel, AbstractKernel):
        return kernel
    h = to_real(kernel, "kernel")
    if h.shape not in ((), (dim,), (dim, dim)):
        raise ValueError(
            f"{owner}: expected kernel, a kernel or a bandwidth for {dim} dimensions, "
            f"found shape {h.shape}."
        )
    check_bandwidth(owner, "kernel", h)
    return GaussianKernel(h)


def optimal_quadrature(
    nodes: Particles | Float[ArrayLike, "n d"],
    embedding: AbstractEmbedding,
    kernel: GaussianKernel,
    ridge: ArrayLike = 1e-8,
) -> Quadrature:
    r"""The weights $K^{-1}v_0$ of any nodes, normalized: of any sampler's draws.

    Where the log-density is nan at a node, all weights are, and a warning names it.

    Warns:
        UserWarning: weights beyond 100 in size or a sum that cancels: the kernel is too
            wide for the nodes. (Not under ``jit``.)

    Raises:
        ValueError: a bandwidth that is not positive, a negative ridge, or nodes that
            are not ``(n, d)`` or not finite.
        TypeError: an argument of the wrong type.

    Reference: Belhadji, Sharp, Marzouk, arXiv:2502.10600.
    """
    system = KernelSystem(embedding, kernel, ridge)
    if not isinstance(nodes, Particles):
        nodes = to_real(nodes, "nodes")
        shape("optimal_quadrature", "nodes", nodes, ("n", "d"))
        if nodes.size == 0:
            raise ValueError(
                f"optimal_quadrature: expected nodes, found shape {nodes.shape}."
            )
    mu = nodes if isinstance(nodes, Particles) else Particles.from_samples(nodes)
    finite("optimal_quadrature", "nodes", mu.x)
    return quadrature_of(system, mu)


def quadrature_of(system: KernelSystem, mu: Any) -> Quadrature:
    """The nodes ``mu`` with the optimal weights of a kernel system."""
    y = nodes_of(system, mu)
    quadrature, canceled, broken = _assemble(system, y)
    at = known(broken)
    if at is not None and at.any():
        i = int(np.argmax(at))
        warnings.warn(
            f"the log-density is nan around node {i} at {np.asarray(y)[i].tolist()}: "
            "all weights are nan.",
            stacklevel=3,
        )
    elif at is not None and not (
        canceled > 1 / _LARGE and quadrature.max_abs_weight <= _LARGE
    ):
        warnings.warn(
            f"the largest weight is {float(quadrature.max_abs_weight):.3g}, and the "
            f"sum of weights is {float(canceled):.3g} of the sum of their sizes: the "
            "kernel is too wide for these nodes (condition number "
            f"{float(quadrature.condition):.3g}). Take a shorter bandwidth, a larger "
            "ridge or other nodes.",
            stacklevel=3,
        )
    return quadrature


@eqx.filter_jit
def _assemble(system: KernelSystem, y: Array) -> tuple[Quadrature, Array, Array]:
    """The quadrature, how far its weights cancel, and where the target is nan."""
    omega, top = system.omega(y)
    total = jnp.sum(omega)
    canceled = total / jnp.sum(jnp.abs(omega))
    spectrum = jnp.linalg.eigvalsh(system.matrix(y))
    condition = spectrum[-1] / jnp.maximum(
        spectrum[0], jnp.finfo(y.dtype).eps * spectrum[-1]
    )
    quadrature = Quadrature(y, omega / total, condition, top + jnp.log(total))
    broken = jnp.isnan(system.embedding(system.kernel, y)[0])
    return quadrature, canceled, broken
