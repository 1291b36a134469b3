"""Functions of a distance with parameters that can be read."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field, to_real
from wflow.parameters import Learnable

from .functions import Numbers, check_numbers, coefficients_of


class RadialBumps(eqx.Module):
    r"""A function of a distance, as a sum of bumps whose heights are learned.

    $\varphi(r) = \sum_k c_k (e^{-(r - kh)^2 / (2h^2)} + e^{-(r + kh)^2 / (2h^2)})$.

    k from 0 to ``count - 1``, the spacing h so that the last bump lies at ``reach``.
    Even in r, so that the potential is smooth where particles meet; it vanishes beyond
    the reach, which also settles its constant.

    Raises:
        TypeError: a count that is no whole number.
        ValueError: count < 2, a reach that is not one finite number above zero, or
            coefficients of another shape or not finite.
    """

    coefficients: Float[Array, " k"]
    reach: Float[Array, ""]

    def __init__(
        self,
        count: int,
        reach: float,
        coefficients: ArrayLike | Learnable | None = None,
    ):
        """Make a profile of ``count`` bumps; None is zero, to be learned."""
        checks.count(self, "count", count, 2)
        self.reach = to_real(reach, "reach")
        checks.shape(self, "reach", self.reach, ())
        checks.positive(self, "reach", self.reach)
        self.coefficients = coefficients_of(coefficients, count, "RadialBumps")

    def __call__(self, r: Float[Array, ""]) -> Float[Array, ""]:
        count = len(self.coefficients)
        k = jnp.arange(count, dtype=r.dtype)
        s = r * (count - 1) / self.reach
        return self.coefficients @ (
            jnp.exp(-((s - k) ** 2) / 2) + jnp.exp(-((s + k) ** 2) / 2)
        )


class Morse(eqx.Module):
    r"""A pair potential that repels near by and attracts further away.

    $\varphi(r) = D((1 - e^{-(r - r_0)/a})^2 - 1)$: least, -D, at the distance r_0.

    Repels below r_0, attracts beyond over the length a.

    Raises:
        ValueError: a depth that is not finite, a length that is not above zero, a
            negative distance, or one that is not one number.
    """

    depth: Float[Array, ""] = eqx.field(converter=real_field("depth"), default=1.0)
    length: Float[Array, ""] = eqx.field(converter=real_field("length"), default=1.0)
    distance: Float[Array, ""] = eqx.field(
        converter=real_field("distance"), default=1.0
    )

    def __check_init__(self) -> None:
        check_numbers(self, finite="depth", positive="length")
        checks.shape(self, "distance", self.distance, ())
        checks.non_negative(self, "distance", self.distance)

    @property
    def numbers(self) -> Numbers:
        """The parameters by name."""
        return vars(self)

    def __call__(self, r: Float[Array, ""]) -> Float[Array, ""]:
        rise = -jnp.expm1(-(r - self.distance) / self.length)
        return self.depth * (rise**2 - 1)


class GaussianProfile(eqx.Module):
    r"""A pair potential of short range: a bell of the distance.

    $\varphi(r) = A e^{-r^2 / (2 \ell^2)}$: repels where the height A > 0.

    Raises:
        ValueError: a height that is not finite, a length that is not above zero, or one
            that is not one number.
    """

    height: Float[Array, ""] = eqx.field(converter=real_field("height"), default=1.0)
    length: Float[Array, ""] = eqx.field(converter=real_field("length"), default=1.0)

    def __check_init__(self) -> None:
        check_numbers(self, finite="height", positive="length")

    @property
    def numbers(self) -> Numbers:
        """The parameters by name."""
        return vars(self)

    def __call__(self, r: Float[Array, ""]) -> Float[Array, ""]:
        return self.height * jnp.exp(-((r / self.length) ** 2) / 2)


class Power(eqx.Module):
    r"""A pair potential that is a power of the distance.

    $\varphi(r) = A r^p / p$: attracts with the force $A r^{p-1}$ where A > 0.

    Raises:
        ValueError: a strength that is not finite, an exponent that is zero or not
            finite, or one that is not one number.
    """

    strength: Float[Array, ""] = eqx.field(
        converter=real_field("strength"), default=1.0
    )
    exponent: Float[Array, ""] = eqx.field(
        converter=real_field("exponent"), default=2.0
    )

    def __check_init__(self) -> None:
        check_numbers(self, finite="strength")
        check_numbers(self, finite="exponent")
        exponent = checks.known(self.exponent)
        if exponent is not None and exponent == 0:
            raise ValueError(
                "Power: expected exponent to be other than 0, found 0.0; the limit is "
                "that of LogInteraction."
            )

    @property
    def numbers(self) -> Numbers:
        """The parameters by name."""
        return vars(self)

    def __call__(self, r: Float[Array, ""]) -> Float[Array, ""]:
        return self.strength * r**self.exponent / self.exponent


class Radial(eqx.Module):
    r"""A function of the distance of two points, as a pair for ``Interaction``.

    $W(x, y) = \varphi(\sqrt{|x - y|^2 + \delta^2})$, for ``Interaction``.

    The ``softening`` $\delta$, a length, is held: particles that coincide do not push
    each other. Without any, ``Interaction`` needs ``diagonal=False``.

    Points as far apart as the ``cutoff`` or further have no part in each other: W is
    zero there. In up to three dimensions ``Interaction`` then looks for the pairs that
    are nearer and sums these alone, at a cost that grows with the number of points and
    not with its square. A force is the slope of its energy only if the profile ends at
    the cutoff without a jump.

    Args:
        profile: $\varphi$, of a distance.
        softening: $\delta$.
        cutoff: where W ends; None is nowhere.
        neighbors: of a point within the cutoff, the mean over all points that there is
            room for; a sum over more pairs than that is an error.

    Raises:
        TypeError: the profile is no function, or neighbors no whole number.
        ValueError: a softening that is negative, not finite or not one number; a cutoff
            that is not one number > 0; when evaluated, a profile that does not return
            one real number, or more neighbors than there is room for.
    """

    profile: Callable[[Array], Array]
    softening: Float[Array, ""] = eqx.field(
        converter=real_field("softening"), default=1e-2
    )
    cutoff: Float[Array, ""] | None = eqx.field(
        converter=real_field("cutoff", optional=True), default=None
    )
    neighbors: int = eqx.field(static=True, default=64)

    def __check_init__(self) -> None:
        checks.function(self, "profile", self.profile, "r")
        checks.shape(self, "softening", self.softening, ())
        checks.non_negative(self, "softening", self.softening)
        if self.cutoff is not None:
            checks.shape(self, "cutoff", self.cutoff, ())
            checks.positive(self, "cutoff", self.cutoff)
        checks.count(self, "neighbors", self.neighbors)

    def __call__(self, x: Float[Array, " d"], y: Float[Array, " d"]) -> Array:
        squared = jnp.sum((x - y) ** 2)
        if self.cutoff is None:
            return self.within(squared)
        # Points apart do not even ask: a profile may be of any size out there.
        near = squared < self.cutoff**2
        inside = jnp.where(near, squared, (self.cutoff / 2) ** 2)
        return jnp.where(near, self.within(inside), 0)

    def within(self, squared: Float[Array, ""]) -> Float[Array, ""]:
        """W of a squared distance below the cutoff."""
        distance = jnp.sqrt(squared + self.softening**2)
        return checks.one_number(self, "profile", self.profile(distance))
