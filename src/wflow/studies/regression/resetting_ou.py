"""A noisy linear flow that is reset: its covariance, by where it comes from."""

from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from pydantic import AfterValidator, Field, model_validator

from wflow.plotting.resets import plot_ellipses, plot_reset_paths
from wflow.regression import Deterministic
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

from ._laws import Laws, law_of
from ._process import Process


# Draws that a figure shows, and the length of its path in mean times between resets.
_SHOWN, _LONG, _PATH = 3000, 12, 600
# Where the covariance comes from, as metrics and as readers call it.
_PARTS = {"cov": "all", "noise_cov": "noise", "timing_cov": "timing of resets"}

Vector = Annotated[list[float], Field(min_length=2)]


def _square(rows: list[Vector]) -> list[Vector]:
    if any(len(row) != len(rows) for row in rows):
        raise ValueError("expected as many rows as columns.")
    return rows


Matrix = Annotated[list[Vector], AfterValidator(_square)]


class Params(StudyParams):
    """An Ornstein-Uhlenbeck process that is reset, simulated and in closed form.

    Attributes:
        curvature: A, symmetric.
        linear: b.
        noise: Q, covariance per unit of time.
        origin: where it is reset to.
        mean: time between resets, in the mean.
        laws: of that time, each a shape alone.
        samples: of the state at the horizon.
        horizon: time of the simulation, in mean times between resets.
        steps: of the simulation, all of one length.
    """

    task: Literal["resetting_ou"]
    curvature: Matrix
    linear: Vector
    noise: Matrix
    origin: Vector
    mean: Positive
    laws: Laws
    samples: Annotated[int, Field(ge=100)] = 200_000
    horizon: Annotated[float, Field(ge=1)] = 20.0
    steps: Count = 100

    @model_validator(mode="after")
    def _checked(self) -> "Params":
        for name, spec in self.laws.items():
            if isinstance(law_of(spec), Deterministic):
                raise ValueError(
                    f"laws.{name}: expected a law that is not periodic: after equal "
                    "intervals the state depends on the phase at any time."
                )
            # What the closed form refuses, such as a curvature that is not symmetric.
            _ = self.process(name).exact
        return self

    def process(self, name: str) -> Process:
        """With one of the laws."""
        law = law_of(self.laws[name]).with_mean(self.mean)
        rest = (self.curvature, self.linear, self.noise, self.origin)
        return Process(law, *map(np.array, rest))


def run(p: Params, key: jax.Array, log: Log) -> dict[str, Any]:
    """Moments of draws and of the closed form, some draws and a path, by law."""
    arrays: dict[str, Any] = {}
    for number, name in enumerate(p.laws):
        log(f"{p.samples} draws of {name}")
        process, exact = p.process(name), p.process(name).exact
        draws_key, path_key = (jax.random.fold_in(key, k + number) for k in (0, 1000))
        draws = process.draws(p.samples, p.horizon * p.mean, p.steps, draws_key)
        still, noisy = map(np.asarray, draws)
        times = jnp.linspace(0.0, _LONG * p.mean, _PATH + 1)
        resets, paths = process.paths(times, path_key)
        # Both have the same ages, so that the difference is noise alone.
        found = [np.cov(noisy.T), np.cov((noisy - still).T), np.cov(still.T)]
        error = noisy.std(0, ddof=1) / np.sqrt(len(noisy))
        arrays |= {
            f"cov_{name}": np.stack(found),
            f"exact_cov_{name}": jnp.stack([getattr(exact, k) for k in _PARTS]),
            f"exact_mean_{name}": exact.mean,
            f"z_{name}": (noisy.mean(0) - np.asarray(exact.mean)) / error,
            # Without noise and with it: some draws, and one coordinate of a path.
            f"draws_{name}": np.stack([still, noisy])[:, :_SHOWN, :2],
            "time": times,
            f"resets_{name}": resets,
            f"path_{name}": paths[:, :, 1],
        }
    return arrays


def report(p: Params, arrays: Arrays) -> Outcome:
    """Relative gaps of the covariance and of its parts, and the closed form."""
    metrics: dict[str, float] = {}
    rows = {}
    for name in p.laws:
        found, exact = arrays[f"cov_{name}"], arrays[f"exact_cov_{name}"]
        rows[name] = [_gap(*pair) for pair in zip(found, exact, strict=True)]
        for part, gap in zip(_PARTS, rows[name], strict=True):
            metrics[f"relative_{part}_error_{name}"] = gap
        metrics[f"max_z_score_mean_{name}"] = float(np.abs(arrays[f"z_{name}"]).max())
        for i, value in enumerate(arrays[f"exact_mean_{name}"].tolist()):
            metrics[f"mean_{i + 1}_{name}"] = value
        for i, j in zip(*np.triu_indices(len(exact[0])), strict=True):
            metrics[f"cov_{i + 1}{j + 1}_{name}"] = float(exact[0, i, j])
    metrics["relative_covariance_error"] = max(row[0] for row in rows.values())
    title = "Covariance, simulated minus exact, relative (Frobenius)"
    return Outcome(metrics, [ScoreTable(title, tuple(_PARTS.values()), rows, ())])


def _gap(found: np.ndarray, exact: np.ndarray) -> float:
    size = np.linalg.norm(exact)
    return float(np.linalg.norm(found - exact) / size) if size else np.nan


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Ellipses of the covariances over draws, and a path for each law."""
    rest = np.linalg.lstsq(np.array(p.curvature), p.linear)[0]
    ellipses = {}
    for name in p.laws:
        mean, covs = arrays[f"exact_mean_{name}"], arrays[f"exact_cov_{name}"]
        ellipses[name] = [
            (what, mean[:2], cov[:2, :2])
            for what, cov in zip(_PARTS.values(), covs, strict=True)
        ]
    clouds = {name: arrays[f"draws_{name}"][1] for name in p.laws}
    places = {"origin": np.array(p.origin[:2]), "rest": rest[:2]}
    drawn = {"covariance": plot_ellipses(clouds, ellipses, **places)}
    kinds = ("without noise", "with noise")
    for name in p.laws:
        resets = arrays[f"resets_{name}"]
        resets = resets[np.isfinite(resets)]
        paths = [(arrays["time"], path, resets) for path in arrays[f"path_{name}"]]
        drawn[f"path_{name}"] = plot_reset_paths(
            dict(zip(kinds, paths, strict=True)),
            dict(zip(kinds, arrays[f"draws_{name}"][:, :, 1], strict=True)),
            origin=p.origin[1],
            label=r"$\theta_2$",
        )
    return drawn


STUDY = Study(Params, run, report, figures)
