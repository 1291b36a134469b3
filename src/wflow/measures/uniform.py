"""The uniform law on a box."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wflow import checks

from .base import AbstractDensity, moving_field


class UniformBox(AbstractDensity):
    r"""The uniform law on $[a_1, b_1] \times \dots \times [a_d, b_d]$.

    Its log-density is -inf outside.

    Args:
        low: a, ``(d,)``.
        high: b, ``(d,)``, above ``low`` on every axis.

    Raises:
        ValueError: other shapes, numbers that are not finite, or an axis of no length.
    """

    low: Float[Array, " d"] = eqx.field(converter=moving_field("low"))
    high: Float[Array, " d"] = eqx.field(converter=moving_field("high"))

    def __check_init__(self) -> None:
        checks.shape(self, "low", self.low, ("d",))
        checks.shape(self, "high", self.high, self.low.shape)
        checks.finite(self, "low", self.low)
        checks.finite(self, "high", self.high)
        sides = checks.known(self.high - self.low)
        if sides is not None and not (sides.size and (sides > 0).all()):
            raise ValueError(
                "UniformBox: expected low < high on every axis, found low = "
                f"{self.low.tolist()}, high = {self.high.tolist()}."
            )

    def log_density(self, x: Float[Array, " d"]) -> Float[Array, ""]:
        x = checks.to_real(x, "x")
        checks.shape(self, "x", x, self.low.shape)
        inside = jnp.all((x >= self.low) & (x <= self.high))
        return jnp.where(inside, -jnp.sum(jnp.log(self.high - self.low)), -jnp.inf)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n d"]:
        checks.count(self, "n", n, 0)
        return jax.random.uniform(
            checks.random_key(self, "key", key),
            (n, *self.low.shape),
            self.low.dtype,
            self.low,
            self.high,
        )

    @property
    def mean(self) -> Float[Array, " d"]:
        """Mean of the law."""
        return (self.low + self.high) / 2
