"""Resets at known times."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.checks import real_field

from .base import AbstractResetTimes


class KnownResets(AbstractResetTimes):
    """Resets at ``epochs``, padded by infinity: one row of times for every clock."""

    epochs: Float[Array, "*shape m"] = eqx.field(converter=real_field("epochs"))

    def last_resets(
        self, key: PRNGKeyArray, ends: Float[Array, " K+1"], shape: tuple[int, ...]
    ) -> Float[Array, "K ..."]:
        del key
        if self.epochs.shape[:-1] != shape:
            raise ValueError(
                f"KnownResets: expected epochs of shape {(*shape, 'm')}, a row for "
                f"every clock, found {self.epochs.shape}."
            )
        epochs, ends = jax.lax.stop_gradient((self.epochs, ends))

        def last(start: Array, end: Array) -> Array:
            inside = (epochs > start) & (epochs <= end)
            return jnp.max(epochs, axis=-1, where=inside, initial=-jnp.inf)

        return jax.lax.map(lambda pair: last(*pair), (ends[:-1], ends[1:]))
