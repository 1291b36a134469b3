"""A forward model with a partial differential equation inside: flow through a plate."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import count, finite, shape, to_real, within


# Of the bilinear element on a square, corners in the order 00, 01, 10, 11; without h:
# in two dimensions the stiffness does not depend on the size.
_STIFFNESS = (
    np.array([[4, -1, -1, -2], [-1, 4, -2, -1], [-1, -2, 4, -1], [-2, -1, -1, 4]]) / 6
)
# Largest residual and last update of conjugate gradients, by width of the floats.
_TOLERANCES = {4: 1e-6, 8: 1e-10}


class EllipticModel(eqx.Module):
    r"""Pressures in a plate of unknown conductivity: a forward model with a PDE inside.

    $x \mapsto (u(z_k))_k$ with $-\nabla\cdot(e^a\,\nabla u) = f$, $u = 0$ outside.

    On the unit square; the log-conductivity a is constant on each of ``cells`` x
    ``cells`` equal squares, and x ``(cells^2,)`` are its values, the last coordinate
    fastest. Bilinear elements on ``mesh`` x ``mesh`` squares: errors of order 2 in
    1/mesh. Conjugate gradients with the diagonal as preconditioner; derivatives of any
    mode by the implicit function theorem.

    Args:
        cells: of the conductivity, a side.
        mesh: elements a side, a multiple of ``cells``.
        points: where u is observed, ``(k, 2)``, in the unit square.
        source: f, a number or its values at the elements' centers ``(mesh, mesh)``.

    Raises:
        ValueError: ``cells < 1``, a ``mesh`` below 2 or that is no multiple of it,
            points that are not ``(k, 2)`` or lie outside, a source of another shape or
            not finite.
        TypeError: an argument of the wrong type.

    Reference: Aristoff, Bangerth, SIAM Review 65 (2023), section 2.
    """

    cells: int = eqx.field(static=True)
    mesh: int = eqx.field(static=True)
    points: Float[Array, "k 2"]
    source: Float[Array, "..."]

    def __init__(
        self,
        cells: int,
        mesh: int,
        points: Float[ArrayLike, "k 2"],
        source: ArrayLike = 10.0,
    ):
        """Make the model of a mesh and its observations."""
        count(self, "cells", cells)
        count(self, "mesh", mesh, 2)
        if mesh % cells != 0:
            raise ValueError(
                "EllipticModel: expected cells >= 1 and mesh >= 2, a multiple of "
                f"cells, found cells {cells} and mesh {mesh}."
            )
        points, source = to_real(points, "points"), to_real(source, "source")
        shape(self, "points", points, ("k", 2))
        if points.size == 0:
            raise ValueError("EllipticModel: expected points, found (0, 2).")
        within(self, "points in the unit square", points, 0, 1)
        finite(self, "source", source)
        if jnp.shape(source) not in ((), (mesh, mesh)):
            raise ValueError(
                f"EllipticModel: expected a source that is a number or ({mesh}, "
                f"{mesh}), found shape {jnp.shape(source)}."
            )
        self.cells, self.mesh = cells, mesh
        self.points, self.source = points, source

    @property
    def dim(self) -> int:
        """Number of unknowns."""
        return self.cells**2

    def conductivity(self, x: Float[Array, " d"]) -> Float[Array, "mesh mesh"]:
        """Conductivity $e^a$ in every element."""
        if x.shape != (self.dim,):
            raise ValueError(
                f"EllipticModel: expected x of shape ({self.dim},), found {x.shape}."
            )
        fine = np.ones((self.mesh // self.cells,) * 2)
        return jnp.kron(jnp.exp(x).reshape(self.cells, -1), fine.astype(x.dtype))

    def operator(self, x: Float[Array, " d"]) -> lx.AbstractLinearOperator:
        """The stiffness matrix on the inner nodes ``(mesh - 1, mesh - 1)``."""
        conductivity = self.conductivity(x)
        inner = jax.ShapeDtypeStruct((self.mesh - 1,) * 2, x.dtype)
        stiffness = jnp.asarray(_STIFFNESS, x.dtype)

        def apply(u: Array) -> Array:
            forces = jnp.einsum("rc,cij->rij", stiffness, _corners(jnp.pad(u, 1)))
            return _gathered(conductivity * forces)

        return lx.FunctionLinearOperator(apply, inner, lx.positive_semidefinite_tag)

    def field(self, x: Float[Array, " d"]) -> Float[Array, "nodes nodes"]:
        """The solution u at all nodes, ``(mesh + 1, mesh + 1)``."""
        load = jnp.asarray(self.source, x.dtype) / (4 * self.mesh**2)
        load = _gathered(jnp.broadcast_to(load, (4, self.mesh, self.mesh)))
        diagonal = _gathered(jnp.stack([self.conductivity(x)] * 4))
        scaling = lx.TaggedLinearOperator(
            lx.DiagonalLinearOperator(1 / (float(_STIFFNESS[0, 0]) * diagonal)),
            lx.positive_semidefinite_tag,
        )
        # Residuals that are updated, not computed anew: these fall below any tolerance.
        solver = lx.CG(0.0, _TOLERANCES[x.dtype.itemsize], stabilise_every=None)
        operator = self.operator(x)

        def solve(_: Callable[[Array], Array], b: Array) -> Array:
            # The tolerance is absolute; the adjoint's right-hand side has any size.
            size = jnp.max(jnp.abs(b))
            size = jnp.where(size > 0, size, 1)
            options = {"preconditioner": scaling}
            found = lx.linear_solve(
                operator, b / size, solver, options=options, throw=False
            )
            return size * found.value

        u = jax.lax.custom_linear_solve(operator.mv, load, solve, symmetric=True)
        return jnp.pad(u, 1)

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, " k"]:
        """Values of u at the points."""
        at = jnp.asarray(self.points, x.dtype).T * self.mesh
        return jax.scipy.ndimage.map_coordinates(self.field(x), list(at), order=1)


def _corners(u: Float[Array, "nodes nodes"]) -> Float[Array, "4 mesh mesh"]:
    """Values at the corners of every element."""
    return jnp.stack([u[:-1, :-1], u[:-1, 1:], u[1:, :-1], u[1:, 1:]])


def _gathered(parts: Float[Array, "4 mesh mesh"]) -> Float[Array, "inner inner"]:
    """Sums over the elements around every inner node: the adjoint of ``_corners``."""
    return parts[0, 1:, 1:] + parts[1, 1:, :-1] + parts[2, :-1, 1:] + parts[3, :-1, :-1]
