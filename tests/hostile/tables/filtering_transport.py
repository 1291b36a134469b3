"""Transports, and the single update."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from wflow import filtering as t
from wflow.filtering.transport.pairs import Pairs
from wflow.kernels import GaussianKernel, InverseMultiquadric

from ..engine import (
    array,
    choice,
    count,
    entry,
    given,
    non_negative,
    part,
    positive,
)


ROOM = "wflow.filtering"

KEY = jax.random.key(0)
KEYS = given(KEY, zero=0, none=None, text="spoiled", shape=jax.random.split(KEY, 3))
RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 2))
Y = X[:, :1] + RNG.normal(size=(6, 1))
KERNEL, SMOOTH = InverseMultiquadric(0.5), GaussianKernel(0.5)
PAIRS = Pairs.of(jnp.asarray(X), jnp.asarray(Y), jnp.array([0.3]))


TABLE = {
    "CouplingTransport": entry(
        t.CouplingTransport,
        kernel_x=part(KERNEL),
        kernel_y=part(KERNEL),
        start=choice("kalman"),
        steps=count(2),
        step=positive(0.1),
        permutations=count(1),
        target=part(t.LikelihoodFree(1)),
        inflation=positive(1.1),
        noise=non_negative(0.1),
        normalize_density=choice(True),
        stop_at_floor=choice(False),
        solver=part(diffrax.Euler()),
    ),
    "LikelihoodFree": entry(t.LikelihoodFree, draws=count(2)),
    "LikelihoodTransport": entry(
        t.LikelihoodTransport,
        kernel_x=part(KERNEL),
        start=choice("kalman"),
        steps=count(2),
        step=positive(0.1),
        inflation=positive(1.1),
    ),
    "LocalTransport": entry(
        # Its inflation is that of the method, a property.
        lambda method, domain: t.LocalTransport(method, domain).check(PAIRS),
        method=part(t.MomentTransport()),
        domain=part(t.Domain(1.0, np.ones((2, 1)))),
    ),
    "MomentTransport": entry(t.MomentTransport, inflation=positive(1.1)),
    "RaoBlackwellized": entry(t.RaoBlackwellized),
    "SteinTransport": entry(
        t.SteinTransport,
        kernel_x=part(KERNEL),
        kernel_y=part(KERNEL),
        average_x=part(SMOOTH),
        average_y=part(SMOOTH),
        start=choice("kalman"),
        steps=count(2),
        step=positive(0.1),
        permutations=count(1),
        inflation=positive(1.1),
    ),
    "TrainedTransport": entry(
        t.TrainedTransport,
        kernel_x=part(KERNEL),
        kernel_y=part(KERNEL),
        width=count(4),
        depth=count(1),
        steps=count(2),
        learning_rate=positive(0.1),
        permutations=count(1),
        inflation=positive(1.1),
    ),
    "analyze": entry(
        t.analyze,
        ensemble=array(X),
        # A third axis is that of the draws.
        simulated=array(Y, fine="shape"),
        observed=array([0.3], fine="nan", finite=("nan",)),
        method=given(t.MomentTransport(), text="spoiled", other=1.5),
        key=KEYS,
    ),
}
