"""A law matched anew to resampled cells: how sure it is of what it says."""

import dataclasses
import time as clock

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray
from scipy.special import stdtrit

from wflow.learning import Snapshots

from ._answers import Scene
from ._best_fit import BestFit, matched_again


# Fewer members tell no band.
FEWEST = 4
_CONFIDENCE = 0.95


def members(
    best: BestFit, count: int, *, key: PRNGKeyArray, seconds: float = float("inf")
) -> list[BestFit]:
    """The law of ``best.fit``, matched to cells that are weighed anew each time.

    Weights of the Bayesian bootstrap, independent standard exponentials; start
    parameters are drawn anew too. None where no law was trained, or fewer than four
    could be within so many ``seconds``.

    Reference: Rubin, Annals of Statistics 9 (1981).
    """
    if not best.fits:
        return []
    question = next(iter(best.fits))
    every = tuple(range(len(best.snapshots)))
    found: list[BestFit] = []
    begin, last = clock.monotonic(), 0.0
    for k in range(count):
        start = clock.monotonic()
        if start - begin + last > seconds:
            break
        own = jax.random.fold_in(key, k)
        rng = np.random.default_rng(np.asarray(jax.random.key_data(own)))
        seen = _resampled(best.snapshots, rng)
        inner = best.units.to_model(seen)
        scene = Scene(inner, every, best.components, best._rates)
        matched = matched_again(best, scene, own)
        fits = {question: matched.fit}
        laws = {question: best.laws[question]}
        member = dataclasses.replace(
            best, snapshots=seen, fits=fits, laws=laws, _matched={}, _known={}
        )
        found.append(member)
        last = clock.monotonic() - start
    return found if len(found) >= FEWEST else []


def _resampled(snapshots: Snapshots, rng: np.random.Generator) -> Snapshots:
    weights = [
        snapshots.weight(k) * rng.exponential(size=size)
        for k, size in enumerate(snapshots.sizes)
    ]
    return dataclasses.replace(snapshots, weights=[w / w.sum() for w in weights])


def spread(
    values: Float[np.ndarray, "R ..."],
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Standard deviations over members, and half the widths of bands of 95 %.

    By Student's law, since few members tell a deviation badly.
    """
    deviation = np.std(values, axis=0, ddof=1)
    reach = stdtrit(len(values) - 1, (1 + _CONFIDENCE) / 2)
    return deviation, reach * deviation
