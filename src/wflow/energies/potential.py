"""Energies of an external potential and of pair interactions, and any functional."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow.kernels import pair_sum
from wflow.measures import Gaussian, Point, UnsupportedMeasureError

from .base import AbstractEnergy, atoms


class Potential(AbstractEnergy):
    r"""$F(\mu) = \int V(x)\,d\mu(x)$ for a function V of one point.

    With ``with_time=True`` the function is V(x, t). On a ``Point`` it is V(value).
    """

    potential: Callable[..., Array]
    with_time: bool = eqx.field(static=True, default=False)

    @property
    def separable(self) -> bool:
        return not self.with_time

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        if self.with_time:
            return mu.integrate(lambda x: self.potential(x, t))
        return mu.integrate(self.potential)


class Interaction(AbstractEnergy):
    r"""$F(\mu) = \frac12 \iint W(x, y)\,d\mu(x)\,d\mu(y)$ for a symmetric W.

    ``pair(x, y)`` takes two points ``(d,)``. Its diagonal counts: W(x, x) should be
    finite with a finite gradient. On a Gaussian the double integral is a quadrature in
    2d dimensions, exact for polynomials of degree 5.
    """

    pair: Callable[[Array, Array], Array]

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        if isinstance(mu, Gaussian):
            d = mu.dim
            zero = jnp.zeros((d, d), mu.dtype)
            both = Gaussian(
                jnp.concatenate([mu.mean, mu.mean]),
                jnp.block([[mu.cov, zero], [zero, mu.cov]]),
            )
            return both.integrate(lambda z: self.pair(z[:d], z[d:])) / 2
        x, w = atoms(self, mu)
        return pair_sum(self.pair, x, w, x, w) / 2


class Functional(AbstractEnergy):
    r"""$F(\mu, t)$ given as a function of the measure itself."""

    function: Callable[[Any, ArrayLike], Float[Array, ""]]

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return self.function(mu, t)


class NetworkRisk(AbstractEnergy):
    r"""Risk of the network averaged over its neurons.

    $F(\mu) = \frac12 \sum_a p_a |\int \sigma(w, x_a)\,d\mu(w) - y_a|^2$: half the mean
    squared error of $f_\mu(x) = \int \sigma(w, x)\,d\mu(w)$. Particles are neurons; the
    Wasserstein velocity is then minus m times the gradient of the finite network.

    ``neuron(w, x)`` gives a scalar or ``(k,)``; ``inputs (a, ...)``; ``targets (a,)``
    or ``(a, k)``; ``probabilities (a,)``, uniform by default.

    Reference: Mei, Montanari, Nguyen, PNAS 115 (2018), equation (2).
    """

    neuron: Callable[[Any, Array], Array]
    inputs: Float[Array, "a ..."]
    targets: Float[Array, "a ..."]
    probabilities: Float[Array, " a"] | None = None

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        if isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Particles, Grid and Gaussian")
        outputs = mu.integrate(
            lambda w: jax.vmap(lambda x: self.neuron(w, x))(self.inputs)
        )
        squares = (outputs - self.targets) ** 2
        per_input = squares.reshape(squares.shape[0], -1).sum(1)
        if self.probabilities is None:
            return jnp.mean(per_input) / 2
        return self.probabilities @ per_input / 2
