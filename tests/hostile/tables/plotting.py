"""Figures: values that are not finite leave gaps, all else spoiled is refused."""

import dataclasses
import math
from typing import Any

import jax
import numpy as np

from tests.hostile.engine import (
    Argument,
    array,
    count,
    entry,
    given,
    masses,
    number,
    positive,
)
from wflow import filtering
from wflow.plotting import (
    Embedding,
    plot_assimilation,
    plot_bands,
    plot_forecasts,
    plot_friction,
    plot_growth,
    plot_interaction,
    plot_landscape,
    plot_loss,
    plot_masses,
    plot_scores,
    plot_snapshots,
    plot_streams,
)
from wflow.plotting.bands import BandCurve


ROOM = "wflow.plotting"

GAPS: dict[str, Any] = {"fine": ("nan", "inf"), "finite": ("nan", "inf")}
STEPS = np.arange(1.0, 5.0)
CELLS = np.random.default_rng(0).normal(size=(20, 3))
CLOUD = np.arange(10.0).reshape(5, 2)
GRID = np.linspace(0.0, 1.0, 4)
FIELD = np.arange(16.0).reshape(4, 4)


def _text(value: str = "a") -> Argument:
    return given(value, other=1.5, none=None, listed=["a"])


def _flag() -> Argument:
    return given(False, other=1.5, none=None, text="spoiled")


def _clouds(*value: np.ndarray, fine: tuple[str, ...] = ()) -> Argument:
    spoiled = {
        "nan": [math.nan * cloud for cloud in value],
        "complex": [cloud + 1j for cloud in value],
        "shape": [cloud[:, 0] for cloud in value],
        "dimension": [*value[:-1], value[-1][:, :1]],
        "short": list(value[:-1]),
        "empty": [],
        "text": "spoiled",
        "texts": ["spoiled"] * len(value),
        "other": 1.5,
        "none": None,
    }
    fine = ("nan", *fine)
    return Argument(list(value), spoiled, frozenset(fine), frozenset(fine))


def _rows(value: dict[str, Any], **more: Any) -> Argument:
    """A mapping from names to numbers."""
    first = next(iter(value))
    return given(
        value,
        empty={},
        other=1.5,
        none=None,
        text="spoiled",
        texts={first: "spoiled"},
        key={1: value[first]},
        none_in=value | {first: None},
        **more,
    )


LABELS = given(["a", "b"], one=["a"], numbers=[1.5, 2.5], other=1.5, text="ab")
GROUPS = given(
    [["a"] * 5, ["b"] * 5],
    one=[["a"] * 5],
    short=[["a"] * 5, ["b"]],
    numbers=[[1] * 5, [2] * 5],
    other=1.5,
    text="spoiled",
)


CURVE = BandCurve(STEPS, STEPS, STEPS, STEPS, STEPS, [(STEPS, STEPS)])
SHORT = CURVE._replace(past=STEPS[:-1])

TWIN = filtering.twin(
    filtering.StateSpace(
        filtering.DiscreteMap(lambda x, t: x / 2),
        filtering.GaussianObservation(lambda x: x, np.eye(2)),
        np.eye(2),
    ),
    np.ones(2),
    3,
    jax.random.key(0),
)


def _assimilated(**changed: Any) -> Any:
    members = np.random.default_rng(0).normal(size=(4, 2))
    model = filtering.StateSpace(
        filtering.DiscreteMap(lambda x, t: x / 2),
        filtering.GaussianObservation(lambda x: x, np.eye(2)),
    )
    key = jax.random.key(1)
    result = filtering.filter(model, filtering.EnKF(), TWIN.observed, members, key)
    return plot_assimilation(**({"results": {"a": result}} | changed))


TABLE = {
    "Embedding": entry(
        Embedding,
        cells=array(CELLS, words=("places",)),
        places=array(CELLS[:, :2]),
        neighbors=count(3),
    ),
    "plot_assimilation": entry(
        _assimilated,
        twin=given(TWIN, text="spoiled", none=None),
        component=given(1, many=2, negative=-1, fraction=0.5, none=None),
        burn_in=given(1, many=3, negative=-1, fraction=0.5, none=None),
        labels=LABELS,
    ),
    "plot_bands": entry(
        plot_bands,
        curves=_rows({"a": {"mean": CURVE}}, short={"a": {"mean": SHORT}}),
        levels=given(
            (0.5,), none=None, nan=(math.nan,), above=(1.5,), two=(0.5, 0.9), empty=()
        ),
        time_label=_text(),
    ),
    "plot_forecasts": entry(
        plot_forecasts,
        times=array([0.0, 1.0], words=("predicted",)),
        observed=_clouds(CLOUD, CLOUD + 1),
        predicted=_clouds(CLOUD, CLOUD + 2),
        start=_clouds(CLOUD, CLOUD + 3, fine=("none",)),
        start_label=_text(),
        predicted_label=_text(),
        scores=given(
            [0.5, None], short=[0.5], text="spoiled", texts=["a", "b"], other=1
        ),
        weights=given(
            [np.ones(5), np.ones(5)],
            negative=[-np.ones(5), np.ones(5)],
            zero=[np.zeros(5), np.ones(5)],
            nan=[np.full(5, math.nan), np.ones(5)],
            short=[np.ones(4), np.ones(5)],
            one=[np.ones(5)],
            text="spoiled",
            other=1.5,
        ),
        title=_text(),
        labels=LABELS,
        time_label=_text(),
        equal=_flag(),
        score_unit=_text(),
        groups=GROUPS,
    ),
    "plot_friction": entry(
        plot_friction,
        step=array(STEPS, words=("friction",)),
        friction=array(STEPS),
        unit=_text(),
        interval=positive(0.5),
    ),
    "plot_growth": entry(
        plot_growth,
        x=array(GRID, words=("rate",)),
        y=array(GRID, words=("rate",)),
        rate=array(FIELD, **GAPS),
        cloud=array(CLOUD, fine=("nan", "inf", "short"), finite=("nan", "inf")),
        time=number(1.0),
        unit=_text(),
        labels=LABELS,
        time_label=_text(),
        equal=_flag(),
    ),
    "plot_interaction": entry(
        plot_interaction,
        distances=array(GRID, words=("potential",)),
        potential=array(GRID, **GAPS),
        force=array(GRID, **GAPS),
        true_potential=array(GRID, **GAPS),
        true_force=array(GRID, **GAPS),
        observed=array(STEPS, fine=("nan", "inf", "short"), finite=("nan", "inf")),
        unit=_text(),
    ),
    "plot_landscape": entry(
        plot_landscape,
        x=array(GRID, words=("landscape",)),
        y=array(GRID, words=("landscape",)),
        landscape=array(FIELD, **GAPS),
        force=array(np.ones((4, 4, 2)), **GAPS),
        cloud=array(CLOUD, fine=("nan", "inf", "short"), finite=("nan", "inf")),
        time=number(1.0),
        labels=LABELS,
        time_label=_text(),
        equal=_flag(),
        arrows=count(3),
        title=_text(),
    ),
    "plot_loss": entry(
        plot_loss,
        step=array(STEPS, words=("loss",)),
        loss=array(STEPS, **GAPS),
        horizon=array(STEPS),
        label=_text(),
    ),
    "plot_masses": entry(
        plot_masses,
        times=array(STEPS, words=("masses",)),
        masses=masses(STEPS),
        curves=_rows(
            {"a": (STEPS, STEPS)}, short={"a": (STEPS, STEPS[:-1])}, one={"a": (STEPS,)}
        ),
        time_label=_text(),
    ),
    "plot_scores": entry(
        plot_scores,
        groups=dataclasses.replace(
            given(["a", "b"], one=["a"], numbers=[1, 2], text="ab", other=1.5),
            words=("scores",),
        ),
        scores=_rows({"model": [0.1, None]}, short={"model": [0.1]}),
        models=given(("model",), text="model", other=1.5, none=None, numbers=(1,)),
        label=_text(),
        title=_text(),
        floor=given(
            [0.1, None], short=[0.1], text="spoiled", texts=["a", "b"], other=1
        ),
        intervals=dataclasses.replace(
            _rows(
                {"model": [(0.1, 0.2), None]},
                short={"model": [(0.1, 0.2)]},
                one={"model": [(0.1,), None]},
                unknown={"other": [None, None]},
            ),
            fine=frozenset({"none"}),
        ),
    ),
    "plot_snapshots": entry(
        plot_snapshots,
        times=array([0.0, 1.0], words=("clouds",)),
        clouds=_clouds(CLOUD, CLOUD + 1),
        held_out=array([1.0], fine=("short", "empty")),
        labels=LABELS,
        time_label=_text(),
        equal=_flag(),
        groups=GROUPS,
    ),
    "plot_streams": entry(
        plot_streams,
        points=array(CLOUD, words=("velocities",), **GAPS),
        velocities=array(CLOUD, **GAPS),
        groups=given(
            ["a"] * 5, short=["a"], numbers=[1] * 5, other=1.5, text="spoiled"
        ),
        times=array(np.arange(5.0)),
        labels=LABELS,
        time_label=_text(),
        title=_text(),
        equal=_flag(),
    ),
}
