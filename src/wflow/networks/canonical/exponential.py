"""Geodesics by shooting: the exponential map of the horizontal distribution."""

from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, ArrayLike, Bool, Float, PyTree

from wflow.checks import count, finite, instance, shape
from wflow.flows import AbstractDissipativeFlow
from wflow.flows.base import safe_sqrt
from wflow.measures import Point
from wflow.solvers import solve

from .metric import NTKMetric, displacement, norm


class CogeodesicFlow(AbstractDissipativeFlow):
    r"""Shortest horizontal paths of parameters, from a point and a momentum.

    $\dot\theta = \partial_p H$, $\dot p = -\partial_\theta H$ for
    $H = \frac12 p^T P_H p$ on a ``Point((model, momentum))``, the momentum like the
    moving part of the model. Its solutions are horizontal paths of constant speed
    $\sqrt{2H}$, locally the shortest. With another geometry G of the parameters, $P_H$
    stands for $G^{-1}J^TK^{-1}JG^{-1}$.

    Reference: Montgomery, A Tour of Subriemannian Geometries (2002), section 1.5.
    """

    metric: NTKMetric

    def __check_init__(self) -> None:
        instance(self, "metric", self.metric, NTKMetric, "an NTKMetric")

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        model, momentum = mu.value
        point = Point(model)
        moved = self.metric.push(point, self.metric.raised(point, momentum))
        return self.metric.norm_squared(point, moved) / 2

    def velocity(self, mu: Any, t: ArrayLike = 0.0) -> PyTree[Array]:
        _, (by_theta, by_momentum) = mu.differential(self.value)
        return by_momentum, jax.tree.map(jnp.negative, by_theta)

    def dissipation(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return jnp.zeros((), mu.dtype)


def exponential(
    metric: NTKMetric, origin: Point, momentum: PyTree[Array], **options: Any
) -> tuple[Point, PyTree[Array]]:
    r"""End and momentum at time 1 of the geodesic that starts with ``momentum``.

    Its length is $\sqrt{p^T P_H(\theta_0) p}$. ``options`` are those of ``solve``.

    Raises:
        TypeError: a metric or an origin that is none.
        ValueError: a momentum that is not like the moving part of the model, or not
            finite.
    """
    instance("exponential", "metric", metric, NTKMetric, "an NTKMetric")
    instance("exponential", "origin", origin, Point, "a Point")
    _check_momentum("exponential", "momentum", origin, momentum)
    start = Point((origin.value, momentum))
    end = solve(CogeodesicFlow(metric), start, 0.0, 1.0, **options)[-1]
    model, momentum = end.value
    return Point(model), momentum


def _check_momentum(owner: str, name: str, origin: Point, momentum: Any) -> None:
    """Refuse a momentum that is not like the moving part of a model."""
    shapes = [
        (jax.tree.structure(tree), [jnp.shape(leaf) for leaf in jax.tree.leaves(tree)])
        for tree in (origin.state, momentum)
    ]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"{owner}: expected {name} like the moving part of origin, of shapes "
            f"{shapes[0][1]}, found {shapes[1][1]}."
        )
    for leaf in jax.tree.leaves(momentum):
        finite(owner, name, leaf)


class Logarithm(NamedTuple):
    """A geodesic that was shot at a target.

    ``momentum`` at its start, its ``end`` and ``length``, the ``miss`` (Euclidean
    distance of the end from the target), and whether the search converged.
    """

    momentum: PyTree[Array]
    end: Point
    length: Float[Array, ""]
    miss: Float[Array, ""]
    converged: Bool[Array, ""]


def logarithm(
    metric: NTKMetric,
    origin: Point,
    target: Point | Float[Array, " n"],
    guess: PyTree[Array] | None = None,
    *,
    steps: int = 32,
) -> Logarithm:
    r"""The geodesic from ``origin`` to parameters, or to a fiber of outputs.

    With a Point as ``target`` it ends at these very parameters, where they can be
    reached; with outputs ``(n,)`` at the nearest point of the fiber, where its momentum
    is horizontal. Newton's shooting in the momentum with damping
    (Levenberg-Marquardt): for small models, from a ``guess`` that is near, by default
    the straight displacement (lifted, for outputs).

    Raises:
        TypeError: a metric or an origin that is none.
        ValueError: a target or a guess that does not fit the origin or is not finite,
            or steps < 1.
    """
    instance("logarithm", "metric", metric, NTKMetric, "an NTKMetric")
    instance("logarithm", "origin", origin, Point, "a Point")
    count("logarithm", "steps", steps)
    if isinstance(target, Point):
        _check_momentum("logarithm", "target", origin, target.state)
    else:
        expected = jax.eval_shape(lambda: metric.outputs(origin)).shape
        shape("logarithm", "target", target, expected)
        finite("logarithm", "target", target)
    if guess is not None:
        _check_momentum("logarithm", "guess", origin, guess)
    return _logarithm(metric, origin, target, guess, steps)


@eqx.filter_jit
def _logarithm(
    metric: NTKMetric,
    origin: Point,
    target: Point | Float[Array, " n"],
    guess: PyTree[Array] | None,
    steps: int,
) -> Logarithm:
    if guess is None:
        guess = (
            displacement(target, origin)
            if isinstance(target, Point)
            else metric.lift(origin, target - metric.outputs(origin))
        )
    flat, restore = ravel_pytree(guess)

    def shoot(momentum: Array) -> tuple[Point, PyTree[Array]]:
        return exponential(
            metric,
            origin,
            restore(momentum),
            solver=diffrax.Tsit5(),
            dt0=1.0 / steps,
            adjoint=diffrax.ForwardMode(),
            throw=False,
        )

    def miss(momentum: Array, args: Any) -> Any:
        del args
        end, last = shoot(momentum)
        if isinstance(target, Point):
            return displacement(end, target)
        return metric.outputs(end) - target, metric.vertical(end, last)

    tol = float(jnp.finfo(origin.dtype).eps) ** 0.75
    found = optx.least_squares(
        miss,
        optx.LevenbergMarquardt(rtol=tol, atol=tol),
        flat,
        max_steps=100,
        throw=False,
    )
    momentum = restore(found.value)
    end, _ = shoot(found.value)
    rest = miss(found.value, None)
    off = rest if isinstance(target, Point) else rest[0]
    start = Point((origin.value, momentum))
    length = safe_sqrt(2 * CogeodesicFlow(metric).value(start))
    converged = found.result == optx.RESULTS.successful
    return Logarithm(momentum, end, length, norm(off), converged)
