"""What all distances between clouds ask of their arguments."""

from typing import Any, Literal

import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float

from wflow import checks


def power(owner: str, p: Any) -> Literal[1, 2]:
    """The exponent of the cost, 1 or 2.

    Raises:
        ValueError: it is neither.
    """
    number = isinstance(p, int | float | np.number) and not isinstance(p, bool)
    if number and p in (1, 2):
        return 1 if p == 1 else 2
    checks.one_of(owner, "p", p, (1, 2))
    raise AssertionError


def cloud(owner: str, name: str, points: ArrayLike) -> Float[Array, "n d"]:
    """Points as an array ``(n, d)`` of at least single precision.

    Raises:
        TypeError: they are no array of numbers.
        ValueError: they are complex, of another shape, none, or not finite.
    """
    points = checks.at_least_single(checks.to_real(points, name))
    check_cloud(owner, name, points)
    return points


def masses(
    owner: str, name: str, weights: ArrayLike | None, n: int
) -> Float[Array, " n"] | None:
    """Weights as an array ``(n,)``; None stays None.

    Raises:
        TypeError: they are no array of numbers.
        ValueError: they are complex, of another shape, negative or not finite, or they
            sum to zero.
    """
    if weights is None:
        return None
    weights = checks.at_least_single(checks.to_real(weights, name))
    checks.shape(owner, name, weights, (n,))
    checks.weights(owner, name, weights)
    return weights


def check_cloud(owner: str, name: str, points: Array | np.ndarray) -> None:
    """Refuse points that are not ``(n, d)``, n, d >= 1, or not finite.

    Raises:
        ValueError: they are not.
    """
    checks.shape(owner, name, points, ("n", "d"))
    if 0 in points.shape:
        raise ValueError(
            f"{owner}: expected {name} of shape (n, d) with at least one point and one "
            f"coordinate, found {points.shape}."
        )
    checks.finite(owner, name, points)


def check_dimensions(owner: str, x: Any, y: Any, names: str = "x and y") -> None:
    """Refuse clouds of unlike dimensions.

    Raises:
        ValueError: they are.
    """
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"{owner}: expected {names} of one dimension, found {x.shape[1]} and "
            f"{y.shape[1]}."
        )


def in_double(owner: str, name: str, value: ArrayLike) -> np.ndarray:
    """``value`` as numpy's float64, whatever JAX's own precision.

    Raises:
        TypeError: it is no array of numbers.
        ValueError: it is complex, or traced.
    """
    if isinstance(value, Tracer):
        raise ValueError(
            f"{owner}: {name} is a tracer: exact transport runs outside jit, grad and "
            "vmap; inside them use sinkhorn_divergence."
        )
    with jax.enable_x64(True):
        return np.asarray(checks.to_real(value, name), np.float64)
