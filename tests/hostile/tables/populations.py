"""Protocols, scores, bands and fields of populations."""

import jax.numpy as jnp
import numpy as np

from wflow import populations
from wflow.energies import GaussianProfile, Interaction, Polynomial, Potential, Radial
from wflow.learning import Ensemble, Fit, Snapshots
from wflow.learning.bands import Part, Prediction
from wflow.measures import Particles
from wflow.populations import Mean
from wflow.populations._backtest import ModelError

from ..engine import (
    array,
    choice,
    count,
    entry,
    given,
    masses,
    number,
    part,
    positive,
)
from .learning import BARE, FLAG, FLOW, KEYS, X


ROOM = "wflow.populations"


LONG = Snapshots(np.arange(4.0), np.random.default_rng(1).normal(size=(4, 5, 2)))
SNAPSHOTS = given(LONG, none=None, text="spoiled", other=1.5, array=X)
CLOUD = Particles.from_samples(jnp.asarray(X[0]))
CLOUDS = given(CLOUD, none=None, text="spoiled", other=1.5)
ENERGY = Potential(Polynomial(2, 2, jnp.ones(5))) + Interaction(
    Radial(GaussianProfile(1.0, 0.5))
)
ENERGIES = part(ENERGY)
STATISTICS = given(
    {"mean": Mean(0)}, none=None, text="spoiled", empty={}, other={"mean": 1.5}
)
ROW = np.ones(2)
PREDICTION = Prediction([4.0, 5.0], ROW, {"members": Part(ROW, 4)})
PREDICTIONS = given(
    {"mean": PREDICTION}, none=None, text="spoiled", empty={}, other={"mean": 1.5}
)
POINTS = array(X[1], fine=("nan", "inf", "short", "empty"), finite="inf")
WEIGHTED = (X[0], np.full(5, 0.2))


def refit(train, *_):
    """A fit that was not trained."""
    return Fit(FLOW, train, tuple(0 * x for x in train.clouds), {}, step=0.5)


def ensemble(train):
    """Two of them."""
    return Ensemble((refit(train), refit(train)), train)


TYPES = [list("aabbb")] * 4


def _lineage(call):
    return entry(
        lambda **options: call(**options).mass,
        fitted=given(refit(LONG), none=None, text="spoiled", other=1.5),
        labels=given(TYPES, none=None, short=TYPES[:2], text="spoiled", number=1.5),
        start=given(0, none=None, far=9, text="spoiled", fraction=0.5),
        end=given(1, none=None, far=9, text="spoiled", before=0),
        neighbors=count(3),
    )


FUTURE = Snapshots([3.0, 4.0], X[:2])
FITTER = given(ensemble, none=None, text="spoiled", other=lambda train: 1.5)

TABLE = {
    "Mean": entry(Mean, axis=count(1, fine="zero")),
    "Mean.__call__": entry(lambda axis: Mean(axis)(*WEIGHTED), axis=given(1, far=2)),
    "Deviation": entry(populations.Deviation, axis=count(1, fine="zero")),
    "Quantile": entry(
        populations.Quantile, axis=count(1, fine="zero"), share=positive(0.5)
    ),
    "Share": entry(
        populations.Share,
        low=array([-1.0, 0.0], fine="inf", finite="inf"),
        high=array([1.0, 2.0], fine="inf", finite="inf"),
    ),
    "backtest": entry(
        populations.backtest,
        fitter=FITTER,
        snapshots=SNAPSHOTS,
        origins=given(
            [2], none=None, text="spoiled", empty=[], far=[9], fraction=[2.5], one=[1]
        ),
        statistics=STATISTICS,
        longest=count(1),
        substeps=count(1),
        followed=FLAG,
    ),
    "forecast_bands": entry(
        populations.forecast_bands,
        ensemble=given(ensemble(BARE), none=None, text="spoiled", other=1.5),
        test=given(FUTURE, none=None, text="spoiled", early=BARE),
        statistics=STATISTICS,
        error=given(ModelError(0.5, 3.0), text="spoiled", other=1.5),
        substeps=count(1),
        followed=FLAG,
    ),
    "coverage": entry(
        populations.coverage,
        predictions=PREDICTIONS,
        observed=array(np.ones((1, 2)), fine=("nan", "inf")),
        unit=masses([1.0]),
        level=positive(0.9),
    ),
    "landscape": entry(
        populations.landscape,
        energy=ENERGIES,
        cloud=CLOUDS,
        points=POINTS,
        t=number(0.0),
    ),
    "force_field": entry(
        populations.force_field,
        energy=ENERGIES,
        cloud=CLOUDS,
        points=POINTS,
        t=number(0.0),
    ),
    "velocity_field": entry(
        populations.velocity_field,
        cloud=CLOUDS,
        velocities=array(X[0], fine=("nan", "inf")),
        points=POINTS,
        bandwidth=positive(0.5),
    ),
    "BestFit": "made by fit_best",
    "Lineage": "a result",
    "descendants": _lineage(populations.descendants),
    "ancestors": _lineage(populations.ancestors),
    "fit_best": entry(
        lambda **options: populations.fit_best(**options).forecast([0.5]).clouds,
        # Two snapshots, of which none can be held out: no law is trained.
        snapshots=given(
            LONG.take([0, 1]), none=None, text="spoiled", one=LONG.take([0])
        ),
        key=KEYS,
        budget=positive(5.0),
        steps=count(2),
        standardize=given(True, text="spoiled", other=2),
        components=count(1),
        questions=given(("between",), text="spoiled", other=("before",), number=1.5),
        tracked=FLAG,
        growth=given([np.zeros(5)] * 2, text="spoiled", number=1.5),
        log=given(str.upper, text="spoiled", other=1.5),
    ),
    "compare": entry(
        lambda **options: populations.compare(**options).floor,
        forecast=array(X[0], fine="short"),
        observed=array(X[1], fine="short"),
        baselines=given({"still": X[2]}, text="spoiled", other={"still": 1.5}),
        cells=array(X[1]),
        types=given(list("abcab"), short=["a"], none=None),
        components=count(1),
        tracked=FLAG,
    ),
    "hold_outs": entry(
        populations.hold_outs,
        snapshots=given(LONG, none=None, text="spoiled", short=LONG.take([0, 1])),
    ),
    "coefficients": entry(populations.coefficients, energy=ENERGIES),
    "interaction_profile": entry(
        populations.interaction_profile,
        energy=ENERGIES,
        distances=masses([0.5, 1.0], fine=("zero", "short", "empty")),
        dim=count(2),
    ),
    "select_model": entry(
        lambda **options: populations.select_model(**options).scores["still"],
        candidates=given(
            {"still": refit},
            none=None,
            text="spoiled",
            empty={},
            other={"still": 1.5},
            shape={"still": lambda *_: 1.5},
        ),
        snapshots=SNAPSHOTS,
        held_out=given(-1, zero=0, far=9, fraction=1.5, text="spoiled", none=None),
        start=choice("last_snapshot"),
        substeps=count(1),
    ),
}
