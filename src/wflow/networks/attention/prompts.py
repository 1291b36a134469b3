"""Prompts of Gaussian tokens, and what one prompt says of a spike."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import count, finite, known, shape, to_real, within

from .covariance import square_root


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
        ValueError: a size below 1, or a root that is not square or not finite.
    """
    count("gaussian_prompts", "prompt_length", prompt_length)
    count("gaussian_prompts", "batch", batch)
    if degrees is not None:
        count("gaussian_prompts", "degrees", degrees)
    root = to_real(root, "root")
    shape("gaussian_prompts", "root", root, ("d", "d"))
    finite("gaussian_prompts", "root", root)
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
    r"""A covariance with one direction that stands out.

    $\Sigma_0 = I + \theta vv^\top$.

    Args:
        theta: how far it stands out, at least -1.
        direction: v, normalized here, ``(d,)``.

    Raises:
        ValueError: theta < -1, or a direction that is zero or not finite.
    """
    theta, direction = to_real(theta, "theta"), to_real(direction, "direction")
    shape("spiked_covariance", "theta", theta, ())
    finite("spiked_covariance", "theta", theta)
    within("spiked_covariance", "theta", theta, -1, np.inf)
    shape("spiked_covariance", "direction", direction, ("d",))
    finite("spiked_covariance", "direction", direction)
    norm = jnp.linalg.norm(direction)
    found = known(norm)
    if found is not None and not found > 0:
        raise ValueError(
            f"spiked_covariance: expected direction with a norm > 0, found {found}."
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
    count("spiked_wishart", "d", d)
    direction = jnp.eye(d)[0] if direction is None else to_real(direction, "direction")
    shape("spiked_wishart", "direction", direction, (d,))
    root = square_root(spiked_covariance(theta, direction))
    return gaussian_prompts(key, root, prompt_length, batch, degrees)


def bbp_overlap(
    theta: Float[ArrayLike, "*shape"], gamma: Float[ArrayLike, "*shape"]
) -> Float[Array, "*shape"]:
    r"""How well a prompt's own PCA finds a spike, as its length and dimension grow.

    $\cos^2 = \frac{1 - \gamma/\theta^2}{1 + \gamma/\theta}$ where
    $\theta > \sqrt\gamma$, else 0, as $d/L\to\gamma$.

    Raises:
        ValueError: theta < 0 or gamma < 0; nan gives nan.

    Reference: Paul, Statistica Sinica 17 (2007), theorem 4; Baik, Ben Arous, Peche,
    Ann. Probab. 33 (2005).
    """
    theta, gamma = to_real(theta, "theta"), to_real(gamma, "gamma")
    for name, value in (("theta", theta), ("gamma", gamma)):
        found = known(value)
        if found is not None:
            within("bbp_overlap", name, found[~np.isnan(found)], 0, np.inf)
    if theta.shape and gamma.shape and theta.shape != gamma.shape:
        raise ValueError(
            "bbp_overlap: expected theta and gamma of one shape, or numbers, found "
            f"{theta.shape} and {gamma.shape}."
        )
    # Nan is below nothing, and goes through the formula.
    below = theta <= jnp.sqrt(gamma)
    safe = jnp.where(below, 1, theta)
    return jnp.where(below, 0, (1 - gamma / safe**2) / (1 + gamma / safe))


def prompt_pca(
    prompts: Float[Array, "batch n d"], k: int = 1
) -> Float[Array, "batch d k"]:
    """The leading k principal directions of every prompt alone, without centering.

    A prompt with entries that are not finite has nan for directions.

    Raises:
        ValueError: prompts of another shape, or k beyond what a prompt has.
    """
    prompts = to_real(prompts, "prompts")
    shape("prompt_pca", "prompts", prompts, ("B", "L", "d"))
    if 0 in prompts.shape:
        raise ValueError(
            f"prompt_pca: expected prompts (B, L, d) that are not empty, found shape "
            f"{prompts.shape}."
        )
    count("prompt_pca", "k", k)
    within("prompt_pca", "k", k, 1, min(prompts.shape[1:]))
    return _prompt_pca(prompts, k)


@partial(jax.jit, static_argnames="k")
def _prompt_pca(prompts: Array, k: int) -> Array:
    # Decompositions of what is not finite may not come to an end.
    finite = jnp.all(jnp.isfinite(prompts), axis=(1, 2), keepdims=True)
    vectors = jnp.linalg.svd(jnp.where(finite, prompts, 0), full_matrices=False)[2]
    return jnp.where(finite, jnp.swapaxes(vectors[:, :k], 1, 2), jnp.nan)
