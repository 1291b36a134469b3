"""Snapshots, fits and what is read from them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from wflow import learning
from wflow.energies import Potential
from wflow.flows import LagrangianFlow
from wflow.learning import (
    DICE,
    AdamW,
    Displacement,
    Fit,
    FixedHorizon,
    Sinkhorn,
    SmoothedDisplacement,
    Snapshots,
    Zero,
)
from wflow.parameters import Learnable

from ..engine import (
    array,
    choice,
    count,
    entry,
    given,
    masses,
    non_negative,
    number,
    part,
    positive,
)


ROOM = "wflow.learning"

ABSTRACT = "an abstract contract"

KEY = jax.random.key(0)
KEYS = given(
    KEY, none=None, text="spoiled", other=1.5, several=jax.random.split(KEY, 2)
)
RNG = np.random.default_rng(0)
TIMES = np.array([0.0, 1.0, 2.0])
X = RNG.normal(size=(3, 5, 2))
DATA = Snapshots(TIMES, X, 0.1 * X)
BARE = Snapshots(TIMES, X)
OTHER = Snapshots([0.0, 1.0], np.ones((2, 3, 1)) * np.arange(3)[:, None])
FLOW = LagrangianFlow(Potential(lambda x: jnp.sum(x**2) / 2), friction=Learnable(0.5))
# Its programs are small.
SHORT = learning.Rollouts(learning.CharacteristicDistance(3))
FIT = Fit(FLOW, DATA, DATA.velocities, {}, 0.5, True, 0.0, 0.0)
START = DATA.take([0])
FLAG = given(False, text="spoiled", none=None, other=2)
INDEX = given(1, fraction=0.5, far=9, below=-9, text="spoiled", none=None)
SNAPSHOTS = given(DATA, none=None, text="spoiled", other=1.5, array=X)


def mean(x, weights):
    """A statistic: the mean of the first coordinate."""
    return float(weights @ x[:, 0])


STATISTICS = given(
    {"mean": mean},
    none=None,
    text="spoiled",
    empty={},
    other={"mean": 1.5},
    shape={"mean": lambda x, weights: x[0]},
)


def velocities_of(rule, snapshots):
    """What a rule says of snapshots."""
    return rule(snapshots, KEY)


def loss(made):
    """A loss that is ready, of two small clouds."""
    ready = made.prepared(DATA, KEY)
    w = jnp.full(5, 0.2)
    return ready(jnp.asarray(X[0]), w, jnp.asarray(X[1]), w).value


def rolled(**options):
    """The loss of a step of rollouts."""
    objective = learning.Rollouts(**options)
    return learning.fit(FLOW, DATA, objective, steps=1, key=KEY, progress=False).history


TABLE = {
    "AbstractObjective": ABSTRACT,
    "Snapshots": entry(
        Snapshots,
        times=array(TIMES),
        clouds=array(X),
        velocities=array(0.1 * X),
        weights=masses(np.full((3, 5), 0.2)),
        masses=masses([1.0, 2.0, 3.0]),
    ),
    "Snapshots.take": entry(
        DATA.take,
        indices=given(
            [0, 1], none=None, far=[9], fraction=[0.5], empty=[], back=[1, 0]
        ),
    ),
    "Snapshots.before": entry(DATA.before, time=number(1.0)),
    "AdamW": entry(
        AdamW,
        learning_rate=non_negative(1e-3),
        scalar_learning_rate=non_negative(1e-2),
        weight_decay=non_negative(1e-3),
        schedule=choice("cosine"),
        warmup=non_negative(0.1),
        scalar_b2=non_negative(0.9),
    ),
    "RandomHorizon": entry(learning.RandomHorizon, ramp=non_negative(0.3)),
    "FullHorizon": entry(learning.FullHorizon, ramp=non_negative(0.3)),
    "FixedHorizon": entry(FixedHorizon, length=count(2)),
    "Sinkhorn": entry(
        Sinkhorn,
        p=choice(2),
        blur=positive(0.5),
        max_iterations=count(20),
        threshold=positive(1e-3),
    ),
    "MassAndShape": entry(
        learning.MassAndShape, shape=part(Sinkhorn()), coefficient=non_negative(1.0)
    ),
    "CharacteristicDistance": entry(
        learning.CharacteristicDistance,
        count=count(3),
        shortest=positive(0.2),
        longest=positive(2.0),
        frequencies=array(np.ones((3, 2))),
    ),
    "CharacteristicDistance.prepared": entry(
        lambda snapshots: (
            loss(learning.CharacteristicDistance(3))
            + 0
            * learning.CharacteristicDistance(3).prepared(snapshots, KEY).frequencies
        ),
        snapshots=SNAPSHOTS,
    ),
    "DICE": entry(DICE, steps=count(2), width=count(3), batch=count(4)),
    **{
        name: entry(
            lambda coupling, x: coupling(x, x[::-1], np.full(5, 0.2), np.full(5, 0.2)),
            coupling=made,
            x=X[0],
        )
        for name, made in (("ExactOT", learning.ExactOT()),)
    },
    "EntropicOT": entry(learning.EntropicOT, epsilon=positive(0.5)),
    "UnbalancedOT": entry(learning.UnbalancedOT, penalty=positive(0.5)),
    "WassersteinFisherRao": entry(
        learning.WassersteinFisherRao, length=positive(1.0, fine=())
    ),
    "StraightPath": entry(learning.StraightPath),
    "SplinePath": entry(learning.SplinePath),
    "SmoothPath": entry(learning.SmoothPath, velocity=part(Zero())),
    "BrownianBridge": entry(learning.BrownianBridge, sigma=positive(0.5)),
    "TravelingDirac": entry(learning.TravelingDirac, length=positive(1.0)),
    "FlowMatching": entry(
        learning.FlowMatching,
        coupling=given(learning.ExactOT(), text="spoiled", other=1.5),
        path=part(learning.StraightPath()),
        target=given("velocity", text="spoiled", other=1.5),
        batch=count(8),
        moments=count(2),
        block=count(100),
        held=non_negative(0.1),
        own=non_negative(0.5),
        padding=count(3),
        growth=given([np.zeros(5)] * 3, text="spoiled", other=1.5),
    ),
    "PathVelocity": entry(
        learning.PathVelocity,
        bandwidth=positive(0.4),
        length=positive(3.0),
        noise=positive(0.1),
    ),
    "SmoothedDisplacement": entry(SmoothedDisplacement, bandwidth=positive(0.4)),
    "Corrected": entry(
        learning.Corrected, start=part(Zero()), width=count(3), depth=count(1)
    ),
    "Learned": entry(learning.Learned, start=part(Zero())),
    "VelocityNetwork": entry(
        learning.VelocityNetwork,
        snapshots=given(
            DATA, none=None, text="spoiled", short=START, array=X, other=1.5
        ),
        width=count(3),
        depth=count(1),
        key=KEYS,
    ),
    **{
        name: entry(
            functools.partial(velocities_of, rule),
            snapshots=given(DATA, none=None, text="spoiled", array=X, **spoiled),
        )
        for name, rule, spoiled in (
            ("Given", learning.Given(), {"bare": BARE}),
            ("Zero", Zero(), {}),
            ("Displacement", Displacement(), {"short": START}),
        )
    },
    "Fit": entry(
        Fit,
        flow=part(FLOW),
        snapshots=SNAPSHOTS,
        velocities=given(
            DATA.velocities,
            none=None,
            text="spoiled",
            short=DATA.velocities[:2],
            shape=(np.ones((2, 2)),) * 3,
        ),
        history=given({}, none=None, text="spoiled"),
        step=positive(0.5),
        consistent=given(True, text="spoiled", none=None),
        seconds_per_step=0.0,
        compile_seconds=0.0,
    ),
    "Fit.forecast": entry(
        FIT.forecast,
        times=array([2.5, 3.0], fine="short"),
        start=choice("last_snapshot"),
        substeps=count(1),
    ),
    "Fit.interpolate": entry(FIT.interpolate, time=number(1.5), substeps=count(1)),
    "Fit.report": entry(
        FIT.report,
        test=given(
            Snapshots([2.5], X[:1]), text="spoiled", dimension=OTHER, array=X, other=1.5
        ),
        start=choice("last_snapshot"),
        substeps=count(1),
        tracked=FLAG,
    ),
    "Fit.start": entry(FIT.start, k=INDEX),
    "Ensemble": entry(
        learning.Ensemble,
        members=given((FIT, FIT), none=None, text="spoiled", other=(1.5,), empty=()),
        snapshots=SNAPSHOTS,
    ),
    "Ensemble.predict": entry(
        learning.Ensemble((FIT, FIT), DATA).predict,
        statistics=STATISTICS,
        # The variance of samples is known to infinitely many degrees.
        times=array([2.5, 3.0], fine="short", finite="short"),
        sizes=count(5),
        start=choice("last_snapshot"),
        substeps=count(1),
        followed=given(False, text="spoiled", none=None),
    ),
    "simulate": entry(
        learning.simulate,
        flow=part(FLOW),
        start=given(
            START, none=None, text="spoiled", several=DATA, bare=BARE.take([0])
        ),
        times=array([0.5, 1.0], fine="short"),
        step=positive(0.5),
        consistent=given(True, text="spoiled", none=None),
    ),
    "Rollouts": entry(
        rolled,
        loss=given(Sinkhorn(), text="spoiled", other=1.5),
        growth_penalty=non_negative(0.5),
        acceleration_penalty=non_negative(0.5),
        velocity_scale=positive(0.5),
        horizon=given(FixedHorizon(1), text="spoiled", other=1.5),
        velocity=given(learning.Given(), text="spoiled", other=1.5),
        starts=choice("any"),
        batch=count(5),
        padding=given(5, short=2, zero=0, fraction=5.5, text="spoiled"),
        substeps=count(1),
        dt0=positive(0.5),
        stop_gradient_force=FLAG,
        consistent=given(True, text="spoiled", none=None),
        held=non_negative(0.2),
    ),
    "fit": entry(
        learning.fit,
        flow=part(FLOW),
        snapshots=SNAPSHOTS,
        objective=given(SHORT, text="spoiled", other=1.5),
        steps=count(1),
        key=KEYS,
        optimizer=given(AdamW(), text="spoiled", other=1.5),
        ema=non_negative(0.9),
        clip=positive(1.0, fine="inf", finite="inf"),
        validation=given(
            Snapshots([2.5], X[:1]), text="spoiled", dimension=OTHER, other=1.5
        ),
        patience=count(1),
        checkpoint_dir=given(None, other=1.5),
        resume=FLAG,
        chunk=count(1),
        callbacks=given((), none=None, text="spoiled", other=[1.5]),
        progress=FLAG,
    ),
    "fit_ensemble": entry(
        functools.partial(
            learning.fit_ensemble, objective=SHORT, steps=1, chunk=1, progress=False
        ),
        make_flow=given(
            lambda key: FLOW, none=None, text="spoiled", other=lambda key: 1.5
        ),
        snapshots=SNAPSHOTS,
        members=given(2, one=1, negative=-1, fraction=2.5, text="spoiled"),
        key=KEYS,
        resample=choice("none"),
        done=given(lambda m, found: None, text="spoiled", other=1.5),
        mesh=given(None, text="spoiled", other=1.5),
    ),
}
