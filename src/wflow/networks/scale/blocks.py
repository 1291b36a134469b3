"""A residual block whose norm has its scale where decay can be absorbed, or not."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import count, finite, one_of, shape, to_real

from .layers import RMSNorm, ScaledLinear


class ResidualBlock(eqx.Module):
    r"""One hidden layer beside its input, with a norm before it or behind it.

    With ``norm`` "input" $y = x + B\,\mathrm{relu}(A D_g\,\mathrm{norm}(x))$, in which
    A makes up for decay of g; with "output" $y = x + g\odot\mathrm{norm}(B\,
    \mathrm{relu}(A x))$, in which nothing does.

    Attributes:
        first: A, with g where the norm is an Input-Norm.
        second: B.
        norm: with g where it is an Output-Norm.

    Raises:
        ValueError: an unknown norm, sizes below 1, or a gain that is no finite number.
    """

    first: ScaledLinear
    second: ScaledLinear
    norm: RMSNorm

    def __init__(
        self,
        size: int,
        hidden: int,
        norm: Literal["input", "output"] = "input",
        *,
        gain: ArrayLike = 1.0,
        key: PRNGKeyArray,
    ):
        """Draw both maps; every entry of g is ``gain``."""
        one_of(self, "norm", norm, ("input", "output"))
        count(self, "size", size)
        count(self, "hidden", hidden)
        inner = norm == "input"
        of_first, of_second = jax.random.split(key)
        first = ScaledLinear(
            size, hidden, scale="in" if inner else "none", key=of_first
        )
        self.second = ScaledLinear(hidden, size, scale="none", key=of_second)
        output = RMSNorm(size, None if inner else "output")
        gain = to_real(gain, "gain")
        shape(self, "gain", gain, ())
        finite(self, "gain", gain)
        self.first, self.norm = eqx.tree_at(
            _gain, (first, output), jnp.full(size, gain)
        )

    @property
    def gain(self) -> Float[Array, " d"]:
        """The vector g."""
        return _gain((self.first, self.norm))

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, " d"]:
        if self.norm.scale is not None:
            return x + self.norm(self.second(jax.nn.relu(self.first(x))))
        return x + self.second(jax.nn.relu(self.first(self.norm(x))))


def _gain(parts: tuple[ScaledLinear, RMSNorm]) -> Float[Array, " d"]:
    first, norm = parts
    scales = (norm.scale, *(first.scales_in or ()))
    [vector] = [scale.vector for scale in scales if scale is not None]
    return vector
