"""Runs of filters on known truths, and their scores."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wflow.studies._tables import number, read_rows

from .filter_methods import make_method


if TYPE_CHECKING:
    from wflow.filtering import Setting, Twin


class Scores(NamedTuple):
    """Of one method over all truths of a case; nan where a filter failed.

    Attributes:
        rmse: by truth and cycle, ``(repeats, cycles)``.
        spread: likewise.
        crps: mean over cycles that count, ``(repeats,)``.
        coverage: of the central 90 %, ``(repeats,)``.
        levels: of the truth in the ensemble, cycles that count.
        failed: cycle that failed, or -1, ``(repeats,)``.
        seconds: per cycle, compiling apart; nan if there is one truth only.
    """

    rmse: np.ndarray
    spread: np.ndarray
    crps: np.ndarray
    coverage: np.ndarray
    levels: np.ndarray
    failed: np.ndarray
    seconds: float

    def mean_rmse(self, burn_in: int) -> np.ndarray:
        """Mean over cycles that count, ``(repeats,)``."""
        return self.rmse[:, burn_in:].mean(axis=1)


def score(
    config: Any,
    case: Any,
    setting: "Setting",
    twins: "list[Twin]",
    burn_in: int,
    key: Any,
) -> Scores:
    """Run one method on every truth."""
    import jax
    import jax.numpy as jnp

    from wflow.filtering import filter, level_of

    method = make_method(config, case)
    rmse, spread, crps, coverage, levels, failed, seconds = ([] for _ in range(7))
    for k, twin in enumerate(twins):
        of_start, of_filter = jax.random.split(jax.random.fold_in(key, k))
        initial = setting.ensemble(of_start, config.members)
        began = time.perf_counter()
        result = filter(
            setting.model, method, twin.observed, initial, of_filter, throw=False
        )
        jax.block_until_ready(result.mean)
        seconds.append((time.perf_counter() - began) / len(twin.times))
        late = slice(burn_in, None)
        rmse.append(np.asarray(result.rmse(twin.truth)))
        spread.append(np.asarray(result.spread))
        crps.append(float(jnp.mean(result.crps(twin.truth)[late])))
        covered = np.asarray(result.covered(twin.truth)[late], float)
        coverage.append(covered.mean() if int(result.failed) < 0 else np.nan)
        weights = jnp.exp(result.measures.logw)
        found = jax.vmap(level_of)(result.measures.x, twin.truth, weights)
        # In the middle of its rank, so that n + 1 ranks fill [0, 1] evenly.
        ranks = np.asarray(found[late]).ravel() * config.members
        levels.append((ranks + 0.5) / (config.members + 1))
        failed.append(int(result.failed))
    return Scores(
        np.stack(rmse),
        np.stack(spread),
        np.array(crps),
        np.array(coverage),
        np.concatenate(levels),
        np.array(failed),
        float(np.median(seconds[1:])) if len(seconds) > 1 else float("nan"),
    )


def read_scores(path: Path) -> dict[str, np.ndarray]:
    """Columns of a table of scores: names of cases and methods, and numbers.

    Raises:
        CommandError: it cannot be read, or a score is no number.
    """
    names, rows = ("case", "method"), read_rows(path)
    return {
        key: np.array([row[key] if key in names else number(row, key) for row in rows])
        for key in (*names, *(rows[0] if rows else ()))
    }


def level_shares(levels: np.ndarray, members: int, bins: int) -> np.ndarray:
    """Share of each of so many bins of [0, 1].

    A level stands for its whole rank, of width 1 / (members + 1), so that calibrated
    ranks fill any bins evenly.
    """
    known = levels[np.isfinite(levels)]
    if not known.size:
        return np.zeros(bins)
    below = (np.linspace(0, 1, bins + 1)[:, None] - known) * (members + 1) + 0.5
    return np.diff(np.clip(below, 0, 1).mean(axis=1))


def mean_of(values: np.ndarray) -> float:
    """Mean over the runs that did not fail; nan if none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def error_of(values: np.ndarray) -> float:
    """Standard error of ``mean_of``; nan with fewer than two runs."""
    known = values[np.isfinite(values)]
    if known.size < 2:
        return float("nan")
    return float(known.std(ddof=1) / known.size**0.5)
