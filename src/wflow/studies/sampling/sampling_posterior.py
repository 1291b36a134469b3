"""A posterior with reference draws: means and standard deviations by every method."""

from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from wflow.plotting.moments import plot_moments
from wflow.studies import (
    Arrays,
    Count,
    Log,
    Name,
    Outcome,
    Positive,
    ScoreTable,
    Study,
    StudyParams,
    closest,
)

from ._methods import Methods, build_method
from ._moments import as_arrays, in_units, of_draws, of_run, scores
from ._posteriors import Plate, ReferenceFile


TRIVIAL = ("initial", "laplace", "reference")


class Params(StudyParams):
    """Moments of a posterior by several methods, beside those of reference draws.

    Attributes:
        data: the file of a posterior of posteriordb, or
        plate: an inverse problem; one of the two.
        particles: of every method.
        repeats: runs of every method, from starts of their own; medians are reported.
        spread: particles start from the Laplace approximation, its standard deviations
            times this.
        default: the method whose scores have no suffix.
        methods: by name. All run in coordinates in which the Laplace approximation is
            standard normal.
    """

    task: Literal["sampling_posterior"]
    data: ReferenceFile | None = None
    plate: Plate | None = None
    particles: Annotated[int, Field(ge=2)] = 100
    repeats: Count = 9
    spread: Positive = 2.0
    default: Name
    methods: Methods

    @model_validator(mode="after")
    def _checked(self) -> "Params":
        if (self.data is None) == (self.plate is None):
            raise ValueError("data or plate: expected one of them.")
        if taken := [name for name in self.methods if name in TRIVIAL]:
            raise ValueError(f"methods: {taken[0]} is the name of a row of its own.")
        if self.default not in self.methods:
            nearest = closest(self.default, self.methods)
            hint = f" Did you mean {nearest}?" if nearest else ""
            raise ValueError(
                f"default: expected one of {', '.join(self.methods)}, found "
                f"{self.default!r}.{hint}"
            )
        for name, spec in self.methods.items():
            # Any density shows what the class refuses.
            build_method(spec, f"methods.{name}", lambda x: -jnp.sum(x**2) / 2)
        return self

    @property
    def source(self) -> ReferenceFile | Plate:
        """That of the two which there is."""
        found = self.data or self.plate
        assert found is not None
        return found


def run(p: Params, key: jax.Array, log: Log) -> dict[str, Any]:
    """Moments and costs of every run of every method, and the reference's moments."""
    posterior = p.source.posterior()
    target = posterior.target
    read = jax.jit(jax.vmap(target.scalars))
    starts, keys = [], []
    for k in range(p.repeats):
        start_key, run_key = jax.random.split(jax.random.fold_in(key, k))
        shape = (p.particles, len(posterior.names))
        starts.append(jax.random.normal(start_key, shape))
        keys.append(run_key)
    clouds = {
        "initial": [read(p.spread * z) for z in starts],
        "laplace": [read(z) for z in starts],
        "reference": [_drawn(p, posterior.draws, k) for k in range(p.repeats)],
    }
    arrays = {
        "names": np.array(posterior.names),
        "reference_mean": posterior.mean,
        "reference_sd": posterior.std,
    }
    for name, found in clouds.items():
        arrays |= as_arrays(name, [of_draws(np.asarray(values)) for values in found])
    for name, spec in p.methods.items():
        method = build_method(spec, f"methods.{name}", target)
        found, said = [], {}
        for z, run_key in zip(starts, keys, strict=True):
            found.append(of_run(target, p.spread * z, method, run_key, read, said))
        arrays |= as_arrays(name, found)
        row = scores(arrays, name)
        log(
            f"{name}: worst error of a mean {row['worst_mean_error_sd']:.3f} reference "
            f"sd, sd ratios {row['sd_ratio_min']:.2f} to {row['sd_ratio_max']:.2f}, "
            f"{row['seconds']:.2g} s a run, {row['failed_runs']:g} runs failed"
        )
        for sentence in list(said)[:2]:
            log(f"{name}: {sentence}")
    return arrays


def _drawn(p: Params, draws: np.ndarray, k: int) -> np.ndarray:
    rng = np.random.default_rng((p.seed, k))
    n = p.particles
    return draws[rng.choice(len(draws), n, replace=len(draws) < n)]


def report(p: Params, arrays: Arrays) -> Outcome:
    """Worst errors of means and of standard deviations, by method."""
    metrics: dict[str, float] = {}
    errors, ratios = {}, {}
    for name in (*TRIVIAL, *p.methods):
        found = scores(arrays, name)
        metrics |= {f"{key}_{name}": value for key, value in found.items()}
        low, high = found["sd_ratio_min"], found["sd_ratio_max"]
        errors[name] = [found["worst_mean_error_sd"]]
        ratios[name] = [float(np.log(max(high, 1 / low))) if low > 0 else None]
    metrics |= scores(arrays, p.default)
    runs = f"median of {p.repeats} runs with {p.particles} particles"
    tables = [
        ScoreTable(f"{title}, {runs}", ("error",), rows, (p.default,))
        for title, rows in (
            ("Worst error of a mean in reference sd", errors),
            ("Worst |log(sd / reference sd)|", ratios),
        )
    ]
    return Outcome(metrics, tables)


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """The first run of every method that did not fail, in units of the reference."""
    moments = {}
    for name in (*TRIVIAL, *p.methods):
        errors, ratios, failed = in_units(arrays, name)
        k = int(np.argmin(failed))
        moments[name] = errors[k].tolist(), ratios[k].tolist()
    names, title = arrays["names"].tolist(), p.title
    return {"moments": plot_moments(names, moments, models=(p.default,), title=title)}


def reads(p: Params) -> None:
    """Refuse a file that holds no posterior of the model."""
    if p.data is not None:
        p.data.load()


STUDY = Study(Params, run, report, figures, data="data.path", reads=reads)
