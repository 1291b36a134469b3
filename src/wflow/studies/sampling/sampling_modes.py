"""How well samplers find the masses of a mixture's modes."""

from typing import Annotated, Any, Literal

import jax
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from wflow import measures
from wflow.measures import GaussianMixture
from wflow.plotting.panels import Curve, Panel, plot_panels, shades
from wflow.studies import (
    Arrays,
    Count,
    Log,
    Name,
    NonNegative,
    Outcome,
    Part,
    ScoreTable,
    Spec,
    Study,
    StudyParams,
    build,
)

from ._masses import Domain, grid_masses, mass_errors, sampled_masses
from ._methods import Methods, Tried, build_method


class Params(StudyParams):
    """Shares of particles near the modes of a mixture, from a start with wrong ones.

    Attributes:
        target: a mixture; a particle counts for the nearest mean.
        start: shares of the particles that start in each component.
        particles: their number.
        repeats: runs of every method, from starts of their own; means are reported.
        methods: by name.
        baselines: by name, each with several steps: the one with the least mean error
            over the runs counts.
        grid: for the same flow without particles.
    """

    task: Literal["sampling_modes"]
    target: Annotated[Spec, Part(measures, of=GaussianMixture)]
    start: Annotated[list[NonNegative], Field(min_length=2)]
    particles: Annotated[int, Field(ge=2)]
    repeats: Count = 5
    methods: Methods
    baselines: dict[Name, Tried] = {}
    grid: Domain | None = None

    @property
    def law(self) -> GaussianMixture:
        """The target."""
        return build(self.target, measures, GaussianMixture, "target")

    def built(self) -> dict[str, list[Any]]:
        """All methods and baselines by name; of a baseline there are several."""
        law = self.law
        specs = {f"methods.{name}": [spec] for name, spec in self.methods.items()}
        for name, tried in self.baselines.items():
            specs[f"baselines.{name}"] = tried
        return {
            place.partition(".")[2]: [
                build_method(spec, place, law.log_density, law) for spec in tried
            ]
            for place, tried in specs.items()
        }

    @model_validator(mode="after")
    def _checked(self) -> "Params":
        k, dim = self.law.means.shape
        if len(self.start) != k or abs(sum(self.start) - 1) > 1e-9:
            raise ValueError(
                f"start: expected {k} shares that sum to 1, one for each mean, found "
                f"{self.start}."
            )
        if both := self.methods.keys() & self.baselines.keys():
            raise ValueError(f"baselines: {min(both)} is among the methods already.")
        if self.grid is not None and dim > 2:
            raise ValueError("grid: expected a target in one or two dimensions.")
        self.built()
        return self


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray | float]:
    """Masses of the modes over time, for the methods, the baselines and the grid."""
    arrays: dict[str, np.ndarray | float] = {}
    law = p.law
    keys = jax.vmap(lambda k: jax.random.fold_in(key, k))(np.arange(p.repeats))
    for name, methods in p.built().items():
        tried = [
            sampled_masses(law, method, p.start, p.particles, keys)
            for method in methods
        ]
        errors = [mass_errors(masses, law) for (masses, _), _ in tried]
        best = min(range(len(tried)), key=lambda k: errors[k].mean())
        (arrays[f"masses_{name}"], arrays[f"times_{name}"]), said = tried[best]
        if name in p.baselines:
            arrays[f"step_{name}"] = methods[best].step_size
        low, high = errors[best].min(), errors[best].max()
        log(f"{name}: {errors[best].mean():.4f} ({low:.4f} to {high:.4f})")
        for sentence in said[:1]:
            log(f"  {sentence}")
    if p.grid is not None:
        found = grid_masses(law, p.start, p.grid)
        arrays["grid_masses"], arrays["grid_times"] = found
    return arrays


def report(p: Params, arrays: Arrays) -> Outcome:
    """Errors of the masses at the end, beside those of the start."""
    metrics, rows = {}, {}
    for name in (*p.methods, *p.baselines):
        errors = mass_errors(arrays[f"masses_{name}"], p.law)
        metrics[f"mode_mass_error_{name}"] = float(errors.mean())
        metrics[f"mode_mass_error_{name}_sd"] = float(errors.std())
        rows[name] = [float(errors.mean())]
    for name in p.baselines:
        metrics[f"step_{name}"] = float(arrays[f"step_{name}"])
    nothing = float(mass_errors(np.array([[p.start]]), p.law)[0])
    metrics["mode_mass_error_start"] = nothing
    if p.grid is not None:
        error = mass_errors(arrays["grid_masses"], p.law)[0]
        metrics["mode_mass_error_grid"] = float(error)
    table = ScoreTable(
        "Error of the modes' masses, half the sum of |mass - weight|, mean of "
        f"{p.repeats} runs",
        ("error",),
        {**rows, "nothing moves": [nothing]},
        tuple(p.methods),
    )
    best = ", ".join(f"{name} {metrics[f'step_{name}']:g}" for name in p.baselines)
    remark = f"Steps of the baselines, the best of those tried: {best}."
    return Outcome(metrics, [table], [remark] if p.baselines else [])


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """A frame a method: runs as thin lines, their mean thick, the grid dashed."""
    weights = np.asarray(p.law.weights / p.law.weights.sum())
    panels = []
    for name in (*p.methods, *p.baselines):
        times, masses = arrays[f"times_{name}"], arrays[f"masses_{name}"]
        curves = []
        for k, color in enumerate(shades(len(weights))):
            runs = masses[:, :, k]
            curves += [
                Curve(times, runs.T, color=color, width=0.5, alpha=0.5),
                Curve(times, runs.mean(0), f"mode {k + 1}", color=color),
                Curve(times[-1:], weights[k : k + 1], color=color, style="o"),
            ]
            if p.grid is not None and np.isclose(times[-1], p.grid.time):
                t, exact = arrays["grid_times"], arrays["grid_masses"][0, :, k]
                curves.append(Curve(t, exact, color="0.2", style="--", width=0.9))
        labels = "time of the flow", "" if panels else "mass"
        panels.append(Panel(curves, *labels, title=name, ylim=(0, 1)))
    below = len(weights)
    style = {"width": 3.4, "height": 2.8, "share_y": True, "legend_below": below}
    return {"masses": plot_panels(panels, title=p.title, **style)}


STUDY = Study(Params, run, report, figures)
