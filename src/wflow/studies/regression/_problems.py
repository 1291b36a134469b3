"""Regressions whose truth is known: spectra, and random designs."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray
from pydantic import Field

from wflow.regression import SpectralData, SpectralProblem
from wflow.regression.search import SpectralFilter
from wflow.studies import Count, NonNegative, Positive, Strict

from ._laws import cross_validated


class Axes(Strict):
    r"""Axes i = 1, ..., count of a spectrum.

    Attributes:
        count: of the axes.
        curvature: $\mu_i$ is this times $i^{-decay}$.
        signal: the squared coefficient $\theta_i^{*2}$ is this times $i^{growth}$.
        decay: of the curvature.
        growth: of the squared coefficient.
    """

    count: Count
    curvature: Positive = 1.0
    signal: NonNegative = 1.0
    decay: float = 0.0
    growth: float = 0.0


def problem_of(groups: Sequence[Axes], noise: float) -> SpectralProblem:
    """Curvatures and coefficients of all groups, one after the other."""
    axes = [(group, i) for group in groups for i in range(1, group.count + 1)]
    curvature = jnp.asarray([g.curvature * i**-g.decay for g, i in axes])
    signal = jnp.asarray([g.signal * i**g.growth for g, i in axes])
    return SpectralProblem(curvature, jnp.sqrt(signal), noise)


class RandomDesigns(Strict):
    r"""Regressions on random designs.

    Attributes:
        n: samples.
        p: coefficients.
        correlation: rows are normal with $\Sigma_{ij} = correlation^{|i-j|}$.
        signals: truths: ``isotropic`` has independent normal coefficients, ``high``
            (``low``) lies in the tenth of the axes of the largest (least) variance.
        snr: $\theta^{*T}\Sigma\theta^*$ over the variance of the noise, expected.
        replicates: designs, each with a truth and a response of its own.
    """

    n: Count = 100
    p: Annotated[int, Field(ge=10)] = 50
    correlation: Annotated[float, Field(gt=-1, lt=1)] = 0.9
    signals: Annotated[list[Literal["isotropic", "high", "low"]], Field(min_length=1)]
    snr: Positive = 1.0
    replicates: Annotated[int, Field(ge=2)] = 200

    def errors(
        self, signal: str, laws: Mapping[str, SpectralFilter], key: PRNGKeyArray
    ) -> dict[str, Float[Array, " replicates"]]:
        """Expected squared errors of new responses; the noise alone makes 1."""
        places = jnp.arange(self.p)
        covariance = self.correlation ** jnp.abs(places[:, None] - places)
        variances, axes = jnp.linalg.eigh(covariance)
        tenth = max(1, self.p // 10)
        lies = {
            "isotropic": jnp.ones(self.p),
            "high": jnp.where(places >= self.p - tenth, 1.0, 0.0),
            "low": jnp.where(places < tenth, 1.0, 0.0),
        }[signal]
        # Expected power of the signal over that of the noise, which is 1.
        scale = jnp.sqrt(self.snr / jnp.sum(lies * variances))
        root = axes * jnp.sqrt(variances)

        def one(key: Array) -> dict[str, Array]:
            design_key, truth_key, noise_key = jax.random.split(key, 3)
            X = jax.random.normal(design_key, (self.n, self.p)) @ root.T
            truth = axes @ (scale * lies * jax.random.normal(truth_key, (self.p,)))
            y = X @ truth + jax.random.normal(noise_key, (self.n,))
            return {
                name: 1 + (coef - truth) @ covariance @ (coef - truth)
                for name, coef in cross_validated(SpectralData.of(X, y), laws).items()
            }

        # The same designs and noise for every signal.
        keys = jax.random.split(key, self.replicates)
        return jax.jit(lambda keys: jax.lax.map(one, keys, batch_size=50))(keys)
