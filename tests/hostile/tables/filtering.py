"""Models, filters and scores; one observation of a small state."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from wflow import filtering as f
from wflow.kernels import GaussianKernel
from wflow.measures import Gaussian, Grid, Particles

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
KEYS = given(KEY, zero=0, none=None, text="spoilt", shape=jax.random.split(KEY, 3))
X = np.random.default_rng(0).normal(size=(5, 2))
W = np.array([1.0, 2.0, 3.0, 2.0, 1.0])
LAW = Gaussian(np.zeros(2), np.eye(2))
LINE = Grid.from_log_density(lambda x: -(x[0] ** 2) / 2, -3.0, 3.0, (40,))
OBSERVATION = f.GaussianObservation(lambda x: x, np.eye(2))
MOTION = f.DiscreteMap(lambda x, t: x / 2)
MODEL = f.StateSpace(MOTION, OBSERVATION, np.eye(2))
OF_LINE = f.StateSpace(MOTION, f.GaussianObservation(lambda x: x, np.eye(1)), [[1.0]])
STATE = f.start(f.EnKF(), X, KEY)
Y = np.ones((2, 2))
RESULT = f.filter(MODEL, f.EnKF(), Y, X, KEY)
DOMAIN = f.Domain(1.0, 1 - np.eye(2))
FAR = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]])
NEAR = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]])
# What a field may give back that it must not; a nan shows.
FIELDS = {
    "shape": lambda x, t: x[:1],
    "complex": lambda x, t: x + 1j,
    "none": lambda x, t: None,
    "text": lambda x, t: "spoilt",
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


contract = "an abstract contract"
ranked = {"fine": ("short", "inf"), "finite": ("inf",)}

TABLE = {
    "AbstractLikelihood": contract,
    "AbstractMap": contract,
    "AbstractMethod": contract,
    "AbstractObservation": contract,
    "AbstractTransition": contract,
    "FilterError": "an exception",
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
        start=given(0, negative=-1, fraction=0.5, nan=np.nan, text="spoilt"),
        every=count(1),
        stop=given(2, zero=0, negative=-1, fraction=0.5, nan=np.nan, text="spoilt"),
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
    "FilterResult": entry(
        lambda truth, level: RESULT.coverage(truth, level),
        truth=array(Y),
        level=non_negative(0.9),
    ),
    "FilterResult.crps": entry(lambda truth: RESULT.crps(truth), truth=array(Y)),
    "FilterResult.rmse": entry(lambda truth: RESULT.rmse(truth), truth=array(Y)),
    "FilterResult.rank_histogram": entry(
        lambda truth, bins: RESULT.rank_histogram(truth, bins),
        # What is not known is not counted; beyond all members is a rank.
        truth=array(Y, fine=("nan", "inf"), finite=("nan", "inf")),
        bins=count(3),
    ),
    "FilterState": entry(
        f.FilterState,
        measure=part(Particles.from_samples(X)),
        cycle=given(
            jnp.zeros((), int), negative=-1, shape=np.zeros(3), nan=np.nan, text="a"
        ),
        t0=number(0.0),
        key=KEY,
        ok=given(jnp.asarray(True), nan=np.nan, shape=np.ones(3, bool), text="a"),
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
    "KuramotoSivashinsky": entry(
        f.KuramotoSivashinsky, length=positive(9.0), dt=positive(0.1), steps=count(2)
    ),
    "KuramotoSivashinsky.advance": entry(
        lambda x: f.KuramotoSivashinsky(9.0, 0.1).advance(x, 0.0),
        x=given(jnp.zeros(4), odd=jnp.zeros(3), shape=jnp.zeros((4, 1))),
    ),
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
    "Setting": entry(
        f.Setting,
        model=part(MODEL),
        initial=part(LAW),
        cycles=count(5),
        burn_in=given(1, negative=-1, fraction=0.5, large=5, text="a"),
    ),
    "Setting.twin": entry(
        lambda key, cycles: f.bimodal().twin(key, cycles), key=KEYS, cycles=count(2)
    ),
    "Setting.ensemble": entry(
        lambda key, n: f.bimodal().ensemble(key, n), key=KEYS, n=count(3)
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
    "Twin": entry(
        f.Twin,
        times=masses([1.0, 2.0], words=("truth",)),
        truth=array(Y),
        observed=array(np.ones((2, 1)), fine="nan", finite=("nan",)),
    ),
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
    "start": entry(
        f.start,
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
    "bimodal": entry(f.bimodal, scale=positive(0.3), dim=count(1)),
    "half_square": entry(f.half_square, scale=positive(0.3), dim=count(1)),
    "linear_gaussian": entry(
        f.linear_gaussian,
        matrix=array(np.eye(2) / 2),
        noise=array(np.ones((2, 1))),
        operator=array(np.ones((1, 2))),
        cov=masses(np.eye(1)),
    ),
    "lorenz63_full": entry(f.lorenz63_full, observation=part(OBSERVATION, fine="none")),
    "lorenz63_partial": entry(f.lorenz63_partial),
    "lorenz96_classic": entry(f.lorenz96_classic),
    "lorenz96_hard": entry(f.lorenz96_hard),
    "gaspari_cohn": entry(
        f.gaspari_cohn,
        a=masses(
            [0.0, 0.5, 1.5],
            fine=("zero", "shape", "short", "empty", "inf"),
            finite=("inf",),
        ),
    ),
    "covered": entry(
        f.covered,
        x=array(X, fine="short"),
        truth=array(np.ones(2)),
        level=non_negative(0.9),
    ),
    "covered.weighted": entry(f.covered, x=X, truth=np.ones(2), weights=masses(W)),
    "crps": entry(f.crps, x=array(X, fine="short"), truth=array(np.ones(2))),
    "crps.weighted": entry(f.crps, x=X, truth=np.ones(2), weights=masses(W)),
    # Infinity has a rank.
    "level_of": entry(
        f.level_of,
        x=array(X, **ranked),
        truth=array(np.ones(2), fine="inf", finite=("inf",)),
    ),
    "level_of.weighted": entry(f.level_of, x=X, truth=np.ones(2), weights=masses(W)),
    "gaussian_crps": entry(
        f.gaussian_crps,
        mean=array(np.ones(3), words=("std",)),
        std=masses(np.ones(3), fine="zero"),
        truth=array(np.ones(3)),
    ),
    "level_shares": entry(
        f.level_shares,
        levels=masses(
            [0.0, 0.5, 0.25],
            fine=("zero", "shape", "short", "empty", "nan"),
            finite=("nan",),
        ),
        members=count(4),
        bins=count(3),
    ),
    "mmd_squared": entry(
        f.mmd_squared,
        kernel=part(GaussianKernel(1.0)),
        x=array(X, fine="short"),
        y=array(X + 1, fine="short"),
    ),
    "rank_histogram": entry(
        f.rank_histogram,
        levels=masses(
            [0.0, 0.5, 0.25],
            fine=("zero", "shape", "short", "empty", "nan"),
            finite=("nan",),
        ),
        members=count(4, words=("bins",)),
        bins=count(5),
    ),
    "rmse": entry(f.rmse, mean=array(Y, words=("truth",)), truth=array(Y)),
    "sliced_w1": entry(
        f.sliced_w1,
        x=array(X, fine="short"),
        y=array(X + 1, fine="short"),
        key=KEYS,
        directions=count(3),
    ),
    "sliced_w1.weighted": entry(
        f.sliced_w1,
        x=X,
        y=X + 1,
        weights_x=masses(W),
        weights_y=masses(W),
        key=KEY,
        directions=3,
    ),
    "w1_of_line": entry(
        f.w1_of_line, x=array(X[:, 0], fine="short"), y=array(X[:, 1], fine="short")
    ),
    "w1_of_line.weighted": entry(
        f.w1_of_line,
        x=X[:, 0],
        y=X[:, 1],
        weights_x=masses(W),
        weights_y=masses(W),
    ),
}
