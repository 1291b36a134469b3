"""Principal directions of a stream of prompts, from all of their tokens."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import count, finite, function, known, positive, shape, to_real


class StreamedPCA(NamedTuple):
    """Unit vectors ``(d,)``, each up to its sign.

    ``pooled`` leads the second moment of all tokens together, ``oja`` is where Oja's
    iteration ends.
    """

    pooled: Float[Array, " d"]
    oja: Float[Array, " d"]


def stream_pca(
    prompts: Callable[[PRNGKeyArray], Float[Array, "batch n d"]],
    key: PRNGKeyArray,
    start: Float[Array, " d"],
    *,
    steps: int,
    rate: ArrayLike = 2.0,
) -> StreamedPCA:
    r"""What the tokens of fresh prompts say of their principal direction.

    Oja's iteration is $u \leftarrow u + \frac{c}{i + 10 d} S_iu$, normalized, with the
    second moment $S_i$ of the tokens of batch $i$.

    Args:
        prompts: a batch of prompts from a key; step i gets ``fold_in(key, i)``, as in
            ``train_head``.
        key: random key.
        start: where Oja's iteration begins, ``(d,)``.
        steps: batches.
        rate: c.

    Raises:
        TypeError: prompts that are no function.
        ValueError: a start that is no vector, zero or not finite, prompts of another
            shape than ``(B, L, d)``, steps < 1, or a rate that is not one positive
            number.

    Reference: Oja, J. Math. Biology 15 (1982).
    """
    function("stream_pca", "prompts", prompts, "a key")
    count("stream_pca", "steps", steps)
    start = to_real(start, "start")
    shape("stream_pca", "start", start, ("d",))
    finite("stream_pca", "start", start)
    found = known(start)
    if found is not None and not found.any():
        raise ValueError("stream_pca: expected start other than zero, found zeros.")
    shape("stream_pca", "rate", rate, ())
    positive("stream_pca", "rate", rate)
    return _stream_pca(prompts, key, start, steps, rate)


@eqx.filter_jit
def _stream_pca(
    prompts: Callable[[PRNGKeyArray], Array],
    key: PRNGKeyArray,
    start: Array,
    steps: int,
    rate: Any,
) -> StreamedPCA:
    d = len(start)

    def step(carry: tuple[Array, Array], i: Array) -> tuple[Any, None]:
        pooled, u = carry
        batch = prompts(jax.random.fold_in(key, i))
        shape("stream_pca", "prompts", batch, ("B", "L", d))
        tokens = batch.reshape(-1, d)
        moment = tokens.T @ tokens / len(tokens)
        u = u + rate / (i + 10 * d) * (moment @ u)
        return (pooled + moment, u / jnp.linalg.norm(u)), None

    begin = (jnp.zeros((d, d), start.dtype), start / jnp.linalg.norm(start))
    (pooled, u), _ = jax.lax.scan(step, begin, jnp.arange(steps))
    return StreamedPCA(jnp.linalg.eigh(pooled)[1][:, -1], u)
