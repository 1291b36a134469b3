"""Samples as ArviZ reads them: a tree of labeled arrays."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from .extras import bayes
from .target import Target


if TYPE_CHECKING:
    import xarray

    from .samples import Samples


def datatree(
    samples: "Samples",
    key: PRNGKeyArray,
    coords: Mapping[str, Sequence[Any]] | None,
    dims: Mapping[str, Sequence[str]] | None,
) -> "xarray.DataTree":
    """What ``Samples.to_arviz`` returns, of weights without signs."""
    arviz = bayes("arviz_base", "to_arviz")
    target, observed = samples.target, samples.target.observed
    chains = samples.chain_states()
    independent = chains is not None
    resampling, predicting = jax.random.split(key)
    if chains is None:
        kind = "" if samples.equal else "weighted "
        warnings.warn(
            f"to_arviz: {samples.method} gives one sample of {len(samples.particles)} "
            f"{kind}particles, no Markov chains: ArviZ's ess and r_hat do not "
            "hold; see Samples.ess, and compare runs with other keys.",
            stacklevel=4,
        )
        chains = samples.particles if samples.equal else samples.draws(resampling)
        chains = chains[None]
    posterior, logs = _read(target, chains)
    groups: dict[str, dict[str, Any]] = {
        "posterior": posterior,
        "sample_stats": {"lp": logs},
    }
    made = {"inference_library": "wflow", "method": samples.method}
    weighted = {}
    if independent and samples.statistics is not None:
        groups["sample_stats"] |= samples.statistics
    if independent and (early := samples.warmup_states()) is not None:
        groups["warmup_posterior"], lp = _read(target, early)
        groups["warmup_sample_stats"] = {"lp": lp}
    if not independent:
        points, _ = _read(target, samples.particles[None])
        alone = {name: value[0] for name, value in points.items()}
        groups["particles"] = {**alone, "log_weight": samples.log_weights}
        weighted = {"ess": float(samples.ess), "pareto_k": samples.pareto_k}
    if observed is not None:
        groups["log_likelihood"] = _mapped(observed.log_likelihood, posterior)
        if observed.data:
            groups["observed_data"] = observed.data
        if observed.predict is not None:
            keys = jax.random.split(predicting, chains.shape[:2])
            groups["posterior_predictive"] = _mapped(observed.predict, posterior, keys)
    named = {**dict(observed.axes if observed is not None else ()), **(dims or {})}
    groups = jax.tree.map(np.asarray, groups)
    cloud = groups.pop("particles", None)
    labels: dict[str, Any] = {
        "dims": {name: list(axes) for name, axes in named.items()},
        "coords": None if coords is None else dict(coords),
        # Chains may well outnumber their draws.
        "check_conventions": False,
    }
    attrs = {"posterior": made}
    tree = arviz.from_dict(groups, save_warmup=True, attrs=attrs, **labels)
    if cloud is not None:
        attrs = {"particles": weighted}
        alone = arviz.from_dict(
            {"particles": cloud}, sample_dims=["particle"], attrs=attrs, **labels
        )
        tree["particles"] = alone["particles"]
    return tree


@eqx.filter_jit
def _read(
    target: Target, x: Float[Array, "chains draws d"]
) -> tuple[dict[str, Array], Float[Array, "chains draws"]]:
    """Parameters and log-densities of states."""
    each = lambda f: jax.vmap(jax.vmap(f))(x)
    return each(target.constrain), each(target.log_density)


@eqx.filter_jit
def _mapped(function: Callable[..., Any], *of: Any) -> dict[str, Array]:
    """``function`` at every draw of every chain."""
    return jax.vmap(jax.vmap(function))(*of)
