"""Answers to the same snapshots side by side, and what their scores are worth."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from wflow.learning.paired import Interval

from ._contest import Standing


MIDPOINT, SHIFT = "OT midpoint", "shift of the mean"
BEFORE, FIRST, BOTH = "the one before", "the first", "both sides"
# How answers are chosen.
BLIND, PEEKED = "chosen blind", "best epoch: the truth chose it"
# Halves of the truth are at the distance of an answer that is as near as this.
_NEAR = 0.1


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """An answer on the board.

    Attributes:
        standing: its mean scores.
        start: which snapshots it starts from.
        each: exact $W_1$ to each snapshot.
        remark: how it was chosen, where it was.
        mass: largest relative error of the mass; None where it says nothing of it.
    """

    standing: Standing
    start: str
    each: tuple[float, ...]
    remark: str = ""
    mass: float | None = None

    @property
    def name(self) -> str:
        """The answer in words."""
        return self.standing.name


@dataclasses.dataclass(frozen=True, eq=False)
class Board:
    """Answers to the same snapshots; ``print(board)`` is a table in Markdown.

    Attributes:
        rows: what needs no model first.
        times: of the snapshots that were asked for.
        floors: for each the $W_1$ that two samples of its size would have.
        halves: for each that of two random halves of it.
        held_out: whether each was left out of the training; else another sample of the
            same times trained.
    """

    rows: tuple[Row, ...]
    times: tuple[float, ...]
    floors: tuple[float, ...]
    halves: tuple[float, ...]
    held_out: bool

    def find(self, name: str, start: str | None = None, remark: str = "") -> Row:
        """The row of an answer.

        Raises:
            KeyError: there is none.
        """
        for row in self.rows:
            wanted = row.name == name and row.remark == remark
            if wanted and start in (None, row.start):
                return row
        raise KeyError(name)

    @property
    def blind(self) -> Row:
        """The answer that training snapshots alone chose."""
        return next(row for row in self.rows if row.remark == BLIND)

    @property
    def baseline(self) -> Row:
        """What every answer has to beat: of those without a model the nearest."""
        free = [row for row in self.rows if not row.standing.learned]
        return min(free, key=lambda row: row.standing.w1.value)

    def above(self, row: Row) -> float:
        """The mean $W_1$ of an answer less that of two samples of the truth."""
        return row.standing.w1.value - float(np.mean(self.floors))

    @property
    def saturated(self) -> bool:
        """Whether an answer without a model is as near as two halves of the truth."""
        halves = float(np.mean(self.halves))
        return self.baseline.standing.w1.value <= (1 + _NEAR) * halves

    @property
    def verdict(self) -> str:
        """What the scores are worth, in sentences."""
        own, free = self.blind, self.baseline
        halves = float(np.mean(self.halves))
        found = own.standing.w1.minus(free.standing.w1)
        energy = own.standing.energy.minus(free.standing.energy)
        same = found.sign if found.sign == energy.sign else 0
        word = {-1: "is nearer than", 0: "cannot be told from", 1: "loses to"}[same]
        said = f"What was chosen blind ({own.standing.w1.value:.4g}) {word} the best "
        said += f"of what needs no model, {free.name} ({free.standing.w1.value:.4g})."
        if self.saturated:
            said += (
                f" That lies at the distance of two halves of the truth ({halves:.4g}):"
                " $W_1$ says how large the sample is here, and little of any law. Read "
                "the energy distance, whose noise has no bias."
            )
        return said

    def __str__(self) -> str:
        masses = any(row.mass is not None for row in self.rows)
        free = self.baseline
        head = ["answer", "starts from", *map("t = {:g}".format, self.times)]
        head += ["W1", "above the floor", "energy distance"]
        head += [f"W1 less that of {free.name} (95 %)", "energy likewise"]
        head += ["mass"] * masses
        lines = [_line(head), "|" + "---|" * len(head)]
        for row in self.rows:
            one = row.standing
            name = row.name + f" ({row.remark})" * bool(row.remark)
            cells = [name, row.start, *map(_number, row.each)]
            cells += [_number(one.w1.value), f"{self.above(row):+.3g}"]
            cells.append(_number(one.energy.value))
            differences = ["", ""]
            if row is not free:
                differences = [
                    _interval(one.w1.minus(free.standing.w1)),
                    _interval(one.energy.minus(free.standing.energy)),
                ]
            known = row.mass is not None
            cells += [*differences, *[_number(row.mass) if known else ""] * masses]
            lines.append(_line(cells))
        blank = [""] * (2 + masses)
        for name, floor in (
            ("two samples of the truth", self.floors),
            ("two halves of the truth", self.halves),
        ):
            mean = float(np.mean(floor))
            apart = mean - float(np.mean(self.floors))
            cells = [name, "", *map(_number, floor), _number(mean), f"{apart:+.3g}"]
            lines.append(_line([*cells, "0", *blank]))
        return "\n".join([*lines, "", self.verdict])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _interval(found: Interval) -> str:
    return f"{found.value:+.3g} ({found.low:+.3g} to {found.high:+.3g})"
