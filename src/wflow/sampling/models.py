"""Probabilistic programs as log-densities on R^d."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PRNGKeyArray

from .extras import bayes
from .observed import Observed


class Model(NamedTuple):
    """What makes a ``Target``, in its order."""

    log_density: Callable[[Array], Array]
    constrain: Callable[[Array], dict[str, Array]]
    names: tuple[str, ...]
    unconstrain: Callable[[Mapping[str, Array]], Array]
    log_jacobian: Callable[[Array], Array]
    observed: Observed


def numpyro_model(
    model: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    key: PRNGKeyArray,
) -> Model:
    """A NumPyro model by its own ``potential_fn``; see ``Target.from_numpyro``."""
    infer = bayes("numpyro.infer.util", "Target.from_numpyro")
    handlers = bayes("numpyro.handlers", "Target.from_numpyro")
    seeded = handlers.substitute(
        handlers.seed(model, key), substitute_fn=infer.init_to_uniform
    )
    trace = handlers.trace(seeded).get_trace(*args, **kwargs)
    latent = {
        name: site
        for name, site in trace.items()
        if site["type"] == "sample" and not site["is_observed"]
    }
    discrete = [name for name, site in latent.items() if site["fn"].support.is_discrete]
    if discrete or not latent:
        found = f"the discrete {', '.join(discrete)}" if discrete else "none"
        raise ValueError(
            f"Target.from_numpyro: expected continuous latent sites, found {found}."
        )
    info = infer.initialize_model(key, model, model_args=args, model_kwargs=kwargs)
    start, unravel = ravel_pytree(info.param_info.z)
    names = tuple(
        name
        for name, site in trace.items()
        if name in latent or site["type"] == "deterministic"
    )

    def sites(x: Array) -> dict[str, Array]:
        if x.shape != start.shape:
            raise ValueError(
                f"Target: expected coordinates {start.shape}, found {x.shape}."
            )
        # ravel_pytree insists on the dtype of the start.
        found = unravel(x.astype(start.dtype))
        return jax.tree.map(lambda site: site.astype(x.dtype), found)

    def log_density(x: Array) -> Array:
        return -info.potential_fn(sites(x)).astype(x.dtype)

    def constrain(x: Array) -> dict[str, Array]:
        found = info.postprocess_fn(sites(x))
        return {name: found[name] for name in names}

    def unconstrain(point: Mapping[str, Array]) -> Array:
        if missing := [name for name in latent if name not in point]:
            raise ValueError(
                f"Target.from_numpyro: expected a point with {', '.join(latent)}, "
                f"found none of {', '.join(missing)}."
            )
        own = {name: point[name] for name in latent}
        return ravel_pytree(infer.unconstrain_fn(model, args, kwargs, own))[0]

    fixed = handlers.seed(model, key)

    def log_jacobian(x: Array) -> Array:
        own = infer.constrain_fn(fixed, args, kwargs, sites(x))
        of_parameters, _ = infer.log_density(fixed, args, kwargs, own)
        return log_density(x) - of_parameters.astype(x.dtype)

    def of_latent(point: Mapping[str, Array]) -> dict[str, Array]:
        return {name: point[name] for name in latent}

    def log_likelihood(point: Mapping[str, Array]) -> dict[str, Array]:
        found = infer.log_likelihood(
            fixed, of_latent(point), *args, batch_ndims=0, **kwargs
        )
        return {name: found[name] for name in seen}

    seen = {
        name: site["value"]
        for name, site in trace.items()
        if site["type"] == "sample"
        and site["is_observed"]
        # A factor adds to the density, and is no datum.
        and np.size(site["value"])
    }

    def predict(point: Mapping[str, Array], key: PRNGKeyArray) -> dict[str, Array]:
        free = handlers.substitute(handlers.uncondition(model), of_latent(point))
        found = handlers.trace(handlers.seed(free, key)).get_trace(*args, **kwargs)
        return {name: found[name]["value"] for name in seen}

    return Model(
        log_density,
        constrain,
        names,
        unconstrain,
        log_jacobian,
        Observed(log_likelihood, seen, predict, _plates(trace)),
    )


def _plates(trace: Mapping[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Names of the leading axes of every site that lies in plates."""
    found = []
    for name, site in trace.items():
        if site["type"] not in ("sample", "deterministic"):
            continue
        frames = sorted(site["cond_indep_stack"], key=lambda frame: frame.dim)
        shape = np.shape(site["value"])
        # What is computed within a plate need not have its axis.
        if frames and shape[: len(frames)] == tuple(frame.size for frame in frames):
            found.append((name, tuple(frame.name for frame in frames)))
    return tuple(found)
