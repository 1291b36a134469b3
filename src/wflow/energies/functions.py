"""Functions of a point or of a distance with parameters that can be read."""

import itertools
from collections.abc import Callable, Mapping

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field, to_real
from wflow.kernels import Gaussian
from wflow.parameters import Learnable, unwrap


Numbers = Mapping[str, Float[Array, ""]]


def _coefficients(given: ArrayLike | Learnable | None, count: int, owner: str):
    """``given`` in the right shape; None is zeros that may be learned."""
    if given is None:
        return Learnable(jnp.zeros(count), positive=False)
    given = to_real(given, "coefficients")
    checks.shape(owner, "coefficients", given, (count,))
    checks.finite(owner, "coefficients", given)
    return given


class Polynomial(eqx.Module):
    r"""$V(x) = \sum_a c_a x^a$, monomials of degree one to ``degree``.

    In ``Potential`` the external potential with these coefficients; it has no constant,
    which no motion shows.

    Raises:
        TypeError: a dimension or degree that is no whole number.
        ValueError: a dimension or degree below one, or coefficients of another shape or
            not finite.
    """

    coefficients: Float[Array, " k"]
    powers: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    def __init__(
        self,
        dim: int,
        degree: int,
        coefficients: ArrayLike | Learnable | None = None,
    ):
        """Make a polynomial on R^dim; None is zero, to be learned."""
        checks.count(self, "dim", dim)
        checks.count(self, "degree", degree)
        self.powers = tuple(
            tuple(factors.count(i) for i in range(dim))
            for k in range(1, degree + 1)
            for factors in itertools.combinations_with_replacement(range(dim), k)
        )
        self.coefficients = _coefficients(coefficients, len(self.powers), "Polynomial")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the monomials, such as ``x1^2 x2``."""
        return tuple(
            " ".join(
                f"x{i + 1}" if p == 1 else f"x{i + 1}^{p}"
                for i, p in enumerate(powers)
                if p
            )
            for powers in self.powers
        )

    @property
    def numbers(self) -> Numbers:
        """The coefficients by name."""
        return dict(zip(self.names, self.coefficients, strict=True))

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, ""]:
        # Products of powers made by multiplication: derivatives at 0 are the true ones.
        table = [jnp.ones_like(x)]
        for _ in range(max(map(max, self.powers))):
            table.append(table[-1] * x)
        monomials = []
        for powers in self.powers:
            factors = [table[p][i] for i, p in enumerate(powers) if p]
            product = factors[0]
            for factor in factors[1:]:
                product = product * factor
            monomials.append(product)
        return self.coefficients @ jnp.stack(monomials)


class Bumps(eqx.Module):
    r"""$V(x) = \sum_k c_k e^{-|x - z_k|^2 / (2 h^2)}$.

    Centres z ``(k, d)`` and the width h are held, None learns the coefficients from 0.
    With centres on a lattice, h their spacing: any smooth potential, in ``Potential``.

    Raises:
        ValueError: centres or coefficients of another shape or not finite, or a width
            that is not one finite number above zero.
    """

    centres: Float[Array, "k d"] = eqx.field(converter=real_field("centres"))
    width: Float[Array, ""] = eqx.field(converter=real_field("width"))
    coefficients: Float[Array, " k"]

    def __init__(
        self,
        centres: Float[ArrayLike, "k d"],
        width: ArrayLike,
        coefficients: ArrayLike | Learnable | None = None,
    ):
        """Make a sum of bumps around ``centres``."""
        self.centres, self.width = (
            to_real(centres, "centres"),
            to_real(width, "width"),
        )
        shape = jnp.shape(unwrap(self.centres))
        if len(shape) != 2 or 0 in shape:
            raise ValueError(
                f"Bumps: expected centres of shape (k, d), k >= 1, found {shape}."
            )
        checks.finite(self, "centres", self.centres)
        checks.shape(self, "width", self.width, ())
        checks.positive(self, "width", self.width)
        self.coefficients = _coefficients(coefficients, shape[0], "Bumps")

    @classmethod
    def lattice(cls, dim: int, low: float, high: float, count: int) -> "Bumps":
        """``count`` centres on each axis from ``low`` to ``high``, as wide as spaced.

        Raises:
            TypeError: ``dim`` or ``count`` is no whole number.
            ValueError: no axis, fewer than two centres on one, or ends that are not
                finite with low < high.
        """
        checks.count("Bumps.lattice", "dim", dim)
        checks.count("Bumps.lattice", "count", count, 2)
        for name, end in (("low", low), ("high", high)):
            checks.shape("Bumps.lattice", name, end, ())
            checks.finite("Bumps.lattice", name, end)
        if not high > low:
            raise ValueError(
                f"Bumps.lattice: expected low < high, found {low} and {high}."
            )
        axis = jnp.linspace(low, high, count)
        grid = jnp.stack(jnp.meshgrid(*[axis] * dim, indexing="ij"), axis=-1)
        return cls(grid.reshape(-1, dim), (high - low) / (count - 1))

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, ""]:
        r2 = jnp.sum(((x - self.centres) / self.width) ** 2, axis=1)
        return self.coefficients @ Gaussian(self.width).profile(r2)


class RadialBumps(eqx.Module):
    r"""$\varphi(r) = \sum_k c_k (e^{-(r - kh)^2 / (2h^2)} + e^{-(r + kh)^2 / (2h^2)})$.

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
        self.coefficients = _coefficients(coefficients, count, "RadialBumps")

    def __call__(self, r: Float[Array, ""]) -> Float[Array, ""]:
        count = len(self.coefficients)
        k = jnp.arange(count, dtype=r.dtype)
        s = r * (count - 1) / self.reach
        return self.coefficients @ (
            jnp.exp(-((s - k) ** 2) / 2) + jnp.exp(-((s + k) ** 2) / 2)
        )


class Morse(eqx.Module):
    r"""$\varphi(r) = D((1 - e^{-(r - r_0)/a})^2 - 1)$: least, -D, at the distance r_0.

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
        _numbers(self, finite="depth", positive="length")
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
    r"""$\varphi(r) = A e^{-r^2 / (2 \ell^2)}$: repels where the height A > 0.

    Raises:
        ValueError: a height that is not finite, a length that is not above zero, or one
            that is not one number.
    """

    height: Float[Array, ""] = eqx.field(converter=real_field("height"), default=1.0)
    length: Float[Array, ""] = eqx.field(converter=real_field("length"), default=1.0)

    def __check_init__(self) -> None:
        _numbers(self, finite="height", positive="length")

    @property
    def numbers(self) -> Numbers:
        """The parameters by name."""
        return vars(self)

    def __call__(self, r: Float[Array, ""]) -> Float[Array, ""]:
        return self.height * jnp.exp(-((r / self.length) ** 2) / 2)


class Power(eqx.Module):
    r"""$\varphi(r) = A r^p / p$: attracts with the force $A r^{p-1}$ where A > 0.

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
        _numbers(self, finite="strength")
        _numbers(self, finite="exponent")
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
    r"""$W(x, y) = \varphi(\sqrt{|x - y|^2 + \delta^2})$, for ``Interaction``.

    The ``softening`` $\delta$, a length, is held: particles that coincide do not push
    each other. Without any, ``Interaction`` needs ``diagonal=False``.

    Raises:
        TypeError: the profile is no function.
        ValueError: a softening that is negative, not finite or not one number; when
            evaluated, a profile that does not return one real number.
    """

    profile: Callable[[Array], Array]
    softening: Float[Array, ""] = eqx.field(
        converter=real_field("softening"), default=1e-2
    )

    def __check_init__(self) -> None:
        checks.function(self, "profile", self.profile, "r")
        checks.shape(self, "softening", self.softening, ())
        checks.non_negative(self, "softening", self.softening)

    def __call__(self, x: Float[Array, " d"], y: Float[Array, " d"]) -> Array:
        distance = jnp.sqrt(jnp.sum((x - y) ** 2) + self.softening**2)
        return checks.one_number(self, "profile", self.profile(distance))


def _numbers(owner: eqx.Module, *, finite: str, positive: str | None = None) -> None:
    """Refuse fields that are not one number each, of the sign that they need."""
    checks.shape(owner, finite, getattr(owner, finite), ())
    checks.finite(owner, finite, getattr(owner, finite))
    if positive is not None:
        checks.shape(owner, positive, getattr(owner, positive), ())
        checks.positive(owner, positive, getattr(owner, positive))
