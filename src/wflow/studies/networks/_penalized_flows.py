"""Small models whose regularized ends are known, and how flows reach them."""

from typing import NamedTuple

import diffrax
import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow.energies import AbstractEnergy
from wflow.flows import GradientFlow
from wflow.geometries import Euclidean
from wflow.measures import Point
from wflow.networks import Supervised
from wflow.networks.canonical import (
    ArcLengthFlow,
    ArcRidge,
    GeodesicRidge,
    NTKMetric,
    Ridge,
    Traveled,
    lambda_path,
)
from wflow.networks.canonical.arc import LambdaPath
from wflow.solvers import Solution, solve


class Product(eqx.Module):
    """u (v . x): one unit between the inputs and one output."""

    u: Float[Array, ""]
    v: Float[Array, " k"]

    def __call__(self, x: Float[Array, " k"]) -> Float[Array, ""]:
        return self.u * (self.v @ x)


class Linear(eqx.Module):
    """A linear model w . x: its outputs have the inputs as their Jacobian."""

    w: Float[Array, " p"]

    def __call__(self, x: Float[Array, " p"]) -> Float[Array, ""]:
        return self.w @ x


class Training(NamedTuple):
    """A start, its loss, and flows from the one down the other.

    Attributes:
        start: the model before.
        energy: the loss.
        rtol: of all solves.
    """

    start: Point
    energy: Supervised
    rtol: float

    def end(
        self,
        horizon: ArrayLike,
        penalty: AbstractEnergy | None = None,
        *,
        times: Array | None = None,
        stiff: bool = False,
    ) -> Solution:
        """The flow of loss and penalty; ``stiff`` ones drift slowly in the end."""
        return solve(
            _flow(self.energy if penalty is None else self.energy + penalty),
            self.start,
            0.0,
            horizon,
            times=times,
            solver=diffrax.Kvaerno5() if stiff else diffrax.Dopri8(),
            stepsize_controller=self._controller,
            max_steps=50_000,
        )

    def ridge(
        self, strength: ArrayLike, times: Array | None = None, *, anchored: bool = True
    ) -> Solution:
        """Anchored or standard ridge until its drift, of that rate, is over."""
        penalty = strength * Ridge(self.start if anchored else None)
        return self.end(60 / strength, penalty, times=times, stiff=True)

    def geodesic(self, strength: ArrayLike, horizon: ArrayLike) -> Point:
        """Geodesic ridge, which drifts nowhere: its horizon is that of the loss."""
        penalty = GeodesicRidge(NTKMetric(self.energy.x), self.start, modes=2, steps=6)
        solution = solve(
            _flow(self.energy + strength * penalty),
            self.start,
            0.0,
            horizon,
            solver=diffrax.Tsit5(),
            stepsize_controller=diffrax.PIDController(1e-8, 1e-10),
        )
        return solution[-1]

    def arc(self, strength: ArrayLike, horizon: ArrayLike) -> Traveled:
        """The unregularized flow up to where arc ridge stops it."""
        solution = solve(
            ArcLengthFlow(_flow(self.energy)),
            Traveled(self.start),
            0.0,
            horizon,
            stop=ArcRidge(strength),
            solver=diffrax.Dopri8(),
            stepsize_controller=self._controller,
        )
        return solution[-1]

    def arc_path(self, strengths: ArrayLike, horizon: ArrayLike) -> LambdaPath:
        """The same for many strengths, from one run."""
        return lambda_path(
            _flow(self.energy),
            self.start,
            strengths,
            horizon,
            solver=diffrax.Dopri8(),
            stepsize_controller=self._controller,
        )

    @property
    def _controller(self) -> diffrax.PIDController:
        return diffrax.PIDController(self.rtol, self.rtol / 100)


def _flow(energy: AbstractEnergy) -> GradientFlow:
    return GradientFlow(energy, Euclidean())


def product(
    start: tuple[float, ...], target: float, rtol: float, inputs: int = 1
) -> Training:
    """U (v . x) from u, v_1, ... towards the target at the first unit vector."""
    u, *v = start
    model = Product(jnp.asarray(u), jnp.asarray(v))
    loss = Supervised(jnp.eye(1, inputs), jnp.asarray([target]))
    return Training(Point(model), loss, rtol)


def flat(point: Point) -> np.ndarray:
    """The parameters (u, v) of a point's model, or of many, along the last axis."""
    model = point.value
    return np.concatenate([np.asarray(model.u)[..., None], np.asarray(model.v)], -1)


def horizon_of(start: tuple[float, ...], target: float) -> float:
    """Long after the loss has gone: its least rate is the kernel on the way."""
    c = abs(start[0] ** 2 - start[1] ** 2)
    slowest = min((c**2 + 4 * f**2) ** 0.5 for f in (start[0] * start[1], target))
    return 40 / slowest


def leaf_drift(weights: Float[np.ndarray, "n 2"]) -> float:
    """How far u^2 - v^2 varies, which stays along the flow without a penalty."""
    return float(np.ptp(weights[:, 0] ** 2 - weights[:, 1] ** 2))
