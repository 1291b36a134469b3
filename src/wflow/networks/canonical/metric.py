"""The geometry that a network lends to its outputs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
from jaxtyping import Array, Float, PyTree

from wflow.checks import (
    finite,
    instance,
    known,
    named,
    positive,
    real_field,
    shape,
    to_real,
    within,
)
from wflow.flows.base import safe_sqrt
from wflow.geometries import AbstractGeometry, Euclidean
from wflow.geometries.riemannian import conjugate_gradients
from wflow.measures import Point, UnsupportedMeasureError
from wflow.networks.supervised import predictions


# Up to so many outputs the kernel is formed and factorized; above, conjugate gradients.
_DENSE = 500


class Linearized(NamedTuple):
    """Outputs ``(n,)`` of a model, and products with their Jacobian J."""

    outputs: Float[Array, " n"]
    push: Callable[[PyTree[Array]], Float[Array, " n"]]
    pull: Callable[[Float[Array, " n"]], PyTree[Array]]


def linearize(owner: object, mu: Point, x: Float[Array, "n ..."]) -> Linearized:
    """Outputs at the inputs x in one vector, with $v -> Jv$ and $c -> J^Tc$.

    Raises:
        UnsupportedMeasureError: ``owner`` was given a measure that is no Point.
    """
    if not isinstance(mu, Point):
        raise UnsupportedMeasureError(owner, mu, "Point")

    def outputs(state: PyTree[Array]) -> Array:
        return predictions(mu.with_state(state).value, x).ravel()

    value, push = jax.linearize(outputs, mu.state)
    transposed = jax.linear_transpose(push, mu.state)
    return Linearized(value, push, lambda c: transposed(c)[0])


class NTKMetric(eqx.Module):
    r"""Distances between outputs of a network, by how far its parameters must move.

    $g_\theta(v, v) = v^T K(\theta)^{-1} v$ on the outputs, with the neural tangent
    kernel $K = J G^{-1} J^T$: the squared length of the shortest parameter velocity
    that moves the outputs $F(\theta) = (f_\theta(x_i))_i$ by v; G is the geometry of
    the parameters. Vectors of parameters split into horizontal ones, in the range of
    $G^{-1}J^T$, and vertical ones, in the kernel of J, which leave the outputs as they
    are. J is never formed; K is, up to 500 outputs, and else solved with by conjugate
    gradients.

    Attributes:
        x: inputs ``(n, ...)``; all entries of all outputs count as one vector.
        geometry: of the parameters.
        rcond: None demands an invertible K; a number takes the pseudo-inverse, which
            drops eigenvalues below ``rcond`` times the largest.

    Raises:
        TypeError: a geometry that is none.
        ValueError: inputs that are none or not finite, or an ``rcond`` outside [0, 1);
            from its methods: K is singular and ``rcond`` is None (inside ``jit``: nan),
            or vectors of another shape than that of the outputs.

    Reference: Jacot, Gabriel, Hongler, NeurIPS 2018, section 4 (the kernel); after
    Whittle et al., arXiv:2605.18180 (the metric).
    """

    x: Float[Array, "n ..."] = eqx.field(converter=real_field("x"))
    geometry: AbstractGeometry = Euclidean()
    rcond: float | None = eqx.field(static=True, default=None)

    def __check_init__(self) -> None:
        _check_inputs(self, self.x)
        instance(self, "geometry", self.geometry, AbstractGeometry, "a geometry")
        if self.rcond is not None:
            shape(self, "rcond", self.rcond, ())
            within(self, "rcond", self.rcond, 0, 1, closed="low")

    def outputs(self, mu: Point) -> Float[Array, " n"]:
        r"""The outputs $F(\theta)$, all entries in one vector."""
        return predictions(mu.value, self.x).ravel()

    def push(self, mu: Point, rates: PyTree[Array]) -> Float[Array, " n"]:
        """How fast the outputs move, $J v$."""
        return linearize(self, mu, self.x).push(rates)

    def pull(self, mu: Point, covector: Float[Array, " n"]) -> PyTree[Array]:
        """The differential $J^T c$ of a function of the outputs."""
        return linearize(self, mu, self.x).pull(covector)

    def kernel(self, mu: Point) -> lx.AbstractLinearOperator:
        """The empirical neural tangent kernel $K = J G^{-1} J^T$, ``(n, n)``."""
        at = linearize(self, mu, self.x)
        operator = lx.FunctionLinearOperator(
            lambda c: at.push(self.raised(mu, at.pull(c))),
            jax.eval_shape(lambda: at.outputs),
            lx.positive_semidefinite_tag,
        )
        if at.outputs.size > _DENSE:
            return operator
        matrix = operator.as_matrix()
        return lx.MatrixLinearOperator(
            (matrix + matrix.T) / 2, lx.positive_semidefinite_tag
        )

    def solve(self, mu: Point, v: Float[Array, " n"]) -> Float[Array, " n"]:
        """The covector $K^{-1} v$ of a velocity of the outputs."""
        v = to_real(v, "v")
        shape(self, "v", v, jax.eval_shape(lambda: self.outputs(mu)).shape)
        kernel = self.kernel(mu)
        count = sum(leaf.size for leaf in jax.tree.leaves(mu.state))
        if self.rcond is not None:
            matrix = lx.MatrixLinearOperator(kernel.as_matrix())
            return lx.linear_solve(matrix, v, lx.SVD(rcond=self.rcond)).value
        if v.size > count:
            raise self._singular(f"{v.size} outputs of {count} parameters")
        if not isinstance(kernel, lx.MatrixLinearOperator):
            return lx.linear_solve(kernel, v, conjugate_gradients(mu.dtype)).value
        matrix = kernel.as_matrix()
        negligible = v.size * jnp.finfo(mu.dtype).eps
        found = known(matrix)
        if found is not None:
            finite(self, "the kernel of the outputs", found)
            values = np.linalg.eigvalsh(found)
            if not values[0] > negligible * values[-1]:
                raise self._singular(
                    f"eigenvalues from {values[0]:.3g} to {values[-1]:.3g}"
                )
        factor = jnp.linalg.cholesky(matrix)
        pivots = jnp.diagonal(factor) ** 2
        regular = jnp.min(pivots) > negligible * jnp.max(pivots)
        solution = jax.scipy.linalg.cho_solve((factor, True), v)
        return jnp.where(regular, solution, jnp.nan)

    def lift(self, mu: Point, v: Float[Array, " n"]) -> PyTree[Array]:
        """The shortest way to move the outputs with v, $G^{-1} J^T K^{-1} v$."""
        return self.raised(mu, self.pull(mu, self.solve(mu, v)))

    def norm_squared(self, mu: Point, v: Float[Array, " n"]) -> Float[Array, ""]:
        """Squared length of a velocity of the outputs, $v^T K^{-1} v$."""
        return v @ self.solve(mu, v)

    def horizontal(self, mu: Point, rates: PyTree[Array]) -> PyTree[Array]:
        """The part that moves the outputs, $P_H v = G^{-1} J^T K^{-1} J v$."""
        return self.lift(mu, self.push(mu, rates))

    def vertical(self, mu: Point, rates: PyTree[Array]) -> PyTree[Array]:
        """The part that leaves the outputs as they are, $P_V v = v - P_H v$."""
        return jax.tree.map(jnp.subtract, rates, self.horizontal(mu, rates))

    def vertical_fraction(self, mu: Point, origin: Point) -> Float[Array, ""]:
        r"""How far from the kernel regime, where it is 0, a run has come.

        $|P_V(\theta - \theta_0)|/|\theta - \theta_0|$, Euclidean; 0 at the origin.

        Raises:
            ValueError: the two points are not of one shape.
        """
        away = displacement(mu, origin)
        total = norm(away)
        moved = total > 0
        part = norm(self.vertical(mu, away))
        return jnp.where(moved, part / jnp.where(moved, total, 1), 0)

    def raised(self, mu: Point, differential: PyTree[Array]) -> PyTree[Array]:
        """The vector $G^{-1}$ times a differential."""
        velocity = self.geometry.velocity(mu, differential)
        return jax.tree.map(jnp.negative, velocity)

    def _singular(self, found: str) -> ValueError:
        return ValueError(
            f"NTKMetric: expected an invertible kernel of the outputs, found {found}. "
            "Take out duplicate inputs and dead units, use fewer outputs than "
            "parameters, or state rcond= for the pseudo-inverse."
        )


class PullBack(eqx.Module):
    r"""The metric of parameters in which descent is steepest for the outputs.

    $G(\theta) = J^T J + \delta I$, for ``Riemannian(PullBack(x, damping))`` on a
    ``Point(model)``: the outputs of the gradient flow then follow
    $\dot F = -K(K + \delta I)^{-1}\nabla\ell$, which for small damping is the straight
    descent of the loss in the space of outputs. A product with G costs one pair of
    products with J.

    Attributes:
        x: inputs ``(n, ...)``.
        damping: $\delta > 0$, which makes G invertible.

    Raises:
        ValueError: inputs that are none or not finite, or damping that is not one
            positive number.

    Reference: Amari, Neural Computation 10 (1998), section 4.
    """

    x: Float[Array, "n ..."] = eqx.field(converter=real_field("x"))
    damping: Float[Array, ""] = eqx.field(converter=real_field("damping"))

    def __check_init__(self) -> None:
        _check_inputs(self, self.x)
        shape(self, "damping", self.damping, ())
        positive(self, "damping", self.damping)

    def __call__(self, model: Any) -> lx.AbstractLinearOperator:
        mu = Point(model)
        at = linearize(self, mu, self.x)

        def product(rates: PyTree[Array]) -> PyTree[Array]:
            pulled = at.pull(at.push(rates))
            return jax.tree.map(lambda a, b: a + self.damping * b, pulled, rates)

        return lx.FunctionLinearOperator(
            product, jax.eval_shape(lambda: mu.state), lx.positive_semidefinite_tag
        )


def _check_inputs(owner: object, x: Array) -> None:
    """Refuse inputs that are none."""
    if x.ndim == 0 or 0 in x.shape:
        raise ValueError(
            f"{named(owner)}: expected x of inputs (n, ...), found shape {x.shape}."
        )
    finite(owner, "x", x)


def displacement(mu: Point, origin: Point) -> PyTree[Array]:
    r"""How far parameters are from others, $\theta - \theta_0$.

    Raises:
        TypeError: either is no Point.
        ValueError: the moving parts have not the same structure and shapes.
    """
    instance("displacement", "mu", mu, Point, "a Point")
    instance("displacement", "origin", origin, Point, "a Point")
    here, there = mu.state, origin.state
    same = jax.tree.structure(here) == jax.tree.structure(there)
    shapes = [[leaf.shape for leaf in jax.tree.leaves(tree)] for tree in (here, there)]
    if not same or shapes[0] != shapes[1]:
        raise ValueError(
            "displacement: expected mu with parameters like those of origin, of shapes "
            f"{shapes[1]}, found {shapes[0]}"
            + ("." if same else " in another structure.")
        )
    return jax.tree.map(jnp.subtract, here, there)


def norm(rates: PyTree[Array]) -> Float[Array, ""]:
    """The Euclidean norm over all leaves; its derivative at zero is zero."""
    return safe_sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(rates)))
