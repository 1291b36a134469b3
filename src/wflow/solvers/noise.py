"""Brownian motion for fixed steps."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from wflow.checks import increasing, random_key, shape


class StepNoise(diffrax.AbstractBrownianPath):
    """Brownian increments over the steps of a fixed grid.

    The increment of a step is drawn with its number folded into the key: nothing is
    stored, and every adjoint sees the same path. Only whole steps can be asked for.

    Raises:
        TypeError: ``key`` is no random key.
        ValueError: ``ts`` that do not increase.
    """

    ts: Float[Array, " steps"]
    like: PyTree[Array]
    key: PRNGKeyArray

    levy_area: type[diffrax.BrownianIncrement] = eqx.field(
        static=True, default=diffrax.BrownianIncrement
    )

    def __check_init__(self) -> None:
        shape(self, "ts", self.ts, ("steps",))
        if np.shape(self.ts)[0] < 2:
            raise ValueError("StepNoise: expected ts of at least one step, found none.")
        increasing(self, "ts", self.ts)
        random_key(self, "key", self.key)

    @property
    def t0(self) -> Any:
        """Start of the grid."""
        return self.ts[0]

    @property
    def t1(self) -> Any:
        """End of the grid."""
        return self.ts[-1]

    def evaluate(
        self, t0: Any, t1: Any = None, left: bool = True, use_levy: bool = False
    ) -> Any:
        """The increment over one step; Diffrax's signature."""
        del left
        if t1 is None:
            raise ValueError("StepNoise: it has increments over steps, not values.")
        number = jnp.searchsorted(self.ts, (t0 + t1) / 2)
        leaves, structure = jax.tree.flatten(self.like)
        keys = jax.random.split(jax.random.fold_in(self.key, number), len(leaves))
        std = jnp.sqrt(t1 - t0)
        dw = structure.unflatten(
            [
                std.astype(leaf.dtype) * jax.random.normal(key, leaf.shape, leaf.dtype)
                for key, leaf in zip(keys, leaves, strict=True)
            ]
        )
        return diffrax.BrownianIncrement(dt=t1 - t0, W=dw) if use_levy else dw
