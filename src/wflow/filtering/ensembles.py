"""Ensembles as they are given: looked at, told apart, and inflated."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import to_real
from wflow.measures import Gaussian, Particles
from wflow.measures.particles import LOG_ZERO, refuse_period


def ensemble(owner: object, initial: Any) -> Particles:
    """``initial`` as Particles, of equal weights if it is an array ``(n, d)``.

    Raises:
        ValueError: of another shape, of less than two members, or not finite.
        TypeError: it is no array of numbers.
    """
    name = type(owner).__name__
    if isinstance(initial, Particles):
        refuse_period(owner, initial)
        members = initial.n
    else:
        if np.ndim(initial) != 2:
            raise ValueError(
                f"{name}: expected initial of shape (n, d) or Particles, found "
                f"{_described(initial)}."
            )
        initial = checks.at_least_single(to_real(initial, "initial"))
        members = len(initial)
    if members < 2:
        raise ValueError(
            f"{name}: expected an initial ensemble of at least 2 members, found "
            f"{members}."
        )
    if not isinstance(initial, Particles):
        initial = Particles.from_samples(initial)
    x, logw = checks.known(initial.x), checks.known(initial.logw)
    if x is not None:
        finite = np.isfinite(x).all(axis=1)
        if not finite.all():
            raise ValueError(
                f"{name}: {int((~finite).sum())} of {initial.n} members of initial are "
                f"not finite, the first is {int(np.argmin(finite))}."
            )
    top = None if logw is None else np.max(logw)
    if top is not None and not LOG_ZERO < top < np.inf:
        raise ValueError(
            f"{name}: expected weights of initial that are finite and not all 0, found "
            f"the largest logarithm {top:g}."
        )
    return initial


def no_spread(measure: Any) -> str | None:
    """In what way a law that is known is one single state; None if it is none.

    Members differ if they do so by more than rounding.
    """
    if isinstance(measure, Gaussian):
        cov = checks.known(measure.cov)
        one = cov is not None and not np.diagonal(cov).any()
        return "the covariance of initial is zero" if one else None
    if not isinstance(measure, Particles):
        return None
    x, logw = checks.known(measure.x), checks.known(measure.logw)
    if x is None or logw is None:
        return None
    if identical(x[np.exp(logw - np.max(logw)) > 0]):
        return f"all {len(x)} members of initial are identical"
    return None


def identical(rows: np.ndarray) -> bool:
    """Whether all rows are the same but for rounding."""
    rounding = 8 * np.finfo(rows.dtype).eps * np.abs(rows).max(axis=0, initial=0)
    return bool((np.ptp(rows, axis=0) <= rounding).all())


def inflated(
    x: Float[Array, "n d"], inflation: Float[ArrayLike, ""]
) -> Float[Array, "n d"]:
    r"""Members moved away from their mean, which stays.

    $x_i \leftarrow \bar x + \lambda (x_i - \bar x)$.
    """
    # In this form nothing moves, to the bit, where the inflation is one.
    return x + (jnp.asarray(inflation, x.dtype) - 1) * (x - jnp.mean(x, axis=0))


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray | jax.Array):
        return f"an array of shape {value.shape}"
    return type(value).__name__
