"""Which of several models: by a snapshot that none of them was trained on."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from wflow.checks import count as whole
from wflow.checks import function, instance, one_of
from wflow.learning import Fit, Snapshots
from wflow.learning.baselines import all_baselines
from wflow.learning.clock import shown
from wflow.learning.paired import Chances, Traced, verdict
from wflow.learning.result import Start

from ._contest import Case, Contest, Standing
from .protocols import interpolation_split


# Makes a fit of training snapshots; the second argument is the ``dt0`` for it.
Candidate = Callable[[Snapshots, float], Fit]


class Selection(NamedTuple):
    r"""Exact $W_1$ of every candidate to the snapshot held out, and of baselines.

    Attributes:
        winner: name of the candidate that is kept.
        scores: of the candidates by name.
        baselines: scores of what needs no model, by name; the winner may lose to them.
        fits: of the candidates, to the other snapshots.
        time: of the snapshot held out.
        contest: the same scores and energy distances, with their bootstrap.
    """

    winner: str
    scores: dict[str, float]
    baselines: dict[str, float]
    fits: dict[str, Fit]
    time: float
    contest: Contest

    @property
    def verdict(self) -> str:
        """The winner, and how it stands to what needs no model, in a sentence."""
        own = self.scores[self.winner]
        chosen = f"Chosen: {self.winner}, W1 {own:.4g} at time {shown(self.time)}"
        if not self.baselines:
            return f"{chosen}."
        told = {name: self.contest.sign(self.winner, name) for name in self.baselines}
        written = {name: f"{name} ({w1:.4g})" for name, w1 in self.baselines.items()}
        return verdict(f"{chosen}; it", told, written)


def select_model(
    candidates: Mapping[str, Candidate],
    snapshots: Snapshots,
    *,
    held_out: int = -1,
    start: Start = "last_snapshot",
    substeps: int = 5,
) -> Selection:
    """Choose among models by a training snapshot that none of them has seen.

    Every candidate is fitted without it. Give training snapshots only: what a model is
    tested on should not choose it. Of the candidates the first is kept whose energy
    distance is within one standard error of the least, by a bootstrap that is paired:
    a difference that chance makes prefers the simpler one. ``fit_best`` chooses among
    the laws of the library by itself.

    Args:
        candidates: by name, the simplest first, such as ``lambda train, gap: fit(flow,
            train, Rollouts(dt0=gap), steps=400, key=key)``.
        snapshots: the training snapshots.
        held_out: index of the one that decides, not the first; -1 is the last.
        start: predictions begin at the snapshot before it, or at the first one.
        substeps: steps of a prediction in one step of training.

    Raises:
        TypeError: candidates that are no functions, or that return no fit.
        ValueError: no candidate, or an index out of range.
    """
    what = "a mapping of functions by name"
    instance("select_model", "candidates", candidates, Mapping, what)
    if not candidates:
        raise ValueError(
            "select_model: expected at least one candidate in candidates, found none."
        )
    for make in candidates.values():
        function("select_model", "candidates", make, "snapshots and dt0")
    instance("select_model", "snapshots", snapshots, Snapshots, "Snapshots")
    count = len(snapshots)
    whole("select_model", "held_out", held_out, -count)
    one_of("select_model", "start", start, ("last_snapshot", "initial"))
    whole("select_model", "substeps", substeps)
    index = held_out + count if held_out < 0 else held_out
    split = interpolation_split(snapshots, [index])
    fits = {name: make(split.train, split.gap) for name, make in candidates.items()}
    time = float(split.test.times[0])
    k = 0 if start == "initial" else split.train.before(time)
    chances = Chances()
    truth = Traced.of(split.test[0], split.test.weight(0), index)
    cases = [Case.of(truth, time, snapshots.dim, chances)]
    # Baselines and forecasts move the points of one snapshot.
    source = k if k < index else k + 1
    standings = []
    for name, (x, w) in all_baselines(split.train, k, time).items():
        own = count if name == "ot_interpolation" else source
        standings.append(Standing.of(name, [Traced.of(x, w, own)], cases))
    baselines = {one.name: one.w1.value for one in standings}
    for name, fitted in fits.items():
        if not callable(getattr(fitted, "forecast", None)):
            raise TypeError(
                "select_model: expected candidates to return a Fit, found "
                f"{type(fitted).__name__}."
            )
        if start == "initial":
            reached = fitted.forecast([time], start, substeps=substeps)
        else:
            reached = fitted.interpolate(time, substeps=substeps)
        cloud = Traced.of(reached[0], reached.weight(0), source)
        standings.append(Standing.of(name, [cloud], cases, learned=True))
    contest = Contest.of(standings, [time])
    winner = contest.law
    if winner is None:
        raise AssertionError
    scores = {one.name: one.w1.value for one in standings if one.learned}
    return Selection(winner, scores, baselines, fits, time, contest)
