"""A forecast cloud beside what was observed: how near, and of what shape."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Float
from scipy.spatial import cKDTree

from wflow.checks import count, finite, instance, one_of, shape, to_numpy, weights
from wflow.learning.paired import (
    MOST,
    Chances,
    Difference,
    Scores,
    Traced,
    Truth,
    difference,
    verdict,
)

from .scores import noise_floor


# Points, or points and weights.
CloudLike = Float[ArrayLike, "n d"] | tuple[ArrayLike, ArrayLike]
FORECAST = "forecast"

# Annotated cells that vote on the type of a point.
_VOTES = 15
# Of the observed cells so many are nearer than this to another one.
_NEAR = 0.95


class Shares(NamedTuple):
    """Shares of a type among the points of a forecast, and among what was observed."""

    forecast: float
    observed: float


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    r"""How a forecast stands to an observed cloud, beside other answers.

    ``print(comparison)`` shows all of it.

    Attributes:
        scores: of the forecast and of each baseline, by name: exact $W_1$ and energy
            distance.
        leading: the same in the leading coordinates, of which there are ``components``.
        components: None where all coordinates are leading.
        floor: the $W_1$ of two samples of the observed size, from halves of it.
        floor_leading: the same in the leading coordinates.
        differences: of the forecast and each baseline, with paired intervals.
        types: shares of annotated types; empty where there are none.
        unseen: share of the forecast where no observed cell is near.
        missed: share of the observed cells that nothing of the forecast is near.
        points: of each cloud that were compared at most.
    """

    scores: Mapping[str, Scores]
    leading: Mapping[str, Scores]
    components: int | None
    floor: float
    floor_leading: float
    differences: Mapping[str, Difference]
    types: Mapping[str, Shares]
    unseen: float
    missed: float
    points: int

    @property
    def verdict(self) -> str:
        """Which baselines the forecast beats and from which it cannot be told."""
        own = self.scores[FORECAST].w1.value
        told = {name: found.sign for name, found in self.differences.items()}
        shown = {name: f"{name} ({self.scores[name].w1.value:.4g})" for name in told}
        opening = f"The forecast (W1 {own:.4g})"
        if not told:
            return f"{opening} has no baseline beside it."
        return verdict(opening, told, shown)

    def __str__(self) -> str:
        lines = [_row("", "W1", "energy", *(["W1 leading"] * bool(self.components)))]
        for name, found in self.scores.items():
            numbers = [found.w1.value, found.energy.value]
            if self.components:
                numbers.append(self.leading[name].w1.value)
            lines.append(_row(name, *(f"{number:.4f}" for number in numbers)))
        floors = [f"{self.floor:.4f}", "0"]
        if self.components:
            floors.append(f"{self.floor_leading:.4f}")
        lines.append(_row("two samples of the truth", *floors))
        for name, found in self.differences.items():
            low, high = found.w1.low, found.w1.high
            lines.append(
                f"Less than {name}, by W1: {found.w1.value:+.4f} ({low:+.4f} to "
                f"{high:+.4f}); by energy: {found.energy.value:+.4f} "
                f"({found.energy.low:+.4f} to {found.energy.high:+.4f})."
            )
        lines.append(self.verdict)
        for name, (made, seen) in self.types.items():
            lines.append(f"{name}: {made:.2f} of the forecast, {seen:.2f} observed.")
        lines.append(
            f"{self.unseen:.0%} of the forecast lies where no observed cell is near, "
            f"{self.missed:.0%} of what was observed where nothing is forecast; by "
            f"chance {1 - _NEAR:.0%}. At most {self.points} points were compared."
        )
        return "\n".join(lines)


def _row(name: str, *cells: str) -> str:
    return f"{name:<28}" + "".join(f"{cell:>12}" for cell in cells)


def compare(
    forecast: CloudLike,
    observed: CloudLike,
    baselines: Mapping[str, CloudLike] | None = None,
    *,
    cells: Float[ArrayLike, "n d"] | None = None,
    types: ArrayLike | None = None,
    components: int | None = None,
    tracked: bool = False,
) -> Comparison:
    """Score a forecast against what was observed, with the noise of the score.

    $W_1$ is exact; the energy distance is without bias, zero on average for two samples
    of one law. Their differences to baselines have intervals of 95 % by a Bayesian
    bootstrap of the observed cells and of the cells that forecasts start from, paired:
    clouds of the same number of points are taken for the same cells, row by row.

    Args:
        forecast: points ``(n, d)``, or points and weights.
        observed: likewise.
        baselines: other answers by name, such as nothing moves.
        cells: annotated cells ``(n, d)``, for the shares of types.
        types: of each of them; a point is of the type that most of its fifteen nearest
            annotated cells have.
        components: how many leading coordinates are scored on their own.
        tracked: whether the rows of forecasts and observed cells are the same
            individuals.

    Raises:
        TypeError: an argument of another kind.
        ValueError: clouds that are empty, not finite or of different dimensions.
    """
    truth = _traced("observed", observed, 1)
    answers = {FORECAST: _traced("forecast", forecast, 0)}
    if baselines is not None:
        instance("compare", "baselines", baselines, Mapping, "clouds by name")
        for k, (name, cloud) in enumerate(baselines.items()):
            found = _traced(f"baselines[{name!r}]", cloud, 0)
            if len(found.x) != len(answers[FORECAST].x):
                found = found._replace(source=found.source + 2 + k)
            answers[name] = found
    d = truth.x.shape[1]
    for name, cloud in answers.items():
        shape("compare", name, cloud.x, ("n", d))
    one_of("compare", "tracked", tracked, (True, False))
    if components is not None:
        count("compare", "components", components)
    lead = d if components is None else min(components, d)
    chances = Chances(tracked=tracked)
    whole = Truth(truth, chances)
    scores = {name: whole.scores(cloud) for name, cloud in answers.items()}
    few, leading = truth.leading(lead), scores
    if lead < d:
        seen = Truth(few, chances)
        leading = {name: seen.scores(c.leading(lead)) for name, c in answers.items()}
    made = answers[FORECAST].leading(lead)
    return Comparison(
        scores,
        leading,
        lead if lead < d else None,
        noise_floor(whole.cloud.x),
        noise_floor(few.thinned(MOST).x),
        {
            name: difference([scores[FORECAST]], [scores[name]])
            for name in answers
            if name != FORECAST
        },
        _types(answers[FORECAST], truth, cells, types),
        _apart(made, few),
        _apart(few, made),
        MOST,
    )


def _traced(name: str, cloud: CloudLike, source: int) -> Traced:
    points, w = cloud if isinstance(cloud, tuple) else (cloud, None)
    x = to_numpy(points, name).astype(np.float64)
    shape("compare", name, x, ("n", "d"))
    finite("compare", name, x)
    if len(x) < 4:
        raise ValueError(f"compare: expected {name} (n, d), n >= 4, found {x.shape}.")
    mass = np.ones(len(x)) if w is None else to_numpy(w, name)
    shape("compare", f"the weights of {name}", mass, (len(x),))
    weights("compare", f"the weights of {name}", mass)
    return Traced.of(x, mass, source)


def _types(
    forecast: Traced,
    observed: Traced,
    cells: ArrayLike | None,
    types: ArrayLike | None,
) -> dict[str, Shares]:
    """Shares of types by the votes of the nearest annotated cells."""
    if cells is None or types is None:
        if cells is not types:
            raise ValueError("compare: expected both cells and types, found one.")
        return {}
    x = to_numpy(cells, "cells").astype(np.float64)
    shape("compare", "cells", x, ("n", observed.x.shape[1]))
    finite("compare", "cells", x)
    labels = np.asarray(types).astype(str)
    if labels.shape != (len(x),):
        raise ValueError(
            f"compare: expected cells and types of one length, found {len(x)} and "
            f"{labels.shape}."
        )
    names, code = np.unique(labels, return_inverse=True)
    tree = cKDTree(x)

    def shares(cloud: Traced) -> np.ndarray:
        _, near = tree.query(cloud.x, min(_VOTES, len(x)))
        votes = code[near.reshape(len(cloud.x), -1)]
        ballots = (votes[:, :, None] == np.arange(len(names))).sum(axis=1)
        return np.bincount(ballots.argmax(1), cloud.w, len(names))

    rows = zip(names, shares(forecast), shares(observed), strict=True)
    return {str(name): Shares(float(a), float(b)) for name, a, b in rows}


def _apart(cloud: Traced, other: Traced) -> float:
    """Share of ``cloud`` that is further from ``other`` than its points are apart."""
    tree = cKDTree(other.x)
    own = tree.query(other.x, 2)[0][:, 1]
    reach = np.quantile(own, _NEAR)
    return float(cloud.w @ (tree.query(cloud.x)[0] > reach))
