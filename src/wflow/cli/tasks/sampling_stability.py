"""How far two flows drift apart on a circle, beside every bound on it."""

from pathlib import Path
from typing import TYPE_CHECKING

from wflow.cli.sampling.stability_figures import plot_bounds
from wflow.cli.sampling.stability_schema import StabilityConfig, series
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.sampling.privacy import Stability
    from wflow.studies._task import Log

_KEYS = {"B1": "b1", "B1 explicit": "b1_explicit", "B2": "b2", "B3": "b3"}
_KL_KEYS = {"B4": "b4", "pure": "kl_pure"}


class SamplingStability(AbstractTask[StabilityConfig]):
    """The log-ratio of two flows that start alike, and the bounds B1 to B4."""

    summary = "two flows of KL from one start: their log-ratio and the bounds on it"
    config = StabilityConfig

    def check(self, config: StabilityConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: StabilityConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume
        import math

        from wflow.measures import Grid
        from wflow.sampling.privacy import stability

        potential, discrepancy = series(config.potential), series(config.discrepancy)
        # Centres of the cells at 2 pi j / n.
        half, around = math.pi / config.cells, 2 * math.pi
        initial = Grid.from_log_density(
            series(config.initial), -half, around - half, (config.cells,), "periodic"
        )
        found = stability(
            lambda x: -potential(x),
            lambda x: discrepancy(x) - potential(x),
            initial,
            config.times,
            alpha=config.alpha,
            beta=config.beta,
            refine=config.refine,
            rtol=config.rtol,
        )
        columns = {"t": found.times, "osc_r": found.osc, "sup_r": found.sup}
        columns |= {_KEYS[name]: bound for name, bound in found.bounds.items()}
        columns["kl"] = found.kl
        columns |= {_KL_KEYS[name]: bound for name, bound in found.kl_bounds.items()}
        directory.write_history(columns)
        self.plot(config, directory)
        metrics = {
            f"{name}_t{t:g}": float(value)
            for name, column in columns.items()
            if name != "t"
            for t, value in zip(found.times, column, strict=True)
        }
        metrics["osc_delta"] = found.accountant.osc_delta
        metrics["min_bound_slack"] = found.slack
        return Outcome(metrics, _tables(found), _remarks(config, found))

    def plot(self, config: StabilityConfig, directory: RunDirectory) -> list[Path]:
        columns = directory.read_history()
        times = columns["t"]
        ratio = plot_bounds(
            times,
            {"osc(r)": columns["osc_r"], "sup |r|": columns["sup_r"]},
            {name: columns[key] for name, key in _KEYS.items() if key in columns},
            label=r"log-ratio $r = \log(\rho_t/\rho'_t)$",
            title=_title(config, "Two flows from one start"),
        )
        kl = plot_bounds(
            times,
            {"KL": columns["kl"]},
            {"B4": columns["b4"], "from the pure level": columns["kl_pure"]},
            label=r"$\mathrm{KL}(\rho_t\,\Vert\,\rho'_t)$",
            title=_title(config, "Their relative entropy"),
        )
        figures = {"log_ratio": ratio, "kl": kl}
        return [directory.write_figure(name, drawn) for name, drawn in figures.items()]


def _title(config: StabilityConfig, what: str) -> str:
    return f"{what}, transport {config.alpha:g}, reaction {config.beta:g}"


def _tables(found: "Stability") -> list[ScoreTable]:
    """Exact distances beside the bounds and what the targets alone would say."""
    times = tuple(f"{t:g}" for t in found.times)
    targets = [found.accountant.osc_delta] * len(times)
    ratio = {
        "sup |r|": found.sup.tolist(),
        "osc(r)": found.osc.tolist(),
        **{name: bound.tolist() for name, bound in found.bounds.items()},
        "osc(delta), the targets": targets,
    }
    kl = {
        "KL": found.kl.tolist(),
        **{name: bound.tolist() for name, bound in found.kl_bounds.items()},
    }
    return [
        ScoreTable("Log-ratio of the two flows at t, and its bounds", times, ratio, ()),
        ScoreTable("KL of the two flows at t, and its bounds", times, kl, ()),
    ]


def _remarks(config: StabilityConfig, found: "Stability") -> list[str]:
    if config.alpha == 0:
        gap = "without transport B1 is an equality"
    else:
        gap = "bounds minus what they bound"
    return [f"Least slack of all bounds and times: {found.slack:.3g} ({gap})."]


TASK = SamplingStability()
