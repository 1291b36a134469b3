"""How alike two networks see the same inputs."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow.checks import finite, shape, to_real


def cka(a: Float[Array, "n p"], b: Float[Array, "n q"]) -> Float[Array, ""]:
    r"""Linear CKA $|B^TA|^2 / (|A^TA|\,|B^TB|)$ of centered features, in [0, 1].

    It does not see rotations, scales and shifts of either. Features that are constant
    have nothing in common with any: 0.

    Args:
        a: features of a network at n inputs, ``(n, p)``.
        b: features of another, or of another layer, at the same inputs, ``(n, q)``.

    Raises:
        ValueError: features that are no matrices, of unequal numbers of inputs, or not
            finite.

    Reference: Kornblith et al., ICML 2019, section 3.
    """
    a, b = to_real(a, "a"), to_real(b, "b")
    shape("cka", "a", a, ("n", "p"))
    shape("cka", "b", b, (len(a), "q"))
    if 0 in (*a.shape, *b.shape):
        raise ValueError(
            f"cka: expected a and b with entries, found shapes {a.shape} and {b.shape}."
        )
    finite("cka", "a", a)
    finite("cka", "b", b)
    a, b = a - a.mean(0), b - b.mean(0)
    size = jnp.linalg.norm(a.T @ a) * jnp.linalg.norm(b.T @ b)
    alive = size > 0
    return jnp.where(
        alive, jnp.linalg.norm(b.T @ a) ** 2 / jnp.where(alive, size, 1), 0
    )
