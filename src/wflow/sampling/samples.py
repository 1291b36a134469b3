"""What sampling returns: weighted points, and how good they are."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.energies import KernelSteinDiscrepancy
from wflow.kernels import AbstractKernel, median_bandwidth
from wflow.kernels import Gaussian as GaussianKernel
from wflow.measures import Particles, resampled

from .extras import bayes
from .modes import Mode, find_modes
from .quadrature import Quadrature
from .target import Target


if TYPE_CHECKING:
    import arviz


class SignedWeightsError(ValueError):
    """What was asked for needs a probability; a quadrature's weights have signs."""

    def __init__(self, what: str, method: str):
        super().__init__(
            f"{what}: the weights of {method} are those of a quadrature and may be "
            "negative, so they have no logarithm and no draws; use expect, mean and "
            "std, or sample with another method."
        )


class Samples(eqx.Module):
    """Weighted points of a target, with the course of the run that found them.

    Attributes:
        particles: in the target's unconstrained coordinates, ``(n, d)``.
        weights: sum to one; of quadratures they may be negative, ``(n,)``.
        target: what was sampled.
        history: the population at the saved times, with a leading axis.
        times: the saved times.
        energy: what the method lowers at these times, or an estimate of the
            Kullback-Leibler divergence up to the target's constant.
        evaluations: of the log-density, with or without its gradient, in all.
        method: its name.
        quadrature: of methods that are one, with condition number and evidence.
        acceptance: mean probability to accept at the end, of methods that reject.
    """

    particles: Float[Array, "n d"]
    weights: Float[Array, " n"]
    target: Target
    history: Particles
    times: Float[Array, " saves"]
    energy: Float[Array, " saves"]
    evaluations: int = eqx.field(static=True)
    method: str = eqx.field(static=True)
    quadrature: Quadrature | None = None
    acceptance: Float[Array, ""] | None = None

    @property
    def signed(self) -> bool:
        """Whether the weights are those of a quadrature."""
        return self.quadrature is not None

    @property
    def log_weights(self) -> Float[Array, " n"]:
        """Logarithms of the weights, -inf where one is 0.

        Raises:
            SignedWeightsError: the method is a quadrature.
        """
        if self.signed:
            raise SignedWeightsError("log_weights", self.method)
        return jnp.log(self.weights)

    @property
    def parameters(self) -> dict[str, Array]:
        """The target's parameters at every particle, ``(n, ...)`` each."""
        return jax.vmap(self.target.constrain)(self.particles)

    def expect(self, function: Callable[[dict[str, Array]], Array]) -> Array:
        r"""$\sum_i w_i f(\theta_i)$ for a function of one particle's parameters."""
        values = jax.vmap(lambda x: function(self.target.constrain(x)))(self.particles)
        return jnp.tensordot(self.weights, values, axes=1)

    @property
    def mean(self) -> dict[str, Array]:
        """Mean of every parameter."""
        return {
            name: jnp.tensordot(self.weights, value, axes=1)
            for name, value in self.parameters.items()
        }

    @property
    def std(self) -> dict[str, Array]:
        """Standard deviation of every parameter; nan where signed weights find none."""
        mean = self.mean
        return {
            name: jnp.sqrt(
                jnp.tensordot(self.weights, (value - mean[name]) ** 2, axes=1)
            )
            for name, value in self.parameters.items()
        }

    @property
    def ess(self) -> Float[Array, ""]:
        r"""$1/\sum_i w_i^2$: how many equal weights vary as much."""
        return 1 / jnp.sum(self.weights**2)

    def ksd(self, kernel: AbstractKernel | ArrayLike | None = None) -> Float[Array, ""]:
        """Kernel Stein discrepancy: how far off, without a reference.

        ``kernel`` is a kernel (twice differentiable) or the bandwidth of a Gaussian, by
        default the median rule at the particles. It sees no missing mode far away.
        """
        if kernel is None:
            kernel = median_bandwidth(self.particles)
        if not isinstance(kernel, AbstractKernel):
            kernel = GaussianKernel(kernel)
        nothing = jnp.full_like(self.weights, -jnp.inf)
        measure = Particles(self.particles, nothing, self.weights)
        return _ksd(KernelSteinDiscrepancy(kernel, self.target.log_density), measure)

    def modes(self, radius: float | None = None) -> list[Mode]:
        """The modes that the particles climb to, with the weight that does, in order.

        See ``find_modes``.
        """
        return find_modes(
            self.target.log_density, self.particles, self.weights, radius=radius
        )

    def draws(self, key: PRNGKeyArray) -> Float[Array, "n d"]:
        """As many particles of equal weight, by systematic resampling.

        Raises:
            SignedWeightsError: the method is a quadrature.
        """
        mu = Particles(self.particles, self.log_weights)
        return resampled(key, mu).x

    def to_arviz(self, key: PRNGKeyArray | None = None) -> "arviz.InferenceData":
        """For ArviZ: one chain of draws with their log-densities.

        Weights that are not equal are resampled, with ``key`` (by default that of 0).

        Raises:
            SignedWeightsError: the method is a quadrature.
            ModuleNotFoundError: ArviZ is not installed (the extra ``bayes``).
        """
        if self.signed:
            raise SignedWeightsError("to_arviz", self.method)
        arviz = bayes("arviz", "to_arviz")
        x = self.particles
        if not bool(jnp.allclose(self.weights, 1 / len(x))):
            x = self.draws(jax.random.key(0) if key is None else key)
        found = jax.vmap(self.target.constrain)(x)
        logs = jax.vmap(self.target.log_density)(x)
        return arviz.from_dict(
            posterior={name: np.asarray(value)[None] for name, value in found.items()},
            sample_stats={"lp": np.asarray(logs)[None]},
            attrs={"inference_library": "wflow", "method": self.method},
        )

    def summary(self) -> dict[str, tuple[float, float]]:
        """Mean and standard deviation of every number, by its label."""
        values = jax.vmap(self.target.scalars)(self.particles)
        mean = self.weights @ values
        std = jnp.sqrt(self.weights @ (values - mean) ** 2)
        labels = self.target.labels(self.particles[0])
        pairs = zip(mean.tolist(), std.tolist(), strict=True)
        return dict(zip(labels, pairs, strict=True))


@eqx.filter_jit
def _ksd(energy: KernelSteinDiscrepancy, measure: Particles) -> Array:
    return jnp.sqrt(jnp.maximum(2 * energy.value(measure), 0))
