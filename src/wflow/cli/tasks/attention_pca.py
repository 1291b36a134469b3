"""Heads that learn a principal direction from prompts, beside PCA in every form."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wflow.cli.networks.attention_schema import AttentionConfig
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.studies._task import Log

RECOVERY, GAP = "recovery.csv", "gap.csv"
BASELINES = {
    "pooled": "eigh of the pooled second moment",
    "oja": "Oja's iteration",
    "prompt_pca": "PCA of one prompt",
    "power_layers": "untrained heads on one prompt",
}

Found = dict[str, dict[str, np.ndarray]]


class AttentionPCATask(AbstractTask[AttentionConfig]):
    """Softmax and linear heads on spiked prompts: alignment, norm, rates and gaps."""

    summary = "attention heads that learn the principal direction of their prompts"
    config = AttentionConfig

    def check(self, config: AttentionConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.path / GAP

    def run(
        self,
        config: AttentionConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume
        import jax

        from wflow.cli.networks.attention_study import (
            courses,
            gap_curves,
            predicted_norms,
            recovered,
            recovery_curves,
        )

        key = jax.random.key(config.seed)
        keys = jax.random.split(key, 3 + len(config.settings))
        found: Found = {}
        for (name, setting), own in zip(config.settings.items(), keys[3:], strict=True):
            found[name] = recovered(config, setting, own)
            worst = min(float(found[name][kind].min()) for kind in config.heads)
            log(f"{name}: cos2 at least {worst:.4f}.", highlight=False)
        metrics = _metrics(config, found, predicted_norms(config))

        columns, rates = courses(config, keys[0])
        metrics |= {f"rate_{name}": rate for name, rate in rates.items()}
        metrics |= _slopes(columns, rates)
        directory.write_history(columns)
        directory.write_table(RECOVERY, recovery_curves(config, keys[1]))
        directory.write_table(GAP, gap_curves(config, keys[2]))
        directory.write_metrics(metrics)
        self.plot(config, directory)
        return Outcome(metrics, _tables(config, found), _remarks(config, metrics))

    def plot(self, config: AttentionConfig, directory: RunDirectory) -> list[Path]:
        from wflow.plotting.alignment import plot_alignment, plot_gap, plot_recovery

        columns, metrics = directory.read_history(), directory.read_metrics()
        length = config.course.prompt_length
        names = {
            "infinite": "infinite prompt, closed form",
            f"closed_L{length}": f"linear head, L = {length}, closed form",
            "linear": f"linear head, {config.course.prompts} stored prompts",
            "softmax": f"softmax head, {config.course.prompts} stored prompts",
        }
        times = columns.pop("time")
        alignment = plot_alignment(
            times,
            {names[name]: column for name, column in columns.items()},
            {names[n]: metrics[f"rate_{n}"] for n in columns if f"rate_{n}" in metrics},
        )
        curves = directory.read_table(RECOVERY)
        of_prompt = {"measured": curves["prompt_pca"], "limit": curves["bbp"]}
        heads = {f"{kind} head": curves[kind] for kind in config.heads}
        recovery = plot_recovery(curves["theta"], heads, of_prompt)
        figures = {
            "alignment": alignment,
            "recovery": recovery,
            "gap": plot_gap(directory.read_table(GAP)),
        }
        return [directory.write_figure(name, drawn) for name, drawn in figures.items()]


def _metrics(
    config: AttentionConfig, found: Found, predicted: "dict[str, float]"
) -> dict[str, float]:
    """Numbers of every setting, and the worst of them."""
    from wflow.networks.attention import bbp_overlap

    metrics: dict[str, float] = {}
    for name, scores in found.items():
        setting = config.settings[name]
        for method in (*config.heads, *BASELINES):
            metrics[f"cos2_{method}_{name}"] = float(scores[method].mean())
            metrics[f"cos2_{method}_{name}_least"] = float(scores[method].min())
        for kind in config.heads:
            norms = scores[f"norm_{kind}"]
            metrics[f"norm_{kind}_{name}"] = float(norms.mean())
            metrics[f"norm_{kind}_{name}_sd"] = float(norms.std())
            error = abs(float(norms.mean()) / predicted[name] - 1)
            metrics[f"norm_relative_error_{kind}_{name}"] = error
        metrics[f"norm_predicted_{name}"] = predicted[name]
        gamma = config.dimension / setting.prompt_length
        metrics[f"bbp_{name}"] = float(bbp_overlap(setting.theta, gamma))
    for kind in config.heads:
        least = min(float(scores[kind].min()) for scores in found.values())
        metrics[f"min_cos2_{kind}"] = least
    metrics["min_cos2"] = min(metrics[f"min_cos2_{kind}"] for kind in config.heads)
    if "linear" in config.heads:
        errors = [metrics[f"norm_relative_error_linear_{name}"] for name in found]
        metrics["max_norm_relative_error"] = max(errors)
    metrics["max_prompt_pca_cos2"] = max(
        metrics[f"cos2_prompt_pca_{name}"] for name in found
    )
    return metrics


def _slopes(
    columns: dict[str, np.ndarray], rates: dict[str, float]
) -> dict[str, float]:
    """Late slopes of log(1 - cos2), where it is small and not yet rounded."""
    found = {}
    for name in rates:
        late = (columns[name] < 1e-3) & (columns[name] > 1e-7)
        if late.sum() > 2:
            fitted = np.polyfit(columns["time"][late], np.log(columns[name][late]), 1)
            found[f"slope_{name}"] = float(fitted[0])
    return found


def _tables(config: AttentionConfig, found: Found) -> list[ScoreTable]:
    angle = lambda cos2: float(np.degrees(np.arccos(np.sqrt(np.minimum(cos2, 1)))))
    rows = {f"{kind} head": kind for kind in config.heads}
    methods = {**rows, **{label: name for name, label in BASELINES.items()}}
    return [
        ScoreTable(
            f"Angle to the spike in degrees, of the mean cos2 of {config.repeats} runs",
            tuple(found),
            {
                label: [angle(scores[name].mean()) for scores in found.values()]
                for label, name in methods.items()
            },
            tuple(rows),
        )
    ]


def _remarks(config: AttentionConfig, metrics: dict[str, float]) -> list[str]:
    remarks = []
    for name in config.settings:
        norms = ", ".join(
            f"{kind} {metrics[f'norm_{kind}_{name}']:.4f}" for kind in config.heads
        )
        remarks.append(
            f"{name}: norm of mu {norms}; predicted of the linear one "
            f"{metrics[f'norm_predicted_{name}']:.4f}. PCA of one prompt has cos2 "
            f"{metrics[f'cos2_prompt_pca_{name}']:.3f}, in the limit "
            f"{metrics[f'bbp_{name}']:.3f} if all share one covariance."
        )
    for key, slope in metrics.items():
        if key.startswith("slope_"):
            name = key.removeprefix("slope_")
            remarks.append(
                f"Slope of log(1 - cos2), {name}: {slope:.3f}, predicted "
                f"{metrics[f'rate_{name}']:.3f}."
            )
    return remarks


TASK = AttentionPCATask()
