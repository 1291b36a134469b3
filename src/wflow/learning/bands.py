"""Bands for a statistic of a population: where it is expected, and how sure that is."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Float
from scipy.special import stdtrit

from wflow.checks import (
    count,
    function,
    instance,
    one_of,
    positive,
    shape,
    to_numpy,
    within,
)

from .clock import read_times
from .snapshots import Snapshots


# A number of a cloud (n, d) and of its weights (n,), which sum to its mass.
Statistic = Callable[[np.ndarray, np.ndarray], float]


class Band(NamedTuple):
    """Where a statistic lies at each time, with probability ``level``."""

    times: Float[np.ndarray, " T"]
    center: Float[np.ndarray, " T"]
    low: Float[np.ndarray, " T"]
    high: Float[np.ndarray, " T"]
    level: float


class Part(NamedTuple):
    """One source of error: its variance at each time, known to so many degrees."""

    variance: Float[np.ndarray, " T"]
    degrees: float = np.inf


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    r"""A statistic at several times, its errors independent and added.

    $c \pm t_\nu \sqrt{V}$, $V = \sum_p V_p$, with Student's t of
    $\nu = V^2 / \sum_p V_p^2 / \nu_p$ degrees of freedom.

    Attributes:
        times: of the prediction.
        center: at each time.
        parts: sources of error by name.

    Raises:
        TypeError: parts that are no ``Part``.
        ValueError: times that do not increase; a center or variances that are not as
            many as the times; a variance < 0 or degrees <= 0.

    Reference: Satterthwaite, Biometrics Bulletin 2 (1946).
    """

    times: Float[np.ndarray, " T"]
    center: Float[np.ndarray, " T"]
    parts: Mapping[str, Part]

    def __post_init__(self) -> None:
        times = read_times("Prediction", "times", self.times)
        center = to_numpy(self.center, "center")
        if center.shape != times.shape or np.shape(self.times) != times.shape:
            raise ValueError(
                "Prediction: expected times and center of one shape (T,), found "
                f"{np.shape(self.times)} and {center.shape}."
            )
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "center", center)
        instance(self, "parts", self.parts, Mapping, "a mapping of Part by name")
        for name, part in self.parts.items():
            instance(self, f"parts[{name!r}]", part, Part, "a Part")
            variance = to_numpy(part.variance, f"the variance of parts[{name!r}]")
            shape(self, f"the variance of parts[{name!r}]", variance, times.shape)
            if (variance < 0).any():
                raise ValueError(
                    f"Prediction: expected the variance of parts[{name!r}] >= 0, found "
                    f"{variance.min():g}."
                )
            shape(self, f"the degrees of parts[{name!r}]", part.degrees, ())
            positive(
                self, f"the degrees of parts[{name!r}]", part.degrees, infinite=True
            )

    @property
    def deviation(self) -> Float[np.ndarray, " T"]:
        """The standard deviation of the error at each time."""
        return np.sqrt(self._total)

    def band(self, level: float = 0.9) -> Band:
        """The central band of probability ``level``.

        Raises:
            ValueError: level outside (0, 1).
        """
        shape("band", "level", level, ())
        within("band", "level", level, 0, 1, closed="neither")
        total = self._total
        shares = sum(part.variance**2 / part.degrees for part in self.parts.values())
        certain = (total == 0) | (shares == 0)
        degrees = np.where(certain, np.inf, total**2 / np.where(certain, 1, shares))
        half = stdtrit(degrees, (1 + level) / 2) * np.sqrt(total)
        return Band(
            self.times, self.center, self.center - half, self.center + half, level
        )

    def with_part(self, name: str, part: Part) -> "Prediction":
        """The same with one more source of error."""
        return dataclasses.replace(self, parts={**self.parts, name: part})

    @property
    def _total(self) -> Float[np.ndarray, " T"]:
        return np.sum([part.variance for part in self.parts.values()], axis=0)


def predict(
    clouds: Sequence[Snapshots],
    statistics: Mapping[str, Statistic],
    sizes: int | Sequence[int] | None = None,
    *,
    draws: int = 32,
    seed: int = 0,
) -> dict[str, Prediction]:
    r"""What the clouds of M members of an ensemble say of each statistic.

    The center is their mean; the part ``"members"`` their variance times 1 + 1/M, of
    M - 1 degrees. With ``sizes`` the part ``"sampling"`` is what a statistic varies by
    between samples of so many points of a member's cloud, by resampling it.

    Args:
        clouds: the forecasts of the members, at the same times.
        statistics: by name.
        sizes: numbers of points of the clouds that will be observed, one for all times
            or one each; None is the law itself.
        draws: samples of each member's cloud.
        seed: of the samples.

    Raises:
        ValueError: fewer than two members, or sizes that do not fit the times.
    """
    instance("predict", "clouds", clouds, (list, tuple), "a list of Snapshots")
    for member in clouds:
        instance("predict", "clouds", member, Snapshots, "a list of Snapshots")
    check_statistics("predict", statistics)
    count("predict", "draws", draws, 2)
    count("predict", "seed", seed, 0)
    many = len(clouds)
    if many < 2:
        raise ValueError(
            f"predict: expected clouds of two members at least, found {many}."
        )
    times = clouds[0].times
    if any(not np.array_equal(member.times, times) for member in clouds):
        raise ValueError("predict: expected clouds at the same times, found others.")
    values = {
        name: np.array(
            [_values("predict", "statistics", statistic, member) for member in clouds]
        )
        for name, statistic in statistics.items()
    }
    found = {
        name: Prediction(
            times,
            rows.mean(axis=0),
            {"members": Part(rows.var(axis=0, ddof=1) * (1 + 1 / many), many - 1)},
        )
        for name, rows in values.items()
    }
    if sizes is None:
        return found
    noise = _sampling(clouds, statistics, _sizes(sizes, len(times)), draws, seed)
    return {
        name: prediction.with_part("sampling", Part(noise[name]))
        for name, prediction in found.items()
    }


def evaluated(statistic: Statistic, snapshots: Snapshots) -> Float[np.ndarray, " T"]:
    """The statistic of every snapshot."""
    function("evaluated", "statistic", statistic, "points and weights")
    instance("evaluated", "snapshots", snapshots, Snapshots, "Snapshots")
    return _values("evaluated", "statistic", statistic, snapshots)


def _values(
    owner: str, name: str, statistic: Statistic, snapshots: Snapshots
) -> Float[np.ndarray, " T"]:
    """The same, refused where the statistic does not return one number."""
    found = [
        statistic(cloud, snapshots.weight(k) * snapshots.mass(k))
        for k, cloud in enumerate(snapshots)
    ]
    for value in found:
        if np.shape(value) != ():
            raise ValueError(
                f"{owner}: expected {name} to return one number, found an array of "
                f"shape {np.shape(value)}."
            )
    return to_numpy(found, f"what {name} returns")


def check_statistics(owner: str, statistics: Any) -> None:
    """Refuse what is no mapping of functions by name, or an empty one.

    Raises:
        TypeError: it is none.
        ValueError: it is empty.
    """
    instance(owner, "statistics", statistics, Mapping, "a mapping of functions by name")
    if not statistics:
        raise ValueError(f"{owner}: expected statistics, at least one, found none.")
    for statistic in statistics.values():
        function(owner, "statistics", statistic, "points and weights")


def _sizes(sizes: Any, many: int) -> list[int]:
    one = not hasattr(sizes, "__iter__") or isinstance(sizes, str)
    listed = [sizes] * many if one else list(sizes)
    if len(listed) != many:
        raise ValueError(
            f"predict: expected sizes >= 1 for each of {many} times, found {listed}."
        )
    for size in listed:
        count("predict", "sizes", size)
    return [int(size) for size in listed]


def _sampling(
    clouds: Sequence[Snapshots],
    statistics: Mapping[str, Statistic],
    sizes: Sequence[int],
    draws: int,
    seed: int,
) -> dict[str, Float[np.ndarray, " T"]]:
    """Variance of each statistic over samples, mean over the members."""
    rng = np.random.default_rng(seed)
    variances = {name: np.zeros(len(sizes)) for name in statistics}
    for member in clouds:
        for k, (x, size) in enumerate(zip(member, sizes, strict=True)):
            p = np.asarray(member.weight(k), np.float64)
            counts = rng.multinomial(size, p / p.sum(), size=draws)
            samples = [(x[row > 0], row[row > 0] / size) for row in counts]
            for name, statistic in statistics.items():
                drawn = [statistic(y, w * member.mass(k)) for y, w in samples]
                variances[name][k] += np.var(drawn, ddof=1) / len(clouds)
    return variances


def reweighted(
    snapshots: Snapshots, rng: np.random.Generator, *, rows: bool = False
) -> Snapshots:
    r"""The Bayesian bootstrap: every weight times an exponential random number.

    The weights of n points of one law are then a draw from what these points say of
    it; the mean of a coordinate varies by $s / \sqrt{n + 1}$. No point is lost. Masses
    stay as they are.

    Args:
        snapshots: with or without weights.
        rng: where the numbers come from.
        rows: row i of every snapshot is the same point, and has the same number.

    Raises:
        ValueError: ``rows`` and snapshots of unequal sizes.

    Reference: Rubin, Annals of Statistics 9 (1981).
    """
    instance("reweighted", "snapshots", snapshots, Snapshots, "Snapshots")
    instance("reweighted", "rng", rng, np.random.Generator, "a random generator")
    one_of("reweighted", "rows", rows, (True, False))
    sizes = snapshots.sizes
    if rows and len(set(sizes)) > 1:
        raise ValueError(
            "reweighted: rows that are the same point in every snapshot need snapshots "
            f"of one size, found {min(sizes)} to {max(sizes)}."
        )
    if rows:
        factors = [rng.exponential(size=sizes[0])] * len(sizes)
    else:
        factors = [rng.exponential(size=n) for n in sizes]
    weights: list[ArrayLike] = [
        snapshots.weight(k) * factor for k, factor in enumerate(factors)
    ]
    return Snapshots(
        snapshots.times,
        snapshots.clouds,
        snapshots.velocities,
        weights,
        snapshots.masses,
    )
