"""A small language model in bytes, with scale vectors where one likes."""

from typing import Literal, NamedTuple, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from wflow.checks import count, instance, non_negative, one_of, shape

from .layers import Placement, RMSNorm, ScaledLinear
from .scales import AbstractRoled, Reparam, Role


Scaling = Literal["none", "shared", "branch", "two-sided", "unified", "weight-norm"]
Map = ScaledLinear | eqx.nn.WeightNorm


class _Scheme(NamedTuple):
    """What a scaling does to maps after a norm (``inner``) and to the others.

    ``normalize`` puts all of them into ``equinox.nn.WeightNorm``.
    """

    inner: Placement
    others: Placement
    share: bool
    reparam: Reparam
    normalize: bool = False


_SCHEMES: dict[str, _Scheme] = {
    "none": _Scheme("none", "none", False, "direct"),
    "shared": _Scheme("in", "none", True, "direct"),
    "branch": _Scheme("in", "none", False, "direct"),
    "two-sided": _Scheme("two-sided", "two-sided", False, "direct"),
    "unified": _Scheme("two-sided", "two-sided", False, "magdir"),
    "weight-norm": _Scheme("none", "none", False, "direct", normalize=True),
}


class Attention(eqx.Module):
    """Causal attention of several heads with rotary positions.

    Reference: Su et al., arXiv:2104.09864, equation (34).
    """

    qkv: Map
    out: Map
    heads: int = eqx.field(static=True)

    def __call__(self, x: Float[Array, "t d"]) -> Float[Array, "t d"]:
        """Mix the rows of a normalized sequence."""
        length, d = x.shape
        q, k, v = (
            part.reshape(length, self.heads, d // self.heads)
            for part in jax.vmap(self.qkv)(x)
        )
        q, k = _rotated(q), _rotated(k)
        logits = jnp.einsum("qhd,khd->hqk", q, k) / np.sqrt(d // self.heads)
        causal = np.tri(length, dtype=bool)
        weights = jax.nn.softmax(jnp.where(causal, logits, -jnp.inf))
        mixed = jnp.einsum("hqk,khd->qhd", weights, v)
        return jax.vmap(self.out)(mixed.reshape(length, d))


class Block(eqx.Module):
    """Attention and a gated map, each after its norm and added to its input."""

    norm: RMSNorm
    attention: Attention
    gated: Map
    down: Map

    def __call__(self, x: Float[Array, "t d"]) -> Float[Array, "t d"]:
        """One layer."""
        x = x + self.attention(jax.vmap(self.norm)(x))
        gate, up = jax.vmap(self.gated)(jax.vmap(self.norm)(x))
        return x + jax.vmap(self.down)(jax.nn.silu(gate) * up)


class ByteTransformer(AbstractRoled):
    """A small language model of bytes, with scale vectors where they are wanted.

    Pre-Norm decoder with untied head: logits of the byte that follows each byte.
    Matrices depend on the key alone, not on the scaling, so models of one key start as
    the same function.

    Attributes:
        embedding: of shape ``(vocabulary, d)``.
        blocks: the layers.
        norm: the last norm.
        head: from the last norm to the logits.

    Its ``scaling`` is "none", "shared" (one input scale after each norm), "branch" (an
    input scale for every map after a norm), "two-sided" (input and output scales on all
    seven maps of a layer) or "unified" (the same in magnitude and direction); the head
    has an input scale at most. A baseline is "weight-norm": every row of every map as
    magnitude and direction (``equinox.nn.WeightNorm``; Salimans and Kingma, 2016).

    Raises:
        ValueError: an unknown scaling, or sizes that do not fit.

    Reference: the scalings after arXiv:2605.26895.
    """

    embedding: Float[Array, "vocabulary d"]
    blocks: tuple[Block, ...]
    norm: RMSNorm
    head: Map

    def __init__(
        self,
        *,
        vocabulary: int = 128,
        size: int = 64,
        heads: int = 4,
        layers: int = 2,
        hidden: int = 172,
        scaling: Scaling = "none",
        deviation: float = 0.02,
        key: PRNGKeyArray,
    ):
        """Make the model; all matrices are normal with that deviation."""
        one_of(self, "scaling", scaling, get_args(Scaling))
        sizes = {
            "vocabulary": vocabulary,
            "size": size,
            "heads": heads,
            "layers": layers,
            "hidden": hidden,
        }
        for name, value in sizes.items():
            count(self, name, value)
        shape(self, "deviation", deviation, ())
        non_negative(self, "deviation", deviation)
        if size % (2 * heads):
            raise ValueError(
                f"ByteTransformer: expected size to be a multiple of 2 heads = "
                f"{2 * heads}, found {size}."
            )
        scheme = _SCHEMES[scaling]
        keys = iter(jax.random.split(key, 4 * layers + 2))

        def after_norm(width: int, branches: tuple[str, ...]) -> Map:
            layer = ScaledLinear(
                size,
                width,
                scale=scheme.inner if branches != ("logits",) else _input(scheme),
                branches=branches,
                share=scheme.share,
                reparam=scheme.reparam,
                deviation=deviation,
                key=next(keys),
            )
            return eqx.nn.WeightNorm(layer) if scheme.normalize else layer

        def other(fan_in: int) -> Map:
            layer = ScaledLinear(
                fan_in,
                size,
                scale=scheme.others,
                reparam=scheme.reparam,
                deviation=deviation,
                key=next(keys),
            )
            return eqx.nn.WeightNorm(layer) if scheme.normalize else layer

        norm = RMSNorm(size)
        self.embedding = deviation * jax.random.normal(next(keys), (vocabulary, size))
        self.blocks = tuple(
            Block(
                norm,
                Attention(after_norm(3 * size, ("q", "k", "v")), other(size), heads),
                after_norm(2 * hidden, ("gate", "up")),
                other(hidden),
            )
            for _ in range(layers)
        )
        self.norm = norm
        self.head = after_norm(vocabulary, ("logits",))

    def role_of(self, field: str) -> Role:
        return "matrix"

    def __call__(self, tokens: Int[Array, " t"]) -> Float[Array, "t vocabulary"]:
        """Logits after every byte of one sequence.

        Bytes beyond the vocabulary are read as its last, unchecked.
        """
        x = self.embedding[tokens]
        for block in self.blocks:
            x = block(x)
        return jax.vmap(self.head)(jax.vmap(self.norm)(x))


def nats(model: ByteTransformer, tokens: Int[Array, "n t"]) -> Float[Array, ""]:
    """Mean cross-entropy of each byte of the sequences, but the first, in nats.

    Raises:
        TypeError: no ``ByteTransformer``, or tokens that are not whole numbers.
        ValueError: tokens of another shape than ``(n, t)`` with t >= 2.
    """
    instance("nats", "model", model, ByteTransformer, "a ByteTransformer")
    shape("nats", "tokens", tokens, ("n", "t"))
    if not jnp.issubdtype(tokens.dtype, jnp.integer):
        raise TypeError(
            f"nats: expected tokens to be whole numbers, found {tokens.dtype}."
        )
    if not tokens.shape[0] or tokens.shape[1] < 2:
        raise ValueError(
            "nats: expected tokens (n, t) of at least one sequence and two bytes, "
            f"found shape {tokens.shape}."
        )
    logits = jax.vmap(model)(tokens[:, :-1])
    chosen = jnp.take_along_axis(logits, tokens[:, 1:, None], axis=-1)[..., 0]
    return jnp.mean(jax.nn.logsumexp(logits, axis=-1) - chosen)


def _input(scheme: _Scheme) -> Placement:
    """The head has an input scale at most: its outputs are the logits."""
    return "none" if scheme.inner == "none" else "in"


def _rotated(x: Float[Array, "t h k"]) -> Float[Array, "t h k"]:
    """Pairs of coordinates turned by an angle in proportion to the position."""
    length, _, k = x.shape
    rates = 10_000.0 ** (-np.arange(0, k, 2) / k)
    angles = np.arange(length)[:, None, None] * rates
    cos, sin = (
        jnp.asarray(np.cos(angles), x.dtype),
        jnp.asarray(np.sin(angles), x.dtype),
    )
    a, b = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)
