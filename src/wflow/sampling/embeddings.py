r"""Kernel mean embeddings of a target: $\log v_0$ and the mean shift.

$v_0(y) = \int k(x, y)\,p(x)\,dx$ for the Gaussian kernel with bandwidth h and an
unnormalized density p; the mean shift $m(y) = \frac{\int x\,k(x, y)\,p(x)\,dx}{v_0(y)}
- y$ equals $h h^\top\nabla\log v_0(y)$.

References: Belhadji, Sharp, Marzouk, arXiv:2605.14142, and its public code (the four
estimators); Belhadji, Sharp, Marzouk, arXiv:2502.10600 (mean shift).
"""

import abc
from collections.abc import Callable
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.checks import function, instance, real_field, shape, within
from wflow.kernels import GaussianKernel
from wflow.kernels.embeddings import log_mixture_embedding
from wflow.kernels.sums import log_matvec
from wflow.measures import Gaussian, GaussianMixture, Particles
from wflow.measures.particles import refuse_period

from .density import check_density
from .rules import AbstractRule, GaussHermite


LogDensity = Callable[[Float[Array, " d"]], Float[Array, ""]]


class AbstractEmbedding(eqx.Module):
    """What a target looks like through a Gaussian kernel."""

    @abc.abstractmethod
    def __call__(
        self, kernel: GaussianKernel, y: Float[Array, "n d"]
    ) -> tuple[Float[Array, " n"], Float[Array, "n d"]]:
        r"""Log-embedding $\log v_0$ at the points, and the mean shifts."""

    @abc.abstractmethod
    def cost(self, dim: int) -> int:
        """Evaluations of the log-density, or its gradient, for each point."""

    def redrawn(self, key: PRNGKeyArray) -> Self:
        """The same embedding with other quadrature nodes, where they are random."""
        del key
        return self


def _steepest(
    kernel: GaussianKernel, log_v0: Callable[[Array], Array], y: Float[Array, "n d"]
) -> tuple[Float[Array, " n"], Float[Array, "n d"]]:
    r"""Log-embedding and $h h^\top\nabla\log v_0$, for rows that do not interact."""
    value, pull_back = jax.vjp(log_v0, y)
    (gradient,) = pull_back(jnp.ones_like(value))
    return value, _raised(kernel, gradient)


def _raised(kernel: GaussianKernel, gradient: Float[Array, "n d"]) -> Array:
    return kernel.color(kernel.color(gradient, adjoint=True))


def _log_integral(kernel: GaussianKernel, y: Float[Array, "n d"]) -> Array:
    r"""Log-integral of the kernel, $\log\int k(x, y)\,dx$, in the dtype of y."""
    d = y.shape[1]
    log_integral = kernel.log_volume(d) + d * jnp.log(2 * jnp.pi) / 2
    return log_integral.astype(y.dtype)


class ExactEmbedding(AbstractEmbedding):
    """In closed form: the target is a Gaussian, a Gaussian mixture or Particles.

    Particles of any mass are a finite sum: quantization of data.
    """

    target: Gaussian | GaussianMixture | Particles

    def __check_init__(self) -> None:
        kinds = (Gaussian, GaussianMixture, Particles)
        what = "a Gaussian, a GaussianMixture or Particles"
        instance(self, "target", self.target, kinds, what)
        refuse_period(self, self.target)

    def cost(self, dim: int) -> int:
        del dim
        return 0

    def __call__(
        self, kernel: GaussianKernel, y: Float[Array, "n d"]
    ) -> tuple[Float[Array, " n"], Float[Array, "n d"]]:
        check_points(self, kernel, y)
        match self.target:
            case Particles():
                x, w = self.target.x, self.target.w
                return _steepest(kernel, lambda y: log_matvec(kernel, y, x, w), y)
            case Gaussian():
                one = jnp.ones(1, self.target.mean.dtype)
                mixture = GaussianMixture(
                    self.target.mean[None], self.target.cov[None], one
                )
            case _:
                mixture = self.target
        return _steepest(kernel, lambda y: log_mixture_embedding(kernel, mixture, y), y)


def _check_gamma(owner: object, gamma: Array) -> None:
    shape(owner, "gamma", gamma, ())
    within(owner, "gamma", gamma, 0, 1)


def check_points(owner: object, kernel: Any, y: Any) -> None:
    """Refuse another kernel than the Gaussian, and what are no points ``(n, d)``.

    Raises:
        TypeError: the kernel is another one.
        ValueError: the points have another shape.
    """
    instance(owner, "kernel", kernel, GaussianKernel, "a GaussianKernel")
    shape(owner, "y", y, ("n", "d"))


class _Sampled(AbstractEmbedding):
    r"""An embedding by a quadrature rule that all points share.

    $v_0(y) = (2\pi)^{d/2}\,|h|\,E\,p(y + h z)$.
    """

    log_density: eqx.AbstractVar[LogDensity]
    rule: eqx.AbstractVar[AbstractRule]

    def __check_init__(self) -> None:
        function(self, "log_density", self.log_density, "one point")
        instance(self, "rule", self.rule, AbstractRule, "a quadrature rule")

    def cost(self, dim: int) -> int:
        return self.rule.nodes(dim)[1].size

    def redrawn(self, key: PRNGKeyArray) -> Self:
        return eqx.tree_at(lambda e: e.rule, self, self.rule.redrawn(key))

    def _nodes(self, kernel: GaussianKernel, y: Array) -> tuple[Array, Array, Array]:
        """Offsets h z, log-weights, and the logarithm of the kernel's integral."""
        check_points(self, kernel, y)
        check_density(self, "log_density", self.log_density, y[0])
        z, b = self.rule.nodes(y.shape[1])
        z, log_b = jnp.asarray(z, y.dtype), jnp.log(jnp.asarray(b, y.dtype))
        return kernel.color(z), log_b, _log_integral(kernel, y)

    @staticmethod
    def _average(logs: Float[Array, "n q"]) -> tuple[Array, Array]:
        """Log-sum-exp and softmax of rows; rows that see no target have shares 0."""
        total = jax.nn.logsumexp(logs, axis=1)
        seen = jnp.isfinite(total)[:, None]
        safe = jnp.where(seen, logs, 0)
        return total, jnp.where(seen, jax.nn.softmax(safe, axis=1), 0)


class GradientFreeEmbedding(_Sampled):
    r"""Embedding of a target that has a density but no gradient, by quadrature.

    $m(y) = \sum_q s_q\,h z_q$ with $s_q \propto b_q\,p(y + h z_q)$: densities only.

    One rule serves all points and steps. Nodes that differ between points or steps put
    noise into $v_0$, which the inverse kernel matrix amplifies.
    """

    log_density: LogDensity
    rule: AbstractRule = GaussHermite(3)

    def __call__(
        self, kernel: GaussianKernel, y: Float[Array, "n d"]
    ) -> tuple[Float[Array, " n"], Float[Array, "n d"]]:
        offsets, log_b, log_integral = self._nodes(kernel, y)
        points = y[:, None] + offsets
        logs = jax.vmap(jax.vmap(self.log_density))(points).astype(y.dtype)
        total, shares = self._average(log_b + logs)
        return total + log_integral, shares @ offsets


class GradientInformedEmbedding(_Sampled):
    r"""Embedding of a target by quadrature of its gradients as well as its density.

    $m(y) = \sum_q s_q [(1 - \gamma)\,h z_q
    + \gamma\,h h^\top\nabla\log p(y + h z_q)]$.

    Both parts have the same mean under exact quadrature, so ``gamma`` in [0, 1] is a
    control variate; at 1 (the default) the mean shift is the gradient of the
    quadrature's own $v_0$, and the flow descends its energy exactly.

    Raises:
        ValueError: gamma outside [0, 1].
    """

    log_density: LogDensity
    rule: AbstractRule = GaussHermite(3)
    gamma: Float[Array, ""] = eqx.field(converter=real_field("gamma"), default=1.0)

    def __check_init__(self) -> None:
        _check_gamma(self, self.gamma)

    def __call__(
        self, kernel: GaussianKernel, y: Float[Array, "n d"]
    ) -> tuple[Float[Array, " n"], Float[Array, "n d"]]:
        offsets, log_b, log_integral = self._nodes(kernel, y)
        points = y[:, None] + offsets
        logs, scores = jax.vmap(jax.vmap(jax.value_and_grad(self.log_density)))(points)
        total, shares = self._average(log_b + logs.astype(y.dtype))
        gamma = jnp.asarray(self.gamma, y.dtype)
        # A node outside the support has share 0, and a score that may be nan.
        scores = jnp.where(shares[..., None] > 0, scores, 0).astype(y.dtype)
        informed = _raised(kernel, jnp.einsum("nq,nqd->nd", shares, scores))
        shift = (1 - gamma) * (shares @ offsets) + gamma * informed
        return total + log_integral, shift


class FredholmEmbedding(AbstractEmbedding):
    r"""Cheapest embedding of a target: one gradient of its log-density for each point.

    $v_0 := p \int k$ and $m := \gamma\,h h^\top\nabla\log p$: the density itself is
    taken for the embedding, so that the nodes solve
    $\int k(x, y)\,\mu(dx) = p(y)\int k$ and quantize the *deconvolved* target: for a
    Gaussian the one with covariance $S - h h^\top$ in place of S. No such target exists
    where h exceeds the target's own width.

    Raises:
        ValueError: gamma outside [0, 1].
    """

    log_density: LogDensity
    gamma: Float[Array, ""] = eqx.field(converter=real_field("gamma"), default=1.0)

    def cost(self, dim: int) -> int:
        del dim
        return 1

    def __check_init__(self) -> None:
        function(self, "log_density", self.log_density, "one point")
        _check_gamma(self, self.gamma)

    def __call__(
        self, kernel: GaussianKernel, y: Float[Array, "n d"]
    ) -> tuple[Float[Array, " n"], Float[Array, "n d"]]:
        check_points(self, kernel, y)
        check_density(self, "log_density", self.log_density, y[0])
        logs, scores = jax.vmap(jax.value_and_grad(self.log_density))(y)
        logs, scores = logs.astype(y.dtype), scores.astype(y.dtype)
        scores = jnp.where(jnp.isfinite(logs)[:, None], scores, 0)
        shift = jnp.asarray(self.gamma, y.dtype) * _raised(kernel, scores)
        return logs + _log_integral(kernel, y), shift
