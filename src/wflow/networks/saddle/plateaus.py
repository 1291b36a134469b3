"""Exact motion of small neurons while the residual stands still."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import finite, instance, non_negative, shape, to_real, within

from .data import ReLUData
from .neurons import LogNeurons


class _Walk(NamedTuple):
    """One neuron on its way; ``reached`` is when its level came to the goal."""

    level: Float[Array, ""]
    ratio: Float[Array, " n"]
    rest: Float[Array, ""]
    left: Float[Array, ""]
    past: Float[Array, ""]
    reached: Float[Array, ""]


def plateau_motion(
    data: ReLUData,
    neurons: LogNeurons,
    residual: Float[Array, " n"],
    time: ArrayLike,
) -> LogNeurons:
    r"""Neurons a ``time`` later, under a residual that stands still.

    With $D_{jk} = \frac{s_j}{N} 1[p_{jk}>0]\,r_k$ and $g^2 = \sum_k D_k^2|x_k|^2$ the
    pair $(a, w\cdot\hat D)$ turns hyperbolically, $e^{\pm gt}$, until a unit dies; the
    time of the next death solves a quadratic equation in $e^{gt}$. Exact from death to
    death, of which there are at most n, and free of overflow.

    Raises:
        ValueError: inputs that are not orthogonal, a neuron with $|a_j| < |w_j|$, or
            numbers out of range.
    """
    residual = _checked("plateau_motion", data, neurons, residual)
    shape("plateau_motion", "time", time, ())
    non_negative("plateau_motion", "time", time)
    walks = _walk(data, neurons, residual, time, jnp.inf)
    return LogNeurons(walks.level, walks.ratio, walks.rest, neurons.sign)


def time_to_level(
    data: ReLUData,
    neurons: LogNeurons,
    residual: Float[Array, " n"],
    goal: ArrayLike,
) -> Float[Array, " m"]:
    r"""When $\log|a_j|$ comes to ``goal`` under a residual that stands still.

    Infinite where it never does. With $\frac12\log R_j$ for a goal this is the time
    $\frac{1}{2g_j}\log(R_j/c_j^2)$ at which the first jump, on its logistic curve, is
    halfway, but for terms of the order of the initialization.

    Raises:
        ValueError: inputs that are not orthogonal, a neuron with $|a_j| < |w_j|$, or
            numbers out of range.
    """
    residual = _checked("time_to_level", data, neurons, residual)
    shape("time_to_level", "goal", goal, (neurons.m,) if np.ndim(goal) else ())
    within("time_to_level", "goal", goal, -np.inf, np.inf)
    return _walk(data, neurons, residual, jnp.inf, goal).reached


def _checked(
    owner: str, data: ReLUData, neurons: LogNeurons, residual: ArrayLike
) -> Array:
    """The residual, of orthogonal data and of neurons that keep their sign."""
    instance(owner, "data", data, ReLUData, "a ReLUData")
    instance(owner, "neurons", neurons, LogNeurons, "LogNeurons")
    shape(owner, "neurons", neurons.ratio, (neurons.m, data.n))
    residual = to_real(residual, "residual")
    shape(owner, "residual", residual, (data.n,))
    finite(owner, "residual", residual)
    data.require_orthogonal(owner)
    neurons.require_dominated(owner, data)
    return residual


@eqx.filter_jit
def _walk(
    data: ReLUData,
    neurons: LogNeurons,
    residual: Array,
    time: ArrayLike,
    goal: ArrayLike,
) -> _Walk:
    drives = neurons.sign[:, None] * residual / data.normalizer
    dtype = neurons.level.dtype
    time, goal = jnp.asarray(time, dtype), jnp.asarray(goal, dtype)

    def one(neuron: tuple[Array, Array, Array], drive: Array, goal: Array) -> _Walk:
        zero = jnp.zeros((), dtype)
        walk = _Walk(*neuron, time, zero, jnp.full((), jnp.inf, dtype))
        step = lambda walk, _: (_to_next_death(walk, drive, data.gram, goal), None)
        return jax.lax.scan(step, walk, length=data.n + 1)[0]

    goals = jnp.broadcast_to(goal, neurons.level.shape)
    return jax.vmap(one)((neurons.level, neurons.ratio, neurons.rest), drives, goals)


def _to_next_death(walk: _Walk, drive: Array, squares: Array, goal: Array) -> _Walk:
    """To the death of a unit or the end of the time, whichever comes first."""
    on = walk.ratio > 0
    force = jnp.where(on, drive, 0)
    square = jnp.sum(force**2 * squares)
    moves = square > 0
    g = jnp.sqrt(jnp.where(moves, square, 1))
    # Rounding may bring a balanced start beyond 1.
    cosine = jnp.clip(jnp.sum(walk.ratio * force) / g, -1, 1)

    falls = on & (force < 0)
    span = jnp.where(falls, -walk.ratio / jnp.where(falls, force * squares, 1), jnp.inf)
    dies = jnp.argmin(span)
    any_falls = jnp.any(falls) & moves
    death = _angle_of_span(jnp.where(any_falls, span[dies], 0), g, cosine) / g
    death = jnp.where(any_falls, death, jnp.inf)
    dead_first = any_falls & (death <= walk.left)
    # Without a bound on the time the last stretch is for the goal alone.
    stop = jnp.where(dead_first, death, jnp.where(jnp.isinf(walk.left), 0, walk.left))
    stop = jnp.where(moves, stop, 0)

    rise = _angle_of_rise(goal - walk.level, cosine) / g
    here = jnp.where(moves, walk.past + rise, jnp.inf)
    here = jnp.where(goal <= walk.level, walk.past, here)
    within = jnp.isinf(walk.reached) & ((rise <= death) | (goal <= walk.level))
    reached = jnp.where(within, here, walk.reached)

    x = g * stop
    grown = (1 + cosine) / 2 + (1 - cosine) / 2 * jnp.exp(-2 * x)
    shrink = jnp.exp(-x) / grown
    # The integral of a over its start, times exp(-x), over ``grown``.
    moved = (
        (1 - jnp.exp(-2 * x)) / 2 + cosine * ((1 + jnp.exp(-2 * x)) / 2 - jnp.exp(-x))
    ) / (g * grown)
    ratio = walk.ratio * shrink + force * squares * moved
    ratio = jnp.where(dead_first & (jnp.arange(ratio.size) == dies), 0, ratio)
    return _Walk(
        walk.level + x + jnp.log(grown),
        ratio,
        walk.rest * shrink,
        walk.left - stop,
        walk.past + stop,
        reached,
    )


def _angle_of_span(span: Array, g: Array, cosine: Array) -> Array:
    r"""X with $\sinh x + c(\cosh x - 1) = g\,$span."""
    b = g * span + cosine
    product = (1 - cosine) * (1 + cosine)
    root = jnp.sqrt(jnp.maximum(b**2 + product, jnp.finfo(b.dtype).tiny))
    ahead = b >= 0
    up = (b + root) / jnp.where(ahead, 1 + cosine, 1)
    down = (1 - cosine) / jnp.where(ahead, 1, root - b)
    return jnp.log(jnp.where(ahead, up, down))


def _angle_of_rise(rise: Array, cosine: Array) -> Array:
    r"""The larger x with $\cosh x + c\sinh x = e^{\text{rise}}$; infinite if none."""
    product = (1 - cosine) * (1 + cosine)
    inside = 1 - product * jnp.exp(-2 * rise)
    fits = (inside >= 0) & (cosine > -1)
    root = jnp.sqrt(jnp.where(fits & (inside > 0), inside, 1))
    root = jnp.where(inside > 0, root, 0)
    x = rise + jnp.log((1 + root) / jnp.where(fits, 1 + cosine, 1))
    return jnp.where(fits, x, jnp.inf)
