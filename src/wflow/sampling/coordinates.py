"""Points whose entries have supports, as vectors of R^d, and back."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from wflow.checks import finite, known, to_real

from .extras import bayes


# As users write them, and as NumPyro calls them.
SUPPORTS = {
    "real": "real",
    "positive": "positive",
    "unit_interval": "unit_interval",
    "simplex": "simplex",
    "ordered": "ordered_vector",
}


class Coordinates(eqx.Module):
    r"""A bijection of $\mathbb R^d$ with the points of a pytree, leaf by leaf.

    Attributes:
        bijections: of the leaves, of NumPyro; None is the identity.
        shapes: of the leaves' coordinates.
        structure: of the pytree.
        names: of the leaves, such as ``theta`` or ``prior.scale``; ``x`` of an array.
    """

    bijections: tuple[Any, ...]
    shapes: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    structure: Any = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)

    @classmethod
    def of(cls, example: PyTree, supports: PyTree | None = None) -> Self:
        """Coordinates of points like ``example``; see ``Target.of``."""
        paths, structure = jax.tree_util.tree_flatten_with_path(example)
        leaves = [to_real(leaf, "example") for _, leaf in paths]
        for leaf in leaves:
            finite("Target.of", "example", leaf)
        if not leaves or not all(leaf.size for leaf in leaves):
            raise ValueError("Target.of: expected an example that holds numbers.")
        names = tuple(
            jax.tree_util.keystr(path, simple=True, separator=".") or "x"
            for path, _ in paths
        )
        wanted = _per_leaf(supports, example)
        bijections = tuple(map(_bijection, names, wanted, leaves))
        inner = map(_inverse, names, bijections, leaves)
        shapes = tuple(jnp.shape(leaf) for leaf in inner)
        return cls(bijections, shapes, structure, names)

    @property
    def dim(self) -> int:
        """The dimension d."""
        return sum(map(math.prod, self.shapes))

    def log_jacobian(self, x: Float[Array, " d"]) -> Float[Array, ""]:
        r"""Logarithm of the Jacobian of x to the leaves, $\log|\det|$."""
        return self.leaves(x)[1]

    def leaves(
        self, x: Float[Array, " d"]
    ) -> tuple[list[Float[Array, "..."]], Float[Array, ""]]:
        r"""The leaves at ``x`` and $\log|\det|$ of the derivative of x to them."""
        if x.shape != (self.dim,):
            raise ValueError(
                f"Target: expected coordinates ({self.dim},), found {x.shape}."
            )
        found, log_det, start = [], jnp.zeros((), x.dtype), 0
        for bijection, shape in zip(self.bijections, self.shapes, strict=True):
            stop = start + math.prod(shape)
            inner = x[start:stop].reshape(shape)
            outer = inner
            if bijection is not None:
                outer = bijection(inner)
                log_det += jnp.sum(bijection.log_abs_det_jacobian(inner, outer))
            found.append(outer.astype(x.dtype))
            start = stop
        return found, log_det.astype(x.dtype)

    def point(self, parameters: Mapping[str, Array]) -> PyTree:
        """The point whose leaves have these names."""
        return self.structure.unflatten([parameters[name] for name in self.names])

    def parameters(self, x: Float[Array, " d"]) -> dict[str, Array]:
        """Leaves by name."""
        return dict(zip(self.names, self.leaves(x)[0], strict=True))

    def __call__(self, point: PyTree) -> Float[Array, " d"]:
        """Coordinates of a point.

        Raises:
            ValueError: it is not like the example, or has no coordinates.
        """
        if jax.tree.structure(point) != self.structure:
            raise ValueError(
                f"Target: expected a point of the structure {self.structure}, found "
                f"{jax.tree.structure(point)}."
            )
        leaves = [to_real(leaf, "point") for leaf in jax.tree.leaves(point)]
        inner = list(map(_inverse, self.names, self.bijections, leaves))
        found = tuple(jnp.shape(leaf) for leaf in inner)
        if found != self.shapes:
            raise ValueError(
                f"Target: expected a point whose leaves {', '.join(self.names)} have "
                f"coordinates of shapes {self.shapes}, found {found}."
            )
        return jnp.concatenate([jnp.ravel(leaf) for leaf in inner])


@dataclasses.dataclass(frozen=True)
class _Interval:
    """An interval as one leaf, which a tuple is not."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"({self.low:g}, {self.high:g})"


def _is_interval(support: Any) -> bool:
    return (
        isinstance(support, tuple)
        and len(support) == 2
        and all(isinstance(end, int | float) for end in support)
    )


def _per_leaf(supports: PyTree | None, example: PyTree) -> list[str | _Interval]:
    """A support for each leaf."""
    if supports is None:
        supports = "real"
    if isinstance(supports, Mapping) and isinstance(example, Mapping):
        if unknown := supports.keys() - example.keys():
            raise ValueError(
                f"Target.of: expected supports of {', '.join(map(str, example))}, "
                f"found {', '.join(sorted(map(str, unknown)))}."
            )
        supports = {name: supports.get(name, "real") for name in example}
    wanted = "Target.of: expected supports, one name or a pytree of names like the"
    supports = jax.tree.map(
        lambda one: _Interval(*one) if _is_interval(one) else one,
        supports,
        is_leaf=_is_interval,
    )
    try:
        found = jax.tree.leaves(jax.tree.broadcast(supports, example))
    except ValueError:
        raise ValueError(f"{wanted} example, found {supports}.") from None
    if not all(isinstance(support, str | _Interval) for support in found):
        raise ValueError(f"{wanted} example, found {supports}.")
    return found


def _constraint(constraints: Any, name: str, support: str | _Interval) -> Any:
    """A support of NumPyro."""
    if isinstance(support, str):
        return getattr(constraints, SUPPORTS[support])
    low, high = support.low, support.high
    if not low < high:
        raise ValueError(
            f"Target.of: expected supports, that of {name} an interval (low, high) "
            f"with low < high, found {support}."
        )
    if low == -np.inf:
        return constraints.real if high == np.inf else constraints.less_than(high)
    if high == np.inf:
        return constraints.greater_than(low)
    return constraints.interval(low, high)


def _bijection(name: str, support: Any, leaf: Array) -> Any:
    """From the leaf's coordinates to its support; None is the identity."""
    if isinstance(support, str) and support not in SUPPORTS:
        raise ValueError(
            f"Target.of: expected supports, that of {name} one of "
            f"{', '.join(SUPPORTS)} or an interval (low, high), found {support!r}."
        )
    if support == "real":
        return None
    distributions = bayes("numpyro.distributions", "Target.of: a support")
    constraint = _constraint(distributions.constraints, name, support)
    inside = leaf.ndim >= constraint.event_dim
    if inside and known(leaf) is not None:
        inside = bool(jnp.all(constraint(leaf)))
    if not inside:
        raise ValueError(
            f"Target.of: expected the example's {name} within its support {support}, "
            f"found {leaf}."
        )
    return distributions.biject_to(constraint)


def _inverse(name: str, bijection: Any, leaf: Array) -> Array:
    """Coordinates of a leaf."""
    if bijection is None:
        return leaf
    found = bijection.inv(leaf)
    values = known(found)
    if values is not None and not np.isfinite(values).all():
        raise ValueError(
            f"Target: expected {name} in the interior of its support, found {leaf}."
        )
    return found
