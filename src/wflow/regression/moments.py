"""Exact stationary moments of a linear flow under renewal resetting."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import known, to_real
from wflow.flows import AbstractRenewalLaw


# Relative size of what counts as rounding in a curvature, and in its range.
_NEGATIVE = 1e-10
_OUTSIDE = 1e-7


class StationaryMoments(eqx.Module):
    """Mean and covariance far from the start, the covariance by where it comes from.

    ``noise_cov`` is accumulated noise, ``timing_cov`` the spread of the ages, and
    ``origin_cov`` that of a random origin, as far as it is remembered.
    """

    mean: Float[Array, " p"]
    noise_cov: Float[Array, "p p"]
    timing_cov: Float[Array, "p p"]
    origin_cov: Float[Array, "p p"]

    @property
    def cov(self) -> Float[Array, "p p"]:
        """All of the covariance."""
        return self.noise_cov + self.timing_cov + self.origin_cov


def stationary_moments(
    law: AbstractRenewalLaw,
    curvature: Float[ArrayLike, "p p"],
    linear: Float[ArrayLike, " p"],
    origin: Float[ArrayLike, " p"],
    *,
    noise: Float[ArrayLike, "p p"] | None = None,
    origin_cov: Float[ArrayLike, "p p"] | None = None,
    preconditioner: Float[ArrayLike, "p p"] | None = None,
) -> StationaryMoments:
    r"""Mean and covariance that a linear process settles to under random resets.

    That of $d\theta = -P(A\theta - b)\,dt + Q^{1/2}dW$, reset to an origin o. With
    $P = I$, in the eigenbasis of A with $g = b - Ao$, $\delta = g/\mu$, h and
    $\ell = 1 - h$ of the law:

    $m = o + \frac{h(\mu)}{\mu}g$, and $V_{ij} = Q_{ij}\frac{h(\mu_i + \mu_j)}{\mu_i +
    \mu_j} + \delta_i\delta_j[\ell(\mu_i + \mu_j) - \ell(\mu_i)\ell(\mu_j)] +
    C_{ij}\ell(\mu_i + \mu_j)$.

    For Poisson resets at rate r the mean is $(A + rP^{-1})^{-1}(b + rP^{-1}o)$, ridge
    regression whose penalty is r itself if A is $X^TX$ (not divided by n). Where A is
    flat nothing moves but by noise. Differentiable in the law, b, o, Q, C and, where
    its eigenvalues are distinct, in A.

    Args:
        law: of the time between resets.
        curvature: A, symmetric and positive semidefinite.
        linear: b, in the range of A.
        origin: o, or the mean of random origins.
        noise: Q, covariance of the noise per time; None is none.
        origin_cov: C, covariance of random origins, independent at every reset.
        preconditioner: P, symmetric and positive definite; None is the identity.

    Raises:
        TypeError: a law that is none, or an argument that is no array of numbers.
        ValueError: something not finite or of another shape, a curvature that is not
            symmetric positive semidefinite, a b outside its range.

    Reference: after Jolakoski, arXiv:2605.30059.
    """
    checks.instance(
        "stationary_moments", "law", law, AbstractRenewalLaw, "a renewal law"
    )
    a, b, o = (
        checks.at_least_single(to_real(value, name))
        for name, value in (
            ("curvature", curvature),
            ("linear", linear),
            ("origin", origin),
        )
    )
    matrices = {
        "noise": noise,
        "origin_cov": origin_cov,
        "preconditioner": preconditioner,
    }
    given = {
        name: checks.at_least_single(to_real(matrix, name))
        for name, matrix in matrices.items()
        if matrix is not None
    }
    _check(curvature=a, linear=b, origin=o, **given)
    root = None
    if "preconditioner" in given:
        root = jnp.linalg.cholesky(given["preconditioner"])
        a, b = root.T @ a @ root, root.T @ b
        o = jnp.linalg.solve(root, o)
    values, basis = jnp.linalg.eigh((a + a.T) / 2)
    size = jnp.max(jnp.abs(values))
    mu = jnp.where(values > 10 * len(b) * jnp.finfo(a.dtype).eps * size, values, 0)
    force = basis.T @ (b - a @ o)
    _check_spectrum(values, mu, force, basis.T @ b)
    moves = mu > 0
    force = jnp.where(moves, force, 0)
    delta = force / jnp.where(moves, mu, 1)
    pairs = mu[:, None] + mu[None, :]
    kept = law.age_laplace(mu)
    remembered = law.age_laplace(pairs)

    def back(matrix: Array) -> Array:
        turned = basis if root is None else root @ basis
        return turned @ matrix @ turned.T

    def turned(name: str) -> Array:
        if name not in given:
            return jnp.zeros_like(a)
        matrix = given[name]
        if root is not None:
            half = jnp.linalg.solve(root, matrix)
            matrix = jnp.linalg.solve(root, half.T)
        return basis.T @ matrix @ basis

    shaken = turned("noise")
    # Without noise a flat direction stays, even where ages have no mean.
    still = shaken == 0
    ratio = jnp.where(still, 0, law.filter_ratio(pairs))
    mean = o + basis @ (law.filter_ratio(jnp.where(moves, mu, 1)) * force)
    return StationaryMoments(
        mean if root is None else root @ mean,
        back(shaken * ratio),
        back(jnp.outer(delta, delta) * (remembered - jnp.outer(kept, kept))),
        back(turned("origin_cov") * remembered),
    )


def _check(**arrays: Array) -> None:
    owner = "stationary_moments"
    checks.shape(owner, "linear", arrays["linear"], ("p",))
    (p,) = arrays["linear"].shape
    if p == 0:
        raise ValueError(f"{owner}: expected linear of shape (p,), p >= 1, found (0,).")
    for name, array in arrays.items():
        expected = (p,) if name in ("linear", "origin") else (p, p)
        checks.shape(owner, name, array, expected)
        checks.finite(owner, name, array)
        found = known(array)
        if found is None:
            continue
        if found.ndim == 1:
            continue
        gap = abs(found - found.T).max(initial=0)
        if gap > np.sqrt(np.finfo(found.dtype).eps) * abs(found).max(initial=0):
            raise ValueError(
                f"stationary_moments: expected {name} to be symmetric, found a "
                f"difference of {gap:.3g} from its transpose."
            )
        if name != "curvature":
            least, most = np.linalg.eigvalsh(found)[[0, -1]]
            strict = name == "preconditioner"
            if not (least > 0 if strict else least >= -1e-6 * most):
                kind = "definite" if strict else "semidefinite"
                raise ValueError(
                    f"stationary_moments: expected {name} to be positive {kind}, "
                    f"found the eigenvalue {least:.3g}."
                )


def _check_spectrum(values: Array, mu: Array, force: Array, linear: Array) -> None:
    """Of the curvature, and that nothing pulls where it is flat."""
    spectrum, pull, scale = known(values), known(force), known(linear)
    if spectrum is not None:
        eps = np.finfo(spectrum.dtype).eps
        least, size = spectrum.min(), abs(spectrum).max()
        if least < -max(_NEGATIVE, 100 * eps) * size:
            raise ValueError(
                "stationary_moments: expected a curvature that is positive "
                "semidefinite (curvature must be PSD), found the eigenvalue "
                f"{least:.3g}."
            )
        if pull is not None and scale is not None:
            flat = np.asarray(mu) == 0
            outside = np.linalg.norm(pull[flat])
            if outside > max(_OUTSIDE, np.sqrt(eps)) * np.linalg.norm(scale):
                raise ValueError(
                    "stationary_moments: expected linear in the range of the curvature "
                    "(else the quadratic has no minimum), found a part of norm "
                    f"{outside:.3g} outside it."
                )
