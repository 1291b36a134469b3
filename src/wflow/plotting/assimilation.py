"""Filters over time: the truth, the ensemble, spread against error, and ranks."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from wflow.checks import count, instance
from wflow.filtering.metrics import level_shares
from wflow.filtering.result import FilterResult
from wflow.filtering.twins import Twin

from .panels import Curve, Level, Panel, plot_panels
from .style import MODEL, OBSERVED, QUIET, coordinates


# Members that are drawn, and bins of the truth's level among all of them.
_DRAWN = 30
_BINS = 10


def plot_assimilation(
    results: Mapping[str, FilterResult],
    twin: Twin,
    *,
    component: int = 0,
    burn_in: int = 0,
    labels: Sequence[str] | None = None,
) -> Figure:
    """What filters did with one truth: a column of three frames for each.

    One component over time, members thin; RMSE beside the spread that the filter
    expects it to be; how often the truth had each level in the ensemble (even where it
    is one of its members: a hill says too wide, a valley too narrow).

    Args:
        results: of ``filter`` with ``save=True``, by name, of ensembles.
        twin: the truth that they looked for.
        component: which one is drawn over time.
        burn_in: cycles that the ranks do not count.
        labels: names of the components.

    Raises:
        TypeError: something else than results, or of laws that are no ensembles.
        ValueError: no result, one of another truth, no such component, or no cycle
            after the burn-in.
    """
    instance("plot_assimilation", "results", results, Mapping, "results by name")
    instance("plot_assimilation", "twin", twin, Twin, "a Twin")
    count("plot_assimilation", "component", component, least=0)
    count("plot_assimilation", "burn_in", burn_in, least=0)
    truth, times = np.asarray(twin.truth), np.asarray(twin.times)
    if not results:
        raise ValueError("plot_assimilation: expected results, found none.")
    for what, given, size in (
        ("component", component, truth.shape[1]),
        ("burn_in", burn_in, len(times)),
    ):
        if given >= size:
            raise ValueError(
                f"plot_assimilation: expected {what} below {size}, found {given}."
            )
    name = coordinates(labels, truth.shape[1])[component]
    courses, errors, ranks = [], [], []
    for title, result in results.items():
        instance("plot_assimilation", "results", result, FilterResult, "results")
        courses.append(_course(result, times, truth, component, name, title))
        errors.append(
            Panel(
                [
                    Curve(times, np.asarray(result.rmse(truth)), "RMSE"),
                    Curve(times, np.asarray(result.spread), "spread", color=OBSERVED),
                ],
                "time",
                "error",
            )
        )
        ranks.append(_ranks(result, truth, burn_in))
    return plot_panels(
        [*courses, *errors, *ranks], columns=len(results), width=4.6, height=2.6
    )


def _course(
    result: FilterResult,
    times: Float[np.ndarray, " T"],
    truth: Float[np.ndarray, "T d"],
    component: int,
    name: str,
    title: str,
) -> Panel:
    members = np.asarray(result.ensembles)[:, :_DRAWN, component]
    mean = np.asarray(result.mean)[:, component]
    return Panel(
        [
            Curve(times, members, "members", color=QUIET, width=0.6, alpha=0.6),
            Curve(times, mean, "analysis"),
            Curve(times, truth[:, component], "truth", color="black", style="--"),
        ],
        "time",
        name,
        title=title,
    )


def _ranks(
    result: FilterResult, truth: Float[np.ndarray, "T d"], burn_in: int
) -> Panel:
    members = result.ensembles.shape[1]
    shares = level_shares(result.levels(truth)[burn_in:], members, _BINS)
    edges = np.linspace(0, 1, _BINS + 1)
    return Panel(
        [Curve(edges, _BINS * np.asarray(shares), color=MODEL, steps=True)],
        "level of the truth in the ensemble",
        "density",
        levels=[Level(1.0)],
        ylim=(0.0, None),
    )
