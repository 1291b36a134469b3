"""Means and standard deviations that runs of a method find, beside the true ones."""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.sampling import Target, sample
from wflow.sampling.methods.base import AbstractMethod
from wflow.solvers import SolveError
from wflow.studies import Arrays


class Moments(NamedTuple):
    """What one run came to.

    Attributes:
        mean: ``(p,)``, nan where the run failed.
        sd: ``(p,)``, nan where signed weights give a negative variance.
        ess: effective sample size, nan where the run failed.
        seconds: that it took.
        evaluations: of the log-density.
    """

    mean: Float[np.ndarray, " p"]
    sd: Float[np.ndarray, " p"]
    ess: float
    seconds: float = 0.0
    evaluations: int = 0


def of_draws(values: Float[np.ndarray, "n p"]) -> Moments:
    """Of draws that cost nothing."""
    n = len(values)
    return Moments(*_moments(values, np.full(n, 1 / n)), float(n))


def _moments(
    values: np.ndarray, weights: np.ndarray
) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, " p"]]:
    mean = weights @ values
    variance = weights @ (values - mean) ** 2
    return mean, np.sqrt(np.where(variance >= 0, variance, np.nan))


def of_run(
    target: Target,
    start: Float[Array, "n d"],
    method: AbstractMethod,
    key: PRNGKeyArray,
    read: Callable[[Array], Array],
    said: dict[str, None],
) -> Moments:
    """Of one run; ``read`` makes numbers of particles, ``said`` collects warnings."""
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            samples = sample(target, start, method=method, key=key)
        except SolveError as error:
            said.setdefault(str(error))
            lost = np.full(jax.eval_shape(read, start).shape[1:], np.nan)
            return Moments(lost, lost, np.nan, np.nan)
    values = np.asarray(read(samples.particles))
    seconds = time.perf_counter() - began
    for warning in caught:
        said.setdefault(str(warning.message))
    found = _moments(values, np.asarray(samples.weights))
    return Moments(*found, float(samples.ess), seconds, samples.evaluations)


def as_arrays(name: str, runs: Sequence[Moments]) -> dict[str, np.ndarray]:
    """The runs of the method ``name``, stacked."""
    parts = zip(Moments._fields, zip(*runs, strict=True), strict=True)
    return {f"{part}_{name}": np.stack(values) for part, values in parts}


def in_units(
    arrays: Arrays, name: str
) -> tuple[Float[np.ndarray, "repeats p"], Float[np.ndarray, "repeats p"], np.ndarray]:
    """Errors of means and ratios of deviations to the reference's; which runs failed.

    A run that failed is infinitely far off, with no spread.
    """
    mean, sd = arrays["reference_mean"], arrays["reference_sd"]
    failed = np.isnan(arrays[f"ess_{name}"])
    errors = (arrays[f"mean_{name}"] - mean) / sd
    ratios = arrays[f"sd_{name}"] / sd
    lost = failed[:, None]
    return np.where(lost, np.inf, errors), np.where(lost, 0.0, ratios), failed


def scores(arrays: Arrays, name: str) -> Mapping[str, float]:
    """Medians over the runs of the method ``name``."""
    errors, ratios, failed = in_units(arrays, name)
    # An indefinite covariance has no sd: as far off as a run that failed.
    sds = np.where(np.isfinite(ratios), ratios, 0)
    ess, seconds = (arrays[f"{key}_{name}"][~failed] for key in ("ess", "seconds"))
    # The first run compiles.
    seconds = seconds[1:] if len(seconds) > 1 else seconds
    return {
        "worst_mean_error_sd": float(np.median(np.abs(errors).max(1))),
        "worst_mean_error_sd_highest": float(np.abs(errors).max()),
        "sd_ratio_min": float(np.median(sds.min(1))),
        "sd_ratio_max": float(np.median(sds.max(1))),
        "failed_runs": float(failed.sum()),
        "ess": float(np.median(ess)) if len(ess) else 0.0,
        "evaluations": float(arrays[f"evaluations_{name}"].max()),
        "seconds": float(np.median(seconds)) if len(seconds) else 0.0,
    }
