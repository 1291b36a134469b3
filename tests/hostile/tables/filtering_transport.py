"""Transports, their parts, and the single update."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from wflow.energies import Potential
from wflow.filtering import transport as t
from wflow.filtering.localisation import Domain
from wflow.kernels import GaussianKernel, InverseMultiquadric

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


ROOM = "wflow.filtering.transport"

KEY = jax.random.key(0)
KEYS = given(KEY, zero=0, none=None, text="spoilt", shape=jax.random.split(KEY, 3))
RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 2))
Y = X[:, :1] + RNG.normal(size=(6, 1))
KERNEL, SMOOTH = InverseMultiquadric(0.5), GaussianKernel(0.5)
PAIRS = t.Pairs.of(jnp.asarray(X), jnp.asarray(Y), jnp.array([0.3]))
UNITS = PAIRS.standardised()
MEMBERS = t.passengers(UNITS)

contract = "an abstract contract"
# Sizes are those of the first field: the sentence is about the next.
next_y, next_across, next_sd = ({"words": (name,)} for name in ("y", "across", "sd"))

TABLE = {
    "AbstractAttraction": contract,
    "AbstractTarget": contract,
    "AbstractTransport": contract,
    "Start": "an alias of a type",
    "ConditionalMMD": entry(
        t.ConditionalMMD,
        kernel=part(KERNEL),
        target=array(np.ones((3, 1)), **next_across),
        within=array(np.ones((2, 2))),
        across=array(np.ones((2, 3))),
        observed_within=array(np.ones(2)),
        observed_across=array(np.ones(3)),
        constant=number(0.5),
    ),
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
        normalise_density=choice(True),
        stop_at_floor=choice(False),
        solver=part(diffrax.Euler()),
    ),
    "Floored": entry(
        t.Floored, energy=part(Potential(lambda x: x @ x)), floor=number(0.5)
    ),
    "Labelled": entry(
        t.Labelled,
        x=array(np.ones((2, 2)), **next_y),
        y=array(np.ones((2, 1))),
        spare=array(np.ones((2, 1))),
        labels=array(np.ones((2, 1))),
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
        domain=part(Domain(1.0, np.ones((2, 1)))),
    ),
    "MomentMismatch": entry(t.MomentMismatch, cross=array(np.eye(2) / 2, fine="short")),
    "MomentTransport": entry(t.MomentTransport, inflation=positive(1.1)),
    "Pairs": entry(
        t.Pairs,
        x=array(np.ones((3, 2)), **next_y),
        y=array(np.ones((3, 1, 2))),
        observed=array(np.ones(2)),
        weights=masses(np.ones(2), fine="zero"),
        present=masses(np.ones(2), fine="zero"),
        mean=array(np.ones((3, 2))),
        cov=array(np.eye(2)),
        log_likelihood=array(np.ones(3)),
    ),
    "RaoBlackwellised": entry(t.RaoBlackwellised),
    "Scale": entry(
        t.Scale,
        mean=array(np.ones(2), **next_sd),
        sd=masses(np.ones(2)),
        taper=masses(np.ones(2), fine="zero"),
        root=array(np.eye(2)),
        total=array(np.eye(2)),
    ),
    "Simulated": entry(
        t.Simulated, kernel=part(KERNEL), y=array(np.ones((3, 1, 2)), fine="short")
    ),
    "Smoothed": entry(
        t.Smoothed,
        kernel=part(SMOOTH),
        mean=array(np.ones((3, 2)), fine="short"),
        cov=masses(np.eye(2)),
    ),
    "Standardised": entry(
        t.Standardised,
        x=array(UNITS.x, **next_y),
        y=array(UNITS.y),
        observed=array(UNITS.observed),
        scale=part(UNITS.scale),
        gain=array(UNITS.gain),
        cross=array(UNITS.cross),
        spare=array(UNITS.spare),
        mean=array(np.ones((6, 1))),
        cov=array(np.eye(1)),
        log_likelihood=array(np.ones(6)),
    ),
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
    "analyse": entry(
        t.analyse,
        ensemble=array(X),
        # A third axis is that of the draws.
        simulated=array(Y, fine="shape"),
        observed=array([0.3], fine="nan", finite=("nan",)),
        method=given(t.MomentTransport(), text="spoilt", other=1.5),
        key=KEYS,
    ),
    "derangements": entry(t.derangements, key=KEYS, n=count(4), count=count(2)),
    "moment_flow": entry(t.moment_flow, cross=array(np.eye(2) / 2, fine="short")),
    "passengers": entry(t.passengers, pairs=part(UNITS)),
    "product_cloud": entry(
        t.product_cloud, pairs=part(UNITS), permutations=count(1), key=KEYS
    ),
    "sampling_floor": entry(
        t.sampling_floor,
        kernel=part(KERNEL),
        attraction=part(t.Simulated(KERNEL, jnp.asarray(Y)[:, None])),
        target=array(X),
    ),
    "smoothness": entry(t.smoothness, kernel=part(SMOOTH)),
    "started": entry(
        t.started, start=choice("kalman"), pairs=part(UNITS), members=part(MEMBERS)
    ),
}
