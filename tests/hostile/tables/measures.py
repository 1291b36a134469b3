"""What moves."""

import jax
import jax.numpy as jnp
import numpy as np

from wflow.measures import (
    AffineVelocity,
    Gaussian,
    GaussianMixture,
    Grid,
    Particles,
    Phase,
    Point,
    Traced,
    Travelled,
    UniformBox,
    linear_decay,
    logarithmic_mean,
    mean_decay,
    quadratic_decay,
    resampled,
    systematic_ancestors,
)

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
)


ROOM = "wflow.measures"

X = np.array([[0.1, 0.4], [1.0, -0.3], [-0.7, 0.2], [0.5, 0.9], [-0.2, -0.8]])
LOGW = np.array([0.0, -1.0, 0.5, 0.2, -0.4])
W = np.array([0.2, 0.7, 0.4, 1.1, 0.4])
COV = np.array([[1.0, 0.3], [0.3, 2.0]])
MEANS, COVS = np.array([[0.0, 1.0], [2.0, -1.0]]), np.stack([COV, 2 * COV])
KEY = jax.random.key(0)
CLOUD = Particles.from_samples(X, W)
LAW = Gaussian([0.0, 1.0], COV)
MIXTURE = GaussianMixture(MEANS, COVS, [1.0, 2.0])
RHO = np.array([1.0, 2.0, 3.0, 2.0])
GRID = Grid(RHO, 0.0, 1.0)
COUNTS = {"fine": ("zero",)}
SQUARE = {"spoilt": "spoilt", "flat": 3, "none": (4, 0), "fraction": (4.5,)}


def log_density(x):
    return -jnp.sum(x**2)


def cell_counts(value):
    return given(
        value,
        zero=(0,) * len(value),
        fraction=(2.5,) * len(value),
        text="ab",
        none=None,
    )


TABLE = {
    "Particles": entry(
        lambda x, logw: (Particles(x, logw).mean, Particles(x, logw).mass),
        x=array(X, words=[r"\bx\b"]),
        logw=array(LOGW),
    ),
    "Particles.from_samples": entry(
        lambda x, weights: Particles.from_samples(x, weights).mean,
        x=array(X, words=[r"weights of shape \(4,\)"]),
        weights=masses(W),
    ),
    "Particles.integrate": entry(CLOUD.integrate, function=function(jnp.sum)),
    "Particles.sample": entry(lambda n: CLOUD.sample(KEY, n), n=count(3, **COUNTS)),
    "Gaussian": entry(Gaussian, mean=array([0.0, 1.0]), cov=masses(COV)),
    "Gaussian.from_samples": entry(
        Gaussian.from_samples,
        x=array(X, words=[r"weights of shape"]),
        weights=masses(W),
    ),
    "Gaussian.log_density": entry(LAW.log_density, x=array([0.3, 0.2])),
    "Gaussian.integrate": entry(LAW.integrate, function=function(jnp.sum)),
    "Gaussian.sample": entry(lambda n: LAW.sample(KEY, n), n=count(3, **COUNTS)),
    "GaussianMixture": entry(
        GaussianMixture,
        means=array(MEANS, words=["covs"]),
        covs=masses(COVS),
        weights=masses([1.0, 2.0]),
    ),
    "GaussianMixture.log_density": entry(MIXTURE.log_density, x=array([0.3, 0.2])),
    "GaussianMixture.convolved": entry(MIXTURE.convolved, bandwidth=non_negative(0.5)),
    "GaussianMixture.integrate": entry(MIXTURE.integrate, function=function(jnp.sum)),
    "GaussianMixture.sample": entry(
        lambda n: MIXTURE.sample(KEY, n), n=count(3, **COUNTS)
    ),
    "UniformBox": entry(
        UniformBox,
        low=array([0.0, 1.0], words=["high"]),
        high=array([3.0, 4.0], fine=(), words=["low < high"]),
    ),
    "UniformBox.log_density": entry(
        UniformBox([-1.0, -1.0], [1.0, 1.0]).log_density, x=array([0.3, 0.2])
    ),
    "UniformBox.sample": entry(
        lambda n: UniformBox([0.0], [1.0]).sample(KEY, n), n=count(3, **COUNTS)
    ),
    "Grid": entry(
        Grid,
        density=masses(RHO, fine=("short", "shape")),
        lower=number(0.0),
        upper=number(1.0, fine=(), words=["lower < upper"]),
        boundary=choice("periodic"),
    ),
    "Grid.from_log_density": entry(
        lambda log_density, lower, upper, shape, boundary: (
            Grid.from_log_density(log_density, lower, upper, shape, boundary).density
        ),
        log_density=given(
            log_density,
            text="spoilt",
            none=None,
            nan=lambda x: jnp.nan * x[0],
            never=lambda x: -jnp.inf * jnp.ones(()),
            vector=lambda x: x,
            complex=lambda x: 1j * x[0],
        ),
        lower=array([0.0, 0.0]),
        upper=array([1.0, 2.0]),
        shape=cell_counts((3, 4)),
        boundary=choice(("periodic", "no-flux")),
    ),
    "Grid.from_samples": entry(
        lambda x, lower, upper, shape, boundary, weights: (
            Grid.from_samples(x, lower, upper, shape, boundary, weights=weights).density
        ),
        x=array(X, words=["weights of shape"]),
        lower=array([-2.0, -2.0]),
        upper=array([2.0, 2.0]),
        shape=cell_counts((3, 4)),
        boundary=choice("no-flux"),
        weights=masses(W),
    ),
    "Grid.sample": entry(lambda n: GRID.sample(KEY, n), n=count(3, **COUNTS)),
    "Phase": entry(
        lambda measure, velocity: Phase(measure, velocity).kinetic_energy,
        measure=part(CLOUD),
        velocity=array(X),
    ),
    "Phase.at_rest": entry(Phase.at_rest, measure=part(LAW)),
    "Point": entry(
        Point,
        value=given(
            {"a": jnp.ones(2), "n": 3},
            text="spoilt",
            none=None,
            whole=jnp.arange(3),
            complex={"a": jnp.ones(2), "b": jnp.ones(2) * 1j},
            strings=np.array(["a", "b"]),
        ),
    ),
    "Traced": entry(
        lambda measure, tracers: Traced(measure, tracers).tracers * 2,
        measure=part(CLOUD),
        tracers=array([[0.0, 1.0], [1.0, 1.0]], fine="short"),
    ),
    "Travelled": entry(
        Travelled,
        measure=part(CLOUD),
        length=non_negative(1.0),
        action=non_negative(2.0),
    ),
    "logarithmic_mean": entry(
        logarithmic_mean,
        a=array([1.0, 2.0, 3.0]),
        b=array([2.0, 2.0, 3.0]),
    ),
    "mean_decay": entry(
        mean_decay,
        u=array([0.0, 1.0], fine=("shape", "short", "empty", "inf"), finite=["inf"]),
    ),
    "linear_decay": entry(
        linear_decay,
        u=array([0.0, 1.0], fine=("shape", "short", "empty")),
    ),
    "quadratic_decay": entry(
        quadratic_decay,
        u=array([0.0, 1.0], fine=("shape", "short", "empty")),
    ),
    "systematic_ancestors": entry(
        lambda mu: systematic_ancestors(KEY, mu),
        mu=given(
            CLOUD,
            text="spoilt",
            other=LAW,
            none=None,
            nan=CLOUD.with_state((CLOUD.x, CLOUD.logw.at[0].set(jnp.nan))),
            zero=CLOUD.with_state((CLOUD.x, jnp.full(5, -1e30))),
        ),
    ),
    "resampled": entry(
        lambda mu, when: resampled(KEY, mu, when).w,
        mu=given(
            CLOUD,
            text="spoilt",
            other=LAW,
            none=None,
            nan=CLOUD.with_state((CLOUD.x, CLOUD.logw.at[0].set(jnp.nan))),
        ),
        when=given(True, shape=np.array([True, False]), text="spoilt", none=None),
    ),
    "AffineVelocity": entry(
        lambda mean, slope: Phase(LAW, AffineVelocity(mean, slope)).kinetic_energy,
        mean=array([0.0, 1.0], words=["velocity"]),
        slope=array(COV, words=["velocity"]),
    ),
    "GaussianDifferential": "what a derivative returns; computed, never given",
    "ParticlesDifferential": "what a derivative returns; computed, never given",
    "AbstractDensity": "a contract",
    "AbstractMeasure": "a contract",
    "ImplicitEntropyError": "an error",
    "UnsupportedMeasureError": "an error",
}
