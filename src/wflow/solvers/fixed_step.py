"""One fixed step of any flow without jumps, for loops that are compiled as a whole."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from wflow.flows import AbstractContinuousFlow
from wflow.measures.base import Moving, State


def fixed_step(
    flow: AbstractContinuousFlow,
    mu: Moving,
    t: Float[Array, ""],
    h: Float[Array, ""],
    key: PRNGKeyArray | None = None,
    dw: State | None = None,
) -> Moving:
    r"""``mu`` a step of length h later, by Heun's method.

    $y^* = y + h f(y) + \sigma(y)\,\Delta W$,
    $y^+ = y + \frac h2 (f(y) + f(y^*)) + \frac12 (\sigma(y) + \sigma(y^*))\,\Delta W$;
    for Ito's noise whose amplitude depends on the state $y^*$ itself, Euler-Maruyama.
    The same map as ``solve`` with ``diffrax.Heun()`` and ``diffrax.Euler()``.
    $\Delta W$ is ``dw``, or else drawn by ``key``.

    Raises:
        ValueError: the flow has noise, and there is neither of them.
    """
    noise = flow.noise(mu, t)
    if noise is None:
        first = flow.velocity(mu, t)
        middle = mu.with_state(_moved(mu.state, h, first))
        second = flow.velocity(middle, t + h)
        return mu.with_state(_moved(_moved(mu.state, h / 2, first), h / 2, second))
    if dw is None:
        if key is None:
            raise ValueError(
                f"fixed_step: expected key, since {type(flow).__name__} is noisy."
            )
        dw = _increment(mu.state, h, key)
    first = flow.velocity(mu, t)
    kick = noise.operator(mu).mv(dw)
    middle = mu.with_state(_added(_moved(mu.state, h, first), kick))
    if noise.kind == "ito":
        return middle
    second = flow.velocity(middle, t + h)
    later = flow.noise(middle, t + h)
    if noise.kind == "stratonovich" and later is not None:
        again = later.operator(middle).mv(dw)
        kick = jax.tree.map(lambda a, b: (a + b) / 2, kick, again)
    drifted = _moved(_moved(mu.state, h / 2, first), h / 2, second)
    return mu.with_state(_added(drifted, kick))


def brownian_step(
    state: State,
    h: Float[Array, ""],
    key: PRNGKeyArray,
    k: Int[Array, ""],
    level: Int[Array, ""],
) -> State:
    r"""Increment ``k`` of Brownian motion in steps h that were halved ``level`` times.

    Of every level the same path, so that finer steps follow it more closely: of an
    increment $\Delta W$ of length H the halves are $\Delta W/2 \pm \sqrt{H/4}\,\xi$.

    Reference: Levy's construction; Karatzas, Shreve, Brownian Motion and Stochastic
    Calculus (1991), section 2.3.
    """
    whole = _increment(state, h * 2.0**level, jax.random.fold_in(key, k >> level))

    def halved(depth: Array, dw: State) -> State:
        left = level - depth
        own = jax.random.fold_in(jax.random.fold_in(key, -1 - depth), k >> left)
        bridge = _increment(state, h * 2.0 ** (left - 2), own)
        sign = 1 - 2 * ((k >> (left - 1)) & 1)
        return jax.tree.map(lambda a, b: a / 2 + sign * b, dw, bridge)

    return jax.lax.fori_loop(0, level, halved, whole)


def _increment(state: State, h: Array, key: PRNGKeyArray) -> State:
    """Of Brownian motion over a step, of the shape of a state."""
    leaves, structure = jax.tree.flatten(state)
    keys = jax.random.split(key, len(leaves))
    return structure.unflatten(
        [
            jnp.sqrt(h).astype(leaf.dtype)
            * jax.random.normal(one, leaf.shape, leaf.dtype)
            for one, leaf in zip(keys, leaves, strict=True)
        ]
    )


def _moved(state: State, h: Array, rate: State) -> State:
    return jax.tree.map(lambda y, f: y + h * f, state, rate)


def _added(state: State, kick: State) -> State:
    return jax.tree.map(jnp.add, state, kick)
