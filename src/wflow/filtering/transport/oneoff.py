"""A single Bayesian update from simulated pairs."""

import warnings

import equinox as eqx
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, PRNGKeyArray

from wflow import checks
from wflow.checks import to_real
from wflow.filtering.ensembles import identical
from wflow.filtering.observations import check_observed

from .base import AbstractTransport
from .pairs import RANGE, Pairs
from .wasserstein import CouplingTransport


def analyze(
    ensemble: Float[ArrayLike, "n d"],
    simulated: Float[ArrayLike, "n p"] | Float[ArrayLike, "n m p"],
    observed: Float[ArrayLike, " p"],
    method: AbstractTransport | None = None,
    *,
    key: PRNGKeyArray,
) -> Float[Array, "n d"]:
    """Samples of the posterior from samples of prior and observation: one update.

    No density is needed. States and observations are whitened; angles and other
    periodic quantities must be embedded first (as sine and cosine, say).

    Args:
        ensemble: samples of the prior, ``(n, d)``.
        simulated: an observation simulated of each, ``(n, p)``, or several,
            ``(n, m, p)``.
        observed: the observation, ``(p,)``; entries that are nan are missing.
        method: how; None is ``CouplingTransport()``. Its inflation is not used.
        key: random key.

    Returns:
        The ensemble given the observation, of equal weights, ``(n, d)``.

    Raises:
        ValueError: shapes that do not fit together, fewer than two members, values that
            are not finite, an ensemble of identical members, or simulated observations
            that are all the same.
        TypeError: method is no transport, key no random key, or one of the arrays holds
            no numbers.
    """
    method = CouplingTransport() if method is None else method
    checks.instance("analyze", "method", method, AbstractTransport, "a transport")
    checks.random_key("analyze", "key", key)
    x = checks.at_least_single(to_real(ensemble, "ensemble"))
    y = to_real(simulated, "simulated").astype(x.dtype)
    observed = to_real(observed, "observed").astype(x.dtype)
    _check_shapes(x, y, observed)
    _check_values(x, y, observed)
    pairs = Pairs.of(x, y, observed)
    method.check(pairs)
    moved, outside = _move(method, pairs, key)
    if checks.known(outside):
        warnings.warn(
            "analyze: observation outside predictive range (more than "
            f"{RANGE:g} standard deviations from every simulated one); the result is "
            "that of a Kalman update.",
            stacklevel=2,
        )
    return moved


@eqx.filter_jit
def _move(
    method: AbstractTransport, pairs: Pairs, key: PRNGKeyArray
) -> tuple[Float[Array, "n d"], Bool[Array, ""]]:
    return method.move(pairs, key), pairs.standardized().outside & pairs.felt


def _check_shapes(x: Array, y: Array, observed: Array) -> None:
    if x.ndim != 2 or x.shape[0] < 2 or x.shape[1] < 1:
        raise ValueError(
            f"analyze: expected ensemble of shape (n, d) with n >= 2, found {x.shape}."
        )
    if y.ndim not in (2, 3) or y.shape[0] != x.shape[0] or 0 in y.shape:
        raise ValueError(
            f"analyze: expected simulated of shape ({x.shape[0]}, p) or "
            f"({x.shape[0]}, m, p), as many as ensemble has members, found {y.shape}."
        )
    if observed.shape != y.shape[-1:]:
        raise ValueError(
            f"analyze: expected observed of shape {y.shape[-1:]}, as many components "
            f"as simulated has, found {observed.shape}."
        )


def _check_values(x: Array, y: Array, observed: Array) -> None:
    for name, array in (("ensemble", x), ("simulated", y)):
        found = checks.known(array)
        if found is None:
            continue
        bad = ~np.isfinite(found).reshape(len(found), -1).all(axis=1)
        if bad.any():
            raise ValueError(
                f"analyze: {int(bad.sum())} of {len(bad)} members of {name} (shape "
                f"{found.shape}) are not finite, the first is {int(np.argmax(bad))}."
            )
    check_observed("analyze", "observed", observed)
    members, flat = checks.known(x), checks.known(y.reshape(-1, y.shape[-1]))
    if members is not None and identical(members):
        raise ValueError(
            f"analyze: degenerate ensemble: all {len(x)} members are identical."
        )
    if flat is not None and identical(flat):
        raise ValueError(
            f"analyze: degenerate simulated observations: all {len(flat)} are "
            "identical and say nothing of the state. Where that is meant, set observed "
            "to nan."
        )
