"""Answers to held-out snapshots, scored in pairs, and the one that is kept."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wflow.learning.paired import WORDS, Chances, Drawn, Interval, Traced, Truth


# The answer that every other one has to beat.
STILL = "nothing moves"


class Case(NamedTuple):
    """A snapshot that was held out.

    Attributes:
        time: when.
        whole: the truth in all coordinates.
        leading: in those that move; the same object where they are all.
        components: how many these are.
    """

    time: float
    whole: Truth
    leading: Truth
    components: int

    @classmethod
    def of(
        cls, truth: Traced, time: float, components: int, chances: Chances
    ) -> "Case":
        """Of the observed cloud, its rows traced."""
        whole = Truth(truth, chances)
        if components >= truth.x.shape[1]:
            return cls(time, whole, whole, components)
        return cls(time, whole, Truth(truth.leading(components), chances), components)


@dataclasses.dataclass(frozen=True, eq=False)
class Standing:
    """An answer and its mean scores over the hold-outs.

    Attributes:
        name: in words.
        learned: whether it was trained.
        w1: exact, in all coordinates.
        w1_leading: in the coordinates that move.
        energy: the energy distance in these, without bias; what is chosen by.
        seconds: that it took.
    """

    name: str
    learned: bool
    w1: Drawn
    w1_leading: Drawn
    energy: Drawn
    seconds: float

    @classmethod
    def of(
        cls,
        name: str,
        answers: Sequence[Traced],
        cases: Sequence[Case],
        *,
        learned: bool = False,
        seconds: float = 0.0,
    ) -> "Standing":
        """Score one answer for each case."""
        whole, leading = [], []
        for answer, case in zip(answers, cases, strict=True):
            found = case.whole.scores(answer)
            whole.append(found.w1)
            if case.leading is not case.whole:
                found = case.leading.scores(answer.leading(case.components))
            leading.append(found)
        return cls(
            name,
            learned,
            Drawn.mean(whole),
            Drawn.mean([found.w1 for found in leading]),
            Drawn.mean([found.energy for found in leading]),
            seconds,
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Contest:
    """Which answer is kept, and why.

    Attributes:
        standings: the simplest first.
        times: that were held out.
        winner: the name of the answer that is kept.
    """

    standings: tuple[Standing, ...]
    times: tuple[float, ...]
    winner: str

    @classmethod
    def of(cls, standings: Sequence[Standing], times: Sequence[float]) -> "Contest":
        r"""Keep the simplest answer that is not worse than the best by its noise.

        What says that nothing moves is kept where no other answer is better with a
        confidence of 95 %; of the others the first within one standard error of the
        best.
        """
        winner = _kept(standings)
        return cls(tuple(standings), tuple(times), winner)

    def __getitem__(self, name: str) -> Standing:
        return next(s for s in self.standings if s.name == name)

    @property
    def law(self) -> str | None:
        """The best law, whether it is kept or not; None where none was trained."""
        learned = [s for s in self.standings if s.learned]
        return _first_of_best(learned).name if learned else None

    def difference(self, name: str, other: str) -> Interval:
        """The energy distance of one answer less that of another."""
        return self[name].energy.minus(self[other].energy)

    def word(self, name: str, other: str) -> str:
        """How one answer stands to another: the verb that the interval allows."""
        return WORDS[self.difference(name, other).sign]


def _first_of_best(standings: Sequence[Standing]) -> Standing:
    """The first that is within one standard error of the best."""
    best = min(standings, key=lambda s: s.energy.value)
    for one in standings:
        found = one.energy.minus(best.energy)
        if found.value <= found.error:
            return one
    return best


def _kept(standings: Sequence[Standing]) -> str:
    still = [s for s in standings if s.name == STILL]
    if still:
        signs = [s.energy.minus(still[0].energy).sign for s in standings]
        if min(signs) >= 0:
            return STILL
    return _first_of_best([s for s in standings if s.name != STILL]).name


def median_gap(times: np.ndarray) -> float:
    """Of times, two at least."""
    return float(np.median(np.diff(times)))
