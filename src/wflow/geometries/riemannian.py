"""Riemannian geometries on parameters and on the space of particles."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, Float, PyTree

from wflow.measures import Particles, Point, UnsupportedMeasureError

from .base import AbstractGeometry
from .wasserstein import per_mass


def conjugate_gradients(dtype: jnp.dtype) -> lx.CG:
    """Conjugate gradients to some 10 digits in float64, 4 in float32."""
    # By the recurrence's residual: the true one cannot pass eps times the condition
    # number, and a solve that waits for it fails.
    rtol = float(jnp.finfo(dtype).eps) ** (2 / 3)
    return lx.CG(rtol=rtol, atol=rtol / 100, stabilise_every=None)


class Riemannian(AbstractGeometry):
    r"""$\dot\theta = -G(\theta)^{-1}\nabla F(\theta)$, $\dot x_i =
    -G(x_i)^{-1}\nabla\frac{\delta F}{\delta\mu}(x_i)$.

    On a Point ``metric(value)`` gives G as a lineax operator on the moving part of the
    value (matrix-free if it likes), solved with ``solver``; the default is conjugate
    gradients to some 10 digits in float64, 4 in float32, for which the operator must be
    tagged positive semidefinite. On Particles ``metric(x)`` gives the ``(d, d)`` matrix
    at one point.

    Reference: Amari, Neural Computation 10 (1998), theorem 1.
    """

    metric: Callable[[Any], lx.AbstractLinearOperator | Array]
    solver: lx.AbstractLinearSolver | None = None

    def _raise(self, mu: Any, differential: Any) -> PyTree[Array]:
        """$G^{-1}$ times the differential per mass."""
        match mu:
            case Point():
                operator = self.metric(mu.value)
                solver = self.solver or conjugate_gradients(mu.dtype)
                return lx.linear_solve(operator, differential, solver).value
            case Particles():
                covectors = per_mass(self.explicit(differential).x, mu.w)
                metrics = jax.vmap(self.metric)(mu.x)
                return jnp.linalg.solve(metrics, covectors[..., None])[..., 0]
        raise UnsupportedMeasureError(self, mu, "Point and Particles")

    def velocity(self, mu: Any, differential: Any) -> PyTree[Array]:
        vector = jax.tree.map(jnp.negative, self._raise(mu, differential))
        return vector if isinstance(mu, Point) else (vector, jnp.zeros_like(mu.logw))

    def dissipation(self, mu: Any, differential: Any) -> Float[Array, ""]:
        vector = self._raise(mu, differential)
        if isinstance(mu, Point):
            products = jax.tree.map(lambda a, b: jnp.sum(a * b), differential, vector)
            return sum(jax.tree.leaves(products))
        return jnp.sum(differential.x * vector)
