"""Functions of a point or of a distance with parameters that can be read."""

import itertools
from collections.abc import Callable, Mapping

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import real_field, to_real
from wflow.kernels import Gaussian
from wflow.parameters import Learnable


Numbers = Mapping[str, Float[Array, ""]]


def _coefficients(given: ArrayLike | Learnable | None, count: int, owner: str):
    """``given`` in the right shape; None is zeros that may be learned."""
    if given is None:
        return Learnable(jnp.zeros(count), positive=False)
    given = to_real(given, "coefficients")
    shape = (given.raw if isinstance(given, Learnable) else given).shape
    if shape != (count,):
        raise ValueError(
            f"{owner}: expected coefficients of shape ({count},), found {shape}."
        )
    return given


class Polynomial(eqx.Module):
    r"""$V(x) = \sum_a c_a x^a$, monomials of degree one to ``degree``.

    In ``Potential`` the external potential with these coefficients; it has no constant,
    which no motion shows.

    Raises:
        ValueError: a dimension or degree below one, or coefficients of another shape.
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
        if dim < 1 or degree < 1:
            raise ValueError(
                f"Polynomial: expected dim and degree >= 1, found {dim} and {degree}."
            )
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
        self.coefficients = _coefficients(coefficients, len(self.centres), "Bumps")

    @classmethod
    def lattice(cls, dim: int, low: float, high: float, count: int) -> "Bumps":
        """``count`` centres on each axis from ``low`` to ``high``, as wide as spaced.

        Raises:
            ValueError: fewer than two centres, or high <= low.
        """
        if count < 2 or not high > low:
            raise ValueError(
                "Bumps: expected count >= 2 and low < high, found "
                f"{count}, {low} and {high}."
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
        ValueError: count < 2, reach <= 0, or coefficients of another shape.
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
        if count < 2 or not reach > 0:
            raise ValueError(
                "RadialBumps: expected count >= 2 and reach > 0, found "
                f"{count} and {reach}."
            )
        self.reach = to_real(reach, "reach")
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
    """

    depth: Float[Array, ""] = eqx.field(converter=real_field("depth"), default=1.0)
    length: Float[Array, ""] = eqx.field(converter=real_field("length"), default=1.0)
    distance: Float[Array, ""] = eqx.field(
        converter=real_field("distance"), default=1.0
    )

    @property
    def numbers(self) -> Numbers:
        """The parameters by name."""
        return vars(self)

    def __call__(self, r: Float[Array, ""]) -> Float[Array, ""]:
        rise = -jnp.expm1(-(r - self.distance) / self.length)
        return self.depth * (rise**2 - 1)


class GaussianProfile(eqx.Module):
    r"""$\varphi(r) = A e^{-r^2 / (2 \ell^2)}$: repels where the height A > 0."""

    height: Float[Array, ""] = eqx.field(converter=real_field("height"), default=1.0)
    length: Float[Array, ""] = eqx.field(converter=real_field("length"), default=1.0)

    @property
    def numbers(self) -> Numbers:
        """The parameters by name."""
        return vars(self)

    def __call__(self, r: Float[Array, ""]) -> Float[Array, ""]:
        return self.height * jnp.exp(-((r / self.length) ** 2) / 2)


class Power(eqx.Module):
    r"""$\varphi(r) = A r^p / p$: attracts with the force $A r^{p-1}$ where A > 0."""

    strength: Float[Array, ""] = eqx.field(
        converter=real_field("strength"), default=1.0
    )
    exponent: Float[Array, ""] = eqx.field(
        converter=real_field("exponent"), default=2.0
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
    each other.
    """

    profile: Callable[[Array], Array]
    softening: Float[Array, ""] = eqx.field(
        converter=real_field("softening"), default=1e-2
    )

    def __call__(self, x: Float[Array, " d"], y: Float[Array, " d"]) -> Array:
        return self.profile(jnp.sqrt(jnp.sum((x - y) ** 2) + self.softening**2))
