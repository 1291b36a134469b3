"""Finite networks beside their mean-field limit."""

import jax
import jax.numpy as jnp
import numpy as np

from wflow.energies import NetworkRisk
from wflow.measures import Gaussian, Particles
from wflow.networks import chaos

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
LATE = np.linspace(1.0, 10.0, 8)
GAPS = np.random.default_rng(3).random((3, 4, 3)) + 0.1
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
    "AbstractKernelRisk": "a contract",
    "AbstractRisk": "a contract",
    "Correlation": entry(
        lambda mu, **more: chaos.Correlation(**more).value(mu),
        mu=part(CLOUD),
        teacher=semidefinite(TEACHER),
    ),
    "DiagonalRisk": entry(
        lambda **more: chaos.DiagonalRisk(**more).value(CLOUD),
        probabilities=masses(np.array([0.5, 0.5]), words=("teacher",)),
        teacher=array(np.array([1.0, 0.5])),
    ),
    "ErfRisk": entry(
        lambda **more: chaos.ErfRisk(**more).value(NEURONS), teacher=part(NEURONS)
    ),
    "FrozenRisk": entry(
        lambda **more: chaos.FrozenRisk(**more).value(CLOUD),
        covariance=semidefinite(TEACHER),
        teacher=array(np.array([1.0, 0.5])),
    ),
    "Neuron": entry(chaos.Neuron, activation=choice("tanh")),
    "QuadraticRisk": entry(
        lambda mu, **more: chaos.QuadraticRisk(**more).value(mu),
        mu=part(CLOUD),
        teacher=semidefinite(TEACHER),
    ),
    "Report": "what study returns",
    "Report.width_for": entry(
        lambda **more: chaos.summarise(
            WIDTHS, TIMES, list(GAPS[:2]), key=KEY
        ).width_for(**more),
        gap=positive(0.1),
        confidence=given(0.95, nan=np.nan, negative=-0.1, above=1.5, text="spoilt"),
    ),
    "SampledQuadraticRisk": entry(
        lambda **more: chaos.SampledQuadraticRisk(**more).value(CLOUD),
        inputs=array(INPUTS, fine="short"),
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
            text="spoilt",
        ),
    ),
    "Student": entry(
        lambda m, **more: chaos.Student(**more).network(KEY, m).mean,
        risk=part(RISK),
        start=part(START),
        energy=part(RISK, fine="none"),
        m=count(3),
    ),
    "UniformSphere": entry(
        lambda dim, n: chaos.UniformSphere(dim).sample(KEY, n), dim=count(2), n=count(3)
    ),
    "alignment": entry(
        lambda **more: chaos.alignment(**more), mu=part(NEURONS), teacher=part(NEURONS)
    ),
    "bound_exponent": entry(
        chaos.bound_exponent, decay=number(4.0, fine="inf", finite="inf")
    ),
    "clt_bias": entry(chaos.clt_bias, student=part(STUDENT), times=TIMES_ARGUMENT),
    "clt_variance": entry(
        chaos.clt_variance, student=part(STUDENT), times=TIMES_ARGUMENT
    ),
    "decay_exponent": entry(
        chaos.decay_exponent,
        times=given(
            LATE,
            nan=LATE * np.nan,
            reversed=LATE[::-1],
            shape=LATE[None],
            short=LATE[:-1],
            empty=LATE[:0],
            complex=LATE + 1j,
            text="spoilt",
        ),
        loss=masses(LATE**-3),
        decades=positive(1.0),
        floor=non_negative(1e-10),
    ),
    "descend": entry(
        lambda **more: chaos.descend(**more).x,
        student=part(STUDENT),
        neurons=part(CLOUD),
        times=TIMES_ARGUMENT,
        step=positive(0.1),
    ),
    "diagonal_gaps": entry(
        chaos.diagonal_gaps,
        risk=part(chaos.DiagonalRisk([0.5, 0.5], [1.0, 0.5])),
        start=masses(np.array([1.0, 2.0])),
        m=count(3),
        times=TIMES_ARGUMENT,
        key=KEY,
        seeds=count(2),
    ),
    "follow": entry(
        lambda **more: chaos.follow(**more).measures.cov,
        student=part(STUDENT),
        start=part(START, words=("mu0",)),
        times=TIMES_ARGUMENT,
    ),
    "frozen_kernel_loss": entry(
        chaos.frozen_kernel_loss,
        risk=part(RISK),
        start=semidefinite(np.eye(D)),
        times=masses(TIMES, fine=("zero", "short", "empty")),
    ),
    "gronwall_factor": entry(
        chaos.gronwall_factor, rate=non_negative(1.0), horizon=non_negative(1.0)
    ),
    "integral_sqrt_loss": entry(
        chaos.integral_sqrt_loss,
        times=TIMES_ARGUMENT,
        loss=masses(np.array([3.0, 2.0, 1.0]), fine="zero"),
    ),
    "lipschitz_rate": entry(
        chaos.lipschitz_rate,
        risk=part(RISK),
        moments=array(np.stack([np.eye(D)] * 2), fine="short"),
    ),
    "power_law": entry(
        lambda **more: chaos.power_law(**more)[1],
        dim=count(3),
        spectrum=number(1.5),
        source=number(1.0),
    ),
    "residual_at": entry(
        chaos.residual_at,
        risk=part(chaos.DiagonalRisk([0.5, 0.5], [1.0, 0.5])),
        start=masses(np.array([1.0, 2.0])),
        t=non_negative(0.5),
    ),
    "sample_gaps": entry(
        chaos.sample_gaps,
        student=part(STUDENT),
        samples=count(3),
        times=TIMES_ARGUMENT,
        key=KEY,
        seeds=count(2),
    ),
    "sampling_variance": entry(chaos.sampling_variance, cov=masses(np.eye(D))),
    "stable_step": entry(chaos.stable_step, risk=part(RISK)),
    "step_gaps": entry(
        chaos.step_gaps,
        student=part(STUDENT),
        m=count(3),
        step=positive(0.1),
        times=TIMES_ARGUMENT,
        key=KEY,
        seeds=count(2),
    ),
    "study": entry(
        lambda **more: chaos.study(limit=START, key=KEY, **more).sup,
        student=part(STUDENT),
        widths=WIDTHS_ARGUMENT,
        seeds=given(3, zero=0, one=1, negative=-1, fraction=2.5, text="3", short=[3]),
        times=TIMES_ARGUMENT,
        resamples=count(5),
    ),
    "summarise": entry(
        lambda **more: chaos.summarise(key=KEY, **more).sup,
        widths=WIDTHS_ARGUMENT,
        times=TIMES_ARGUMENT,
        gaps=given(
            list(GAPS[:2]),
            nan=list(GAPS[:2] * np.nan),
            negative=list(-GAPS[:2]),
            alike=list(0 * GAPS[:2] + 1),
            shape=list(GAPS[:2, :, 0]),
        ),
        resamples=count(5),
    ),
    "tangent_kernel": entry(
        chaos.tangent_kernel,
        moment=array(np.eye(D)),
        b=array(np.eye(D)),
    ),
    "tangent_rates": entry(chaos.tangent_rates, moment=semidefinite(np.eye(D))),
    "verdict": entry(
        chaos.verdict,
        slope=number(-1.0),
        error=non_negative(0.1),
        decay=number(4.0, fine="inf", finite="inf"),
    ),
}
