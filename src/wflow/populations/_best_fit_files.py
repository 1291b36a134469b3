"""A ``BestFit`` in a folder."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from wflow.learning import Fit, Snapshots
from wflow.learning.paired import Drawn

from ._answers import Reach, Scene
from ._best_fit import BETWEEN, BEYOND, LAWS, LINE, BestFit, Question
from ._contest import STILL, Contest, Standing
from ._laws import Matched
from .conversion import Units


_SCORES = ("w1", "w1_leading", "energy")
_QUESTIONS: dict[Question, Mapping[str, Callable[[Scene], Reach]]] = {
    "between": BETWEEN,
    "beyond": BEYOND,
}
CHOICE, DRAWS = "choice.json", "choice.npz"


def files_of(best: BestFit) -> list[str]:
    """The names of the files that ``save_best`` writes."""
    backwards = [f"{q}-back.eqx" for q, m in best._matched.items() if m.backwards]
    return [CHOICE, DRAWS, *(f"{question}.eqx" for question in best.fits), *backwards]


def winner(best: BestFit, question: Question) -> str:
    """The name of the answer that is given, also where nothing was held out."""
    contest = best.between if question == "between" else best.beyond
    if contest is None:
        return LINE if question == "between" else STILL
    return contest.winner


def save_best(best: BestFit, folder: Path) -> None:
    """Write all but the snapshots into ``folder``, which is there."""
    contests = {"between": best.between, "beyond": best.beyond}
    found: dict[str, Any] = {
        "components": best.components,
        "units": best.units.plain,
        # Also where they were made of known growth.
        "masses": None
        if best.snapshots.masses is None
        else best.snapshots.masses.tolist(),
        "reasons": best.reasons,
        "seconds": best.seconds,
        "winners": {q: winner(best, q) for q in _QUESTIONS},
        "laws": dict(best.laws),
        "contests": {},
    }
    draws = {}
    for question, contest in contests.items():
        if contest is None:
            continue
        standings = []
        for k, one in enumerate(contest.standings):
            standings.append([one.name, one.learned, one.seconds])
            for score in _SCORES:
                drawn = getattr(one, score)
                draws[f"{question}-{k}-{score}"] = np.append(drawn.value, drawn.draws)
        found["contests"][question] = {
            "standings": standings,
            "times": contest.times,
            "winner": contest.winner,
        }
    (folder / CHOICE).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    with (folder / DRAWS).open("wb") as file:
        np.savez_compressed(file, **draws)
    for question, fitted in best.fits.items():
        fitted.save(folder / f"{question}.eqx")
    for question, matched in best._matched.items():
        if matched.backwards is not None:
            matched.backwards.save(folder / f"{question}-back.eqx")


def load_best(folder: Path, snapshots: Snapshots) -> BestFit:
    """What ``save_best`` wrote, of these snapshots.

    Raises:
        ValueError: a file is missing or damaged.
    """
    path = folder / CHOICE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        with np.load(folder / DRAWS) as file:
            draws = dict(file)
        return _made(found, draws, folder, snapshots)
    except (OSError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: expected a choice of a run, found {error}."
        ) from error


def _made(
    found: dict[str, Any],
    draws: Mapping[str, np.ndarray],
    folder: Path,
    snapshots: Snapshots,
) -> BestFit:
    units, lead = Units(**found["units"]), found["components"]
    snapshots = dataclasses.replace(snapshots, masses=found["masses"])
    every = tuple(range(len(snapshots)))
    scene = Scene(units.to_model(snapshots), every, lead)
    contests = {
        question: Contest(
            tuple(
                Standing(name, learned, seconds=seconds, **_drawn(draws, question, k))
                for k, (name, learned, seconds) in enumerate(one["standings"])
            ),
            tuple(one["times"]),
            one["winner"],
        )
        for question, one in found["contests"].items()
    }
    fits: dict[Question, Fit] = {}
    matched: dict[Question, Matched] = {}
    reaches: dict[Question, Reach] = {}
    for question, simple in _QUESTIONS.items():
        name = found["winners"][question]
        if name in simple:
            reaches[question] = simple[name](scene)
        if question not in found["laws"]:
            continue
        kind = LAWS[found["laws"][question]]
        flow = kind.flow(lead, timed=question == "between", key=jax.random.key(0))
        fits[question] = Fit.load(folder / f"{question}.eqx", flow)
        if name in LAWS:
            other = folder / f"{question}-back.eqx"
            back = Fit.load(other, flow) if other.is_file() else None
            matched[question] = Matched(kind, fits[question], back, scene)
    return BestFit(
        snapshots,
        contests.get("between"),
        contests.get("beyond"),
        lead,
        fits,
        {q: found["laws"][q] for q in fits},
        units,
        tuple(found["reasons"]),
        found["seconds"],
        reaches,
        matched,
    )


def _drawn(draws: Mapping[str, np.ndarray], question: str, k: int) -> dict[str, Drawn]:
    arrays = {score: draws[f"{question}-{k}-{score}"] for score in _SCORES}
    return {name: Drawn(float(one[0]), one[1:]) for name, one in arrays.items()}
