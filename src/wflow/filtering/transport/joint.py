"""The discrepancy of joint laws whose labels never move."""

from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field
from wflow.energies import AbstractEnergy
from wflow.kernels import AbstractRadialKernel, gram
from wflow.kernels.sums import matvec
from wflow.measures import Particles, UnsupportedMeasureError

from .attraction import AbstractAttraction
from .scales import check_array


class ConditionalMMD(AbstractEnergy):
    r"""How far states with fixed labels are from the joint law they belong to.

    $F = \frac12\mathrm{MMD}^2$ of joint laws with the kernel $k_x k_y$, as a function
    of the states alone: labels never move.

    For particles $z_m$ with labels $c_m$ and the target $(x_j, y_j)$ it is the energy
    ``MMD(ProductKernel((k_x, k_y), (d, p)), ...)`` on points (z, c); $k_y$, which does
    not change along the flow, is evaluated once. Points have d coordinates first,
    others after them are not looked at. Its first variation is that of points whose
    label is the observation.

    Attributes:
        kernel: $k_x$.
        target: the states $x_j$, ``(n, d)``.
        within: $k_y(c_m, c_{m'})$, ``(k, k)``.
        across: $k_y(c_m, y_j)$, ``(k, n)``, averaged over what j may have observed.
        observed_within: $k_y(y^*, c_m)$ of the observation, ``(k,)``.
        observed_across: $k_y(y^*, y_j)$, ``(n,)``.
        constant: $\frac12 n^{-2} \sum_{jj'} k((x_j, y_j), (x_{j'}, y_{j'}))$.

    Raises:
        ValueError: shapes that do not fit together, or numbers that are not finite.
        TypeError: kernel is none.
    """

    kernel: AbstractRadialKernel
    target: Float[Array, "n d"]
    within: Float[Array, "k k"]
    across: Float[Array, "k n"]
    observed_within: Float[Array, " k"]
    observed_across: Float[Array, " n"]
    constant: Float[Array, ""]

    def __check_init__(self) -> None:
        checks.instance(
            self, "kernel", self.kernel, AbstractRadialKernel, "a radial kernel"
        )
        check_array(self, "target", ("n", "d"))
        check_array(self, "within", ("k", "k"))
        n, k = jnp.shape(self.target)[0], jnp.shape(self.within)[0]
        check_array(self, "across", (k, n))
        check_array(self, "observed_within", (k,))
        check_array(self, "observed_across", (n,))
        check_array(self, "constant", ())

    @classmethod
    def of(
        cls,
        kernel: AbstractRadialKernel,
        kernel_y: AbstractRadialKernel,
        attraction: AbstractAttraction,
        target: Float[Array, "n d"],
        labels: Float[Array, "k p"],
        observed: Float[Array, " p"],
    ) -> Self:
        """The energy of a cloud with these labels."""
        own = observed[None]
        among = gram(kernel, target) * attraction.among()
        return cls(
            kernel,
            target,
            gram(kernel_y, labels),
            attraction.at(labels),
            gram(kernel_y, own, labels)[0],
            attraction.at(own)[0],
            jnp.mean(among) / 2,
        )

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        z, w = self._states(mu)
        n = self.target.shape[0]
        within = w @ (gram(self.kernel, z) * self.within) @ w
        across = w @ jnp.sum(gram(self.kernel, z, self.target) * self.across, 1) / n
        return within / 2 - across + self.constant

    def first_variation(
        self, mu: Any, points: Float[Array, "m d"], t: ArrayLike = 0.0
    ) -> Float[Array, " m"]:
        r"""The witness $\int k\,d(\mu - \pi)$ at states whose label is observed."""
        del t
        z, w = self._states(mu)
        points = points[:, : z.shape[1]]
        n = self.target.shape[0]
        repulsion = matvec(self.kernel, points, z, w * self.observed_within)
        return repulsion - matvec(
            self.kernel, points, self.target, self.observed_across / n
        )

    def _states(self, mu: Any) -> tuple[Array, Array]:
        if not isinstance(mu, Particles):
            raise UnsupportedMeasureError(self, mu, "Particles")
        return mu.x[:, : self.target.shape[1]], mu.w


class Floored(AbstractEnergy):
    r"""An energy that is flat below a floor, so that a flow stops there.

    $\max(F, F_0)$: a flow stops where its energy has come down to the floor.

    Attributes:
        energy: F.
        floor: $F_0$.

    Raises:
        ValueError: floor is no finite number.
        TypeError: energy is none.
    """

    energy: AbstractEnergy
    floor: Float[Array, ""] = eqx.field(converter=real_field("floor"))

    def __check_init__(self) -> None:
        checks.instance(self, "energy", self.energy, AbstractEnergy, "an energy")
        check_array(self, "floor", ())

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return jnp.maximum(self.energy.value(mu, t), self.floor)

    def first_variation(
        self, mu: Any, points: Float[Array, "m d"], t: ArrayLike = 0.0
    ) -> Float[Array, " m"]:
        moving = jax.lax.stop_gradient(self.energy.value(mu, t) > self.floor)
        return jnp.where(moving, self.energy.first_variation(mu, points, t), 0)


def sampling_floor(
    kernel: AbstractRadialKernel,
    attraction: AbstractAttraction,
    target: Float[Array, "n d"],
) -> Float[Array, ""]:
    r"""Energy that an independent sample would have: below it a flow fits noise.

    $\frac12 (E\,k(U, U) - E\,k(U, U')) / n$, estimated from the target itself.

    Args:
        kernel: of states.
        attraction: of the labels.
        target: the states of the target, ``(n, d)``.

    Raises:
        ValueError: target is no ``(n, d)`` of at least two members, as many as the
            attraction has.
        TypeError: kernel or attraction is none.
    """
    owner = "sampling_floor"
    checks.instance(owner, "kernel", kernel, AbstractRadialKernel, "a radial kernel")
    checks.instance(
        owner, "attraction", attraction, AbstractAttraction, "an attraction"
    )
    checks.shape(owner, "target", target, ("n", "d"))
    checks.finite(owner, "target", target)
    checks.count(owner, "the members of target", target.shape[0], 2)
    n = target.shape[0]
    among = attraction.among()
    if len(among) != n:
        raise ValueError(
            f"{owner}: expected target of {len(among)} members, as attraction has, "
            f"found {n}."
        )
    values = gram(kernel, target) * among
    diagonal = jnp.trace(values)
    different = (jnp.sum(values) - diagonal) / (n * (n - 1))
    return (diagonal / n - different) / (2 * n)
