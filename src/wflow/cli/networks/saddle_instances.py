"""Random labels and initialisations of the saddle-to-saddle studies."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.errors import CommandError

from .saddle_schema import Labels


if TYPE_CHECKING:
    from wflow.networks.saddle import JumpProcess, LogNeurons, ReLUData

# Draws from which instances with large gaps are taken.
_DRAWS = 256


@dataclass(frozen=True)
class Instance:
    """Labels, a draw of the initialisation, and the limit of both.

    Attributes:
        data: the samples.
        key: of the draw, the same at every scale.
        width: neurons.
        limit: the jump process.
    """

    data: "ReLUData"
    key: Any
    width: int
    limit: "JumpProcess"

    def neurons(self, log_scale: float) -> "LogNeurons":
        """The same draw at a scale."""
        from wflow.networks.saddle import small_neurons

        return small_neurons(self.key, self.width, self.data, log_scale)

    @property
    def alone(self) -> np.ndarray:
        """Slow time of each jump if every neuron had its samples for itself."""
        import jax.numpy as jnp

        units = self.neurons(-1.0).active & self.data.signed(self.limit.sign)
        squares = jnp.where(units, self.data.y**2 * self.data.squared_norms, 0)
        rates = jnp.sqrt(squares.sum(axis=1)) / self.data.normaliser
        return np.asarray(1 / rates[self.limit.neuron])

    def first_half(self, inverse_scale: float) -> float:
        """When the first jump is halfway, to first order, in slow time."""
        import jax.numpy as jnp

        from wflow.networks.saddle import time_to_level

        goal = jnp.log(self.limit.value[0]) / 2
        neurons = self.neurons(-inverse_scale)
        times = time_to_level(self.data, neurons, self.data.y, goal)
        return float(times[self.limit.neuron[0]]) / inverse_scale


def draw_instances(
    key: Any,
    count: int,
    samples: int,
    width: int,
    labels: Labels,
    least_gap: float,
) -> tuple[list[Instance], int]:
    """Instances in which every jump leads by ``least_gap``, and how many were drawn.

    Raises:
        CommandError: too few of the first draws do.
    """
    import jax
    import jax.numpy as jnp

    from wflow.networks.saddle import ReLUData, limit_of_cover, small_neurons

    def draw(key: Any) -> Any:
        of_labels, of_neurons = jax.random.split(key)
        data = ReLUData.orthogonal(labels.draw(of_labels, samples))
        neurons = small_neurons(of_neurons, width, data, -1.0)
        return data, of_neurons, limit_of_cover(data, neurons.active, neurons.sign)

    drawn = jax.jit(jax.vmap(draw))(jax.random.split(key, _DRAWS))
    limit = drawn[2]
    fits = (jnp.min(limit.gap, axis=1) >= least_gap) & (limit.neuron[:, 0] >= 0)
    kept = np.flatnonzero(np.asarray(fits))[:count]
    if len(kept) < count:
        raise CommandError(
            f"least_gap: {len(kept)} of {_DRAWS} draws have jumps that lead by "
            f"{least_gap:g}; expected at least {count} (instances). Lower it."
        )
    instances = []
    for index in kept:
        data, of_neurons, limit = jax.tree.map(lambda leaf, i=index: leaf[i], drawn)
        instances.append(Instance(data, of_neurons, width, limit))
    return instances, int(kept[-1]) + 1
