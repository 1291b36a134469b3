"""Neurons in logarithmic scale, and how they start."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PRNGKeyArray

from wflow.checks import real_field, to_real

from .data import ReLUData, positive_part


class LogNeurons(eqx.Module):
    r"""$L_j = \log|a_j|$ and $p_{jk} = w_j\cdot x_k / |a_j|$ of
    $f(x) = \sum_j a_j\,\mathrm{relu}(w_j\cdot x)$.

    Nothing underflows at any scale: a start of $e^{-10000}$ has $L = -10000$. What of
    $w_j$ is orthogonal to all inputs never moves; ``rest`` is its length. Put it into a
    ``Point`` to move it.

    Attributes:
        level: $L_j$.
        ratio: $p_{jk}$.
        rest: $|w_j^\perp| / |a_j|$.
        sign: of $a_j$, whole numbers; they do not move.
    """

    level: Float[Array, " m"] = eqx.field(converter=real_field("level"))
    ratio: Float[Array, "m n"] = eqx.field(converter=real_field("ratio"))
    rest: Float[Array, " m"] = eqx.field(converter=real_field("rest"))
    sign: Int[Array, " m"]

    @property
    def m(self) -> int:
        """Number of neurons."""
        return self.level.shape[-1]

    @property
    def active(self) -> Bool[Array, "m n"]:
        """Which units are on."""
        return self.ratio > 0

    @property
    def output(self) -> Float[Array, " m"]:
        """$a_j$; zero where that underflows."""
        return self.sign * jnp.exp(self.level)

    def squared_ratio(self, data: ReLUData) -> Float[Array, " m"]:
        """$|w_j|^2 / a_j^2$: 1 where balanced, less where dominated."""
        return jnp.sum(_dual(data, self.ratio) * self.ratio, axis=1) + self.rest**2

    def norm_squared(self, data: ReLUData) -> Float[Array, ""]:
        r"""$\sum_j (a_j^2 + |w_j|^2)$."""
        return jnp.sum(jnp.exp(2 * self.level) * (1 + self.squared_ratio(data)))

    def predict(self) -> Float[Array, " n"]:
        """$f(x_k)$."""
        return (self.sign * jnp.exp(2 * self.level)) @ positive_part(self.ratio)


def _dual(data: ReLUData, rows: Array) -> Array:
    """Rows times the inverse of the Gram matrix."""
    if data.gram.ndim == 1:
        return rows / data.gram
    return jnp.linalg.solve(data.gram, rows.T).T


def from_weights(
    data: ReLUData,
    output: Float[ArrayLike, " m"],
    activation: Float[ArrayLike, "m n"],
    rest: Float[ArrayLike, " m"] | None = None,
    log_scale: ArrayLike = 0.0,
) -> LogNeurons:
    r"""Neurons $a_j$ and $w_j\cdot x_k$, both times $e^{\text{log\_scale}}$.

    ``rest`` is the length of the part of $w_j$ orthogonal to all inputs, 0 by default.

    Raises:
        ValueError: no neurons, an output weight of zero, or shapes that do not fit.
    """
    output, activation = to_real(output, "output"), to_real(activation, "activation")
    if output.ndim != 1 or output.shape[0] == 0:
        raise ValueError(
            f"from_weights: expected at least one neuron, found {output.shape}."
        )
    if activation.shape != (output.shape[0], data.n):
        raise ValueError(
            "from_weights: expected activation of shape "
            f"{(output.shape[0], data.n)}, found {activation.shape}."
        )
    size = jnp.abs(output)
    if not isinstance(size, Tracer) and not (np.asarray(size) > 0).all():
        j = int(np.argmin(np.asarray(size)))
        raise ValueError(
            f"from_weights: neuron {j} has zero output weight; log coordinates need "
            "|a_j| > 0."
        )
    rest = jnp.zeros_like(output) if rest is None else to_real(rest, "rest")
    return LogNeurons(
        log_scale + jnp.log(size),
        activation / size[:, None],
        rest / size,
        jnp.sign(output).astype(int),
    )


def small_neurons(
    key: PRNGKeyArray,
    width: int,
    data: ReLUData,
    log_scale: ArrayLike,
    *,
    dim: int | None = None,
    start: Literal["balanced", "dominated"] = "balanced",
) -> LogNeurons:
    r"""$w_j = \lambda g_j$, $g_j \sim N(0, I_d)$, $a_j = \pm|w_j|$ by a fair coin.

    ``log_scale`` is $\log\lambda$. "dominated" makes $|a_j|$ larger than $|w_j|$ by
    $\lambda$ times an exponential draw. ``dim`` is d, n by default.

    Raises:
        ValueError: no neurons, ``log_scale >= 0``, fewer dimensions than samples, or an
            unknown start.

    Reference: Boursier, Pillaud-Vivien, Flammarion, arXiv:2206.00939 (balanced); Dana,
    Bach, Pillaud-Vivien, arXiv:2502.16977 (dominated).
    """
    if width < 1:
        raise ValueError(f"small_neurons: expected width >= 1, found {width}.")
    if start not in ("balanced", "dominated"):
        raise ValueError(
            f"small_neurons: expected start 'balanced' or 'dominated', found {start!r}."
        )
    if not isinstance(log_scale, Tracer) and not np.all(np.asarray(log_scale) < 0):
        raise ValueError(
            f"small_neurons: log_scale = {log_scale} is not a small initialisation; "
            "expected log_scale < 0."
        )
    n = data.n
    dim = n if dim is None else dim
    if dim < n:
        raise ValueError(
            f"small_neurons: expected dim >= n = {n} (orthogonal inputs), found {dim}."
        )
    dtype = data.y.dtype
    directions, beside, coins, sizes = jax.random.split(key, 4)
    g = jax.random.normal(directions, (width, n), dtype)
    rest = jnp.zeros(width, dtype)
    if dim > n:
        rest = jnp.sqrt(jax.random.chisquare(beside, dim - n, (width,), dtype))
    if data.gram.ndim == 1:
        activation = g * jnp.sqrt(data.gram)
    else:
        activation = g @ jnp.linalg.cholesky(data.gram).T
    size = jnp.sqrt(jnp.sum(g**2, axis=1) + rest**2)
    if start == "dominated":
        size = size + jax.random.exponential(sizes, (width,), dtype)
    sign = jax.random.rademacher(coins, (width,), dtype)
    return from_weights(data, sign * size, activation, rest, log_scale)
