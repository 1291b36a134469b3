"""What sampling returns: weighted points, and how good they are."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import function as check_function
from wflow.checks import random_key
from wflow.energies import KernelSteinDiscrepancy
from wflow.kernels import AbstractKernel, median_bandwidth
from wflow.measures import Particles
from wflow.measures.resampling import resampled

from .datatree import datatree
from .modes import Mode, find_modes
from .pareto import pareto_k
from .quadrature import Quadrature, kernel_of
from .table import table
from .target import Target


if TYPE_CHECKING:
    import xarray


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
        warmup: states of the chains of NUTS while they were adapted.
        statistics: of its draws, such as ``diverging``, ``(chains, draws)`` each.
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
    warmup: Float[Array, "chains draws d"] | None = None
    statistics: dict[str, Array] | None = None

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

    @property
    def pareto_k(self) -> float:
        """Shape of the tail of the weights: above 0.7 their averages are not reliable.

        That of the generalized Pareto law fitted to the largest weights; -inf where all
        weights are the same, nan where there are fewer than five of them in the tail.

        Raises:
            SignedWeightsError: the method is a quadrature.
            ModuleNotFoundError: ArviZ is not installed (the extra ``bayes``).

        Reference: Vehtari, Simpson, Gelman, Yao, Gabry, JMLR 25 (2024), section 3.
        """
        return pareto_k(self.log_weights)

    def __str__(self) -> str:
        """A table: moments and quantiles of every number, and how chains mix.

        ``ess`` and ``r_hat`` are those of ArviZ, where it is installed.
        """
        if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(self)):
            return repr(self)
        return table(self)

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

    def to_arviz(
        self,
        key: PRNGKeyArray | None = None,
        *,
        coords: Mapping[str, Sequence[Any]] | None = None,
        dims: Mapping[str, Sequence[str]] | None = None,
    ) -> "xarray.DataTree":
        """For ArviZ: a ``DataTree`` of what is known of the run, in chains and draws.

        ``posterior`` has the parameters, ``sample_stats`` their log-density ``lp`` and
        what NUTS knows of its draws, ``warmup_posterior`` the states before them. Where
        the target knows its data there are ``observed_data``, ``log_likelihood`` (for
        ``arviz_stats.loo``) and ``posterior_predictive`` (for ``plot_ppc_dist``). Axes
        in a plate of a model have its name.

        Chains are those of NUTS. Of ULA and MALA, where every particle is a chain, they
        are its states at the later half of the saved times (take ``saves=`` of
        ``sample`` for more of them), and the earlier half is warm-up. Particles of a
        method in which they interact are one sample: they come as one chain, of which
        ArviZ's ess and r_hat say nothing, resampled where weights are not equal. They
        are in the group ``particles`` as they were, with their ``log_weight``; ess and
        Pareto k are its attributes.

        Args:
            key: of the resampling and of what is drawn in ``posterior_predictive``; by
                default that of 0.
            coords: labels of axes, by the name of the axis.
            dims: names of the axes of a parameter or of data, by its name.

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
        return datatree(self, jax.random.key(0) if key is None else key, coords, dims)

    @property
    def equal(self) -> bool:
        """Whether all weights are the same."""
        return bool(jnp.allclose(self.weights, 1 / len(self.weights)))

    def chain_states(self) -> Float[Array, "chains draws d"] | None:
        """States of Markov chains, unconstrained; None where there are none.

        Of chains that are one particle each, at the later half of the saved times.
        """
        if self.chains is None or not self.equal:
            return None
        n, dim = self.particles.shape
        if self.chains < n:
            each = n // self.chains
            draws = self.particles[: each * self.chains]
            return jnp.swapaxes(draws.reshape(each, self.chains, dim), 0, 1)
        return jnp.swapaxes(self.history.x[len(self.times) // 2 :], 0, 1)

    def warmup_states(self) -> Float[Array, "chains draws d"] | None:
        """States of the chains before those of ``chain_states``."""
        if self.warmup is not None or self.chains is None:
            return self.warmup
        earlier = self.history.x[: len(self.times) // 2]
        return jnp.swapaxes(earlier, 0, 1) if len(earlier) else None

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
