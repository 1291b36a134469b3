"""The one-dimensional fine-tuning of experiment E3: a wave, then a tilted one."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.energies import Supervised

from .canonical_finetuning import Task, descend
from .canonical_schema import FinetuneConfig


class Shallow(eqx.Module):
    r"""$c + \sum_j a_j\tanh(w_j x + b_j)$ of a number x."""

    w: Float[Array, " m"]
    b: Float[Array, " m"]
    a: Float[Array, " m"]
    c: Float[Array, ""]

    def __call__(self, x: Float[Array, ""]) -> Float[Array, ""]:
        return self.c + jnp.tanh(self.w * x + self.b) @ self.a


def waves(config: FinetuneConfig) -> tuple[Task, Supervised]:
    """Pretrained networks with what they are tuned on, and the noise-free test."""
    x, grid = jnp.linspace(-2, 2, 200), jnp.linspace(-2, 2, 401)
    wave = Supervised(x, jnp.sin(3 * x), "mean_square")
    before = config.pretraining

    @eqx.filter_jit
    @eqx.filter_vmap
    def repeated(key: PRNGKeyArray) -> Task:
        weights, train, validation = jax.random.split(key, 3)
        start = _initial(weights, config.units)
        return Task(
            descend(wave, start, before.rate, before.steps),
            _noisy(train, config.points, config.noise_variance),
            _noisy(validation, config.validation, config.noise_variance),
        )

    keys = jax.random.split(jax.random.key(config.seed), config.repeats)
    return repeated(keys), Supervised(grid, _tilted(grid), "mean_square")


def _initial(key: PRNGKeyArray, units: int) -> Shallow:
    """Inner weights of variance 4, outer ones of variance 1/units."""
    w, b, a = jax.random.normal(key, (3, units))
    return Shallow(2 * w, 2 * b, a / units**0.5, jnp.zeros(()))


def _noisy(key: PRNGKeyArray, n: int, variance: float) -> Supervised:
    where, noise = jax.random.split(key)
    x = jax.random.uniform(where, (n,), minval=-2, maxval=2)
    y = _tilted(x) + variance**0.5 * jax.random.normal(noise, (n,))
    return Supervised(x, y, "mean_square")


def _tilted(x: Float[Array, " n"]) -> Float[Array, " n"]:
    return jnp.sin(3 * x) + x / 2
