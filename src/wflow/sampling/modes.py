"""Where particles climb to: the modes that they have found."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jaxtyping import Array, Float

from wflow.checks import count, finite, non_negative, shape, to_real

from .density import check_density
from .target import Target


# Modes closer than this share of the climbers' spread are one.
_APART = 1e-2


class Mode(NamedTuple):
    """A maximum of a log-density, and the share of the weight that climbs to it.

    Attributes:
        location: all parameters at the maximum, one number after the other; of a
            function of ``(d,)`` the point ``(d,)``.
        log_density: there, with respect to the parameters.
        weight: of the particles in its basin.
        particles: their number.
        parameters: the same numbers by name, in their supports.
    """

    location: np.ndarray
    log_density: float
    weight: float
    particles: int
    parameters: dict[str, np.ndarray]


def find_modes(
    log_density: Callable[[Float[Array, " d"]], Float[Array, ""]] | Target,
    x: Float[Array, "n d"],
    weights: Float[Array, " n"] | None = None,
    *,
    radius: float | None = None,
    max_steps: int = 512,
) -> list[Mode]:
    """The modes that points climb to, with the share of the weight in each basin.

    Maxima of ``log_density`` by BFGS from every point, heaviest first. Of a ``Target``
    the modes are those of the density with respect to its parameters, as its user wrote
    it: unlike means, they would lie elsewhere in the unconstrained coordinates in which
    climbs are made. (Those are meant where a target was made by hand with ``constrain``
    and without ``log_jacobian``.) Where the density has no upper bound at the edge of a
    support, no mode is found there.

    Args:
        log_density: of one point, or a target.
        x: where climbs start, in the target's unconstrained coordinates.
        weights: of the points, by default equal.
        radius: maxima that are closer in the coordinates of ``x`` are one; by default
            a hundredth of the points' root mean square distance to their mean.
        max_steps: of a climb. One that does not end counts for no mode, so that weights
            may sum to less than those of the points.

    Raises:
        ValueError: points that are not ``(n, d)`` or not finite, weights that are not
            ``(n,)``, a radius or number of steps out of range, or a log-density that is
            no real number.
        TypeError: an argument of the wrong type.
    """
    target = log_density if isinstance(log_density, Target) else Target(log_density)
    x = to_real(x, "x")
    if x.ndim != 2 or x.size == 0:
        raise ValueError(
            f"find_modes: expected x of shape (n, d), n >= 1, found {x.shape}."
        )
    finite("find_modes", "x", x)
    count("find_modes", "max_steps", max_steps)
    check_density("find_modes", "log_density", target.parameter_density, x[0])
    shares = np.full(len(x), 1 / len(x))
    if weights is not None:
        shape("find_modes", "weights", weights, (len(x),))
        finite("find_modes", "weights", weights)
        shares = np.asarray(weights)
    if radius is None:
        spread = jnp.sqrt(jnp.sum(jnp.var(x, axis=0)))
        radius = float(_APART * spread) or float(jnp.finfo(x.dtype).eps)
    shape("find_modes", "radius", radius, ())
    non_negative("find_modes", "radius", radius, infinite=True)
    found = _climb(target.parameter_density, x, max_steps)
    tops, logs, ended, starts = (np.asarray(a) for a in found)
    if np.isnan(starts).all():
        raise ValueError(
            "find_modes: expected log_density to be a number somewhere in x, found nan "
            f"at all {len(x)} points."
        )
    read = _read(target, jnp.asarray(tops))
    numbers, parameters = jax.tree.map(np.asarray, read)
    left = np.flatnonzero(ended)[np.argsort(-logs[ended], kind="stable")]
    modes = []
    while len(left):
        near = np.linalg.norm(tops[left] - tops[left[0]], axis=1) <= radius
        own, best = left[near], left[0]
        weight = float(shares[own].sum())
        named = {name: parameters[name][best] for name in target.names}
        top = float(logs[best])
        modes.append(Mode(numbers[best], top, weight, len(own), named))
        left = left[~near]
    return sorted(modes, key=lambda mode: -mode.weight)


@eqx.filter_jit
def _read(target: Target, x: Array) -> tuple[Array, dict[str, Array]]:
    """All parameters at every point: as rows of numbers, and by name."""
    return jax.vmap(target.scalars)(x), jax.vmap(target.constrain)(x)


@eqx.filter_jit
def _climb(
    log_density: Callable[[Array], Array], x: Array, max_steps: int
) -> tuple[Array, Array, Array, Array]:
    # Points agree to far less than a radius.
    tol = float(jnp.finfo(x.dtype).eps) ** 0.5
    solver = optx.BFGS(rtol=tol, atol=tol)

    def climb(start: Array) -> tuple[Array, Array, Array, Array]:
        found = optx.minimise(
            lambda y, args: -log_density(y),
            solver,
            start,
            max_steps=max_steps,
            throw=False,
        )
        top = log_density(found.value)
        ended = (found.result == optx.RESULTS.successful) & jnp.isfinite(top)
        return found.value, top, ended, log_density(start)

    return jax.vmap(climb)(x)
