"""Resets at known times."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import known, real_field, within
from wflow.flows.renewal import AbstractResetTimes


class KnownResets(AbstractResetTimes):
    """Resets at times that are known, in place of a law of them.

    At ``epochs``, padded by infinity: one row of times for every clock.

    Attributes:
        epochs: times of resets, ``(..., m)``.

    Raises:
        ValueError: an epoch that is nan or minus infinity, or not a row of them.
    """

    epochs: Float[Array, "*shape m"] = eqx.field(converter=real_field("epochs"))

    def __check_init__(self) -> None:
        if np.ndim(known(self.epochs)) == 0 and known(self.epochs) is not None:
            raise ValueError(
                "KnownResets: expected epochs of shape (..., m), found one number."
            )
        within(self, "epochs", self.epochs, -np.inf, np.inf, closed="high")

    def since(self, t0: ArrayLike) -> "KnownResets":
        return KnownResets(self.epochs - jnp.asarray(t0, self.epochs.dtype))

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
