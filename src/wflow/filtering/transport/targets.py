"""Targets of the flow: what of the law of observations a method may use."""

import abc

import equinox as eqx
import jax
from jaxtyping import Array, Float, PRNGKeyArray

from wflow import checks
from wflow.filtering.observations import AbstractObservation, require_gaussian
from wflow.kernels import AbstractRadialKernel, GaussianKernel

from .attraction import AbstractAttraction, Simulated, Smoothed
from .base import simulated
from .pairs import Pairs, Standardized


class AbstractTarget(eqx.Module):
    """The joint law that the product cloud is moved to."""

    def check_kernel(self, kernel: AbstractRadialKernel) -> None:
        """Refuse a kernel of observations that ``attraction`` cannot average.

        By default every kernel will do.
        """

    @abc.abstractmethod
    def pairs(
        self,
        x: Float[Array, "n d"],
        observed: Float[Array, " p"],
        observation: AbstractObservation,
        key: PRNGKeyArray,
    ) -> Pairs:
        """The ensemble with its observations."""

    @abc.abstractmethod
    def attraction(
        self, pairs: Standardized, kernel: AbstractRadialKernel
    ) -> AbstractAttraction:
        """The kernel of observations, averaged over what members may have observed."""


class LikelihoodFree(AbstractTarget):
    """Target of a transport: pairs of members and observations simulated of them.

    Nothing else is known of the errors.

    Attributes:
        draws: observations simulated of every member; what is averaged over them is
            less noisy, at little cost.

    Raises:
        ValueError: ``draws < 1``.
        TypeError: draws is no whole number.
    """

    draws: int = eqx.field(static=True, default=10)

    def __check_init__(self) -> None:
        checks.count(self, "draws", self.draws)

    def pairs(
        self,
        x: Float[Array, "n d"],
        observed: Float[Array, " p"],
        observation: AbstractObservation,
        key: PRNGKeyArray,
    ) -> Pairs:
        return Pairs.of(x, simulated(observation, x, self.draws, key), observed)

    def attraction(
        self, pairs: Standardized, kernel: AbstractRadialKernel
    ) -> AbstractAttraction:
        return Simulated(kernel, pairs.y)


class RaoBlackwellized(AbstractTarget):
    """Target of a transport with Gaussian errors, integrated instead of simulated.

    In closed form, as of infinitely many draws. The kernel of observations must be
    Gaussian. The Kalman start uses the covariance of the errors too. Observations are
    still simulated, for the product cloud.
    """

    def check_kernel(self, kernel: AbstractRadialKernel) -> None:
        """Refuse a kernel that is not Gaussian.

        Raises:
            TypeError: it is not.
        """
        checks.instance(self, "kernel_y", kernel, GaussianKernel, "a Gaussian kernel")

    def pairs(
        self,
        x: Float[Array, "n d"],
        observed: Float[Array, " p"],
        observation: AbstractObservation,
        key: PRNGKeyArray,
    ) -> Pairs:
        gaussian = require_gaussian(self, observation)
        mean = jax.vmap(gaussian.mean)(x)
        y = simulated(gaussian, x, 1, key)
        return Pairs.of(x, y, observed, mean, gaussian.cov)

    def attraction(
        self, pairs: Standardized, kernel: AbstractRadialKernel
    ) -> AbstractAttraction:
        self.check_kernel(kernel)
        if pairs.mean is None or pairs.cov is None:
            raise TypeError(
                "RaoBlackwellized: simulated observations alone do not say the "
                "covariance of their errors; take LikelihoodFree()."
            )
        return Smoothed(kernel, pairs.mean, pairs.cov)  # pyright: ignore[reportArgumentType]
