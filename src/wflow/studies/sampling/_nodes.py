"""Weighted nodes of a target in closed form, and how good they are."""

import time
import warnings
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from wflow.kernels import GaussianKernel
from wflow.measures import GaussianMixture, Particles
from wflow.sampling import ExactEmbedding, Joker, MeanShift, sample
from wflow.sampling.mean_shift_runs import damped_iteration
from wflow.sampling.methods.base import AbstractMethod
from wflow.sampling.quadrature import Quadrature, optimal_quadrature
from wflow.studies import Increasing, Log, Name, Positive, Strict


# A mode counts as found where it holds this weight within as many deviations.
SHARE, _DEVIATIONS = 0.1, 3.0

Target = GaussianMixture | Joker
# How many nodes, each number a run of its own.
Numbers = Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1), Increasing]


class Reweighting(Strict):
    """Optimal weights, by the target's own law, for nodes that others found.

    Attributes:
        nodes: names of methods; ``iid`` are independent draws.
        bandwidth: of the Gaussian kernel.
        ridge: on the diagonal of its matrix.
    """

    nodes: Annotated[list[Name], Field(min_length=1)]
    bandwidth: Positive
    ridge: Positive = 1e-8


class Nodes(NamedTuple):
    """Runs of one method: the quadratures have a leading axis of repeats."""

    quadrature: Quadrature
    seconds: float = 0.0
    evaluations: int = 0


def law_of(target: Target) -> GaussianMixture:
    """A mixture with the same kernel embeddings as the target."""
    return target if isinstance(target, GaussianMixture) else target.lines()


def nodes_of(
    target: Target,
    methods: Mapping[str, AbstractMethod],
    starts: jax.Array,
    key: jax.Array,
    box: tuple[float, float] | None,
    log: Log,
) -> dict[str, Nodes]:
    """What every method finds from the particles ``starts``, ``(repeats, n, d)``."""
    found = {}
    for k, (name, method) in enumerate(methods.items()):
        said = []
        if isinstance(method, MeanShift):
            found[name] = _shifted(target, method, starts, box)
        else:
            keys = jax.random.split(jax.random.fold_in(key, k), len(starts))
            found[name], said = _sampled(target, method, starts, keys)
        log(f"  {name}: {found[name].seconds:.2g} s a run")
        for sentence in said[:1]:
            log(f"    {sentence}")
    return found


def drawn(target: Target, n: int, keys: jax.Array) -> Nodes:
    """``n`` independent draws for every key, with equal weights."""
    return Nodes(jax.vmap(lambda key: _weighted(target.sample(key, n)))(keys))


def _shifted(
    target: Target,
    method: MeanShift,
    starts: jax.Array,
    box: tuple[float, float] | None,
) -> Nodes:
    """Of mean-shift particles, all repeats at once and held in the box."""

    def run(x: jax.Array) -> Quadrature:
        flow = method.flow(target.log_density, Particles.from_samples(x))
        return damped_iteration(
            flow, x, damping=method.step_size, steps=method.steps, box=box
        ).quadrature()

    quadrature, seconds = _timed(run, starts)
    _, n, d = starts.shape
    cost = method.cost(target.log_density, d) * method.steps * n
    return Nodes(quadrature, seconds, cost)


def _sampled(
    target: Target, method: AbstractMethod, starts: jax.Array, keys: jax.Array
) -> tuple[Nodes, list[str]]:
    """Of a sampler, one run after the other (the first one compiles), and warnings."""
    found, seconds, cost = [], [], 0
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        for x, key in zip(starts, keys, strict=True):
            began = time.perf_counter()
            samples = sample(target.log_density, x, method=method, key=key, saves=1)
            jax.block_until_ready(samples.weights)
            seconds.append(time.perf_counter() - began)
            found.append(_weighted(samples.particles, samples.weights))
            cost = samples.evaluations
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *found)
    heard = sorted({str(warning.message) for warning in raised})
    return Nodes(stacked, float(np.median(seconds)), cost), heard


def _weighted(x: jax.Array, weights: jax.Array | None = None) -> Quadrature:
    """Nodes and their weights; equal ones by default."""
    unknown = jnp.asarray(jnp.nan, x.dtype)
    if weights is None:
        weights = jnp.full(x.shape[0], 1 / x.shape[0], x.dtype)
    return Quadrature(x, weights, unknown, unknown)


def reweighted(target: Target, nodes: Nodes, how: Reweighting) -> Nodes:
    """The same nodes with the optimal weights."""
    embedding, kernel = ExactEmbedding(law_of(target)), GaussianKernel(how.bandwidth)
    quadrature, seconds = _timed(
        lambda x: optimal_quadrature(x, embedding, kernel, how.ridge),
        nodes.quadrature.nodes,
    )
    return Nodes(quadrature, nodes.seconds + seconds, nodes.evaluations)


def _timed(
    run: Callable[[jax.Array], Quadrature], starts: jax.Array
) -> tuple[Quadrature, float]:
    """All repeats; the seconds of one of them, without those of compiling."""
    program = jax.jit(jax.vmap(run)).lower(starts).compile()
    began = time.perf_counter()
    quadrature = jax.block_until_ready(program(starts))
    return quadrature, (time.perf_counter() - began) / len(starts)


def scores(target: Target, nodes: Nodes, bandwidth: float) -> dict[str, Any]:
    """Numbers of every repeat, and the nodes themselves.

    Args:
        target: in closed form.
        nodes: of a method.
        bandwidth: of the Gaussian kernel of both discrepancies.
    """
    law = law_of(target)

    def score(quadrature: Quadrature) -> dict[str, Any]:
        found = {
            "mmd2": quadrature.mmd2(law, bandwidth),
            "mean_error": jnp.linalg.norm(quadrature.mean - target.mean),
            "ksd": quadrature.ksd(target.log_density, bandwidth),
            "max_abs_weight": quadrature.max_abs_weight,
            "condition": quadrature.condition,
        }
        if isinstance(target, GaussianMixture):
            found["modes"] = _modes_found(target, quadrature)
        return found

    # Not compiled as one program: with the hundreds of components of joker it hung.
    found = jax.vmap(score)(nodes.quadrature)
    x, w = nodes.quadrature.nodes, nodes.quadrature.weights
    known = {"seconds": nodes.seconds, "evaluations": nodes.evaluations}
    finite = jnp.isfinite(x).all((1, 2)) & jnp.isfinite(w).all(1)
    return {**found, "finite": finite, "x": x, "w": w, **known}


def _modes_found(target: GaussianMixture, quadrature: Quadrature) -> jax.Array:
    """How many components hold enough weight near their mean."""
    spreads = jnp.sqrt(jnp.linalg.eigvalsh(target.covs)[:, -1])
    apart = jnp.linalg.norm(quadrature.nodes[:, None] - target.means, axis=2)
    near = apart <= _DEVIATIONS * spreads
    return jnp.sum(quadrature.weights @ near >= SHARE)
