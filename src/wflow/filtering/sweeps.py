"""A filter at several inflations and numbers of members."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float, Int, PRNGKeyArray

from wflow import checks
from wflow.checks import to_real

from .averages import time_average
from .base import AbstractMethod
from .labeled import xarray_module
from .models import StateSpace
from .run import filter
from .twins import Twin


if TYPE_CHECKING:
    import xarray


class Sweep(NamedTuple):
    """Scores on a grid of inflations and numbers of members.

    Attributes:
        inflation: ``(I,)``.
        members: ``(M,)``.
        rmse: mean over the cycles that count, ``(I, M)``; nan where the filter failed.
        error: standard error of this mean.
        spread: mean spread.
        coverage: share of the truth in the central 90 %.
        failed: the cycle that ended in nan, -1 for none.
        name: of the method.
    """

    inflation: Float[np.ndarray, " I"]
    members: Int[np.ndarray, " M"]
    rmse: Float[np.ndarray, "I M"]
    error: Float[np.ndarray, "I M"]
    spread: Float[np.ndarray, "I M"]
    coverage: Float[np.ndarray, "I M"]
    failed: Int[np.ndarray, "I M"]
    name: str

    @property
    def best(self) -> dict[int, float]:
        """The inflation of the least RMSE for every number of members that ended."""
        return {
            int(n): float(self.inflation[np.nanargmin(column)])
            for n, column in zip(self.members, self.rmse.T, strict=True)
            if not np.isnan(column).all()
        }

    def to_xarray(self) -> "xarray.Dataset":
        """As a Dataset over inflation and members.

        Raises:
            ModuleNotFoundError: xarray is not installed (the extra ``xarray``).
        """
        xarray = xarray_module("to_xarray")
        scores = ("rmse", "error", "spread", "coverage", "failed")
        axes = ("inflation", "members")
        return xarray.Dataset(
            {name: (axes, getattr(self, name)) for name in scores},
            coords={"inflation": self.inflation, "members": self.members},
            attrs={"method": self.name},
        )

    def __str__(self) -> str:
        """A table of RMSE, members beside each other; the best of each is marked."""
        head = "".join(f"{n:>12d}" for n in self.members)
        lines = [f"{self.name}: RMSE (spread)", f"inflation{head}"]
        best = self.best
        for i, inflation in enumerate(self.inflation):
            cells = "".join(
                f"{'failed':>12}"
                if np.isnan(self.rmse[i, j])
                else f"{self.rmse[i, j]:.3f}{'*' if best[int(n)] == inflation else ''}"
                f" ({self.spread[i, j]:.2f})".rjust(12)
                for j, n in enumerate(self.members)
            )
            lines.append(f"{inflation:<9g}{cells}")
        return "\n".join(lines)


def sweep(
    model: StateSpace,
    method: AbstractMethod,
    twin: Twin,
    initial: Float[ArrayLike, "n d"],
    key: PRNGKeyArray,
    *,
    inflation: Sequence[float],
    members: Sequence[int],
    burn_in: int = 0,
) -> Sweep:
    """Which inflation and how many members a filter wants, on a known truth.

    Runs differ by nothing else: the same truth, the same key. Programs are compiled
    once for every number of members.

    Args:
        model: the state-space model.
        method: one with an ``inflation``, which is put in; as ``EnKF()``.
        twin: a truth and what was observed of it.
        initial: an ensemble of the most members; fewer are the first of them.
        key: random key.
        inflation: what to try.
        members: numbers of members to try.
        burn_in: cycles that do not count.

    Raises:
        ValueError: nothing to try, more members than there are, or that many cycles
            of burn-in.
        TypeError: a method without inflation, or a twin that is none.
    """
    checks.instance("sweep", "twin", twin, Twin, "a Twin")
    checks.instance("sweep", "method", method, AbstractMethod, "a method")
    if "inflation" not in {field.name for field in dataclasses.fields(method)}:
        raise TypeError(
            f"sweep: expected a method with an inflation, found {method.name}."
        )
    initial = to_real(initial, "initial")
    checks.shape("sweep", "initial", initial, ("n", "d"))
    checks.count("sweep", "burn_in", burn_in, least=0)
    if not len(inflation) or not len(members):
        raise ValueError("sweep: expected inflation and members to try, found none.")
    values = to_real(inflation, "inflation")
    checks.shape("sweep", "inflation", values, ("I",))
    checks.positive("sweep", "inflation", values)
    for n in members:
        checks.count("sweep", "members", n)
    if max(members) > len(initial):
        raise ValueError(
            f"sweep: expected members up to {len(initial)}, as many as initial has, "
            f"found {max(members)}."
        )
    if burn_in >= len(twin.times):
        raise ValueError(
            f"sweep: expected burn_in below {len(twin.times)}, the number of cycles, "
            f"found {burn_in}."
        )
    scores: list[list[tuple[float, ...]]] = []
    for value in values:
        dtype = jnp.result_type(method.inflation)
        one = eqx.tree_at(lambda m: m.inflation, method, jnp.asarray(value, dtype))
        scores.append(
            [_scores(model, one, twin, initial[:n], key, burn_in) for n in members]
        )
    rmse, error, spread, coverage, failed = np.moveaxis(np.asarray(scores), -1, 0)
    return Sweep(
        np.asarray(inflation, float),
        np.asarray(members),
        rmse,
        error,
        spread,
        coverage,
        failed.astype(int),
        method.name,
    )


def _scores(
    model: StateSpace,
    method: AbstractMethod,
    twin: Twin,
    initial: Float[ArrayLike, "n d"],
    key: PRNGKeyArray,
    burn_in: int,
) -> tuple[float, ...]:
    result = filter(model, method, twin.observed, initial, key, throw=False)
    failed = int(result.failed)
    if failed >= 0:
        return np.nan, np.nan, np.nan, np.nan, failed
    error = time_average(result.rmse(twin.truth), burn_in)
    spread = time_average(result.spread, burn_in)
    inside = np.asarray(result.covered(twin.truth))[burn_in:]
    return error.mean, error.error, spread.mean, float(inside.mean()), failed
