"""The entry to the solvers, and the leapfrog."""

import diffrax
import jax
import numpy as np

from tests.hostile.engine import array, choice, count, entry, given, number, part
from wflow.energies import Potential
from wflow.flows import GradientFlow, LagrangianFlow, LangevinFlow
from wflow.geometries import Wasserstein
from wflow.measures import Particles, Phase
from wflow.solvers import DampedLeapfrog, solve
from wflow.solvers.noise import StepNoise


ROOM = "wflow.solvers"

X = np.random.default_rng(0).normal(size=(4, 2))
CLOUD = Particles.from_samples(X)
PHASE = Phase.at_rest(CLOUD)
KEY = jax.random.key(0)
KEYS = {"text": "spoiled", "number": 0, "several": jax.random.split(KEY)}


def half_square(x):
    return x @ x / 2


DECAY = GradientFlow(Potential(half_square), Wasserstein())
NOISY = LangevinFlow(Potential(half_square), 1.0)
KINETIC = LagrangianFlow(Potential(half_square))


def last_x(flow, mu0, t0, t1, **options):
    return solve(flow, mu0, t0, t1, **options)[-1].x


def at_the_end(flow, mu0, t0, t1, **options):
    return solve(flow, mu0, t0, t1, **options)[-1].measure.x


def grid_of(ts, like, key):
    return StepNoise(ts, like, key).ts


grid_of.is_class = True


def evaluated(function):
    return solve(DECAY, CLOUD, 0.0, 1.0).evaluate(function)


TABLE = {
    "RESULTS": "constants: how a solve can end",
    "SolveError": "an exception",
    "Solution": "what solve gives back",
    "Solution.evaluate": entry(
        evaluated, function=given(lambda mu, t: mu.mean * t, text="spoiled", none=None)
    ),
    "DampedLeapfrog": entry(
        DampedLeapfrog, consistent=given(True, text="spoiled", none=None, number=0.5)
    ),
    "solve": entry(
        last_x,
        flow=part(DECAY),
        mu0=part(CLOUD),
        t0=number(0.0),
        t1=number(1.0, fine=()),
        times=array([0.5, 1.0], fine="short"),
        solver=choice(diffrax.Euler(), fine="none"),
        dt0=given(
            0.25,
            nan=np.nan,
            inf=np.inf,
            zero=0.0,
            negative=-0.1,
            tiny=1e-30,
            text="spoiled",
            complex=1j,
            shape=np.ones(3),
        ),
        adjoint=choice(diffrax.DirectAdjoint(), fine="none"),
        max_steps=count(100),
        throw=choice(True),
        splitting=choice("strang"),
        progress=choice(False),
    ),
    "solve.adaptive": entry(
        last_x,
        flow=DECAY,
        mu0=CLOUD,
        t0=0.0,
        t1=1.0,
        stepsize_controller=choice(diffrax.PIDController(1e-3, 1e-5), fine="none"),
        stop=given(
            lambda flow, mu, t: 0.5 - t,
            text="spoiled",
            number=1.5,
            shape=lambda flow, mu, t: mu.mean,
        ),
        max_steps=count(100),
    ),
    "solve.noise": entry(
        last_x, flow=NOISY, mu0=CLOUD, t0=0.0, t1=1.0, dt0=0.5, key=given(KEY, **KEYS)
    ),
    "solve.kinetic": entry(
        at_the_end, flow=part(KINETIC), mu0=part(PHASE), t0=number(0.0), t1=1.0, dt0=0.5
    ),
}
