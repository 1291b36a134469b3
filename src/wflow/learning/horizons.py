"""How far a training rollout goes."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from wflow.checks import count, real_field, shape, within


class AbstractHorizon(eqx.Module):
    """The number of snapshots that one training rollout is compared with."""

    @abc.abstractmethod
    def __call__(
        self,
        key: PRNGKeyArray,
        progress: Float[Array, ""],
        longest: Int[Array, ""],
    ) -> Int[Array, ""]:
        """A horizon in 1..``longest`` at ``progress`` in [0, 1) of the training."""


class AbstractRampedHorizon(AbstractHorizon):
    """Horizons up to one that grows with the training.

    Raises:
        ValueError: ramp outside [0, 1].
    """

    ramp: eqx.AbstractVar[Float[Array, ""]]

    def __check_init__(self) -> None:
        shape(self, "ramp", self.ramp, ())
        within(self, "ramp", self.ramp, 0, 1)

    def _grown(self, progress: Array, longest: Array) -> Array:
        r"""$m = \min(K, 1 + \lfloor K p / r\rfloor)$, K without a ramp."""
        share = jnp.where(self.ramp > 0, self.ramp, 1).astype(progress.dtype)
        grown = 1 + jnp.floor(longest * progress / share).astype(longest.dtype)
        return jnp.minimum(jnp.where(self.ramp > 0, grown, longest), longest)


class RandomHorizon(AbstractRampedHorizon):
    r"""Uniform on 1..m, with m growing from 1 to the longest over a share of training.

    $m = \min(K, 1 + \lfloor K p / r\rfloor)$ at progress p, ramp r, longest K; no ramp
    if r = 0. Early long rollouts of an untrained model explode; a ramp avoids them.

    Raises:
        ValueError: ramp outside [0, 1].
    """

    ramp: Float[Array, ""] = eqx.field(converter=real_field("ramp"), default=0.3)

    def __call__(
        self,
        key: PRNGKeyArray,
        progress: Float[Array, ""],
        longest: Int[Array, ""],
    ) -> Int[Array, ""]:
        grown = self._grown(progress, longest)
        return jax.random.randint(key, (), 1, grown + 1)


class FullHorizon(AbstractRampedHorizon):
    """m itself, as above: all the snapshots that there are, after the ramp if any.

    Raises:
        ValueError: ramp outside [0, 1].
    """

    ramp: Float[Array, ""] = eqx.field(converter=real_field("ramp"), default=0.0)

    def __call__(
        self,
        key: PRNGKeyArray,
        progress: Float[Array, ""],
        longest: Int[Array, ""],
    ) -> Int[Array, ""]:
        del key
        return self._grown(progress, longest)


class FixedHorizon(AbstractHorizon):
    """Always ``length`` snapshots, or fewer where fewer are left.

    Raises:
        ValueError: length below one.
    """

    length: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        count(self, "length", self.length)

    def __call__(
        self,
        key: PRNGKeyArray,
        progress: Float[Array, ""],
        longest: Int[Array, ""],
    ) -> Int[Array, ""]:
        del key, progress
        return jnp.minimum(longest, self.length)
