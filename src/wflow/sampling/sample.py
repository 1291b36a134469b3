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

from wflow.measures import Particles

from .methods import SHK, AbstractMethod
from .samples import Samples
from .target import Target


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
    """Weighted particles of a density that is known up to a factor.

    Under ``jit``, ``vmap`` and ``grad`` nothing is checked and nothing is warned of.

    Args:
        log_density: its logarithm at one point: an array ``(d,)`` or a pytree of
            arrays; or a ``Target`` (``Target.from_numpyro`` makes one of a model).
        initial: where particles start: ``(n, d)`` or Particles, in unconstrained
            coordinates, or points as the log-density takes them with a leading axis.
            Overdispersed draws are best: a mode that no particle is near is not found.
        key: random key.
        method: by default ``SHK()``.
        supports: of the parameters, where not all of R, see ``Target.of``: points are
            then sampled in unconstrained coordinates, the Jacobian included.
        saves: times at which the population is recorded, at most.

    Raises:
        ValueError: a start that is not ``(n, d)`` or not of floating dtype, whose
            weights sum to 0, or at which the log-density is not finite (the first
            particle is named).
        SolveError: the particles went to infinity; the sentence says when.

    Warns:
        UserWarning: the weights rest on a twentieth of the particles or fewer, or what
            the method has to say of its step.
    """
    method = SHK() if method is None else method
    target, start = _prepared(log_density, initial, supports)
    if saves < 1:
        raise ValueError(f"sample: expected saves >= 1, found {saves}.")
    _check_start(target, start)
    run = method.run(target.log_density, start, key, saves)
    end = run.particles
    quadrature = run.quadrature
    weights = end.normalised().w if quadrature is None else quadrature.weights
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
    )
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(run)):
        return samples
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
    plain = isinstance(initial, jax.Array | np.ndarray)
    if isinstance(log_density, Target):
        if supports is not None:
            raise ValueError("sample: a Target has its supports already.")
        target, mapped = log_density, not plain
    elif plain and supports is None:
        target, mapped = Target(log_density), False
    else:
        example = jax.tree.map(lambda leaf: leaf[0], initial)
        target, mapped = Target.of(log_density, example, supports), True
    points = jax.vmap(target.unconstrain)(initial) if mapped else initial
    if points.ndim != 2 or points.shape[0] < 1:
        raise ValueError(
            "sample: expected initial particles of shape (n, d), n >= 1, found "
            f"{points.shape}."
        )
    return target, Particles.from_samples(points)


def _check_floating(leaves: list[Any]) -> None:
    for leaf in leaves:
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            raise ValueError(
                "sample: expected initial particles of floating dtype, found "
                f"{jnp.result_type(leaf)}."
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
            f"sample: the log-density is {logs[i]} at initial particle {i}, "
            f"{np.asarray(start.x)[i].tolist()}."
        )


@eqx.filter_jit
def _log_densities(target: Target, x: Array) -> Array:
    return jax.vmap(target.log_density)(x)
