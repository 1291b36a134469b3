"""Distances between clouds."""

import numpy as np

from tests.hostile.engine import (
    array,
    choice,
    count,
    entry,
    given,
    masses,
    positive,
)
from wflow import transport
from wflow.measures import Gaussian, Particles


ROOM = "wflow.transport"

_X = np.array([[0.0, 0.1], [0.7, 0.2], [0.3, 0.9], [0.5, 0.4]])
_Y = np.array([[0.2, 0.0], [0.9, 0.5], [0.4, 0.6], [0.1, 0.8], [0.6, 0.3]])
_CLOUDS = {
    "x": array(_X, fine="short"),
    "y": array(_Y, fine="short"),
    "weights_x": masses(np.array([0.2, 0.3, 0.1, 0.4])),
    "weights_y": masses(np.array([0.3, 0.1, 0.2, 0.1, 0.3])),
}
# A cloud that loses a point no longer fits its weights: without them it does.
_BARE = {"x": _CLOUDS["x"], "y": _CLOUDS["y"]}
_WEIGHED = {
    "x": _X,
    "y": _Y,
    "weights_x": _CLOUDS["weights_x"],
    "weights_y": _CLOUDS["weights_y"],
}
# An infinite length is that of an axis without a period.
_LENGTHS = masses([1.5, 2.0], fine="inf", finite="inf")
_MU, _NU = (Particles.from_samples(cloud) for cloud in (_X, _Y))
_MEASURES = {
    "mu": given(
        _MU,
        text="spoiled",
        gaussian=Gaussian([0.0, 0.0], np.eye(2)),
        dimension=Particles.from_samples(_X[:, :1]),
        nan=Particles.from_samples(np.where(_X == 0.7, np.nan, _X)),
        massless=Particles(_X, np.full(4, -np.inf)),
        array=_X,
    ),
    "nu": given(
        _NU,
        none=None,
        dimension=Particles.from_samples(_X[:, :1]),
        inf=Particles.from_samples(np.where(_X == 0.7, np.inf, _X)),
        massless=Particles(_X, np.full(4, -np.inf)),
    ),
    "epsilon": positive(0.01),
}


TABLE = {
    "optimal_plan": entry(transport.optimal_plan, **_BARE, p=choice(2)),
    "optimal_plan.weights": entry(transport.optimal_plan, **_WEIGHED),
    "optimal_plan.period": entry(transport.optimal_plan, x=_X, y=_Y, period=_LENGTHS),
    "w1": entry(transport.w1, **_BARE),
    "w1.weights": entry(transport.w1, **_WEIGHED),
    "w1.period": entry(transport.w1, x=_X, y=_Y, period=_LENGTHS),
    "w2": entry(transport.w2, **_BARE),
    "w2.weights": entry(transport.w2, **_WEIGHED),
    "w2.period": entry(transport.w2, x=_X, y=_Y, period=_LENGTHS),
    "w2_squared": entry(transport.w2_squared, **_BARE),
    "w2_squared.weights": entry(transport.w2_squared, **_WEIGHED),
    "w2_squared.period": entry(transport.w2_squared, x=_X, y=_Y, period=_LENGTHS),
    "sinkhorn_divergence": entry(
        transport.sinkhorn_divergence,
        **_BARE,
        blur=positive(0.3),
        p=choice(2),
        max_iterations=count(100),
        threshold=positive(1e-3),
    ),
    "sinkhorn_divergence.weights": entry(
        transport.sinkhorn_divergence, **_WEIGHED, blur=0.3
    ),
    "sinkhorn_divergence.period": entry(
        transport.sinkhorn_divergence, x=_X, y=_Y, blur=0.3, period=_LENGTHS
    ),
    "hk_distance": entry(transport.hk_distance, **_MEASURES),
    "shk_distance": entry(transport.shk_distance, **_MEASURES),
}
