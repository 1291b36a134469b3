"""What decay on a scale vector costs behind a norm, and before a linear map."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wflow.cli.networks.scale_figures import plot_norms
from wflow.cli.networks.scale_flow_schema import OutputNormConfig
from wflow.cli.networks.scale_norms import run_norms
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.studies._task import Log


class ScaleOutputNorm(AbstractTask[OutputNormConfig]):
    """Students that know the form of their teacher, at several rates of decay."""

    summary = "decay on the scale of an Output-Norm against that of an Input-Norm"
    config = OutputNormConfig

    def check(self, config: OutputNormConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: OutputNormConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume, log
        columns, losses, scales = {"decay": config.decays}, {}, {}
        for side in ("out", "in"):
            losses[side], scales[side] = run_norms(config, side)
            for k in range(config.runs):
                seed = config.seed + k
                columns[f"{side}_loss_seed{seed}"] = losses[side][:, k].tolist()
                columns[f"{side}_scale_seed{seed}"] = scales[side][:, k].tolist()
        directory.write_history(columns)
        self.plot(config, directory)
        metrics = {}
        for k, decay in enumerate(config.decays):
            for side in ("out", "in"):
                metrics[f"loss_{side}_decay{decay:g}"] = float(losses[side][k].mean())
                metrics[f"loss_{side}_decay{decay:g}_se"] = _error(losses[side][k])
                metrics[f"scale_{side}_decay{decay:g}"] = float(scales[side][k].mean())
            metrics[f"floor_out_decay{decay:g}"] = _floor(config, decay)
        last = config.decays[-1]
        ratio = metrics[f"loss_out_decay{last:g}"] / metrics[f"loss_in_decay{last:g}"]
        metrics["out_over_in"] = ratio
        table = ScoreTable(
            f"Test loss, mean of {config.runs} seeds",
            tuple(f"decay {decay:g}" for decay in config.decays),
            {
                "Output-Norm": losses["out"].mean(1).tolist(),
                "predicted for a perfect fit": [
                    _floor(config, decay) for decay in config.decays
                ],
                "Input-Norm": losses["in"].mean(1).tolist(),
            },
            (),
        )
        scale, aim = metrics[f"scale_out_decay{last:g}"], config.target / (1 + last)
        remark = (
            f"At decay {last:g} the loss behind the norm is {ratio:.1f} times that "
            f"before the map; its scale ends at {scale:.3f}, predicted is {aim:.3f}."
        )
        return Outcome(metrics, [table], [remark])

    def plot(self, config: OutputNormConfig, directory: RunDirectory) -> list[Path]:
        columns = directory.read_history()

        def table(side: str, what: str) -> np.ndarray:
            begin = f"{side}_{what}_seed"
            return np.array([columns[n] for n in columns if n.startswith(begin)]).T

        drawn = plot_norms(
            config.decays,
            {side: table(side, "loss") for side in ("out", "in")},
            {side: table(side, "scale") for side in ("out", "in")},
            config.target,
            [_floor(config, decay) for decay in config.decays],
        )
        return [directory.write_figure("decay_on_norms", drawn)]


def _floor(config: OutputNormConfig, decay: float) -> float:
    """The loss of a perfect fit at the decayed optimum."""
    return 0.5 * (decay / (1 + decay)) ** 2 * config.size * config.target**2


def _error(values: np.ndarray) -> float:
    """Standard error of the mean; not a number for a single seed."""
    if len(values) < 2:
        return float("nan")
    return float(values.std(ddof=1) / np.sqrt(len(values)))


TASK = ScaleOutputNorm()
