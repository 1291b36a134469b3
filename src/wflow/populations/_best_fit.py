"""What was chosen for a person's snapshots, and what it says."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float, Int, PRNGKeyArray
from scipy.spatial import cKDTree

from wflow.checks import (
    finite,
    shape,
)
from wflow.flows.sums import split_growth
from wflow.learning import Fit, Snapshots
from wflow.learning.clock import read_times, shown
from wflow.learning.matching_paths import AbstractPath
from wflow.learning.paired import Traced
from wflow.measures import Particles
from wflow.parameters.learnable import unwrap

from ._answers import (
    SPLINE,
    STRAIGHT,
    Reach,
    Scene,
    along,
    mean_shift,
    mixed,
    momentum,
    nothing_moves,
)
from ._contest import STILL, Contest
from ._laws import ENERGY, GROWING, NOISY, SECOND, VELOCITY, Matched
from .conversion import Units


# Observed points whose velocities are averaged.
_NEAR = 5

MIXED = "the snapshots before and after, mixed"
LINE, CURVE = "straight lines between neighbors", "a spline through all snapshots"
SHIFT, MOMENTUM = "shift of the mean", "momentum of the last snapshots"
LAWS = {law.name: law for law in (ENERGY, GROWING, VELOCITY, SECOND, NOISY)}
BETWEEN: dict[str, Callable[[Scene], Reach]] = {
    STILL: nothing_moves,
    MIXED: mixed,
    LINE: along(STRAIGHT),
    CURVE: along(SPLINE),
}
BEYOND: dict[str, Callable[[Scene], Reach]] = {
    STILL: nothing_moves,
    SHIFT: mean_shift,
    MOMENTUM: momentum,
}
Question = Literal["between", "beyond"]

WHERE: Mapping[Question, str] = {
    "between": "Between snapshots",
    "beyond": "After the last snapshot",
}


@dataclasses.dataclass(frozen=True, eq=False)
class BestFit:
    """What was chosen, why, and what it says; of ``fit_best``.

    Attributes:
        snapshots: what it was chosen on, in the units of the data.
        between: the contest for times between snapshots; None where there was none.
        beyond: that for times after the last one; likewise.
        components: how many leading coordinates move; the others are those of the cell
            that a point comes from.
        fits: the best law of each question, by question, trained on the leading
            coordinates of every snapshot in the ``units`` of the model; none where
            nothing moves.
        laws: what kind of law each of these is.
        units: of the laws.
        reasons: what was chosen and why, in sentences.
        seconds: that it took.
    """

    snapshots: Snapshots
    between: Contest | None
    beyond: Contest | None
    components: int
    fits: Mapping[Question, Fit]
    laws: Mapping[Question, str]
    units: Units
    reasons: tuple[str, ...]
    seconds: float
    _reaches: Mapping[Question, Reach]
    _matched: Mapping[Question, Matched]
    _known: dict[float, tuple[Traced, float]] = dataclasses.field(default_factory=dict)
    # Growth of single points, as far as it was known, per time of the model.
    _rates: list[Float[np.ndarray, " n"]] | None = None

    @property
    def fit(self) -> Fit | None:
        """The law between snapshots, or else beyond them; None where nothing moves."""
        return next(iter(self.fits.values()), None)

    @property
    def moves(self) -> bool:
        """Whether anything was found to move."""
        return bool(self.fits)

    def forecast(self, times: Float[ArrayLike, " T"]) -> Snapshots:
        """The population at ``times``, increasing, from the first snapshot's on.

        Between two snapshots it starts from both of them, beyond the last from that.

        Raises:
            TypeError: times that are no numbers.
            ValueError: times not finite, not increasing or before the first snapshot.
        """
        times = read_times("forecast", "times", times)
        first = self.snapshots.times[0]
        if times[0] < first:
            raise ValueError(
                f"forecast: expected times from {shown(first, times[0])} on, that of "
                f"the first snapshot, found {shown(times[0], first)}."
            )
        found = [self._at(float(time)) for time in times]
        clouds = [self.traced(float(time)).x for time in times]
        dtype = self.snapshots.dtype
        known = self.snapshots.masses is not None
        return Snapshots(
            times,
            [x.astype(dtype) for x in clouds],
            None,
            [cloud.w for cloud, _ in found],
            [mass for _, mass in found] if known else None,
        )

    def origins(
        self, time: float
    ) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """For each point of ``forecast([time])`` its snapshot, and its row there."""
        cloud, _ = self._at(float(time))
        return cloud.source, cloud.row

    def traced(self, time: float) -> Traced:
        """``forecast([time])`` and ``origins(time)`` in one."""
        cloud, _ = self._at(float(time))
        return cloud._replace(x=cloud.x * self.units.std + self.units.mean)

    def velocity(
        self, points: Float[ArrayLike, "n d"], time: float
    ) -> Float[np.ndarray, "n d"]:
        """Velocities of the law at points of the data, zero where nothing moves.

        Of a law of second order whose velocities were observed the mean of those of the
        nearest points, in the snapshots before and after, by how near these are in
        time.
        """
        x = np.asarray(points, np.float64)
        shape("velocity", "points", x, ("n", self.snapshots.dim))
        finite("velocity", "points", x)
        found = np.zeros_like(x)
        if self.fit is None:
            return found
        lead = self.components
        inner = (x - self.units.mean) / self.units.std
        t = self.units.to_model_time(float(time))
        law = Particles.from_samples(jnp.asarray(inner[:, :lead], jnp.float32))
        if self.fit.kinetic and self.fit.correction is None:
            seen = self.fit.snapshots
            given = [self.fit.start(k).velocity(0) for k in range(len(seen))]
            rate = observed_velocity(seen, given, inner[:, :lead], t)
        elif self.fit.kinetic:
            field: Any = self.fit.correction
            rate = field(law.x, jnp.asarray(t, law.x.dtype))
        else:
            rate = unwrap(self.fit.flow).velocity(law, jnp.asarray(t, law.x.dtype))[0]
        found[:, :lead] = np.asarray(rate) * self.units.std[:lead] / self.units.unit
        return found

    def growth(
        self, points: Float[ArrayLike, "n d"], time: float
    ) -> Float[np.ndarray, " n"] | None:
        """Growth per time at points of the data; None where the law has none."""
        if self.fit is None:
            return None
        rate = split_growth(self.fit.flow)[1]
        if rate is None:
            return None
        x = np.asarray(points, np.float64)
        lead = self.components
        inner = (x - self.units.mean) / self.units.std
        t = jnp.asarray(self.units.to_model_time(float(time)), jnp.float32)
        places = jnp.asarray(inner[:, :lead], jnp.float32)
        return np.asarray(unwrap(rate).rates(places, t)) / self.units.unit

    def _at(self, time: float) -> tuple[Traced, float]:
        """The population in the model's units, and its mass in those of the data."""
        if time not in self._known:
            self._known[time] = self._reached(time)
        return self._known[time]

    def _reached(self, time: float) -> tuple[Traced, float]:
        inner = self.units.to_model_time(time)
        question = "between" if time <= self.snapshots.times[-1] else "beyond"
        matched = self._matched.get(question)
        if matched is not None:
            return matched.reach(inner)
        cloud = self._reaches[question](inner)
        return cloud, _mass(self.snapshots, time)

    def __str__(self) -> str:
        """What was chosen and why, and the scores of all answers."""
        lines = list(self.reasons)
        for question, contest in (("between", self.between), ("beyond", self.beyond)):
            if contest is not None:
                lines += ["", f"{WHERE[question]}:", str(contest)]
        return "\n".join(lines)


def matched_again(best: BestFit, scene: Scene, key: PRNGKeyArray) -> Matched:
    """The law of ``best.fit``, of which there is one, matched to other clouds."""
    question, fitted = next(iter(best.fits.items()))
    return Matched.to(
        LAWS[best.laws[question]],
        scene,
        between=question == "between",
        path=path_of(question, getattr(best, question)),
        steps=len(fitted.history["step"]),
        padding=len(best.snapshots),
        key=key,
    )


def path_of(question: Question, contest: Contest | None) -> AbstractPath | None:
    """What pairs follow between snapshots; None where that is found out."""
    if question == "beyond" or contest is None:
        return None
    curved = contest[CURVE].energy.value < contest[LINE].energy.value
    return SPLINE if curved else STRAIGHT


def observed_velocity(
    snapshots: Snapshots,
    velocities: Sequence[Float[ArrayLike, "n d"]],
    x: Float[np.ndarray, "m d"],
    time: float,
) -> Float[np.ndarray, "m d"]:
    """Velocities of the points of ``snapshots`` that are nearest in place and time."""
    last = len(snapshots) - 1
    k = int(np.searchsorted(snapshots.times, time, side="right")) - 1
    k = min(max(k, 0), last - 1)
    before, after = snapshots.times[k : k + 2]
    share = float(np.clip((time - before) / (after - before), 0, 1))
    found = np.zeros_like(x)
    for index, weight in ((k, 1 - share), (k + 1, share)):
        given = np.asarray(velocities[index], np.float64)
        most = min(_NEAR, len(given))
        _, near = cKDTree(snapshots[index]).query(x, np.arange(1, most + 1))
        found += weight * given[near].mean(axis=1)
    return found


def _mass(snapshots: Snapshots, time: float) -> float:
    """Of a population that multiplies evenly between snapshots, and then no more."""
    if snapshots.masses is None:
        return 1.0
    return float(np.exp(np.interp(time, snapshots.times, np.log(snapshots.masses))))
