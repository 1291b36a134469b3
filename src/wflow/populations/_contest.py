"""Answers to held-out snapshots, scored in pairs, and the one that is kept."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from wflow.learning.paired import (
    WORDS,
    Chances,
    Difference,
    Drawn,
    Interval,
    Traced,
    Truth,
)


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
            found = case.leading.scores(answer.leading(case.components))
            leading.append(found)
            same = case.leading is case.whole
            whole.append(found.w1 if same else case.whole.w1(answer))
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

    def __str__(self) -> str:
        """A table of scores, in the units of the model."""
        width = max(len(one.name) for one in self.standings) + 2
        head = f"{'W1':>9}{'leading':>9}{'energy':>9}   less than the one that is kept"
        lines = [" " * width + head]
        for one in self.standings:
            numbers = (one.w1.value, one.w1_leading.value, one.energy.value)
            cells = "".join(f"{number:9.4f}" for number in numbers)
            found = self.difference(one.name, self.winner).energy
            apart = f"{found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f})"
            kept = "kept" if one.name == self.winner else apart
            lines.append(f"{one.name:<{width}}{cells}   {kept}")
        return "\n".join(lines)

    def difference(self, name: str, other: str) -> Difference:
        """The distances of one answer less those of another, where it moves."""
        one, base = self[name], self[other]
        return Difference(
            one.w1_leading.minus(base.w1_leading), one.energy.minus(base.energy)
        )

    def sign(self, name: str, other: str) -> int:
        """How one answer stands to another: -1 where it is nearer by both distances."""
        return self.difference(name, other).sign

    def word(self, name: str, other: str) -> str:
        """The same as a verb."""
        return WORDS[self.sign(name, other)]

    @property
    def settled(self) -> bool:
        """Whether nothing is left to explain once it is said that nothing moves.

        Its distance to what was held out is within its noise, so that no other answer
        could be told from it.
        """
        still = self[STILL].energy
        return self.winner == STILL and Interval.of(*still).low <= 0


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
