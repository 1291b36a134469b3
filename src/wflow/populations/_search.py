"""The answer that held-out training snapshots speak for, without tuning."""

import time as clock
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Float, PRNGKeyArray

from wflow.checks import (
    count,
    function,
    instance,
    one_of,
    positive,
    random_key,
    shape,
)
from wflow.learning import Fit, Snapshots
from wflow.learning.clock import shown
from wflow.learning.matching_parts import growing, moving
from wflow.learning.paired import MOST, Chances, check_tracked, verdict

from ._answers import STRAIGHT, Reach, Scene, along
from ._best_fit import (
    BETWEEN,
    BEYOND,
    LAWS,
    LINE,
    WHERE,
    BestFit,
    Question,
    path_of,
)
from ._contest import STILL, Case, Contest, Standing
from ._given import grown, ordered, rates_of, units_of
from ._laws import ENERGY, GROWING, NOISY, SECOND, VELOCITY, Law, Matched


# Numbers of leading components that are tried; more hold-outs tell no more.
_LADDER = (1, 2, 3, 5, 8, 12, 20, 30, 50)
# Most snapshots that are held out.
HELD: Mapping[Question, int] = {"between": 4, "beyond": 2}
# Shares of the budget after which no law is tried any more; what is left is for the
# last training.
_SPENT: Mapping[Question, float] = {"between": 0.5, "beyond": 0.8}


def fit_best(
    snapshots: Snapshots,
    *,
    key: PRNGKeyArray,
    budget: float = 300.0,
    steps: int = 1000,
    standardize: bool | None = None,
    components: int | None = None,
    questions: Sequence[Question] = ("between", "beyond"),
    tracked: bool = False,
    growth: Sequence[Float[ArrayLike, " n"]] | None = None,
    log: Callable[[str], Any] | None = None,
) -> BestFit:
    """Choose how to forecast these snapshots by holding some of them out.

    Answers that need no model (nothing moves, the snapshots on both sides mixed,
    straight lines or a spline between them, a shift of the mean, momentum) and laws (of
    first order, from an energy or free; with growth where masses change; of second
    order; with noise) answer the same held-out snapshots. Inner ones are reached from
    both sides by laws that depend on time; the last ones are forecast by laws that do
    not. The energy distance without bias decides, and its paired bootstrap says what
    cannot be told apart: the simplest answer within one standard error of the best is
    kept, and that nothing moves where no answer is better with 95 % confidence. Then
    the law is trained on every snapshot.

    In more than three coordinates that are ordered by variance, as principal components
    are, the number of those that carry the motion is chosen by hold-outs too.

    Args:
        snapshots: all of them; keep what is to test the answer out of it.
        key: random key.
        budget: seconds; what would take longer is left out, and said so.
        steps: of each training.
        standardize: whether each coordinate is brought to unit variance; None does so
            where they are not ordered by variance.
        components: how many leading coordinates move; None chooses.
        questions: for times between snapshots, beyond the last one, or both.
        tracked: whether rows are the same individuals at all times. No answer uses it;
            the intervals are then those of individuals.
        growth: what is known of the rates of births less deaths, per time, of the
            points of every snapshot, ``(n_k,)`` each. Snapshots without masses get
            those that the rates make of the first.
        log: called with a sentence after each step.

    Raises:
        TypeError: an argument of another kind.
        ValueError: fewer than two snapshots, or an argument out of range.

    Reference: Breiman, Friedman, Olshen, Stone, Classification and Regression Trees
    (1984), section 3.4.3 (one standard error).

    Examples:
        >>> import jax
        >>> import numpy as np
        >>> import wflow as wf
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> shots = wf.Snapshots([0.0, 2.0], [x, x + 3])
        >>> found = wf.fit_best(shots, key=jax.random.key(0), steps=10)
        >>> print(found.forecast([1.0])[0].mean().round(3))  # on lines
        1.5
    """
    instance("fit_best", "snapshots", snapshots, Snapshots, "Snapshots")
    if len(snapshots) < 2:
        raise ValueError("fit_best: expected at least two snapshots, found 1.")
    shape("fit_best", "budget", budget, ())
    positive("fit_best", "budget", budget)
    count("fit_best", "steps", steps)
    one_of("fit_best", "standardize", standardize, (True, False, None))
    if components is not None:
        count("fit_best", "components", components)
    instance("fit_best", "questions", questions, (list, tuple), "a list of questions")
    for question in questions:
        one_of("fit_best", "questions", question, ("between", "beyond"))
    one_of("fit_best", "tracked", tracked, (True, False))
    if tracked:
        check_tracked("fit_best", snapshots.sizes)
    if growth is not None:
        growth = rates_of(snapshots, growth)
        snapshots = grown(snapshots, growth)
    if log is not None:
        function("fit_best", "log", log, "a sentence")
    key = random_key("fit_best", "key", key)
    options = {"budget": budget, "steps": steps, "tracked": tracked, "log": log}
    search = _Search(snapshots, growth, key, standardize, **options)
    return search.run(components, questions)


class _Search:
    """One search, with its clock."""

    def __init__(
        self,
        snapshots: Snapshots,
        growth: list[np.ndarray] | None,
        key: PRNGKeyArray,
        standardize: bool | None,
        *,
        budget: float,
        steps: int,
        tracked: bool,
        log: Callable[[str], Any] | None,
    ):
        self.begin = clock.monotonic()
        self.snapshots, self.key, self.steps = snapshots, key, steps
        self.budget, self.log = budget, log
        self.chances = Chances(tracked=tracked)
        self.reasons: list[str] = []
        self.ordered = ordered(snapshots)
        each = not self.ordered if standardize is None else standardize
        self.units = units_of(snapshots, each)
        self.rescaled = each and standardize is None
        inner = self.units.to_model(snapshots)
        every = tuple(range(len(snapshots)))
        rates = growth and [rate * self.units.unit for rate in growth]
        self.scene = Scene(inner, every, snapshots.dim, rates)

    def elapsed(self) -> float:
        return clock.monotonic() - self.begin

    def say(self, sentence: str) -> None:
        self.reasons.append(sentence)
        if self.log is not None:
            self.log(sentence)

    def run(self, components: int | None, questions: Sequence[Question]) -> BestFit:
        if max(self.snapshots.sizes) > MOST:
            self.say(
                f"Clouds of more than {MOST} points are scored by as many of them, "
                "drawn at random."
            )
        if self.rescaled:
            self.say(
                "Each coordinate is brought to unit variance, since they are not "
                "ordered by variance, as components are."
            )
        lead = self.leading(components)
        self.scene = self.scene._replace(components=lead)
        contests: dict[Question, Contest] = {}
        for question in questions:
            contest = self.contest(question)
            if contest is not None:
                contests[question] = contest
        matched: dict[Question, Matched] = {}
        fits: dict[Question, Fit] = {}
        laws: dict[Question, str] = {}
        reaches: dict[Question, Reach] = {}
        for question in ("between", "beyond"):
            contest = contests.get(question)
            simple = BETWEEN if question == "between" else BEYOND
            winner = self.unchosen(question) if contest is None else contest.winner
            if winner in simple:
                reaches[question] = simple[winner](self.scene)
            law = contest.law if contest is not None else None
            if winner == STILL or law is None:
                continue
            law = winner if winner in LAWS else law
            found = self.matched(LAWS[law], self.scene, question, contests)
            fits[question], laws[question] = found.fit, law
            if winner in LAWS:
                matched[question] = found
        return BestFit(
            self.snapshots,
            contests.get("between"),
            contests.get("beyond"),
            lead,
            fits,
            laws,
            self.units,
            tuple(self.reasons),
            self.elapsed(),
            reaches,
            matched,
            _rates=self.scene.growth,
        )

    def unchosen(self, question: Question) -> str:
        """What is answered where nothing can be held out, or nobody asked."""
        if question == "beyond" or len(self.snapshots) < 2:
            return STILL
        return LINE

    def leading(self, components: int | None) -> int:
        """How many coordinates move."""
        d = self.snapshots.dim
        if components is not None:
            return min(components, d)
        if d <= 3 or not self.ordered:
            return d
        held = self.inner()
        if not held:
            self.say(
                "All coordinates move, which is unchosen: with two snapshots none can "
                "be held out."
            )
            return d
        ladder = [n for n in (*_LADDER, d) if n <= d]
        ladder = list(dict.fromkeys(ladder))
        truths = [self.case(k, d) for k in held]
        rows = []
        for n in ladder:
            answers = []
            for k in held:
                scene = self.scene._replace(components=n).without([k])
                answers.append(along(STRAIGHT)(scene)(self.time(k)))
            rows.append(Standing.of(str(n), answers, truths))
        best = min(rows, key=lambda s: s.energy.value)
        kept = best
        for row in rows:
            found = row.energy.minus(best.energy)
            if found.value <= found.error:
                kept = row
                break
        lead = int(kept.name)
        self.say(
            f"{lead} of {d} components move: held-out snapshots are reached no better "
            "when more of them are moved, within one standard error. The others are "
            "carried along from the cell that a point comes from."
        )
        return lead

    def inner(self) -> list[int]:
        """Inner snapshots that are held out, spread evenly."""
        inner = np.arange(1, len(self.snapshots) - 1)
        if len(inner) > HELD["between"]:
            places = np.linspace(0, len(inner) - 1, HELD["between"])
            inner = inner[np.round(places).astype(int)]
        return inner.tolist()

    def time(self, k: int) -> float:
        return float(self.scene.snapshots.times[k])

    def case(self, k: int, components: int) -> Case:
        return Case.of(self.scene.cloud(k), self.time(k), components, self.chances)

    def contest(self, question: Question) -> Contest | None:
        """Let all candidates answer the held-out snapshots."""
        total = len(self.snapshots)
        if question == "between":
            held = self.inner()
            lacking = [[k] for k in held]
            simple = BETWEEN
        else:
            first = max(total - HELD["beyond"], total // 2 + 1, 2)
            held = list(range(first, total))
            lacking = [list(range(k, total)) for k in held]
            simple = BEYOND
        if not held:
            self.say(
                f"{WHERE[question]}: nothing can be held out, so "
                f'"{self.unchosen(question)}" is unchosen.'
            )
            return None
        scenes = [self.scene.without(out) for out in lacking]
        cases = [self.case(k, self.scene.components) for k in held]
        standings = []
        for name, make in simple.items():
            start = clock.monotonic()
            answers = [
                make(scene)(case.time)
                for scene, case in zip(scenes, cases, strict=True)
            ]
            spent = clock.monotonic() - start
            standings.append(Standing.of(name, answers, cases, seconds=spent))
        contest = Contest.of(standings, [case.time for case in cases])
        contests = {question: contest}
        if not contest.settled:
            left_out = []
            for law in self.laws(question):
                spent = max((one.seconds for one in standings), default=0.0)
                if self.elapsed() + spent > _SPENT[question] * self.budget:
                    left_out.append(law.name)
                    continue
                standings.append(self.tried(law, scenes, cases, question, contests))
            if left_out:
                self.say(
                    f"{WHERE[question]}: for want of time, {self.budget:.0f} seconds "
                    f"in all, these were not tried: {'; '.join(left_out)}."
                )
            contest = Contest.of(standings, [case.time for case in cases])
        self.explain(question, contest, held)
        return contest

    def tried(
        self,
        law: Law,
        scenes: Sequence[Scene],
        cases: Sequence[Case],
        question: Question,
        contests: Mapping[Question, Contest],
    ) -> Standing:
        """A law, matched anew for each hold-out, and its scores."""
        start = clock.monotonic()
        answers = [
            self.matched(law, scene, question, contests)(case.time)
            for scene, case in zip(scenes, cases, strict=True)
        ]
        spent = clock.monotonic() - start
        found = Standing.of(law.name, answers, cases, learned=True, seconds=spent)
        if self.log is not None:
            energy = found.energy.value
            self.log(f"{WHERE[question]}: {law.name}, energy distance {energy:.4g}.")
        return found

    def laws(self, question: Question) -> list[Law]:
        """Those that these snapshots can speak for, the simplest first."""
        s = self.scene.snapshots
        # A law without growth does not explain masses that change.
        grows = growing(s) or self.scene.growth is not None
        found = [GROWING if grows else ENERGY]
        # Without velocities they come from a spline, which two snapshots do not bend.
        if len(s) > 3 or moving(s):
            found.append(SECOND)
        return [*found, VELOCITY, NOISY]

    def matched(
        self,
        law: Law,
        scene: Scene,
        question: Question,
        contests: Mapping[Question, Contest],
    ) -> Matched:
        return Matched.to(
            law,
            scene,
            between=question == "between",
            path=path_of(question, contests.get(question)),
            steps=self.steps,
            padding=len(self.snapshots),
            key=self.key,
        )

    def explain(self, question: Question, contest: Contest, held: list[int]) -> None:
        """Say what was chosen and why."""
        times = ", ".join(shown(float(self.snapshots.times[k])) for k in held)
        where = f"{WHERE[question]} (held out: {times})"
        others = [s.name for s in contest.standings if s.name != contest.winner]
        told = {name: contest.sign(contest.winner, name) for name in others}
        quoted = {name: f'"{name}"' for name in others}
        opening = f'{where}: "{contest.winner}"'
        self.say(verdict(opening, told, quoted, "every other answer"))
        if contest.settled:
            self.say(
                f"{where}: what was held out cannot be told from the snapshots beside "
                "it, so no law was trained."
            )
        elif contest.law is not None and contest.winner not in LAWS:
            word = contest.word(contest.law, contest.winner)
            self.say(f'{where}: the best law, "{contest.law}", {word} that.')
