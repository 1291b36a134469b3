"""Linear maps with scale vectors on their sides, and the norm before them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import count, instance, non_negative, one_of, positive, shape

from .scales import AbstractRoled, AbstractScale, Reparam, Role, ones, real


Placement = Literal["none", "in", "out", "two-sided"]
Branches = Sequence[str] | Mapping[str, int]


class ScaledLinear(AbstractRoled):
    r"""A linear layer with a scale vector on its inputs, its outputs or both.

    $y_b = D_{r_b} W_b D_{g_b} x + \beta_b$ for every branch b. One input x feeds
    several maps (queries, keys, values). The matrices are stacked into one ``weight``,
    so that a call is one product with the effective matrix $M = D_r W D_g$, whatever
    the scales. Acts on one vector ``(d,)``; ``vmap`` it.

    Attributes:
        weight: the stacked W of shape ``(m, d)``.
        scales_in: g, one for all branches or one for each; None without.
        scales_out: r, one for each branch; None without.
        bias: of shape ``(m,)``, or None.
        branches: names of the branches.
        widths: their numbers of rows, with the sum m.

    Raises:
        ValueError: an unknown placement, reparametrization or branch, widths that do
            not add up to m, a scale as long as no side, complex arrays.
        TypeError: arrays of integers.

    Reference: after arXiv:2605.26895.
    """

    weight: Float[Array, "m d"]
    scales_in: tuple[AbstractScale, ...] | None
    scales_out: tuple[AbstractScale, ...] | None
    bias: Float[Array, " m"] | None
    branches: tuple[str, ...] = eqx.field(static=True)
    widths: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        scale: Placement = "in",
        branches: Branches = ("y",),
        share: bool = False,
        reparam: Reparam = "direct",
        use_bias: bool = False,
        deviation: float | None = None,
        dtype: Any = None,
        key: PRNGKeyArray,
    ):
        """Make the maps with normal entries and scales of one.

        Args:
            in_features: d.
            out_features: m, of all branches together.
            scale: which sides have a scale vector.
            branches: names of branches of equal width, or their widths by name.
            share: one input scale for all branches in place of one for each.
            reparam: of every scale: "direct", "magdir" or "magdir-unit".
            use_bias: whether there is a bias, which starts at zero.
            deviation: of the entries of W; by default ``1 / sqrt(d)``.
            dtype: of all arrays, JAX's default float if not given.
            key: of the matrices, which do not depend on the scales.
        """
        one_of(self, "scale", scale, get_args(Placement))
        count(self, "in_features", in_features)
        count(self, "out_features", out_features)
        if deviation is not None:
            shape(self, "deviation", deviation, ())
            non_negative(self, "deviation", deviation)
        for name, flag in (("share", share), ("use_bias", use_bias)):
            instance(self, name, flag, bool, "True or False")
        names, widths = _named(branches, out_features)
        spread = 1 / math.sqrt(in_features) if deviation is None else deviation
        weight = jax.random.normal(key, (out_features, in_features), dtype)
        self.weight = weight * spread
        dtype = self.weight.dtype
        # None, not an empty tuple, which Equinox's loops take for one of theirs.
        self.scales_in = self.scales_out = None
        if scale in ("in", "two-sided"):
            number = 1 if share else len(names)
            self.scales_in = tuple(
                ones(in_features, "scale_in", reparam, dtype) for _ in range(number)
            )
        if scale in ("out", "two-sided"):
            self.scales_out = tuple(
                ones(width, "scale_out", reparam, dtype) for width in widths
            )
        self.bias = jnp.zeros(out_features, dtype) if use_bias else None
        self.branches, self.widths = names, widths

    @classmethod
    def of(
        cls,
        weights: Float[ArrayLike, "m d"] | Mapping[str, Float[ArrayLike, "m_b d"]],
        scales_in: Sequence[AbstractScale] = (),
        scales_out: Sequence[AbstractScale] = (),
        bias: Float[ArrayLike, " m"] | None = None,
    ) -> Self:
        """A layer of given matrices (one, or one for each branch) and scales."""
        if not isinstance(weights, Mapping):
            weights = {"y": weights}
        parts = {
            name: real("ScaledLinear", f"weights[{name!r}]", part)
            for name, part in weights.items()
        }
        fans = {part.shape[-1] if part.ndim == 2 else None for part in parts.values()}
        if len(fans) != 1 or None in fans:
            raise ValueError(
                "ScaledLinear: expected weights (m_b, d) with one d, found "
                f"{ {name: part.shape for name, part in parts.items()} }."
            )
        fields = {
            "weight": jnp.concatenate(list(parts.values())),
            "scales_in": tuple(scales_in) or None,
            "scales_out": tuple(scales_out) or None,
            "bias": None if bias is None else real("ScaledLinear", "bias", bias),
            "branches": tuple(parts),
            "widths": tuple(part.shape[0] for part in parts.values()),
        }
        # As Equinox makes a module from its leaves: without drawing a weight first.
        layer = object.__new__(cls)
        for name, value in fields.items():
            object.__setattr__(layer, name, value)
        layer.__check_init__()
        return layer

    def __check_init__(self) -> None:
        m, d = self.weight.shape
        number = len(self.branches)
        scales_in, scales_out = self.scales_in or (), self.scales_out or ()
        for field, scales in (("scales_in", scales_in), ("scales_out", scales_out)):
            for scale in scales:
                instance(self, field, scale, AbstractScale, "a tuple of scales")
        if len(scales_in) not in (0, 1, number):
            raise ValueError(
                f"ScaledLinear: expected scales_in to be none, one or {number}, found "
                f"{len(scales_in)}."
            )
        if len(scales_out) not in (0, number):
            raise ValueError(
                f"ScaledLinear: expected scales_out to be none or {number}, found "
                f"{len(scales_out)}."
            )
        for scale in scales_in:
            _fits("scales_in", scale, d, "fan-in")
        for scale, width in zip(scales_out, self.widths, strict=False):
            _fits("scales_out", scale, width, "fan-out")
        if self.bias is not None and self.bias.shape != (m,):
            raise ValueError(
                f"ScaledLinear: expected bias of shape {(m,)}, found {self.bias.shape}."
            )

    @property
    def shared(self) -> bool:
        """Whether several branches have one input scale."""
        return len(self.scales_in or ()) == 1 and len(self.branches) > 1

    def matrix(self) -> Float[Array, "m d"]:
        """The stacked effective matrix M."""
        matrix = self.weight
        if self.scales_in is not None and len(self.scales_in) == 1:
            matrix = matrix * self.scales_in[0].vector
        elif self.scales_in is not None:
            matrix = matrix * jnp.concatenate(
                [
                    jnp.broadcast_to(scale.vector, (width, matrix.shape[1]))
                    for scale, width in zip(self.scales_in, self.widths, strict=True)
                ]
            )
        if self.scales_out is not None:
            r = jnp.concatenate([scale.vector for scale in self.scales_out])
            matrix = r[:, None] * matrix
        return matrix

    def split(self, rows: Float[Array, "m ..."]) -> dict[str, Float[Array, "m_b ..."]]:
        """The rows of every branch."""
        ends = [sum(self.widths[: k + 1]) for k in range(len(self.widths) - 1)]
        return dict(zip(self.branches, jnp.split(rows, ends), strict=True))

    def effective(self) -> dict[str, Float[Array, "m_b d"]]:
        """The effective matrix of every branch."""
        return self.split(self.matrix())

    def fold(self) -> "ScaledLinear":
        """The same function without scale vectors."""
        return type(self).of(self.effective(), bias=self.bias)

    def role_of(self, field: str) -> Role:
        return "bias" if field == "bias" else "matrix"

    def __call__(self, x: Float[Array, " d"]) -> Any:
        """Output ``(m,)``; with several branches a tuple of theirs."""
        if x.shape != self.weight.shape[1:]:
            raise ValueError(
                f"ScaledLinear: expected x of shape {self.weight.shape[1:]}, found "
                f"{x.shape}; use jax.vmap for more than one vector."
            )
        y = self.matrix() @ x
        if self.bias is not None:
            y = y + self.bias
        return y if len(self.branches) == 1 else tuple(self.split(y).values())


class RMSNorm(eqx.Module):
    r"""Root-mean-square normalization of a vector, with or without a scale vector.

    $\mathrm{norm}(x) = x/\sqrt{\mathrm{mean}(x^2) + \epsilon}$, times its scale.
    Without a scale it stands before a ``ScaledLinear`` that has one. Its own scale is
    an Input-Norm's where a linear map takes the output, an Output-Norm's where nothing
    does: decay holds the one in check and biases the other.

    Attributes:
        scale: g, or None.
        eps: added to the mean square.
        size: d.

    Raises:
        ValueError: an unknown kind of scale, or eps <= 0.

    Reference: Zhang and Sennrich, NeurIPS 2019, equation (4).
    """

    scale: AbstractScale | None
    eps: float = eqx.field(static=True)
    size: int = eqx.field(static=True)

    def __init__(
        self,
        size: int,
        scale: Literal["input", "output"] | None = None,
        *,
        reparam: Reparam = "direct",
        eps: float = 1e-6,
        dtype: Any = None,
    ):
        """Make the norm, its scale at one."""
        count(self, "size", size)
        shape(self, "eps", eps, ())
        positive(self, "eps", eps)
        roles: dict[str, Role] = {"input": "scale_in", "output": "scale_output_norm"}
        if scale is not None and scale not in roles:
            raise ValueError(
                "RMSNorm: expected scale to be 'input', 'output' or None, found "
                f"{scale!r}."
            )
        self.scale = None if scale is None else ones(size, roles[scale], reparam, dtype)
        self.eps = float(eps)
        self.size = size

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, " d"]:
        """The normalized vector, scaled."""
        if x.shape != (self.size,):
            raise ValueError(
                f"RMSNorm: expected x of shape {(self.size,)}, found {x.shape}; use "
                "jax.vmap for more than one vector."
            )
        y = x * jax.lax.rsqrt(jnp.mean(x**2) + self.eps)
        return y if self.scale is None else self.scale.vector * y


def _named(branches: Branches, total: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    kinds = Sequence | Mapping
    instance("ScaledLinear", "branches", branches, kinds, "a list of names")
    names = tuple(branches)
    if isinstance(branches, Mapping):
        widths = tuple(branches.values())
    else:
        widths = (total // len(names),) * len(names) if names else ()
    if not names or len(set(names)) < len(names) or isinstance(branches, str):
        raise ValueError(
            f"ScaledLinear: expected branches to be distinct names, found {branches!r}."
        )
    if sum(widths) != total or min(widths) < 1:
        raise ValueError(
            f"ScaledLinear: expected branches whose widths add up to {total}, found "
            f"{dict(zip(names, widths, strict=True))}."
        )
    return names, widths


def _fits(field: str, scale: AbstractScale, size: int, side: str) -> None:
    if scale.vector.shape != (size,):
        raise ValueError(
            f"ScaledLinear: expected {field} of length {size}, the {side}, found "
            f"{scale.vector.shape[0]}."
        )
