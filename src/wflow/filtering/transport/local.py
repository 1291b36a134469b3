"""One analysis for every component of the state, from the observations near it."""

import jax
from jaxtyping import Array, Float, PRNGKeyArray

from wflow import checks
from wflow.filtering.localization import Domain, check_domain
from wflow.filtering.observations import AbstractObservation

from .base import AbstractTransport, check_sizes
from .pairs import Pairs, Standardized


class LocalTransport(AbstractTransport):
    """A transport for large systems whose observations only count near by.

    Every component is moved by an analysis of its patch from its tapered local
    observations, and only its own new value is kept. Simulated observations,
    permutations and injected noise are the same for all components, so that those of
    one member fit together. A component without observations keeps its forecast.

    Tapers scale differences of standardized observations; where errors are known to be
    Gaussian, they divide their variance in the Kalman gain and the likelihood.

    Attributes:
        method: a transport.
        domain: local observations and patches of the components.

    Raises:
        ValueError: in the analysis, a domain of another number of components or of
            observations.
        TypeError: method is no transport, or domain none; in the analysis, a likelihood
            that cannot be localized.
    """

    method: AbstractTransport
    domain: Domain

    def __check_init__(self) -> None:
        checks.instance(self, "method", self.method, AbstractTransport, "a transport")
        checks.instance(self, "domain", self.domain, Domain, "a Domain")

    @property
    def inflation(self) -> Float[Array, ""]:
        """That of the method."""
        return self.method.inflation

    def pairs(
        self,
        x: Float[Array, "n d"],
        observed: Float[Array, " p"],
        observation: AbstractObservation,
        key: PRNGKeyArray,
    ) -> Pairs:
        return self.method.pairs(x, observed, observation, key)

    def check(self, pairs: Pairs) -> None:
        local, patch = self.domain.observations.shape[1], self.domain.patch.shape[1]
        check_sizes(self.method, len(pairs.x), local, patch)

    def transport(self, pairs: Standardized, key: PRNGKeyArray) -> Float[Array, "n d"]:
        return self.method.transport(pairs, key)

    def move(self, pairs: Pairs, key: PRNGKeyArray) -> Float[Array, "n d"]:
        domain = self.domain
        check_domain(self, domain, pairs.x.shape[1], pairs.observed.shape[0])
        if pairs.log_likelihood is not None:
            raise TypeError(
                "LocalTransport: only the likelihood of Gaussian errors "
                "(GaussianObservation) can be localized."
            )

        def component(
            seen: Array, taper: Array, patch: Array, present: Array
        ) -> Float[Array, " n"]:
            local = Pairs(
                pairs.x[:, patch],
                pairs.y[:, :, seen],
                pairs.observed[seen],
                pairs.weights[seen] * taper.astype(pairs.weights.dtype),
                present,
                None if pairs.mean is None else pairs.mean[:, seen],
                None if pairs.cov is None else pairs.cov[seen][:, seen],
            )
            return self.method.move(local, key)[:, 0]

        lists = (domain.observations, domain.weights, domain.patch, domain.in_patch)
        # Several factorizations of jaxlib on a CPU, batched, can wait for each other.
        if jax.default_backend() == "cpu":
            return jax.lax.map(lambda each: component(*each), lists).T
        return jax.vmap(component)(*lists).T
