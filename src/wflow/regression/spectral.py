"""A regression in the eigenbasis of its curvature, and the choice of a law on it."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import known, real_field, to_real

from .search import SpectralFilter, best_mean


class SpectralData(eqx.Module):
    r"""The least squares $\frac12|y - X\theta|^2$ along the axes of its curvature.

    With $X = L\,\mathrm{diag}(\sqrt\mu)\,U^T$ and the reset point $\theta_R$ it holds
    $z = L^T(y - X\theta_R)$; a filter h has the coefficients
    $\theta_R + U(h/\sqrt\mu)\odot z$.

    Attributes:
        curvature: eigenvalues $\mu$ of $X^TX$, (k,); 0 where they are rounding.
        axes: U, (p, k).
        response: z, (k,).
        residual: $|y - X\theta_R|^2 - |z|^2$, what no coefficients explain.
        samples: n.
        spent: degrees of freedom used beforehand: 1 where X and y were centred.
        origin: $\theta_R$, (p,).
    """

    curvature: Float[Array, " k"] = eqx.field(converter=real_field("curvature"))
    axes: Float[Array, "p k"] = eqx.field(converter=real_field("axes"))
    response: Float[Array, " k"] = eqx.field(converter=real_field("response"))
    residual: Float[Array, ""] = eqx.field(converter=real_field("residual"))
    samples: Float[Array, ""] = eqx.field(converter=real_field("samples"))
    spent: Float[Array, ""] = eqx.field(converter=real_field("spent"))
    origin: Float[Array, " p"] = eqx.field(converter=real_field("origin"))

    @classmethod
    def of(
        cls,
        X: Float[ArrayLike, "n p"],
        y: Float[ArrayLike, " n"],
        *,
        origin: Float[ArrayLike, " p"] | None = None,
        spent: ArrayLike = 0,
    ) -> Self:
        """From a design and a response, by its singular values.

        Raises:
            ValueError: shapes that do not fit, or numbers that are not finite.
        """
        X, y = to_real(X, "X"), to_real(y, "y")
        if X.ndim != 2 or y.shape != X.shape[:1]:
            raise ValueError(
                "SpectralData: expected X of shape (n, p) and y of shape (n,), found "
                f"{X.shape} and {y.shape}."
            )
        n, p = X.shape
        start = jnp.zeros(p, X.dtype) if origin is None else jnp.asarray(origin)
        if start.shape != (p,):
            raise ValueError(
                f"SpectralData: expected origin of shape ({p},), found {start.shape}."
            )
        for name, values in (("X", X), ("y", y), ("origin", start)):
            found = known(values)
            if found is not None and not np.isfinite(found).all():
                raise ValueError(f"SpectralData: {name} is not finite everywhere.")
        left, singular, right = jnp.linalg.svd(X, full_matrices=False)
        cutoff = max(n, p) * jnp.finfo(X.dtype).eps * jnp.max(singular, initial=0.0)
        moving = singular > cutoff
        away = y - X @ start
        z = jnp.where(moving, left.T @ away, 0.0)
        return cls(
            curvature=jnp.where(moving, singular, 0.0) ** 2,
            axes=right.T,
            response=z,
            residual=jnp.sum((away - left @ z) ** 2),
            samples=jnp.asarray(n, X.dtype),
            spent=jnp.asarray(spent, X.dtype),
            origin=start,
        )

    @property
    def displacement(self) -> Float[Array, " k"]:
        r"""$U^T(\theta_{LS} - \theta_R) = z/\sqrt\mu$; 0 in null directions."""
        return self._over_singular(self.response)

    def _over_singular(self, numerator: Float[Array, " k"]) -> Float[Array, " k"]:
        null = self.curvature == 0
        return jnp.where(
            null, 0.0, numerator / jnp.sqrt(jnp.where(null, 1.0, self.curvature))
        )

    def coefficients(self, shrinkage: Float[Array, " k"]) -> Float[Array, " p"]:
        r"""$\theta_R + U\,h\odot U^T(\theta_{LS} - \theta_R)$, spec equation (4)."""
        return self.origin + self.axes @ (shrinkage * self.displacement)

    def padded(self, k: int) -> Self:
        """The same without axes, and with null directions up to ``k`` in all.

        Scores depend on neither, and share their compiled programs so.
        """
        lacking = (0, k - self.curvature.shape[0])
        return type(self)(
            jnp.pad(self.curvature, lacking),
            jnp.zeros((0, k), self.curvature.dtype),
            jnp.pad(self.response, lacking),
            self.residual,
            self.samples,
            self.spent,
            jnp.zeros(0, self.curvature.dtype),
        )


def effective_dof(
    data: SpectralData, shrinkage: Float[Array, " k"]
) -> Float[Array, ""]:
    r"""$\mathrm{tr} H = \sum_i h_i$, and what was spent beforehand."""
    return data.spent + jnp.sum(shrinkage)


def residual_sum(data: SpectralData, shrinkage: Float[Array, " k"]) -> Float[Array, ""]:
    r"""$|y - Hy|^2 = \sum_i (1-h_i)^2z_i^2$, and what no coefficients explain."""
    return data.residual + jnp.sum(((1 - shrinkage) * data.response) ** 2)


def shrinkage_curves(
    data: SpectralData, law: SpectralFilter, means: Float[ArrayLike, " m"]
) -> Float[Array, "m p"]:
    """The coefficients for each mean time between resets."""
    return jax.vmap(
        lambda mean: data.coefficients(law.with_mean(mean).filter(data.curvature))
    )(to_real(means, "means"))


def equivalent_penalty(law: SpectralFilter, mu: Float[ArrayLike, "*b"]) -> Array:
    r"""$\lambda(\mu) = \mu(1-h(\mu))/h(\mu)$: the ridge penalty that shrinks alike.

    It is constant for the exponential law alone (uniqueness); otherwise it runs from
    $1/E a = 2/(\tau(1+CV^2))$ at small curvature to $1/\tau$ at large.

    Reference: Jolakoski, arXiv:2605.30059, for the statement; the proof by the
    Laplace transform, and the limits, are derived here.
    """
    mu = jnp.asarray(mu)
    return mu * law.age_laplace(mu) / law.filter(mu)


def noise_variance(data: SpectralData) -> Float[Array, ""]:
    """Unbiased estimate from the residual of least squares; infinite without one."""
    rank = jnp.sum(data.curvature > 0)
    left = data.samples - data.spent - rank
    return jnp.where(left > 0.5, data.residual / jnp.maximum(left, 1.0), jnp.inf)


def gcv(data: SpectralData, shrinkage: Float[Array, " k"]) -> Float[Array, ""]:
    r"""Generalised cross-validation, $n|y - Hy|^2/(n - \mathrm{tr} H)^2$.

    Reference: Golub, Heath, Wahba, Technometrics 21 (1979), equation (1.4).
    """
    free = data.samples - effective_dof(data, shrinkage)
    return data.samples * residual_sum(data, shrinkage) / free**2


def unbiased_risk(
    data: SpectralData, shrinkage: Float[Array, " k"], noise: ArrayLike
) -> Float[Array, ""]:
    r"""$|y - Hy|^2 + 2\sigma^2\mathrm{tr} H - n\sigma^2$: in expectation the
    in-sample risk of the mean.

    Reference: Mallows, Technometrics 15 (1973).
    """
    penalty = 2 * effective_dof(data, shrinkage) - data.samples
    return residual_sum(data, shrinkage) + noise * penalty


def unbiased_process_risk(
    data: SpectralData, law: SpectralFilter, noise: ArrayLike
) -> Float[Array, ""]:
    r"""The same for one draw, averaged over its age: $(1-h_i)^2$ becomes
    $\ell(2\mu_i)$. Derived here.
    """
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
    r"""The law, and the mean of it, with the least score.

    Each law gives a shape, its mean is searched for with the derivative of the score by
    autodiff. ``criterion`` is ``gcv``, or the marginal risk that is unbiased for the
    variance ``noise`` (default: estimated from the residual of least squares): ``risk``
    of the mean or ``process_risk`` of one draw. With one law it works under ``jit`` and
    ``vmap`` and is differentiable in the data and in the shape.

    Raises:
        ValueError: no law, an unknown criterion, or no ``noise`` where least squares
            leaves no residual to estimate it from.
    """
    if criterion not in _CRITERIA:
        raise ValueError(
            f"tune: expected criterion one of {', '.join(_CRITERIA)}, found "
            f"{criterion!r}."
        )
    candidates = list(laws) if isinstance(laws, Sequence) else [laws]
    if not candidates:
        raise ValueError("tune: expected at least one law, found none.")
    level = noise_variance(data) if noise is None else jnp.asarray(noise)
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
