"""A wave that networks know, and a tilted one that they are tuned on."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.networks import Supervised


class Shallow(eqx.Module):
    r"""A network of one hidden layer, $c + \sum_j a_j\tanh(w_j x + b_j)$ of x."""

    w: Float[Array, " m"]
    b: Float[Array, " m"]
    a: Float[Array, " m"]
    c: Float[Array, ""]

    def __call__(self, x: Float[Array, ""]) -> Float[Array, ""]:
        return self.c + jnp.tanh(self.w * x + self.b) @ self.a


def initial(key: PRNGKeyArray, units: int) -> Shallow:
    """Inner weights of variance 4, outer ones of variance 1/units."""
    w, b, a = jax.random.normal(key, (3, units))
    return Shallow(2 * w, 2 * b, a / units**0.5, jnp.zeros(()))


def wave(n: int) -> Supervised:
    """sin(3x) at n points from -2 to 2."""
    x = jnp.linspace(-2, 2, n)
    return Supervised(x, jnp.sin(3 * x), "mean_square")


def tilted_wave(n: int) -> Supervised:
    """sin(3x) + x/2 at n points from -2 to 2."""
    x = jnp.linspace(-2, 2, n)
    return Supervised(x, _tilted(x), "mean_square")


def noisy(key: PRNGKeyArray, n: int, variance: float) -> Supervised:
    """The tilted wave at n random points, with noise of that variance."""
    where, noise = jax.random.split(key)
    x = jax.random.uniform(where, (n,), minval=-2, maxval=2)
    y = _tilted(x) + variance**0.5 * jax.random.normal(noise, (n,))
    return Supervised(x, y, "mean_square")


def _tilted(x: Float[Array, " n"]) -> Float[Array, " n"]:
    return jnp.sin(3 * x) + x / 2
