"""Flows of layers with scale vectors, beside what they keep and closed forms."""

from pathlib import Path
from typing import TYPE_CHECKING

from wflow.cli.networks.scale_figures import plot_flows
from wflow.cli.networks.scale_flow_schema import FlowConfig
from wflow.cli.networks.scale_flows import run_flows
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.studies._task import Log


class ScaleFlow(AbstractTask[FlowConfig]):
    """Invariants, the reduced flow, closed forms, and sharpness under decay."""

    summary = "gradient flow of layers with scale vectors: invariants and sharpness"
    config = FlowConfig

    def check(self, config: FlowConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: FlowConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume, log
        found = run_flows(config)
        directory.write_history(
            {name: column.tolist() for name, column in found.columns.items()}
        )
        self.plot(config, directory)
        signs = {-1: "negative", 0: "zero", 1: "positive"}
        metrics = {
            "max_invariant_drift": max(found.drifts.values()),
            **{f"invariant_drift_{name}": at for name, at in found.drifts.items()},
            "max_reduced_error": found.reduced,
            "max_closed_form_error": float(found.closed.max()),
        }
        for sign, word in signs.items():
            errors = [
                error
                for channel, error in zip(config.channels, found.closed, strict=True)
                if _sign(channel.weight**2 - channel.scale**2) == sign
            ]
            metrics[f"closed_form_error_c_{word}"] = float(max(errors))
        for name in found.sharpness:
            metrics[f"sharpness_{name}"] = found.sharpness[name]
            metrics[f"excess_loss_{name}"] = found.excess[name]
            metrics[f"max_scale_{name}"] = found.scales[name]
        ordered = list(found.sharpness.values())
        metrics["sharpness_ordered"] = int(sorted(ordered) == ordered)
        table = ScoreTable(
            f"At t = {config.late:g}",
            ("sharpness", "excess loss", "largest g"),
            {
                name: (found.sharpness[name], found.excess[name], found.scales[name])
                for name in found.sharpness
            },
            (),
        )
        return Outcome(metrics, [table], _remarks(config, metrics))

    def plot(self, config: FlowConfig, directory: RunDirectory) -> list[Path]:
        drawn = plot_flows(
            directory.read_history(),
            f"A layer of {config.inputs} inputs and {config.outputs} outputs, whose "
            "scale vector learns with it",
        )
        return [directory.write_figure("preconditioner", drawn)]


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _remarks(config: FlowConfig, metrics: dict[str, float]) -> list[str]:
    words = "does" if metrics["sharpness_ordered"] else "does not"
    return [
        f"Invariants drift by {metrics['max_invariant_drift']:.1e} at most, the "
        f"reduced flow is off by {metrics['max_reduced_error']:.1e}, the closed form "
        f"by {metrics['max_closed_form_error']:.1e}, until t = {config.end:g}.",
        f"The sharpness {words} rise from equal decay over none to decay on W alone.",
    ]


TASK = ScaleFlow()
