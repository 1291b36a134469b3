"""Reconstruction risks of attention heads, as energies of their parameter."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import finite, instance, positive, real_field, shape, within
from wflow.energies import AbstractEnergy
from wflow.measures import Point, UnsupportedMeasureError

from .covariance import checked_covariance, eigenpairs, multiply, trace
from .heads import AbstractHead, check_columns


class AttentionRisk(AbstractEnergy):
    r"""How badly a linear head reconstructs the tokens of a prompt, in closed form.

    $R(\mu) = E\,\frac1L\sum_q |X_q - H(X)_q|^2$. Tokens are $N(0, \Sigma)$, or
    $N(0, W)$ with a Wishart $W$ of ``degrees`` degrees of freedom and mean $\Sigma$
    drawn for every prompt. With $A = \beta M^\top\Sigma M$,
    $B = \beta M^\top\Sigma^2 M$ and $T = \operatorname{tr}\Sigma$ the infinite prompt
    has $R = T - 2\operatorname{tr}B + \operatorname{tr}AB$, which is the softmax head's
    limit too; with one head $R = T - 2\beta b + \beta^2 ab$. It acts on a Point of
    ``(d,)``, or of ``(d, k)`` for the sum of k heads.

    Attributes:
        covariance: Sigma as a matrix ``(d, d)`` or as eigenvalues ``(d,)``; of data by
            ``second_moment``.
        prompt_length: L; inf for the infinite prompt.
        degrees: n of the Wishart law; inf where all prompts share Sigma.
        beta: inverse temperature; it enters as $\sqrt\beta\,\mu$.
        self_token: whether a token attends to itself.

    Raises:
        ValueError: a covariance that is none, L < 1 (2 without the own token), n < 1 or
            beta <= 0.

    Reference: after Maulen-Soto, Boyer, arXiv:2605.18315; the closed forms by Wick's
    theorem.
    """

    covariance: Float[Array, "d ..."] = eqx.field(converter=real_field("covariance"))
    prompt_length: Float[Array, ""] = eqx.field(
        converter=real_field("prompt_length"), default=np.inf
    )
    degrees: Float[Array, ""] = eqx.field(
        converter=real_field("degrees"), default=np.inf
    )
    beta: Float[Array, ""] = eqx.field(converter=real_field("beta"), default=1.0)
    self_token: bool = eqx.field(static=True, default=True)

    def __check_init__(self) -> None:
        checked_covariance(self.covariance, "AttentionRisk")
        least = 1 if self.self_token else 2
        for name in ("prompt_length", "degrees", "beta"):
            shape(self, name, getattr(self, name), ())
        within(self, "prompt_length", self.prompt_length, least, np.inf)
        within(self, "degrees", self.degrees, 1, np.inf)
        positive(self, "beta", self.beta)
        instance(self, "self_token", self.self_token, bool, "True or False")

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        columns = self._columns(mu)
        image = multiply(self.covariance, columns)
        a = self.beta * columns.T @ image
        b = self.beta * image.T @ image
        first = trace(self.covariance)
        # Of Q = Sigma^1/2 M M' Sigma^1/2: tr Q, tr Q^2, tr Sigma Q, tr Sigma Q^2.
        q1, q2, s1, s2 = jnp.trace(a), jnp.sum(a * a), jnp.trace(b), jnp.sum(a * b)
        second = jnp.stack([s1, q1 * first])
        third = jnp.stack([s2, q1 * s1, q2 * first, q1**2 * first])
        # Expectations over the covariance of the prompt, then over its tokens.
        second = _second_moments(1 / self.degrees) @ second
        third = _third_moments(1 / self.degrees) @ third
        if self.self_token:
            rate = 1 / self.prompt_length
            linear = _second_moments(rate)[0] @ second
            quadratic = _third_moments(rate)[0] @ third
        else:
            # The other tokens' second moment is independent of the query.
            rate = 1 / (self.prompt_length - 1)
            linear = second[0]
            quadratic = (1 + rate) * third[0] + rate * third[2]
        return first - 2 * linear + quadratic

    @property
    def minimum(self) -> Float[Array, " d"]:
        r"""The head of least risk, $\mu = \sqrt{a_*/(\beta\lambda_1)}\,e_1$.

        Of one head, with $a_*$ from the formula's quadratic in a after
        $b = \lambda_1 a$.
        """
        values, vectors = eigenpairs(self.covariance)
        along = lambda a: jnp.sqrt(a / (self.beta * values[0])) * vectors[:, 0]
        # There R = T - p a + q a^2, read off at a = 1 and 2.
        first = trace(self.covariance)
        one, two = (self.value(Point(along(a))) - first for a in (1.0, 2.0))
        return along((two - 4 * one) / (2 * (two - 2 * one)))

    def _columns(self, mu: Any) -> Float[Array, "d k"]:
        if not isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Point")
        d, shape = self.covariance.shape[0], jnp.shape(mu.value)
        if len(shape) not in (1, 2) or shape[0] != d:
            raise ValueError(
                f"AttentionRisk: expected mu of shape ({d},) or ({d}, k), found "
                f"{shape}."
            )
        check_columns(self, "mu", mu.value)
        return mu.value.reshape(d, -1)


class PromptRisk(AbstractEnergy):
    r"""How badly a head reconstructs the tokens of stored prompts.

    $\frac1B\sum_i\frac1L\sum_q |X^i_q - H(X^i)_q|^2$, on a Point of ``mu``, which takes
    the place of the head's.

    Attributes:
        head: whose other fields count.
        prompts: ``(B, L, d)``.

    Raises:
        ValueError: prompts of another shape, or not finite.
    """

    head: AbstractHead
    prompts: Float[Array, "batch n d"] = eqx.field(converter=real_field("prompts"))

    def __check_init__(self) -> None:
        instance(self, "head", self.head, AbstractHead, "an attention head")
        d = self.head.mu.shape[0]
        if jnp.ndim(self.prompts) != 3 or 0 in jnp.shape(self.prompts):
            raise ValueError(
                f"PromptRisk: expected prompts (B, L, {d}), found shape "
                f"{jnp.shape(self.prompts)}."
            )
        shape(self, "prompts", self.prompts, ("B", "L", d))
        finite(self, "prompts", self.prompts)

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        if not isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Point")
        if jnp.shape(mu.value) != self.head.mu.shape:
            raise ValueError(
                f"PromptRisk: expected mu of the head's shape {self.head.mu.shape}, "
                f"found {jnp.shape(mu.value)}."
            )
        head = eqx.tree_at(lambda head: head.mu, self.head, mu.value)
        errors = jax.vmap(lambda tokens: tokens - head(tokens))(self.prompts)
        return jnp.mean(jnp.sum(errors**2, axis=-1))


def _second_moments(e: Float[Array, ""]) -> Float[Array, "2 2"]:
    r"""Mean values of the second moment Z of 1/e standard normal vectors.

    Of $\operatorname{tr}\Sigma ZQZ$ and $\operatorname{tr}QZ \operatorname{tr}\Sigma Z$
    by their values at $Z = I$.
    """
    return jnp.array([[1 + e, e], [2 * e, 1]])


def _third_moments(e: Float[Array, ""]) -> Float[Array, "4 4"]:
    r"""The same of third degree.

    Of $\operatorname{tr}\Sigma ZQZQZ$,
    $\operatorname{tr}QZ \operatorname{tr}\Sigma ZQZ$,
    $\operatorname{tr}QZQZ\operatorname{tr}\Sigma Z$ and
    $(\operatorname{tr}QZ)^2\operatorname{tr}\Sigma Z$.
    """
    return jnp.array(
        [
            [1 + 3 * e + 4 * e**2, 2 * e + 2 * e**2, e + e**2, e**2],
            [4 * e + 4 * e**2, 1 + e + 2 * e**2, 2 * e**2, e],
            [4 * e + 4 * e**2, 4 * e**2, 1 + e, e],
            [8 * e**2, 4 * e, 2 * e, jnp.ones_like(e)],
        ]
    )
