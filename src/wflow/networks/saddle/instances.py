"""Random labels and small starts whose jumps are clear."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import count, non_negative, positive, random_key, shape

from .data import ReLUData
from .jumps import JumpProcess, limit_of_cover
from .neurons import LogNeurons, small_neurons
from .plateaus import time_to_level


class Instance(eqx.Module):
    """Labels, a draw of the neurons that holds at every scale, and the limit of both.

    Attributes:
        data: the samples.
        key: of ``small_neurons``.
        limit: the jump process.
    """

    data: ReLUData
    key: PRNGKeyArray
    limit: JumpProcess

    @property
    def width(self) -> int:
        """Number of neurons."""
        return self.limit.sign.shape[0]

    def neurons(self, log_scale: ArrayLike) -> LogNeurons:
        """The draw at the scale ``exp(log_scale)``.

        Raises:
            ValueError: ``log_scale >= 0``.
        """
        return small_neurons(self.key, self.width, self.data, log_scale)

    @property
    def alone(self) -> Float[Array, " J"]:
        """When each neuron would jump, in slow time, if all were its own.

        $1/g_j$.

        Only times of jumps that are have a meaning.
        """
        units = self.neurons(-1.0).active & self.data.signed(self.limit.sign)
        squares = jnp.where(units, self.data.y**2 * self.data.squared_norms, 0)
        rates = jnp.sqrt(squares.sum(axis=1)) / self.data.normalizer
        return 1 / rates[self.limit.neuron]

    def first_half(self, log_scale: ArrayLike) -> Float[Array, ""]:
        """Slow time at which the first jump is halfway, to first order in 1/log(scale).

        Raises:
            ValueError: ``log_scale >= 0``.
        """
        goal = jnp.log(self.limit.value[0]) / 2
        times = time_to_level(self.data, self.neurons(log_scale), self.data.y, goal)
        return times[self.limit.neuron[0]] / -jnp.asarray(log_scale, times.dtype)


def random_labels(
    key: PRNGKeyArray, n: int, sizes: tuple[float, float] = (0.5, 1.5)
) -> Float[Array, " n"]:
    """Labels of fair signs whose sizes are uniform between ``sizes``.

    Raises:
        TypeError: no key, or n that is not whole.
        ValueError: n below 1, or sizes that are not positive and in order.
    """
    key = random_key("random_labels", "key", key)
    count("random_labels", "n", n)
    shape("random_labels", "sizes", sizes, (2,))
    positive("random_labels", "sizes", sizes)
    low, high = sizes
    if low > high:
        raise ValueError(
            f"random_labels: expected sizes in order, found {low:g} and {high:g}."
        )
    of_sizes, of_signs = jax.random.split(key)
    size = jax.random.uniform(of_sizes, (n,), minval=low, maxval=high)
    return size * jax.random.rademacher(of_signs, (n,), size.dtype)


def random_gram(
    key: PRNGKeyArray, n: int, dim: int, cosine: ArrayLike | None = None
) -> Float[Array, "n n"]:
    """Products of n random unit inputs; their cosines are about 1 / sqrt(dim).

    Args:
        key: of the directions.
        n: of inputs, at least 2.
        dim: at least n, so that none depends on the others.
        cosine: root mean square that all cosines are scaled to; as they come if None.

    Raises:
        TypeError: no key, or numbers that are not whole.
        ValueError: numbers out of range.
    """
    key = random_key("random_gram", "key", key)
    count("random_gram", "n", n, least=2)
    count("random_gram", "dim", dim, least=n)
    rows = jax.random.normal(key, (n, dim))
    rows = rows / jnp.linalg.norm(rows, axis=1, keepdims=True)
    beside = rows @ rows.T * (1 - jnp.eye(n))
    if cosine is not None:
        shape("random_gram", "cosine", cosine, ())
        positive("random_gram", "cosine", cosine)
        size = jnp.sqrt(jnp.sum(beside**2) / (n * (n - 1)))
        beside = beside * (cosine / size)
    return jnp.eye(n) + beside


def draw_instances(
    key: PRNGKeyArray,
    number: int,
    samples: int,
    width: int,
    *,
    sizes: tuple[float, float] = (0.5, 1.5),
    least_gap: float = 0.1,
    tries: int = 256,
) -> tuple[list[Instance], int]:
    """The first draws that jump at all and whose every jump leads by ``least_gap``.

    Args:
        key: of all draws.
        number: of instances.
        samples: n; inputs are orthogonal, of length one.
        width: neurons.
        sizes: of labels, see ``random_labels``.
        least_gap: slow time from each jump to that of the first neuron of its sign that
            wants some of the same samples.
        tries: draws at most.

    Returns:
        The instances, and how many draws it took.

    Raises:
        TypeError: no key, or numbers that are not whole.
        ValueError: numbers out of range, or too few of the draws lead by so much.
    """
    key = random_key("draw_instances", "key", key)
    for name, whole in (
        ("number", number),
        ("samples", samples),
        ("width", width),
        ("tries", tries),
    ):
        count("draw_instances", name, whole)
    shape("draw_instances", "least_gap", least_gap, ())
    non_negative("draw_instances", "least_gap", least_gap)

    def draw(key: Array) -> Instance:
        of_labels, of_neurons = jax.random.split(key)
        data = ReLUData.orthogonal(random_labels(of_labels, samples, sizes))
        neurons = small_neurons(of_neurons, width, data, -1.0)
        limit = limit_of_cover(data, neurons.active, neurons.sign)
        return Instance(data, of_neurons, limit)

    drawn = jax.jit(jax.vmap(draw))(jax.random.split(key, tries))
    leads = jnp.min(drawn.limit.gap, axis=1) >= least_gap
    fits = leads & (drawn.limit.neuron[:, 0] >= 0)
    kept = np.flatnonzero(np.asarray(fits))[:number]
    if len(kept) < number:
        raise ValueError(
            f"draw_instances: {len(kept)} of {tries} draws have jumps that lead by "
            f"least_gap = {least_gap:g}; expected at least {number}. Lower it."
        )
    instances = [jax.tree.map(lambda leaf, k=k: leaf[k], drawn) for k in kept]
    return instances, int(kept[-1]) + 1
