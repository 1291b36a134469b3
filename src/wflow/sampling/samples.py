"""What sampling returns: weighted points, and how good they are."""

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import function as check_function
from wflow.checks import random_key
from wflow.energies import KernelSteinDiscrepancy
from wflow.kernels import AbstractKernel, median_bandwidth
from wflow.measures import Particles
from wflow.measures.resampling import resampled

from .extras import bayes
from .modes import Mode, find_modes
from .quadrature import Quadrature, kernel_of
from .target import Target


if TYPE_CHECKING:
    import arviz


# Particles from which a bandwidth can be read.
_FEWEST = 2


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
        chains: how many Markov chains the particles are, taking turns; None where they
            interact, and are none.
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
    chains: int | None = eqx.field(static=True, default=None)

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
        r"""Mean $\sum_i w_i f(\theta_i)$ of a function of one particle's parameters.

        Raises:
            TypeError: it is no function.
        """
        check_function("expect", "function", function, "the parameters")
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
        r"""Effective sample size: equal weights that vary as much, $1/\sum_i w_i^2$."""
        return 1 / jnp.sum(self.weights**2)

    def ksd(self, kernel: AbstractKernel | ArrayLike | None = None) -> Float[Array, ""]:
        """Kernel Stein discrepancy: how far off, without a reference.

        ``kernel`` is a kernel (twice differentiable) or the bandwidth of a Gaussian, by
        default the median rule at the particles. It sees no missing mode far away.

        Raises:
            ValueError: a bandwidth that is not positive, or fewer than two particles to
                take one from.
        """
        if kernel is None and len(self.particles) < _FEWEST:
            raise ValueError(
                "ksd: expected at least 2 particles where kernel is not given, found "
                f"{len(self.particles)}."
            )
        if kernel is None:
            kernel = median_bandwidth(self.particles)
        kernel = kernel_of("ksd", kernel, self.particles.shape[1])
        nothing = jnp.full_like(self.weights, -jnp.inf)
        measure = Particles(self.particles, nothing, signed=self.weights)
        return _ksd(KernelSteinDiscrepancy(kernel, self.target.log_density), measure)

    def modes(self, radius: float | None = None) -> list[Mode]:
        """The modes that the particles climb to, with the weight that does, in order.

        Of the density with respect to its parameters, and by their names; see
        ``find_modes``.
        """
        return find_modes(self.target, self.particles, self.weights, radius=radius)

    def draws(self, key: PRNGKeyArray) -> Float[Array, "n d"]:
        """As many particles of equal weight, by systematic resampling.

        Raises:
            SignedWeightsError: the method is a quadrature.
            TypeError: the key is none.
        """
        key = random_key("draws", "key", key)
        mu = Particles(self.particles, self.log_weights)
        return resampled(key, mu).x

    def to_arviz(self, key: PRNGKeyArray | None = None) -> "arviz.InferenceData":
        """For ArviZ: draws with their log-densities, in as many chains as there are.

        Of NUTS, its chains. Of ULA and MALA, where every particle is a chain, its
        states at the later half of the saved times (take ``saves=`` of ``sample`` for
        more of them). Particles of a method in which they interact are one sample:
        they come as one chain, of which ArviZ's ess and r_hat say nothing. So do
        weights that are not equal, which are resampled first, with ``key`` (by default
        that of 0).

        Raises:
            SignedWeightsError: the method is a quadrature.
            ModuleNotFoundError: ArviZ is not installed (the extra ``bayes``).

        Warns:
            UserWarning: the particles are no chains.
        """
        if self.signed:
            raise SignedWeightsError("to_arviz", self.method)
        if key is not None:
            key = random_key("to_arviz", "key", key)
        arviz = bayes("arviz", "to_arviz")
        chains = self._chains()
        if chains is None:
            kind = "" if self._equal() else "weighted "
            warnings.warn(
                f"to_arviz: {self.method} gives one sample of {len(self.particles)} "
                f"{kind}particles, no Markov chains: ArviZ's ess and r_hat do not "
                "hold; see Samples.ess, and compare runs with other keys.",
                stacklevel=2,
            )
            x = self.particles
            if not self._equal():
                x = self.draws(jax.random.key(0) if key is None else key)
            chains = x[None]
        found = jax.vmap(jax.vmap(self.target.constrain))(chains)
        logs = jax.vmap(jax.vmap(self.target.log_density))(chains)
        with warnings.catch_warnings():
            # Chains may well outnumber their draws.
            warnings.filterwarnings("ignore", "More chains", UserWarning)
            return arviz.from_dict(
                posterior={name: np.asarray(value) for name, value in found.items()},
                sample_stats={"lp": np.asarray(logs)},
                attrs={"inference_library": "wflow", "method": self.method},
            )

    def _equal(self) -> bool:
        return bool(jnp.allclose(self.weights, 1 / len(self.weights)))

    def _chains(self) -> Float[Array, "chains draws d"] | None:
        """States of Markov chains, where there are such."""
        if self.chains is None or not self._equal():
            return None
        n, dim = self.particles.shape
        if self.chains < n:
            each = n // self.chains
            draws = self.particles[: each * self.chains]
            return jnp.swapaxes(draws.reshape(each, self.chains, dim), 0, 1)
        later = self.history.x[len(self.times) // 2 :]
        return jnp.swapaxes(later, 0, 1)

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
