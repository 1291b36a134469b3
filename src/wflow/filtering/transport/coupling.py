"""The product cloud: states and observations made independent, and the passengers."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from wflow import checks

from .pairs import Standardized
from .scales import check_array


def derangements(key: PRNGKeyArray, n: int, count: int) -> Int[Array, "count n"]:
    """Permutations without fixed points, of which no two agree anywhere.

    Members stand on a circle in random order, and permutation r moves each one by r
    places: a pair occurs once at most. A pair with itself would be one of the joint
    law.

    Raises:
        ValueError: fewer than two members, or not ``1 <= count < n``.
        TypeError: n or count is no whole number.
    """
    checks.random_key("derangements", "key", key)
    checks.count("derangements", "n", n, 2)
    checks.count("derangements", "count", count)
    if not 1 <= count < n:
        raise ValueError(
            f"derangements: expected a count of permutations from 1 to {n - 1}, fewer "
            f"than members, found {count}."
        )
    order = jax.random.permutation(key, n)
    place = jnp.zeros(n, order.dtype).at[order].set(jnp.arange(n, dtype=order.dtype))
    shifts = 1 + jnp.arange(count, dtype=order.dtype)
    return order[(place[None, :] + shifts[:, None]) % n]


class Labeled(eqx.Module):
    """States of some members, what these observed, and an observation to move to.

    Attributes:
        x: states, ``(k, d)``.
        y: their own simulated observations, ``(k, p)``.
        spare: as in ``Standardized``, ``(k, p)``.
        labels: observations that they carry, ``(k, p)``.

    Raises:
        ValueError: shapes that do not fit together, or numbers that are not finite.
    """

    x: Float[Array, "k d"]
    y: Float[Array, "k p"]
    spare: Float[Array, "k p"]
    labels: Float[Array, "k p"]

    def __check_init__(self) -> None:
        check_array(self, "x", ("k", "d"))
        check_array(self, "y", (jnp.shape(self.x)[0], "p"))
        for name in ("spare", "labels"):
            check_array(self, name, jnp.shape(self.y))


def product_cloud(pairs: Standardized, permutations: int, key: PRNGKeyArray) -> Labeled:
    r"""Samples $(x_a, y_b)$ of $\pi_X \otimes \pi_Y$: so many derangements of n each.

    Of m simulated observations of a member, every permutation takes another one.

    Raises:
        ValueError: not ``1 <= permutations < n``.
        TypeError: pairs are none, permutations is no whole number.
    """
    checks.instance("product_cloud", "pairs", pairs, Standardized, "Standardized pairs")
    checks.count("product_cloud", "permutations", permutations)
    n, m, _, _ = pairs.sizes
    other = derangements(key, n, permutations).ravel()
    own = jnp.tile(jnp.arange(n), permutations)
    draw = jnp.repeat(jnp.arange(permutations) % m, n)
    return Labeled(
        pairs.x[own], pairs.y[own, draw], pairs.spare[own, draw], pairs.y[other, draw]
    )


def passengers(pairs: Standardized) -> Labeled:
    """Passengers: all members, carrying the actual observation as their label.

    A flow carries them along, and they end as the analyzed ensemble.

    Raises:
        TypeError: pairs are none.
    """
    checks.instance("passengers", "pairs", pairs, Standardized, "Standardized pairs")
    y = pairs.y[:, 0]
    labels = jnp.broadcast_to(pairs.observed, y.shape)
    return Labeled(pairs.x, y, pairs.spare[:, 0], labels)
