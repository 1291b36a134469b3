"""Finite networks beside their mean-field limit."""

import jax
import jax.numpy as jnp
import numpy as np

from wflow.measures import Gaussian, Particles
from wflow.networks import NetworkRisk, chaos

from ..engine import (
    array,
    choice,
    count,
    entry,
    given,
    masses,
    part,
)


ROOM = "wflow.networks.chaos"

KEY = jax.random.key(0)
D = 2
TEACHER = jnp.diag(jnp.array([1.0, 0.5]))
RISK = chaos.QuadraticRisk(TEACHER)
START = Gaussian(jnp.zeros(D), jnp.eye(D) / D)
STUDENT = chaos.Student(RISK, START)
CLOUD = Particles.from_samples(np.random.default_rng(0).normal(size=(5, D)))
INPUTS = np.random.default_rng(1).normal(size=(4, D))
NETWORK = NetworkRisk(chaos.Neuron(), INPUTS, jnp.arange(4.0))
NEURONS = Particles.from_samples(np.random.default_rng(2).normal(size=(5, 1 + D)))
TIMES = np.array([0.0, 0.1, 0.2])
WIDTHS = (4, 8)
# No order in zeros, nothing before the start.
CLOCK = {
    "nan": np.array([0.0, np.nan, 0.2]),
    "inf": np.array([0.0, 0.1, np.inf]),
    "negative": -TIMES,
    "reversed": TIMES[::-1],
    "shape": TIMES[None],
    "empty": TIMES[:0],
    "text": np.array(["a", "b", "c"]),
    "complex": TIMES + 1j,
}
TIMES_ARGUMENT = given(TIMES, **CLOCK)


def semidefinite(value, **more):
    """A symmetric matrix without negative eigenvalues; zero is one."""
    return masses(value, fine=("zero", *more.pop("fine", ())), **more)


WIDTHS_ARGUMENT = given(
    WIDTHS,
    zero=(0, 8),
    reversed=(8, 4),
    one=(4,),
    fraction=(4.5, 8),
    empty=(),
    text="48",
)

TABLE = {
    "Neuron": entry(chaos.Neuron, activation=choice("tanh")),
    "QuadraticRisk": entry(
        lambda mu, **more: chaos.QuadraticRisk(**more).value(mu),
        mu=part(CLOUD),
        teacher=semidefinite(TEACHER),
    ),
    "SampledRisk": entry(
        lambda network: chaos.SampledRisk(network).value(NEURONS), network=part(NETWORK)
    ),
    "SampledRisk.of": entry(
        lambda **more: chaos.SampledRisk.of(**more).value(NEURONS),
        neuron=part(chaos.Neuron()),
        inputs=array(INPUTS, fine="short"),
        teacher=part(NEURONS),
    ),
    "SingleIndexRisk": entry(
        lambda **more: chaos.SingleIndexRisk(**more).value(CLOUD),
        powers=masses(np.array([0.0, 0.5, 0.5]), fine=("zero", "short")),
        direction=given(
            jnp.array([1.0, 0.0]),
            nan=jnp.array([np.nan, 0.0]),
            inf=jnp.array([np.inf, 0.0]),
            zero=jnp.zeros(2),
            long=jnp.ones(2),
            complex=jnp.array([1j, 0.0]),
            shape=jnp.eye(2),
            text="spoiled",
        ),
    ),
    "Student": entry(
        lambda m, **more: chaos.Student(**more).network(KEY, m).mean,
        risk=part(RISK),
        start=part(START),
        energy=part(RISK, fine="none"),
        m=count(3),
    ),
    "clt_variance": entry(
        chaos.clt_variance, student=part(STUDENT), times=TIMES_ARGUMENT
    ),
    "study_widths": entry(
        lambda **more: chaos.study_widths(limit=START, key=KEY, **more).sup,
        student=part(STUDENT),
        widths=WIDTHS_ARGUMENT,
        seeds=given(3, zero=0, one=1, negative=-1, fraction=2.5, text="3", short=[3]),
        times=TIMES_ARGUMENT,
        resamples=count(5),
    ),
}
