"""Norms of what small starts learn, draw by draw."""

import jax
import jax.numpy as jnp

from wflow.networks.saddle import ReLUData
from wflow.networks.saddle.cover import sample_cover
from wflow.networks.saddle.jumps import limit_of_cover
from wflow.networks.saddle.norms import min_norm_squared

from ._saddle import Sizes, ends


def limits_of(
    keys: jax.Array, labels: Sizes, samples: int, width: int
) -> dict[str, jax.Array]:
    """By draw the limit's norm, the least one, its neurons and its first and last jump.

    Args:
        keys: one a draw.
        labels: their sizes.
        samples: n, of orthogonal inputs.
        width: neurons of which covers are drawn.
    """

    def one(key: jax.Array) -> dict[str, jax.Array]:
        of_labels, of_cover = jax.random.split(key)
        data = ReLUData.orthogonal(labels.labels(of_labels, samples))
        limit = limit_of_cover(data, *sample_cover(of_cover, width, samples))
        return {
            "norm_squared": limit.norm_squared,
            "least": min_norm_squared(data),
            "active": limit.count,
            "unfitted": jnp.sum(limit.unfitted),
            "first_jump": limit.tau[0],
            "last_jump": jnp.max(jnp.where(limit.neuron >= 0, limit.tau, 0)),
        }

    return jax.jit(lambda keys: jax.lax.map(one, keys))(keys)


def flows_of(
    keys: jax.Array, labels: Sizes, samples: int, width: int, inverse_scale: float
) -> dict[str, list[float]]:
    """By draw the norm that the flow itself ends with, the least and the foretold one.

    Args:
        keys: one a draw.
        labels: their sizes.
        samples: n, of orthogonal inputs.
        width: neurons.
        inverse_scale: log(1 / scale) of the start.
    """
    norms, least, foretold = [], [], []
    for key in keys:
        of_labels, of_neurons = jax.random.split(key)
        data = ReLUData.orthogonal(labels.labels(of_labels, samples))
        limit, course = ends(of_neurons, width, data, inverse_scale)
        norms.append(float(course.final.norm_squared(data)))
        least.append(float(min_norm_squared(data)))
        foretold.append(float(limit.norm_squared))
    return {"flow_norm": norms, "flow_least": least, "flow_foretold": foretold}
