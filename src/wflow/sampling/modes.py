"""Where particles climb to: the modes that they have found."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jaxtyping import Array, Float


# Modes closer than this share of the climbers' spread are one.
_APART = 1e-2


class Mode(NamedTuple):
    """A maximum of a log-density, and the share of the weight that climbs to it.

    ``location`` ``(d,)``, ``log_density`` there, ``weight`` and number of
    ``particles`` in its basin.
    """

    location: np.ndarray
    log_density: float
    weight: float
    particles: int


def find_modes(
    log_density: Callable[[Float[Array, " d"]], Float[Array, ""]],
    x: Float[Array, "n d"],
    weights: Float[Array, " n"] | None = None,
    *,
    radius: float | None = None,
    max_steps: int = 512,
) -> list[Mode]:
    """Maxima of ``log_density`` that BFGS climbs to from the points, heaviest first.

    Args:
        log_density: of one point.
        x: where climbs start.
        weights: of the points, by default equal.
        radius: maxima that are closer are one; by default a hundredth of the points'
            root mean square distance to their mean.
        max_steps: of a climb. One that does not end counts for no mode, so that weights
            may sum to less than those of the points.
    """
    shares = np.full(len(x), 1 / len(x)) if weights is None else np.asarray(weights)
    if radius is None:
        spread = jnp.sqrt(jnp.sum(jnp.var(x, axis=0)))
        radius = float(_APART * spread) or float(jnp.finfo(x.dtype).eps)
    tops, logs, ended = (np.asarray(a) for a in _climb(log_density, x, max_steps))
    left = np.flatnonzero(ended)[np.argsort(-logs[ended], kind="stable")]
    modes = []
    while len(left):
        near = np.linalg.norm(tops[left] - tops[left[0]], axis=1) <= radius
        own, best = left[near], left[0]
        weight = float(shares[own].sum())
        modes.append(Mode(tops[best], float(logs[best]), weight, len(own)))
        left = left[~near]
    return sorted(modes, key=lambda mode: -mode.weight)


@eqx.filter_jit
def _climb(
    log_density: Callable[[Array], Array], x: Array, max_steps: int
) -> tuple[Array, Array, Array]:
    # Points agree to far less than a radius.
    tol = float(jnp.finfo(x.dtype).eps) ** 0.5
    solver = optx.BFGS(rtol=tol, atol=tol)

    def climb(start: Array) -> tuple[Array, Array, Array]:
        found = optx.minimise(
            lambda y, args: -log_density(y),
            solver,
            start,
            max_steps=max_steps,
            throw=False,
        )
        top = log_density(found.value)
        ended = (found.result == optx.RESULTS.successful) & jnp.isfinite(top)
        return found.value, top, ended

    return jax.vmap(climb)(x)
