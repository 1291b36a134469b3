"""Functions of a point with parameters that can be read."""

import itertools
from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field, to_real
from wflow.kernels import GaussianKernel
from wflow.parameters import Learnable
from wflow.parameters.learnable import unwrap


Numbers = Mapping[str, Float[Array, ""]]


def coefficients_of(
    given: ArrayLike | Learnable | None, count: int, owner: str
) -> Float[Array, " k"]:
    """``given`` in the right shape; None is zeros that may be learned."""
    if given is None:
        given = Learnable(jnp.zeros(count), positive=False)
    coefficients = to_real(given, "coefficients")
    checks.shape(owner, "coefficients", coefficients, (count,))
    checks.finite(owner, "coefficients", coefficients)
    return coefficients


class Polynomial(eqx.Module):
    r"""A polynomial of a point, with coefficients that can be read and learned.

    $V(x) = \sum_a c_a x^a$, monomials of degree one to ``degree``.

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
        self.coefficients = coefficients_of(
            coefficients, len(self.powers), "Polynomial"
        )

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
    r"""A sum of Gaussian bumps at given places, with learned heights.

    $V(x) = \sum_k c_k e^{-|x - z_k|^2 / (2 h^2)}$.

    Centers z ``(k, d)`` and the width h are held, None learns the coefficients from 0.
    With centers on a lattice, h their spacing: any smooth potential, in ``Potential``.

    Raises:
        ValueError: centers or coefficients of another shape or not finite, or a width
            that is not one finite number above zero.
    """

    centers: Float[Array, "k d"] = eqx.field(converter=real_field("centers"))
    width: Float[Array, ""] = eqx.field(converter=real_field("width"))
    coefficients: Float[Array, " k"]

    def __init__(
        self,
        centers: Float[ArrayLike, "k d"],
        width: ArrayLike,
        coefficients: ArrayLike | Learnable | None = None,
    ):
        """Make a sum of bumps around ``centers``."""
        self.centers, self.width = (
            to_real(centers, "centers"),
            to_real(width, "width"),
        )
        shape = jnp.shape(unwrap(self.centers))
        if len(shape) != 2 or 0 in shape:
            raise ValueError(
                f"Bumps: expected centers of shape (k, d), k >= 1, found {shape}."
            )
        checks.finite(self, "centers", self.centers)
        checks.shape(self, "width", self.width, ())
        checks.positive(self, "width", self.width)
        self.coefficients = coefficients_of(coefficients, shape[0], "Bumps")

    @classmethod
    def lattice(cls, dim: int, low: float, high: float, count: int) -> "Bumps":
        """``count`` centers on each axis from ``low`` to ``high``, as wide as spaced.

        Raises:
            TypeError: ``dim`` or ``count`` is no whole number.
            ValueError: no axis, fewer than two centers on one, or ends that are not
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
        r2 = jnp.sum(((x - self.centers) / self.width) ** 2, axis=1)
        return self.coefficients @ GaussianKernel(self.width).profile(r2)


def check_numbers(
    owner: eqx.Module, *, finite: str, positive: str | None = None
) -> None:
    """Refuse fields that are not one number each, of the sign that they need."""
    checks.shape(owner, finite, getattr(owner, finite), ())
    checks.finite(owner, finite, getattr(owner, finite))
    if positive is not None:
        checks.shape(owner, positive, getattr(owner, positive), ())
        checks.positive(owner, positive, getattr(owner, positive))
