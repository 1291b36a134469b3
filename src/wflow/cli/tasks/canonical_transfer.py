"""A network pretrained on one task of packaged data, fine-tuned on another."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.errors import CommandError
from wflow.cli.networks.canonical_figures import plot_chosen, plot_strengths
from wflow.cli.networks.canonical_schema import TransferConfig
from wflow.cli.networks.canonical_scores import (
    chosen_strengths,
    chosen_table,
    scored,
    strength_table,
)
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.studies._task import Log

_LABELS = {
    "error": "error, new task",
    "ece": "calibration error",
    "old_error": "error, old task",
    "drift": "drift of features, 1 - CKA",
}


class CanonicalTransfer(AbstractTask[TransferConfig]):
    """Error, calibration, forgetting and drift of features under every penalty."""

    summary = "fine-tune on digits, tumours or diabetes: penalties over their strength"
    config = TransferConfig

    def check(self, config: TransferConfig, source: str) -> None:
        if importlib.util.find_spec("sklearn") is None:
            raise CommandError(
                f"{source}: data: {config.data.kind} comes with scikit-learn, which is "
                "not installed: pip install scikit-learn."
            )
        from wflow.cli.networks.canonical_transfer import problem

        given = problem(config.data)
        needed = config.points + config.validation
        for rows, key, count in (
            (given.new, "points and validation", needed),
            (given.old, "held_out", config.held_out),
        ):
            if count >= len(rows.y):
                raise CommandError(
                    f"{source}: {key}: expected fewer than {len(rows.y)} in all, found "
                    f"{count}."
                )

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: TransferConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume, log
        import jax.numpy as jnp

        from wflow.cli.networks.canonical_finetuning import each_method, finetune, loss
        from wflow.cli.networks.canonical_transfer import problem, scores, transfers

        strengths = config.strengths.values()
        tasks, held = transfers(config)
        models = finetune(
            tasks, jnp.asarray(strengths, config.precision), config.finetuning
        )
        validation = each_method(loss, models, tasks.validation)
        found = {
            name: scored(
                name, each_method(score, models, models.pretrained, held), validation
            )
            for name, score in scores(problem(config.data).classes).items()
        }
        columns: dict[str, Any] = {"strength": strengths}
        metrics: dict[str, float] = {}
        for score in found.values():
            columns |= score.columns()
            metrics |= score.metrics()
            metrics |= score.differences("arc", ("anchored", "standard"))
        metrics |= chosen_strengths(validation, strengths)
        metrics["arc_reached_share"] = float(np.mean(models.reached))
        directory.write_history(columns)
        directory.write_metrics(metrics)
        self.plot(config, directory)
        title = f"{config.data.kind}, {config.points} points, {config.repeats} repeats"
        tables = [
            chosen_table(f"{title}: {_LABELS[name]}", score, "mean")
            for name, score in found.items()
        ]
        over = strength_table(
            "Error on the new task over the strength", found["error"], strengths
        )
        return Outcome(
            metrics, [*tables, over], ["Strengths were chosen on validation."]
        )

    def plot(self, config: TransferConfig, directory: RunDirectory) -> list[Path]:
        columns, metrics = directory.read_history(), directory.read_metrics()
        labels = {k: v for k, v in _LABELS.items() if f"{k}_arc" in columns}
        title = f"{config.data.kind}: {config.points} points, {config.repeats} repeats"
        figures = {
            "strengths": plot_strengths(columns, metrics, labels, title),
            "chosen": plot_chosen(metrics, labels, f"{title}, strength by validation"),
        }
        return [directory.write_figure(name, drawn) for name, drawn in figures.items()]


TASK = CanonicalTransfer()
