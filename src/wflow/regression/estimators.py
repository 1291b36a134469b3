"""Resetting as scikit-learn estimators; importing this needs scikit-learn."""

import abc
from collections.abc import Sequence
from typing import Any, Self, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from wflow import checks
from wflow.flows import AbstractRenewalLaw, Exponential

from .moments import stationary_moments
from .spectral import Criterion, equivalent_penalty, tune, variance
from .spectral_data import SpectralData


# Relative size of curvatures that are rounding.
_LOST = 1e-12


class _Resetting(RegressorMixin, BaseEstimator, abc.ABC):
    """What both estimators share: everything but the choice of the law."""

    fit_intercept: bool
    diffusion: float

    @abc.abstractmethod
    def _choose(self, data: SpectralData, outputs: int) -> AbstractRenewalLaw:
        """The law of the time between resets, of the pooled data of all outputs."""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(
        self,
        X: Float[ArrayLike, "n p"],
        y: Float[ArrayLike, " n"] | Float[ArrayLike, "n m"],
        sample_weight: Float[ArrayLike, " n"] | None = None,
    ) -> Self:
        """Solve for the stationary mean; no process is simulated.

        Args:
            X: samples.
            y: one output or several, which share the law and have coefficients of their
                own.
            sample_weight: how often each sample counts, by default once: a weight of 2
                is the sample twice, of 0 none.

        Raises:
            ValueError: X, y or weights of a wrong shape or not finite, negative weights
                or none above 0, or a parameter that is refused.
        """
        X, y = map(
            np.asarray,
            validate_data(
                self, X, y, y_numeric=True, multi_output=True, dtype=np.float64
            ),
        )
        weights = np.asarray(
            _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
        )
        checks.shape(self, "diffusion", self.diffusion, ())
        checks.non_negative(self, "diffusion", self.diffusion)
        checks.one_of(self, "fit_intercept", _plain(self.fit_intercept), (True, False))
        single = y.ndim == 1
        y = y.astype(np.float64).reshape(len(y), -1)
        center, level = np.zeros(X.shape[1]), np.zeros(y.shape[1])
        if self.fit_intercept:
            center = np.average(X, axis=0, weights=weights)
            level = np.average(y, axis=0, weights=weights)
        roots = np.sqrt(weights)[:, None]
        # The coefficients agree with others to more digits than float32 has.
        with jax.enable_x64(True):
            outputs = SpectralData.of_outputs(
                jnp.asarray(roots * (X - center)),
                jnp.asarray(roots * (y - level)),
                samples=weights.sum(),
                spent=1 if self.fit_intercept else 0,
            )
            data = SpectralData.pooled(outputs)
            law = self._choose(data, len(outputs))
            shrinkage = law.filter(data.curvature)
            coef = np.stack(
                [np.asarray(one.coefficients(shrinkage)) for one in outputs]
            )
            self.filter_ = np.asarray(shrinkage)
            self.penalty_ = np.asarray(
                equivalent_penalty(law, data.curvature[data.curvature > 0])
            )
            self.rate_ = float(1 / law.mean)
            self._displacements = [np.asarray(one.displacement) for one in outputs]
        # Arrays of NumPy keep their width when they are pickled into another process.
        self.law_ = jax.tree.map(np.asarray, law)
        self.eigenvalues_ = np.asarray(data.curvature)
        self.components_ = np.asarray(data.axes).T
        self.dof_ = float(self.filter_.sum() + self.fit_intercept)
        intercept = level - coef @ center
        self.coef_ = coef[0] if single else coef
        self.intercept_ = float(intercept[0]) if single else intercept
        self._center = center
        return self

    @property
    def stationary_covariance_(
        self,
    ) -> Float[np.ndarray, "p p"] | Float[np.ndarray, "m p p"]:
        r"""Covariance of the coefficients of the stationary process.

        Of several outputs one for each. With ``diffusion=0`` it is that of the timing
        of the resets alone; it does not vanish, for only the mean is ridge.
        """
        check_is_fitted(self, "coef_")
        mu, p = self.eigenvalues_, self.coef_.shape[-1]
        # What the square of a singular value has lost in rounding does not move.
        moves = mu > _LOST * np.max(mu, initial=0.0)
        mu, axes = mu[moves], self.components_[moves].T
        with jax.enable_x64(True):
            found = [
                np.asarray(
                    stationary_moments(
                        self.law_,
                        jnp.asarray((axes * mu) @ axes.T),
                        jnp.asarray(axes @ (mu * displacement[moves])),
                        jnp.zeros(p),
                        noise=self.diffusion * jnp.eye(p),
                    ).cov
                )
                for displacement in self._displacements
            ]
        return found[0] if self.coef_.ndim == 1 else np.stack(found)

    def predict(self, X: Float[ArrayLike, "n p"], return_std: bool = False) -> Any:
        """The mean of the process, and with ``return_std`` its deviation too.

        The deviation is that of the stationary process, not of y.
        """
        check_is_fitted(self, "coef_")
        X = np.asarray(validate_data(self, X, reset=False, dtype=np.float64))
        mean = X @ self.coef_.T + self.intercept_
        if not return_std:
            return mean
        away = X - self._center
        cov = self.stationary_covariance_
        variance = np.einsum("ni,...ij,nj->n...", away, cov, away)
        return mean, np.sqrt(np.maximum(variance, 0.0))


class ResettingRidge(_Resetting):
    r"""Ridge regression and its relatives, as a gradient flow that is reset to 0.

    The coefficients are the stationary mean $U\,h(\mu)\odot U^T\theta_{LS}$ under
    resets at renewal times, where $\mu, U$ are the eigenvalues and axes of $X^TX$ and h
    is the filter of the law of the time between resets. The exponential law gives
    ridge: $\frac12|y - X\theta|^2 + \frac r2|\theta|^2$ is minimized for the ``rate``
    r, so ``rate`` is the ``alpha`` of ``sklearn.linear_model.Ridge``. The loss is a sum
    over the n samples; against a mean of squares
    $|y - X\theta|^2/n + \lambda|\theta|^2$ it is $r = n\lambda$.

    X and y are centered first, and the intercept is not penalized. ``fit`` takes
    ``sample_weight``, and y of several outputs.

    Attributes:
        law_: the law at the mean ``1 / rate``.
        coef_: coefficients, (p,); of several outputs (m, p).
        intercept_: the constant; of several outputs (m,).
        eigenvalues_: $\mu$, (k,) with k = min(n, p), descending.
        components_: $U^T$, (k, p).
        filter_: h at the eigenvalues, (k,).
        penalty_: the ridge penalty that shrinks alike at each positive eigenvalue;
            constant for the exponential law alone.
        dof_: effective degrees of freedom, with that of the intercept.
        rate_: resets per unit of time.

    Raises:
        TypeError: in ``fit``, a law that is none.
        ValueError: in ``fit``, a rate that is not positive.

    Reference: Jolakoski, arXiv:2605.30059 (the exponential law and stationary ages).
    """

    def __init__(
        self,
        law: AbstractRenewalLaw | None = None,
        rate: float = 1.0,
        *,
        fit_intercept: bool = True,
        diffusion: float = 0.0,
    ):
        """Set parameters; nothing is computed.

        Args:
            law: shape of the law, rescaled to the mean ``1 / rate``; None is
                ``Exponential``.
            rate: resets per unit of time.
            fit_intercept: whether there is a constant.
            diffusion: variance per unit of time of the noise of each coefficient; it is
                part of ``stationary_covariance_`` and leaves the coefficients.
        """
        self.law = law
        self.rate = rate
        self.fit_intercept = fit_intercept
        self.diffusion = diffusion

    def _choose(self, data: SpectralData, outputs: int) -> AbstractRenewalLaw:
        del data, outputs
        checks.shape(self, "rate", self.rate, ())
        checks.positive(self, "rate", self.rate)
        rate = float(np.asarray(self.rate))
        law = Exponential(rate) if self.law is None else self.law
        return _widened(self, "law", law).with_mean(1 / rate)


class ResettingRidgeCV(_Resetting):
    """``ResettingRidge`` with the law and the rate chosen by the data.

    For each law the mean time between resets is searched for with the derivative of the
    score; nothing is fitted anew. ``tune`` has the criteria.

    Attributes:
        law_: the law that was chosen, at its best mean.
        score_: its score; of several outputs the sum of theirs.
        coef_: coefficients, (p,); of several outputs (m, p).
        intercept_: the constant; of several outputs (m,).
        eigenvalues_: eigenvalues of $X^TX$, (k,) with k = min(n, p), descending.
        components_: their axes, (k, p).
        filter_: the filter at the eigenvalues, (k,).
        penalty_: the ridge penalty that shrinks alike at each positive eigenvalue.
        dof_: effective degrees of freedom, with that of the intercept.
        rate_: resets per unit of time.

    Raises:
        TypeError: in ``fit``, an entry of ``laws`` that is no law.
        ValueError: in ``fit``, an unknown criterion, noise not >= 0, or a risk where
            nothing is left to estimate the noise from.
    """

    def __init__(
        self,
        laws: Sequence[AbstractRenewalLaw] | None = None,
        *,
        criterion: Criterion = "gcv",
        noise: float | None = None,
        fit_intercept: bool = True,
        diffusion: float = 0.0,
    ):
        """Set parameters; nothing is computed.

        Args:
            laws: shapes to choose from; None is ``Exponential`` alone.
            criterion: ``gcv``, or the unbiased ``risk`` of the mean or
                ``process_risk`` of one draw.
            fit_intercept: whether there is a constant.
            noise: variance of the noise of every output, for a risk; None estimates it
                from the residual of least squares.
            diffusion: as in ``ResettingRidge``.
        """
        self.laws = laws
        self.criterion = criterion
        self.noise = noise
        self.fit_intercept = fit_intercept
        self.diffusion = diffusion

    def _choose(self, data: SpectralData, outputs: int) -> AbstractRenewalLaw:
        laws = [Exponential(1.0)] if self.laws is None else self.laws
        if not isinstance(laws, Sequence) or isinstance(laws, str) or not laws:
            raise ValueError(
                "ResettingRidgeCV: expected laws to be a list of renewal laws, one at "
                f"least, found {laws!r}."
            )
        laws = [_widened(self, f"laws[{k}]", law) for k, law in enumerate(laws)]
        checks.one_of(self, "criterion", self.criterion, get_args(Criterion))
        noise = None
        if self.noise is not None:
            # Pooled data have the noise of all outputs together.
            noise = outputs * variance(type(self).__name__, self.noise)
        chosen = tune(data, laws, self.criterion, noise=noise)
        self.score_ = float(chosen.score)
        return chosen.law


def _plain(value: Any) -> Any:
    """NumPy's booleans, of a grid of parameters for instance, as Python's."""
    return bool(value) if isinstance(value, np.bool_) else value


def _widened(owner: object, name: str, law: Any) -> AbstractRenewalLaw:
    """The law in float64, in which estimators compute."""
    checks.instance(owner, name, law, AbstractRenewalLaw, "a renewal law")
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), law)
