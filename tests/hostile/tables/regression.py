"""Regression regularized by resetting."""

import jax.numpy as jnp
import numpy as np

from tests.hostile.engine import (
    array,
    choice,
    count,
    entry,
    given,
    non_negative,
    part,
    positive,
)
from wflow import regression
from wflow.energies import Potential
from wflow.flows import (
    Diffusion,
    Exponential,
    GradientFlow,
)
from wflow.flows.sums import SumFlow
from wflow.geometries import Euclidean
from wflow.measures import Point
from wflow.regression import Deterministic


ROOM = "wflow.regression"

_MU = np.array([3.0, 1.0, 0.2])
_SHRINKAGE = np.array([0.9, 0.6, 0.1])
_LAW = Exponential(2.0)
_X = np.array(
    [
        [1.0, 0.2, 0.3],
        [0.1, 1.1, 0.4],
        [0.3, 0.5, 1.2],
        [0.9, 0.8, 0.1],
        [0.2, 0.4, 0.6],
    ]
)
_Y = np.array([1.0, 2.0, 0.5, 1.5, 0.7])
_DATA = regression.SpectralData.of(_X, _Y)
_PROBLEM = regression.SpectralProblem(_MU, [1.0, 0.5, 0.3], 0.1)
_CURVATURE = np.array([[2.0, 0.3], [0.3, 1.0]])
_FLOW = GradientFlow(Potential(lambda x: x @ x / 2), Euclidean())
_START = Point(jnp.array([1.0, 2.0]))

_shrinkage = array(_SHRINKAGE)
_law = part(_LAW)
_data = part(_DATA)
_problem = part(_PROBLEM)
_noise = non_negative(0.1)


def _ridge(**options):
    return regression.ResettingRidge(**options).fit(_X, _Y).coef_


# An estimator's data are looked at by scikit-learn, in its own sentences.
_SKLEARN = ("Input X", "Input y", "Complex data", "array with", "samples", "to float")


def _ridge_fit(X, y):
    return regression.ResettingRidge().fit(X, y).coef_


def _ridge_cv(laws, **options):
    return regression.ResettingRidgeCV(laws, **options).fit(_X, _Y).coef_


def _spread(diffusion):
    ridge = regression.ResettingRidge(diffusion=diffusion).fit(_X, _Y)
    return ridge.stationary_covariance_


TABLE = {
    "age_trajectory": entry(
        regression.age_trajectory,
        flow=given(
            _FLOW,
            text="spoiled",
            none=None,
            noise=SumFlow((_FLOW, Diffusion(0.3))),
        ),
        origin=part(_START),
        horizon=positive(4.0),
        panels=count(3),
        max_steps=count(500),
    ),
    "SpectralProblem": entry(
        regression.SpectralProblem,
        curvature=given(
            _MU,
            negative=-_MU,
            nan=np.full(3, np.nan),
            inf=np.full(3, np.inf),
            complex=_MU + 1j,
            shape=_MU[:, None],
            short=_MU[:-1],
            text="spoiled",
        ),
        coefficients=array([1.0, 0.5, 0.3]),
        noise=_noise,
    ),
    "SpectralData": entry(
        regression.SpectralData,
        curvature=given(
            _DATA.curvature,
            negative=-_DATA.curvature,
            nan=_DATA.curvature * np.nan,
            short=_DATA.curvature[:-1],
            complex=_DATA.curvature + 1j,
        ),
        axes=array(_DATA.axes),
        response=array(_DATA.response),
        residual=non_negative(1.0),
        samples=non_negative(5.0),
        spent=non_negative(1.0),
        origin=array(_DATA.origin),
    ),
    "SpectralData.of": entry(
        regression.SpectralData.of,
        X=array(_X, fine="zero"),
        y=array(_Y),
        origin=array(np.zeros(3)),
        spent=non_negative(1.0),
    ),
    "stationary_moments": entry(
        regression.stationary_moments,
        law=_law,
        curvature=given(
            _CURVATURE,
            nan=_CURVATURE * np.nan,
            negative=-_CURVATURE,
            unsymmetric=np.array([[2.0, 0.9], [0.1, 1.0]]),
            complex=_CURVATURE + 1j,
            short=_CURVATURE[:1],
            text="spoiled",
        ),
        linear=array(np.array([1.0, 0.5])),
        origin=array(np.array([0.1, 0.2])),
        noise=given(
            _CURVATURE,
            nan=_CURVATURE * np.nan,
            negative=-_CURVATURE,
            shape=np.ones(2),
            complex=_CURVATURE + 1j,
        ),
        origin_cov=given(
            _CURVATURE, inf=_CURVATURE * np.inf, negative=-_CURVATURE, number=1.0
        ),
        preconditioner=given(
            _CURVATURE, zero=0 * _CURVATURE, nan=np.nan * _CURVATURE, text="spoiled"
        ),
    ),
    "prediction_risk": entry(
        regression.prediction_risk, problem=_problem, shrinkage=_shrinkage
    ),
    "wiener_filter": entry(regression.wiener_filter, problem=_problem),
    "optimal_mean": entry(
        regression.optimal_mean, problem=_problem, law=_law, risk=choice("prediction")
    ),
    "gcv": entry(regression.gcv, data=_data, shrinkage=_shrinkage),
    "shrinkage_curves": entry(
        regression.shrinkage_curves,
        data=_data,
        law=part(Deterministic(1.0)),
        means=given(
            np.array([0.5, 1.0]),
            zero=np.zeros(2),
            nan=np.array([np.nan, 1.0]),
            negative=np.array([-1.0, 1.0]),
            complex=np.array([1j, 1.0]),
            number=1.0,
            text="spoiled",
        ),
    ),
    "tune": entry(
        regression.tune,
        data=_data,
        laws=given(_LAW, text="spoiled", none=None, empty=[], mixed=[_LAW, 2.0]),
        criterion=choice("risk"),
        noise=_noise,
    ),
    "ResettingRidge": entry(
        _ridge,
        law=given(_LAW, text="spoiled", number=1.0, kind=Exponential),
        rate=positive(1.0),
        fit_intercept=given(True, text="spoiled", number=2.0),
        diffusion=non_negative(0.1),
    ),
    # One output is one of several.
    "ResettingRidge.fit": entry(
        _ridge_fit,
        X=array(_X, words=_SKLEARN),
        y=array(_Y, fine="shape", words=_SKLEARN),
    ),
    "ResettingRidge.stationary_covariance_": entry(
        _spread, diffusion=non_negative(0.1)
    ),
    "ResettingRidgeCV": entry(
        _ridge_cv,
        laws=given([_LAW], text="spoiled", empty=[], mixed=[_LAW, 2.0], number=1.0),
        criterion=choice("risk"),
        noise=_noise,
        fit_intercept=given(True, text="spoiled"),
        diffusion=non_negative(0.1),
    ),
}
