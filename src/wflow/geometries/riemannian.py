"""Riemannian geometries on parameters and on the space of particles."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, Float

from wflow import checks
from wflow.measures import Particles, Point, UnsupportedMeasureError
from wflow.measures.base import Differential, State, inner

from .base import AbstractGeometry
from .wasserstein import per_mass


def conjugate_gradients(dtype: jnp.dtype) -> lx.CG:
    """Conjugate gradients to some 10 digits in float64, 4 in float32.

    Raises:
        TypeError: ``dtype`` is not one of floating-point numbers.
    """
    try:
        floating = jnp.issubdtype(jnp.dtype(dtype), jnp.floating)
    except TypeError:
        floating = False
    if not floating:
        raise TypeError(
            "conjugate_gradients: expected dtype to be one of floating-point numbers, "
            f"found {dtype!r}."
        )
    # By the recurrence's residual: the true one cannot pass eps times the condition
    # number, and a solve that waits for it fails.
    rtol = float(jnp.finfo(dtype).eps) ** (2 / 3)
    return lx.CG(rtol=rtol, atol=rtol / 100, stabilise_every=None)


class Riemannian(AbstractGeometry[Point | Particles]):
    r"""Gradient descent in a metric of your own, such as a natural gradient.

    $\dot\theta = -G(\theta)^{-1}\nabla F(\theta)$, $\dot x_i =
    -G(x_i)^{-1}\nabla\frac{\delta F}{\delta\mu}(x_i)$.

    On a Point ``metric(value)`` gives G as a lineax operator on the moving part of the
    value (matrix-free if it likes), solved with ``solver``; the default is conjugate
    gradients to some 10 digits in float64, 4 in float32, for which the operator must be
    tagged positive semidefinite. On Particles ``metric(x)`` gives the ``(d, d)`` matrix
    at one point.

    Raises:
        TypeError: the metric is no function, or the solver none of lineax.
        ValueError: when evaluated, a metric of another shape.

    Reference: Amari, Neural Computation 10 (1998), theorem 1.

    Examples:
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> valley = wf.Potential(lambda x: 0.5 * x[0] ** 2 + 50 * x[1] ** 2)
        >>> newton = wf.Riemannian(lambda x: jnp.diag(jnp.array([1.0, 100.0])))
        >>> cloud = wf.Particles.from_samples([[1.0, 2.0]])
        >>> print(wf.GradientFlow(valley, newton).velocity(cloud)[0])
        [[-1. -2.]]
    """

    metric: Callable[[Any], lx.AbstractLinearOperator | Array]
    solver: lx.AbstractLinearSolver | None = None

    def __check_init__(self) -> None:
        checks.function(self, "metric", self.metric, "the value or x")
        if self.solver is not None:
            checks.instance(
                self,
                "solver",
                self.solver,
                lx.AbstractLinearSolver,
                "a linear solver of lineax",
            )

    def _raise(self, mu: Point | Particles, differential: Differential) -> State:
        """$G^{-1}$ times the differential per mass."""
        match mu:
            case Point():
                operator: Any = self.metric(mu.value)
                checks.instance(
                    self,
                    "metric's value",
                    operator,
                    lx.AbstractLinearOperator,
                    "an operator of lineax",
                )
                solver = self.solver or conjugate_gradients(mu.dtype)
                return lx.linear_solve(operator, differential, solver).value
            case Particles():
                covectors = per_mass(self.explicit(differential).x, mu.w)
                metrics = jax.vmap(self.metric)(mu.x)
                d = mu.dim
                checks.shape(self, "metric(x), one for each x,", metrics, ("n", d, d))
                return jnp.linalg.solve(metrics, covectors[..., None])[..., 0]
        raise UnsupportedMeasureError(self, mu, "Point and Particles")

    def velocity(self, mu: Point | Particles, differential: Differential) -> State:
        vector = jax.tree.map(jnp.negative, self._raise(mu, differential))
        return vector if isinstance(mu, Point) else (vector, jnp.zeros_like(mu.logw))

    def dissipation(
        self, mu: Point | Particles, differential: Differential
    ) -> Float[Array, ""]:
        vector = self._raise(mu, differential)
        if isinstance(mu, Point):
            return inner(differential, vector)
        return jnp.sum(differential.x * vector)
