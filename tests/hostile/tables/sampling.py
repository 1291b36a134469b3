"""Sampling: targets, methods, embeddings, quadratures and what is read off them."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from wflow import sampling as s
from wflow.energies import KDE
from wflow.kernels import GaussianKernel, MedianGaussian
from wflow.measures import Gaussian, GaussianMixture, Particles

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


ROOM = "wflow.sampling"

KEY = jax.random.key(0)
X = jnp.asarray(np.random.default_rng(0).normal(size=(6, 2)))
LAW = Gaussian([0.0, 0.0], [[1.0, 0.2], [0.2, 1.0]])
MIXTURE = GaussianMixture(np.zeros((1, 2)), np.eye(2)[None], np.ones(1))
CLOUD = Particles.from_samples(X)


def normal(x):
    return -jnp.sum(x**2) / 2


EXACT, KERNEL = s.ExactEmbedding(MIXTURE), GaussianKernel(1.0)
PROBLEM = s.GaussianInverseProblem(lambda x: 2 * x, [0.1, 0.2], 0.5, LAW)
SYSTEM = s.KernelSystem(EXACT, KERNEL, 1e-3)
FLOW = s.MSIP(EXACT, KERNEL, 1e-3)
# One node at rest is at the mode.
ALONE = jnp.array([[0.2, 0.1]])

DENSITY = given(
    normal,
    text="spoilt",
    none=None,
    number=1.5,
    nan=lambda x: jnp.nan * normal(x),
    shape=lambda x: normal(x) * jnp.ones(1),
    pair=lambda x: (normal(x), normal(x)),
    complex=lambda x: normal(x) + 0j,
    whole=lambda x: 1,
)
A_KEY = given(KEY, text="spoilt", none=None, number=0, many=jax.random.split(KEY, 3))
EMBEDDING, GAUSSIAN_KERNEL = part(EXACT), part(KERNEL)
RIDGE = non_negative(1e-3)
METHOD = given(s.ULA(0.05, 2), text="spoilt", number=1.5, kind=s.ULA)
STEPS = {"step_size": positive(0.05), "steps": count(2)}


@functools.cache
def samples():
    return s.sample(normal, X, key=KEY, method=s.ULA(0.05, 2), saves=1)


@functools.cache
def quadrature():
    return s.optimal_quadrature(X, EXACT, KERNEL, 1e-3)


def embedded(make):
    return lambda kernel, y, **k: make(**k)(kernel, y)


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
        supports=given("positive", other="spoilt", number=3, several=["real", "real"]),
    ),
    "Samples": "what sample returns; its methods are below",
    "Samples.expect": entry(
        lambda function: samples().expect(function),
        function=function(lambda p: p["x"]),
    ),
    "Samples.ksd": entry(
        lambda kernel: samples().ksd(kernel),
        kernel=positive(1.0, fine=("none",), words=("bandwidth",)),
    ),
    "Samples.modes": entry(
        lambda radius: samples().modes(radius),
        radius=positive(0.1, fine=("zero", "inf"), finite="inf"),
    ),
    "Samples.draws": entry(lambda key: samples().draws(key), key=A_KEY),
    "Samples.to_arviz": entry(
        lambda key: samples().to_arviz(key), key=given(KEY, text="spoilt", number=0)
    ),
    "Run": "what a method returns to sample",
    "SignedWeightsError": "an exception",
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
        lambda **k: s.Target.of(**k)(jnp.zeros(2)),
        log_density=DENSITY,
        example=array([1.0, 2.0], fine="shape", words=("coordinates",)),
        supports=given("real", other="spoilt", number=3),
    ),
    "Target.reading": entry(
        lambda name: s.Target(normal).reading(name),
        name=dataclasses.replace(given("x", number=1, none=None), words=("names",)),
    ),
    "Target.whitened": entry(lambda law: s.Target(normal).whitened(law), law=part(LAW)),
    "GaussianInverseProblem": entry(
        lambda **k: s.GaussianInverseProblem(**k)(jnp.zeros(2)),
        forward=function(lambda x: 2 * x),
        data=array([0.1, 0.2], words=("predictions",)),
        noise_std=positive(0.5),
        prior=part(LAW),
    ),
    "GaussianInverseProblem.whitened": entry(PROBLEM.whitened, law=part(LAW)),
    "EllipticModel": entry(
        lambda **k: s.EllipticModel(**k)(jnp.zeros(4)),
        cells=count(2, words=("x of shape",)),
        mesh=count(4),
        points=masses([[0.5, 0.5], [0.25, 0.7]], fine=("zero", "short")),
        source=number(10.0),
    ),
    "Joker": entry(s.Joker),
    "Joker.lines": entry(lambda nodes: s.Joker().lines(nodes), nodes=count(5)),
    "Joker.sample": entry(
        lambda key, n: s.Joker().sample(key, n), key=A_KEY, n=count(3)
    ),
    "Joker.log_density": entry(
        lambda x: s.Joker().log_density(jnp.asarray(x)),
        x=given(jnp.zeros(2), nan=jnp.array([0.0, math.nan]), shape=jnp.zeros(3)),
    ),
    "laplace": entry(
        s.laplace,
        log_density=DENSITY,
        start=array([0.5, 0.2], fine="short"),
        max_steps=count(50),
    ),
    "LaplaceWarning": "a warning",
    "Posterior": "what load_posterior returns",
    "load_posterior": "reads a file; its test spoils these",
    "gaussian_shk": entry(
        s.gaussian_shk,
        initial=part(LAW),
        target=part(Gaussian([1.0, 0.0], np.eye(2))),
        t=non_negative(0.5),
        alpha=non_negative(1.0),
        beta=non_negative(1.0),
    ),
    "find_modes": entry(
        s.find_modes,
        log_density=DENSITY,
        x=array(X, words=("weights",)),
        weights=array(np.full(6, 1 / 6)),
        radius=positive(0.1, fine=("zero", "inf"), finite="inf"),
        max_steps=count(50),
    ),
    "Mode": "a named tuple that find_modes returns",
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
    "ALDIFlow": entry(s.ALDIFlow, log_density=function(normal)),
    "ConsensusFlow": entry(
        s.ConsensusFlow, log_density=function(normal), inverse_temperature=positive(1.0)
    ),
    "GradientFreeALDIFlow": entry(s.GradientFreeALDIFlow, problem=part(PROBLEM)),
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
    "KernelSystem": entry(
        s.KernelSystem, embedding=EMBEDDING, kernel=GAUSSIAN_KERNEL, ridge=RIDGE
    ),
    "ReducedDiscrepancy": entry(
        s.ReducedDiscrepancy, system=part(SYSTEM), log_normaliser=number(0.1)
    ),
    "MeanShiftGeometry": entry(
        s.MeanShiftGeometry, system=part(SYSTEM), log_normaliser=number(0.1)
    ),
    "EmbeddedDiscrepancy": entry(
        s.EmbeddedDiscrepancy,
        embedding=EMBEDDING,
        kernel=GAUSSIAN_KERNEL,
        log_normaliser=number(0.1),
    ),
    "MSIP": entry(
        s.MSIP,
        embedding=EMBEDDING,
        kernel=GAUSSIAN_KERNEL,
        ridge=RIDGE,
        log_normaliser=number(0.1),
        max_shift=positive(1.0, fine="inf", finite="inf"),
    ),
    "damped_iteration": entry(
        s.damped_iteration,
        flow=part(FLOW),
        initial=array(
            X, fine=("zero", "negative", "short"), words=("particle", "initial")
        ),
        damping=positive(0.1),
        steps=count(2),
        tol=non_negative(1e-3, fine="inf", finite="inf"),
        box=given(
            (-3.0, 3.0),
            one=(1.0,),
            nan=(math.nan, 1.0),
            turned=(3.0, -3.0),
            shape=(np.zeros(3), np.ones(3)),
            text=("a", "b"),
            number=2.0,
        ),
        key=given(None, text="spoilt", number=0),
    ),
    "stationary": entry(
        s.stationary,
        flow=part(FLOW),
        initial=given(
            ALONE,
            nan=ALONE.at[0].set(math.nan),
            shape=ALONE[0],
            text=np.full((2, 2), "a"),
            complex=ALONE + 1j,
            empty=ALONE[:0],
        ),
        rtol=positive(1e-3),
        atol=positive(1e-3),
        max_steps=count(100, words=("within",)),
    ),
    "MeanShiftRun": "what damped_iteration returns",
    "optimal_quadrature": entry(
        s.optimal_quadrature,
        nodes=array(X, fine="short"),
        embedding=EMBEDDING,
        kernel=GAUSSIAN_KERNEL,
        ridge=RIDGE,
    ),
    "Quadrature": "what optimal_quadrature returns; its methods are below",
    "Quadrature.expect": entry(
        lambda function: quadrature().expect(function), function=function(normal)
    ),
    "Quadrature.mmd2": entry(
        lambda target, kernel: quadrature().mmd2(target, kernel),
        target=given(X, shape=X[0], text="spoilt"),
        kernel=positive(1.0, words=("bandwidth",)),
    ),
    "Quadrature.ksd": entry(
        lambda log_density, kernel: quadrature().ksd(log_density, kernel),
        log_density=DENSITY,
        kernel=positive(1.0, words=("bandwidth",)),
    ),
    # Contracts.
    "AbstractEmbedding": "an abstract contract",
    "AbstractFlowMethod": "an abstract contract",
    "AbstractMethod": "an abstract contract",
    "AbstractRule": "an abstract contract",
}
