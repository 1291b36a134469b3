"""Models, filters and scores; one observation of a small state."""

import dataclasses

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import xarray

from wflow import filtering as f
from wflow.measures import Gaussian, Grid

from ..engine import (
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


ROOM = "wflow.filtering"

KEY = jax.random.key(0)
KEYS = given(KEY, zero=0, none=None, text="spoiled", shape=jax.random.split(KEY, 3))
X = np.random.default_rng(0).normal(size=(5, 2))
LAW = Gaussian(np.zeros(2), np.eye(2))
LINE = Grid.from_log_density(lambda x: -(x[0] ** 2) / 2, -3.0, 3.0, (40,))
OBSERVATION = f.GaussianObservation(lambda x: x, np.eye(2))
MOTION = f.DiscreteMap(lambda x, t: x / 2)
MODEL = f.StateSpace(MOTION, OBSERVATION, np.eye(2))
OF_LINE = f.StateSpace(MOTION, f.GaussianObservation(lambda x: x, np.eye(1)), [[1.0]])
STATE = f.init(f.EnKF(), X, KEY)
Y = np.ones((2, 2))
FILE = xarray.Dataset({"u": ("x", np.zeros(2))})
DOMAIN = f.Domain(1.0, 1 - np.eye(2))
FAR = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]])
NEAR = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]])
# What a field may give back that it must not; a nan shows.
FIELDS = {
    "shape": lambda x, t: x[:1],
    "complex": lambda x, t: x + 1j,
    "none": lambda x, t: None,
    "text": lambda x, t: "spoiled",
    "nan": lambda x, t: x * jnp.nan,
}
OPERATORS = {name: lambda x, of=of: of(x, 0) for name, of in FIELDS.items()}


def shrink(x, t):
    """A drift."""
    del t
    return -x


def still(x, t):
    """A diffusion."""
    return 0.1 + 0 * x


def grid(initial, noise):
    """A filter on the line."""
    model = f.StateSpace(OF_LINE.transition, OF_LINE.observation, noise)
    return f.filter(model, f.GridFilter(), Y[:, :1], initial, KEY).mean


def kalman(initial):
    """A Kalman filter."""
    return f.filter(MODEL, f.KalmanFilter(), Y, initial, KEY).mean


def stepped(noise):
    """A step with model noise."""
    return f.StateSpace(MOTION, OBSERVATION, noise).step(jnp.ones(2), 0.0, KEY)


def filtered(observations, **options):
    """A filter's means."""
    model = options.pop("model", MODEL)
    options = {"method": f.EnKF(), "initial": X, "key": KEY} | options
    return f.filter(model=model, observations=observations, **options).mean


TABLE = {
    "AdaptiveODE": entry(
        f.AdaptiveODE,
        drift=function(shrink),
        interval=positive(0.1),
        rtol=positive(1e-3),
        atol=positive(1e-3),
        solver=part(diffrax.Tsit5()),
        max_steps=count(64),
    ),
    "AdaptiveODE.advance": entry(
        lambda drift: f.AdaptiveODE(drift, 0.1).advance(jnp.ones(2), 0.0),
        drift=given(shrink, **FIELDS),
    ),
    "Components": entry(
        f.Components,
        start=given(0, negative=-1, fraction=0.5, nan=np.nan, text="spoiled"),
        every=count(1),
        stop=given(2, zero=0, negative=-1, fraction=0.5, nan=np.nan, text="spoiled"),
    ),
    "Components.__call__": entry(
        lambda x: f.Components(0, 1, 2)(x),
        x=given(jnp.ones(2), short=jnp.ones(1), shape=jnp.ones((2, 1))),
    ),
    "DiscreteMap": entry(
        f.DiscreteMap, function=function(shrink), interval=positive(1.0)
    ),
    "DiscreteMap.advance": entry(
        lambda function: f.DiscreteMap(function).advance(jnp.ones(2), 0.0),
        function=given(shrink, **FIELDS),
    ),
    "Domain": entry(
        f.Domain,
        radius=positive(1.0, fine="inf", finite=("inf",)),
        distance=masses(FAR, fine=("zero", "short")),
    ),
    "Domain.patch": entry(
        f.Domain,
        radius=1.0,
        distance=FAR,
        state_distance=masses(NEAR, fine="zero"),
        patch_radius=non_negative(1.0, fine="inf", finite=("inf",)),
    ),
    "Domain.ring": entry(
        f.Domain.ring,
        radius=positive(1.0, fine="inf", finite=("inf",)),
        size=count(5),
        sites=masses([0.0, 2.0], fine=("zero", "short"), words=("distance",)),
        patch_radius=non_negative(1.0, fine="inf", finite=("inf",)),
    ),
    "ETKF": entry(f.ETKF, inflation=positive(1.1), rotate=choice(True)),
    "EnKF": entry(f.EnKF, inflation=positive(1.1)),
    "KuramotoSivashinsky": entry(
        f.KuramotoSivashinsky, length=positive(9.0), dt=positive(0.1), steps=count(2)
    ),
    "LETKF": entry(
        f.LETKF, domain=part(DOMAIN), inflation=positive(1.1), rotate=choice(True)
    ),
    "LocalEnKF": entry(f.LocalEnKF, domain=part(DOMAIN), inflation=positive(1.1)),
    "EulerMaruyama": entry(
        f.EulerMaruyama,
        drift=function(shrink),
        diffusion=function(still),
        interval=positive(1.0),
        steps=count(2),
    ),
    "EulerMaruyama.__call__": entry(
        lambda drift, diffusion: f.EulerMaruyama(drift, diffusion, 1.0, 2)(
            jnp.ones(2), 0.0, KEY
        ),
        drift=given(shrink, **FIELDS),
        diffusion=given(still, **FIELDS),
    ),
    "GaussianObservation": entry(
        f.GaussianObservation,
        operator=function(lambda x: x),
        cov=masses(np.eye(2) / 2),
    ),
    "GaussianObservation.mean": entry(
        lambda operator: f.GaussianObservation(operator, np.eye(2)).mean(jnp.ones(2)),
        operator=given(lambda x: x, **OPERATORS),
    ),
    "GaussianObservation.simulate": entry(
        lambda operator: f.GaussianObservation(operator, np.eye(2)).simulate(
            jnp.ones(2), KEY
        ),
        operator=given(lambda x: x, **OPERATORS),
    ),
    "GaussianObservation.log_likelihood": entry(
        lambda y: OBSERVATION.log_likelihood(y, jnp.ones(2)),
        # Entries that are nan are missing.
        y=array(np.ones(2), fine="nan", finite=("nan",)),
    ),
    "GridFilter": entry(
        grid,
        initial=part(LINE, words=("does not act on",)),
        noise=array([[1.0]]),
    ),
    "KalmanFilter": entry(kalman, initial=part(LAW, words=("does not act on",))),
    "Linear": entry(f.Linear, matrix=array(np.eye(2), fine="short")),
    "Linear.__call__": entry(
        lambda x: f.Linear(np.eye(2))(x),
        x=given(jnp.ones(2), short=jnp.ones(1), shape=jnp.ones((2, 1))),
    ),
    "Lorenz63": entry(f.Lorenz63, sigma=number(10.0), rho=number(28.0), beta=number(3)),
    "Lorenz63.__call__": entry(
        lambda x: f.Lorenz63()(x), x=given(jnp.ones(3), short=jnp.ones(2))
    ),
    "Lorenz96": entry(f.Lorenz96, forcing=number(8.0)),
    "Lorenz96.__call__": entry(
        lambda x: f.Lorenz96()(x), x=given(jnp.ones(5), shape=jnp.ones((5, 1)))
    ),
    "ParticleFilter": entry(
        f.ParticleFilter, jitter=non_negative(1.0), threshold=non_negative(0.5)
    ),
    "RungeKutta4": entry(
        f.RungeKutta4, drift=function(shrink), dt=positive(0.1), steps=count(2)
    ),
    "RungeKutta4.advance": entry(
        lambda drift: f.RungeKutta4(drift, 0.1).advance(jnp.ones(2), 0.0),
        drift=given(shrink, **FIELDS),
    ),
    "SimulatedObservation": entry(
        f.SimulatedObservation, simulator=function(lambda x, key: x)
    ),
    "SimulatedObservation.simulate": entry(
        lambda simulator: f.SimulatedObservation(simulator).simulate(jnp.ones(2), KEY),
        simulator=given(
            lambda x, key: x, **(FIELDS | {"shape": lambda x, key: x[:, None]})
        ),
    ),
    "StateSpace": entry(
        f.StateSpace, transition=part(MOTION), observation=part(OBSERVATION)
    ),
    "StateSpace.step": entry(stepped, noise=array(np.ones((2, 1)))),
    "assimilate": entry(
        f.assimilate,
        model=part(MODEL),
        method=part(f.EnKF()),
        state=part(STATE),
        observed=array(Y[0], fine="nan", finite=("nan",)),
    ),
    "filter": entry(
        filtered,
        model=part(MODEL),
        method=part(f.EnKF()),
        observations=array(Y, fine=("nan", "short"), finite=("nan",)),
        initial=array(X, fine="short"),
        key=KEYS,
        t0=number(0.0),
        save=choice(True),
        throw=choice(True),
    ),
    "init": entry(
        f.init,
        method=part(f.EnKF()),
        initial=array(X, fine="short"),
        key=KEYS,
        t0=number(0.0),
    ),
    "twin": entry(
        f.twin,
        model=part(MODEL),
        x0=array(np.ones(2), fine="short", words=("noise",)),
        cycles=count(2),
        key=KEYS,
        t0=number(0.0),
    ),
    "Fields": entry(
        f.Fields,
        source=dataclasses.replace(
            given(FILE, none=None, other=1.5, text="none"), words=("no such file",)
        ),
        variables=given("u", unknown=["v"], empty=[]),
    ),
    "sweep": entry(
        f.sweep,
        model=part(MODEL),
        method=part(f.EnKF()),
        twin=part(f.twin(MODEL, np.ones(2), 20, KEY)),
        initial=array(X, fine="short"),
        key=KEYS,
        inflation=given([1.0], zero=[0.0], nan=[np.nan], empty=[], text=["spoiled"]),
        members=given([3], zero=[0], many=[9], fraction=[2.5], empty=[]),
        burn_in=given(0, negative=-1, many=20, fraction=0.5, none=None),
    ),
    "lorenz63_full": entry(f.lorenz63_full, observation=part(OBSERVATION, fine="none")),
    "lorenz63_partial": entry(f.lorenz63_partial),
    "lorenz96_classic": entry(f.lorenz96_classic),
    "lorenz96_hard": entry(f.lorenz96_hard),
    # Infinity has a rank.
}
