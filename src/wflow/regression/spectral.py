"""A regression in the eigenbasis of its curvature, and the choice of a law on it."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import known, to_real

from .search import SpectralFilter, best_mean, check_filter
from .spectral_data import SpectralData


def _shrunk(owner: str, data: SpectralData, shrinkage: ArrayLike) -> Array:
    """Shrinkage as an array that goes with the data."""
    checks.instance(owner, "data", data, SpectralData, "SpectralData")
    return shrinkage_of(owner, shrinkage, data.curvature)


def shrinkage_of(owner: str, shrinkage: ArrayLike, curvature: Array) -> Array:
    """Shrinkage as an array, one finite number for each curvature.

    Raises:
        TypeError: it is no array of numbers.
        ValueError: it is not.
    """
    shrinkage = to_real(shrinkage, "shrinkage")
    checks.shape(owner, "shrinkage", shrinkage, curvature.shape)
    checks.finite(owner, "shrinkage", shrinkage)
    return shrinkage


def variance(owner: str, noise: ArrayLike) -> Array:
    """A variance of noise as an array.

    Raises:
        TypeError: it is no number.
        ValueError: it is not one number >= 0 and finite.
    """
    noise = to_real(noise, "noise")
    checks.shape(owner, "noise", noise, ())
    checks.non_negative(owner, "noise", noise)
    return noise


def effective_dof(
    data: SpectralData, shrinkage: Float[Array, " k"]
) -> Float[Array, ""]:
    r"""How many parameters a shrinkage leaves free, with what was spent beforehand.

    $\mathrm{tr} H = \sum_i h_i$.

    Raises:
        TypeError: ``data`` of another kind.
        ValueError: a shrinkage that is not (k,) or not finite.
    """
    shrinkage = _shrunk("effective_dof", data, shrinkage)
    return data.spent + jnp.sum(shrinkage)


def residual_sum(data: SpectralData, shrinkage: Float[Array, " k"]) -> Float[Array, ""]:
    r"""Sum of squared residuals under a shrinkage, and what no coefficients explain.

    $|y - Hy|^2 = \sum_i (1-h_i)^2z_i^2$.
    """
    return data.residual + jnp.sum(((1 - shrinkage) * data.response) ** 2)


def shrinkage_curves(
    data: SpectralData, law: SpectralFilter, means: Float[ArrayLike, " m"]
) -> Float[Array, "m p"]:
    """Coefficients against the mean time between resets, like the path of ridge.

    Args:
        data: the regression.
        law: whose mean is varied.
        means: mean times between resets, (m,).

    Raises:
        TypeError: ``data`` or ``law`` of another kind.
        ValueError: means that are not (m,), not > 0 or not finite.
    """
    owner = "shrinkage_curves"
    checks.instance(owner, "data", data, SpectralData, "SpectralData")
    check_filter(owner, "law", law)
    means = to_real(means, "means")
    checks.shape(owner, "means", means, ("m",))
    checks.positive(owner, "means", means)
    return jax.vmap(
        lambda mean: data.coefficients(law.with_mean(mean).filter(data.curvature))
    )(means)


def equivalent_penalty(law: SpectralFilter, mu: Float[ArrayLike, "*b"]) -> Array:
    r"""The ridge penalty that shrinks as much, direction by direction.

    $\lambda(\mu) = \mu(1-h(\mu))/h(\mu)$. It is constant for the exponential law alone
    (uniqueness); otherwise it runs from $1/E a = 2/(\tau(1+CV^2))$ at small curvature
    to $1/\tau$ at large.

    Raises:
        TypeError: a law that is no filter.
        ValueError: mu that is not > 0 and finite.

    Reference: Jolakoski, arXiv:2605.30059 (the statement).
    """
    check_filter("equivalent_penalty", "law", law)
    mu = to_real(mu, "mu")
    checks.positive("equivalent_penalty", "mu", mu)
    return mu * law.age_laplace(mu) / law.filter(mu)


def noise_variance(data: SpectralData) -> Float[Array, ""]:
    """Unbiased estimate from the residual of least squares; infinite without one.

    Raises:
        TypeError: ``data`` of another kind.
    """
    checks.instance("noise_variance", "data", data, SpectralData, "SpectralData")
    rank = jnp.sum(data.curvature > 0)
    left = data.samples - data.spent - rank
    return jnp.where(left > 0.5, data.residual / jnp.maximum(left, 1.0), jnp.inf)


def gcv(data: SpectralData, shrinkage: Float[Array, " k"]) -> Float[Array, ""]:
    r"""Score of a shrinkage by generalized cross-validation; lower is better.

    $n|y - Hy|^2/(n - \mathrm{tr} H)^2$ for a shrinkage at the curvatures of the data,
    (k,).

    Raises:
        TypeError: ``data`` of another kind.
        ValueError: a shrinkage that is not (k,) or not finite.

    Reference: Golub, Heath, Wahba, Technometrics 21 (1979), equation (1.4).
    """
    shrinkage = _shrunk("gcv", data, shrinkage)
    free = data.samples - effective_dof(data, shrinkage)
    return data.samples * residual_sum(data, shrinkage) / free**2


def unbiased_risk(
    data: SpectralData, shrinkage: Float[Array, " k"], noise: ArrayLike
) -> Float[Array, ""]:
    r"""Estimate of the in-sample risk of the mean, without knowing the truth.

    $|y - Hy|^2 + 2\sigma^2\mathrm{tr} H - n\sigma^2$: unbiased.

    Args:
        data: the regression.
        shrinkage: h at the curvatures of the data, (k,).
        noise: the variance $\sigma^2$.

    Raises:
        TypeError: ``data`` of another kind.
        ValueError: a shrinkage that is not (k,) or not finite, or noise not >= 0.

    Reference: Mallows, Technometrics 15 (1973).
    """
    shrinkage = _shrunk("unbiased_risk", data, shrinkage)
    noise = variance("unbiased_risk", noise)
    penalty = 2 * effective_dof(data, shrinkage) - data.samples
    return residual_sum(data, shrinkage) + noise * penalty


def unbiased_process_risk(
    data: SpectralData, law: SpectralFilter, noise: ArrayLike
) -> Float[Array, ""]:
    r"""The same for one draw, averaged over its age.

    $(1-h_i)^2$ becomes $\ell(2\mu_i)$.

    Args:
        data: the regression.
        law: of the time between resets, or any filter.
        noise: the variance $\sigma^2$.

    Raises:
        TypeError: ``data`` or ``law`` of another kind.
        ValueError: noise not >= 0.
    """
    owner = "unbiased_process_risk"
    checks.instance(owner, "data", data, SpectralData, "SpectralData")
    check_filter(owner, "law", law)
    noise = variance(owner, noise)
    mu = data.curvature
    left = data.residual + jnp.sum(law.age_laplace(2 * mu) * data.response**2)
    penalty = 2 * effective_dof(data, law.filter(mu)) - data.samples
    return left + noise * penalty


Criterion = Literal["gcv", "risk", "process_risk"]


class Tuned(NamedTuple):
    """The law that a criterion chose, and its score."""

    law: SpectralFilter
    score: Float[Array, ""]


def _gcv(
    data: SpectralData, noise: Float[Array, ""], law: SpectralFilter
) -> Float[Array, ""]:
    del noise
    return gcv(data, law.filter(data.curvature))


def _risk(
    data: SpectralData, noise: Float[Array, ""], law: SpectralFilter
) -> Float[Array, ""]:
    return unbiased_risk(data, law.filter(data.curvature), noise)


def _process(
    data: SpectralData, noise: Float[Array, ""], law: SpectralFilter
) -> Float[Array, ""]:
    return unbiased_process_risk(data, law, noise)


_CRITERIA = {"gcv": _gcv, "risk": _risk, "process_risk": _process}


def tune(
    data: SpectralData,
    laws: SpectralFilter | Sequence[SpectralFilter],
    criterion: Criterion = "gcv",
    *,
    noise: ArrayLike | None = None,
) -> Tuned:
    """Choose the law of resets and its mean by the data, as ridge's penalty is chosen.

    Each law gives a shape, its mean is searched for with the derivative of the score by
    autodiff. With one law it works under ``jit`` and ``vmap`` and is differentiable in
    the data and in the shape.

    Args:
        data: the regression.
        laws: one law or several, of which the best is taken.
        criterion: ``gcv``, or the marginal risk that is unbiased for the variance
            ``noise``: ``risk`` of the mean or ``process_risk`` of one draw.
        noise: the variance; by default estimated from the residual of least squares.

    Raises:
        TypeError: ``data`` or a law of another kind.
        ValueError: no law, an unknown criterion, noise not >= 0, or no ``noise`` where
            least squares leaves no residual to estimate it from.
    """
    checks.instance("tune", "data", data, SpectralData, "SpectralData")
    checks.one_of("tune", "criterion", criterion, _CRITERIA)
    many = isinstance(laws, Sequence) and not isinstance(laws, str)
    candidates = list(laws) if many else [laws]
    if not candidates:
        raise ValueError("tune: expected laws, at least one, found none.")
    for k, law in enumerate(candidates):
        check_filter("tune", f"laws[{k}]" if many else "laws", law)
    level = noise_variance(data) if noise is None else variance("tune", noise)
    if criterion != "gcv" and noise is None:
        found = known(level)
        if found is not None and not np.isfinite(found):
            raise ValueError(
                "tune: least squares leaves no residual to estimate the variance of "
                "the noise from; give noise=, or take criterion='gcv'."
            )
    size = max(8, 1 << (data.curvature.shape[0] - 1).bit_length())
    padded = data.padded(size)
    score = eqx.Partial(_CRITERIA[criterion], padded, level)
    found = [Tuned(*best_mean(score, law, padded.curvature)) for law in candidates]
    return found[0] if len(found) == 1 else min(found, key=lambda one: float(one.score))
