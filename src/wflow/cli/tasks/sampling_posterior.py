"""A posterior by several methods, beside reference draws."""

import dataclasses
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.errors import CommandError
from wflow.cli.sampling.posterior_figures import plot_moments
from wflow.cli.sampling.posterior_schema import (
    TRIVIAL,
    EllipticProblem,
    PosteriorConfig,
    ReferenceFile,
)
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._tables import number, read_rows
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.cli.sampling.posteriors import Posterior
    from wflow.sampling import Target
    from wflow.studies._task import Log


class SamplingPosterior(AbstractTask[PosteriorConfig]):
    """Errors of means and standard deviations in units of the reference's."""

    summary = "a posterior with reference draws: moments by every method"
    config = PosteriorConfig

    def with_data(self, config: dict[str, Any], path: Path) -> dict[str, Any]:
        data = config.get("data")
        data = data if isinstance(data, dict) else {}
        return {**config, "data": {**data, "kind": "file", "path": str(path.resolve())}}

    def check(self, config: PosteriorConfig, source: str) -> None:
        _load(config, source)

    def finished(self, directory: RunDirectory) -> Path:
        return directory.bands

    def run(
        self,
        config: PosteriorConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume
        study = _Study.of(config, _load(config, str(directory.config)))
        rows = {name: study.trivial(name) for name in TRIVIAL}
        remarks = []
        for name in config.methods:
            rows[name] = study.scores(name)
            log(f"{name}: {rows[name]}", highlight=False, soft_wrap=True)
            remarks += [f"{name}: {sentence}" for sentence in rows[name].warnings]
        directory.write_bands(_bands(study.posterior.names, rows))
        self.plot(config, directory)
        metrics = {}
        for name, row in rows.items():
            metrics |= {f"{key}_{name}": value for key, value in row.metrics.items()}
        metrics |= rows[config.default].metrics
        return Outcome(metrics, _tables(config, rows), remarks)

    def plot(self, config: PosteriorConfig, directory: RunDirectory) -> list[Path]:
        rows = read_rows(directory.bands)
        labels = list(dict.fromkeys(row["parameter"] for row in rows))
        found = {
            method: (
                [number(row, "mean") for row in rows if row["method"] == method],
                [number(row, "sd") for row in rows if row["method"] == method],
            )
            for method in dict.fromkeys(row["method"] for row in rows)
        }
        drawn = plot_moments(
            labels, found, models=(config.default,), title=config.title
        )
        return [directory.write_figure("moments", drawn)]


def _load(config: PosteriorConfig, source: str) -> "Posterior | None":
    """The posterior in the file of the config, if it is to be in one."""
    from wflow.cli.sampling.posteriors import PosteriorFileError, load_posterior

    if not isinstance(config.data, ReferenceFile):
        return None
    path, model = config.data.path, config.data.model
    if path is None:
        raise CommandError(
            f"{source}: data.path: expected the file <data>__{model}.npz; give it "
            "with --data."
        )
    try:
        found = load_posterior(path)
    except (PosteriorFileError, ModuleNotFoundError) as error:
        raise CommandError(f"{source}: data: {error}") from error
    if (named := Path(path).stem.rpartition("__")[2]) != model:
        raise CommandError(f"{source}: data: expected model {model}, found {named}.")
    return found


@dataclasses.dataclass(frozen=True)
class _Row:
    """What the runs of one method came to; one line for each run.

    Attributes:
        means: (mean - reference mean) / reference sd, ``(repeats, p)``; inf where a
            run failed.
        sds: sd / reference sd, ``(repeats, p)``; 0 where a run failed.
        failed: runs that went to infinity.
        seconds: of a run, without compilation.
        evaluations: of the log-density in a run.
        ess: median effective sample size of the weights.
        warnings: distinct sentences.
    """

    means: np.ndarray
    sds: np.ndarray
    failed: int = 0
    seconds: float = 0.0
    evaluations: int = 0
    ess: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def metrics(self) -> dict[str, float]:
        """Medians over the runs."""
        # An indefinite covariance has no sd: as far off as a run that failed.
        sds = np.where(np.isfinite(self.sds), self.sds, 0)
        return {
            "worst_mean_error_sd": float(np.median(np.abs(self.means).max(1))),
            "worst_mean_error_sd_highest": float(np.abs(self.means).max()),
            "sd_ratio_min": float(np.median(sds.min(1))),
            "sd_ratio_max": float(np.median(sds.max(1))),
            "failed_runs": float(self.failed),
            "ess": self.ess,
            "evaluations": float(self.evaluations),
            "seconds": self.seconds,
        }

    def __str__(self) -> str:
        found = self.metrics
        failed = f", {self.failed} of {len(self.means)} runs failed" * bool(self.failed)
        return (
            f"worst error of a mean {found['worst_mean_error_sd']:.3f} reference sd, "
            f"sd ratios {found['sd_ratio_min']:.2f} to {found['sd_ratio_max']:.2f}, "
            f"{self.seconds:.2g} s a run{failed}"
        )


@dataclasses.dataclass(frozen=True)
class _Study:
    """A posterior, its target in whitened coordinates, and the key of every run."""

    config: PosteriorConfig
    posterior: "Posterior"
    target: "Target"
    read: Callable[[Any], Any]

    @classmethod
    def of(cls, config: PosteriorConfig, found: "Posterior | None") -> "_Study":
        """With the Laplace approximation from the origin as the unit of length."""
        import jax
        import jax.numpy as jnp

        from wflow.cli.sampling.posteriors import elliptic_posterior
        from wflow.sampling import laplace

        if isinstance(config.data, EllipticProblem):
            found = elliptic_posterior(config.data)
            target = found.target
        else:
            assert found is not None  # the file has been checked
            law = laplace(found.target, jnp.zeros(len(found.names)))
            target = found.target.whitened(law)
        return cls(config, found, target, jax.jit(jax.vmap(target.scalars)))

    def start(self, k: int, spread: float) -> Any:
        """Particles of the k-th run, and its key."""
        import jax

        key = jax.random.fold_in(jax.random.key(self.config.seed), k)
        start_key, key = jax.random.split(key)
        shape = (self.config.particles, len(self.posterior.names))
        return spread * jax.random.normal(start_key, shape), key

    def moments(self, values: np.ndarray, weights: np.ndarray) -> Any:
        """Mean and sd in units of the reference."""
        mean = weights @ values
        variance = weights @ (values - mean) ** 2
        sd = np.sqrt(np.where(variance >= 0, variance, np.nan))
        reference = self.posterior
        return (mean - reference.mean) / reference.std, sd / reference.std

    def trivial(self, name: str) -> _Row:
        """The start, draws of the Laplace approximation, or reference draws."""
        found = []
        n = self.config.particles
        for k in range(self.config.repeats):
            if name == "reference":
                rng = np.random.default_rng((self.config.seed, k))
                draws = self.posterior.draws
                values = draws[rng.choice(len(draws), n, replace=len(draws) < n)]
            else:
                spread = self.config.spread if name == "initial" else 1.0
                values = np.asarray(self.read(self.start(k, spread)[0]))
            found.append(self.moments(values, np.full(n, 1 / n)))
        means, sds = (np.stack(part) for part in zip(*found, strict=True))
        return _Row(means, sds, ess=float(n))

    def scores(self, name: str) -> _Row:
        """All runs of one method."""
        from wflow.sampling import sample
        from wflow.solve import SolveError

        method = self.config.methods[name].build()
        found, seconds, ess, said, evaluations = [], [], [], {}, 0
        for k in range(self.config.repeats):
            start, key = self.start(k, self.config.spread)
            began = time.perf_counter()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", UserWarning)
                try:
                    samples = sample(self.target, start, method=method, key=key)
                except SolveError as error:
                    said.setdefault(str(error))
                    continue
            values = np.asarray(self.read(samples.particles))
            seconds.append(time.perf_counter() - began)
            found.append(self.moments(values, np.asarray(samples.weights)))
            ess.append(float(samples.ess))
            evaluations = samples.evaluations
            for warning in caught:
                said.setdefault(str(warning.message))
        failed = self.config.repeats - len(found)
        p = len(self.posterior.names)
        found += failed * [(np.full(p, np.inf), np.zeros(p))]
        means, sds = (np.stack(part) for part in zip(*found, strict=True))
        return _Row(
            means,
            sds,
            failed,
            # The first run compiles.
            float(np.median(seconds[1:] or seconds or [0.0])),
            evaluations,
            float(np.median(ess or [0.0])),
            tuple(said)[:2],
        )


def _bands(names: Any, rows: Mapping[str, _Row]) -> dict[str, list[Any]]:
    """The first run of every method."""
    found = [
        (label, method, float(mean), float(sd))
        for method, row in rows.items()
        for label, mean, sd in zip(names, row.means[0], row.sds[0], strict=True)
    ]
    columns = zip(*found, strict=True)
    return dict(
        zip(("parameter", "method", "mean", "sd"), map(list, columns), strict=True)
    )


def _tables(config: PosteriorConfig, rows: Mapping[str, _Row]) -> list[ScoreTable]:
    runs = f"median of {config.repeats} runs with {config.particles} particles"
    errors, ratios = {}, {}
    for name, row in rows.items():
        found = row.metrics
        errors[name] = [found["worst_mean_error_sd"]]
        low, high = found["sd_ratio_min"], found["sd_ratio_max"]
        ratios[name] = [float(np.log(max(high, 1 / low))) if low > 0 else None]
    return [
        ScoreTable(
            f"Worst error of a mean in reference sd, {runs}",
            ("error",),
            errors,
            (config.default,),
        ),
        ScoreTable(
            f"Worst |log(sd / reference sd)|, {runs}",
            ("error",),
            ratios,
            (config.default,),
        ),
    ]


TASK = SamplingPosterior()
