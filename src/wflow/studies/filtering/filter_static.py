"""Single updates of many filters against posteriors that are known."""

from typing import Annotated, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from wflow.filtering import Components, GaussianObservation
from wflow.filtering.settings import half_square
from wflow.measures import Particles
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

from ._contenders import Contenders
from ._grids import GRID, errors_on_grid, posterior_on_grid


class Params(StudyParams):
    """Single updates of a standard normal state against exact posteriors.

    Attributes:
        correlations: of state and observation in the linear-Gaussian pairs.
        observed: the observation of these, in standard deviations.
        scales: lambda of y = x^2/2 + lambda w.
        squares: the observations of these.
        methods: filters by name.
        repeats: ensembles.
    """

    task: Literal["filter_static"]
    correlations: list[Annotated[float, Field(gt=0, lt=1)]]
    observed: float = 1.0
    scales: list[Positive]
    squares: list[float]
    methods: Contenders
    repeats: Count = 5

    @model_validator(mode="after")
    def _some(self) -> "Params":
        for name, method in self.methods.items():
            method.refuse_local(name, "the line")
        if not self.cases():
            raise ValueError(
                "expected correlations, or scales and squares, found neither."
            )
        return self

    def cases(self) -> list[tuple[str, GaussianObservation, float]]:
        """Title, law of an observation and the observation; the normal ones first."""
        found = []
        for r in self.correlations:
            # y = x + noise has the correlation r with x.
            variance = 1 / r**2 - 1
            law = GaussianObservation(Components(), [[variance]])
            observed = self.observed * float(np.sqrt(1 + variance))
            found.append((f"r = {r:g}", law, observed))
        for scale in self.scales:
            for square in self.squares:
                title = f"lambda = {scale:g}, y = {square:g}"
                found.append((title, half_square(scale), square))
        return found


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """The ensembles after their updates, and the posteriors on a grid."""
    cases = p.cases()
    arrays = {"density": np.stack([posterior_on_grid(law, y) for _, law, y in cases])}
    for k, (name, contender) in enumerate(p.methods.items()):
        analyze = eqx.filter_jit(contender.build().analyze)
        found = []
        for number, (_, law, y) in enumerate(cases):
            for repeat in range(p.repeats):
                # One ensemble for all methods.
                of_start = jax.random.fold_in(jax.random.fold_in(key, number), repeat)
                x = jax.random.normal(of_start, (contender.members, 1))
                of_update = jax.random.fold_in(of_start, 1 + k)
                mu = analyze(Particles.from_samples(x), jnp.array([y]), law, of_update)
                found.append((mu.x[:, 0], jax.nn.softmax(mu.logw)))
        members, weights = (np.stack(each) for each in zip(*found, strict=True))
        shape = (len(cases), p.repeats, contender.members)
        arrays[f"members_{name}"] = members.reshape(shape)
        arrays[f"weights_{name}"] = weights.reshape(shape)
        log(f"{name}: {len(cases)} posteriors")
    return arrays


def report(p: Params, arrays: Arrays) -> Outcome:
    """Means over ensembles, by the two kinds of posteriors."""
    titles, normal = [title for title, *_ in p.cases()], len(p.correlations)
    errors = {}
    for name in p.methods:
        ensembles = zip(
            arrays[f"members_{name}"],
            arrays[f"weights_{name}"],
            arrays["density"],
            strict=True,
        )
        errors[name] = np.array([errors_on_grid(*each) for each in ensembles]).T
    kinds = {
        "gaussian": ("normal", slice(normal)),
        "bimodal": ("y = x^2/2 + lambda w", slice(normal, None)),
    }
    metrics, tables = {}, []
    for kind, (label, some) in kinds.items():
        if titles[some]:
            rows = {name: w1[some].tolist() for name, (w1, _, _) in errors.items()}
            for name, row in rows.items():
                metrics[f"w1_{kind}_{name}"] = float(np.mean(row))
            title = f"W1 to the posterior, mean of {p.repeats} ensembles: {label}"
            tables.append(ScoreTable(title, tuple(titles[some]), rows, ()))
    if normal:
        for name, (_, mean, std) in errors.items():
            metrics[f"mean_error_{name}"] = float(mean[:normal].max())
            metrics[f"std_error_{name}"] = float(std[:normal].max())
    return Outcome(metrics, tables)


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Exact distribution functions, and those of the first ensembles."""
    colors = shades(len(p.methods), "categories")
    panels = []
    for number, (title, *_) in enumerate(p.cases()):
        density = arrays["density"][number]
        levels = np.cumsum(density) / density.sum()
        seen = GRID[(levels > 1e-3) & (levels < 1 - 1e-3)]
        curves = [Curve(GRID, levels, "exact", color="0.1", width=2.2)]
        for name, color in zip(p.methods, colors, strict=True):
            members = arrays[f"members_{name}"][number, 0]
            weights = arrays[f"weights_{name}"][number, 0]
            order = np.argsort(members)
            share = np.cumsum(weights[order]) - weights[order] / 2
            curves.append(Curve(members[order], share, name, color=color, width=1))
        ends = (seen[0] - 0.3, seen[-1] + 0.3)
        panels.append(Panel(curves, title=title, xlim=ends))
    beside = 1 + min(3, len(panels))
    drawn = plot_panels(panels, width=3.6, height=2.6, legend_below=beside)
    return {"static": drawn}


STUDY = Study(Params, run, report, figures, small_matrices=True)
