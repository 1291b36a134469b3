"""Attention heads with a rank-one interaction of keys and queries."""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import (
    count,
    finite,
    known,
    non_negative,
    positive,
    real_field,
    shape,
    to_real,
    within,
)


# Weights of a head that are held at once; a prompt of 4096 tokens has as many.
_BLOCK = 1 << 24


class AbstractHead(eqx.Module):
    r"""A map of prompts $H : \mathbb R^{L\times d} \to \mathbb R^{L\times d}$.

    Attributes:
        mu: ``(d,)``, or ``(d, k)`` for the sum of k heads.
        beta: inverse temperature.

    Raises:
        ValueError: beta <= 0, more heads than dimensions, or a mu of another shape or
            not finite.
    """

    mu: eqx.AbstractVar[Float[Array, "d ..."]]
    beta: eqx.AbstractVar[Float[Array, ""]]

    def __check_init__(self) -> None:
        check_columns(self, "mu", self.mu)
        shape(self, "beta", self.beta, ())
        positive(self, "beta", self.beta)

    @abc.abstractmethod
    def __call__(
        self,
        tokens: Float[Array, "n d"],
        queries: Float[Array, "m d"] | None = None,
    ) -> Float[Array, "m d"]:
        """The output at every token, or at ``queries`` that are no tokens.

        Raises:
            ValueError: tokens of another shape than ``(L, d)``, too few, or not finite
                where they are known.
        """


def check_columns(owner: object, name: str, mu: Any) -> None:
    """Refuse what is no head's parameter ``(d,)`` or ``(d, k)`` with 1 <= k <= d.

    Raises:
        ValueError: it has another shape, more columns than rows, or entries that are
            not finite.
    """
    found = jnp.shape(getattr(mu, "raw", mu))
    if len(found) not in (1, 2) or 0 in found or found[1:] > found[:1]:
        who = owner if isinstance(owner, str) else type(owner).__name__
        raise ValueError(
            f"{who}: expected {name} of shape (d,) or (d, k) with k <= d heads, found "
            f"{found}."
        )
    finite(owner, name, mu)


def check_tokens(owner: object, name: str, tokens: Any, d: int | str = "d") -> None:
    """Refuse what is no prompt ``(L, d)`` of at least one token.

    Raises:
        ValueError: it has another shape, or known entries that are not finite.
    """
    shape(owner, name, tokens, ("L", d))
    if not len(tokens):
        who = owner if isinstance(owner, str) else type(owner).__name__
        raise ValueError(f"{who}: expected {name} of one token or more, found none.")
    finite(owner, name, tokens)


def _checked(
    head: AbstractHead, tokens: Any, queries: Any
) -> tuple[Array, Array | None]:
    """Tokens and queries of the head's dimension, as arrays."""
    d = head.mu.shape[0]
    tokens = to_real(tokens, "tokens")
    check_tokens(head, "tokens", tokens, d)
    if queries is None:
        return tokens, None
    queries = to_real(queries, "queries")
    shape(head, "queries", queries, ("m", d))
    finite(head, "queries", queries)
    return tokens, queries


def _scores(
    head: AbstractHead, tokens: Array, queries: Array | None
) -> tuple[Float[Array, "m k"], Float[Array, "n k"]]:
    r"""Scores $\langle\mu, x\rangle$ of queries and tokens, a column a head."""
    d = head.mu.shape[0]
    mu = head.mu.reshape(d, -1)
    keys = tokens @ mu
    return (keys if queries is None else queries @ mu), keys


class SoftmaxAttention(AbstractHead):
    r"""An attention head of rank one with the softmax, as it learns PCA in context.

    $H(X)_q = \sum_k p_{qk} X_k$, $p_{q\cdot} = \mathrm{softmax}_k (\beta\langle\mu,
    X_q\rangle\langle\mu, X_k\rangle)$, over all tokens, q included. Queries are taken
    in blocks where a prompt has more than 4096 tokens.

    Attributes:
        mu: ``(d,)``, or ``(d, k)`` for the sum of k heads.
        beta: inverse temperature.

    Reference: Maulen-Soto, Boyer, arXiv:2605.18315; the head after Maulen-Soto, Marion,
    Boyer, arXiv:2505.13112.
    """

    mu: Float[Array, "d ..."] = eqx.field(converter=real_field("mu"))
    beta: Float[Array, ""] = eqx.field(converter=real_field("beta"), default=1.0)

    def __call__(
        self,
        tokens: Float[Array, "n d"],
        queries: Float[Array, "m d"] | None = None,
    ) -> Float[Array, "m d"]:
        tokens, queries = _checked(self, tokens, queries)
        scores, keys = _scores(self, tokens, queries)

        def at(score: Float[Array, " k"]) -> Float[Array, " d"]:
            # jax.nn.softmax takes off the largest logit before the exponential.
            weights = jax.nn.softmax(self.beta * score * keys, axis=0)
            return jnp.sum(weights, axis=1) @ tokens

        block = max(1, _BLOCK // len(tokens))
        if len(scores) <= block:
            return jax.vmap(at)(scores)
        return jax.lax.map(jax.checkpoint(at), scores, batch_size=block)


class LinearAttention(AbstractHead):
    r"""An attention head of rank one without the softmax: its risks have closed forms.

    $H(X)_q = \frac{\beta}{L}\sum_k \langle\mu, X_q\rangle\langle\mu, X_k\rangle X_k =
    \beta\,\langle\mu, X_q\rangle\,S\mu$ with $S = X^\top X/L$. Without ``self_token``
    the sum is over the other tokens, with weight 1/(L - 1). With mu the identity it is
    a step of the power iteration, $\beta S X_q$.

    Attributes:
        mu: ``(d,)``, or ``(d, k)`` for the sum of k heads.
        beta: inverse temperature.
        self_token: whether a token attends to itself.

    Reference: Maulen-Soto, Boyer, arXiv:2605.18315; the head after Maulen-Soto, Marion,
    Boyer, arXiv:2505.13112.
    """

    mu: Float[Array, "d ..."] = eqx.field(converter=real_field("mu"))
    beta: Float[Array, ""] = eqx.field(converter=real_field("beta"), default=1.0)
    self_token: bool = eqx.field(static=True, default=True)

    def __call__(
        self,
        tokens: Float[Array, "n d"],
        queries: Float[Array, "m d"] | None = None,
    ) -> Float[Array, "m d"]:
        tokens, queries = _checked(self, tokens, queries)
        scores, keys = _scores(self, tokens, queries)
        summed = scores @ (keys.T @ tokens)
        if self.self_token or queries is not None:
            return self.beta / len(tokens) * summed
        if len(tokens) < 2:
            raise ValueError(
                "LinearAttention: expected at least 2 tokens where self_token=False, "
                f"found {len(tokens)}."
            )
        own = jnp.sum(scores**2, axis=1, keepdims=True) * tokens
        return self.beta / (len(tokens) - 1) * (summed - own)


def initial_mu(
    key: PRNGKeyArray, d: int, heads: int | None = None, *, scale: ArrayLike = 0.3
) -> Float[Array, "d ..."]:
    r"""``scale`` times a draw of $N(0, I/d)$: ``(d,)``, or ``(d, heads)``.

    Raises:
        ValueError: d < 1, heads < 1 or heads > d, or a scale that is negative or not
            finite.
    """
    count("initial_mu", "d", d)
    non_negative("initial_mu", "scale", scale)
    shape("initial_mu", "scale", scale, ())
    if heads is not None:
        count("initial_mu", "heads", heads)
        within("initial_mu", "heads", heads, 1, d)
    sizes = (d,) if heads is None else (d, heads)
    return scale * jax.random.normal(key, sizes) / np.sqrt(d)


def power_layers(
    tokens: Float[Array, "n d"], x: Float[Array, " d"], layers: int
) -> Float[Array, " d"]:
    r"""``layers`` untrained linear heads, $x \leftarrow Sx$, each normalized to RMS 1.

    Power iteration on a prompt's own second moment: what attention without training
    knows of a spike that changes from prompt to prompt.

    Raises:
        ValueError: tokens or x of another shape, not finite or zero, or layers < 1.
    """
    tokens, x = to_real(tokens, "tokens"), to_real(x, "x")
    check_tokens("power_layers", "tokens", tokens)
    shape("power_layers", "x", x, (tokens.shape[1],))
    finite("power_layers", "x", x)
    count("power_layers", "layers", layers)
    for name, value in (("tokens", tokens), ("x", x)):
        found = known(value)
        if found is not None and not found.any():
            raise ValueError(
                f"power_layers: expected {name} other than zero, which have no "
                "direction; found zeros."
            )
    head = LinearAttention(jnp.eye(tokens.shape[1], dtype=tokens.dtype))

    def layer(x: Array, _: None) -> tuple[Array, None]:
        x = head(tokens, x[None])[0]
        return x / jnp.sqrt(jnp.mean(x**2)), None

    return jax.lax.scan(layer, x, length=layers)[0]
