"""Random features of a kernel: sums over pairs at the cost of sums over points."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow import checks
from wflow.parameters import Learnable

from .approximate import AbstractPairSum, refuse_torus, weighted_points
from .base import AbstractRadialKernel
from .radial import (
    GaussianKernel,
    InverseMultiquadric,
    LaplaceKernel,
    Matern32,
    Matern52,
)


# Degrees of freedom of the Student t law that is the spectrum of a Matern kernel.
_STUDENT = {LaplaceKernel: 1, Matern32: 3, Matern52: 5}


class RandomFeatures(AbstractPairSum):
    r"""A kernel as a mean of waves, so that n points cost n and not n squared.

    $k(x, y) \approx \hat k(x, y) = \frac1m \sum_{j=1}^m \cos(\omega_j\cdot(x - y))$,
    with $\omega_j$ drawn from the spectrum of k: normal for a Gaussian, of Student's t
    for Laplace and Matern kernels, a normal of random width for the inverse
    multiquadric. Without bias, with an error of at most $m^{-1/2}$ at any two points.
    As the ``pair`` of an ``Interaction`` it costs O(n m) time and memory: it is worth
    it where there are many more points than waves, and forces that are off by a few
    percent do.

    Args:
        kernel: a Gaussian, Laplace, Matern or inverse multiquadric kernel.
        dim: of the points.
        count: m, the number of waves.
        key: random key.

    Raises:
        TypeError: another kernel, or one with a ``Learnable``.
        ValueError: dim or count below one, or a bandwidth of another dimension.

    Examples:
        >>> import jax
        >>> import wflow as wf
        >>> from wflow.kernels import GaussianKernel, RandomFeatures
        >>> waves = RandomFeatures(GaussianKernel(1.0), 2, 4000, key=jax.random.key(0))
        >>> cloud = wf.Particles.from_samples([[0.0, 0.0], [1.0, 1.0]])
        >>> exact = wf.Interaction(GaussianKernel(1.0)).value(cloud)
        >>> print(abs(wf.Interaction(waves).value(cloud) - exact) < 0.01)
        True

    Reference: Rahimi, Recht, NeurIPS 2007.
    """

    frequencies: Float[Array, "m d"]

    def __init__(
        self,
        kernel: AbstractRadialKernel,
        dim: int,
        count: int,
        *,
        key: PRNGKeyArray,
    ):
        """Draw the frequencies."""
        kinds = (*_STUDENT, GaussianKernel, InverseMultiquadric)
        what = "a Gaussian, Laplace, Matern or inverse multiquadric kernel"
        checks.instance(self, "kernel", kernel, kinds, what)
        learned = lambda leaf: isinstance(leaf, Learnable)
        if any(map(learned, jax.tree.leaves(kernel, is_leaf=learned))):
            raise TypeError(
                "RandomFeatures: expected a kernel of numbers, found a Learnable, "
                "which frequencies that are drawn once would not follow."
            )
        checks.count(self, "dim", dim)
        checks.count(self, "count", count)
        key = checks.random_key(self, "key", key)
        width_key, wave_key = jax.random.split(key)
        waves = jax.random.normal(wave_key, (count, dim))
        widths = jnp.sqrt(_precisions(kernel, count, width_key))
        self.frequencies = kernel.whiten(widths[:, None] * waves, adjoint=True)

    def __call__(
        self, x: Float[Array, " d"], y: Float[Array, " d"]
    ) -> Float[Array, ""]:
        """The kernel at two points, as the waves have it."""
        x, y = checks.to_real(x, "x"), checks.to_real(y, "y")
        return jnp.mean(jnp.cos(self._phases(x - y)))

    def double_sum(
        self,
        x: Float[Array, "n d"],
        w: Float[Array, " n"],
        period: Float[ArrayLike, "..."] | None = None,
    ) -> Float[Array, ""]:
        refuse_torus(self, period)
        return jnp.mean(self._waves(x, w))

    def diagonal(self, x: Float[Array, "n d"]) -> Float[Array, " n"]:
        # A point is in phase with itself.
        return jnp.ones(len(x), x.dtype)

    def error(self, x: Float[Array, "n d"], w: Float[Array, " n"]) -> Float[Array, ""]:
        r"""Standard error of the sum over all pairs $\sum_{ij} w_i w_j k(x_i, x_j)$.

        That of the mean over the waves.

        Args:
            x: points, ``(n, d)``.
            w: their weights, ``(n,)``.

        Raises:
            ValueError: they do not fit each other or the frequencies.
        """
        return jnp.std(self._waves(x, w)) / math.sqrt(len(self.frequencies))

    def _waves(
        self, x: Float[Array, "n d"], w: Float[Array, " n"]
    ) -> Float[Array, " m"]:
        r"""$|\sum_i w_i e^{i\omega_j\cdot x_i}|^2$ of every wave.

        Its mean is the sum over all pairs.
        """
        x, w = weighted_points(self, x, w)
        phases = self._phases(x)
        return (w @ jnp.cos(phases)) ** 2 + (w @ jnp.sin(phases)) ** 2

    def _phases(self, x: Float[Array, "*n d"]) -> Float[Array, "*n m"]:
        frequencies = jnp.asarray(self.frequencies, x.dtype)
        if x.shape[-1] != frequencies.shape[1]:
            raise ValueError(
                f"RandomFeatures: expected points of dimension {frequencies.shape[1]}, "
                f"that of the frequencies, found {x.shape[-1]}."
            )
        return x @ frequencies.T


def _precisions(
    kernel: AbstractRadialKernel, count: int, key: PRNGKeyArray
) -> Float[Array, " m"]:
    r"""Draws $\lambda$ with $k = E\,e^{-\lambda r^2/(2h^2)}$."""
    if isinstance(kernel, GaussianKernel):
        return jnp.ones(count)
    if isinstance(kernel, InverseMultiquadric):
        return 2 * jax.random.gamma(key, jnp.asarray(kernel.exponent), (count,))
    freedom = _STUDENT[type(kernel)]
    return freedom / jax.random.chisquare(key, freedom, (count,))
