"""The Gaussian that a log-density looks like at its mode."""

import warnings
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import count, known, to_real
from wflow.measures import Gaussian

from .density import check_density


# Curvatures are of coordinates scaled to unit diagonal, so that units do not matter.
# One below this part of the largest is taken for this part of it.
_FLOOR = 1e-10
_FLOOR_FLOAT32 = 1e-5
_POLISHES = 3


class LaplaceWarning(UserWarning):
    """The log-density is not strictly concave where the search for its mode ended."""


def laplace(
    log_density: Callable[[Float[Array, " d"]], Float[Array, ""]],
    start: Float[ArrayLike, " d"],
    *,
    max_steps: int = 1000,
) -> Gaussian:
    r"""The Gaussian that a density looks like at its mode: a quick first posterior.

    It is $N(m, H^{-1})$ at a mode m of $\pi$ with $H = -\nabla^2\log\pi(m)$.

    The mode is found by BFGS from ``start``, then by Newton's steps where they go up.
    Curvatures that are not positive are raised to a small part of the largest one.

    Args:
        log_density: a ``Target`` or any function of a point ``(d,)``.
        start: where the search begins, ``(d,)``.
        max_steps: of the search.

    Raises:
        ValueError: a start that is not a vector, or at which the log-density is not
            finite, a log-density that is no real number, or ``max_steps`` below 1.
        TypeError: an argument of the wrong type.
        RuntimeError: no mode within ``max_steps``.

    Warns:
        LaplaceWarning: curvatures were raised: m is no proper maximum.

    Reference: Tierney, Kadane, JASA 81 (1986), section 2.
    """
    start = to_real(start, "start")
    if start.ndim != 1:
        raise ValueError(f"laplace: expected start of shape (d,), found {start.shape}.")
    if start.size == 0:
        raise ValueError(
            "laplace: expected start with at least one number, found (0,)."
        )
    count("laplace", "max_steps", max_steps)
    check_density("laplace", "log_density", log_density, start)
    mode, cov, found = _mode(log_density, start, max_steps)
    if known(mode) is not None:
        _check(start, max_steps, *map(float, found))
    return Gaussian(mode, cov)


@eqx.filter_jit
def _mode(
    log_density: Callable[[Array], Array], start: Array, max_steps: int
) -> tuple[Array, Array, tuple[Array, ...]]:
    """Mode, covariance, and what ``_check`` looks at."""
    narrow = start.dtype == jnp.float32
    energy = lambda x, _=None: -log_density(x).astype(start.dtype)
    search = optx.minimise(
        energy,
        optx.BFGS(*(1e-4, 1e-4) if narrow else (1e-8, 1e-8)),
        start,
        max_steps=max_steps,
        throw=False,
    )
    floor = _FLOOR_FLOAT32 if narrow else _FLOOR

    def curvature(x: Array) -> tuple[Array, Array]:
        """Least curvature, and a root of the inverse of the Hessian."""
        hessian = jax.hessian(energy)(x)
        diagonal = jnp.abs(jnp.diagonal(hessian))
        least = jnp.finfo(start.dtype).eps ** 2 * jnp.max(diagonal)
        scale = jnp.sqrt(jnp.maximum(diagonal, jnp.where(least > 0, least, 1.0)))
        values, vectors = jnp.linalg.eigh(hessian / jnp.outer(scale, scale))
        largest = jnp.max(jnp.abs(values))
        largest = jnp.where(largest > 0, largest, 1.0)
        raised = jnp.maximum(values, floor * largest)
        return values[0] / largest, vectors / jnp.sqrt(raised) / scale[:, None]

    def polish(_: Any, x: Array) -> Array:
        _, root = curvature(x)
        new = x - root @ (root.T @ jax.grad(energy)(x))
        # Next to the mode the energy differs by less than its rounding.
        slack = 4 * jnp.finfo(start.dtype).eps * jnp.abs(energy(x))
        return jnp.where(energy(new) <= energy(x) + slack, new, x)

    mode = jax.lax.fori_loop(0, _POLISHES, polish, search.value)
    lowest, root = curvature(mode)
    decrement = jnp.linalg.norm(root.T @ jax.grad(energy)(mode))
    cov = root @ root.T
    return mode, (cov + cov.T) / 2, (energy(start), energy(mode), lowest, decrement)


def _check(
    start: Array,
    max_steps: int,
    first: float,
    last: float,
    lowest: float,
    decrement: float,
) -> None:
    if not np.isfinite(first):
        raise ValueError(
            f"laplace: expected log_density to be finite at start, found {-first} at "
            f"{start.tolist()}."
        )
    narrow = start.dtype == jnp.float32
    # In standard deviations, what a Newton step would still move.
    if not (np.isfinite(last) and decrement <= (1e-1 if narrow else 1e-3)):
        raise RuntimeError(
            f"laplace: no mode within {max_steps} steps from {start.tolist()}; a step "
            f"of Newton would move it by {decrement:.3g} standard deviations still."
        )
    if not lowest > (_FLOOR_FLOAT32 if narrow else _FLOOR):
        warnings.warn(
            "laplace: the log-density is not strictly concave where the search ended: "
            f"its least curvature is {lowest:.3g} of the largest. It was raised; the "
            "covariance is wide along it.",
            LaplaceWarning,
            stacklevel=3,
        )
