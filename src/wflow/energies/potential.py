"""Energies of an external potential and of pair interactions, and any functional."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field
from wflow.kernels import pair_sum
from wflow.measures import Gaussian, Point, UnsupportedMeasureError

from .base import AbstractEnergy, atoms


class Potential(AbstractEnergy):
    r"""$F(\mu) = \int V(x)\,d\mu(x)$ for a function V of one point.

    With ``with_time=True`` the function is V(x, t). On a ``Point`` it is V(value).

    Raises:
        TypeError: the potential is no function.
        ValueError: when evaluated, it does not return one real number.
    """

    potential: Callable[..., Array]
    with_time: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        checks.one_of(self, "with_time", self.with_time, (True, False))
        arguments = "x, t" if self.with_time else "x"
        checks.function(self, "potential", self.potential, arguments)

    @property
    def separable(self) -> bool:
        return not self.with_time

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        def at(x: Any) -> Float[Array, ""]:
            value = self.potential(x, t) if self.with_time else self.potential(x)
            return checks.one_number(self, "potential", value)

        return mu.integrate(at)


class Interaction(AbstractEnergy):
    r"""$F(\mu) = \frac12 \iint W(x, y)\,d\mu(x)\,d\mu(y)$ for a symmetric W.

    ``pair(x, y)`` takes two points ``(d,)``. Its diagonal counts, so that W(x, x) must
    be finite with a finite gradient; ``diagonal=False`` leaves out the pair of each
    atom with itself, as sums over particles with a singular W do. On a Gaussian the
    double integral is a quadrature in 2d dimensions, exact for polynomials of degree 5,
    and needs the diagonal.

    Raises:
        TypeError: the pair is no function.
        ValueError: when evaluated, it does not return one real number, or W(x, x) is
            not finite, where it is known.
    """

    pair: Callable[[Array, Array], Array]
    diagonal: bool = eqx.field(static=True, default=True)

    def __check_init__(self) -> None:
        checks.function(self, "pair", self.pair, "x, y")
        checks.one_of(self, "diagonal", self.diagonal, (True, False))

    def _pair(self, x: Array, y: Array) -> Float[Array, ""]:
        return checks.one_number(self, "pair", self.pair(x, y))

    def _check_diagonal(self, x: Float[Array, "n d"]) -> None:
        """Refuse a W that is singular where its points meet, and only there."""
        if any(checks.known(leaf) is None for leaf in _arrays(self.pair)):
            return
        with jax.ensure_compile_time_eval():
            point = jnp.linspace(0.1, 0.9, x.shape[1], dtype=x.dtype)
            itself = checks.known(self._pair(point, point))
            apart = checks.known(self._pair(point, point + 1))
        if itself is None or apart is None or np.isfinite(itself):
            return
        if np.isfinite(apart):
            raise ValueError(
                f"Interaction: expected pair(x, x) to be finite, found {itself} where a"
                " point meets itself; diagonal=False leaves that out."
            )

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        if isinstance(mu, Gaussian):
            if not self.diagonal:
                raise UnsupportedMeasureError(
                    self, mu, "Particles and Grid, without the diagonal"
                )
            d = mu.dim
            zero = jnp.zeros((d, d), mu.dtype)
            both = Gaussian(
                jnp.concatenate([mu.mean, mu.mean]),
                jnp.block([[mu.cov, zero], [zero, mu.cov]]),
            )
            return both.integrate(lambda z: self._pair(z[:d], z[d:])) / 2
        x, w = atoms(self, mu)
        if self.diagonal:
            self._check_diagonal(x)
        return pair_sum(self._pair, x, w, x, w, diagonal=self.diagonal) / 2


def _arrays(tree: Any) -> list[Array]:
    return jax.tree.leaves(eqx.filter(tree, eqx.is_array))


class Functional(AbstractEnergy):
    r"""$F(\mu, t)$ given as a function of the measure itself.

    Raises:
        TypeError: it is no function.
        ValueError: when evaluated, it does not return one real number.
    """

    function: Callable[[Any, ArrayLike], Float[Array, ""]]

    def __check_init__(self) -> None:
        checks.function(self, "function", self.function, "the measure and t")

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return checks.one_number(self, "function", self.function(mu, t))


def _inputs(value: Any) -> Array:
    """Inputs that are whole numbers (tokens) stay so."""
    whole = isinstance(value, jax.Array | np.ndarray) and value.dtype.kind in "iu"
    return jnp.asarray(value) if whole else checks.to_real(value, "inputs")


class NetworkRisk(AbstractEnergy):
    r"""Risk of the network averaged over its neurons.

    $F(\mu) = \frac12 \sum_a p_a |\int \sigma(w, x_a)\,d\mu(w) - y_a|^2$: half the mean
    squared error of $f_\mu(x) = \int \sigma(w, x)\,d\mu(w)$. Particles are neurons; the
    Wasserstein velocity is then minus m times the gradient of the finite network.

    ``neuron(w, x)`` gives a scalar or ``(k,)``; ``inputs (a, ...)``; ``targets (a,)``
    or ``(a, k)``; ``probabilities (a,)``, uniform by default.

    Raises:
        TypeError: the neuron is no function, or the data no numbers.
        ValueError: data that are not finite or not as many, probabilities that are
            negative, not finite or all zero; when evaluated, outputs of another shape
            than the targets.

    Reference: Mei, Montanari, Nguyen, PNAS 115 (2018), equation (2).
    """

    neuron: Callable[[Any, Array], Array]
    inputs: Float[Array, "a ..."] = eqx.field(converter=_inputs)
    targets: Float[Array, "a ..."] = eqx.field(converter=real_field("targets"))
    probabilities: Float[Array, " a"] | None = eqx.field(
        converter=real_field("probabilities", optional=True), default=None
    )

    def __check_init__(self) -> None:
        checks.function(self, "neuron", self.neuron, "w, x")
        for name in ("inputs", "targets"):
            shape = jnp.shape(getattr(self, name))
            if not shape or 0 in shape:
                raise ValueError(
                    f"NetworkRisk: expected {name} with a first axis of inputs, found "
                    f"shape {shape}."
                )
            checks.finite(self, name, getattr(self, name))
        count = jnp.shape(self.inputs)[0]
        if jnp.shape(self.targets)[0] != count:
            raise ValueError(
                f"NetworkRisk: expected as many targets as inputs, {count}, found "
                f"{jnp.shape(self.targets)[0]}."
            )
        if self.probabilities is not None:
            checks.shape(self, "probabilities", self.probabilities, (count,))
            checks.weights(self, "probabilities", self.probabilities)

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        if isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Particles, Grid and Gaussian")
        outputs = mu.integrate(
            lambda w: jax.vmap(lambda x: self.neuron(w, x))(self.inputs)
        )
        if outputs.shape != self.targets.shape:
            raise ValueError(
                "NetworkRisk: expected neuron to give outputs of the shape of targets, "
                f"{self.targets.shape}, found {outputs.shape}."
            )
        squares = (outputs - self.targets) ** 2
        per_input = squares.reshape(squares.shape[0], -1).sum(1)
        if self.probabilities is None:
            return jnp.mean(per_input) / 2
        return self.probabilities @ per_input / 2
