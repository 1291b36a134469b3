"""Filters of a law with two modes, against the filter on a grid."""

from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from wflow.filtering import GridFilter, filter
from wflow.filtering.distances import w1_of_line
from wflow.filtering.settings import bimodal
from wflow.measures import Grid, Particles
from wflow.plotting.panels import Curve, Panel, plot_panels, shades
from wflow.studies import (
    Arrays,
    Count,
    Log,
    Outcome,
    Positive,
    ScoreTable,
    Study,
    StudyParams,
)

from ._contenders import Contenders, error_of, mean_of


class Params(StudyParams):
    """A state whose sign is never seen, against the filter on a grid.

    Attributes:
        methods: filters by name; "transport" gives the headline.
        repeats: truths.
        cells: of the grid on [-extent, extent].
        extent: half of its length.
    """

    task: Literal["filter_bimodal"]
    methods: Contenders
    repeats: Count = 10
    cells: Annotated[int, Field(ge=100)] = 1201
    extent: Positive = 6.0

    @model_validator(mode="after")
    def _headline(self) -> "Params":
        for name, method in self.methods.items():
            method.refuse_local(name, "the line")
        if "transport" not in self.methods:
            raise ValueError(
                "methods: expected one called transport, found "
                f"{', '.join(self.methods)}."
            )
        return self


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """W1 to the exact law and the lesser side's share, by method, truth and step."""
    setting = bimodal()
    of_truth, of_start, of_method = jax.random.split(key, 3)
    grid = Grid.from_log_density(
        lambda x: -jnp.sum(x**2) / 2, [-p.extent], [p.extent], [p.cells]
    )
    twins = [setting.twin(key) for key in jax.random.split(of_truth, p.repeats)]
    exact = [
        filter(setting.model, GridFilter(), twin.observed, grid, of_truth).measures
        for twin in twins
    ]
    arrays: dict[str, np.ndarray] = {"burn_in": np.asarray(setting.burn_in)}
    for number, (name, method) in enumerate(p.methods.items()):
        made = method.build()
        found = []
        for k, (twin, law) in enumerate(zip(twins, exact, strict=True)):
            # All methods start from the same ensemble.
            initial = setting.ensemble(jax.random.fold_in(of_start, k), method.members)
            key = jax.random.fold_in(jax.random.fold_in(of_method, number), k)
            result = filter(setting.model, made, twin.observed, initial, key)
            found.append(_compared(result.measures, law))
        for what, values in zip(("w1", "mass"), zip(*found, strict=True), strict=True):
            arrays[f"{what}_{name}"] = np.stack(values)
        late = arrays[f"w1_{name}"][:, setting.burn_in :]
        log(f"{name}: W1 {late.mean():.3f}")
    return arrays


@jax.jit
def _compared(measures: Particles, law: Any) -> tuple[jax.Array, jax.Array]:
    """W1 to the exact law and the lesser side's share, at every step."""

    def one(mu: Particles, exact: Any) -> tuple[jax.Array, jax.Array]:
        x, weights = mu.x[:, 0], jax.nn.softmax(mu.logw)
        points, masses = exact.atoms
        right = jnp.sum(jnp.where(x > 0, weights, 0))
        distance = w1_of_line(x, points[:, 0], weights, masses)
        return distance, jnp.minimum(right, 1 - right)

    return jax.vmap(one)(measures, law)


def report(p: Params, arrays: Arrays) -> Outcome:
    """Means over truths after the first steps, and the least mass of a mode."""
    burn_in = int(arrays["burn_in"])
    metrics, rows, others = {}, {}, {}
    for name in p.methods:
        by_truth = arrays[f"w1_{name}"][:, burn_in:].mean(axis=1)
        least = float(arrays[f"mass_{name}"][:, burn_in:].min())
        metrics |= {
            f"w1_{name}": mean_of(by_truth),
            f"w1_sd_{name}": float(by_truth.std(ddof=1)) if len(by_truth) > 1 else 0.0,
            f"mode_mass_{name}": least,
        }
        rows[name] = [mean_of(by_truth)]
        others[name] = [error_of(by_truth), least]
    metrics["mode_mass_min"] = metrics["mode_mass_transport"]
    tables = [
        ScoreTable(
            f"W1 to the filter on a grid, mean over {p.repeats} truths",
            ("W1",),
            rows,
            ("transport",),
        ),
        ScoreTable(
            "Its standard error, and the least share of mass on one side of 0",
            ("s.e.", "share"),
            others,
            (),
            averaged=False,
        ),
    ]
    return Outcome(metrics, tables)


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """W1 and the lesser mode's share over time."""
    steps = np.arange(1, arrays[f"w1_{next(iter(p.methods))}"].shape[1] + 1)
    colors = dict(zip(p.methods, shades(len(p.methods), "categories"), strict=True))
    w1, mass = (
        [
            Curve(steps, over(arrays[f"{what}_{name}"], axis=0), name, color=color)
            for name, color in colors.items()
        ]
        for what, over in (("w1", np.mean), ("mass", np.min))
    )
    panels = [
        Panel(w1, "step", "W1 to the filter on a grid"),
        Panel(mass, "step", "least share of mass on one side of 0", legend=False),
    ]
    return {"bimodal": plot_panels(panels, width=4.5, height=3.4)}


STUDY = Study(Params, run, report, figures, small_matrices=True)
