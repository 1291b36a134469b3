"""What moves."""

import jax
import jax.numpy as jnp
import numpy as np

from wflow.energies import Interaction
from wflow.measures import (
    Gaussian,
    GaussianMixture,
    Grid,
    Particles,
    Phase,
    Point,
    Traced,
    UniformBox,
    nearest_image,
)

from ..engine import (
    array,
    asked,
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
# An infinite length is that of an axis without a period.
LENGTHS = masses([1.5, 2.0], fine="inf", finite="inf")
NEAR = Interaction(lambda x, y: jnp.exp(-jnp.sum((x - y) ** 2)))


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
    "Particles.signed": entry(
        lambda signed: Particles(X, LOGW, signed=signed).mass, signed=array(W)
    ),
    "Particles.from_samples": entry(
        lambda x, weights: Particles.from_samples(x, weights).mean,
        x=array(X, words=[r"weights of shape \(4,\)"]),
        weights=masses(W),
    ),
    "Particles.period": entry(
        lambda period: NEAR.value(Particles(X, LOGW, period)),
        period=LENGTHS,
    ),
    "nearest_image": entry(
        nearest_image,
        x=array(X),
        y=array(X[::-1]),
        period=LENGTHS,
    ),
    "Particles.integrate": entry(CLOUD.integrate, function=function(jnp.sum)),
    "Particles.sample": entry(
        lambda n: asked(CLOUD.sample, KEY, n), n=count(3, **COUNTS)
    ),
    "Gaussian": entry(Gaussian, mean=array([0.0, 1.0]), cov=masses(COV)),
    "Gaussian.from_samples": entry(
        Gaussian.from_samples,
        x=array(X, words=[r"weights of shape"]),
        weights=masses(W),
    ),
    "Gaussian.log_density": entry(LAW.log_density, x=array([0.3, 0.2])),
    "Gaussian.integrate": entry(LAW.integrate, function=function(jnp.sum)),
    "Gaussian.sample": entry(lambda n: asked(LAW.sample, KEY, n), n=count(3, **COUNTS)),
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
        lambda n: asked(MIXTURE.sample, KEY, n), n=count(3, **COUNTS)
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
        lambda n: asked(UniformBox([0.0], [1.0]).sample, KEY, n), n=count(3, **COUNTS)
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
            text="spoiled",
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
    "Grid.sample": entry(lambda n: asked(GRID.sample, KEY, n), n=count(3, **COUNTS)),
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
            text="spoiled",
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
    "AbstractDensity": "a contract",
    "AbstractMeasure": "a contract",
    "UnsupportedMeasureError": "an error",
}
