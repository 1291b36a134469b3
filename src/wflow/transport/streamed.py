"""Entropic costs of large clouds: pairs in blocks, made anew at every iteration."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import logsumexp
from jaxtyping import Array, Bool, Float, Int

from .cost import pair_cost
from .potentials import Options, Potentials, finished, marginal_error, resolved


# Pairs of a block: a few copies of them stay in a core's cache.
_PAIRS = 2**20


class _Clouds(NamedTuple):
    """Two clouds, or one with itself, whose cost is never held whole."""

    x: Float[Array, "n d"]
    y: Float[Array, "m d"]
    p: int
    period: Array | None
    same: bool

    def least(
        self, g: Float[Array, " m"], log_b: Float[Array, " m"], heat: Float[Array, ""]
    ) -> Float[Array, " n"]:
        r"""$-\epsilon\log\sum_j e^{(g_j - c_{ij})/\epsilon + \log b_j}$, by rows."""
        n, m = len(self.x), len(self.y)
        size = min(n, max(1, _PAIRS // m))
        count = -(-n // size)
        rows = jnp.concatenate(
            [
                self.x,
                jnp.broadcast_to(self.x[:1], (count * size - n, *self.x.shape[1:])),
            ]
        )

        # What is differentiated keeps the rows, and makes their costs again.
        @jax.checkpoint
        def block(at: tuple[Int[Array, ""], Array]) -> Array:
            first, x = at
            cost = pair_cost(
                x, self.y, self.p, self.period, own=first if self.same else None
            )
            return -heat * logsumexp((g - cost) / heat + log_b, axis=1)

        firsts = jnp.arange(count) * size
        found = jax.lax.map(block, (firsts, rows.reshape(count, size, -1)))
        return found.reshape(-1)[:n]

    def turned(self) -> "_Clouds":
        """The clouds in the other order."""
        return self._replace(x=self.y, y=self.x)

    def spread(self, a: Array, b: Array) -> Float[Array, ""]:
        """A length to the power p over which mass may have to go."""
        center = b @ self.y
        square = jnp.maximum(
            a @ jnp.sum((self.x - center) ** 2, 1),
            b @ jnp.sum((self.y - center) ** 2, 1),
        )
        return square / 2 if self.p == 2 else jnp.sqrt(square)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _solved(
    options: Options,
    p: int,
    period: Array | None,
    x: Array,
    y: Array,
    a: Array,
    b: Array,
    epsilon: Array,
    threshold: Array,
) -> Potentials:
    """Potentials, and the L1 error of the marginals."""
    clouds = _Clouds(x, y, p, period, options.symmetric)
    log_a, log_b = jnp.log(a), jnp.log(b)
    if options.symmetric:
        return _averaged(clouds, options, a, log_a, epsilon, threshold)

    def best_f(g: Array, heat: Array) -> Array:
        return clouds.least(g, log_b, heat)

    def best_g(f: Array, heat: Array) -> Array:
        return clouds.turned().least(f, log_a, heat)

    def polish(g: Array) -> Potentials:
        f = best_f(g, epsilon)
        better = best_g(f, epsilon)
        return Potentials(f, better, marginal_error(b, (g - better) / epsilon))

    nothing = Potentials(jnp.zeros_like(a), jnp.zeros_like(b), jnp.inf * epsilon)
    end = finished(
        nothing,
        jnp.asarray(False),
        jnp.asarray(options.max_iterations),
        best_f,
        best_g,
        polish,
        a,
        b,
        epsilon,
        threshold,
        clouds.spread(a, b),
    )
    return resolved(end, a, b, epsilon)


@_solved.defjvp
def _(options: Options, p: int, primals: tuple, tangents: tuple) -> tuple:
    del options, p, tangents
    n, m = len(primals[1]), len(primals[2])
    raise NotImplementedError(
        f"sinkhorn_divergence: expected at most 4096 points for a second derivative, "
        f"found x and y of {n} and {m} points, whose costs are not kept."
    )


def _averaged(
    clouds: _Clouds,
    options: Options,
    a: Array,
    log_a: Array,
    epsilon: Array,
    threshold: Array,
) -> Potentials:
    """One potential of a cloud with itself, by averages of the old and the best."""

    def step(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        f, count, _ = state
        best = clouds.least(f, log_a, epsilon)
        error = marginal_error(a, jnp.where(a > 0, (f - best) / epsilon, 0))
        return (f + best) / 2, count + 1, error

    def proceed(state: tuple[Array, Array, Array]) -> Bool[Array, ""]:
        _, count, error = state
        return (error >= threshold) & (count < options.max_iterations)

    begin = (jnp.zeros_like(a), jnp.zeros((), jnp.int32), jnp.inf * epsilon)
    f, _, error = jax.lax.while_loop(proceed, step, begin)
    return resolved(Potentials(f, f, error), a, a, epsilon)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def streamed_cost(
    options: Options,
    p: int,
    period: Array | None,
    x: Float[Array, "n d"],
    y: Float[Array, "m d"],
    a: Float[Array, " n"],
    b: Float[Array, " m"],
    epsilon: Float[Array, ""],
    threshold: Float[Array, ""],
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    r"""The least entropic cost between two weighted clouds, in O(n + m) memory.

    $\min_P \langle P, C\rangle + \epsilon\,\mathrm{KL}(P | a b^T)$ and whether the
    marginals are met to ``threshold``. Derivatives are those of the envelope theorem:
    one more iteration is differentiated, with the potential it begins with held fixed.

    Reference: Feydy, Geometric data analysis, beyond convolutions (2020), chapter 3.
    """
    problem = (period, x, y, a, b, epsilon, threshold)
    found: Potentials = _solved(options, p, *problem)
    f, g, error = found
    return f @ a + g @ b, error < threshold


@streamed_cost.defjvp
def _(options: Options, p: int, primals: tuple, tangents: tuple) -> tuple:
    period, *moving, threshold = primals
    found: Potentials = _solved(options, p, *primals)
    f, g, error = found
    _, _, a, b, _ = moving
    value, converged = f @ a + g @ b, error < threshold

    def envelope(x: Array, y: Array, a: Array, b: Array, epsilon: Array) -> Array:
        clouds = _Clouds(x, y, p, period, options.symmetric)
        log_b = jnp.log(jax.lax.stop_gradient(b))
        return clouds.least(g, log_b, epsilon) @ a + g @ b

    _, tangent = jax.jvp(envelope, tuple(moving), tuple(tangents[1:-1]))
    flat = np.zeros(jnp.shape(converged), jax.dtypes.float0)
    return (value, converged), (tangent, flat)
