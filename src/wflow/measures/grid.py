"""Densities on a regular grid."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow import checks
from wflow.checks import to_real

from .base import AbstractMeasure, moving_field
from .particles import Particles
from .special import linear_decay, mean_decay


Boundary = Literal["periodic", "no-flux"]


class Grid(AbstractMeasure):
    r"""A cell-centered density on a box in one to three dimensions.

    ``density[c]`` is the mean density of cell c; the cells of axis k have width
    ``(upper[k] - lower[k]) / density.shape[k]``. Each axis is ``"periodic"`` or
    ``"no-flux"``. Differentials are first variations at cell centers,
    $\delta F/\delta\mu(x_c) = h^{-d} \partial F/\partial\rho_c$. A density of less
    than single precision is taken in single precision.

    Examples:
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> bell = lambda x: -x @ x / 2
        >>> grid = wf.Grid.from_log_density(bell, -6.0, 6.0, (60,))
        >>> print(grid.density.shape, jnp.round(grid.cov, 2))
        (60,) [[1.]]
    """

    density: Float[Array, "*cells"] = eqx.field(converter=moving_field("density"))
    lower: Float[Array, " d"] = eqx.field(converter=moving_field("lower"))
    upper: Float[Array, " d"] = eqx.field(converter=moving_field("upper"))
    boundary: tuple[Boundary, ...] = eqx.field(static=True)

    def __init__(
        self,
        density: Float[ArrayLike, "*cells"],
        lower: ArrayLike,
        upper: ArrayLike,
        boundary: Boundary | Sequence[Boundary] = "no-flux",
    ):
        """Make a grid; scalars ``lower``, ``upper``, ``boundary`` hold for every axis.

        Raises:
            ValueError: not 1 to 3 axes, a density that is negative, not finite or zero
                everywhere, an unknown boundary, or bounds that are not finite, not one
                for each axis or not lower < upper.
        """
        self.density = moving_field("density")(density)
        dim, dtype = self.density.ndim, self.density.dtype
        if not 1 <= dim <= 3 or self.density.size == 0:
            raise ValueError(
                "Grid: expected a density with 1 to 3 axes, each with a cell, found "
                f"shape {self.density.shape}."
            )
        checks.weights(self, "density", self.density)
        self.lower = _bounds("lower", lower, dim).astype(dtype)
        self.upper = _bounds("upper", upper, dim).astype(dtype)
        each: Any = (
            boundary if isinstance(boundary, list | tuple) else (boundary,) * dim
        )
        self.boundary = tuple(each)
        if len(self.boundary) != dim:
            raise ValueError(
                f"Grid: expected one boundary for each of {dim} axes, found "
                f"{len(self.boundary)}."
            )
        for side in self.boundary:
            checks.one_of(self, "boundary", side, ("periodic", "no-flux"))
        low, high = checks.known(self.lower), checks.known(self.upper)
        if low is not None and high is not None and (low >= high).any():
            raise ValueError(
                f"Grid: expected lower < upper, found {low.tolist()} and "
                f"{high.tolist()}."
            )

    @classmethod
    def from_log_density(
        cls,
        log_density: Callable[[Array], Array],
        lower: ArrayLike,
        upper: ArrayLike,
        shape: Sequence[int],
        boundary: Boundary | Sequence[Boundary] = "no-flux",
    ) -> Self:
        """The density exp(log_density) at cell centers, normalized to mass one.

        Raises:
            ValueError: as for a grid, or a log-density that is nan or inf in a cell,
                -inf in all of them, or no number.
        """
        owner = "Grid.from_log_density"
        checks.function(owner, "log_density", log_density, "x")
        grid = cls(jnp.ones(_cells(owner, shape)), lower, upper, boundary)
        logs = grid.evaluate(
            lambda x: checks.one_number(owner, "log_density", log_density(x))
        )
        found = checks.known(logs)
        if found is not None and not np.isfinite(found.max()):
            raise ValueError(
                f"{owner}: expected log_density finite in some cell, -inf in others, "
                f"found {found.max()}."
            )
        logs = logs - jax.nn.logsumexp(logs) - jnp.log(grid.cell_volume)
        return grid.with_state(jnp.exp(logs))

    @classmethod
    def from_samples(
        cls,
        x: Float[ArrayLike, "n d"],
        lower: ArrayLike,
        upper: ArrayLike,
        shape: Sequence[int],
        boundary: Boundary | Sequence[Boundary] = "no-flux",
        *,
        weights: Float[ArrayLike, " n"] | None = None,
    ) -> Self:
        """The normalized histogram of the samples that lie in the box.

        Raises:
            ValueError: ``x`` is not ``(n, d)`` with d the number of axes, a row of it
                is nan or infinite, or no sample of positive weight lies in the box.
        """
        samples = Particles.from_samples(x, weights)
        checks.finite("Grid.from_samples", "the rows of x", samples.x)
        cells = _cells("Grid.from_samples", shape)
        grid = cls(jnp.ones(cells, samples.dtype), lower, upper, boundary)
        if samples.dim != grid.dim:
            raise ValueError(
                f"Grid.from_samples: expected x of shape (n, {grid.dim}), one column "
                f"for each axis, found {samples.x.shape}."
            )
        x = samples.x
        inside = jnp.all((x >= grid.lower) & (x <= grid.upper), axis=1)
        cells = jnp.floor((x - grid.lower) / grid.spacing).astype(int)
        cells = jnp.clip(cells, 0, jnp.asarray(grid.density.shape) - 1)
        # A row that is no point is in no cell, and must not be lost without a trace.
        lost = jnp.isnan(x).any(axis=1)
        share = jnp.where(lost, jnp.nan, jnp.where(inside, samples.w, 0))
        masses = jnp.zeros_like(grid.density).at[tuple(cells.T)].add(share)
        total = masses.sum()
        found = checks.known(total)
        if found is not None and not found > 0:
            raise ValueError(
                f"Grid.from_samples: none of {samples.n} samples x lies in the box "
                f"from lower = {grid.lower} to upper = {grid.upper}."
            )
        return grid.with_state(masses / (total * grid.cell_volume))

    @property
    def dim(self) -> int:
        """Dimension of the space."""
        return self.density.ndim

    @property
    def period(self) -> Float[Array, " d"] | None:
        """Lengths of the periodic axes, infinity for others; None where none is."""
        round_axes = np.array([side == "periodic" for side in self.boundary])
        if not round_axes.any():
            return None
        return jnp.where(round_axes, self.upper - self.lower, jnp.inf)

    @property
    def spacing(self) -> Float[Array, " d"]:
        """Cell widths."""
        shape = jnp.asarray(self.density.shape, self.density.dtype)
        return (self.upper - self.lower) / shape

    @property
    def cell_volume(self) -> Float[Array, ""]:
        """Volume of one cell."""
        return jnp.prod(self.spacing)

    @property
    def centers(self) -> Float[Array, "*cells d"]:
        """Cell centers."""
        axes = [
            self.lower[k] + self.spacing[k] * (jnp.arange(n, dtype=self.dtype) + 0.5)
            for k, n in enumerate(self.density.shape)
        ]
        return jnp.stack(jnp.meshgrid(*axes, indexing="ij"), -1)

    def evaluate(self, function: Callable[[Array], Array]) -> Float[Array, "*cells"]:
        """``function`` at every cell center."""
        checks.function(self, "function", function, "x")
        values = jax.vmap(function)(self.centers.reshape(-1, self.dim))
        return values.reshape(self.density.shape + values.shape[1:])

    @property
    def mass(self) -> Float[Array, ""]:
        """Total mass."""
        return jnp.sum(self.density) * self.cell_volume

    @property
    def log_mass(self) -> Float[Array, ""]:
        """Logarithm of the total mass."""
        return jnp.log(self.mass)

    @property
    def mean(self) -> Float[Array, " d"]:
        """Mean of the normalized measure, by the midpoint rule."""
        return self.integrate(lambda x: x) / self.mass

    @property
    def cov(self) -> Float[Array, "d d"]:
        """Covariance of the normalized measure, by the midpoint rule."""
        mean = self.mean
        return self.integrate(lambda x: jnp.outer(x - mean, x - mean)) / self.mass

    def integrate(self, function: Callable[[Array], Array]) -> Array:
        values = self.evaluate(function)
        return jnp.tensordot(self.density, values, axes=self.dim) * self.cell_volume

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n d"]:
        """``n`` independent draws: a cell by its mass, uniform within it."""
        checks.count(self, "n", n, 0)
        cell, offset = jax.random.split(key)
        flat = self.density.reshape(-1)
        index = jax.random.choice(cell, flat.size, (n,), p=flat / flat.sum())
        u = jax.random.uniform(offset, (n, self.dim), self.dtype, -0.5, 0.5)
        return self.centers.reshape(-1, self.dim)[index] + u * self.spacing

    def face_values(
        self, cells: Float[Array, "*cells"], axis: int
    ) -> tuple[Array, Array]:
        """The cell values before and behind every face of ``axis``.

        A periodic axis of n cells has n faces, a no-flux axis n - 1 (the walls carry
        nothing).
        """
        if self.boundary[axis] == "periodic":
            return cells, jnp.roll(cells, -1, axis)
        n = cells.shape[axis]
        before = jax.lax.slice_in_dim(cells, 0, n - 1, axis=axis)
        return before, jax.lax.slice_in_dim(cells, 1, n, axis=axis)

    def face_gradient(self, cells: Float[Array, "*cells"], axis: int) -> Array:
        """Difference quotient of cell values across every face of ``axis``."""
        before, behind = self.face_values(cells, axis)
        return (behind - before) / self.spacing[axis]

    def divergence(self, flux: Array, axis: int) -> Float[Array, "*cells"]:
        """Net outflow per volume of a flux on the faces of ``axis``."""
        if self.boundary[axis] == "periodic":
            return (flux - jnp.roll(flux, 1, axis)) / self.spacing[axis]
        widths = [(0, 0)] * self.dim
        widths[axis] = (1, 1)
        return jnp.diff(jnp.pad(flux, widths), axis=axis) / self.spacing[axis]

    @property
    def atoms(self) -> tuple[Float[Array, "n d"], Float[Array, " n"]]:
        """Cell centers and the masses of the cells."""
        masses = self.density.reshape(-1) * self.cell_volume
        return self.centers.reshape(-1, self.dim), masses

    @property
    def state(self) -> Float[Array, "*cells"]:
        return self.density

    def with_state(self, state: Float[Array, "*cells"]) -> Self:
        return eqx.tree_at(lambda mu: mu.density, self, state)

    def differential(
        self, functional: Callable[[Self], Float[Array, ""]]
    ) -> tuple[Float[Array, ""], Float[Array, "*cells"]]:
        value, gradient = jax.value_and_grad(
            lambda density: functional(self.with_state(density))
        )(self.density)
        return value, gradient / self.cell_volume


def _bounds(name: str, value: ArrayLike, dim: int) -> Float[Array, " d"]:
    """One bound for each axis; a number holds for all."""
    bounds = to_real(value, name)
    if bounds.shape not in ((), (dim,)):
        raise ValueError(
            f"Grid: expected {name} to be a number or of shape ({dim},), one for each "
            f"axis, found shape {bounds.shape}."
        )
    checks.finite("Grid", name, bounds)
    return jnp.broadcast_to(bounds, (dim,))


def _cells(owner: str, shape: Sequence[int]) -> tuple[int, ...]:
    """Numbers of cells on one to three axes."""
    if not isinstance(shape, list | tuple) or not 1 <= len(shape) <= 3:
        raise ValueError(
            f"{owner}: expected shape to be 1 to 3 numbers of cells, found {shape!r}."
        )
    for count in shape:
        checks.count(owner, "shape", count)
    return tuple(shape)


def logarithmic_mean(a: Array, b: Array) -> Array:
    r"""The mean of two densities that turns slopes of log-densities into slopes.

    $\theta(a, b) = (a - b)/(\log a - \log b)$, $\theta(a, a) = a$.

    With it $\theta\,(\log a - \log b) = a - b$: the entropy's Wasserstein flow on a
    grid is exactly the heat equation. Arguments below the smallest normal number count
    as that number; nan stays nan.

    Raises:
        ValueError: arrays of different shapes.

    Reference: Maas, J. Funct. Anal. 261 (2011), section 1.
    """
    a, b = to_real(a, "a"), to_real(b, "b")
    if a.shape != b.shape and () not in (a.shape, b.shape):
        raise ValueError(
            f"logarithmic_mean: expected a and b of one shape, found {a.shape} and "
            f"{b.shape}."
        )
    tiny = jnp.finfo(a.dtype).tiny
    return _logarithmic_mean(
        jnp.where(a <= tiny, tiny, a), jnp.where(b <= tiny, tiny, b)
    )


@jax.custom_jvp
def _logarithmic_mean(a: Array, b: Array) -> Array:
    return jnp.maximum(a, b) * mean_decay(jnp.abs(jnp.log(a) - jnp.log(b)))


# The derivatives depend on a / b alone. Written so, they and theirs are exact where the
# arguments agree, and do not overflow where one vanishes.
@_logarithmic_mean.defjvp
def _(
    primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    (a, b), (da, db) = primals, tangents
    u = jnp.log(a) - jnp.log(b)
    return _logarithmic_mean(a, b), linear_decay(u) * da + linear_decay(-u) * db
