"""Geodesic ridge: the shortest horizontal path to given outputs."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jaxtyping import Array, ArrayLike, Bool, Float

from wflow.checks import count, finite, instance, known, to_real
from wflow.energies import AbstractEnergy
from wflow.measures import (
    Point,
    UnsupportedMeasureError,
)
from wflow.solvers import solve

from .arc_length import ArcLengthFlow
from .lift import LiftFlow
from .metric import NTKMetric, displacement, norm
from .traveled import Traveled


class OutputCurve(eqx.Module):
    r"""The velocity $\Delta + \sum_k c_k \sqrt{2k+1}\,P_k(2t - 1)$ of a curve.

    On [0, 1]. Legendre polynomials of degree one on integrate to zero, so all these
    curves go the way $\Delta$; they are orthonormal, and a smooth geodesic needs few.
    """

    chord: Float[Array, " n"]
    coefficients: Float[Array, "modes n"]

    def __call__(self, mu: Point, t: ArrayLike) -> Float[Array, " n"]:
        del mu
        z = 2 * jnp.asarray(t) - 1
        before, now = jnp.ones_like(z), z
        rate = self.chord
        for k, coefficient in enumerate(self.coefficients, start=1):
            rate = rate + jnp.sqrt(2.0 * k + 1).astype(z.dtype) * now * coefficient
            before, now = now, ((2 * k + 1) * z * now - k * before) / (k + 1)
        return rate


class Geodesic(eqx.Module):
    r"""The shortest horizontal path from an origin to given outputs.

    Attributes:
        end: the parameters where it ends.
        length: of the path: an upper bound of the distance that falls with the modes.
        action: $\frac12 \int_0^1 |\dot\theta|^2 dt \geq \frac12$ length squared.
        chord: $|\theta(1) - \theta_0|$, a lower bound of the distance to the end.
        curve: the velocity of the outputs along it.
        converged: whether the search for the curve ended at its tolerance.
    """

    end: Point
    length: Float[Array, ""]
    action: Float[Array, ""]
    chord: Float[Array, ""]
    curve: OutputCurve
    converged: Bool[Array, ""]


def _lifted(
    metric: NTKMetric, origin: Point, curve: OutputCurve, steps: int
) -> Traveled:
    # Fixed steps: the action is then a smooth function of the curve.
    flow = ArcLengthFlow(LiftFlow(metric, curve))
    start = Traveled(origin)
    return solve(
        flow,
        start,
        0.0,
        1.0,
        solver=diffrax.Tsit5(),
        dt0=1.0 / steps,
        throw=False,
    )[-1]


def _search(
    metric: NTKMetric, origin: Point, outputs: Array, modes: int, steps: int
) -> tuple[OutputCurve, Array]:
    """The curve of least action, a constant to what differentiates it."""
    fixed = jax.lax.stop_gradient((metric, origin, outputs))
    metric, origin, outputs = fixed
    chord = outputs - metric.outputs(origin)
    # In coordinates in which the action is round at the origin.
    root = _root(metric, origin)

    def curve(weights: Array) -> OutputCurve:
        return OutputCurve(chord, weights @ root.T)

    def action(weights: Array, args: Any) -> Array:
        del args
        return _lifted(metric, origin, curve(weights), steps).action

    tol = float(jnp.finfo(origin.dtype).eps) ** 0.6
    found = optx.minimise(
        action,
        optx.BFGS(rtol=tol, atol=tol),
        jnp.zeros((modes, chord.size), origin.dtype),
        max_steps=200,
        throw=False,
    )
    converged = found.result == optx.RESULTS.successful
    return jax.lax.stop_gradient((curve(found.value), converged))


def _root(metric: NTKMetric, origin: Point) -> Float[Array, "n n"]:
    matrix = metric.kernel(origin).as_matrix()
    values, vectors = jnp.linalg.eigh(matrix)
    return vectors * jnp.sqrt(jnp.maximum(values, 0))


def geodesic(
    metric: NTKMetric,
    origin: Point,
    outputs: Float[Array, " n"],
    *,
    modes: int = 6,
    steps: int = 32,
) -> Geodesic:
    r"""The shortest path of parameters from ``origin`` to given ``outputs``.

    To the fiber $F(\theta) =$ ``outputs``. The outputs follow ``modes`` polynomials,
    lifted to the parameters by ``solve``; the coefficients minimize the action, by BFGS
    through the solve. For small models. Its derivatives are those at fixed
    coefficients, exact for the action at the minimum.

    Args:
        metric: whose horizontal paths count.
        origin: a Point, the model at the start.
        outputs: those to be reached, ``(n,)``.
        modes: polynomials in the curve of the outputs.
        steps: of the solve along it.

    Raises:
        ValueError: outputs that do not fit, no modes or steps, or a kernel that is
            singular at the origin or becomes so on the way.

    Reference: after Whittle et al., arXiv:2605.18180; Montgomery, A Tour of
    Subriemannian Geometries (2002), section 1.4 (the Carnot-Caratheodory distance).
    """
    instance("geodesic", "metric", metric, NTKMetric, "an NTKMetric")
    instance("geodesic", "origin", origin, Point, "a Point")
    outputs = to_real(outputs, "outputs").astype(origin.dtype).ravel()
    expected = jax.eval_shape(lambda: metric.outputs(origin)).shape
    if outputs.shape != expected:
        raise ValueError(
            f"geodesic: expected outputs of shape {expected}, found {outputs.shape}."
        )
    finite("geodesic", "outputs", outputs)
    count("geodesic", "modes", modes)
    count("geodesic", "steps", steps)
    metric.norm_squared(origin, outputs)  # refuses a singular kernel
    found = _geodesic(metric, origin, outputs, modes, steps)
    action = known(found.action)
    if action is not None and not np.isfinite(action):
        raise ValueError(
            "geodesic: the kernel of the outputs becomes singular on the way; take "
            "nearer outputs, or state rcond= of the NTKMetric."
        )
    return found


@eqx.filter_jit
def _geodesic(
    metric: NTKMetric, origin: Point, outputs: Array, modes: int, steps: int
) -> Geodesic:
    searched, converged = _search(metric, origin, outputs, modes, steps)
    chord = outputs - metric.outputs(origin)
    curve = OutputCurve(chord, searched.coefficients)
    arrived = _lifted(metric, origin, curve, steps)
    end = arrived.measure
    straight = norm(displacement(end, origin))
    return Geodesic(end, arrived.length, arrived.action, straight, curve, converged)


class GeodesicRidge(AbstractEnergy):
    r"""A ridge on what a network computes, not on its weights: geodesic distance.

    $\frac12 d_H(\theta_0, \{F = F(\theta)\})^2$, $d_H$ the horizontal distance. A
    function of the outputs alone: its gradient is $J^T$ of one, so that it is
    horizontal and never moves parameters along a fiber, a set of equal outputs; with
    constant J it is anchored ridge. Every evaluation searches a geodesic: for small
    models. ``Supervised(x, y) + lam * GeodesicRidge(NTKMetric(x), origin)`` is the
    regularized loss.

    Attributes:
        metric: whose horizontal paths count.
        origin: where the distance is zero.
        modes: polynomials in the curve of the outputs.
        steps: of the solve along it.

    Raises:
        TypeError: a metric or an origin that is none.
        ValueError: modes or steps below 1, or as ``geodesic``.

    Reference: after Whittle et al., arXiv:2605.18180.
    """

    metric: NTKMetric
    origin: Point
    modes: int = eqx.field(static=True, default=4)
    steps: int = eqx.field(static=True, default=16)

    def __check_init__(self) -> None:
        instance(self, "metric", self.metric, NTKMetric, "an NTKMetric")
        instance(self, "origin", self.origin, Point, "a Point")
        count(self, "modes", self.modes)
        count(self, "steps", self.steps)

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        if not isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Point")
        displacement(mu, self.origin)  # refuses parameters of another shape
        outputs = self.metric.outputs(mu)
        return geodesic(
            self.metric, self.origin, outputs, modes=self.modes, steps=self.steps
        ).action
