"""Bias, variance and risk of spectral filters, in the eigenbasis of the curvature."""

from typing import Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field, to_real

from .search import Law, SpectralFilter, best_mean, check_filter
from .spectral import shrinkage_of


class SpectralProblem(eqx.Module):
    r"""A regression whose truth is known, along the axes of its curvature.

    $y = X\theta^* + \varepsilon$, $\varepsilon\sim N(0, \sigma^2 I)$, in the eigenbasis
    of $A = X^TX$.

    Attributes:
        curvature: eigenvalues $\mu_i\ge 0$ of A, (p,).
        coefficients: $U^T(\theta^* - \theta_R)$, what is true as seen from the reset
            point, (p,).
        noise: the variance $\sigma^2$.

    Raises:
        ValueError: unequal or wrong shapes, a negative curvature or variance, or
            numbers that are not finite.
    """

    curvature: Float[Array, " p"] = eqx.field(converter=real_field("curvature"))
    coefficients: Float[Array, " p"] = eqx.field(converter=real_field("coefficients"))
    noise: Float[Array, ""] = eqx.field(converter=real_field("noise"))

    def __check_init__(self) -> None:
        checks.shape(self, "curvature", self.curvature, ("p",))
        checks.shape(self, "coefficients", self.coefficients, self.curvature.shape)
        checks.shape(self, "noise", self.noise, ())
        checks.non_negative(self, "curvature", self.curvature)
        checks.finite(self, "coefficients", self.coefficients)
        checks.non_negative(self, "noise", self.noise)


def over_curvature(
    numerator: Float[Array, " p"], curvature: Float[Array, " p"]
) -> Float[Array, " p"]:
    """The quotient, 0 in null directions: nothing moves there."""
    null = curvature == 0
    return jnp.where(null, 0.0, numerator / jnp.where(null, 1.0, curvature))


def _shrunk(owner: str, problem: SpectralProblem, shrinkage: ArrayLike) -> Array:
    checks.instance(owner, "problem", problem, SpectralProblem, "a SpectralProblem")
    return shrinkage_of(owner, shrinkage, problem.curvature)


def estimation_risk(
    problem: SpectralProblem, shrinkage: Float[Array, " p"]
) -> Float[Array, ""]:
    r"""Expected squared error of the coefficients under a shrinkage.

    $E|\hat\theta - \theta^*|^2 = \sum_i (1-h_i)^2\theta_i^{*2} + \sigma^2
    h_i^2/\mu_i$ for $\hat\theta = U\,h\odot U^T\theta_{LS}$.

    ``shrinkage`` is h at the curvatures of the problem, (p,).

    Raises:
        TypeError: a ``problem`` of another kind.
        ValueError: a shrinkage that is not (p,) or not finite.
    """
    shrinkage = _shrunk("estimation_risk", problem, shrinkage)
    bias = (1 - shrinkage) * problem.coefficients
    variance = problem.noise * over_curvature(shrinkage**2, problem.curvature)
    return jnp.sum(bias**2 + variance)


def prediction_risk(
    problem: SpectralProblem, shrinkage: Float[Array, " p"]
) -> Float[Array, ""]:
    r"""Expected squared error of the predictions under a shrinkage, on the same inputs.

    $E|X\hat\theta - X\theta^*|^2 = \sum_i \mu_i(1-h_i)^2\theta_i^{*2} + \sigma^2h_i^2$:
    in-sample, not divided by n. ``shrinkage`` is h at the curvatures of the problem,
    (p,).

    Raises:
        TypeError: a ``problem`` of another kind.
        ValueError: a shrinkage that is not (p,) or not finite.
    """
    shrinkage = _shrunk("prediction_risk", problem, shrinkage)
    bias = (1 - shrinkage) * problem.coefficients
    return jnp.sum(problem.curvature * bias**2 + problem.noise * shrinkage**2)


def population_risk(
    problem: SpectralProblem,
    shrinkage: Float[Array, " p"],
    covariance: Float[Array, "p p"],
) -> Float[Array, ""]:
    r"""Expected squared error of the prediction at a new input under a shrinkage.

    $E|x^T(\hat\theta - \theta^*)|^2$ for a new x with second moment $\Sigma$:
    $\beta^T\Sigma\beta + \sigma^2\sum_i\Sigma_{ii}h_i^2/\mu_i$,
    $\beta = (1-h)\odot\theta^*$.

    Args:
        problem: the regression.
        shrinkage: h at the curvatures of the problem, (p,).
        covariance: $U^T\Sigma U$, which need not be diagonal, (p, p).

    Raises:
        TypeError: a ``problem`` of another kind.
        ValueError: a shrinkage that is not (p,) or not finite, or a
            covariance that is not (p, p), symmetric and positive semidefinite.
    """
    owner = "population_risk"
    shrinkage = _shrunk(owner, problem, shrinkage)
    covariance = to_real(covariance, "covariance")
    checks.shape(owner, "covariance", covariance, 2 * problem.curvature.shape)
    checks.covariance(owner, "covariance", covariance, singular=True)
    bias = (1 - shrinkage) * problem.coefficients
    spread = over_curvature(shrinkage**2, problem.curvature)
    variance = problem.noise * jnp.sum(jnp.diagonal(covariance) * spread)
    return bias @ covariance @ bias + variance


def process_risk(
    problem: SpectralProblem,
    law: SpectralFilter,
    *,
    diffusion: Float[ArrayLike, " p"] = 0.0,
    prediction: bool = False,
) -> Float[Array, ""]:
    r"""Expected error of one draw of the reset process, averaged over its age.

    $\sum_i\theta_i^{*2}\ell(2\mu_i) + \frac{\sigma^2}{\mu_i}(1 - 2\ell(\mu_i) +
    \ell(2\mu_i)) + Q_{ii}\frac{h(2\mu_i)}{2\mu_i}$: the risk of the mean plus the trace
    of the stationary covariance.

    Args:
        problem: the regression.
        law: of the time between resets, or any filter.
        diffusion: the diagonal of $U^TQU$, (p,), or one number for all.
        prediction: weight each term by its curvature.

    Raises:
        TypeError: ``problem`` or ``law`` of another kind.
        ValueError: a diffusion of another shape, negative or not finite.
    """
    owner = "process_risk"
    checks.instance(owner, "problem", problem, SpectralProblem, "a SpectralProblem")
    check_filter(owner, "law", law)
    diffusion = to_real(diffusion, "diffusion")
    if diffusion.ndim:
        checks.shape(owner, "diffusion", diffusion, problem.curvature.shape)
    checks.non_negative(owner, "diffusion", diffusion)
    checks.one_of(owner, "prediction", prediction, (True, False))
    mu = problem.curvature
    kept = law.age_laplace(2 * mu)
    moved = 2 * law.filter(mu) - law.filter(2 * mu)
    risk = problem.coefficients**2 * kept + problem.noise * over_curvature(moved, mu)
    # No diffusion costs nothing, also where the mean age is infinite.
    still = diffusion == 0
    spread = jnp.where(still, 0.0, law.filter_ratio(2 * mu))
    risk = risk + diffusion * spread
    return jnp.sum(mu * risk if prediction else risk)


def wiener_filter(problem: SpectralProblem) -> Float[Array, " p"]:
    r"""The best shrinkage that any linear method could use, if the truth were known.

    $h_i^* = \mu_i\theta_i^{*2}/(\mu_i\theta_i^{*2} + \sigma^2)$. For equal
    $\theta_i^{*2} = s^2$ it is ridge with penalty $\sigma^2/s^2$, which no renewal law
    can beat there.

    Raises:
        TypeError: a ``problem`` of another kind.
    """
    owner = "wiener_filter"
    checks.instance(owner, "problem", problem, SpectralProblem, "a SpectralProblem")
    power = problem.curvature * problem.coefficients**2
    total = power + problem.noise
    return jnp.where(total > 0, power / jnp.where(total > 0, total, 1.0), 0.0)


Risk = Literal["estimation", "prediction", "process"]


def _estimation(problem: SpectralProblem, law: SpectralFilter) -> Float[Array, ""]:
    return estimation_risk(problem, law.filter(problem.curvature))


def _prediction(problem: SpectralProblem, law: SpectralFilter) -> Float[Array, ""]:
    return prediction_risk(problem, law.filter(problem.curvature))


def _process(problem: SpectralProblem, law: SpectralFilter) -> Float[Array, ""]:
    return process_risk(problem, law, prediction=True)


_RISKS = {"estimation": _estimation, "prediction": _prediction, "process": _process}


def optimal_mean(
    problem: SpectralProblem, law: Law, risk: Risk = "prediction"
) -> tuple[Law, Float[Array, ""]]:
    """The best mean time between resets for a known truth, and its risk.

    The shape of ``law`` at the mean (inverse rate) of least risk. Differentiable in the
    problem.

    Args:
        problem: the regression.
        law: a law of resets or another filter with a mean.
        risk: that of the mean, ``estimation`` or in-sample ``prediction``, or
            ``process``, the in-sample risk of one draw.

    Raises:
        TypeError: ``problem`` or ``law`` of another kind.
        ValueError: an unknown risk.
    """
    owner = "optimal_mean"
    checks.instance(owner, "problem", problem, SpectralProblem, "a SpectralProblem")
    check_filter(owner, "law", law)
    checks.one_of(owner, "risk", risk, _RISKS)
    return best_mean(eqx.Partial(_RISKS[risk], problem), law, problem.curvature)
