"""The protocols of the field on one set of snapshots, and what scores are worth."""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from wflow.checks import count, function, instance, random_key
from wflow.learning import (
    ExactOT,
    Fit,
    Snapshots,
    SplinePath,
    TravelingDirac,
    WassersteinFisherRao,
)
from wflow.learning.baselines import mean_shift, ot_interpolation
from wflow.learning.couplings import spread
from wflow.learning.matching_parts import growing
from wflow.learning.paired import Chances, Drawn, Traced
from wflow.learning.pairs import masses as masses_at
from wflow.learning.path_choice import chosen_path, path_errors
from wflow.transport.exact import displacement_interpolation

from ._contest import STILL, Case, Standing
from ._laws import ENERGY, GROWING, SECOND, VELOCITY, Law, carried
from ._standings import (
    BEFORE,
    BLIND,
    BOTH,
    FIRST,
    MIDPOINT,
    PEEKED,
    SHIFT,
    Board,
    Row,
)
from .conversion import Units
from .leave_one_out import Cloud, HoldOut, checked_cloud, hold_outs, reach
from .scores import half_sample_w1, noise_floor


# Scores of a training that are looked at for its best epoch.
_EPOCHS = 20
# From the training snapshots of a hold-out, points and weights at its time.
Answer = Callable[[HoldOut], Cloud]


def board(
    snapshots: Snapshots,
    *,
    key: PRNGKeyArray,
    test: Snapshots | None = None,
    steps: int = 1000,
    others: Mapping[str, Answer] | None = None,
) -> Board:
    """Score the laws of the library as the field does, and say what the scores mean.

    Each inner snapshot is held out in turn and reached by what needs no model and by
    laws that are matched to the others: from the snapshot before, from the first one,
    and from both sides, by a law of time as it runs and one of reversed time. One
    answer is chosen blind: second order where a spline through the training snapshots
    meets the inner ones better than lines do, else first order; with growth, of first
    order, where masses change and paths that carry them meet the inner ones better than
    either; from both sides, with the parameters of the best step by pairs kept out of
    training. Beside it stands the same training at the epoch that the held-out
    snapshot likes best, which is how many published figures are chosen and no forecast.

    With ``test``, another sample of the same times, all snapshots train and nothing is
    held out: each test snapshot is reached from the test snapshot before.

    Beside $W_1$ stand what it is above the distance of two samples of the truth (the
    floor), the unbiased energy distance, and paired 95 % intervals of the difference to
    the best answer without a model.

    Args:
        snapshots: three at least, two with ``test``; with ``masses``, laws have growth
            and the largest error of the mass is shown.
        key: random key.
        test: snapshots at the same times that nothing is trained on.
        steps: of each training.
        others: further answers by name, from the hold-out to points and weights in the
            units of the data; not with ``test``.

    Raises:
        TypeError: an argument of another kind.
        ValueError: too few snapshots, or a test at other times.

    Reference: Tong et al., ICML 2020 (each snapshot left out); Koshizuka and Sato, ICLR
    2023 (another sample of the same times).
    """
    instance("board", "snapshots", snapshots, Snapshots, "Snapshots")
    key = random_key("board", "key", key)
    count("board", "steps", steps)
    others = {} if others is None else others
    instance("board", "others", others, Mapping, "functions by name")
    for answer in others.values():
        function("board", "others", answer, "a HoldOut")
    clock = _clock(snapshots)
    train = clock.to_model(_still(snapshots))
    if test is None:
        return _left_out(train, key, steps, others)
    instance("board", "test", test, Snapshots, "Snapshots")
    if len(snapshots) < 2 or not np.array_equal(test.times, snapshots.times):
        raise ValueError(
            "board: expected test with the times of snapshots, two at least."
        )
    if test.dim != snapshots.dim:
        raise ValueError(
            f"board: expected test of dimension {snapshots.dim}, found {test.dim}."
        )
    if others:
        raise ValueError("board: expected no others beside test.")
    return _tested(train, clock.to_model(_still(test)), key, steps)


def _clock(snapshots: Snapshots) -> Units:
    """The coordinates of the data, the median gap as the unit of time."""
    times = snapshots.times
    gap = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    return Units.of(
        snapshots, standardize=False, origin=float(times[0]), unit=gap, dtype="float32"
    )


def _still(snapshots: Snapshots) -> Snapshots:
    """Without velocities: the protocols know none."""
    s = snapshots
    return Snapshots(s.times, s.clouds, None, s.weights, s.masses)


def _laws(snapshots: Snapshots) -> list[Law]:
    first = [GROWING] if growing(snapshots) else []
    return [ENERGY, VELOCITY, *first, SECOND]


class _Asked:
    """Answers to the same cases, scored."""

    def __init__(self, truths: Snapshots, sources: Sequence[int], *, held_out: bool):
        self.truths, self.held_out = truths, held_out
        chances = Chances()
        self.cases = [
            Case.of(
                Traced.of(truths[k], truths.weight(k), source),
                float(truths.times[k]),
                truths.dim,
                chances,
            )
            for k, source in enumerate(sources)
        ]
        self.rows: list[Row] = []

    def add(
        self,
        name: str,
        start: str,
        answers: Sequence[Traced],
        *,
        learned: bool = False,
        remark: str = "",
        masses: Sequence[float] | None = None,
    ) -> None:
        scores = [
            Standing.of(name, [answer], [case], learned=learned)
            for answer, case in zip(answers, self.cases, strict=True)
        ]
        of = ("w1", "w1_leading", "energy")
        means = {key: Drawn.mean([getattr(one, key) for one in scores]) for key in of}
        pooled = dataclasses.replace(scores[0], **means)
        each = tuple(one.w1.value for one in scores)
        mass = None
        if masses is not None:
            truth = [self.truths.mass(k) for k in range(len(self.truths))]
            mass = float(np.max(np.abs(np.divide(masses, truth) - 1)))
        self.rows.append(Row(pooled, start, each, remark, mass))

    def board(self) -> Board:
        clouds = self.truths.clouds
        times = tuple(map(float, self.truths.times))
        floors = tuple(noise_floor(x) for x in clouds)
        halves = tuple(half_sample_w1(x) for x in clouds)
        return Board(tuple(self.rows), times, floors, halves, self.held_out)


@dataclasses.dataclass
class _Reached:
    """What one kind of law answers to one hold-out."""

    both: Cloud
    before: Cloud
    first: Cloud
    epochs: list[Cloud]
    masses: tuple[float, float, float]


def _left_out(
    snapshots: Snapshots, key: PRNGKeyArray, steps: int, others: Mapping[str, Answer]
) -> Board:
    held_out = hold_outs(snapshots)
    total = len(snapshots)
    inner = [held.index for held in held_out]
    asked = _Asked(snapshots.take(inner), inner, held_out=True)
    stays = [Traced.of(h.train[h.index - 1], _w(h), h.index - 1) for h in held_out]
    asked.add(STILL, BEFORE, stays)
    # No point between two clouds is one of a snapshot: it has chances of its own.
    fresh = itertools.count(total)

    def trace(clouds: Sequence[Cloud]) -> list[Traced]:
        return [Traced.of(x, w, next(fresh)) for x, w in clouds]

    middles = [ot_interpolation(h.train, h.index - 1, h.time) for h in held_out]
    asked.add(MIDPOINT, BOTH, trace(middles))
    for name, answer in others.items():
        clouds = [
            checked_cloud("board", f"others[{name!r}]", answer(h)) for h in held_out
        ]
        asked.add(name, "", trace(clouds), learned=True)
    chosen = [_blind(held.train) for held in held_out]
    kept: dict[int, _Reached] = {}
    for law in _laws(snapshots):
        found = [_reached(law, held, key, steps) for held in held_out]
        kept |= {k: one for k, one in enumerate(found) if chosen[k] is law}
        masses = list(zip(*(one.masses for one in found), strict=True))
        known = masses if law.grows else [None] * 3
        before = [
            Traced.of(*one.before, held.index - 1)
            for one, held in zip(found, held_out, strict=True)
        ]
        asked.add(law.name, BEFORE, before, learned=True, masses=known[0])
        first = [Traced.of(*one.first, 0) for one in found]
        asked.add(law.name, FIRST, first, learned=True, masses=known[1])
        both = trace([one.both for one in found])
        asked.add(law.name, BOTH, both, learned=True, masses=known[2])
    picked = [kept[k] for k in range(len(held_out))]
    name = " or ".join(dict.fromkeys(law.name for law in chosen))
    best = [
        min(one.epochs, key=lambda cloud: case.whole.w1(Traced.of(*cloud, total)).value)
        for one, case in zip(picked, asked.cases, strict=True)
    ]
    for remark, clouds in ((BLIND, [one.both for one in picked]), (PEEKED, best)):
        asked.add(name, BOTH, trace(clouds), learned=True, remark=remark)
    return asked.board()


def _w(held: HoldOut) -> Float[np.ndarray, " n"]:
    return held.train.weight(held.index - 1)


def _blind(train: Snapshots) -> Law:
    """The law that the training snapshots speak for."""
    seen, _ = train.standardize()
    path = chosen_path(seen, ExactOT(), np.random.default_rng(0))
    law = SECOND if isinstance(path, SplinePath) else ENERGY
    if not growing(train):
        return law
    if len(seen) < 3:
        # Nothing can be held out, and masses tell of growth.
        return GROWING
    every = range(len(seen))
    length = spread(list(seen.clouds), [masses_at(seen, k) for k in every])
    paths = (path, ExactOT()), (TravelingDirac(length), WassersteinFisherRao(length))
    shape, grown = (
        path_errors(seen, [one], coupling, np.random.default_rng(0))[0]
        for one, coupling in paths
    )
    return GROWING if grown <= shape else law


def _reached(law: Law, held: HoldOut, key: PRNGKeyArray, steps: int) -> _Reached:
    sides: list[list[Fit]] = []
    own = jax.random.fold_in(key, held.index)

    def fitter(train: Snapshots, held: HoldOut, backwards: bool) -> Fit:
        epochs: list[Fit] = []
        found = _matched(
            law,
            train,
            jax.random.fold_in(own, int(backwards)),
            steps,
            lambda chunk: epochs.append(chunk.fit),
        )
        sides.append(epochs)
        return found

    both, (before, _), fits = reach(held, fitter)
    units = held.train.standardize()[1]
    inner = held.train.standardize()[0]
    x, w, grown = carried(fits[0], 0, held.time, 1.0)
    first = x * units.std + units.mean, w
    masses = [grown]
    for fitted, k, time in (
        (fits[0], held.index - 1, held.time),
        (fits[1], len(inner) - 1 - held.index, -held.time),
    ):
        masses.append(carried(fitted, k, time, 1.0)[2])
    between = masses[1] ** (1 - held.share) * masses[2] ** held.share
    epochs = []
    for ahead, back in zip(*sides, strict=False):
        x, a, _ = carried(ahead, held.index - 1, held.time, 1.0)
        y, b, _ = carried(back, len(inner) - 1 - held.index, -held.time, 1.0)
        x, y = x * units.std + units.mean, y * units.std + units.mean
        epochs.append(displacement_interpolation(x, y, held.share, a, b))
    return _Reached(both, before, first, epochs, (masses[1], masses[0], between))


def _matched(
    law: Law,
    train: Snapshots,
    key: PRNGKeyArray,
    steps: int,
    after: Callable | None = None,
) -> Fit:
    return law.fit(
        train,
        timed=True,
        path=None,
        steps=steps,
        padding=len(train),
        key=key,
        chunk=max(1, steps // _EPOCHS),
        callbacks=[] if after is None else [after],
    )


def _tested(train: Snapshots, test: Snapshots, key: PRNGKeyArray, steps: int) -> Board:
    later = range(1, len(test))
    asked = _Asked(test.take(later), later, held_out=False)
    stays = [Traced.of(test[k - 1], test.weight(k - 1), k - 1) for k in later]
    asked.add(STILL, BEFORE, stays)
    # The means are those of the snapshots that train; none of the test is looked at.
    shifted = []
    for k in later:
        x, w = mean_shift(train, k - 1, float(train.times[k - 1]))
        move = train.weight(k) @ train[k] - w @ x
        shifted.append(Traced.of(test[k - 1] + move, test.weight(k - 1), k - 1))
    asked.add(SHIFT, BEFORE, shifted)
    inner, units = train.standardize()
    chosen = _blind(train)
    for law in _laws(train):
        fitted = _matched(law, inner, key, steps)
        mine = units.apply(test)
        none = (None,) * len(test)
        rest = tuple(np.zeros_like(x) for x in mine)
        fitted = fitted.restarted(mine, rest if fitted.kinetic else none)
        remark = BLIND if law is chosen else ""
        for start in (BEFORE, FIRST):
            answers, masses = [], []
            for k in later:
                source = k - 1 if start == BEFORE else 0
                x, w, mass = carried(fitted, source, float(test.times[k]), 1.0)
                x = x * units.std + units.mean
                answers.append(Traced.of(x, w, source))
                masses.append(mass)
            known = masses if law.grows else None
            said = remark if start == BEFORE else ""
            asked.add(law.name, start, answers, learned=True, remark=said, masses=known)
    return asked.board()
