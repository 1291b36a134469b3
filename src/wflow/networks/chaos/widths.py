"""How far networks of finite width are from their limit, over widths and seeds."""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import (
    count,
    increasing,
    instance,
    non_negative,
    positive,
    shape,
    within,
)
from wflow.measures import Particles
from wflow.solvers import solve

from .conditions import bound_exponent, verdict
from .student import Student


# Neurons that are moved at once.
_CHUNK = 2**16
# Of their mean: what seeds differ by that are the same but for rounding.
_ALIKE = 1e-6


class Report(NamedTuple):
    r"""What a study of widths found.

    Attributes:
        widths: m, increasing.
        times: ``(T,)``.
        mean: $e_m(t)$, mean over seeds of the squared gap, ``(widths, T)``.
        error: its standard error.
        sup: $\sup_t e_m(t)$.
        slope: least squares of log sup on log m.
        interval: its 95 % interval, seeds resampled.
        sups: resampled suprema, ``(resamples, widths)``.
        loss: of the limit, ``(T,)``, where it is known.
    """

    widths: np.ndarray
    times: np.ndarray
    mean: np.ndarray
    error: np.ndarray
    sup: np.ndarray
    slope: float
    interval: tuple[float, float]
    sups: np.ndarray
    loss: np.ndarray | None = None

    @property
    def amplification(self) -> np.ndarray:
        r"""How much the error of every width grew, $\sup_t e_m(t) / e_m(0)$."""
        return self.sup / self.mean[:, 0]

    @property
    def slope_error(self) -> float:
        """Standard error of the slope, from its interval."""
        return (self.interval[1] - self.interval[0]) / 3.92

    @property
    def flattens(self) -> bool:
        """Whether the last widths fall by less than half of what the first ones did.

        Beyond three standard errors, seeds resampled.
        """
        if len(self.widths) < 3:
            return False
        logs = np.log(np.concatenate([self.sup[None], self.sups]))
        slopes = np.diff(logs, axis=1) / np.diff(np.log(self.widths))
        excess = slopes[:, -1] - slopes[:, :-1].mean(axis=1) / 2
        return bool(excess[0] > 3 * excess[1:].std())

    def verdict(self, decay: float) -> str:
        """Whether the slope is what the theorem allows for a loss like t^-decay."""
        return verdict(self.slope, self.slope_error, decay)

    def bound(self, decay: float) -> np.ndarray:
        r"""The theorem's $m^{-\min(1, c/6)}$ through the least width's supremum."""
        return self.sup[0] * (self.widths / self.widths[0]) ** -bound_exponent(decay)

    def width_for(self, gap: float, confidence: float = 0.95) -> tuple[int, bool]:
        """A width whose supremum is at most ``gap``, and whether it is extrapolated.

        From $S(m) = B/m$, with B at the quantile ``confidence`` of the resamples.
        """
        shape("width_for", "gap", gap, ())
        positive("width_for", "gap", gap)
        within("width_for", "confidence", confidence, 0, 1)
        scale = np.quantile(np.mean(self.sups * self.widths, axis=1), confidence)
        width = int(np.ceil(scale / gap))
        return width, not self.widths[0] <= width <= self.widths[-1]


def study_widths(
    student: Student,
    widths: Sequence[int],
    seeds: int | Sequence[int],
    times: Float[ArrayLike, " T"],
    *,
    limit: Any,
    key: PRNGKeyArray,
    resamples: int = 1000,
    **options: Any,
) -> Report:
    """How far networks of several widths are from the limit, over seeds and times.

    Their squared gaps to the mean field.

    Args:
        student: what learns.
        widths: increasing.
        seeds: networks for every width, or for each.
        times: saved times, from 0; they should hold the escape from saddles.
        limit: the start of the limit: a Gaussian, or Particles for a reference network
            of M neurons; its share 1/M of the gap is then divided out.
        key: of starts, noise and resampling.
        resamples: of seeds, for the interval.
        options: of ``wflow.solve``.

    Raises:
        ValueError: widths or times out of order, times that do not start at 0, or a
            reference narrower than four times the largest width.

    Warns:
        UserWarning: the supremum stops to fall at the largest width.
    """
    instance("study_widths", "student", student, Student, "a Student")
    count("study_widths", "resamples", resamples)
    times = check_grid(times)
    counts = check_widths(widths, seeds, limit)
    of_starts, of_limit, of_resamples = jax.random.split(key, 3)
    reference = follow(student, limit, times, key=of_limit, **options).measures
    gaps = []
    for m, number in zip(widths, counts, strict=True):
        keys = jax.random.split(jax.random.fold_in(of_starts, m), number)
        found = _gaps(student, m, reference, times, keys, options)
        if isinstance(limit, Particles):
            found = found / (1 + m / limit.n)
        gaps.append(np.asarray(found))
    loss = np.asarray(jax.vmap(student.risk.loss)(reference))
    report = summarize(widths, times, gaps, key=of_resamples, resamples=resamples)
    report = report._replace(loss=loss)
    if report.flattens:
        warnings.warn(
            f"study_widths: from m = {widths[-2]} to {widths[-1]} the supremum falls "
            "far less than before; the reference, or the solver's tolerance, may hide "
            "the rest.",
            stacklevel=2,
        )
    return report


def follow(
    student: Student, start: Any, times: Float[ArrayLike, " T"], **options: Any
) -> Any:
    """One network, or the limit, along its flow.

    Args:
        student: what learns.
        start: a measure, or the limit's.
        times: saved, from 0, increasing.
        options: of ``wflow.solve``.

    Raises:
        TypeError: no student.
        ValueError: times that do not start at 0 and increase.
    """
    instance("follow", "student", student, Student, "a Student")
    check_grid(times, "follow")
    flow = student.flow(start)
    if not isinstance(start, Particles):
        # A limit on a Gaussian has no noise: neither key nor fixed steps.
        options = {k: v for k, v in options.items() if k not in ("key", "dt0")}
    return solve(flow, start, times[0], times[-1], times=times, **options)


def _gaps(
    student: Student,
    m: int,
    reference: Any,
    times: np.ndarray,
    keys: PRNGKeyArray,
    options: dict[str, Any],
) -> Float[Array, "seeds T"]:
    chunk = max(1, min(len(keys), _CHUNK // m))
    pieces = [keys[k : k + chunk] for k in range(0, len(keys), chunk)]
    grid = tuple(times.tolist())
    return jnp.concatenate(
        [_some_gaps(piece, student, reference, m, grid, options) for piece in pieces]
    )


@eqx.filter_jit
def _some_gaps(
    keys: PRNGKeyArray,
    student: Student,
    reference: Any,
    m: int,
    grid: tuple[float, ...],
    options: dict[str, Any],
) -> Float[Array, "seeds T"]:
    def one(key: PRNGKeyArray) -> Array:
        of_start, of_noise = jax.random.split(key)
        start = student.network(of_start, m)
        moved = follow(student, start, np.asarray(grid), key=of_noise, **options)
        return jax.vmap(student.risk.gap)(moved.measures, reference)

    return jax.vmap(one)(keys)


def summarize(
    widths: Sequence[int],
    times: Float[ArrayLike, " T"],
    gaps: Sequence[Float[ArrayLike, "seeds T"]],
    *,
    key: PRNGKeyArray,
    resamples: int = 1000,
) -> Report:
    """The report of squared gaps, ``(seeds, T)`` for every width.

    Args:
        widths: m, two or more, increasing.
        times: ``(T,)``, increasing.
        gaps: for every width ``(seeds, T)`` squared gaps of two seeds or more.
        key: of the resampling.
        resamples: of seeds, for the interval.

    Raises:
        ValueError: arguments of other shapes or ranges, or seeds of a width that are
            all alike, from which no interval can be told.
    """
    shape("summarize", "times", times, ("T",))
    increasing("summarize", "times", times)
    count("summarize", "resamples", resamples)
    m = np.asarray(widths)
    gaps = [np.asarray(gap) for gap in gaps]
    check_widths(widths, [len(gap) for gap in gaps], None, "summarize")
    for width, gap in zip(widths, gaps, strict=True):
        shape("summarize", "gaps", gap, ("seeds", len(times)))
        non_negative("summarize", "gaps", gap)
        if not (gap.std(axis=0) > _ALIKE * gap.mean(axis=0)).any():
            raise ValueError(
                f"summarize: expected gaps that differ from seed to seed, found the "
                f"{len(gap)} seeds of width {width} identical; draw them with other "
                "keys."
            )
    mean = np.stack([gap.mean(axis=0) for gap in gaps])
    error = np.stack([gap.std(axis=0) / len(gap) ** 0.5 for gap in gaps])
    sups = np.stack(
        [
            _resampled(jax.random.fold_in(key, k), gap, resamples)
            for k, gap in enumerate(gaps)
        ],
        axis=1,
    )
    slopes = np.polyfit(np.log(m), np.log(sups).T, 1)[0]
    low, high = np.quantile(slopes, [0.025, 0.975])
    sup = mean.max(axis=1)
    slope = float(np.polyfit(np.log(m), np.log(sup), 1)[0])
    return Report(
        m, np.asarray(times), mean, error, sup, slope, (float(low), float(high)), sups
    )


def _resampled(key: PRNGKeyArray, gap: np.ndarray, resamples: int) -> np.ndarray:
    """Suprema of the means of seeds drawn again, ``(resamples,)``."""
    n = len(gap)
    drawn = np.asarray(jax.random.randint(key, (resamples, n), 0, n))
    counts = np.stack([np.bincount(row, minlength=n) for row in drawn])
    return (counts @ gap / n).max(axis=1)


def check_grid(times: ArrayLike, owner: str = "study_widths") -> np.ndarray:
    """Times from 0 in order.

    Raises:
        ValueError: they are not.
    """
    shape(owner, "times", times, ("T",))
    increasing(owner, "times", times)
    grid = np.asarray(times, float)
    if len(grid) < 2 or grid[0] != 0:
        raise ValueError(
            f"{owner}: expected times to be two or more that start at 0, found "
            f"{grid[:8].tolist()}{'...' if len(grid) > 8 else ''}."
        )
    return grid


def check_widths(
    widths: Sequence[int],
    seeds: int | Sequence[int],
    limit: Any,
    owner: str = "study_widths",
) -> list[int]:
    """The number of seeds of each width, of widths that a slope can be fitted through.

    Raises:
        ValueError: fewer than two, below 1, out of order, not one number of seeds each,
            or too wide for the reference.
    """
    shape(owner, "widths", widths, ("W",))
    for m in widths:
        count(owner, "widths", m)
    increasing(owner, "widths", widths)
    if len(widths) < 2:
        raise ValueError(
            f"{owner}: expected widths to be two or more, found {list(widths)}."
        )
    counts = list(seeds) if np.ndim(seeds) else [seeds] * len(widths)
    for number in counts:
        count(owner, "seeds", number, least=2)
    if len(counts) != len(widths):
        raise ValueError(
            f"{owner}: expected seeds for each of {len(widths)} widths, found "
            f"{len(counts)} numbers of them."
        )
    if isinstance(limit, Particles) and limit.n < 4 * widths[-1]:
        raise ValueError(
            f"{owner}: expected limit to be a reference of at least 4 x {widths[-1]} "
            f"neurons, found {limit.n}; it would hide the slope."
        )
    return counts
