"""A law of the user's own."""

import math
from collections.abc import Callable
from typing import Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import function, known, real_field
from wflow.flows.renewal import (
    AbstractRenewalLaw,
    check_numbers,
    inverse_survival,
    open_uniform,
)

from .rules import average


# Times from e^-50 to e^40, in steps of the logarithm.
_RANGE = (-50.0, 40.0)
_TRAPEZOIDS = 24
_PANELS = 40
_GAUSS = 6


def _logs(per_unit: int, dtype: jnp.dtype) -> Float[Array, " m"]:
    low, high = _RANGE
    return jnp.linspace(low, high, round((high - low) * per_unit) + 1, dtype=dtype)


class TabulatedSurvival(eqx.Module):
    r"""A survival function from a table, smooth between its values.

    $S(a) = \int_a^\infty f$ of a density, by cubic Hermite interpolation in $\log a$
    between values to machine precision.
    """

    values: Float[Array, " m"]
    slopes: Float[Array, " m"]

    @classmethod
    def of(cls, density: Callable[[Array], Array], dtype: jnp.dtype) -> Self:
        """The table of a density, which acts elementwise."""
        logs = _logs(_PANELS, dtype)
        nodes, weights = np.polynomial.legendre.leggauss(_GAUSS)
        steps = jnp.asarray((nodes + 1) / (2 * _PANELS), dtype)
        t = jnp.exp(logs[:-1, None] + steps)
        masses = (t * density(t)) @ jnp.asarray(weights / (2 * _PANELS), dtype)
        tails = jnp.cumsum(masses[::-1])[::-1]
        ends = jnp.exp(logs)
        return cls(jnp.append(tails, jnp.zeros((), dtype)), -ends * density(ends))

    def __call__(self, a: Float[Array, "..."]) -> Float[Array, "..."]:
        last = self.values.shape[0] - 1
        x = jnp.log(jnp.maximum(a, math.exp(_RANGE[0])))
        place = jnp.clip((x - _RANGE[0]) * _PANELS, 0, last)
        k = jnp.minimum(place.astype(int), last - 1)
        u = place - k
        left, right = self.values[k], self.values[k + 1]
        start, end = self.slopes[k] / _PANELS, self.slopes[k + 1] / _PANELS
        rise = u * u * (3 - 2 * u)
        bend = u * (1 - u) * ((1 - u) * start - u * end)
        return left + rise * (right - left) + bend


class Custom(AbstractRenewalLaw):
    r"""Intervals between resets of any law that you can write as a function.

    The law of a function ``survival`` of $a \geq 0$, elementwise, stretched in time by
    the factor ``stretch``; or of a density, by ``Custom.from_density``. Everything
    comes from trapezoids in $\log a$, exponentially convergent for what is smooth on
    that scale (atoms and kinks are not). Units of time are such that the law lives
    between $10^{-15}$ and $10^{15}$.

    Attributes:
        function: the survival function, chance that an interval is longer than a.
        stretch: factor by which intervals are longer.

    Raises:
        ValueError: a survival that does not fall from one to zero, jumps at zero (an
            atom: the filter would not tend to one as $1/(\mu\tau)$), has no finite
            mean, or is not smooth enough for the quadrature; a stretch that is not
            positive.
        TypeError: ``function`` is none.
    """

    function: Callable[[Array], Array]
    stretch: Float[Array, ""] = eqx.field(converter=real_field("stretch"), default=1.0)

    @classmethod
    def from_density(cls, density: Callable[[Array], Array]) -> "Custom":
        """The law of a density on a > 0, elementwise; tabulated when it is made.

        Raises:
            ValueError: it does not integrate to one, and as above.
        """
        function(cls.__name__, "density", density, "an age")
        table = TabulatedSurvival.of(density, jnp.result_type(float))
        total = known(table.values[0])
        if total is not None and not abs(total - 1) < 1e-5:
            raise ValueError(
                f"Custom: expected a density that integrates to 1, found {total:.6g}."
            )
        return cls(table)

    def __check_init__(self) -> None:
        function(self, "function", self.function, "an age")
        check_numbers(self, stretch=self.stretch)
        logs = _logs(_TRAPEZOIDS, self._dtype)
        curve = known(self.function(jnp.exp(logs)))
        if curve is None:
            return
        if curve.shape != logs.shape or not np.isfinite(curve).all():
            raise ValueError(
                "Custom: expected a survival that is finite and elementwise, found "
                f"values of shape {curve.shape} on ages of shape {logs.shape}."
            )
        if not abs(curve[0] - 1) < 1e-3:
            raise ValueError(
                "Custom: expected a survival that starts at 1 (an atom at zero is "
                f"refused), found {curve[0]:.6g} just after zero."
            )
        if (np.diff(curve) > 1e-6).any() or (curve < -1e-6).any():
            raise ValueError(
                "Custom: expected a survival that never rises and is >= 0, found "
                f"values between {curve.min():.6g} and {curve.max():.6g}."
            )
        terms = np.exp(np.asarray(logs)) * curve
        if not terms[-1] < 1e-6 * terms.sum():
            raise ValueError(
                "Custom: expected a finite mean time between resets (else there is no "
                "stationary law), found a tail that does not end: S(a) = "
                f"{curve[-1]:.3g} at a = {np.exp(_RANGE[1]):.3g}."
            )
        if not abs(2 * terms[::2].sum() / terms.sum() - 1) < 1e-4:
            raise ValueError(
                "Custom: expected a survival that is smooth in log a, found means of "
                f"{2 * terms[::2].sum() / _TRAPEZOIDS:.6g} and "
                f"{terms.sum() / _TRAPEZOIDS:.6g} by two quadratures; take a named law."
            )

    @property
    def _dtype(self) -> jnp.dtype:
        return jnp.result_type(self.stretch)

    def _ages(self) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
        """Ages, unstretched, and their weights without the division by the mean."""
        ages = jnp.exp(_logs(_TRAPEZOIDS, self._dtype))
        return ages, ages * self.function(ages) / _TRAPEZOIDS

    @property
    def mean(self) -> Float[Array, ""]:
        r"""Mean interval $\int_0^\infty S(a)\,da$."""
        return self.stretch * jnp.sum(self._ages()[1])

    @property
    def second_moment(self) -> Float[Array, ""]:
        ages, weights = self._ages()
        terms = ages * weights
        moment = 2 * self.stretch**2 * jnp.sum(terms)
        return jnp.where(terms[-1] < 1e-6 * jnp.sum(terms), moment, jnp.inf)

    def survival(self, a: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        a = jnp.asarray(a, self._dtype)
        positive = a > 0
        value = self.function(jnp.where(positive, a, 1) / self.stretch)
        return jnp.where(positive, value, 1)

    def age_laplace(self, s: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        ages, weights = self._ages()
        total = jnp.sum(weights)
        return average(
            lambda one: jnp.exp(-one * self.stretch * ages), weights / total, s
        )

    def filter(self, mu: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        ages, weights = self._ages()
        total = jnp.sum(weights)
        return average(
            lambda one: -jnp.expm1(-one * self.stretch * ages), weights / total, mu
        )

    def sample_age(
        self, key: PRNGKeyArray, shape: tuple[int, ...] = ()
    ) -> Float[Array, "*shape"]:
        table = TabulatedSurvival.of(self.function, self._dtype)
        u = open_uniform(key, shape, self._dtype) * table.values[0]
        return self.stretch * inverse_survival(table, u, jnp.ones((), self._dtype))

    def with_mean(self, mean: ArrayLike) -> Self:
        return type(self)(self.function, self.stretch * mean / self.mean)
