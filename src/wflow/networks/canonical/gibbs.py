"""The canonical prior of functions, and flows that sample it."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from wflow.checks import count as whole
from wflow.checks import (
    finite,
    instance,
    non_negative,
    positive,
    real_field,
    shape,
)
from wflow.energies import AbstractEnergy
from wflow.flows import AbstractDissipativeFlow, Noise
from wflow.flows.base import safe_sqrt
from wflow.geometries import Euclidean
from wflow.measures import Point, UnsupportedMeasureError
from wflow.solvers import solve

from .geodesic import GeodesicRidge
from .lift import LiftFlow
from .metric import NTKMetric


class HorizontalLangevinFlow(AbstractDissipativeFlow):
    r"""Noise and descent along the directions of parameters that change the outputs.

    $d\theta = -P_H \nabla F\,dt + \sqrt{2\tau}\,P_H \circ dW$, Stratonovich. Without an
    energy, horizontal Brownian motion. It stays on the leaf of the horizontal
    distribution through its start, where there is one, and its law there goes to
    $e^{-F/\tau}$ times the leaf's volume.

    Attributes:
        metric: whose horizontal directions move; with Euclidean parameters.
        energy: F, or None.
        temperature: $\tau \geq 0$.

    Raises:
        TypeError: a metric that is none or has another geometry of the parameters, or
            an energy that is none.
        ValueError: a temperature that is negative or not finite.

    Reference: Hsu, Stochastic Analysis on Manifolds (2002), section 3.2.
    """

    metric: NTKMetric
    energy: AbstractEnergy | None = None
    temperature: Float[Array, ""] = eqx.field(
        converter=real_field("temperature"), default=1.0
    )

    def __check_init__(self) -> None:
        instance(self, "metric", self.metric, NTKMetric, "an NTKMetric")
        if self.energy is not None:
            instance(self, "energy", self.energy, AbstractEnergy, "an energy")
        shape(self, "temperature", self.temperature, ())
        non_negative(self, "temperature", self.temperature)
        geometry = self.metric.geometry
        if not isinstance(geometry, Euclidean):
            raise TypeError(
                "HorizontalLangevinFlow: expected a metric with Euclidean parameters, "
                f"found {type(geometry).__name__}."
            )

    def velocity(self, mu: Any, t: ArrayLike = 0.0) -> PyTree[Array]:
        if not isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Point")
        if self.energy is None:
            return jax.tree.map(jnp.zeros_like, mu.state)
        gradient = self.energy.differential(mu, t)
        return jax.tree.map(jnp.negative, self.metric.horizontal(mu, gradient))

    def noise(self, mu: Any, t: ArrayLike = 0.0) -> Noise:
        del t
        strength = jnp.sqrt(2 * self.temperature)

        def project(dw: PyTree[Array]) -> PyTree[Array]:
            across = self.metric.horizontal(mu, dw)
            return jax.tree.map(lambda leaf: strength * leaf, across)

        like = jax.eval_shape(lambda: mu.state)
        return Noise(lx.FunctionLinearOperator(project, like), "stratonovich")

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return (
            jnp.zeros((), mu.dtype) if self.energy is None else self.energy.value(mu, t)
        )

    def dissipation(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        if self.energy is None:
            return jnp.zeros((), mu.dtype)
        moved = self.metric.push(mu, self.energy.differential(mu, t))
        return self.metric.norm_squared(mu, moved)


class _AlongLeaf(eqx.Module):
    """Outputs that move so that the parameters have the speed ``z``; one output."""

    metric: NTKMetric
    z: Float[Array, ""]

    def __call__(self, mu: Point, t: ArrayLike) -> Float[Array, " 1"]:
        del t
        return self.z * safe_sqrt(jnp.diagonal(self.metric.kernel(mu).as_matrix()))


class GibbsProcess(eqx.Module):
    r"""A prior on functions whose ridge is the geodesic one: the canonical prior.

    $p(f) \propto e^{-d(f_0, f)^2/(2\sigma^2)}\,d\mathrm{vol}$ on the outputs at the
    inputs of the metric, with its distance d and its volume $\det K^{-1/2} df$. In the
    kernel regime it is $N(f_0, \sigma^2 K)$. Ridge strength is noise variance over
    prior variance: $\lambda = \sigma_n^2/\sigma^2$.

    Attributes:
        metric: the geometry of the outputs.
        origin: the model with outputs $f_0$.
        sigma: $\sigma > 0$.

    Raises:
        TypeError: a metric or an origin that is none.
        ValueError: a sigma that is not positive.

    Reference: after Whittle et al., arXiv:2605.18180.
    """

    metric: NTKMetric
    origin: Point
    sigma: Float[Array, ""] = eqx.field(converter=real_field("sigma"))

    def __check_init__(self) -> None:
        instance(self, "metric", self.metric, NTKMetric, "an NTKMetric")
        instance(self, "origin", self.origin, Point, "a Point")
        shape(self, "sigma", self.sigma, ())
        positive(self, "sigma", self.sigma)

    def push_forward(self, z: Float[Array, ""], **options: Any) -> Point:
        """The model at the signed distance z from the origin, up to larger outputs.

        For one output. ``options`` are those of ``solve``.

        Raises:
            ValueError: there is more than one output, or z is not one finite number.
        """
        outputs = jax.eval_shape(lambda: self.metric.outputs(self.origin)).shape
        if outputs != (1,):
            raise ValueError(
                "GibbsProcess: expected one output to push forward, found "
                f"{outputs[0]}."
            )
        shape(self, "z", z, ())
        finite(self, "z", z)
        z = jnp.asarray(z, self.origin.dtype)
        flow = LiftFlow(self.metric, _AlongLeaf(self.metric, z))
        return solve(flow, self.origin, 0.0, 1.0, **options)[-1]

    def sample(self, key: PRNGKeyArray, count: int, steps: int = 100) -> Point:
        r"""Models, stacked: a Point with a leading axis ``count`` on every array.

        Exact for one output, by ``push_forward`` of $N(0, \sigma^2)$. Else the law of
        horizontal Brownian motion at time $\sigma^2$, in ``steps`` steps: the heat
        kernel, which is the prior in the kernel regime and near it for small sigma
        (``langevin`` has the prior itself as its law in the long run).

        Raises:
            ValueError: count or steps below 1.
        """
        for name, number in (("count", count), ("steps", steps)):
            whole(self, name, number)
        outputs = jax.eval_shape(lambda: self.metric.outputs(self.origin)).size
        return _sample(self, key, count, steps, outputs == 1)

    def langevin(self, modes: int = 4, steps: int = 16) -> HorizontalLangevinFlow:
        r"""The flow with this prior as stationary law on the origin's leaf.

        In units of time in which the prior has width one: temperature $\sigma^2$.
        """
        energy = GeodesicRidge(self.metric, self.origin, modes, steps)
        return HorizontalLangevinFlow(self.metric, energy, self.sigma**2)


@eqx.filter_jit
def _sample(
    process: GibbsProcess, key: PRNGKeyArray, count: int, steps: int, exact: bool
) -> Point:
    if exact:
        z = process.sigma * jax.random.normal(key, (count,), process.origin.dtype)
        return eqx.filter_vmap(lambda z: process.push_forward(z, throw=False))(z)
    flow = HorizontalLangevinFlow(process.metric, None, process.sigma**2 / 2)

    def draw(key: PRNGKeyArray) -> Point:
        return solve(
            flow, process.origin, 0.0, 1.0, dt0=1.0 / steps, key=key, throw=False
        )[-1]

    return eqx.filter_vmap(draw)(jax.random.split(key, count))
