"""Descent from weights of size one in networks with the factor 1/m in front."""

import math
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field, model_validator

from wflow.networks.saddle import ReLUData, small_neurons
from wflow.networks.saddle.descent import descend, stable_step
from wflow.networks.saddle.jumps import limit_of_cover
from wflow.networks.saddle.neurons import LogNeurons, from_weights
from wflow.studies import Count, Increasing, Positive, StudyParams

from ._saddle import Counts, Sizes, StepShare


# Steps between checks of the states that are kept.
_STRIDE = 100


class Wide(StudyParams):
    """Gradient descent from dominated weights of size one, the factor 1/m in front.

    With weights over sqrt(m) that is ``descend`` from the scale 1/sqrt(m). It succeeds
    where the sum of squared residuals is below 1, and so below each squared label.

    Attributes:
        samples: n.
        widths: of the networks.
        dims: of random inputs, each at least n; orthogonal ones are run beside them.
        draws: for each width and kind of input; the same ones for all widths.
        labels: their sizes, at least 1; signs are fair.
        lengths: of the inputs.
        scale: of the weights, 1 for w of length about 1 in a network with the factor
            1 / width.
        step_share: of descent, over the largest at which it can rest.
        steps: of descent, rounded to hundreds.
    """

    samples: Count = 50
    widths: Annotated[list[Count], Field(min_length=2), Increasing]
    dims: Counts
    draws: Count = 20
    labels: Sizes = Sizes(low=1.0, high=2.0)
    lengths: Sizes = Sizes(low=1.0, high=2.0)
    scale: Positive = 1.0
    step_share: StepShare = 0.5
    steps: Annotated[int, Field(ge=100)] = 4000

    @model_validator(mode="after")
    def _in_reach(self) -> "Wide":
        if self.dims[0] < self.samples:
            raise ValueError(f"dims: expected none below samples = {self.samples}.")
        if self.labels.low < 1:
            raise ValueError(
                "labels.low: success is a sum of squared residuals below 1; expected "
                "labels of size >= 1, so that it leaves no sample out."
            )
        return self


def _data(p: Wide, key: jax.Array, dim: int | None) -> ReLUData:
    """Samples of random inputs; orthogonal ones where there is no dimension."""
    of_labels, of_lengths, of_inputs = jax.random.split(key, 3)
    low, high = p.lengths.ends
    y = p.labels.labels(of_labels, p.samples)
    lengths = jax.random.uniform(of_lengths, (p.samples,), minval=low, maxval=high)
    if dim is None:
        return ReLUData.orthogonal(y, lengths)
    directions = jax.random.normal(of_inputs, (p.samples, dim))
    norms = (directions**2).sum(axis=1, keepdims=True) ** 0.5
    return ReLUData.from_inputs(lengths[:, None] * directions / norms, y)


def runs(p: Wide, keys: jax.Array, dim: int | None) -> dict[str, np.ndarray]:
    """All draws of every width by descent, on inputs of a dimension or orthogonal ones.

    Returns:
        By width and draw, whether all samples are fitted, whether units that are on at
        the start cover them, and how many labels are positive.
    """
    most, inside = p.widths[-1], dim or p.samples

    def start(key: jax.Array, width: jax.Array) -> tuple:
        of_data, of_neurons, of_sizes = jax.random.split(key, 3)
        data = _data(p, of_data, dim)
        # A neuron of the network with 1/m in front is sqrt(m) times one of it without.
        share = p.scale / jnp.sqrt(width)
        log_scale = jnp.log(share) - 0.5 * math.log(inside)
        drawn = small_neurons(of_neurons, most, data, log_scale, dim=inside)
        size = jnp.exp(drawn.level)
        extra = share * jax.random.exponential(of_sizes, (most,))
        output, activation = drawn.sign * (size + extra), drawn.ratio * size[:, None]
        neurons = from_weights(data, output, activation, drawn.rest * size)
        # Neurons beyond the width are off and stay so.
        real = jnp.arange(most) < width
        ratio = jnp.where(real[:, None], neurons.ratio, -1)
        neurons = LogNeurons(neurons.level, ratio, neurons.rest, neurons.sign)
        return data, neurons, p.step_share * stable_step(data)

    def end(data: ReLUData, neurons: LogNeurons, step: jax.Array) -> dict:
        points = round(p.steps / _STRIDE)
        course = descend(data, neurons, step, points=points, stride=_STRIDE)
        limit = limit_of_cover(data, neurons.active, neurons.sign)
        return {
            "fitted": jnp.sum(course.residual[-1] ** 2) < 1,
            "covered": ~jnp.any(limit.unfitted),
            "positive": jnp.sum(data.y > 0),
        }

    # One program for all widths, a width at a time. Two, since decompositions of
    # matrices beside the products of the descent have brought XLA to a standstill.
    starts, ends = jax.jit(jax.vmap(start, (0, None))), jax.jit(jax.vmap(end))
    rows = [ends(*starts(keys, jnp.asarray(float(width)))) for width in p.widths]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
