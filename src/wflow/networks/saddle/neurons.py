"""Neurons in logarithmic scale, and how they start."""

import math
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PRNGKeyArray

from wflow.checks import (
    count,
    finite,
    instance,
    known,
    non_negative,
    one_of,
    real_field,
    shape,
    to_real,
)

from .data import ReLUData, positive_part


class LogNeurons(eqx.Module):
    r"""Neurons by the logarithm of their size, so that no small start underflows.

    $L_j = \log|a_j|$ and $p_{jk} = w_j\cdot x_k / |a_j|$ of
    $f(x) = \sum_j a_j\,\mathrm{relu}(w_j\cdot x)$: a start of $e^{-10000}$ has
    $L = -10000$. What of $w_j$ is orthogonal to all inputs never moves; ``rest`` is its
    length. Put it into a ``Point`` to move it.

    Attributes:
        level: $L_j$.
        ratio: $p_{jk}$.
        rest: $|w_j^\perp| / |a_j|$.
        sign: of $a_j$, whole numbers; they do not move.

    Raises:
        ValueError: shapes that do not fit, entries that are not finite, a negative
            ``rest``, or signs other than 1 and -1.
    """

    level: Float[Array, " m"] = eqx.field(converter=real_field("level"))
    ratio: Float[Array, "m n"] = eqx.field(converter=real_field("ratio"))
    rest: Float[Array, " m"] = eqx.field(converter=real_field("rest"))
    sign: Int[Array, " m"]

    def __check_init__(self) -> None:
        if self.level.ndim not in (1, 2):
            raise ValueError(
                "LogNeurons: expected level of shape (m,), or (times, m) along a "
                f"course, found shape {self.level.shape}."
            )
        # A course has a leading axis of times, and need not be finite.
        if self.level.ndim == 2:
            shape(self, "ratio", self.ratio, (*self.level.shape, "n"))
        else:
            shape(self, "ratio", self.ratio, (self.m, "n"))
            for name in ("rest", "sign"):
                shape(self, name, getattr(self, name), (self.m,))
            for name in ("level", "ratio"):
                finite(self, name, getattr(self, name))
            non_negative(self, "rest", self.rest)
            signs = known(self.sign)
            if signs is not None and not np.isin(signs, (-1, 1)).all():
                raise ValueError(
                    "LogNeurons: expected sign to be 1 or -1, found "
                    f"{signs[~np.isin(signs, (-1, 1))][0]}."
                )

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
        """Output weights $a_j$; zero where that underflows."""
        return self.sign * jnp.exp(self.level)

    def squared_ratio(self, data: ReLUData) -> Float[Array, " m"]:
        """The ratio $|w_j|^2 / a_j^2$: 1 where balanced, less where dominated."""
        return jnp.sum(_dual(data, self.ratio) * self.ratio, axis=1) + self.rest**2

    def require_dominated(self, owner: str, data: ReLUData) -> None:
        """Refuse neurons with $|a_j| < |w_j|$, whose sign may flip.

        Logarithms of $|a_j|$ cannot pass through zero. Of orthogonal inputs only those
        whose units are on count in $|w_j|$: the rest of it never moves, and $a_j^2$
        minus the square of what does is kept.

        Raises:
            ValueError: it names the first such neuron; ``descend`` moves it rightly.
        """
        squares = self.squared_ratio(data)
        if data.gram.ndim == 1:
            squares = jnp.sum(positive_part(self.ratio) ** 2 / data.gram, axis=1)
        shares = known(squares)
        if shares is None:
            return
        # Rounding of the balanced start.
        slack = math.sqrt(float(np.finfo(shares.dtype).eps))
        if not (shares <= 1 + slack).all():
            j = int(np.argmax(~(shares <= 1 + slack)))
            raise ValueError(
                f"{owner}: neuron {j} has |w| / |a| = {float(shares[j]) ** 0.5:.4g}; "
                "where |a| < |w|, neither balanced nor dominated, the sign of a may "
                "flip, which logarithms of |a| cannot follow; use descend."
            )

    def norm_squared(self, data: ReLUData) -> Float[Array, ""]:
        r"""Squared norm of all weights, $\sum_j (a_j^2 + |w_j|^2)$."""
        return jnp.sum(jnp.exp(2 * self.level) * (1 + self.squared_ratio(data)))

    def predict(self) -> Float[Array, " n"]:
        """The outputs $f(x_k)$."""
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
        ValueError: no neurons, an output weight of zero, shapes that do not fit, a
            negative rest, or entries that are not finite.
    """
    output, activation = to_real(output, "output"), to_real(activation, "activation")
    instance("from_weights", "data", data, ReLUData, "a ReLUData")
    if output.ndim != 1 or output.shape[0] == 0:
        raise ValueError(
            "from_weights: expected output (m,) of at least one neuron, found shape "
            f"{output.shape}."
        )
    finite("from_weights", "output", output)
    finite("from_weights", "activation", activation)
    shape("from_weights", "log_scale", log_scale, ())
    finite("from_weights", "log_scale", log_scale)
    if activation.shape != (output.shape[0], data.n):
        raise ValueError(
            "from_weights: expected activation of shape "
            f"{(output.shape[0], data.n)}, found {activation.shape}."
        )
    size = jnp.abs(output)
    sizes = known(size)
    if sizes is not None and not (sizes > 0).all():
        raise ValueError(
            f"from_weights: neuron {int(np.argmin(sizes))} has zero output weight; log "
            "coordinates need |a_j| > 0."
        )
    rest = jnp.zeros_like(output) if rest is None else to_real(rest, "rest")
    shape("from_weights", "rest", rest, output.shape)
    non_negative("from_weights", "rest", rest)
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
    r"""A small random start of a ReLU network, as small as is wished.

    $w_j = \lambda g_j$, $g_j \sim N(0, I_d)$, $a_j = \pm|w_j|$ by a fair coin.

    Args:
        key: random key.
        width: number of neurons.
        data: the samples.
        log_scale: $\log\lambda$, below 0.
        dim: d, at least the number of samples, which is the default.
        start: "balanced", or "dominated", which makes $|a_j|$ larger than $|w_j|$ by
            $\lambda$ times an exponential draw.

    Raises:
        ValueError: no neurons, ``log_scale >= 0``, fewer dimensions than samples, or an
            unknown start.

    Reference: Boursier, Pillaud-Vivien, Flammarion, arXiv:2206.00939 (balanced); Dana,
    Bach, Pillaud-Vivien, arXiv:2502.16977 (dominated).
    """
    count("small_neurons", "width", width)
    instance("small_neurons", "data", data, ReLUData, "a ReLUData")
    one_of("small_neurons", "start", start, ("balanced", "dominated"))
    require_small("small_neurons", log_scale)
    n = data.n
    dim = n if dim is None else dim
    count("small_neurons", "dim", dim)
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


def require_small(owner: str, log_scale: ArrayLike) -> None:
    """Refuse a scale of the initialization that is not below one.

    Raises:
        ValueError: it is not, or not finite.
    """
    shape(owner, "log_scale", log_scale, ())
    finite(owner, "log_scale", log_scale)
    found = known(log_scale)
    if found is not None and not found < 0:
        raise ValueError(
            f"{owner}: log_scale = {found} is not a small initialization; expected "
            "log_scale < 0."
        )
