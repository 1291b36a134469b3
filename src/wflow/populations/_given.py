"""Snapshots as a search is given them: growth, order of components, units."""

import dataclasses
from typing import Any

import numpy as np

from wflow.checks import finite, instance, shape, to_numpy
from wflow.learning import Snapshots

from .conversion import Units


# How much more variance a later component may have, for components to be ordered; of
# more than a few, how nearly their ranks may be reversed.
_ORDERED, _FEW, _RANKS = 1.2, 7, -0.9


def rates_of(snapshots: Snapshots, growth: Any) -> list[np.ndarray]:
    """The rates of every snapshot's points."""
    instance("fit_best", "growth", growth, (list, tuple), "rates for each snapshot")
    found = [to_numpy(rates, "growth").astype(np.float64) for rates in growth]
    if len(found) != len(snapshots):
        raise ValueError(
            f"fit_best: expected growth for each of {len(snapshots)} snapshots, found "
            f"{len(found)}."
        )
    for rates, size in zip(found, snapshots.sizes, strict=True):
        shape("fit_best", "growth", rates, (size,))
        finite("fit_best", "growth", rates)
    return found


def grown(snapshots: Snapshots, growth: list[np.ndarray]) -> Snapshots:
    """With masses: those given, or what the rates make of the first snapshot."""
    if snapshots.masses is not None:
        return snapshots
    factors = [
        snapshots.weight(k) @ np.exp(growth[k] * gap)
        for k, gap in enumerate(np.diff(snapshots.times))
    ]
    masses = np.cumprod([1.0, *factors])
    return dataclasses.replace(snapshots, masses=masses)


def ordered(snapshots: Snapshots) -> bool:
    """Whether coordinates are ordered by variance, as principal components are.

    Those that were made of more cells than the file has, or not centered, are so in
    ranks alone: by Spearman's correlation.
    """
    spread = np.concatenate(snapshots.clouds).astype(np.float64).var(axis=0)
    if (spread[1:] <= _ORDERED * spread[:-1]).all():
        return True
    ranks = np.argsort(np.argsort(spread))
    found = np.corrcoef(ranks, np.arange(len(ranks)))[0, 1]
    return len(spread) > _FEW and bool(found <= _RANKS)


def units_of(snapshots: Snapshots, each: bool) -> Units:
    """Every coordinate standard, or all in one unit, that of the first ones."""
    space = snapshots.standardize()[1]
    std = space.std
    if not each:
        std = np.full_like(std, float(np.max(std)))
    gap = float(np.median(np.diff(snapshots.times)))
    return Units(space.mean, std, float(snapshots.times[0]), gap, "float32")
