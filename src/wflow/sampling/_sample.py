"""The one entry to sampling."""

import warnings
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from wflow.checks import cast, count, finite, instance, random_key, to_real
from wflow.measures import Particles
from wflow.measures.particles import refuse_period

from .density import check_density
from .methods.base import AbstractMethod
from .methods.shk import SHK
from .samples import Samples
from .target import Target


# Bits of a float in single precision.
_SINGLE = 32
# Weights that rest on fewer particles than this share are warned of.
_FEW = 0.05


def sample(
    log_density: Callable[[Any], Array] | Target,
    initial: Particles | Float[Array, "n d"] | PyTree,
    *,
    key: PRNGKeyArray,
    method: AbstractMethod | None = None,
    supports: PyTree | None = None,
    saves: int = 50,
) -> Samples:
    """Draw from a density that is known up to a factor: weighted particles.

    Under ``jit``, ``vmap`` and ``grad`` shapes and types are checked, values are not,
    and nothing is warned of. Where the log-density is -inf or nan along the way is not
    looked at, only at the start and at the end.

    Args:
        log_density: its logarithm at one point: an array ``(d,)`` or a pytree of
            arrays; or a ``Target`` (``Target.from_numpyro`` makes one of a model).
        initial: where particles start: ``(n, d)`` or Particles, in unconstrained
            coordinates, or points as the log-density takes them with a leading axis.
            Overdispersed draws are best: a mode that no particle is near is not found.
            In half precision they are moved, and returned, in single precision.
        key: random key.
        method: by default ``SHK()``.
        supports: of the parameters, where not all of R, see ``Target.of``: points are
            then sampled in unconstrained coordinates, the Jacobian included.
        saves: times at which the population is recorded, at most.

    Raises:
        ValueError: a start that is not ``(n, d)`` or not of floating dtype, whose
            weights sum to 0, or at which the log-density is not finite (the first
            particle is named); too few particles for the method, or particles that
            coincide where it needs their spread; a log-density that is no real number.
        TypeError: an argument of the wrong type.
        SolveError: the particles went to infinity; the sentence says when.

    Warns:
        UserWarning: weight lies where the density is 0 or nan, the weights rest on a
            twentieth of the particles or fewer, or what the method has to say of its
            step.

    Examples:
        >>> import jax
        >>> import wflow as wf
        >>> log_density = lambda p: -((p["height"] - 2) ** 2) / 2
        >>> start = {"height": jax.random.normal(jax.random.key(0), (100,))}
        >>> method = wf.sampling.SVGD(step_size=0.5, steps=200)
        >>> draws = wf.sample(log_density, start, key=jax.random.key(1), method=method)
        >>> round(float(draws.mean["height"]), 1)
        2.0
    """
    method = SHK() if method is None else method
    instance("sample", "method", method, AbstractMethod, "a method")
    count("sample", "saves", saves)
    key = random_key("sample", "key", key)
    target, start = _prepared(log_density, initial, supports)
    if jnp.finfo(start.dtype).bits < _SINGLE:
        start = cast(start, jnp.float32)
    check_density("sample", "log_density", target.log_density, start.x[0])
    _check_start(target, start)
    method.check(target.log_density, start)
    run = method.run(target.log_density, start, key, saves)
    end = run.particles
    quadrature = run.quadrature
    weights = end.normalized().w if quadrature is None else quadrature.weights
    samples = Samples(
        particles=end.x,
        weights=weights,
        target=target,
        history=run.measures,
        times=run.times,
        energy=run.energy,
        evaluations=run.evaluations,
        method=method.name,
        quadrature=quadrature,
        acceptance=run.acceptance,
        chains=method.chain_count(end.n),
        warmup=run.warmup,
        statistics=run.statistics,
    )
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(run)):
        return samples
    if (sentence := _outside(samples)) is not None:
        warnings.warn(sentence, stacklevel=2)
    for sentence in method.warnings(target.log_density, run):
        warnings.warn(sentence, stacklevel=2)
    if not samples.signed and samples.ess < _FEW * end.n:
        warnings.warn(
            f"{method.name}: the weights rest on {float(samples.ess):.1f} of {end.n} "
            "particles; resample, move particles more (a longer run, a stronger "
            "transport) or start them wider.",
            stacklevel=2,
        )
    return samples


def _prepared(
    log_density: Any, initial: Any, supports: Any
) -> tuple[Target, Particles]:
    """The target, and Particles in its coordinates."""
    if isinstance(initial, Particles):
        refuse_period("sample", initial)
        if supports is not None:
            raise ValueError(
                "sample: Particles are in unconstrained coordinates already; with "
                "supports= give points, with a leading axis."
            )
        target = log_density if isinstance(log_density, Target) else Target(log_density)
        return target, initial
    leaves = jax.tree.leaves(initial)
    if not leaves:
        raise ValueError("sample: expected initial particles, found none.")
    _check_floating(leaves)
    if isinstance(initial, list | tuple) and not any(map(np.ndim, leaves)):
        initial = to_real(initial, "initial")  # rows of numbers
    plain = isinstance(initial, jax.Array | np.ndarray)
    if isinstance(log_density, Target):
        if supports is not None:
            raise ValueError("sample: a Target has its supports already.")
        target, mapped = log_density, not plain
    elif plain and supports is None:
        target, mapped = Target(log_density), False
    else:
        _check_rows(initial)
        example = jax.tree.map(lambda leaf: leaf[0], initial)
        target, mapped = Target.of(log_density, example, supports), True
    if mapped:
        _check_rows(initial)
    points = jax.vmap(target.unconstrain)(initial) if mapped else initial
    if points.ndim != 2 or points.shape[0] < 1:
        raise ValueError(
            "sample: expected initial particles of shape (n, d), n >= 1, found "
            f"{points.shape}."
        )
    return target, Particles.from_samples(points)


def _check_floating(leaves: list[Any]) -> None:
    for leaf in leaves:
        to_real(leaf, "initial")
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            raise ValueError(
                "sample: expected initial particles of floating dtype, found "
                f"{jnp.result_type(leaf)}."
            )


def _check_rows(initial: PyTree) -> None:
    """A leading axis of particles on every leaf, the same for all."""
    sizes = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(initial)}
    if len(sizes) != 1 or sizes <= {(), (0,)}:
        raise ValueError(
            "sample: expected initial points with one leading axis of particles, found "
            f"leading sizes {sorted(size[0] if size else 0 for size in sizes)}."
        )
    for leaf in jax.tree.leaves(initial):
        finite("sample", "initial", leaf)


def _outside(samples: Samples) -> str | None:
    """How much weight lies where the density is 0 or nan, and what to do about it."""
    logs = np.asarray(_log_densities(samples.target, samples.particles))
    size = np.abs(np.asarray(samples.weights))
    lost = ~np.isfinite(logs) & (size > 0)
    if not lost.any():
        return None
    i = int(np.argmax(lost))
    share = 100 * float(size[lost].sum() / size.sum())
    return (
        f"{samples.method}: {share:.3g} % of the weight lies outside the support: the "
        f"log-density is {logs[i]} at particle {i}, {samples.particles[i].tolist()}. "
        "Give supports=, write the density in coordinates without an edge, or take "
        "MALA, NUTS or SHK, which reject such moves."
    )


def _check_start(target: Target, start: Particles) -> None:
    found = _log_densities(target, start.x)
    # The density may hold traced arrays where no one sees them.
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((found, start))):
        return
    if not 0 < float(start.mass) < np.inf:
        raise ValueError(
            "sample: expected initial weights of positive and finite sum, found "
            f"{float(start.mass)}."
        )
    logs = np.asarray(found)
    finite = np.isfinite(logs) & np.isfinite(np.asarray(start.x)).all(axis=1)
    if not finite.all():
        i = int(np.argmin(finite))
        raise ValueError(
            "sample: expected log_density to be finite at the start; the log-density "
            f"is {logs[i]} at initial particle {i}, {np.asarray(start.x)[i].tolist()}."
        )


@eqx.filter_jit
def _log_densities(target: Target, x: Array) -> Array:
    return jax.vmap(target.log_density)(x)
