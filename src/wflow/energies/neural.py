"""Learned energies."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow import checks
from wflow.checks import real_field, to_real
from wflow.measures import (
    AbstractMeasure,
    Grid,
    Particles,
    Phase,
    UnsupportedMeasureError,
)
from wflow.measures.base import Differential
from wflow.measures.particles import refuse_period

from .base import AbstractEnergy, AbstractLinearEnergy, atoms, within
from .interaction import Interaction
from .radial import Radial


class TimeEmbedding(eqx.Module):
    r"""Features of a time for a network.

    $e(t) = W_2\,\mathrm{silu}(W_1 t + b_1) + b_2$, shape ``(size,)``.

    Attributes:
        until: later times are taken for this one; None takes all as they are.
    """

    first: eqx.nn.Linear
    second: eqx.nn.Linear
    until: Float[Array, ""] | None

    def __init__(self, size: int, *, key: PRNGKeyArray):
        a, b = jax.random.split(key)
        self.first = eqx.nn.Linear(1, size, key=a)
        self.second = eqx.nn.Linear(size, size, key=b)
        self.until = None

    def __call__(self, t: ArrayLike) -> Float[Array, " size"]:
        t = jnp.asarray(t, self.first.weight.dtype)
        if self.until is not None:
            t = jnp.minimum(t, self.until)
        return self.second(jax.nn.silu(self.first(t[None])))


class AttentionBlock(eqx.Module):
    """One pre-norm transformer block over weighted particles.

    ``h += MHA(LN(h)); h += FFN(LN(h))``. Attention averages with the particles' weights
    times the exponential scores, so that the output depends on the measure alone.
    """

    norm_attention: eqx.nn.LayerNorm
    norm_feedforward: eqx.nn.LayerNorm
    projection: eqx.nn.Linear
    output: eqx.nn.Linear
    expand: eqx.nn.Linear
    contract: eqx.nn.Linear
    heads: int = eqx.field(static=True)

    def __init__(self, width: int, heads: int, feedforward: int, *, key: PRNGKeyArray):
        a, b, c, d = jax.random.split(key, 4)
        self.norm_attention = eqx.nn.LayerNorm(width)
        self.norm_feedforward = eqx.nn.LayerNorm(width)
        # Glorot-uniform weights and zero biases for the attention's projections.
        bound = (6 / (4 * width)) ** 0.5
        projection = eqx.nn.Linear(width, 3 * width, key=a)
        self.projection = eqx.tree_at(
            lambda m: (m.weight, m.bias),
            projection,
            (
                jax.random.uniform(a, (3 * width, width), minval=-bound, maxval=bound),
                jnp.zeros(3 * width),
            ),
        )
        output = eqx.nn.Linear(width, width, key=b)
        self.output = eqx.tree_at(lambda m: m.bias, output, jnp.zeros(width))
        self.expand = eqx.nn.Linear(width, feedforward, key=c)
        self.contract = eqx.nn.Linear(feedforward, width, key=d)
        self.heads = heads

    def __call__(
        self, h: Float[Array, "n width"], w: Float[Array, " n"]
    ) -> Float[Array, "n width"]:
        n, width = h.shape
        projected = jax.vmap(self.projection)(jax.vmap(self.norm_attention)(h))
        q, k, v = projected.reshape(n, 3, self.heads, -1).transpose(1, 2, 0, 3)
        scores = q / (width / self.heads) ** 0.5 @ k.swapaxes(1, 2)
        # Weights enter linearly, not as log w: differentiable where a weight is zero.
        # Only there can a score exceed the shift, and must not overflow.
        heard = jnp.where(w > 0, scores, -jnp.inf)
        shift = jax.lax.stop_gradient(heard.max(-1, keepdims=True))
        bound = jnp.log(jnp.finfo(h.dtype).max) / 2
        share = jnp.exp(jnp.minimum(scores - shift, bound))
        # Weighted and normalized as (n, width), not as n^2 scores: passes over those
        # are what attention with small heads waits for.
        mixed = share @ (w[:, None] * v) / (share @ w)[..., None]
        mixed = mixed.swapaxes(0, 1).reshape(n, width)
        h = h + jax.vmap(self.output)(mixed)
        normed = jax.vmap(self.norm_feedforward)(h)
        hidden = jax.nn.gelu(jax.vmap(self.expand)(normed), approximate=False)
        return h + jax.vmap(self.contract)(hidden)


class AttentionPotential(AbstractEnergy[Particles]):
    r"""A learned energy in which every particle sees all others: a transformer.

    $F(\mu) = \int f_\theta(x; \mu, t)\,d\mu(x)$ with f a transformer.

    Each particle is a token $x_i$, joined with a time embedding when ``time_dim > 0``;
    self-attention runs over the particles without positional encoding, so F depends on
    the (weighted) empirical measure alone.

    Reference: Guan, Atanackovic, Neklyudov, arXiv:2605.08550 (its code's architecture).

    Examples:
        >>> import jax
        >>> import wflow as wf
        >>> net = wf.AttentionPotential(1, width=4, depth=1, key=jax.random.key(0))
        >>> cloud = wf.Particles.from_samples([[-1.0], [1.0]])
        >>> net.per_particle(cloud.x, cloud.w, 0.0).shape  # each of them sees the other
        (2,)
        >>> flow = wf.LagrangianFlow(net, wf.Learnable(0.5))  # for ``fit`` to train
    """

    embed: eqx.nn.Linear
    time: TimeEmbedding | None
    blocks: tuple[AttentionBlock, ...]
    head: eqx.nn.Linear

    def __init__(
        self,
        dim: int,
        *,
        width: int = 64,
        depth: int = 4,
        heads: int = 1,
        feedforward: int = 64,
        time_dim: int = 0,
        key: PRNGKeyArray,
    ):
        """Make a potential on R^dim; ``heads`` must divide ``width``.

        Raises:
            TypeError: a size that is no whole number.
            ValueError: a size below its least, or heads that do not divide the width.
        """
        check_sizes(self, dim, width, depth, time_dim)
        checks.count(self, "heads", heads)
        checks.count(self, "feedforward", feedforward)
        if width % heads:
            raise ValueError(
                f"AttentionPotential: heads must divide width, found {heads} heads and "
                f"width {width}."
            )
        a, b, c, d = jax.random.split(key, 4)
        self.embed = eqx.nn.Linear(dim + time_dim, width, key=a)
        self.time = TimeEmbedding(time_dim, key=b) if time_dim else None
        self.blocks = tuple(
            AttentionBlock(width, heads, feedforward, key=k)
            for k in jax.random.split(c, depth)
        )
        self.head = eqx.nn.Linear(width, "scalar", key=d)

    def per_particle(
        self, x: Float[Array, "n d"], w: Float[Array, " n"], t: ArrayLike
    ) -> Float[Array, " n"]:
        r"""$f_\theta(x_i; \mu, t)$ for every particle."""
        if self.time is not None:
            e = self.time(t)
            x = jnp.concatenate([x, jnp.broadcast_to(e, (x.shape[0], e.size))], 1)
        h = jax.vmap(self.embed)(x)
        for block in self.blocks:
            h = block(h, w)
        return jax.vmap(self.head)(h)

    def value(self, mu: Particles, t: ArrayLike = 0.0) -> Float[Array, ""]:
        if not isinstance(mu, Particles):
            raise UnsupportedMeasureError(self, mu, "Particles")
        refuse_period(self, mu)
        return mu.w @ self.per_particle(mu.x, mu.w, t)


def check_sizes(owner: object, dim: int, width: int, depth: int, time_dim: int) -> None:
    """Refuse sizes of a network, ``depth`` and ``time_dim`` of which may be zero.

    Raises:
        TypeError: one is not whole.
        ValueError: one is too small.
    """
    checks.count(owner, "dim", dim)
    checks.count(owner, "width", width)
    checks.count(owner, "depth", depth, 0)
    checks.count(owner, "time_dim", time_dim, 0)


class MLPPotential(AbstractLinearEnergy[AbstractMeasure]):
    r"""A learned potential of one point: a multilayer perceptron.

    $F(\mu) = \int V_\theta(x, t)\,d\mu(x)$ for a multilayer perceptron V.

    Examples:
        >>> import jax
        >>> import wflow as wf
        >>> net = wf.MLPPotential(1, width=4, depth=1, key=jax.random.key(0))
        >>> cloud = wf.Particles.from_samples([[-1.0], [1.0]])
        >>> velocity, _ = wf.GradientFlow(net, wf.Wasserstein()).velocity(cloud)
        >>> velocity.shape
        (2, 1)
    """

    mlp: eqx.nn.MLP
    time: TimeEmbedding | None

    def __init__(
        self,
        dim: int,
        *,
        width: int = 64,
        depth: int = 3,
        time_dim: int = 0,
        key: PRNGKeyArray,
    ):
        """Make a potential on R^dim with ``depth`` hidden layers of ``width``.

        Raises:
            TypeError: a size that is no whole number.
            ValueError: a size below its least.
        """
        check_sizes(self, dim, width, depth, time_dim)
        a, b = jax.random.split(key)
        self.mlp = eqx.nn.MLP(
            dim + time_dim, "scalar", width, depth, activation=jax.nn.silu, key=a
        )
        self.time = TimeEmbedding(time_dim, key=b) if time_dim else None

    def value(self, mu: AbstractMeasure, t: ArrayLike = 0.0) -> Float[Array, ""]:
        refuse_period(self, mu)
        if self.time is None:
            return mu.integrate(self.mlp)
        e = self.time(t)
        return mu.integrate(lambda x: self.mlp(jnp.concatenate([x, e])))


class PairPotential(AbstractEnergy[Particles | Grid]):
    r"""A learned interaction of pairs, a network of their distance.

    $F(\mu) = \frac12\iint \varphi_\theta(|x-y|)\,d\mu\,d\mu$ with an MLP profile.

    The distance is softened, $\sqrt{|x-y|^2 + \delta^2}$, so that coinciding particles
    do not push each other.
    """

    mlp: eqx.nn.MLP
    softening: Float[Array, ""] = eqx.field(converter=real_field("softening"))

    def __init__(
        self,
        *,
        width: int = 64,
        depth: int = 3,
        softening: ArrayLike = 1e-2,
        key: PRNGKeyArray,
    ):
        """Make a pair potential; ``softening`` is a length.

        Raises:
            TypeError: a size that is no whole number.
            ValueError: a size below its least, or a softening that is not one finite
                number above zero.
        """
        checks.count(self, "width", width)
        checks.count(self, "depth", depth, 0)
        self.mlp = eqx.nn.MLP(
            "scalar", "scalar", width, depth, activation=jax.nn.silu, key=key
        )
        self.softening = to_real(softening, "softening")
        checks.shape(self, "softening", self.softening, ())
        checks.positive(self, "softening", self.softening)

    def profile(self, distance: Float[Array, ""]) -> Float[Array, ""]:
        r"""$\varphi_\theta$ at one distance."""
        softening = jax.lax.stop_gradient(self.softening)
        return self.mlp(jnp.sqrt(distance**2 + softening**2))

    def _pairs(self, mu: Particles | Grid | Phase) -> Interaction:
        atoms(self, within(mu))  # refuses other measures
        return Interaction(Radial(self.mlp, jax.lax.stop_gradient(self.softening)))

    def value(self, mu: Particles | Grid, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return self._pairs(mu).value(mu, t)

    def differential(
        self, mu: Particles | Grid | Phase, t: ArrayLike = 0.0
    ) -> Differential:
        return self._pairs(mu).differential(mu, t)
