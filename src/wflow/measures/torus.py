"""The torus: coordinates that come round again."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks.arrays import described


def nearest_image(
    x: Float[Array, "*n d"],
    y: Float[Array, "*n d"],
    period: Float[ArrayLike, ""] | Float[ArrayLike, " d"] | None,
) -> Float[Array, "*n d"]:
    r"""The image of y that is nearest to x: $y + kp$, the k of every axis whole.

    ``x - nearest_image(x, y, period)`` is the shortest displacement, with the
    derivatives of x - y. An energy of pairs takes ``mu.period`` and is periodic.

    Args:
        x: points, ``(d,)`` or ``(..., d)``.
        y: points that go together with them.
        period: p, a length or one per axis, infinite where an axis does not come round;
            None is no period, and y itself.

    Raises:
        TypeError: an argument that is no array of numbers.
        ValueError: points of unlike dimensions; a period that is not above zero, or of
            another shape.
    """
    x, y = checks.to_real(x, "x"), checks.to_real(y, "y")
    sizes = list(zip(x.shape[::-1], y.shape[::-1], strict=False))
    apart = any(1 not in pair and len(set(pair)) > 1 for pair in sizes)
    if apart or x.shape[-1:] != y.shape[-1:] or not x.ndim:
        raise ValueError(
            "nearest_image: expected points x and y of one dimension d that go "
            f"together, found shapes {x.shape} and {y.shape}."
        )
    if period is None:
        return y
    period = checks.to_real(period, "period")
    check_period("nearest_image", period, y.shape[-1])
    # An axis of infinite length is turned round zero times, without inf * 0.
    open_axis = jnp.isinf(period)
    length = jnp.where(open_axis, 1, period).astype(y.dtype)
    turns = jnp.where(open_axis, 0, jnp.round((x - y) / length))
    return y + turns * length


def check_period(owner: object, period: ArrayLike, dim: int) -> None:
    """Refuse what is neither a length above zero nor one for each of ``dim`` axes.

    Raises:
        ValueError: it is not, or it is nan.
    """
    found = jnp.shape(period)
    if found not in ((), (dim,)):
        raise ValueError(
            f"{checks.named(owner)}: expected period to be a number or of shape "
            f"({dim},), one for each axis, found shape {found}."
        )
    checks.positive(owner, "period", period, infinite=True)


def common_period(owner: object, mu: Any, target: Any) -> Any:
    """The period of ``mu``, which a target has too, or none.

    Raises:
        ValueError: the target has another one.
    """
    if target.period is None:
        return mu.period
    if mu.period is not None:
        mine, other = checks.known(mu.period), checks.known(target.period)
        if mine is None or other is None or np.allclose(mine, other):
            return mu.period
    raise ValueError(
        f"{checks.named(owner)}: expected the target to have the period of the "
        f"measure or none, found {described(target.period)} and "
        f"{described(mu.period)}."
    )
