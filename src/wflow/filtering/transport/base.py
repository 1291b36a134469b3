"""What a transport analysis is: members are moved, none is weighted."""

import abc
import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wflow import checks
from wflow.filtering.base import AbstractMethod
from wflow.filtering.ensembles import inflated
from wflow.filtering.observations import AbstractObservation
from wflow.kernels import AbstractRadialKernel
from wflow.measures import Particles

from .coupling import passengers
from .pairs import Pairs, Standardized
from .starts import started


class AbstractTransport(AbstractMethod):
    r"""An analysis $x_i \leftarrow S(x_i, y^*)$ by a map, in standard units.

    States and observations are whitened by their own ensembles, mapped, and scaled
    back. Where the observation lies more than six standard deviations from all
    simulated ones, the members are moved by a stochastic Kalman update instead; where
    nothing is observed they stay as they are.
    """

    # Multiplies deviations from the mean, before observations are simulated.
    inflation: eqx.AbstractVar[Float[Array, ""]]

    @abc.abstractmethod
    def transport(self, pairs: Standardized, key: PRNGKeyArray) -> Float[Array, "n d"]:
        """The analyzed ensemble in standard units."""

    def pairs(
        self,
        x: Float[Array, "n d"],
        observed: Float[Array, " p"],
        observation: AbstractObservation,
        key: PRNGKeyArray,
    ) -> Pairs:
        """What the method wants to know; by default one simulated observation each."""
        return Pairs.of(x, simulated(observation, x, 1, key), observed)

    def check(self, pairs: Pairs) -> None:
        """Warn where the ensemble is too small to whiten."""
        n, _, p = pairs.y.shape
        check_sizes(self, n, p, pairs.x.shape[1])

    def move(self, pairs: Pairs, key: PRNGKeyArray) -> Float[Array, "n d"]:
        """The analyzed ensemble, ``(n, d)``."""
        standard = pairs.standardized()
        moved = self.transport(standard, key)
        kalman = started("kalman", standard, passengers(standard))
        moved = jnp.where(standard.outside, kalman, moved)
        return jnp.where(pairs.felt, standard.scale.undo(moved), pairs.x)

    def analyze_pairs(
        self,
        x: Float[Array, "n d"],
        y: Float[Array, "n p"] | Float[Array, "n m p"],
        observed: Float[Array, " p"],
        key: PRNGKeyArray,
    ) -> Float[Array, "n d"]:
        """The ensemble given ``observed``, from simulated observations alone."""
        return self.move(Pairs.of(x, y, observed), key)

    def analyze(
        self,
        measure: Particles,
        observed: Float[Array, " p"],
        observation: AbstractObservation,
        key: PRNGKeyArray,
    ) -> Particles:
        for_pairs, for_map = jax.random.split(key)
        x = inflated(measure.x, self.inflation)
        pairs = self.pairs(x, observed, observation, for_pairs)
        self.check(pairs)
        moved = self.move(pairs, for_map)
        x = jnp.where(pairs.felt, moved, measure.x)
        return measure.with_state((x, measure.logw))


def simulated(
    observation: AbstractObservation,
    x: Float[Array, "n d"],
    draws: int,
    key: PRNGKeyArray,
) -> Float[Array, "n draws p"]:
    """So many observations of every member."""
    keys = jax.random.split(key, (len(x), draws))
    simulate = jax.vmap(observation.simulate, (None, 0))
    return jax.vmap(simulate)(x, keys)


def check_sizes(owner: object, n: int, p: int, d: int) -> None:
    """Say where an ensemble is too small to whiten."""
    for size, what in ((p, "observation"), (d, "state")):
        if n <= size + 1:
            warnings.warn(
                f"{type(owner).__name__}: {n} members are too few to whiten the "
                f"{size} components of the {what} (more than {size + 1} are needed); "
                "they are scaled one by one.",
                stacklevel=4,
            )


def check_kernels(owner: object, *names: str) -> None:
    """Refuse kernels that are no radial ones, or without a bandwidth above zero.

    Raises:
        ValueError: a bandwidth is not.
        TypeError: a kernel is none.
    """
    for name in names:
        kernel = getattr(owner, name)
        checks.instance(owner, name, kernel, AbstractRadialKernel, "a radial kernel")
        checks.positive(owner, f"{name}.bandwidth", kernel.bandwidth)
