"""Which of several models: by a snapshot that none of them was trained on."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from wflow.checks import count as whole
from wflow.checks import function, instance, one_of
from wflow.learning import Fit, Snapshots
from wflow.learning.clock import shown
from wflow.learning.report import Report
from wflow.learning.result import Start

from .protocols import interpolation_split


# Makes a fit of training snapshots; the second argument is the ``dt0`` for it.
Candidate = Callable[[Snapshots, float], Fit]


class Selection(NamedTuple):
    r"""Exact $W_1$ of every candidate to the snapshot held out, and of baselines.

    Attributes:
        winner: name of the candidate with the lowest score.
        scores: of the candidates by name.
        baselines: scores of what needs no model, by name; the winner may lose to them.
        fits: of the candidates, to the other snapshots.
        time: of the snapshot held out.
    """

    winner: str
    scores: dict[str, float]
    baselines: dict[str, float]
    fits: dict[str, Fit]
    time: float

    @property
    def verdict(self) -> str:
        """The winner, and the best of what needs no model, in a sentence."""
        own = self.scores[self.winner]
        chosen = f"Chosen: {self.winner}, W1 {own:.4g} at time {shown(self.time)}"
        if not self.baselines:
            return f"{chosen}."
        best = min(self.baselines, key=self.baselines.__getitem__)
        beats = "beats" if own < self.baselines[best] else "loses to"
        return f"{chosen}; it {beats} {best} ({self.baselines[best]:.4g})."


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
    tested on should not choose it. The scores of one snapshot have its sampling noise
    in them, see ``noise_floor``: differences below it say nothing.

    Args:
        candidates: by name, such as ``lambda train, gap: fit(flow, train,
            Rollouts(dt0=gap), steps=400, key=key)``.
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
    for found in fits.values():
        if not callable(getattr(found, "report", None)):
            raise TypeError(
                "select_model: expected candidates to return a Fit, found "
                f"{type(found).__name__}."
            )
    reports: dict[str, Report] = {
        name: fitted.report(split.test, start=start, substeps=substeps)
        for name, fitted in fits.items()
    }
    scores = {name: report.model for name, report in reports.items()}
    baselines = dict(next(iter(reports.values())).means)
    del baselines["model"]
    winner = min(scores, key=scores.__getitem__)
    return Selection(winner, scores, baselines, fits, float(snapshots.times[index]))
