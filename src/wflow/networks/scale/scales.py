"""Scale vectors, and the roles that parameters play under weight decay."""

import abc
from typing import Any, Literal, get_args

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import count, finite, instance, known, one_of, shape, to_real


Role = Literal[
    "matrix", "scale_in", "scale_out", "scale_output_norm", "direction", "bias"
]
ROLES: tuple[Role, ...] = get_args(Role)
Reparam = Literal["direct", "magdir", "magdir-unit"]


def real(owner: str, name: str, value: ArrayLike) -> Array:
    """``value`` as a real floating-point array, its dtype kept.

    Raises:
        TypeError: it holds integers, or no numbers.
        ValueError: it is complex, or not finite.
    """
    array = to_real(value, name)
    given = jnp.asarray(value).dtype
    if not jnp.issubdtype(given, jnp.floating):
        raise TypeError(
            f"{owner}: expected {name} of floating-point numbers, found {given}."
        )
    finite(owner, name, array)
    return array


class AbstractRoled(eqx.Module):
    """A module that says what role each array of its own plays."""

    @abc.abstractmethod
    def role_of(self, field: str) -> Role:
        """The role of the array, or arrays, in a field."""


class AbstractScale(AbstractRoled):
    """A scale vector g, in one of its parametrizations; ``role`` is that of g."""

    role: eqx.AbstractVar[Role]
    vector: eqx.AbstractVar[Float[Array, " d"]]


class DirectScale(AbstractScale):
    """g itself.

    Attributes:
        vector: g, of shape ``(d,)``.
        role: of g, which the module that holds it chooses.

    Raises:
        ValueError: not a vector, not finite, or complex.
        TypeError: an array of integers.
    """

    vector: Float[Array, " d"]
    role: Role = eqx.field(static=True)

    def __init__(self, vector: ArrayLike, role: Role = "scale_in"):
        """Start at ``vector``."""
        self.vector = _vector("DirectScale", "vector", vector)
        self.role = _role(role)

    def role_of(self, field: str) -> Role:
        return self.role


class MagnitudeDirection(AbstractScale):
    r"""A scale vector as a magnitude times a direction.

    $g = s\,v/\mathrm{rms}(v)$; with ``unit`` $g = s\,v/\lVert v\rVert$. The gradient
    flow keeps $\lVert v\rVert$, and moves g by $-[d\,nn^T + (s^2 d/\lVert v\rVert^2)(I
    - nn^T)]\,\partial\ell/\partial g$ with $n = v/\lVert v\rVert$ (without the factors
    d if ``unit``).

    Attributes:
        magnitude: s, a scalar; it plays the role of g.
        direction: v, of shape ``(d,)``; it is never decayed.
        role: of g.
        unit: by which norm v is divided.

    Raises:
        ValueError: v is zero, or s or v is not finite or of the wrong shape.
        TypeError: an array of integers.

    Reference: after arXiv:2605.26895, which names it magnitude-direction.
    """

    magnitude: Float[Array, ""]
    direction: Float[Array, " d"]
    role: Role = eqx.field(static=True)
    unit: bool = eqx.field(static=True)

    def __init__(
        self,
        magnitude: ArrayLike,
        direction: ArrayLike,
        role: Role = "scale_in",
        unit: bool = False,
    ):
        """Start at magnitude s and direction v."""
        name = "MagnitudeDirection"
        self.direction = _vector(name, "direction", direction)
        self.magnitude = real(name, "magnitude", magnitude)
        self.role = _role(role)
        self.unit = unit
        shape(name, "magnitude", self.magnitude, ())
        instance(name, "unit", unit, bool, "True or False")
        found = known(self.direction)
        if found is not None and not found.any():
            raise ValueError(
                f"{name}: expected direction other than zero, found zeros."
            )

    @property
    def vector(self) -> Float[Array, " d"]:
        """The vector g."""
        v = self.direction
        square = jnp.sum(v**2) if self.unit else jnp.mean(v**2)
        return self.magnitude * v / jnp.sqrt(square)

    def role_of(self, field: str) -> Role:
        return "direction" if field == "direction" else self.role


def ones(size: int, role: Role, reparam: Reparam, dtype: Any = None) -> AbstractScale:
    """A scale vector that starts at one.

    Raises:
        ValueError: an unknown reparametrization.
    """
    count("a scale", "size", size)
    one_of("a scale", "reparam", reparam, get_args(Reparam))
    one = jnp.ones(size, dtype)
    match reparam:
        case "direct":
            return DirectScale(one, role)
        case "magdir":
            return MagnitudeDirection(one[0], one, role)
    return MagnitudeDirection(jnp.sqrt(jnp.sum(one)), one, role, unit=True)


def _vector(owner: str, name: str, value: ArrayLike) -> Float[Array, " d"]:
    array = real(owner, name, value)
    if array.ndim != 1 or array.shape[0] == 0:
        raise ValueError(
            f"{owner}: expected {name} of shape (d,), found {array.shape}."
        )
    return array


def _role(role: Role) -> Role:
    one_of("a scale", "role", role, ROLES)
    return role
