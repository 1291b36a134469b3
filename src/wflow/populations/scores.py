"""Scores of a fit on a split, and what sampling noise alone would score."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from wflow.checks import count, finite, instance, shape, to_numpy
from wflow.flows import GrowthFlow
from wflow.learning import Fit, Snapshots
from wflow.learning.report import Report
from wflow.transport import w1

from .fields import growth_field
from .protocols import Split


# Splits into halves: as many as there is time for in large snapshots.
_SPLITS, _SPLIT_POINTS, _FEWEST = 20, 20_000, 4


def forecast_scores(
    fit: Fit, split: Split, *, substeps: int = 5, tracked: bool = False
) -> dict[str, Report]:
    """Reports ``"train"``, ``"from_last"`` and ``"from_first"``.

    Training snapshots by one rollout from the first; test snapshots by a rollout from
    the last training snapshot, and by one from the first through all of training. Each
    has the baselines that start where it does. For ``tracked`` see ``Fit.report``.

    Raises:
        TypeError: no fit, no split, or substeps that is not whole.
    """
    _check_asked("forecast_scores", fit, split, substeps)
    options = {"substeps": substeps, "tracked": tracked}
    return {
        "train": fit.report(**options),
        "from_last": fit.report(split.test, **options),
        "from_first": fit.report(split.test, start="initial", **options),
    }


def interpolation_scores(
    fit: Fit, split: Split, *, substeps: int = 5, tracked: bool = False
) -> dict[str, Report]:
    """Reports ``"train"`` and ``"test"``.

    Each test snapshot by a rollout restarted at the last training snapshot before it.
    For ``tracked`` see ``Fit.report``.

    Raises:
        TypeError: no fit, no split, or substeps that is not whole.
    """
    _check_asked("interpolation_scores", fit, split, substeps)
    options = {"substeps": substeps, "tracked": tracked}
    return {
        "train": fit.report(**options),
        "test": fit.report(split.test, **options),
    }


def _check_asked(owner: str, fit: Fit, split: Split, substeps: int) -> None:
    instance(owner, "fit", fit, Fit, "a Fit")
    instance(owner, "split", split, Split, "a Split")
    count(owner, "substeps", substeps)


def mean_w1(snapshots: Snapshots, others: Sequence[Snapshots]) -> list[float]:
    """For each snapshot the mean exact $W_1$ to those of ``others`` at its place."""
    return [
        float(
            np.mean(
                [
                    w1(x, other[k], snapshots.weight(k), other.weight(k))
                    for other in others
                ]
            )
        )
        for k, x in enumerate(snapshots)
    ]


def growth_correlation(
    growth: GrowthFlow,
    snapshots: Snapshots,
    rate: Callable[[Float[np.ndarray, "n d"]], Float[np.ndarray, " n"]],
) -> float:
    """Correlation of a learned growth with the true one, over all points.

    Each point counts once, at the time of its snapshot; zero where one of the two is
    the same at all of them.

    Args:
        growth: what was learned.
        snapshots: the points.
        rate: the true growth at points ``(n, d)``, up to its unit.
    """
    rows = zip(snapshots.clouds, snapshots.times, strict=True)
    learned = np.concatenate([growth_field(growth, x, t) for x, t in rows])
    learned = learned.astype(np.float64)
    true = np.asarray(rate(np.concatenate(snapshots.clouds)), np.float64)
    if not (np.ptp(learned) > 0 and np.ptp(true) > 0):
        return 0.0
    return float(np.corrcoef(learned, true)[0, 1])


def noise_floor(
    cloud: Float[np.ndarray, "n d"], *, seed: int = 0, splits: int = 10
) -> float:
    r"""The $W_1$ that two independent samples of n points of one law would have.

    From halves of the cloud, n/2 points each, scaled by $(n/2)^{1/d} / n^{1/d}$ for
    d >= 3 and by $1/\sqrt2$ below, the rate at which empirical measures converge.

    Raises:
        TypeError: points that are no numbers, seed or splits that is not whole.
        ValueError: fewer than four points, or some that are not finite.

    Reference: Fournier, Guillin, Probability Theory and Related Fields 162 (2015).
    """
    half = half_sample_w1(cloud, seed=seed, splits=splits)
    return half * 0.5 ** (1 / max(2, np.shape(cloud)[1]))


def half_sample_floors(snapshots: Snapshots) -> list[float | None]:
    """``half_sample_w1`` of every snapshot, None where it has fewer than four points.

    The noise of a score: a smaller one is as near as another sample would be. The order
    of the points does not matter; large snapshots are split less often.

    Raises:
        TypeError: no snapshots.
    """
    instance("half_sample_floors", "snapshots", snapshots, Snapshots, "Snapshots")
    return [
        half_sample_w1(
            cloud[np.lexsort(cloud.T)],
            splits=int(np.clip(_SPLIT_POINTS // len(cloud), 1, _SPLITS)),
        )
        if len(cloud) >= _FEWEST
        else None
        for cloud in snapshots.clouds
    ]


def half_sample_w1(
    cloud: Float[np.ndarray, "n d"], *, seed: int = 0, splits: int = 10
) -> float:
    r"""Mean $W_1$ between two random halves of the cloud.

    Raises:
        TypeError: points that are no numbers, seed or splits that is not whole.
        ValueError: fewer than four points, or some that are not finite.
    """
    x = to_numpy(cloud, "cloud").astype(np.float64)
    shape("half_sample_w1", "cloud", x, ("n", "d"))
    finite("half_sample_w1", "cloud", x)
    count("half_sample_w1", "seed", seed, 0)
    count("half_sample_w1", "splits", splits)
    if len(x) < _FEWEST:
        raise ValueError(
            f"half_sample_w1: expected a cloud (n, d), n >= 4, found {x.shape}."
        )
    rng = np.random.default_rng(seed)
    half = len(x) // 2
    distances = []
    for _ in range(splits):
        rows = rng.permutation(len(x))
        distances.append(w1(x[rows[:half]], x[rows[half : 2 * half]]))
    return float(np.mean(distances))
