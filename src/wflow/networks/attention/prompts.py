"""Prompts of Gaussian tokens, and what one prompt says of a spike."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import to_real

from .checks import known
from .covariance import square_root


def _check_sizes(owner: str, **sizes: int | None) -> None:
    for name, size in sizes.items():
        if size is not None and size < 1:
            raise ValueError(f"{owner}: expected {name} >= 1, found {size}.")


def gaussian_prompts(
    key: PRNGKeyArray,
    root: Float[Array, "d d"],
    prompt_length: int,
    batch: int,
    degrees: int | None = None,
) -> Float[Array, "batch n d"]:
    r"""``batch`` prompts of L tokens $N(0, \Sigma)$, $\Sigma = $ ``root root``.

    With ``degrees`` n the tokens of a prompt are $N(0, W)$ for its own Wishart $W =
    \frac1n\sum_j g_jg_j^\top$, $g_j\sim N(0, \Sigma)$: $X = ZG/\sqrt n$, for any n.

    Args:
        key: random key.
        root: ``square_root(covariance)``.
        prompt_length: L.
        batch: number of prompts.
        degrees: n; None where all prompts share Sigma.

    Raises:
        ValueError: a size below 1.
    """
    _check_sizes(
        "gaussian_prompts", prompt_length=prompt_length, batch=batch, degrees=degrees
    )
    d = root.shape[0]
    if degrees is None:
        return jax.random.normal(key, (batch, prompt_length, d), root.dtype) @ root
    of_law, of_tokens = jax.random.split(key)
    law = jax.random.normal(of_law, (batch, degrees, d), root.dtype) @ root
    mixing = jax.random.normal(of_tokens, (batch, prompt_length, degrees), root.dtype)
    return mixing @ law / np.sqrt(degrees)


def spiked_covariance(
    theta: Float[ArrayLike, ""], direction: Float[ArrayLike, " d"]
) -> Float[Array, "d d"]:
    r"""$\Sigma_0 = I + \theta vv^\top$ with v the normalised ``direction``.

    Raises:
        ValueError: theta < -1, or a direction that is zero or not finite.
    """
    theta, direction = to_real(theta, "theta"), to_real(direction, "direction")
    found = known(theta)
    if found is not None and not np.all(found >= -1):
        raise ValueError(f"spiked_covariance: expected theta >= -1, found {found}.")
    norm = jnp.linalg.norm(direction)
    found = known(norm)
    if found is not None and not (np.isfinite(found) and found > 0):
        raise ValueError(
            f"spiked_covariance: expected a direction with a norm, found {found}."
        )
    v = direction / norm
    return jnp.eye(len(v), dtype=v.dtype) + theta * jnp.outer(v, v)


def spiked_wishart(
    key: PRNGKeyArray,
    d: int,
    theta: float,
    prompt_length: int,
    batch: int,
    degrees: int | None = None,
    direction: Float[ArrayLike, " d"] | None = None,
) -> Float[Array, "batch n d"]:
    r"""``gaussian_prompts`` of $\Sigma_0 = I + \theta vv^\top$; v is $e_1$ by default.

    Raises:
        ValueError: a size below 1, theta < -1 or a direction that is none.
    """
    _check_sizes("spiked_wishart", d=d)
    direction = jnp.eye(d)[0] if direction is None else direction
    root = square_root(spiked_covariance(theta, direction))
    return gaussian_prompts(key, root, prompt_length, batch, degrees)


def bbp_overlap(
    theta: Float[ArrayLike, "*shape"], gamma: Float[ArrayLike, "*shape"]
) -> Float[Array, "*shape"]:
    r"""$\cos^2 = \frac{1 - \gamma/\theta^2}{1 + \gamma/\theta}$ where $\theta >
    \sqrt\gamma$, else 0: the limit of a prompt's own PCA as $d/L\to\gamma$.

    Reference: Paul, Statistica Sinica 17 (2007), theorem 4; Baik, Ben Arous, Peche,
    Ann. Probab. 33 (2005).
    """
    theta, gamma = to_real(theta, "theta"), to_real(gamma, "gamma")
    above = theta > jnp.sqrt(gamma)
    safe = jnp.where(above, theta, 1)
    return jnp.where(above, (1 - gamma / safe**2) / (1 + gamma / safe), 0)


@partial(jax.jit, static_argnames="k")
def prompt_pca(
    prompts: Float[Array, "batch n d"], k: int = 1
) -> Float[Array, "batch d k"]:
    """The leading k principal directions of every prompt alone, without centring."""
    vectors = jnp.linalg.svd(prompts, full_matrices=False)[2]
    return jnp.swapaxes(vectors[:, :k], 1, 2)
