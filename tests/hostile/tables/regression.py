"""Regression regularised by resetting."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.hostile.engine import (
    array,
    choice,
    count,
    entry,
    function,
    given,
    masses,
    non_negative,
    number,
    part,
    positive,
)
from wflow import regression
from wflow.energies import Potential
from wflow.flows import (
    Deterministic,
    Exponential,
    GradientFlow,
    ResettingFlow,
    SumFlow,
)
from wflow.geometries import Euclidean
from wflow.measures import Particles, Point


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
_RESETTING = ResettingFlow(_FLOW, _LAW, jnp.zeros(2))
_KEY = jax.random.key(0)
_TRAJECTORY = regression.age_trajectory(_FLOW, _START, 4.0, panels=3)

_shrinkage = array(_SHRINKAGE)
_law = part(_LAW)
_data = part(_DATA)
_problem = part(_PROBLEM)
_noise = non_negative(0.1)


def _resets_flow(flow):
    drawn = regression.drawn_resets(_LAW, 0.0, 1.0, key=_KEY)
    return drawn.flow_with(flow)


def _drawn(**options):
    found = regression.drawn_resets(key=_KEY, **options)
    # Epochs are padded by infinity.
    return jnp.where(found.epochs < jnp.inf, found.epochs, 0.0)


def _found(start, **options):
    found = regression.found_resets(start=start, key=_KEY, max_resets=5, **options)
    return jnp.where(found.epochs < jnp.inf, found.epochs, 0.0)


def _ridge(**options):
    return regression.ResettingRidge(**options).fit(_X, _Y).coef_


def _ridge_fit(X, y):
    return regression.ResettingRidge().fit(X, y).coef_


def _ridge_cv(laws, **options):
    return regression.ResettingRidgeCV(laws, **options).fit(_X, _Y).coef_


def _spread(diffusion):
    ridge = regression.ResettingRidge(diffusion=diffusion).fit(_X, _Y)
    return ridge.stationary_covariance_


TABLE = {
    "Resets": "a result",
    "Resets.flow_with": entry(_resets_flow, flow=part(_RESETTING)),
    "SpectralFilter": "a contract",
    "StationaryMoments": "a result",
    "Tuned": "a result",
    "EarlyStopping": entry(regression.EarlyStopping, time=positive(1.0)),
    "principal_components": entry(
        regression.principal_components,
        curvature=masses(_MU, fine=("zero", "short", "empty")),
        count=count(2, fine="zero"),
    ),
    "Diffusion": entry(regression.Diffusion, deviation=non_negative(0.5, fine="shape")),
    "AgeTrajectory": entry(
        regression.AgeTrajectory,
        measure=part(_TRAJECTORY.measure),
        edges=given(
            _TRAJECTORY.edges,
            nan=_TRAJECTORY.edges.at[1].set(jnp.nan),
            short=_TRAJECTORY.edges[:-1],
            backward=-_TRAJECTORY.edges,
            number=1.0,
        ),
        states=given(
            _TRAJECTORY.states,
            short=_TRAJECTORY.states[:-1],
        ),
    ),
    "AgeTrajectory.at": entry(
        _TRAJECTORY.at,
        ages=given(
            np.array([0.1, 2.0]),
            nan=np.array([np.nan, 1.0]),
            negative=np.array([-1.0, 1.0]),
            shape=np.ones((2, 1)),
            empty=np.zeros(0),
            complex=np.array([1j, 1]),
            text=np.array(["a", "b"]),
        ),
    ),
    "AgeTrajectory.average": entry(
        _TRAJECTORY.average, law=_law, function=given(lambda mu: mu.value, text="a")
    ),
    "AgeTrajectory.sample": entry(_TRAJECTORY.sample, law=_law, key=_KEY, n=count(3)),
    "age_trajectory": entry(
        regression.age_trajectory,
        flow=given(
            _FLOW,
            text="spoilt",
            none=None,
            noise=SumFlow((_FLOW, regression.Diffusion(0.3))),
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
            text="spoilt",
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
    "best_mean": entry(
        regression.best_mean,
        score=function(lambda law: law.mean, words=("score",)),
        law=_law,
        curvature=given(
            _MU,
            negative=-_MU,
            nan=np.full(3, np.nan),
            complex=_MU + 1j,
            shape=_MU[:, None],
            text="spoilt",
        ),
    ),
    "best_mean.score": entry(
        lambda score: regression.best_mean(score, _LAW, _MU)[1],
        score=given(
            lambda law: law.mean,
            shape=lambda law: jnp.ones(2) * law.mean,
            complex=lambda law: law.mean + 1j,
        ),
    ),
    "drawn_resets": entry(
        _drawn,
        law=_law,
        t0=number(0.0, words=("t1",)),
        t1=non_negative(2.0, words=("t0",)),
        shape=given((2,), fraction=(1.5,), negative=(-1,), text="spoilt", number=2),
        max_resets=count(40),
    ),
    "found_resets": entry(
        _found,
        flow=part(_RESETTING),
        start=given(
            _START,
            particles=Particles.from_samples(np.ones((2, 2))),
            text="spoilt",
        ),
        t0=number(0.0),
        t1=non_negative(2.0),
        hazard=given(
            lambda value, age: 1.0 + 0 * age,
            text="spoilt",
            nan=lambda value, age: jnp.nan * age,
            negative=lambda value, age: -1.0 + 0 * age,
            shape=lambda value, age: value,
        ),
    ),
    "found_resets.max_resets": entry(
        regression.found_resets,
        flow=_RESETTING,
        start=_START,
        t0=0.0,
        t1=1.0,
        key=_KEY,
        max_resets=count(5),
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
            text="spoilt",
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
            _CURVATURE, zero=0 * _CURVATURE, nan=np.nan * _CURVATURE, text="spoilt"
        ),
    ),
    "estimation_risk": entry(
        regression.estimation_risk, problem=_problem, shrinkage=_shrinkage
    ),
    "prediction_risk": entry(
        regression.prediction_risk, problem=_problem, shrinkage=_shrinkage
    ),
    "population_risk": entry(
        regression.population_risk,
        problem=_problem,
        shrinkage=_shrinkage,
        covariance=given(
            np.eye(3),
            nan=np.nan * np.eye(3),
            negative=-np.eye(3),
            short=np.eye(2),
            complex=1j * np.eye(3),
            text="spoilt",
        ),
    ),
    "process_risk": entry(
        regression.process_risk,
        problem=_problem,
        law=_law,
        diffusion=given(
            np.array([0.1, 0.2, 0.0]),
            nan=np.nan,
            negative=-1.0,
            short=np.ones(2),
            complex=1j,
            text="spoilt",
        ),
        prediction=given(True, text="spoilt", number=2.0),
    ),
    "wiener_filter": entry(regression.wiener_filter, problem=_problem),
    "optimal_mean": entry(
        regression.optimal_mean, problem=_problem, law=_law, risk=choice("prediction")
    ),
    "effective_dof": entry(regression.effective_dof, data=_data, shrinkage=_shrinkage),
    "gcv": entry(regression.gcv, data=_data, shrinkage=_shrinkage),
    "unbiased_risk": entry(
        regression.unbiased_risk, data=_data, shrinkage=_shrinkage, noise=_noise
    ),
    "unbiased_process_risk": entry(
        regression.unbiased_process_risk, data=_data, law=_law, noise=_noise
    ),
    "noise_variance": entry(regression.noise_variance, data=_data),
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
            text="spoilt",
        ),
    ),
    "equivalent_penalty": entry(
        regression.equivalent_penalty,
        law=_law,
        mu=positive(1.0, fine="shape"),
    ),
    "tune": entry(
        regression.tune,
        data=_data,
        laws=given(_LAW, text="spoilt", none=None, empty=[], mixed=[_LAW, 2.0]),
        criterion=choice("risk"),
        noise=_noise,
    ),
    "ResettingRidge": entry(
        _ridge,
        law=given(_LAW, text="spoilt", number=1.0, kind=Exponential),
        rate=positive(1.0),
        fit_intercept=given(True, text="spoilt", number=2.0),
        diffusion=non_negative(0.1),
    ),
    "ResettingRidge.fit": entry(_ridge_fit, X=array(_X), y=array(_Y)),
    "ResettingRidge.stationary_covariance_": entry(
        _spread, diffusion=non_negative(0.1)
    ),
    "ResettingRidgeCV": entry(
        _ridge_cv,
        laws=given([_LAW], text="spoilt", empty=[], mixed=[_LAW, 2.0], number=1.0),
        criterion=choice("risk"),
        noise=_noise,
        fit_intercept=given(True, text="spoilt"),
        diffusion=non_negative(0.1),
    ),
}
