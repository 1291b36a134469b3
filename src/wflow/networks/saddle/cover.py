"""Whether a width suffices: every sample needs a neuron that can fit it."""

import math
from functools import partial

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PRNGKeyArray

from wflow.checks import count, finite, non_negative, shape, to_real, within
from wflow.checks import positive as positive_number


def sample_cover(
    key: PRNGKeyArray, width: int, n: int
) -> tuple[Bool[Array, "m n"], Int[Array, " m"]]:
    """Units and signs of independent neurons, on or off and + or - by fair coins.

    Raises:
        ValueError: width or n below 1.
    """
    count("sample_cover", "width", width)
    count("sample_cover", "n", n)
    units, signs = jax.random.split(key)
    active = jax.random.bits(units, (width, n), jnp.uint8) < 128
    return active, jax.random.rademacher(signs, (width,), int)


def interpolation_probability(
    width: int, positive: ArrayLike, negative: ArrayLike
) -> Float[Array, " *shape"]:
    r"""The chance that a small network of m neurons learns all its samples.

    $\sum_{q=0}^m \binom{m}{q} 2^{-m} (1 - 2^{-q})^{n_+} (1 - 2^{-(m-q)})^{n_-}$: that m
    neurons with independent fair signs and units cover ``positive`` and ``negative``
    samples, and so that the flow ends at loss zero.

    Args:
        width: m, the number of neurons.
        positive: number of samples with a positive label.
        negative: number of samples with a negative label.

    Raises:
        ValueError: ``width < 1``, or a negative number of samples.

    It sharpens m = O(log n) of Town, Boursier, Lewis, Englert, Lazic, arXiv:2605.27097.
    """
    count("interpolation_probability", "width", width)
    for name, value in (("positive", positive), ("negative", negative)):
        non_negative("interpolation_probability", name, value)
    # Sizes in powers of two: few programs serve all widths.
    size = 2 ** math.ceil(math.log2(width + 1))
    return _probability(jnp.asarray(width), positive, negative, size)


@partial(jax.jit, static_argnums=3)
def _probability(width: Array, positive: Array, negative: Array, size: int) -> Array:
    dtype = jnp.result_type(float)
    m, q = width.astype(dtype), jnp.arange(size, dtype=dtype)
    rest = jnp.maximum(m - q, 0)
    log_weight = gammaln(m + 1) - gammaln(q + 1) - gammaln(rest + 1) - m * math.log(2)
    covers = _covers(q, positive) * _covers(rest, negative)
    return jnp.sum(jnp.where(q <= m, jnp.exp(log_weight), 0) * covers, axis=-1)


def _covers(neurons: Array, samples: ArrayLike) -> Array:
    """Chance that q neurons cover all samples, $(1 - 2^{-q})^n$, with $0^0 = 1$."""
    samples = jnp.asarray(samples, neurons.dtype)[..., None]
    some = neurons > 0
    safe = jnp.where(some, neurons, 1)
    power = jnp.exp(samples * jnp.log1p(-(2.0**-safe)))
    return jnp.where(some, power, jnp.where(samples == 0, 1.0, 0.0))


def covering_width(
    active: Bool[ArrayLike, "m n"],
    sign: Int[ArrayLike, " m"],
    labels: Float[ArrayLike, " n"],
) -> Float[Array, ""]:
    """How many of the first neurons cover all samples; infinite where all do not.

    A neuron covers the samples of its sign on which its unit is on.

    Args:
        active: which units are on.
        sign: of the neurons.
        labels: of the samples; only their signs count.

    Raises:
        TypeError: no numbers.
        ValueError: shapes that do not fit, or labels that are not finite.
    """
    active, sign = to_real(active, "active") > 0, to_real(sign, "sign")
    shape("covering_width", "active", active, ("m", "n"))
    shape("covering_width", "sign", sign, active.shape[:1])
    labels = to_real(labels, "labels")
    shape("covering_width", "labels", labels, active.shape[1:])
    finite("covering_width", "labels", labels)
    covers = active & (sign[:, None] * labels > 0)
    first = jnp.where(covers.any(axis=0), jnp.argmax(covers, axis=0) + 1, jnp.inf)
    return jnp.max(first)


def failure_bound(width: ArrayLike, n: ArrayLike) -> Float[Array, " *shape"]:
    """Bound on the chance that a sample stays uncovered, $n (3/4)^m$.

    No less than that of m neurons.

    Raises:
        ValueError: a width or a number of samples that is not positive.
    """
    positive_number("failure_bound", "width", width)
    positive_number("failure_bound", "n", n)
    width = jnp.asarray(width, jnp.result_type(float))
    return jnp.asarray(n) * 0.75**width


def width_for(positive: int, negative: int, probability: float = 0.99) -> int:
    """The least width that learns all samples with at least a given probability.

    Args:
        positive: number of samples with a positive label.
        negative: number of samples with a negative label.
        probability: in (0, 1).

    Raises:
        ValueError: no samples, or a probability outside (0, 1).
    """
    count("width_for", "positive", positive, least=0)
    count("width_for", "negative", negative, least=0)
    if positive + negative == 0:
        raise ValueError(
            "width_for: expected positive or negative samples, found none."
        )
    finite("width_for", "probability", probability)
    within("width_for", "probability", probability, 0, 1, closed="neither")
    low, high = (
        0,
        math.ceil(
            math.log((positive + negative) / (1 - probability)) / math.log(4 / 3)
        ),
    )
    # The chance grows with the width, and the union bound says that ``high`` suffices.
    while high - low > 1:
        middle = (low + high) // 2
        chance = interpolation_probability(middle, positive, negative)
        low, high = (low, middle) if chance >= probability else (middle, high)
    return high
