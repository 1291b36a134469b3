"""Energies of pairs."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PyTree

from wflow import checks
from wflow.kernels import AbstractKernel, AbstractPairSum
from wflow.kernels.functions import pair_field, pair_sum
from wflow.kernels.sums import matvec_and_slope
from wflow.measures import (
    Gaussian,
    Particles,
    Phase,
    UnsupportedMeasureError,
    nearest_image,
)
from wflow.measures.base import Differential
from wflow.measures.particles import ParticlesDifferential
from wflow.measures.phase import Law

from .base import AbstractEnergy, atoms, within
from .radial import Radial
from .short_range import reaches_few, short_sum


# Pairs of points at which a function shows whether its sides are equal.
_PROBES = 8


class Interaction(AbstractEnergy[Law]):
    r"""An energy of all pairs, by which particles attract or repel each other.

    $F(\mu) = \frac12 \iint W(x, y)\,d\mu(x)\,d\mu(y)$ for a symmetric W.

    ``pair(x, y)`` takes two points ``(d,)``. Its diagonal counts, so that W(x, x) must
    be finite with a finite gradient; ``diagonal=False`` leaves out the pair of each
    atom with itself, as sums over particles with a singular W do. On a Gaussian the
    double integral is a quadrature in 2d dimensions, exact for polynomials of degree 5,
    and needs the diagonal. On a torus (particles with a ``period``, a periodic axis of
    a Grid) x meets the nearest image of y. A pair that has a short way to
    its sum over all pairs (``RandomFeatures`` and ``Nystrom`` of a kernel,
    ``ParticleMesh``) costs n and not n squared on particles and grids.

    Raises:
        TypeError: the pair is no function.
        ValueError: when evaluated, it does not return one real number, or W(x, x) is
            not finite, where it is known.

    Examples:
        >>> import wflow as wf
        >>> springs = wf.Interaction(lambda x, y: (x - y) @ (x - y) / 2)
        >>> cloud = wf.Particles.from_samples([[-1.0], [1.0]])
        >>> print(springs.value(cloud))  # half the variance
        0.5
    """

    pair: Callable[[Array, Array], Array]
    diagonal: bool = eqx.field(static=True, default=True)

    def __check_init__(self) -> None:
        checks.function(self, "pair", self.pair, "x, y")
        checks.one_of(self, "diagonal", self.diagonal, (True, False))

    def _pair(self, x: Array, y: Array) -> Float[Array, ""]:
        return checks.one_number(self, "pair", self.pair(x, y))

    def _check_diagonal(self, x: Float[Array, "n d"]) -> None:
        """Refuse a W that is singular where its points meet, and only there."""
        if any(checks.known(leaf) is None for leaf in _arrays(self.pair)):
            return
        with jax.ensure_compile_time_eval(), jax.debug_nans(False):
            point = jnp.linspace(0.1, 0.9, x.shape[1], dtype=x.dtype)
            itself = checks.known(self._pair(point, point))
            apart = checks.known(self._pair(point, point + 1))
        if itself is None or apart is None or np.isfinite(itself):
            return
        if np.isfinite(apart):
            raise ValueError(
                f"Interaction: expected pair(x, x) to be finite, found {itself} where a"
                " point meets itself; diagonal=False leaves that out."
            )

    def _symmetric(self, cloud: Particles) -> bool:
        """Whether W is seen to have equal sides; False where that is not known.

        With a period it has to be a function of the displacement, too: the image of y
        that is nearest to x is not where the image of x is that is nearest to y.
        """
        if isinstance(self.pair, Radial):
            return True
        if any(checks.known(leaf) is None for leaf in _arrays(self.pair)):
            return False
        draws = np.random.default_rng(0).normal(size=(2, _PROBES, cloud.dim))
        # Some of the points may lie where W is not defined.
        with jax.ensure_compile_time_eval(), jax.debug_nans(False):
            reach = np.logspace(-1, 1, _PROBES)[:, None]
            x, y = jnp.asarray(draws * reach, cloud.dtype)
            others = [(y, x)] if cloud.period is None else [(y, x), (x + 1, y + 1)]
            one = checks.known(jax.vmap(self._pair)(x, y))
            rest = [checks.known(jax.vmap(self._pair)(*points)) for points in others]
        rtol = 1000 * jnp.finfo(cloud.dtype).eps
        return one is not None and all(
            other is not None and np.allclose(one, other, rtol=rtol, atol=0)
            for other in rest
        )

    def differential(self, mu: Law | Phase, t: ArrayLike = 0.0) -> Differential:
        cloud = within(mu)
        if not isinstance(cloud, Particles) or self._has_short_way(cloud.x):
            return super().differential(mu, t)
        x, w = cloud.atoms
        if self.diagonal:
            self._check_diagonal(x)
        if isinstance(self.pair, AbstractKernel):
            period = cloud.period
            potential, slope = matvec_and_slope(self.pair, x, None, w, w, period=period)
            if not self.diagonal:
                potential = potential - w * self._pair(x[0], x[0])
        else:
            potential, slope = pair_field(
                self._between(cloud.period),
                x,
                w,
                diagonal=self.diagonal,
                symmetric=self._symmetric(cloud),
            )
        return ParticlesDifferential(w[:, None] * slope, potential)

    def _has_short_way(self, x: Float[Array, "n d"]) -> bool:
        """Whether ``value`` is a sum of less than all pairs."""
        if isinstance(self.pair, Radial):
            return reaches_few(self.pair, x)
        return isinstance(self.pair, AbstractPairSum)

    def _between(
        self, period: Float[Array, "..."] | None
    ) -> Callable[[Array, Array], Array]:
        """W of two points, by the shortest way where there is a period."""
        return lambda x, y: self._pair(x, nearest_image(x, y, period))

    def value(self, mu: Law, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        if isinstance(mu, Gaussian):
            if not self.diagonal:
                raise UnsupportedMeasureError(
                    self, mu, "Particles and Grid, without the diagonal"
                )
            d = mu.dim
            zero = jnp.zeros((d, d), mu.dtype)
            both = Gaussian(
                jnp.concatenate([mu.mean, mu.mean]),
                jnp.block([[mu.cov, zero], [zero, mu.cov]]),
            )
            return both.integrate(lambda z: self._pair(z[:d], z[d:])) / 2
        x, w = atoms(self, mu)
        if self.diagonal:
            self._check_diagonal(x)
        if isinstance(self.pair, AbstractPairSum):
            both = self.pair.double_sum(x, w, mu.period)
            itself = 0.0 if self.diagonal else w**2 @ self.pair.diagonal(x)
            return (both - itself) / 2
        if isinstance(self.pair, Radial) and reaches_few(self.pair, x):
            return short_sum(self.pair, x, w, mu.period, self.diagonal)
        pair = self._between(mu.period)
        return pair_sum(pair, x, w, x, w, diagonal=self.diagonal) / 2


def _arrays(tree: PyTree) -> list[Array]:
    return jax.tree.leaves(eqx.filter(tree, eqx.is_array))
