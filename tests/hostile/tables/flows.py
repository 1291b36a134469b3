"""Laws of motion and of reset times: made, and asked once for what they do."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.hostile.engine import (
    array,
    asked,
    choice,
    count,
    entry,
    given,
    non_negative,
    part,
    positive,
)
from wflow import flows
from wflow.energies import KDE, KLDivergence, Potential
from wflow.geometries import Wasserstein
from wflow.measures import (
    Gaussian,
    Particles,
    Phase,
    Traced,
)


ROOM = "wflow.flows"

X = np.random.default_rng(0).normal(size=(5, 2))
CLOUD = Particles.from_samples(X)
PHASE = Phase(CLOUD, jnp.asarray(X[::-1]))
LAW = Gaussian(jnp.zeros(2), jnp.eye(2))
KEY = jax.random.key(0)


def half_square(x):
    return x @ x / 2


def target(x):
    return -x @ x / 2


def vector(x):
    return x


ENERGY = Potential(half_square)
KL = KLDivergence(target, KDE(0.5, form="plug_in"))
DECAY = flows.GradientFlow(ENERGY, Wasserstein())

CONTRACT = "an abstract contract"


def moved(law, mu=CLOUD):
    """A flow once made, and its first velocity or jump."""
    if isinstance(law, flows.AbstractJumpFlow):
        return law, asked(law.jump, mu, 0.0, 0.1, KEY)
    return law, asked(law.velocity, mu, 0.0)


def made(kind, mu=CLOUD):
    """A class that is made, and used."""

    def call(**options):
        return moved(kind(**options), mu)

    call.is_class = True
    return call


def neural(dim, width, depth, time_dim, key):
    rate = flows.NeuralRate(dim, width=width, depth=depth, time_dim=time_dim, key=key)
    return asked(rate, jnp.ones(2), 0.5)


def answers(law, at):
    return law.survival(at), law.filter(at), law.laplace(at), law.mean_age


def rate_of(law, at):
    """Everything that a law of reset times answers, at one point."""
    return law, asked(answers, law, at)


def law_of(kind):
    def call(**options):
        return rate_of(kind(**options), jnp.asarray(0.7))

    call.is_class = True
    return call


TABLE = {
    "AbstractContinuousFlow": CONTRACT,
    "AbstractDissipativeFlow": CONTRACT,
    "AbstractKineticFlow": CONTRACT,
    "AbstractJumpFlow": CONTRACT,
    "AbstractRenewalLaw": CONTRACT,
    "BirthDeathFlow": entry(
        made(flows.BirthDeathFlow), energy=part(KL), rate=non_negative(1.0)
    ),
    "Diffusion": entry(flows.Diffusion, deviation=non_negative(0.5, fine="shape")),
    "Exponential": entry(law_of(flows.Exponential), rate=positive(1.0)),
    "GradientFlow": entry(
        made(flows.GradientFlow), energy=part(ENERGY), geometry=part(Wasserstein())
    ),
    "GrowthFlow": entry(
        made(flows.GrowthFlow),
        rate=given(
            lambda x, t: x[0],
            text="spoiled",
            none=None,
            other=1.5,
            shape=lambda x, t: x,
        ),
    ),
    "LagrangianFlow": entry(
        made(flows.LagrangianFlow, PHASE),
        energy=part(ENERGY),
        friction=non_negative(0.5),
        force_scaling=choice("unified"),
    ),
    "LangevinFlow": entry(
        made(flows.LangevinFlow, PHASE),
        energy=part(ENERGY),
        temperature=non_negative(1.0),
        friction=non_negative(0.5),
    ),
    "NeuralRate": entry(
        neural,
        dim=given(2, zero=0, negative=-1, fraction=2.5, text="spoiled"),
        width=count(4),
        depth=count(1, fine="zero"),
        time_dim=count(2, fine="zero"),
        key=given(
            KEY, text="spoiled", none=None, number=0, several=jax.random.split(KEY)
        ),
    ),
    "Noise": entry(
        lambda amplitude, kind: flows.Noise(amplitude, kind).on(CLOUD),
        amplitude=given(jnp.array([0.3, 0.4]), shape=jnp.ones(3), text="spoiled"),
        kind=choice("ito"),
    ),
    "NoiseInjectionFlow": entry(
        made(flows.NoiseInjectionFlow),
        energy=part(ENERGY),
        level=non_negative(0.5),
        geometry=part(Wasserstein()),
    ),
    "ResettingFlow": entry(
        made(flows.ResettingFlow),
        flow=part(DECAY),
        law=part(flows.Exponential(1.0)),
        origin=array([0.3, 0.4]),
    ),
    "TracerFlow": entry(
        made(flows.TracerFlow, Traced(CLOUD, jnp.asarray(X))), flow=part(DECAY)
    ),
    "VelocityFlow": entry(
        made(flows.VelocityFlow),
        f=given(
            lambda x, t: -x,
            text="spoiled",
            none=None,
            other=1.5,
            shape=lambda x, t: x[0],
        ),
        noise=non_negative(0.5, fine="shape"),
    ),
    "VelocityFlow.of_measure": entry(
        lambda f: moved(flows.VelocityFlow.of_measure(f)),
        f=given(
            lambda mu, t: -mu.x,
            text="spoiled",
            none=None,
            other=1.5,
            shape=lambda mu, t: mu.x[0],
        ),
    ),
}
