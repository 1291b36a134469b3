"""What draws the transported cloud: the kernel of observations at simulated ones."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow import checks
from wflow.kernels import AbstractRadialKernel, GaussianKernel, gram

from .scales import check_array


class AbstractAttraction(eqx.Module):
    r"""How strongly a label draws particles to each member of the target.

    $w_j(y) = n\,E\,k_y(y, Y_j)$ over what member j may have observed.
    """

    @abc.abstractmethod
    def at(self, labels: Float[Array, "k p"]) -> Float[Array, "k n"]:
        r"""Kernel means $E\,k_y(y_m, Y_j)$ at labels $y_m$."""

    @abc.abstractmethod
    def among(self) -> Float[Array, "n n"]:
        r"""Kernel means $E\,k_y(Y_i, Y_j)$ of the members themselves."""


class Simulated(AbstractAttraction):
    """The average over the observations that were simulated of each member.

    Attributes:
        kernel: $k_y$.
        y: simulated observations, ``(n, m, p)``.

    Raises:
        ValueError: y of another shape, or not finite.
        TypeError: kernel is none.
    """

    kernel: AbstractRadialKernel
    y: Float[Array, "n m p"]

    def __check_init__(self) -> None:
        checks.instance(
            self, "kernel", self.kernel, AbstractRadialKernel, "a radial kernel"
        )
        check_array(self, "y", ("n", "m", "p"))

    def at(self, labels: Float[Array, "k p"]) -> Float[Array, "k n"]:
        n, m, p = self.y.shape
        values = gram(self.kernel, labels, self.y.reshape(n * m, p))
        return jnp.mean(values.reshape(-1, n, m), axis=2)

    def among(self) -> Float[Array, "n n"]:
        n, m, p = self.y.shape
        values = gram(self.kernel, self.y.reshape(n * m, p))
        return jnp.mean(values.reshape(n, m, n, m), axis=(1, 3))


class Smoothed(AbstractAttraction):
    r"""The limit of infinitely many: Gaussian errors, integrated in closed form.

    $E\,k_y(y, Y_j) = \sqrt{|H| / |H + R|}\,
    e^{-\frac12 |y - h(x_j)|^2_{(H + R)^{-1}}}$ with $H = l_y l_y^\top$.

    Attributes:
        kernel: $k_y$, of bandwidth $l_y$.
        mean: expected observations $h(x_j)$, ``(n, p)``.
        cov: covariance R of the errors, ``(p, p)``.

    Raises:
        ValueError: shapes that do not fit together, or numbers that are not finite.
        TypeError: kernel is no Gaussian one.
    """

    kernel: GaussianKernel
    mean: Float[Array, "n p"]
    cov: Float[Array, "p p"]

    def __check_init__(self) -> None:
        checks.instance(
            self, "kernel", self.kernel, GaussianKernel, "a Gaussian kernel"
        )
        check_array(self, "mean", ("n", "p"))
        p = jnp.shape(self.mean)[1]
        check_array(self, "cov", (p, p))
        checks.covariance(self, "cov", self.cov)

    def at(self, labels: Float[Array, "k p"]) -> Float[Array, "k n"]:
        smoothed, factor = self._smoothed(1)
        return factor * gram(smoothed, labels, self.mean)

    def among(self) -> Float[Array, "n n"]:
        smoothed, factor = self._smoothed(2)
        return factor * gram(smoothed, self.mean)

    def _smoothed(self, times: int) -> tuple[GaussianKernel, Array]:
        """The kernel after so many convolutions with the errors, and its height."""
        p = self.mean.shape[1]
        eye = jnp.eye(p, dtype=self.mean.dtype)
        square = self.kernel.color(self.kernel.color(eye, adjoint=True))
        root = jnp.linalg.cholesky(square + times * self.cov)
        wide = GaussianKernel(root)
        return wide, jnp.exp(self.kernel.log_volume(p) - wide.log_volume(p))
