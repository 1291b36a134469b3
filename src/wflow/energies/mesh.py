"""Particles and mesh: smooth forces of long range at the cost of points."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.kernels import AbstractKernel, AbstractPairSum
from wflow.kernels.approximate import weighted_points
from wflow.measures import nearest_image
from wflow.measures.torus import check_period

from .radial import Radial


# Nodes that a cubic spline reaches, the first of them one to the left of its cell.
_WIDTH = 4
# Nodes by which the spline through a kernel forgets its ends: .268^12 is 1e-7.
_TAIL = 12
# Points whose potential is summed over all pairs, to say how far off the mesh is.
_PROBES = 64


class ParticleMesh(AbstractPairSum):
    r"""A smooth function of two points, summed over all pairs by way of a mesh.

    $W(x, y) \approx \sum_{gh} B(x - g)\,C(g - h)\,B(y - h)$: the masses go to the nodes
    of a mesh by cubic splines B, meet there by a fast Fourier transform, and C is such
    that at nodes W is exact. As the ``pair`` of an ``Interaction`` n points cost
    $n + m^d\log m$ for m cells along each of up to three axes; the mesh follows the
    points. On a torus it closes. The error falls with the fourth power of the cells
    where W is smooth over a few of them, which a kernel of short range is not: that is
    for the ``cutoff`` of ``Radial``.

    Args:
        pair: W, a kernel or a ``Radial`` without cutoff.
        cells: m, across the points along each axis.

    Raises:
        TypeError: another pair, or cells that are no whole number.
        ValueError: a pair with a cutoff or not finite at one point, cells below one;
            when evaluated, points in more than three dimensions.

    Examples:
        >>> import jax
        >>> import wflow as wf
        >>> from wflow.energies import ParticleMesh
        >>> from wflow.kernels import GaussianKernel
        >>> x = jax.random.uniform(jax.random.key(0), (1000, 2))
        >>> cloud, kernel = wf.Particles.from_samples(x), GaussianKernel(0.5)
        >>> exact = wf.Interaction(kernel).value(cloud)
        >>> print(abs(wf.Interaction(ParticleMesh(kernel)).value(cloud) - exact) < 1e-6)
        True

    Reference: Hockney, Eastwood, Computer Simulation Using Particles (1988); splines as
    in Essmann et al., J. Chem. Phys. 103 (1995).
    """

    pair: AbstractKernel | Radial
    cells: int = eqx.field(static=True, default=64)

    def __check_init__(self) -> None:
        kinds, what = (AbstractKernel, Radial), "a kernel or a Radial"
        checks.instance(self, "pair", self.pair, kinds, what)
        checks.count(self, "cells", self.cells)
        if isinstance(self.pair, Radial) and self.pair.cutoff is not None:
            raise ValueError(
                "ParticleMesh: expected a pair of long range, found a Radial with a "
                "cutoff, which Interaction sums over near pairs by itself."
            )
        if isinstance(self.pair, Radial):
            itself = checks.known(self.pair(jnp.zeros(1), jnp.zeros(1)))
            if itself is not None and not np.isfinite(itself):
                raise ValueError(
                    "ParticleMesh: expected a pair that is finite where points meet, "
                    f"found {itself} there; a longer softening makes it smooth."
                )

    def __call__(self, x: Float[Array, " d"], y: Float[Array, " d"]) -> Array:
        """W at two points, without the mesh."""
        return self.pair(x, y)

    def double_sum(
        self,
        x: Float[Array, "n d"],
        w: Float[Array, " n"],
        period: Float[ArrayLike, "..."] | None = None,
    ) -> Float[Array, ""]:
        x, w = weighted_points(self, x, w, most=3)
        size, shape = self._size, (self._size,) * x.shape[1]
        first, spacing = self._mesh(x, period)
        place = (x - first) / spacing
        node = jnp.floor(place)
        share = _cubic(place - node)
        around = np.stack(np.meshgrid(*[range(_WIDTH)] * x.shape[1], indexing="ij"), -1)
        around = around.reshape(-1, x.shape[1])
        nodes = (node.astype(int)[:, None] + around - 1) % size
        shares = jnp.prod(
            jnp.stack([share[:, a, k] for a, k in enumerate(around.T)], -1), -1
        )
        masses = jnp.zeros(shape, x.dtype)
        masses = masses.at[tuple(jnp.moveaxis(nodes, -1, 0))].add(w[:, None] * shares)
        met = jnp.fft.irfftn(jnp.fft.rfftn(masses) * self._waves(spacing), shape)
        return jnp.sum(masses * met)

    def diagonal(self, x: Float[Array, "n d"]) -> Float[Array, " n"]:
        return jax.vmap(lambda at: self(at, at))(x)

    def error(
        self,
        x: Float[Array, "n d"],
        w: Float[Array, " n"],
        period: Float[ArrayLike, "..."] | None = None,
    ) -> Float[Array, ""]:
        r"""How far off the potentials $\sum_j w_j W(x_i, x_j)$ are, at most.

        At 64 of the points, or at all where they are fewer, by sums over all pairs.

        Args:
            x: points, ``(n, d)``, d at most three.
            w: their weights, ``(n,)``.
            period: of a torus.

        Raises:
            ValueError: they do not fit each other, or have more coordinates; a period
                that is not above zero or of another shape.
        """
        x, w = weighted_points(self, x, w, most=3)
        found = jax.grad(lambda w: self.double_sum(x, w, period) / 2)(w)
        some = np.linspace(0, len(x) - 1, min(_PROBES, len(x))).astype(int)
        pair = lambda x, y: self(x, nearest_image(x, y, period))
        rows = jax.lax.map(lambda at: w @ jax.vmap(lambda y: pair(at, y))(x), x[some])
        return jnp.max(jnp.abs(rows - found[some]))

    @property
    def _size(self) -> int:
        """Nodes of an axis: of the points, as many empty, and the spline's tail."""
        nodes = self.cells + _WIDTH
        # Many times two: a fast Fourier transform is slow at large primes.
        return -(-2 * (nodes + _TAIL) // 16) * 16

    def _mesh(
        self, x: Float[Array, "n d"], period: Float[ArrayLike, "..."] | None
    ) -> tuple[Float[Array, " d"], Float[Array, " d"]]:
        """The first node and the distance of nodes along each axis, held."""
        x = jax.lax.stop_gradient(x)
        low, extent = jnp.min(x, axis=0), jnp.ptp(x, axis=0)
        spacing = jnp.where(extent > 0, extent, 1) / self.cells
        if period is None:
            return low, spacing
        check_period(self, period, x.shape[1])
        # An axis that comes round is full of nodes.
        length = jnp.broadcast_to(jnp.asarray(period, x.dtype), extent.shape)
        closed = jnp.isfinite(length)
        around = jnp.where(closed, length, 1) / self._size
        return jnp.where(closed, 0, low), jnp.where(closed, around, spacing)

    def _waves(self, spacing: Float[Array, " d"]) -> Array:
        """The transform of C: that of W at nodes over those of the two splines."""
        size, d = self._size, len(spacing)
        steps = np.fft.fftfreq(size, 1 / size)
        apart = jnp.stack(
            jnp.meshgrid(*(steps * h for h in spacing), indexing="ij"), -1
        )
        zero = jnp.zeros(d, spacing.dtype)
        values = jax.vmap(lambda z: self(z, zero))(apart.reshape(-1, d))
        splines = (2 + np.cos(2 * np.pi * steps / size)) / 3
        both = splines**2
        for _ in range(d - 1):
            both = both[..., None] * splines**2
        waves = jnp.fft.rfftn(values.reshape((size,) * d))
        return waves / jnp.asarray(both[..., : waves.shape[-1]], spacing.dtype)


def _cubic(f: Float[Array, "n d"]) -> Float[Array, "n d 4"]:
    """The cubic spline at four nodes around a point, f of a cell past the second."""
    g = 1 - f
    left, right = (4 - 6 * u**2 + 3 * u**3 for u in (f, g))
    return jnp.stack([g**3, left, right, f**3], axis=-1) / 6
