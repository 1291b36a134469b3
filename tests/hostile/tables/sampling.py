"""Sampling: targets, methods, embeddings, quadratures and what is read off them."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from wflow import sampling as s
from wflow.energies import KDE
from wflow.kernels import GaussianKernel, MedianGaussian
from wflow.measures import Gaussian, GaussianMixture

from ..engine import (
    array,
    asked,
    choice,
    count,
    entry,
    function,
    given,
    non_negative,
    number,
    part,
    positive,
)


ROOM = "wflow.sampling"

KEY = jax.random.key(0)
X = jnp.asarray(np.random.default_rng(0).normal(size=(6, 2)))
LAW = Gaussian([0.0, 0.0], [[1.0, 0.2], [0.2, 1.0]])
MIXTURE = GaussianMixture(np.zeros((1, 2)), np.eye(2)[None], np.ones(1))


def normal(x):
    return -jnp.sum(x**2) / 2


EXACT, KERNEL = s.ExactEmbedding(MIXTURE), GaussianKernel(1.0)
PROBLEM = s.GaussianInverseProblem(lambda x: 2 * x, [0.1, 0.2], 0.5, LAW)

DENSITY = given(
    normal,
    text="spoiled",
    none=None,
    number=1.5,
    nan=lambda x: jnp.nan * normal(x),
    shape=lambda x: normal(x) * jnp.ones(1),
    pair=lambda x: (normal(x), normal(x)),
    complex=lambda x: normal(x) + 0j,
    whole=lambda x: 1,
)
A_KEY = given(KEY, text="spoiled", none=None, number=0, many=jax.random.split(KEY, 3))
EMBEDDING, GAUSSIAN_KERNEL = part(EXACT), part(KERNEL)
RIDGE = non_negative(1e-3)
METHOD = given(s.ULA(0.05, 2), text="spoiled", number=1.5, kind=s.ULA)
STEPS = {"step_size": positive(0.05), "steps": count(2)}


def embedded(make):
    return lambda kernel, y, **k: asked(make(**k), kernel, y)


TABLE = {
    # The entry, and what it returns.
    "sample": entry(
        s.sample,
        log_density=DENSITY,
        initial=array(X, fine="short", words=("initial", "particle")),
        key=A_KEY,
        method=METHOD,
        saves=count(2),
    ),
    "sample.supports": entry(
        lambda supports: s.sample(
            normal, X**2 + 1, key=KEY, method=s.ULA(0.01, 2), supports=supports
        ),
        supports=given("positive", other="spoiled", number=3, several=["real", "real"]),
    ),
    # Targets.
    "Target": entry(
        s.Target,
        log_density=function(normal),
        constrain=function(lambda x: {"x": x}, fine="none"),
        names=given(("x",), empty=(), twice=("a", "a"), number=(1,)),
        unconstrain=function(lambda p: p["x"], fine="none"),
        log_jacobian=function(lambda x: 0.0, fine="none"),
    ),
    "Target.of": entry(
        lambda **k: asked(s.Target.of(**k), jnp.zeros(2)),
        log_density=DENSITY,
        example=array([1.0, 2.0], fine="shape", words=("coordinates",)),
        supports=given("real", other="spoiled", number=3, ends=(2.0, 1.0)),
        log_likelihood=function(lambda x: x, fine="none"),
    ),
    "Target.reading": entry(
        lambda name: s.Target(normal).reading(name),
        name=dataclasses.replace(given("x", number=1, none=None), words=("names",)),
    ),
    "Target.whitened": entry(lambda law: s.Target(normal).whitened(law), law=part(LAW)),
    "GaussianInverseProblem": entry(
        lambda **k: asked(s.GaussianInverseProblem(**k), jnp.zeros(2)),
        forward=function(lambda x: 2 * x),
        data=array([0.1, 0.2], words=("predictions",)),
        noise_std=positive(0.5),
        prior=part(LAW),
    ),
    "GaussianInverseProblem.whitened": entry(PROBLEM.whitened, law=part(LAW)),
    "Joker": entry(s.Joker),
    "Joker.lines": entry(lambda nodes: s.Joker().lines(nodes), nodes=count(5)),
    "Joker.sample": entry(
        lambda key, n: asked(s.Joker().sample, key, n), key=A_KEY, n=count(3)
    ),
    "Joker.log_density": entry(
        lambda x: asked(s.Joker().log_density, jnp.asarray(x)),
        x=given(jnp.zeros(2), nan=jnp.array([0.0, math.nan]), shape=jnp.zeros(3)),
    ),
    "laplace": entry(
        s.laplace,
        log_density=DENSITY,
        start=array([0.5, 0.2], fine="short"),
        max_steps=count(50),
    ),
    "find_modes": entry(
        s.find_modes,
        log_density=DENSITY,
        x=array(X, words=("weights",)),
        weights=array(np.full(6, 1 / 6)),
        radius=positive(0.1, fine=("zero", "inf"), finite="inf"),
        max_steps=count(50),
    ),
    # Methods.
    "ULA": entry(s.ULA, **STEPS),
    "MALA": entry(s.MALA, **STEPS),
    "SVGD": entry(s.SVGD, kernel=part(MedianGaussian()), **STEPS),
    "ALDI": entry(s.ALDI, gradient_free=choice(False), **STEPS),
    "CBS": entry(s.CBS, inverse_temperature=positive(1.0), **STEPS),
    "NUTS": entry(s.NUTS, warmup=count(2), thin=count(1), chains=count(2)),
    "SHK": entry(
        s.SHK,
        alpha=non_negative(1.0),
        beta=non_negative(1.0),
        transport=choice("metropolis"),
        reaction=choice("weights"),
        density=part(KDE(form="plug_in")),
        smoothed=function(normal, fine="none"),
        settle=non_negative(0.5),
        resample_below=non_negative(0.5),
        **STEPS,
    ),
    "SMCWFR": entry(
        s.SMCWFR,
        alpha=positive(1.0),
        beta=non_negative(1.0),
        resample_below=non_negative(0.5),
        **STEPS,
    ),
    "MeanShift": entry(
        s.MeanShift,
        bandwidth=positive(1.0, fine="shape"),
        embedding=function(s.FredholmEmbedding),
        ridge=RIDGE,
        max_shift=positive(1.0, fine="inf", finite="inf"),
        **STEPS,
    ),
    "MMDFlow": entry(
        s.MMDFlow,
        bandwidth=positive(1.0, fine="shape"),
        embedding=function(s.FredholmEmbedding),
        ridge=RIDGE,
        noise=non_negative(0.1),
        **STEPS,
    ),
    "WFRMMD": entry(
        s.WFRMMD,
        bandwidth=positive(1.0, fine="shape"),
        embedding=function(s.FredholmEmbedding),
        ridge=RIDGE,
        alpha=non_negative(1.0),
        beta=non_negative(1.0),
        **STEPS,
    ),
    # Flows.
    # Rules and embeddings.
    "GaussHermite": entry(
        lambda order, dim: s.GaussHermite(order).nodes(dim),
        order=count(3),
        dim=count(2),
    ),
    "MonteCarlo": entry(
        lambda size, key, dim: s.MonteCarlo(size, key).nodes(dim),
        size=count(3),
        key=A_KEY,
        dim=count(2),
    ),
    "RadialSpherical": entry(
        lambda directions, key, radii, dim: s.RadialSpherical(
            directions, key, radii
        ).nodes(dim),
        directions=count(3),
        key=A_KEY,
        radii=count(2),
        dim=count(2),
    ),
    "ExactEmbedding": entry(
        embedded(s.ExactEmbedding),
        target=part(MIXTURE),
        kernel=GAUSSIAN_KERNEL,
        y=given(X, shape=X[0]),
    ),
    "FredholmEmbedding": entry(
        embedded(s.FredholmEmbedding),
        log_density=DENSITY,
        gamma=non_negative(0.5),
        kernel=GAUSSIAN_KERNEL,
        y=given(X, shape=X[0]),
    ),
    "GradientFreeEmbedding": entry(
        embedded(s.GradientFreeEmbedding),
        log_density=DENSITY,
        rule=part(s.GaussHermite(2)),
        kernel=GAUSSIAN_KERNEL,
        y=given(X, shape=X[0]),
    ),
    "GradientInformedEmbedding": entry(
        embedded(s.GradientInformedEmbedding),
        log_density=DENSITY,
        rule=part(s.GaussHermite(2)),
        gamma=non_negative(0.5),
        kernel=GAUSSIAN_KERNEL,
        y=given(X, shape=X[0]),
    ),
    # Mean shift and quadratures.
    "MSIP": entry(
        s.MSIP,
        embedding=EMBEDDING,
        kernel=GAUSSIAN_KERNEL,
        ridge=RIDGE,
        log_normalizer=number(0.1),
        max_shift=positive(1.0, fine="inf", finite="inf"),
    ),
    # Contracts.
}
